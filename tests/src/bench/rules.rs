//! A rule over the base: ours beside a scan of plain bitsets that is written for this one rule and knows
//! no unknowns, and beside DuckDB's query of the same tables in plain; and how the time grows.

use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;
use gateway::{outcomes, policy::Policy, rule::Rule};

use crate::{
    duckdb,
    report::{Compared, Report},
    rules_town::{Town, has},
    stopwatch::Stopwatch,
};

const POLICY: &str = include_str!("../../../deploy/policy/default.toml");
/// The rule that is written by hand, too: it asks seven datasets and the household.
const RULE: &str = "illness-uncovered";
const QUERY: &str = include_str!("rules.py");
/// Microseconds for the whole base of a city.
const GOAL: f64 = 100.0;
const DUCKDB_GOAL: f64 = 0.01;
const GROWTH_GOAL: f64 = 1.05;

/// How much to measure.
#[derive(Args)]
pub struct Arguments {
    /// People in the base.
    #[arg(long, default_value_t = 510_000)]
    people: usize,
    /// Bases by which growth is told.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000, 10_000_000])]
    growth: Vec<usize>,
    /// Rounds; the figures are medians over them.
    #[arg(long, default_value_t = 21)]
    rounds: usize,
}

/// Measures a city's base, and then how the time grows.
pub fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let policy = Policy::parse(POLICY)?;
    let rounds = arguments.rounds.max(1);
    let mut report = Report { benchmark: "rules", measured: vec![], compared: vec![] };
    let town = Town::new(&policy, &policy.rules, arguments.people)?;
    let facts = town.facts();
    for rule in &policy.rules {
        let mut watch = Stopwatch::default();
        for _ in 0..rounds {
            watch.time("rule", || outcomes::evaluate(rule, &facts));
        }
        let (time, raised) =
            (watch.median("rule", 1), outcomes::evaluate(rule, &facts).alert.count());
        report.figure(&format!("{}: over {} people", rule.id, arguments.people), time, "us");
        report.figure(&format!("{}: alerts", rule.id), raised as f64, "");
    }
    beside_others(&policy, &town, rounds, &mut report)?;
    grow(&policy, &arguments.growth, rounds, &mut report)?;
    Ok(report)
}

fn rule(policy: &Policy) -> anyhow::Result<Arc<Rule>> {
    let found = policy.rules.iter().find(|rule| rule.id == RULE);
    found.cloned().context("the default policy has the rule")
}

fn beside_others(
    policy: &Policy,
    town: &Town,
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (rule, facts, plain) = (rule(policy)?, town.facts(), Plain::new(town));
    let mut watch = Stopwatch::default();
    let mut counts = (0, 0);
    for _ in 0..rounds {
        counts.0 = watch.time("ours", || outcomes::evaluate(&rule, &facts)).alert.count();
        counts.1 =
            watch.time("plain", || plain.scan()).iter().map(|w| w.count_ones() as usize).sum();
    }
    ensure!(counts.0 == counts.1, "{RULE} by hand raises {} alerts, not {}", counts.1, counts.0);
    let directory = tempfile::tempdir()?;
    town.write(directory.path())?;
    let script = QUERY.replace("DIRECTORY", &directory.path().display().to_string());
    let mut printed = duckdb::run(&script, &[rounds.min(7)])?;
    let found = printed.pop().context("the number of alerts")?;
    ensure!(found == counts.0 as f64, "DuckDB finds {found} alerts, not {}", counts.0);
    printed.sort_by(f64::total_cmp);
    let query = printed.get(printed.len() / 2).context("a time")? * 1e6;
    let (ours, plain) = (watch.median("ours", 1), watch.median("plain", 1));
    report.figure(&format!("{RULE}: a plain scan of bitsets by hand"), plain, "us");
    report.figure(&format!("{RULE}: DuckDB's query, two cores"), query, "us");
    let each = [
        ("the goal", GOAL, 1.0),
        ("DuckDB's query of the same tables in plain", query, DUCKDB_GOAL),
    ];
    for (formula, bare, goal) in each {
        let what = format!("{RULE} over {} people, one core", town.people());
        report.compared.push(Compared::new(what, formula.into(), [bare, ours], goal));
    }
    Ok(())
}

fn grow(
    policy: &Policy,
    sizes: &[usize],
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let rule = rule(policy)?;
    let mut points = vec![];
    for &people in sizes {
        let town = Town::new(policy, std::slice::from_ref(&rule), people)?;
        let (facts, mut watch) = (town.facts(), Stopwatch::default());
        for _ in 0..rounds {
            watch.time("rule", || outcomes::evaluate(&rule, &facts));
        }
        let time = watch.median("rule", 1);
        report.figure(&format!("{RULE}: over {people} people"), time, "us");
        points.push(((people as f64).ln(), time.ln()));
    }
    if let Some(exponent) = slope(&points) {
        let what = format!("{RULE}: growth exponent over {sizes:?}");
        let formula = "1: twice the people, twice the time".into();
        report.compared.push(Compared::new(what, formula, [1.0, exponent], GROWTH_GOAL));
    }
    Ok(())
}

/// Of the straight line that fits best.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let together: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    (points.len() > 1).then(|| together / spread)
}

/// The bitsets of the one rule.
struct Plain<'t> {
    when: Vec<u64>,
    not: [Vec<u64>; 5],
    over_limit: Vec<u64>,
    town: &'t Town,
}

impl<'t> Plain<'t> {
    fn new(town: &'t Town) -> Self {
        let of = |dataset: &str, flag: &str, least: u8| town.subjects_with(dataset, flag, least);
        Self {
            when: of("high_out_of_pocket", "own_payment", 2),
            not: [
                of("assistance_in_force", "any", 1),
                of("death_cancellation", "deceased", 1),
                of("funeral_cremation", "deceased", 1),
                of("real_estate_registration", "homes", 2),
                of("tax_declaration", "income", 3),
            ],
            over_limit: town.members_with("vehicle_registration", "over_limit", 1),
            town,
        }
    }

    /// Who is warned.
    fn scan(&self) -> Vec<u64> {
        let mut alert = self.when.clone();
        for not in &self.not {
            alert.iter_mut().zip(not).for_each(|(alert, not)| *alert &= !not);
        }
        for (place, word) in alert.iter_mut().enumerate() {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros();
                let members = self.town.household(place * 64 + bit as usize);
                if members.iter().any(|&member| has(&self.over_limit, member as usize)) {
                    *word &= !(1 << bit);
                }
                left &= left - 1;
            }
        }
        alert
    }
}
