//! A rule over the base: ours beside a scan of plain bitsets that is written for this one rule and knows
//! no unknowns, and beside DuckDB's query of the same tables in plain; and how the time grows.

use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::Args;
use gateway::{
    bitset::Bitset,
    facts::Facts,
    household_answers::HouseholdAnswers,
    outcomes::{Outcomes, evaluate_everybody},
    policy::Policy,
    rule::Rule,
};

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
        let (mut watch, mut run) = (Stopwatch::default(), Run::new(rule, &facts));
        for _ in 0..rounds {
            watch.time("anew", || run.anew(&facts));
            watch.time("again", || run.again(&facts));
        }
        let what = format!("{}: over {} people", rule.id, arguments.people);
        report.figure(&what, watch.median("again", 1), "us");
        let anew = watch.median("anew", 1);
        report.figure(&format!("{}: every household asked anew", rule.id), anew, "us");
        report.figure(&format!("{}: alerts", rule.id), run.alerts() as f64, "");
    }
    beside_others(&policy, &town, rounds, &mut report)?;
    grow(&policy, &arguments.growth, rounds, &mut report)?;
    Ok(report)
}

/// A rule, and what the gateway keeps of it.
struct Run<'r> {
    rule: &'r Arc<Rule>,
    answers: HouseholdAnswers,
    outcomes: Outcomes,
}

impl<'r> Run<'r> {
    fn new(rule: &'r Arc<Rule>, facts: &Facts<'_>) -> Self {
        let outcomes = Outcomes::nobody(facts.subjects);
        Self { rule, answers: HouseholdAnswers::default(), outcomes }
    }

    /// As when the rule is new.
    fn anew(&mut self, facts: &Facts<'_>) {
        self.answers = HouseholdAnswers::default();
        let nobody = Bitset::filled(facts.subjects, false);
        self.answers.refresh(std::slice::from_ref(self.rule), facts, &nobody);
        self.again(facts);
    }

    /// As when a dataset became stale or fresh, or much changed: what households came to is kept.
    fn again(&mut self, facts: &Facts<'_>) {
        let facts = facts.with_answers(&self.answers);
        evaluate_everybody(self.rule, &facts, &mut self.outcomes);
    }

    fn alerts(&self) -> usize {
        self.outcomes.alert.count()
    }
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
    let (mut counts, mut run) = ((0, 0), Run::new(&rule, &facts));
    for _ in 0..rounds {
        watch.time("anew", || run.anew(&facts));
        watch.time("again", || run.again(&facts));
        counts.0 = run.alerts();
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
    let [again, anew, plain] = ["again", "anew", "plain"].map(|name| watch.median(name, 1));
    report.figure(&format!("{RULE}: a plain scan of bitsets by hand"), plain, "us");
    report.figure(&format!("{RULE}: DuckDB's query, two cores"), query, "us");
    let base = format!("{RULE} over {} people, one core", town.people());
    let asked = format!("{base}, every household asked anew");
    let duckdb = "DuckDB's query of the same tables in plain";
    let each = [
        (&base, "the goal", [GOAL, again], 1.0),
        (&base, duckdb, [query, again], DUCKDB_GOAL),
        (&asked, duckdb, [query, anew], DUCKDB_GOAL),
    ];
    for (what, formula, times, goal) in each {
        report.compared.push(Compared::new(what.clone(), formula.into(), times, goal));
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
        let mut run = Run::new(&rule, &facts);
        for _ in 0..rounds {
            watch.time("anew", || run.anew(&facts));
        }
        let time = watch.median("anew", 1);
        let what = format!("{RULE}: over {people} people, every household asked anew");
        report.figure(&what, time, "us");
        points.push(((people as f64).ln(), time.ln()));
    }
    if let Some(exponent) = slope(&points) {
        let what = format!("{RULE}, every household asked anew: growth exponent over {sizes:?}");
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
