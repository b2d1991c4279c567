//! First match: a release of the whole base finds and opens its rows in every data line; beside DuckDB,
//! which joins the same tables in plain.

use std::{path::PathBuf, time::Instant};

use clap::Args;
use gateway::{base::Base, rows::Rows};

use crate::{
    duckdb,
    report::{Compared, Measured, Report},
    sealed::Town,
};

const JOIN: &str = include_str!("first_match.py");
/// Not slower than DuckDB.
const GOAL: f64 = 1.0;

/// How much to match.
#[derive(Args)]
pub struct Arguments {
    /// Where the store is written.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
    /// People in the base.
    #[arg(long, default_value_t = 510_000)]
    people: usize,
    /// Data lines.
    #[arg(long, default_value_t = 17)]
    lines: usize,
    /// Rows of each line.
    #[arg(long, default_value_t = 2_000_000)]
    rows: usize,
    /// Rounds of both; the figures are medians.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Fills a store, and matches in every round with an empty base.
pub fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    let town = Town::new(arguments.people, arguments.lines)?;
    let rows = Rows::open(&directory.path().join("rows"), &town.scope)?;
    town.fill(&rows, arguments.rows)?;
    let mut times = vec![];
    for _ in 0..arguments.rounds.max(1) {
        let release = town.release()?;
        let mut base = Base::new(&town.scope, town.policy.catalogue.clone());
        base.catch_up(&rows)?;
        let began = Instant::now();
        base.release(release, &rows)?;
        times.push(began.elapsed().as_secs_f64());
    }
    let ours = median(times);
    let mut report = Report { benchmark: "first-match", measured: vec![], compared: vec![] };
    let pairs = (arguments.people * arguments.lines) as f64;
    let mut figure = |what: &str, value, unit| {
        report.measured.push(Measured { what: what.into(), value, unit });
    };
    figure("rows found and opened", pairs, "");
    figure("first match", ours, "s");
    figure("first match, for each row", ours * 1e6 / pairs, "us");
    let Arguments { people, lines, rows, rounds, .. } = *arguments;
    let joined = median(duckdb::run(JOIN, &[people, lines, rows, rounds.max(1)])?);
    figure("DuckDB: join of the same tables in plain", joined, "s");
    report.compared.push(Compared::new(
        "first match".into(),
        "DuckDB's join of the same tables in plain".into(),
        [joined * 1e6, ours * 1e6],
        GOAL,
    ));
    Ok(report)
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
