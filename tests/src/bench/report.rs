//! What a benchmark found: figures, and how they compare with what cannot be done without.

use std::io::{self, Write};

use serde::Serialize;

/// Everything that one benchmark measured in one run.
#[derive(Clone, Serialize)]
pub struct Report {
    /// The subcommand.
    pub benchmark: &'static str,
    /// Figures.
    pub measured: Vec<Measured>,
    /// Figures that have a goal.
    pub compared: Vec<Compared>,
}

/// One figure.
#[derive(Clone, Serialize)]
pub struct Measured {
    /// Of what.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Of which unit.
    pub unit: &'static str,
}

/// What ours costs beside its bare parts, all measured in this run.
#[derive(Clone, Serialize)]
pub struct Compared {
    /// Of what.
    pub what: String,
    /// How `bare` comes from the figures.
    pub formula: String,
    /// The bare parts together, in microseconds.
    pub bare: f64,
    /// Ours, in microseconds.
    pub ours: f64,
    /// `ours` / `bare`.
    pub ratio: f64,
    /// What the ratio must not exceed.
    pub goal: f64,
}

impl Compared {
    /// Computes the ratio.
    pub fn new(what: String, formula: String, [bare, ours]: [f64; 2], goal: f64) -> Self {
        Self { what, formula, bare, ours, ratio: ours / bare, goal }
    }
}

impl Report {
    /// Adds a figure.
    pub fn figure(&mut self, what: &str, value: f64, unit: &'static str) {
        self.measured.push(Measured { what: what.to_owned(), value, unit });
    }
}

/// Prints one table on standard output, or one line of JSON.
///
/// # Errors
/// Standard output's.
pub fn print(reports: &[Report], json: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(reports)?)?;
        return Ok(());
    }
    let measured = reports.iter().flat_map(|report| &report.measured);
    let compared = || reports.iter().flat_map(|report| &report.compared);
    let lengths = measured.map(|m| m.what.len()).chain(compared().map(|c| c.what.len()));
    let width = lengths.max().unwrap_or(0);
    for report in reports {
        if reports.len() > 1 {
            writeln!(out, "\n{}", report.benchmark)?;
        }
        for Measured { what, value, unit } in &report.measured {
            writeln!(out, "{what:width$} {value:>10.2} {unit}")?;
        }
    }
    if compared().next().is_none() {
        return Ok(());
    }
    writeln!(out, "\n{:width$} {:>12} {:>10} {:>7} {:>7}", "", "bare", "ours", "ratio", "goal")?;
    for Compared { what, formula, bare, ours, ratio, goal } in compared() {
        let missed = if ratio > goal { "  missed" } else { "" };
        writeln!(out, "{what:width$} {bare:>12.2} {ours:>10.2} {ratio:>7.3} {goal:>7.2}{missed}")?;
        writeln!(out, "  bare = {formula}")?;
    }
    Ok(())
}
