//! An evaluation that looks only at whom something was learnt of comes to the same as one that looks at
//! everybody, step by step, and to what the oracle says.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use gateway::{
    alert::Alert,
    evaluation::Evaluation,
    ledger::Ledger,
    outcomes::Outcome,
    policy::Policy,
    routing::Routing,
    standing::{Effort, Standing},
};
use jiff::Timestamp;
use proptest::{
    collection::{btree_set, vec},
    prelude::{BoxedStrategy, Just, Strategy, any},
    prop_oneof,
    sample::select,
    test_runner::{Config, TestCaseError, TestRunner},
};
use tests::oracle::{
    self, Outcome as Expected, Rule,
    random::{SMALL_POLICY, Sources, rule, sources},
};

use crate::{
    bureau::{Bureau, subject},
    fixture::noon,
};

const RULES: usize = 4;
const PEOPLE: usize = 10;
const WATCH: [&str; 2] = ["poor", "ill"];
const LINES: [&str; 3] = ["cars", "help", "register"];

/// Something happens.
#[derive(Clone)]
enum Step {
    /// A dataset is sent: what changed of it, or everything.
    Sent { dataset: &'static str, sources: Sources, everything: bool },
    /// An agency may have its people checked against these, and no others.
    Granted { dataset: &'static str, lines: BTreeSet<String> },
    /// A rule is written anew.
    Rewritten { place: usize, rule: Rule },
    /// A rule is called something else.
    Renamed { place: usize },
    /// Nothing, for so many seconds.
    Time(u64),
    /// The alerts that follow are not written: the disk is full.
    DiskFull,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { dataset, sources, everything } => {
                let Sources { rows, homes, torn, .. } = sources;
                let rows = rows.get(*dataset);
                write!(f, "sent {dataset} whole {everything} {rows:?} {homes:?} {torn:?}")
            }
            Self::Granted { dataset, lines } => write!(f, "granted {dataset} {lines:?}"),
            Self::Rewritten { rule, .. } => write!(f, "rewritten {}", rule.section("any", "visit")),
            Self::Renamed { place } => write!(f, "renamed {place}"),
            Self::Time(seconds) => write!(f, "{seconds} s pass"),
            Self::DiskFull => write!(f, "the disk is full"),
        }
    }
}

fn step(policy: &oracle::Policy) -> BoxedStrategy<Step> {
    let all: Vec<&'static str> = WATCH.into_iter().chain(LINES).collect();
    let sent = (select(all), sources(policy, PEOPLE), any::<bool>());
    let lines = btree_set(select(&LINES[..]).prop_map(str::to_owned), 0..=LINES.len());
    let granted = (select(&WATCH[..]), lines);
    let rewritten = (0..RULES).prop_flat_map({
        let policy = policy.clone();
        move |place| (Just(place), rule(&policy, &format!("r{place}")))
    });
    let seconds = select(vec![1, 4, 6, 130, 3600, 20 * 3600, 49 * 3600, 80 * 3600]);
    prop_oneof![
        6 => sent.prop_map(|(dataset, sources, everything)| Step::Sent { dataset, sources, everything }),
        2 => granted.prop_map(|(dataset, lines)| Step::Granted { dataset, lines }),
        1 => rewritten.prop_map(|(place, rule)| Step::Rewritten { place, rule }),
        1 => (0..RULES).prop_map(|place| Step::Renamed { place }),
        5 => seconds.prop_map(Step::Time),
        1 => Just(Step::DiskFull),
    ]
    .boxed()
}

/// One way to evaluate, and the alerts that came of it.
#[derive(Default)]
struct Side {
    standing: Standing,
    ledger: Ledger,
}

/// Everything at one moment.
struct Office {
    bureau: Bureau,
    rules: Vec<Rule>,
    renamed: Vec<u32>,
    policy: Arc<Policy>,
    oracle: oracle::Policy,
    begun: Timestamp,
    incremental: Side,
    whole: Side,
}

impl Office {
    fn new(rules: Vec<Rule>) -> Self {
        let oracle = oracle::Policy::read(SMALL_POLICY).expect("good");
        let renamed = vec![0; rules.len()];
        let policy = policy(&rules, &renamed);
        let bureau = Bureau::new(&policy, &oracle, noon());
        let (incremental, whole) = (Side::default(), Side::default());
        Self { bureau, rules, renamed, policy, oracle, begun: noon(), incremental, whole }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Sent { dataset, sources, everything } => {
                self.bureau.send(dataset, sources, *everything);
            }
            Step::Granted { dataset, lines } => self.bureau.grant(dataset, lines.clone()),
            Step::Rewritten { place, rule } => self.rules[*place] = rule.clone(),
            Step::Renamed { place } => self.renamed[*place] += 1,
            Step::Time(seconds) => self.bureau.pass(Duration::from_secs(*seconds)),
            Step::DiskFull => {}
        }
        self.policy = policy(&self.rules, &self.renamed);
    }

    /// Both ways; the alerts that change.
    fn evaluate(&mut self, written: bool) -> (Vec<Alert>, Vec<Alert>) {
        let touched = self.bureau.base.take_touched();
        let changes = |side: &mut Side, forget: bool| {
            if forget {
                side.standing.forget();
            }
            let evaluation = Evaluation {
                base: &self.bureau.base,
                policy: &self.policy,
                routing: &Routing::default(),
                ledger: &side.ledger,
                epoch: 1,
                begun: self.begun,
                now: self.bureau.now,
            };
            let changes = evaluation.changes(&mut side.standing, &touched);
            if written {
                changes.iter().cloned().for_each(|alert| side.ledger.put(alert));
            } else {
                side.standing.forget();
            }
            changes
        };
        (changes(&mut self.incremental, false), changes(&mut self.whole, true))
    }

    /// What a rule came to about a person, where that is not what the oracle says.
    fn mistakes(&self) -> Vec<String> {
        let policy = oracle::Policy { rules: self.rules.clone(), ..self.oracle.clone() };
        let (world, stale) = (self.bureau.world(), self.bureau.stale());
        let outcomes = oracle::evaluate(&world, &policy, &stale);
        let watch = WATCH.iter().filter_map(|id| world.listed.get(*id));
        let people: BTreeSet<_> = watch.flat_map(|people| people.keys()).collect();
        let mut mistakes = vec![];
        for person in people {
            let number = self.bureau.base.number(&subject(person)).expect("met") as usize;
            for rule in &self.rules {
                let wanted = outcomes.get(&(person.clone(), rule.id.clone()));
                let came_to = self.incremental.standing.outcomes(&rule.id).expect("it was run");
                let came_to = came_to.outcome(number);
                if wanted.copied() != told(came_to) {
                    mistakes.push(format!("{person} {}: {came_to:?}, not {wanted:?}", rule.id));
                }
            }
        }
        mistakes
    }

    fn effort(&self) -> Effort {
        self.incremental.standing.effort()
    }
}

fn policy(rules: &[Rule], renamed: &[u32]) -> Arc<Policy> {
    let section = |(rule, name): (&Rule, &u32)| {
        rule.section("any", "visit").replace("\nen = \"", &format!("\nen = \"{name} "))
    };
    let rules: String = rules.iter().zip(renamed).map(section).collect();
    Arc::new(Policy::parse(&format!("{SMALL_POLICY}\n{rules}")).expect("good"))
}

fn told(outcome: Outcome) -> Option<Expected> {
    match outcome {
        Outcome::None => None,
        Outcome::Held => Some(Expected::Held),
        Outcome::Covered => Some(Expected::Covered),
        Outcome::OverMeans => Some(Expected::OverMeans),
        Outcome::Alert => Some(Expected::Alert),
        Outcome::Pending => Some(Expected::Pending),
    }
}

fn play(rules: Vec<Rule>, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut office = Office::new(rules);
    for (turn, step) in steps.iter().enumerate() {
        office.take(step);
        let written = !matches!(step, Step::DiskFull);
        let (incremental, whole) = office.evaluate(written);
        if incremental != whole {
            let lines = |alerts: &[Alert]| -> Vec<String> {
                alerts.iter().map(|a| format!("{} {:?} {}", a.rule, a.state, a.id)).collect()
            };
            let (incremental, whole) = (lines(&incremental), lines(&whole));
            let text = format!("turn {turn}, {step:?}:\n{incremental:#?}\nbut whole {whole:#?}");
            return Err(TestCaseError::fail(text));
        }
        let mistakes = office.mistakes();
        if !mistakes.is_empty() {
            let text = format!("turn {turn}, {step:?}:\n{}", mistakes.join("\n"));
            return Err(TestCaseError::fail(text));
        }
    }
    Ok(())
}

#[test]
fn what_is_looked_at_in_part_comes_to_the_same_as_in_whole_and_to_what_the_oracle_says() {
    let policy = oracle::Policy::read(SMALL_POLICY).expect("good");
    let rules: Vec<_> = (0..RULES).map(|n| rule(&policy, &format!("r{n}"))).collect();
    let cases = std::env::var("INCREMENTAL_PLAYS").ok().and_then(|text| text.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(24),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&(rules, vec(step(&policy), 1..30)), |(rules, steps)| play(rules, &steps))
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_change_asks_about_whom_it_concerns_and_a_rule_that_is_rewritten_asks_alone() {
    let policy = oracle::Policy::read(SMALL_POLICY).expect("good");
    let sections = [
        ("r0", "aid.ill", "cars.over"),
        ("r1", "aid.ill", "help.any"),
        ("r2", "aid.poor", "household.exists(m, m.cars.over)"),
        ("r3", "aid.poor", "register.status == 'local'"),
    ];
    let rules = sections.map(|(id, when, unless)| Rule {
        id: id.into(),
        when: oracle::parse(when).expect("good"),
        unless: Some(oracle::parse(unless).expect("good")),
        means: None,
    });
    let mut office = Office::new(rules.to_vec());
    let town = town(&policy, 400);
    for id in WATCH.into_iter().chain(LINES) {
        office.bureau.send(id, &town, true);
    }
    WATCH.iter().for_each(|id| office.bureau.grant(id, LINES.map(str::to_owned).into()));
    office.evaluate(true);
    let asked = |office: &mut Office, step: &Step| {
        let before = office.effort();
        office.take(step);
        office.evaluate(true);
        assert!(office.mistakes().is_empty());
        let after = office.effort();
        (after.whole - before.whole, after.people - before.people)
    };
    // One car is sold: its owner, and whoever lives in a household with the owner.
    let mut next = town.clone();
    let owner = next.people[8].clone();
    next.rows.get_mut("cars").expect("there").get_mut(&owner).expect("there")[0] = 0;
    let step = Step::Sent { dataset: "cars", sources: next.clone(), everything: false };
    assert_eq!(asked(&mut office, &step), (0, 4 * 4), "four people live there, four rules");
    assert_eq!(asked(&mut office, &step), (0, 0), "nothing changed");
    let mut other = office.rules[1].clone();
    other.unless = Some(oracle::parse("cars.over").expect("good"));
    let step = Step::Rewritten { place: 1, rule: other };
    assert_eq!(asked(&mut office, &step), (1, 0), "no other rule is run");
    assert_eq!(asked(&mut office, &Step::Renamed { place: 2 }), (0, 0), "a name is no question");
    let hours = Step::Time(47 * 3600);
    assert_eq!(asked(&mut office, &hours), (0, 0));
    for id in WATCH.into_iter().chain(["cars", "register"]) {
        office.bureau.send(id, &next, false);
    }
    office.evaluate(true);
    let hours = Step::Time(2 * 3600);
    assert_eq!(asked(&mut office, &hours), (0, 0), "no rule reads what is old now");
    let mut other = office.rules[1].clone();
    other.unless = Some(oracle::parse("help.any").expect("good"));
    asked(&mut office, &Step::Rewritten { place: 1, rule: other });
    let step = Step::Sent { dataset: "help", sources: next, everything: false };
    assert_eq!(asked(&mut office, &step), (1, 0), "one rule reads what is fresh again");
}

/// Everybody is poor and ill, has a car and no help, and lives with three others.
fn town(policy: &oracle::Policy, people: u16) -> Sources {
    let born = jiff::civil::date(1980, 1, 1);
    let people: Vec<_> = (1..=people).map(|n| tests::city::number::number(born, n)).collect();
    let row = |id: &str| match id {
        "cars" => vec![1, 1],
        "register" => vec![1],
        "help" => vec![0],
        other => vec![1; policy.datasets[other].flags.len()],
    };
    let list = |id: &str| people.iter().map(|person| (person.clone(), row(id))).collect();
    let homes = (0..people.len()).map(|n| n / 4 + 1).collect();
    let rows = WATCH.into_iter().chain(LINES).map(|id| (id.to_owned(), list(id))).collect();
    Sources { people, rows, homes, torn: BTreeSet::new() }
}
