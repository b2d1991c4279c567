//! What a benchmark found: figures, and how they compare with what cannot be done without.

use std::io::{self, Write};

use serde::Serialize;

/// Everything that one benchmark measured in one run.
#[derive(Serialize)]
pub struct Report {
    /// The subcommand.
    pub benchmark: &'static str,
    /// Figures.
    pub measured: Vec<Measured>,
    /// Figures that have a goal.
    pub compared: Vec<Compared>,
}

/// One figure.
#[derive(Serialize)]
pub struct Measured {
    /// Of what.
    pub what: String,
    /// How much.
    pub value: f64,
    /// Of which unit.
    pub unit: &'static str,
}

/// What ours costs beside its bare parts, all measured in this run.
#[derive(Serialize)]
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
    /// Prints a table on standard output, or one line of JSON.
    ///
    /// # Errors
    /// Standard output's.
    pub fn print(&self, json: bool) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
            return Ok(());
        }
        let measured = self.measured.iter().map(|m| m.what.len());
        let width = measured.chain(self.compared.iter().map(|c| c.what.len())).max().unwrap_or(0);
        for Measured { what, value, unit } in &self.measured {
            writeln!(out, "{what:width$} {value:>10.2} {unit}")?;
        }
        writeln!(
            out,
            "\n{:width$} {:>10} {:>10} {:>7} {:>7}",
            "", "bare", "ours", "ratio", "goal"
        )?;
        for Compared { what, formula, bare, ours, ratio, goal } in &self.compared {
            writeln!(out, "{what:width$} {bare:>10.2} {ours:>10.2} {ratio:>7.2} {goal:>7.2}")?;
            writeln!(out, "  bare = {formula}")?;
        }
        Ok(())
    }
}
