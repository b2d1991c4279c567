//! `gatewayctl`: arguments, configuration, connection, one command, exit code.

mod advice;
mod alerts;
mod arguments;
mod audit;
mod cases;
mod config;
mod confirm;
mod connection;
mod disclosure;
mod epochs;
mod failure;
#[cfg(test)]
mod fake;
mod federation;
mod json;
mod moment;
mod notifications;
mod output;
mod paging;
mod probe;
mod refusals;
mod resume;
mod rules;
mod statistics;
mod typed_id;
mod watch;
mod words;

use std::{
    env,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use jiff::Timestamp;
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::{
    arguments::{
        AlertsCommand, Arguments, AuditCommand, Command, Filter, Keys, Question, ReceiptCommand,
        RulesCommand,
    },
    audit::{Auditor, Copied, Source},
    config::Config,
    connection::{Dialler, Gateway},
    failure::Failure,
    output::{Form, Screen, write_out},
    resume::Pace,
    watch::Watch,
    words::Lang,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let lang =
        arguments.lang.unwrap_or_else(|| Lang::of_environment(env::var("LANG").ok().as_deref()));
    let screen = Screen { lang, form: form(arguments.json), clock: Timestamp::now };
    match run(arguments, &screen) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let text = match screen.form {
                Form::Json => failure.json(lang).to_string(),
                Form::Plain | Form::Terminal { .. } => failure.tell(lang),
            };
            // Without a standard error, the exit code has to say it all.
            let _ = writeln!(io::stderr(), "{text}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn form(json: bool) -> Form {
    match json {
        true => Form::Json,
        false if io::stdout().is_terminal() => {
            Form::Terminal { colour: env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) }
        }
        false => Form::Plain,
    }
}

fn run(arguments: Arguments, screen: &Screen) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Output)?
        .block_on(obey(arguments, screen))
}

async fn obey(arguments: Arguments, screen: &Screen) -> Result<(), Failure> {
    let answer = match arguments.command {
        Command::Completions { shell } => completions(shell),
        Command::Ask(Question::Audit(AuditCommand::Verify { tiles: Some(tiles), keys })) => {
            let config = config(arguments.config.as_deref()).ok();
            let auditor = auditor(&keys, config.as_ref())?;
            audit::verify(&Source::Copy(Copied::find(tiles)), &auditor, screen)?
        }
        Command::Ask(Question::Receipt(ReceiptCommand::Verify { file, manifest })) => {
            let config = config(arguments.config.as_deref()).ok();
            verify_receipt(&file, manifest, config.as_ref(), screen)?
        }
        Command::Ask(question) => {
            let config = config(arguments.config.as_deref())?;
            let dialler = Dialler::new(&config)?;
            match Box::pin(ask(question, &dialler, &config, screen)).await {
                Ok(answer) => answer,
                Err(failure) => return Err(dialler.explain(failure).await),
            }
        }
    };
    write_out(&mut io::stdout(), &answer)
}

fn config(named: Option<&Path>) -> Result<Config, Failure> {
    Config::find(named, env::home_dir().as_deref())
}

fn auditor(keys: &Keys, config: Option<&Config>) -> Result<Auditor, Failure> {
    let home = env::home_dir();
    Auditor::find(keys, config, home.as_deref())
}

/// The whole answer; of a watch, what is left to say at its end: nothing.
async fn ask(
    question: Question,
    dialler: &Dialler,
    config: &Config,
    screen: &Screen,
) -> Result<String, Failure> {
    match question {
        Question::Alerts(AlertsCommand::List { filter, limit }) => {
            let filter = filter.to_wire()?;
            alerts::list(&mut dialler.reach().await?, screen, filter, limit).await
        }
        Question::Alerts(AlertsCommand::Show { id }) => {
            alerts::show(&mut dialler.reach().await?, screen, id).await
        }
        Question::Alerts(AlertsCommand::Watch { filter, resume_after }) => {
            watch(dialler, screen, &filter, resume_after).await.map(|()| String::new())
        }
        Question::Disclosure(command) => disclosure::run(command, dialler, config, screen).await,
        Question::Cases(command) => cases::run(command, dialler, screen).await,
        Question::Rules(RulesCommand::List) => {
            rules::list(&mut dialler.reach().await?, screen).await
        }
        Question::Rules(RulesCommand::Show { id }) => {
            rules::show(&mut dialler.reach().await?, screen, &id).await
        }
        Question::Rules(RulesCommand::Test { id, file }) => {
            let tried = rules::tried(id, file.as_deref())?;
            rules::evaluate(&mut dialler.reach().await?, screen, tried).await
        }
        Question::Rules(RulesCommand::Reload) => {
            rules::reload(&mut dialler.reach().await?, screen).await
        }
        Question::Agencies => federation::agencies(&mut dialler.reach().await?, screen).await,
        Question::Datasets => federation::datasets(&mut dialler.reach().await?, screen).await,
        Question::Epochs => epochs::epochs(&mut dialler.reach().await?, screen).await,
        Question::Refusals => refusals::refusals(&mut dialler.reach().await?, screen).await,
        Question::Grants => federation::grants(&mut dialler.reach().await?, screen).await,
        Question::Notifications(command) => {
            notifications::run(command, &mut dialler.reach().await?, screen).await
        }
        Question::Statistics(command) => {
            statistics::run(command, &mut dialler.reach().await?, screen).await
        }
        Question::Audit(command) => audit(command, dialler, config, screen).await,
        Question::Receipt(ReceiptCommand::Get { index }) => {
            audit::get_receipt(&mut dialler.reach().await?, index).await
        }
        Question::Receipt(ReceiptCommand::Verify { file, manifest }) => {
            verify_receipt(&file, manifest, Some(config), screen)
        }
    }
}

fn verify_receipt(
    file: &Path,
    manifest: Option<PathBuf>,
    config: Option<&Config>,
    screen: &Screen,
) -> Result<String, Failure> {
    let manifest = manifest.or(config.and_then(|config| config.manifest.clone()));
    audit::verify_receipt(screen, file, &manifest.ok_or(Failure::NoManifest)?)
}

async fn audit(
    command: AuditCommand,
    dialler: &Dialler,
    config: &Config,
    screen: &Screen,
) -> Result<String, Failure> {
    let keys = match &command {
        AuditCommand::Search { chosen }
        | AuditCommand::Export { chosen, .. }
        | AuditCommand::Report { chosen } => &chosen.keys,
        AuditCommand::Show { keys, .. }
        | AuditCommand::Prove { keys, .. }
        | AuditCommand::Verify { keys, .. } => keys,
    };
    let auditor = auditor(keys, Some(config))?;
    let channel = dialler.dial().await?;
    let gateway = &mut Gateway::over(channel.clone());
    match command {
        AuditCommand::Search { chosen } => audit::search(gateway, &auditor, screen, &chosen).await,
        AuditCommand::Show { index, .. } => audit::show(gateway, &auditor, screen, index).await,
        AuditCommand::Prove { index, .. } => audit::prove(gateway, &auditor, index).await,
        AuditCommand::Export { chosen, format } => {
            audit::export(gateway, &auditor, &chosen, format).await
        }
        AuditCommand::Report { chosen } => audit::report(gateway, &auditor, screen, &chosen).await,
        AuditCommand::Verify { .. } => {
            let (source, screen) = (Source::Gateway(channel, Handle::current()), *screen);
            let verifying = spawn_blocking(move || audit::verify(&source, &auditor, &screen));
            verifying.await.map_err(|error| Failure::Output(error.into()))?
        }
    }
}

async fn watch(
    dialler: &Dialler,
    screen: &Screen,
    filter: &Filter,
    resume_after: u64,
) -> Result<(), Failure> {
    let watch = Watch {
        dial: async || dialler.dial().await,
        explain: async |failure| dialler.explain(failure).await,
        screen,
        filter: filter.to_wire()?,
        pace: Pace::default(),
        out: io::stdout(),
        notices: io::stderr(),
    };
    tokio::select! {
        ended = watch.run(resume_after) => ended,
        Ok(()) = tokio::signal::ctrl_c() => Ok(()),
    }
}

fn completions(shell: Shell) -> String {
    let mut script = vec![];
    clap_complete::generate(shell, &mut Arguments::command(), "gatewayctl", &mut script);
    String::from_utf8(script).expect("completion scripts are text")
}
