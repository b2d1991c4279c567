//! Whether everything that the gateway keeps is as it was written, and agrees with itself: for
//! `gateway store check`, also while a gateway serves.
//!
//! What is told first of a thing is read first: an alert or a cursor that is looked at has been in the log
//! for longer.

use std::{
    collections::HashSet,
    io::{self, Write},
    path::Path,
};

use futures::future::BoxFuture;
use proto::{act::Act, entry::Entry, name::DatasetId, quorum::Quorum};
use sqlx::{ConnectOptions, Row, sqlite::SqliteConnectOptions};

use crate::{audit::looking, backup, config::Config, rows};

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is whole.
    pub well: Vec<String>,
    /// What is not, and what becomes of it.
    pub wrong: Vec<String>,
}

/// What the log must have, and what it has.
#[derive(Default)]
struct Told {
    alerts: HashSet<(String, u64)>,
    cursors: HashSet<(u32, DatasetId, [u8; 16], u32)>,
}

/// Reads everything. Changes nothing.
///
/// # Errors
/// Where the disk fails, so that nothing can be said.
pub fn check(config: &Config) -> BoxFuture<'_, anyhow::Result<Findings>> {
    Box::pin(check_all(config))
}

async fn check_all(config: &Config) -> anyhow::Result<Findings> {
    let (mut findings, mut told) = (Findings::default(), Told::default());
    check_alerts(&config.data_dir.join("alerts.sqlite"), &mut findings, &mut told).await?;
    for store in backup::row_stores(&config.data_dir)? {
        check_rows(&store, &mut findings, &mut told)?;
    }
    check_log(config, &mut findings, told);
    Ok(findings)
}

async fn check_alerts(path: &Path, findings: &mut Findings, told: &mut Told) -> anyhow::Result<()> {
    if !path.exists() {
        findings.well.push("alerts.sqlite: not there yet".into());
        return Ok(());
    }
    let options = SqliteConnectOptions::new().filename(path);
    let looked = async {
        let mut store = options.connect().await?;
        let lines = sqlx::query("PRAGMA integrity_check").fetch_all(&mut store).await?;
        let lines: Vec<String> = lines.iter().map(|line| line.get(0)).collect();
        let rows = sqlx::query("SELECT id, revision FROM alert").fetch_all(&mut store).await?;
        let alerts = rows.iter().map(|row| (row.get(0), row.get::<i64, _>(1).cast_unsigned()));
        Ok::<_, sqlx::Error>((lines, alerts.collect::<HashSet<(String, u64)>>()))
    };
    match looked.await {
        Ok((lines, alerts)) if lines == ["ok"] => {
            findings.well.push(format!("alerts.sqlite: {} alerts", alerts.len()));
            told.alerts = alerts;
        }
        Ok((lines, _)) => findings.wrong.push(damaged_alerts(&lines.join("; "))),
        Err(error) => findings.wrong.push(damaged_alerts(&error.to_string())),
    }
    Ok(())
}

fn damaged_alerts(what: &str) -> String {
    format!(
        "alerts.sqlite: {what}. Nothing repairs that: stop the gateway and restore a backup; what \
         changed since is evaluated again"
    )
}

fn check_rows(store: &Path, findings: &mut Findings, told: &mut Told) -> anyhow::Result<()> {
    let name = store.file_name().and_then(|name| name.to_str()).unwrap_or("rows");
    let epoch = name.strip_prefix("rows-").and_then(|epoch| epoch.parse().ok());
    for checked in rows::check(store)? {
        let dataset = checked.dataset;
        match (checked.damage, checked.cursor) {
            (Some(what), _) => findings.wrong.push(format!(
                "{name}/{dataset}: {what}. The gateway asks for this dataset anew when it meets that, \
                 and at the latest when it starts; nothing else is lost"
            )),
            (None, Some(cursor)) => {
                let rows = checked.rows;
                findings.well.push(format!("{name}/{dataset}: {rows} rows at {cursor}"));
                told.cursors.extend(epoch.map(|epoch| (epoch, dataset, cursor.log, cursor.version)));
            }
            (None, None) => findings.well.push(format!("{name}/{dataset}: nothing held")),
        }
    }
    Ok(())
}

fn check_log(config: &Config, findings: &mut Findings, mut missing: Told) {
    let log = Quorum::of_manifest(&config.manifest).log().clone();
    let mut unreadable = 0;
    let verified = looking::verify(&config.data_dir, &log, |_, bytes| match Entry::parse(bytes) {
        Ok(entry) => match entry.act() {
            Act::AlertChanged { alert, revision, .. } => {
                missing.alerts.remove(&(alert.to_string(), *revision));
            }
            Act::SyncAccepted { dataset, epoch, log, version, .. } => {
                missing.cursors.remove(&(*epoch, dataset.clone(), log.0, *version));
            }
            _ => {}
        },
        Err(_) => unreadable += 1,
    });
    match verified {
        Ok(size) => findings.well.push(format!("log: {size} entries")),
        Err(error) => {
            findings.wrong.push(format!(
                "log: {error:#}. Nothing repairs that, and the gateway does not start with it: restore the \
                 newest copy of the log (RUNBOOK)"
            ));
            return;
        }
    }
    if unreadable > 0 {
        findings.wrong.push(format!(
            "log: {unreadable} entries are none of this version: a newer gateway wrote them"
        ));
    }
    for (epoch, dataset, ..) in &missing.cursors {
        findings.wrong.push(format!(
            "rows-{epoch}/{dataset}: the log does not say that this version was taken over: remove the \
             directory, and it is asked for anew"
        ));
    }
    if !missing.alerts.is_empty() {
        let count = missing.alerts.len();
        findings.wrong.push(format!(
            "alerts.sqlite: {count} alerts were changed without an entry in the log. Where the log was \
             begun anew since, that is so; otherwise report it to the auditors"
        ));
    }
}

impl Findings {
    /// Prints a line for each: what is whole, then what is not.
    ///
    /// # Errors
    /// The output's.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        self.well.iter().try_for_each(|line| writeln!(out, "ok     {line}"))?;
        self.wrong.iter().try_for_each(|line| writeln!(out, "WRONG  {line}"))
    }
}
