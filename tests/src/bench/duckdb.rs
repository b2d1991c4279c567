//! DuckDB, from PyPI in a virtual environment below the target directory, for the same work on plain
//! tables in the same run.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};

/// Runs a script with these arguments; the numbers that it prints, one in each line.
///
/// # Errors
/// What is missing on this machine, or the script's own words.
pub fn run(script: &str, arguments: &[usize]) -> anyhow::Result<Vec<f64>> {
    let mut command = Command::new(python()?);
    command.args(["-c", script]).args(arguments.iter().map(ToString::to_string));
    let output = command.output().context("python does not run")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout)?;
    printed.lines().map(|line| line.trim().parse().context("a number")).collect()
}

/// The interpreter that has the package; makes the environment where it is not there yet.
fn python() -> anyhow::Result<PathBuf> {
    let programs = std::env::current_exe()?;
    let target = programs.ancestors().nth(2).context("the program is in a target directory")?;
    let environment = target.join("duckdb");
    let python = environment.join("bin/python");
    if imports(&python) {
        return Ok(python);
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&environment).status();
    if !made.context("DuckDB needs python3, which is not installed")?.success() {
        bail!("DuckDB needs python3 with the module venv (Debian: python3-venv)");
    }
    let install = Command::new(&python).args(["-m", "pip", "-q", "install", "duckdb"]).status();
    ensure!(
        install.is_ok_and(|status| status.success()) && imports(&python),
        "the package duckdb does not come from PyPI into {}",
        environment.display()
    );
    Ok(python)
}

fn imports(python: &Path) -> bool {
    let import = Command::new(python).args(["-c", "import duckdb"]).output();
    import.is_ok_and(|output| output.status.success())
}
