//! `gateway`: arguments, configuration, build, serve, drain.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use gateway::{
    agreement,
    audit::log_key,
    authorise::Register,
    backup,
    clock::Clock,
    config::{self, Config},
    gateway::Gateway,
    policy_in_force::PolicyInForce,
    store_check,
};
use proto::transport;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The matching gateway: follows agency adapters, runs the policy's rules, raises alerts.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    /// The configuration file.
    #[arg(long, default_value = "gateway.toml")]
    config: PathBuf,
    /// Log as JSON lines.
    #[arg(long)]
    json_log: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGINT or SIGTERM. SIGHUP reads policy, federation manifest and TLS
    /// files again.
    Serve,
    /// Make the key of the access log, unless there is one, and print its public half for the
    /// federation manifest.
    Init,
    /// Check the configuration, the files it names and the policy, and stop; also while a gateway
    /// serves.
    Check,
    /// What the gateway keeps.
    Store {
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Copy everything that the gateway keeps, but the log's key, into a new directory; also while a gateway
    /// serves.
    Backup {
        /// The directory; it must not be there.
        directory: PathBuf,
    },
    /// Put a backup into an empty data directory. If the log in it is older than what its witnesses
    /// know, the gateway will not start with it.
    Restore {
        /// The backup.
        directory: PathBuf,
    },
}

#[derive(Subcommand)]
enum StoreCommand {
    /// Read everything, and say what is not as it was written and what becomes of it; also while a gateway
    /// serves. Changes nothing.
    Check,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 the configuration, a certificate or the policy is \
                          wrong, or a store does not open; 2 wrong arguments; 3 `store check` found \
                          something wrong.\n\
                          Logging: RUST_LOG=info (the default), debug, warn.";

/// The exit code where something is wrong with what is kept.
const WRONG: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start_log(arguments.json_log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(&arguments)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("gateway: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn start_log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A log on a full disk must not stop what is logged about.
    let log = log.log_internal_errors(false);
    if json { log.json().init() } else { log.with_ansi(std::io::stderr().is_terminal()).init() }
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

async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Command::Init = arguments.command {
        return init(&arguments.config).map(|()| ExitCode::SUCCESS);
    }
    let config = Config::read(&arguments.config)?;
    match &arguments.command {
        Command::Init | Command::Serve => serve(config).await?,
        Command::Check => check(&config)?,
        Command::Store { command: StoreCommand::Check } => return check_store(&config).await,
        Command::Backup { directory } => {
            let entries = backup::write(&config, directory).await?;
            eprintln!(
                "gateway: {} has everything, and {entries} entries of the log",
                directory.display()
            );
        }
        Command::Restore { directory } => restore(&config, directory)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let listen = config.listen;
    let gateway = Gateway::build(config, Clock::system()).await?;
    let listener = transport::bind(listen).await?;
    announce(&listener)?;
    reload_on_hangup(&gateway)?;
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let shutdown = Box::pin(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    });
    gateway.serve(listener, shutdown).await
}

/// Says of everything that is kept whether it is whole.
async fn check_store(config: &Config) -> anyhow::Result<ExitCode> {
    let findings = store_check::check(config).await?;
    findings.print(&mut std::io::stdout().lock())?;
    Ok(if findings.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(WRONG) })
}

fn restore(config: &Config, directory: &Path) -> anyhow::Result<()> {
    let restored = backup::restore(config, directory)?;
    eprintln!("gateway: restored; what changed since the backup is sent and evaluated again");
    if restored.log {
        eprintln!("gateway: when it starts, it asks its witnesses whether they know a longer log");
    } else {
        eprintln!(
            "gateway: the log in the backup is not the one that the manifest names: it stays where it is, \
             for the auditors"
        );
    }
    Ok(())
}

/// What the manifest says of the log, to be signed by its holders.
fn init(config: &Path) -> anyhow::Result<()> {
    let key = log_key::create(&config::data_dir(config)?)?;
    writeln!(std::io::stdout(), "[log]\nkey = \"{}\"", hex::encode(key.0))?;
    eprintln!("gateway: put this into the federation manifest, with the quorum of witnesses");
    Ok(())
}

/// What [`Gateway::build`] checks, without the stores: another gateway may have them open.
fn check(config: &Config) -> anyhow::Result<()> {
    let programme = &config.manifest.scope.programme;
    Register::new(programme.clone(), config.officers.clone())?;
    let policy = PolicyInForce::read(&config.policy, programme)?.current();
    for fault in agreement::of(config, &policy) {
        eprintln!("gateway: {fault}");
    }
    if let Some(ending) = policy.cases.calendar.ending(Clock::system().now()) {
        eprintln!("gateway: {ending}");
    }
    eprintln!(
        "gateway: all is well; {} adapters, {} officers, {} datasets, {} rules",
        config.adapters.len(),
        config.officers.len(),
        policy.catalogue.datasets.len(),
        policy.rules.len()
    );
    Ok(())
}

/// The one line on standard output: whoever started us learns the port.
fn announce(listener: &tokio::net::TcpListener) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "listening on {}", listener.local_addr()?)?;
    out.flush()
}

fn reload_on_hangup(gateway: &Gateway) -> std::io::Result<()> {
    let reloads = gateway.reloads();
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reloads.read().await;
        }
    });
    Ok(())
}
