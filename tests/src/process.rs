//! The programs as an agency's or the city's machine runs them: real processes, stopped on drop.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

const START: Duration = Duration::from_secs(60);

/// How a program is run.
#[derive(Debug, Default, Clone, Copy)]
pub struct Manner {
    /// What it logs, as `RUST_LOG` says it.
    pub log: Option<&'static str>,
    /// A write beyond its file size limit fails, as on a full disk, and does not end it.
    pub outlives_full_disk: bool,
}

/// A running program.
pub struct Process {
    /// Killed when dropped.
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Process {
    /// Starts `program --config CONFIG serve` and waits until it says where it listens. Its log is
    /// kept beside the configuration.
    ///
    /// # Errors
    /// Where it does not start; the log's last lines.
    pub async fn start(program: &str, config: &Path) -> anyhow::Result<Self> {
        Self::start_as(program, config, Manner::default()).await
    }

    /// The same in a certain manner.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn start_as(program: &str, config: &Path, manner: Manner) -> anyhow::Result<Self> {
        let log_path = config.with_extension("log");
        let log = File::create(&log_path)?;
        let mut command = if manner.outlives_full_disk {
            let mut shell = Command::new("sh");
            shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(binary(program)?);
            shell
        } else {
            Command::new(binary(program)?)
        };
        if let Some(log) = manner.log {
            command.env("RUST_LOG", log);
        }
        let mut child = command
            .arg("--config")
            .arg(config)
            .arg("serve")
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {program}"))?;
        let stdout = child.stdout.take().context("its output is piped")?;
        let mut line = String::new();
        let mut reader = BufReader::new(stdout);
        let said = timeout(START, reader.read_line(&mut line)).await;
        let address = line.trim().strip_prefix("listening on ").and_then(|a| a.parse().ok());
        match (said, address) {
            (Ok(Ok(_)), Some(address)) => Ok(Self { child, address }),
            _ => {
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                bail!("{program} did not start; its log ends with:\n{}", last.join("\n"))
            }
        }
    }
}

impl Process {
    /// Its process number, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends it a signal by name, such as `HUP`.
    ///
    /// # Errors
    /// Where it has ended.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        self.run("kill", &[&format!("-{name}")], "").await
    }

    /// From now on its disk is full, or has room again: the size to which its files may grow is
    /// limited to nothing, or not at all.
    ///
    /// # Errors
    /// Where the system does not do it.
    pub async fn fill_disk(&self, full: bool) -> anyhow::Result<()> {
        let limit = if full { "--fsize=0:" } else { "--fsize=unlimited:" };
        self.run("prlimit", &[limit], "--pid=").await
    }

    async fn run(&self, program: &str, arguments: &[&str], before: &str) -> anyhow::Result<()> {
        let id = self.id().context("it has ended")?;
        let mut command = Command::new(program);
        let done = command.args(arguments).arg(format!("{before}{id}")).status().await;
        let done = done.with_context(|| format!("running {program}"))?;
        anyhow::ensure!(done.success(), "{program} failed");
        Ok(())
    }

    /// Ends it as a power failure would: no handler runs, nothing is flushed.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// A program built in the same target directory as this one.
///
/// # Errors
/// Where it is not there.
pub fn binary(program: &str) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    // Test binaries are one directory below the programs.
    let found = this.ancestors().skip(1).take(2).map(|dir| dir.join(program)).find(|p| p.exists());
    found.with_context(|| {
        format!("{program} is not built: run `cargo build --release --workspace --bins` first")
    })
}
