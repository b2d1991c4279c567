//! `bench`: what the costly parts take on this machine, beside what they cannot do without.
//!
//! One benchmark is one subcommand and one file. Goals are ratios of things measured in one run, since
//! absolute times differ from machine to machine.

mod duckdb;
mod evaluate;
mod first_match;
mod log;
mod oprf;
mod report;
mod sealed;
mod stopwatch;
mod store;

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
    /// A whole dataset under suite oprf, end to end, beside the same under suite salted-hash.
    Evaluate(evaluate::Arguments),
    /// First match: the whole base against every data line, beside DuckDB's join in plain.
    FirstMatch(first_match::Arguments),
    /// The access log: appending beside writing and syncing, verification beside hashing.
    Log(log::Arguments),
    /// The function of suite oprf: what requester and holder add to the bare group operations.
    Oprf(oprf::Arguments),
    /// The store of sealed rows: ingest, open-and-look-up, memory, growth.
    Store(store::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let printed = match &arguments.benchmark {
        Benchmark::Evaluate(benchmark) => {
            evaluate::run(benchmark).and_then(|report| report.print(arguments.json))
        }
        Benchmark::FirstMatch(benchmark) => {
            first_match::run(benchmark).and_then(|report| report.print(arguments.json))
        }
        Benchmark::Log(benchmark) => log::run(benchmark).and_then(|r| r.print(arguments.json)),
        Benchmark::Oprf(benchmark) => oprf::run(benchmark).and_then(|r| r.print(arguments.json)),
        Benchmark::Store(benchmark) => store::run(benchmark).and_then(|r| r.print(arguments.json)),
    };
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
