//! Random lives of a gateway, step by step beside a small model: agencies come, go and are cut off,
//! data changes, grants and policies change, the clock jumps, the disk is full, the machine dies.
//!
//! `SIMULATION_LIVES` lives more of them (1,000), `SIMULATION_SEED` others (1). What fails is made
//! shorter and printed; it then stays here as a short life.

mod house;
mod model;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
};

use gateway::alert::State;
use jiff::SignedDuration;
use proptest::{
    collection::{btree_map, vec},
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::{select, subsequence},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use proto::{act::Act, entry::Entry};

use self::{
    house::{House, Sent},
    model::{Model, Stands},
};
use crate::fixture::{SMALL, cursor, now, subject};

const PEOPLE: u8 = 5;
/// Lives lived at the same time: part of a life is waiting for the disk.
const AT_ONCE: u32 = 4;
/// Steps of a life, at most.
const LONG: usize = 30;

/// A cross-check dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Register,
    Cars,
}

/// Rows by person; none deletes.
type People = BTreeMap<u8, Option<u8>>;

/// One text of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Variant {
    rule: &'static str,
    /// From which band of payments on.
    threshold: u8,
    fresh_hours: i64,
}

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// The clock goes on, or jumps back.
    Clock(i64),
    /// A group of a line arrives.
    Rows { line: Line, people: People, delta: bool },
    /// The same, and the machine dies between the commit and the telling.
    RowsAndCrash { line: Line, people: People, delta: bool },
    /// The machine dies before a snapshot is whole.
    HalfASnapshot { line: Line, people: People },
    /// A group that does not begin where the gateway is.
    Gap { line: Line, people: People },
    /// A group of which a row was lost.
    Torn { line: Line, people: People, delta: bool },
    /// The watch agency releases, with the secrets of these lines.
    Release { people: People, delta: bool, secrets: Vec<Line> },
    /// Another policy.
    Edit(Variant),
    /// The machine dies.
    Crash,
    /// The disk is full when a group arrives; then the machine is started again with room.
    FullDisk { line: Line, people: People },
}

impl Line {
    const ALL: [Self; 2] = [Self::Register, Self::Cars];

    fn id(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Cars => "cars",
        }
    }
}

impl Variant {
    const ALL: [Self; 4] = [
        Self { rule: "first", threshold: 1, fresh_hours: 48 },
        Self { rule: "first", threshold: 2, fresh_hours: 48 },
        Self { rule: "second", threshold: 1, fresh_hours: 48 },
        Self { rule: "first", threshold: 1, fresh_hours: 24 },
    ];

    fn text(self) -> String {
        let Self { rule, threshold, fresh_hours } = self;
        let yuan = if threshold == 1 { 5000 } else { 20000 };
        SMALL
            .replace("id = \"first\"", &format!("id = \"{rule}\""))
            .replace("paid >= 5000", &format!("paid >= {yuan}"))
            .replace("48h", &format!("{fresh_hours}h"))
            .replace("!household.exists(m, m.cars.over)", "!cars.over")
    }
}

fn people(values: &'static [u8]) -> impl Strategy<Value = People> {
    btree_map(1..=PEOPLE, proptest::option::weighted(0.8, select(values)), 0..usize::from(PEOPLE))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let line = || {
        prop_oneof![
            people(&[0, 1, 2, 255]).prop_map(|people| (Line::Register, people)),
            people(&[0, 1, 255]).prop_map(|people| (Line::Cars, people)),
        ]
    };
    let group = || (line(), any::<bool>());
    let seconds: &[i64] = &[1, 4, 6, 130, 3600, 25 * 3600, 49 * 3600, 80 * 3600, -3600, -90_000];
    let release = (people(&[0, 1, 2, 255]), any::<bool>(), subsequence(Line::ALL.to_vec(), 0..=2));
    let step = prop_oneof![
        4 => select(seconds).prop_map(Step::Clock),
        6 => group().prop_map(|((line, people), delta)| Step::Rows { line, people, delta }),
        2 => group().prop_map(|((line, people), delta)| Step::RowsAndCrash { line, people, delta }),
        1 => line().prop_map(|(line, people)| Step::HalfASnapshot { line, people }),
        1 => line().prop_map(|(line, people)| Step::Gap { line, people }),
        1 => group().prop_map(|((line, people), delta)| Step::Torn { line, people, delta }),
        6 => release.prop_map(|(people, delta, secrets)| Step::Release { people, delta, secrets }),
        1 => select(&Variant::ALL[..]).prop_map(Step::Edit),
        1 => Just(Step::Crash),
        1 => line().prop_map(|(line, people)| Step::FullDisk { line, people }),
    ];
    vec(step, 1..LONG)
}

/// A life and its model.
struct Life {
    directory: tempfile::TempDir,
    house: Option<House>,
    model: Model,
    /// The id of each occurrence.
    ids: BTreeMap<(String, u8, u32), String>,
}

impl Life {
    async fn begin() -> Self {
        // Memory is as good a disk as any where no power fails, and quicker.
        let memory = Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let directory = directory.expect("a directory");
        let model = Model::new(now());
        std::fs::write(directory.path().join("policy.toml"), model.variant.text())
            .expect("written");
        let house = Some(House::open(directory.path(), model.now).await);
        Self { directory, house, model, ids: BTreeMap::new() }
    }

    fn house(&self) -> &House {
        self.house.as_ref().expect("it is there between crashes")
    }

    async fn restart(&mut self) {
        self.house.take().expect("it is there").crash().await;
        self.house = Some(House::open(self.directory.path(), self.model.now).await);
        self.model.restart();
    }

    /// Receives a group of a line; a delta where there is something to go on from.
    fn receive(
        &self,
        line: Line,
        people: &People,
        delta: bool,
    ) -> (proto::wire::SealedRowColumns, gateway::sync::VerifiedBatch, People) {
        let version = self.model.lines[&line].version;
        let held = (version > 0).then_some(version);
        let from = held.filter(|_| delta);
        let mut people = people.clone();
        if from.is_none() {
            people.retain(|_, row| row.is_some());
        }
        let sent = Sent { from, to: version + 1, people: &people };
        let (batch, columns) = self.house().receive(line, &sent, (held, false)).expect("good");
        (columns, batch, people)
    }

    /// Commits a group of a line; whom to tell what.
    fn commit(&mut self, line: Line, people: &People, delta: bool) -> gateway::rows::Changed {
        let delta = delta && self.model.lines[&line].version > 0;
        let (columns, batch, people) = self.receive(line, people, delta);
        let changed = self.house().commit(line, &batch, &columns);
        self.model.take(line, &people, delta);
        changed
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Clock(seconds) => {
                self.model.now += SignedDuration::from_secs(*seconds);
                self.house().turn_clock(self.model.now);
                self.house().settle().await;
                self.model.evaluate();
            }
            Step::Rows { line, people, delta } => {
                let changed = self.commit(*line, people, *delta);
                self.house().tell(*line, changed).await;
                self.model.evaluate();
            }
            Step::RowsAndCrash { line, people, delta } => {
                self.commit(*line, people, *delta);
                self.restart().await;
            }
            Step::HalfASnapshot { line, people } => {
                let (columns, ..) = self.receive(*line, people, false);
                drop(self.house().stage(*line, &columns));
                self.restart().await;
            }
            Step::Gap { line, people } => {
                let version = self.model.lines[line].version;
                let sent = Sent { from: Some(version + 7), to: version + 8, people };
                let held = (version > 0).then_some(version);
                assert!(self.house().receive(*line, &sent, (held, false)).is_err(), "a gap");
            }
            Step::Torn { line, people, delta } => {
                let version = self.model.lines[line].version;
                let held = (version > 0).then_some(version);
                let from = held.filter(|_| *delta);
                let mut people = people.clone();
                people.retain(|_, row| from.is_some() || row.is_some());
                let sent = Sent { from, to: version + 1, people: &people };
                assert!(self.house().receive(*line, &sent, (held, true)).is_err(), "torn");
            }
            Step::Release { people, delta, secrets } => {
                self.release(people, *delta, secrets).await;
            }
            Step::Edit(variant) => {
                self.house().edit(self.directory.path(), *variant).await;
                self.model.edit(*variant);
            }
            Step::Crash => self.restart().await,
            Step::FullDisk { line, people } => {
                self.house().recorder.log().close().await;
                let changed = self.commit(*line, people, true);
                self.house().tell(*line, changed).await;
                self.agree("on a full disk, where nothing may change").await;
                self.restart().await;
            }
        }
    }

    async fn release(&mut self, people: &People, delta: bool, secrets: &[Line]) {
        let ill = &self.model.ill;
        let held = ill.as_of.map(|_| ill.version);
        let from = held.filter(|_| delta);
        let mut people = people.clone();
        people
            .retain(|person, row| row.is_some() || from.is_some() && ill.rows.contains_key(person));
        // Other grants make the agency send everything anew.
        let secrets: BTreeSet<Line> = match from {
            Some(_) => self.model.secrets.clone(),
            None => secrets.iter().copied().collect(),
        };
        let sent = Sent { from, to: ill.version + 1, people: &people };
        let names: Vec<&str> = secrets.iter().map(|line| line.id()).collect();
        self.house().release(&sent, held, &names).await;
        let now = self.model.now;
        self.model.ill.take(&people, from.is_some(), now);
        self.model.secrets = secrets;
        self.model.evaluate();
    }

    /// The stores say what the model says.
    async fn agree(&mut self, when: &str) {
        let mut told = BTreeMap::new();
        for alert in self.house().latest().await {
            let person = (1..=PEOPLE).find(|p| subject(*p) == alert.subject).expect("one of them");
            let stands = match alert.state {
                State::Open => Stands::Open,
                State::Pending => Stands::Pending,
                State::Incomplete => Stands::Incomplete,
                State::Withdrawn => Stands::Withdrawn,
            };
            let occurrence = (alert.rule.clone(), person, alert.occurrence);
            let id = self.ids.entry(occurrence).or_insert_with(|| alert.id.clone());
            assert_eq!(*id, alert.id, "{when}: one alert, one id");
            told.insert((alert.rule, person), (stands, alert.occurrence));
        }
        let cases = self.model.cases.iter();
        let wanted = cases.map(|((rule, person), case)| {
            (((*rule).to_owned(), *person), (case.stands, case.occurrence))
        });
        assert_eq!(told, wanted.collect(), "{when}: alerts");
        for line in Line::ALL {
            let held = &self.model.lines[&line];
            let wanted = (held.version > 0).then(|| (cursor(held.version), held.rows.len() as u64));
            assert_eq!(self.house().held(line), wanted, "{when}: {line:?}");
        }
    }

    /// The last that the log says of each alert is what the store says, and revisions only grow.
    async fn end(mut self) {
        let house = self.house.take().expect("it is there");
        let log = house.recorder.log();
        let mut last = BTreeMap::new();
        for bytes in log.entries(0..log.size()).await.expect("read") {
            let entry = Entry::parse(&bytes).expect("an entry");
            if let Act::AlertChanged { alert, revision, .. } = entry.act() {
                last.insert(alert.to_string(), *revision);
            }
        }
        let latest = house.latest().await;
        assert!(latest.iter().all(|alert| last.get(&alert.id) == Some(&alert.revision)), "logged");
        let revisions: BTreeSet<u64> = latest.iter().map(|alert| alert.revision).collect();
        assert_eq!(revisions.len(), latest.len(), "each change has its own revision");
        house.crash().await;
    }
}

async fn live(steps: &[Step]) {
    let mut life = Life::begin().await;
    for (number, step) in steps.iter().enumerate() {
        life.step(step).await;
        life.agree(&format!("after step {number}, {step:?}")).await;
    }
    life.end().await;
}

fn number(variable: &str, default: u32) -> u32 {
    let set = env::var(variable).ok();
    set.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}: no number")))
}

fn lives(seed: u32, count: u32) {
    let threads =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = threads.expect("threads");
    let config = Config { cases: count, failure_persistence: None, ..Config::default() };
    let seed_bytes = *blake3::hash(&seed.to_be_bytes()).as_bytes();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed_bytes);
    let result = TestRunner::new_with_rng(config, rng).run(&steps(), |steps| {
        let life = runtime.spawn(async move { live(&steps).await });
        runtime.block_on(life).map_err(|error| TestCaseError::fail(words(error)))
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => {
            panic!("SIMULATION_SEED={seed}: {reason}\n{steps:#?}")
        }
        Err(TestError::Abort(reason)) => panic!("SIMULATION_SEED={seed}: {reason}"),
    }
}

/// What an assertion said.
fn words(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => panic.downcast::<String>().map_or_else(|_| "it panicked".into(), |text| *text),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_thousand_random_lives_agree_with_the_model_at_every_step() {
    let (count, seed) = (number("SIMULATION_LIVES", 1000), number("SIMULATION_SEED", 1));
    std::thread::scope(|threads| {
        let each = (0..AT_ONCE).map(|n| threads.spawn(move || lives(seed + n, count / AT_ONCE)));
        for thread in each.collect::<Vec<_>>() {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}
