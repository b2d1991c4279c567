//! `bench`: what the costly parts take on this machine, beside what they cannot do without.
//!
//! One benchmark is one subcommand and one file. Goals are ratios of things measured in one run, since
//! absolute times differ from machine to machine.

mod log;
mod oprf;
mod report;
mod stopwatch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures on this machine. Build it with --release, and let nothing else run meanwhile.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    benchmark: Benchmark,
    /// Print one line of JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Benchmark {
    /// The access log: appending beside writing and syncing, verification beside hashing.
    Log(log::Arguments),
    /// The function of suite oprf: what requester and holder add to the bare group operations.
    Oprf(oprf::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let printed = match &arguments.benchmark {
        Benchmark::Log(benchmark) => log::run(benchmark).and_then(|r| r.print(arguments.json)),
        Benchmark::Oprf(benchmark) => oprf::run(benchmark).and_then(|r| r.print(arguments.json)),
    };
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
