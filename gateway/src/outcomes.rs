//! What a rule comes to for every subject, or for some of them.
//!
//! Owns the order in which its three expressions decide. What an outcome does to an alert is
//! `alert`'s business.

use crate::{
    bitset::Bitset,
    expression::Expression,
    facts::{Facts, Reading},
    lanes::{LANES, Lanes, NOBODY, WORDS, Words, and_with, has},
    plan::{Block, Plan, Room},
    rule::Rule,
};

/// What a rule comes to for one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The rule does not concern the subject.
    None,
    /// The last known data no longer says so, but is too old to be believed.
    Held,
    /// Helped already, or beyond help.
    Covered,
    /// Means are not low.
    OverMeans,
    /// Somebody should be visited.
    Alert,
    /// Something unknown decides it.
    Pending,
}

/// Subjects by outcome; nobody is in two sets, and who is in none has [`Outcome::None`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcomes {
    /// [`Outcome::Held`].
    pub held: Bitset,
    /// [`Outcome::Covered`].
    pub covered: Bitset,
    /// [`Outcome::OverMeans`].
    pub over_means: Bitset,
    /// [`Outcome::Alert`].
    pub alert: Bitset,
    /// [`Outcome::Pending`].
    pub pending: Bitset,
}

/// A rule bound to what may be believed.
struct RulePlan<'a> {
    when: Plan<'a>,
    /// With watch datasets as they were last known; absent where that is the same.
    last_known: Option<Plan<'a>>,
    unless: Option<Plan<'a>>,
    means: Option<Plan<'a>>,
}

/// Where a rule's plan works, block after block.
struct Desk {
    when: Block,
    last_known: Block,
    /// Nobody, where the rule has no such part.
    unless: Block,
    /// Everybody, where the rule has no such part.
    means: Block,
    room: Room,
    /// The sets of [`Outcomes`], in the same order.
    sets: [Words; 5],
}

impl Outcomes {
    /// Of nobody anything follows.
    pub fn nobody(subjects: usize) -> Self {
        let empty = || Bitset::filled(subjects, false);
        Self {
            held: empty(),
            covered: empty(),
            over_means: empty(),
            alert: empty(),
            pending: empty(),
        }
    }

    /// A subject's outcome.
    pub fn outcome(&self, subject: usize) -> Outcome {
        let sets = [
            (&self.held, Outcome::Held),
            (&self.covered, Outcome::Covered),
            (&self.over_means, Outcome::OverMeans),
            (&self.alert, Outcome::Alert),
            (&self.pending, Outcome::Pending),
        ];
        let found = sets.into_iter().find(|(set, _)| set.get(subject));
        found.map_or(Outcome::None, |(_, outcome)| outcome)
    }

    /// Makes room for subjects below `len`; nothing follows of new ones.
    pub(crate) fn grow(&mut self, len: usize) {
        self.sets().into_iter().for_each(|set| set.grow(len));
    }

    fn sets(&mut self) -> [&mut Bitset; 5] {
        [
            &mut self.held,
            &mut self.covered,
            &mut self.over_means,
            &mut self.alert,
            &mut self.pending,
        ]
    }
}

/// Runs a rule over the whole base.
pub fn evaluate(rule: &Rule, facts: &Facts<'_>) -> Outcomes {
    let mut outcomes = Outcomes::nobody(facts.subjects);
    evaluate_everybody(rule, facts, &mut outcomes);
    outcomes
}

/// Runs a rule over the whole base and puts what it comes to into `outcomes`, which has room for
/// everybody. Returns those whose outcome is another than before.
pub fn evaluate_everybody(rule: &Rule, facts: &Facts<'_>, outcomes: &mut Outcomes) -> Bitset {
    let (plan, mut desk) = (RulePlan::new(rule, facts), Desk::new());
    let mut moved = Bitset::filled(facts.subjects, false);
    for (first, lanes) in Lanes::of_everybody(facts.subjects) {
        plan.run(lanes, &mut desk);
        let mut differing = NOBODY;
        for (set, words) in outcomes.sets().into_iter().zip(&desk.sets) {
            set.exchange_words(first, words, &mut differing);
        }
        moved.merge_words(first, &differing, &differing);
    }
    moved
}

/// Runs a rule over some subjects again and puts what it comes to into `outcomes`. Returns those whose
/// outcome is another than before.
pub fn evaluate_again(
    rule: &Rule,
    facts: &Facts<'_>,
    subjects: &[u32],
    outcomes: &mut Outcomes,
) -> Vec<u32> {
    let (plan, mut desk, mut moved) = (RulePlan::new(rule, facts), Desk::new(), vec![]);
    for subjects in subjects.chunks(LANES) {
        plan.run(Lanes::Listed(subjects), &mut desk);
        for (lane, &subject) in subjects.iter().enumerate() {
            let mut other = false;
            for (set, words) in outcomes.sets().into_iter().zip(&desk.sets) {
                let value = has(words, lane);
                other |= set.get(subject as usize) != value;
                set.assign(subject as usize, value);
            }
            if other {
                moved.push(subject);
            }
        }
    }
    moved
}

impl<'a> RulePlan<'a> {
    fn new(rule: &Rule, facts: &Facts<'a>) -> Self {
        let plan = |part: &Expression, reading| Plan::new(&part.tree, facts, reading);
        let stale = |number: usize| {
            facts.datasets.get(number).is_some_and(|it| !it.fresh && it.columns.listed().is_some())
        };
        let doubted = rule.when.tree.datasets().into_iter().any(stale);
        let strict =
            |part: &Option<Expression>| part.as_ref().map(|part| plan(part, Reading::Strict));
        Self {
            when: plan(&rule.when, Reading::Strict),
            last_known: doubted.then(|| plan(&rule.when, Reading::LastKnown)),
            unless: strict(&rule.unless),
            means: strict(&rule.means),
        }
    }

    fn run(&self, lanes: Lanes<'_>, desk: &mut Desk) {
        let Desk { when, last_known, unless, means, room, sets } = desk;
        let mut left = lanes.occupied();
        self.when.run(lanes, &left, when, room);
        let when = &*when;
        and_with(&mut left, &when.can_true);
        if left == NOBODY {
            *sets = [NOBODY; 5];
            return;
        }
        let last_known = match &self.last_known {
            Some(plan) => {
                plan.run(lanes, &left, last_known, room);
                &*last_known
            }
            None => when,
        };
        let mut open = left;
        if let Some(plan) = &self.unless {
            plan.run(lanes, &open, unless, room);
            // Whoever is certainly covered is asked nothing more.
            and_with(&mut open, &unless.can_false);
        }
        if let Some(plan) = &self.means {
            plan.run(lanes, &open, means, room);
        }
        let [held, covered, over_means, alert, pending] = sets;
        for place in 0..WORDS {
            let left = left[place];
            // Whoever a set takes is gone for those after it.
            let is_covered = left & !unless.can_false[place];
            let is_over = left & !is_covered & !means.can_true[place];
            let rest = left & !is_covered & !is_over;
            let last = last_known.can_true[place];
            let doubted = when.can_false[place] | unless.can_true[place] | means.can_false[place];
            held[place] = rest & !last;
            // Old data that no longer says so is no reason to tell of help or means.
            covered[place] = is_covered & last;
            over_means[place] = is_over & last;
            alert[place] = rest & last & !doubted;
            pending[place] = rest & last & doubted;
        }
    }
}

impl Desk {
    fn new() -> Box<Self> {
        Box::new(Self {
            when: Block::new(),
            last_known: Block::new(),
            unless: Block::filled(false, true),
            means: Block::filled(true, false),
            room: Room::default(),
            sets: [NOBODY; 5],
        })
    }
}
