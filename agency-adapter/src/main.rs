//! The program: arguments, configuration, then one command. Everything else is the library's.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use agency_adapter::{
    agency::Agency,
    check,
    cli::{Arguments, Command, DisclosureCommand, WitnessCommand},
    clock::Clock,
    config::Config,
    disclosure::listing::Listing,
    doctor,
    key_holder::commands,
    keys::PublicKeys,
    lang::Lang,
    load_run::{self, Outcome},
    manifest_command, renewal, server, setup,
    witness::status::{self, WitnessStatus},
};
use anyhow::Context;
use clap::{CommandFactory, Parser};
use indicatif::{ProgressBar, ProgressStyle};
use proto::{name::DatasetId, transport};
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tracing_subscriber::EnvFilter;

/// Nothing was done: arguments, configuration, state directory, or serving failed.
const NOT_DONE: u8 = 2;
/// Something must be mended.
const TO_MEND: u8 = 1;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(arguments.json);
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "agency-adapter: {}", chain(&error));
            ExitCode::from(NOT_DONE)
        }
    }
}

/// An error and its causes, without those that the sentence before them tells already.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string).filter(|cause| !cause.is_empty()) {
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}

fn start_log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A log on a full disk must not stop what is logged about.
    let log = log.log_internal_errors(false);
    if json {
        log.json().init();
    } else {
        log.with_ansi(io::stderr().is_terminal()).init();
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let lang = arguments.lang.unwrap_or_else(locale);
    let config = || Config::read(&arguments.config);
    match &arguments.command {
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            clap_complete::generate(*shell, &mut command, "agency-adapter", &mut io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Init => init(arguments, &config()?, lang),
        Command::PublicKeys => {
            let config = config()?;
            let keys = setup::public_keys(&config)?;
            print_keys(arguments, &config, &keys)
        }
        Command::Grant { dataset, to, renew, except } => {
            let (config, clock) = (config()?, Clock::system());
            let written = match dataset {
                Some(dataset) if !renew => setup::grant(&config, &clock, dataset, to)?,
                _ => renewal::renew(&config, &clock, except)?,
            };
            for path in &written {
                let word = lang.pick("授权已生成，由网关转送", "granted; the gateway carries it");
                writeln!(io::stderr(), "{}: {word}", path.display())?;
            }
            if arguments.json {
                print(&json!({ "dataset": dataset, "to": to, "files": written }).to_string())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::KeyHolder(command) => {
            let outcome = commands::run(command, &config()?, &Clock::system(), lang)?;
            for note in &outcome.notes {
                writeln!(io::stderr(), "{note}")?;
            }
            match (arguments.json, outcome.text.trim_end()) {
                (true, _) => print(&outcome.json.to_string())?,
                (false, "") => {}
                (false, text) => print(text)?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Load { dry_run, datasets } => {
            let config = config()?;
            let mut bars = Bars::new(arguments.json);
            let wanted = (datasets.as_slice(), *dry_run);
            let outcomes =
                load_run::run(&config, &Clock::system(), wanted, lang, &mut |d, at, of| {
                    bars.show(d, at, of)
                });
            bars.clear();
            report(arguments, &outcomes?, lang)
        }
        Command::Doctor => {
            let mut bars = Bars::new(arguments.json);
            let show: doctor::Progress<'_> = &mut |dataset, at, of| bars.show(dataset, at, of);
            let checks = doctor::examine(&arguments.config, &Clock::system(), lang, show);
            bars.clear();
            if arguments.json {
                print(&serde_json::to_string_pretty(&checks)?)?;
            } else {
                print(check::table(&checks, lang).trim_end())?;
            }
            Ok(exit(!check::any_failure(&checks)))
        }
        Command::Disclosure { command: DisclosureCommand::List } => {
            let listing = Listing::read(&config()?)?;
            match arguments.json {
                true => print(&listing.json().to_string())?,
                false => print(&listing.text(lang))?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Witness { command } => witness(arguments, *command, &config()?, lang),
        Command::Serve => serve(config()?),
        Command::Manifest(command) => {
            let mut confirm = |shown: &str| confirmed(shown, lang);
            let reply = manifest_command::run(command, &arguments.config, lang, &mut confirm)?;
            let text = if arguments.json { reply.json.to_string() } else { reply.text };
            print(text.trim_end())?;
            Ok(exit(reply.good))
        }
    }
}

/// Shows what is to be signed, and whether whoever is at the terminal typed yes.
fn confirmed(shown: &str, lang: Lang) -> bool {
    let question = lang.pick("签名请输入 yes：", "type yes to sign this: ");
    let mut answer = String::new();
    write!(io::stderr(), "{shown}\n{question}").is_ok()
        && io::stdin().is_terminal()
        && io::stdin().read_line(&mut answer).is_ok()
        && answer.trim() == "yes"
}

fn init(arguments: &Arguments, config: &Config, lang: Lang) -> anyhow::Result<ExitCode> {
    let initialised = setup::init(config, &Clock::system(), lang)?;
    for note in &initialised.notes {
        writeln!(io::stderr(), "{note}")?;
    }
    print_keys(arguments, config, &initialised.keys)
}

fn print_keys(
    arguments: &Arguments,
    config: &Config,
    keys: &PublicKeys,
) -> anyhow::Result<ExitCode> {
    if arguments.json {
        let [signing, hpke, witness] = [keys.signing.0, keys.hpke, keys.witness.0].map(hex::encode);
        let keys = json!({
            "id": config.agency, "signing_key": signing, "hpke_key": hpke, "witness_key": witness,
        });
        print(&keys.to_string())?;
    } else {
        print(keys.manifest_block(&config.agency).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn witness(
    arguments: &Arguments,
    command: WitnessCommand,
    config: &Config,
    lang: Lang,
) -> anyhow::Result<ExitCode> {
    let now = Clock::system().now();
    if let WitnessCommand::Resume { .. } = command {
        let reported = status::resume(config, now)?;
        let word = lang.pick("项分叉证据标记为已报告", "forks marked as reported");
        writeln!(io::stderr(), "{reported} {word}")?;
    }
    let status = WitnessStatus::read(config, &Agency::open(config)?, now)?;
    if arguments.json {
        print(&serde_json::to_string_pretty(&status)?)?;
    } else {
        print(&status.text(lang))?;
    }
    Ok(exit(status.is_well()))
}

fn report(arguments: &Arguments, outcomes: &[Outcome], lang: Lang) -> anyhow::Result<ExitCode> {
    if arguments.json {
        print(&serde_json::to_string_pretty(outcomes)?)?;
    } else {
        for outcome in outcomes {
            print(outcome.text(lang).trim_end())?;
        }
    }
    Ok(exit(outcomes.iter().all(|outcome| outcome.problem.is_none())))
}

fn serve(config: Config) -> anyhow::Result<ExitCode> {
    server::check(&config)?;
    let runtime = tokio::runtime::Runtime::new().context("starting threads")?;
    let served = runtime.block_on(async {
        let listener = transport::bind(config.listen).await?;
        print(&format!("listening on {}", listener.local_addr()?))?;
        let reload = Arc::new(Notify::new());
        let (mut hangup, mut terminate, mut interrupt) = (
            signal(SignalKind::hangup())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let on_hangup = reload.clone();
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                on_hangup.notify_one();
            }
        });
        let shutdown = Box::pin(async move {
            tokio::select! {
                _ = terminate.recv() => (),
                _ = interrupt.recv() => (),
            }
        });
        server::serve(config, listener, Clock::system(), shutdown, reload).await?;
        anyhow::Ok(())
    });
    // A source that is still being read is not waited for.
    runtime.shutdown_timeout(Duration::ZERO);
    served.map(|()| ExitCode::SUCCESS)
}

fn locale() -> Lang {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    Lang::of_locale(set("LC_ALL").or_else(|| set("LANG")).as_deref())
}

fn exit(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::from(TO_MEND) }
}

/// Results go to standard output; everything else does not.
fn print(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}").context("writing to standard output")
}

/// How far reading has got, on a terminal.
struct Bars {
    bar: Option<ProgressBar>,
}

impl Bars {
    fn new(json: bool) -> Self {
        let wanted = !json && io::stderr().is_terminal();
        let style = ProgressStyle::with_template("{msg} {bar:40} {bytes}/{total_bytes} {eta}");
        let bar = wanted.then(|| {
            let style = style.expect("the template is good");
            ProgressBar::new(0).with_style(style)
        });
        Self { bar }
    }

    fn show(&mut self, dataset: &DatasetId, done: u64, all: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(all);
            bar.set_position(done);
            bar.set_message(dataset.to_string());
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
