//! `bench`: what the costly parts take on this machine, beside what they cannot do without.
//!
//! One benchmark is one subcommand and one file. Goals are ratios of things measured in one run, since
//! absolute times differ from machine to machine.

mod duckdb;
mod engine;
mod evaluate;
mod first_match;
mod latency;
mod latency_town;
mod log;
mod oprf;
mod report;
mod rules;
mod rules_town;
mod sealed;
mod stopwatch;
mod store;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report::Report;

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
    /// All of them, one after another, each with its defaults.
    All,
    /// From a changed row to the alert that is delivered, over mutual TLS, with a city's base.
    Latency(latency::Arguments),
    /// First match: the whole base against every data line, beside DuckDB's join in plain.
    FirstMatch(first_match::Arguments),
    /// The access log: appending beside writing and syncing, verification beside hashing.
    Log(log::Arguments),
    /// The function of suite oprf: what requester and holder add to the bare group operations.
    Oprf(oprf::Arguments),
    /// A rule over the base: beside a plain scan of bitsets, beside DuckDB, and how the time grows.
    Rules(rules::Arguments),
    /// The store of sealed rows: ingest, open-and-look-up, memory, growth.
    Store(store::Arguments),
}

/// What `all` runs, in this order.
const ALL: [&str; 7] = ["oprf", "log", "store", "first-match", "rules", "latency", "evaluate"];

impl Benchmark {
    fn run(&self) -> anyhow::Result<Vec<Report>> {
        let report = match self {
            Self::All => {
                let with_defaults = |name: &str| Arguments::parse_from(["bench", name]).benchmark;
                let each = ALL.into_iter().map(|name| with_defaults(name).run());
                return Ok(each.collect::<anyhow::Result<Vec<_>>>()?.concat());
            }
            Self::Evaluate(benchmark) => evaluate::run(benchmark),
            Self::FirstMatch(benchmark) => first_match::run(benchmark),
            Self::Latency(benchmark) => latency::run(benchmark),
            Self::Log(benchmark) => log::run(benchmark),
            Self::Oprf(benchmark) => oprf::run(benchmark),
            Self::Rules(benchmark) => rules::run(benchmark),
            Self::Store(benchmark) => store::run(benchmark),
        };
        Ok(vec![report?])
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let printed = arguments.benchmark.run().and_then(|it| report::print(&it, arguments.json));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
