//! The small model: what is known of each person, and what becomes of the one rule's alerts, as
//! PROTOCOL.md sections 10.2 to 10.4 have it. Shares no code with the gateway.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Line, People, Variant};

/// Where an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    Open,
    Pending,
    Incomplete,
    Withdrawn,
}

/// What one evaluation says of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    None,
    Held,
    Covered,
    OverMeans,
    Alert,
    Pending,
}

/// One person's last alert under a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    pub stands: Stands,
    pub occurrence: u32,
    due: Timestamp,
}

/// What the gateway holds of one dataset.
#[derive(Debug, Clone, Default)]
pub struct Held {
    pub rows: BTreeMap<u8, u8>,
    pub as_of: Option<Timestamp>,
    /// The cursor; 0 where nothing was ever taken over.
    pub version: u32,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Model {
    pub now: Timestamp,
    begun: Timestamp,
    pub variant: Variant,
    /// The watch list; in memory only.
    pub ill: Held,
    /// The lines whose secrets came with it.
    pub secrets: BTreeSet<Line>,
    pub lines: BTreeMap<Line, Held>,
    pub cases: BTreeMap<(&'static str, u8), Case>,
    waits: BTreeMap<(&'static str, u8), Timestamp>,
}

const UNKNOWN: u8 = 255;

fn after(at: Timestamp, seconds: i64) -> Timestamp {
    at + SignedDuration::from_secs(seconds)
}

impl Model {
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            begun: now,
            variant: Variant::ALL[0],
            ill: Held::default(),
            secrets: BTreeSet::new(),
            lines: BTreeMap::from(Line::ALL.map(|line| (line, Held::default()))),
            cases: BTreeMap::new(),
            waits: BTreeMap::new(),
        }
    }

    /// The gateway starts anew: what was released to it is gone, and nothing else.
    pub fn restart(&mut self) {
        self.begin_anew();
        self.evaluate();
    }

    pub fn edit(&mut self, variant: Variant) {
        if variant.fresh_hours != self.variant.fresh_hours {
            self.begin_anew();
        }
        self.variant = variant;
        self.evaluate();
    }

    fn begin_anew(&mut self) {
        self.begun = self.now;
        self.ill = Held { version: self.ill.version, ..Held::default() };
        self.secrets.clear();
        self.waits.clear();
    }

    fn is_fresh(&self, held: &Held) -> bool {
        let within = self.variant.fresh_hours * 3600;
        held.as_of.is_some_and(|as_of| self.now < after(as_of, within))
    }

    /// A line's value of a person, as far as it counts: absent where the line does not list them.
    fn value(&self, line: Line, person: u8) -> Option<Option<u8>> {
        let held = &self.lines[&line];
        let counts = self.secrets.contains(&line) && self.is_fresh(held);
        let row = held.rows.get(&person).copied();
        (counts && row != Some(UNKNOWN)).then_some(row)
    }

    fn outcome(&self, person: u8) -> Outcome {
        let fresh = self.is_fresh(&self.ill);
        let Some(&paid) = self.ill.rows.get(&person) else {
            return if fresh { Outcome::None } else { Outcome::Held };
        };
        let last = (paid != UNKNOWN).then_some(paid >= self.variant.threshold);
        let strict = last.filter(|_| fresh);
        let covered =
            self.value(Line::Register, person).map(|status| status.is_some_and(|s| s > 0));
        let means = self.value(Line::Cars, person).map(|over| over != Some(1));
        match (strict, last, covered, means) {
            (Some(false), ..) => Outcome::None,
            (_, Some(false), Some(true), _) => Outcome::None,
            (_, _, Some(true), _) => Outcome::Covered,
            (_, Some(false), _, Some(false)) => Outcome::None,
            (_, _, _, Some(false)) => Outcome::OverMeans,
            (_, Some(false), ..) => Outcome::Held,
            (Some(true), _, Some(false), Some(true)) => Outcome::Alert,
            _ => Outcome::Pending,
        }
    }

    /// The rule runs.
    pub fn evaluate(&mut self) {
        let rule = self.variant.rule;
        for ((id, _), case) in &mut self.cases {
            if *id != rule {
                case.stands = Stands::Withdrawn;
            }
        }
        let lines = self.lines.values();
        let arrived = lines.chain([&self.ill]).all(|held| held.as_of.is_some());
        let settled = arrived || self.now >= after(self.begun, 120);
        let before = std::mem::take(&mut self.waits);
        for person in 1..=super::PEOPLE {
            let live = self.cases.get(&(rule, person)).copied();
            let live = live.filter(|case| case.stands != Stands::Withdrawn);
            let next = self.next(live, self.outcome(person));
            if next == Some(Stands::Pending) {
                let since = *before.get(&(rule, person)).unwrap_or(&self.now);
                self.waits.insert((rule, person), since);
                if self.now < after(since, 5) || !settled {
                    continue;
                }
            }
            if let Some(stands) = next {
                self.advance((rule, person), stands);
            }
        }
    }

    fn next(&self, live: Option<Case>, outcome: Outcome) -> Option<Stands> {
        match (live, outcome) {
            (None, Outcome::Alert) => Some(Stands::Open),
            (None, Outcome::Pending) => Some(Stands::Pending),
            (None, _) => None,
            (Some(case), Outcome::Alert) => (case.stands != Stands::Open).then_some(Stands::Open),
            (Some(case), Outcome::Pending | Outcome::Held) => {
                let overdue = case.stands == Stands::Pending && self.now >= case.due;
                overdue.then_some(Stands::Incomplete)
            }
            (Some(_), Outcome::None | Outcome::Covered | Outcome::OverMeans) => {
                Some(Stands::Withdrawn)
            }
        }
    }

    fn advance(&mut self, key: (&'static str, u8), stands: Stands) {
        let before = self.cases.get(&key).copied();
        let (occurrence, due) = match before {
            Some(case) if case.stands != Stands::Withdrawn => (case.occurrence, case.due),
            Some(case) => (case.occurrence + 1, case.due),
            None => (1, self.now),
        };
        // Rule and policy both give three days.
        let due = if stands == Stands::Withdrawn { due } else { after(self.now, 72 * 3600) };
        self.cases.insert(key, Case { stands, occurrence, due });
    }

    /// A group of a line is taken over.
    pub fn take(&mut self, line: Line, people: &People, delta: bool) {
        let (now, held) = (self.now, self.lines.get_mut(&line).expect("both are there"));
        held.take(people, delta, now);
    }
}

impl Held {
    pub fn take(&mut self, people: &People, delta: bool, now: Timestamp) {
        if !delta {
            self.rows.clear();
        }
        for (&person, row) in people {
            match row {
                Some(row) => drop(self.rows.insert(person, *row)),
                None => drop(self.rows.remove(&person)),
            }
        }
        self.as_of = Some(now);
        self.version += 1;
    }
}
