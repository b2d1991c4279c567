//! `gatewayctl`: arguments, configuration, connection, one command, exit code.

mod advice;
mod alerts;
mod arguments;
mod config;
mod connection;
mod epochs;
mod failure;
#[cfg(test)]
mod fake;
mod federation;
mod json;
mod moment;
mod output;
mod probe;
mod resume;
mod rules;
mod watch;
mod words;

use std::{
    env,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use jiff::Timestamp;

use crate::{
    arguments::{AlertsCommand, Arguments, Command, Filter, Question, RulesCommand},
    config::Config,
    connection::Dialler,
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
        Command::Ask(question) => {
            let home = env::home_dir();
            let config = Config::find(arguments.config.as_deref(), home.as_deref())?;
            let dialler = Dialler::new(&config)?;
            match ask(question, &dialler, screen).await {
                Ok(answer) => answer,
                Err(failure) => return Err(dialler.explain(failure).await),
            }
        }
    };
    write_out(&mut io::stdout(), &answer)
}

/// The whole answer; of a watch, what is left to say at its end: nothing.
async fn ask(question: Question, dialler: &Dialler, screen: &Screen) -> Result<String, Failure> {
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
        Question::Grants => federation::grants(&mut dialler.reach().await?, screen).await,
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
