//! A copy of everything that the gateway keeps, made while it serves, and put back.
//!
//! The order keeps promises: first alerts, then sealed rows, then the access log, which is ahead of both
//! in the original, too. The log's key is left out: whoever finds a backup cannot sign with it.
//!
//! A log that was put back may be older than what its witnesses have cosigned. Going on from there would be a
//! fork, so [`continues`] asks them before the first entry is written.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use futures::future::BoxFuture;
use proto::{quorum::Quorum, transport, wire::witness_service_client::WitnessServiceClient};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use crate::{
    audit::{
        log::AccessLog,
        looking,
        witness_call::{Conversation, Failure},
    },
    config::Config,
    disk::{LocalDisk, replace},
    rows,
};

const ALERTS: &str = "alerts.sqlite";
const MANIFEST: &str = "manifest.accepted";
/// The log was put back and its witnesses were not asked yet.
const RESTORED: &str = "log.restored";
/// Files are being put back.
const UNFINISHED: &str = "restore.unfinished";

/// What was put back.
pub struct Restored {
    /// Whether the log was; not where the manifest names another log by now.
    pub log: bool,
}

/// Copies everything into a directory that is not there yet; how many entries the log's copy has.
///
/// # Errors
/// Which file, and why. Then there is no such directory.
pub fn write<'a>(config: &'a Config, to: &'a Path) -> BoxFuture<'a, anyhow::Result<u64>> {
    Box::pin(write_all(config, to))
}

async fn write_all(config: &Config, to: &Path) -> anyhow::Result<u64> {
    if to.exists() {
        bail!("{} is there already: name a new directory", to.display());
    }
    let mut unfinished = to.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    fs::create_dir(&unfinished).with_context(|| {
        format!("cannot make {}: remove it if another backup left it", unfinished.display())
    })?;
    let data_dir = &config.data_dir;
    copy_alerts(&data_dir.join(ALERTS), &unfinished.join(ALERTS)).await?;
    for store in row_stores(data_dir)? {
        let name = store.file_name().context("a directory in data_dir has a name")?;
        rows::copy(&store, &unfinished.join(name))?;
    }
    let log = Quorum::of_manifest(&config.manifest).log().clone();
    let entries = looking::copy(data_dir, &unfinished, &log)?;
    // The last, so that it is as new as what was taken over under it.
    copy_whole(&data_dir.join(MANIFEST), &unfinished.join(MANIFEST))?;
    sync(&unfinished)?;
    fs::rename(&unfinished, to)?;
    sync(to.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")))?;
    Ok(entries)
}

/// Puts a backup's files into a data directory that has none of them.
///
/// # Errors
/// Which file, and why.
pub fn restore(config: &Config, from: &Path) -> anyhow::Result<Restored> {
    let data_dir = &config.data_dir;
    fs::create_dir_all(data_dir)?;
    let unfinished = data_dir.join(UNFINISHED);
    if unfinished.exists() {
        bail!("an earlier restore did not finish: empty {}, but for log.key", data_dir.display());
    }
    let there = [ALERTS, "log", "log.journal", "log.checkpoint"].map(|name| data_dir.join(name));
    if let Some(there) = there.iter().chain(&row_stores(data_dir)?).find(|path| path.exists()) {
        bail!("{} is there: a backup is put into an empty data directory only", there.display());
    }
    if !from.join(ALERTS).exists() {
        bail!("{} is no backup: it has no {ALERTS}", from.display());
    }
    replace(&LocalDisk, &unfinished, &[])?;
    let log = Quorum::of_manifest(&config.manifest).log().clone();
    let log = if looking::is_of(from, &log) {
        replace(&LocalDisk, &data_dir.join(RESTORED), &[])?;
        looking::copy(from, data_dir, &log)?;
        true
    } else {
        false
    };
    for store in row_stores(from)? {
        let name = store.file_name().context("a directory in a backup has a name")?;
        rows::copy(&store, &data_dir.join(name))?;
    }
    copy_whole(&from.join(ALERTS), &data_dir.join(ALERTS))?;
    let manifest = data_dir.join(MANIFEST);
    if from.join(MANIFEST).exists() && !manifest.exists() {
        copy_whole(&from.join(MANIFEST), &manifest)?;
    }
    fs::remove_file(&unfinished)?;
    sync(data_dir)?;
    Ok(Restored { log })
}

/// Refuses to go on from files of which some may be missing.
///
/// # Errors
/// Where a restore did not finish.
pub fn finished(data_dir: &Path) -> anyhow::Result<()> {
    if data_dir.join(UNFINISHED).exists() {
        bail!(
            "a restore did not finish: empty {}, but for log.key, and restore again",
            data_dir.display()
        );
    }
    Ok(())
}

/// Makes sure that a log that was put back is the newest one, before anything is added to it.
///
/// # Errors
/// Where a witness knows a longer log, or so few of them answer that the others could.
pub async fn continues(config: &Config, log: &AccessLog) -> anyhow::Result<()> {
    let marker = config.data_dir.join(RESTORED);
    if !marker.exists() {
        return Ok(());
    }
    let size = log.size();
    let mut checkpoints = log.checkpoints();
    let checkpoint = checkpoints.wait_for(|checkpoint| checkpoint.size() >= size).await?.clone();
    let quorum = Quorum::of_manifest(&config.manifest);
    let agencies = config.manifest.agencies().count();
    // Whoever cosigned a longer log are so many that at least one of these is among them.
    let needed = agencies + 1 - quorum.needed().min(agencies);
    let (mut agreed, mut silent) = (0, vec![]);
    for adapter in &config.adapters {
        let agency = &adapter.agency;
        let tls = config.tls.client().borrow().clone();
        let answer = match transport::connect(adapter.target.clone(), tls).await {
            Ok(channel) => {
                let client = WitnessServiceClient::new(channel);
                Conversation::default().ask(client, log, &checkpoint).await
            }
            Err(problem) => Err(Failure::Problem(problem)),
        };
        match answer {
            Ok(_) => agreed += 1,
            Err(Failure::Problem(problem)) => silent.push(format!("{agency}: {problem}")),
            Err(Failure::KnowsMore { known, size }) => bail!(
                "the access log was restored with {size} entries, and {agency} has cosigned {known}: to \
                 go on from here would be a fork. Restore a newer copy of the log; if there is none, \
                 begin a log with a new key (RUNBOOK, \"Restoring the gateway from a backup\")"
            ),
        }
    }
    if agreed < needed {
        bail!(
            "the access log was restored, and {needed} witnesses must say that they know no longer one; \
             {agreed} did. Start again once more adapters can be reached. {}",
            silent.join("; ")
        );
    }
    fs::remove_file(&marker)?;
    tracing::info!(entries = size, "witnesses know no longer log than the restored one");
    Ok(sync(&config.data_dir)?)
}

/// The directories of sealed rows in a data directory.
pub fn row_stores(data_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut stores = vec![];
    for entry in fs::read_dir(data_dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("rows-")) && entry.path().is_dir() {
            stores.push(entry.path());
        }
    }
    stores.sort();
    Ok(stores)
}

/// What the store of alerts had committed at one moment, whatever is written meanwhile.
async fn copy_alerts(from: &Path, to: &Path) -> anyhow::Result<()> {
    let failed = || format!("copying {}", from.display());
    let to_text = to.to_str().context("the backup's directory has a name in UTF-8")?;
    let mut store =
        SqliteConnectOptions::new().filename(from).connect().await.with_context(failed)?;
    let copied = sqlx::query("VACUUM INTO $1").bind(to_text).execute(&mut store).await;
    copied.with_context(failed)?;
    store.close().await.with_context(failed)?;
    Ok(fs::File::open(to)?.sync_all()?)
}

fn copy_whole(from: &Path, to: &Path) -> anyhow::Result<()> {
    let failed = || format!("copying {}", from.display());
    fs::copy(from, to).with_context(failed)?;
    fs::File::open(to)?.sync_all().with_context(failed)
}

fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}
