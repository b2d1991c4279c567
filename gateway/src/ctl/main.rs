//! `gatewayctl`: arguments, configuration, connection, one command, exit code.

mod alerts;
mod arguments;
mod config;
mod connection;
mod failure;
#[cfg(test)]
mod fake;
mod federation;
mod json;
mod moment;
mod output;
mod resume;
mod rules;
mod watch;
mod words;

use std::{
    env,
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use jiff::Timestamp;

use crate::{
    arguments::{AlertsCommand, Arguments, Command, Filter, RulesCommand},
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
    let config = arguments.config.as_deref();
    let answer = match arguments.command {
        Command::Alerts(AlertsCommand::List { filter, limit }) => {
            let filter = filter.to_wire()?;
            alerts::list(&mut reach(config).await?, screen, filter, limit).await
        }
        Command::Alerts(AlertsCommand::Show { id }) => {
            alerts::show(&mut reach(config).await?, screen, id).await
        }
        Command::Alerts(AlertsCommand::Watch { filter, resume_after }) => {
            return watch(&dialler(config)?, screen, &filter, resume_after).await;
        }
        Command::Rules(RulesCommand::List) => rules::list(&mut reach(config).await?, screen).await,
        Command::Rules(RulesCommand::Show { id }) => {
            rules::show(&mut reach(config).await?, screen, &id).await
        }
        Command::Rules(RulesCommand::Test { id, file }) => {
            let tried = rules::tried(id, file.as_deref())?;
            rules::evaluate(&mut reach(config).await?, screen, tried).await
        }
        Command::Rules(RulesCommand::Reload) => {
            rules::reload(&mut reach(config).await?, screen).await
        }
        Command::Agencies => federation::agencies(&mut reach(config).await?, screen).await,
        Command::Datasets => federation::datasets(&mut reach(config).await?, screen).await,
        Command::Grants => federation::grants(&mut reach(config).await?, screen).await,
        Command::Completions { shell } => Ok(completions(shell)),
    };
    write_out(&mut io::stdout(), &answer?)
}

fn dialler(config: Option<&Path>) -> Result<Dialler, Failure> {
    Dialler::new(&Config::find(config, env::home_dir().as_deref())?)
}

async fn reach(config: Option<&Path>) -> Result<Gateway, Failure> {
    Ok(Gateway::over(dialler(config)?.dial().await?))
}

async fn watch(
    dialler: &Dialler,
    screen: &Screen,
    filter: &Filter,
    resume_after: u64,
) -> Result<(), Failure> {
    let watch = Watch {
        dial: async || dialler.dial().await,
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
