//! What a rule comes to for every subject, or for some of them.
//!
//! Owns the order in which its three expressions decide. What an outcome does to an alert is
//! `alert`'s business.

use crate::{
    bitset::Bitset,
    expression::Expression,
    facts::{Facts, Reading},
    lanes::{LANES, Lanes, NOBODY, Words, and_with, has, without},
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

/// The sets of [`Outcomes`] for a block, in the same order.
type Sets = [Words; 5];

impl Outcomes {
    /// Of nobody anything follows.
    pub(crate) fn nobody(subjects: usize) -> Self {
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

    /// Whose outcome is another in `other`, which has the same room.
    pub(crate) fn differing(&self, other: &Self) -> Bitset {
        let pairs = [
            (&self.held, &other.held),
            (&self.covered, &other.covered),
            (&self.over_means, &other.over_means),
            (&self.alert, &other.alert),
            (&self.pending, &other.pending),
        ];
        let mut differing = Bitset::filled(self.held.len(), false);
        for (mine, theirs) in pairs {
            let (mut here, mut there) = (mine.clone(), theirs.clone());
            here.and_not_with(theirs);
            there.and_not_with(mine);
            differing.or_with(&here);
            differing.or_with(&there);
        }
        differing
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
    let (plan, mut room) = (RulePlan::new(rule, facts), Room::default());
    for (first, lanes) in Lanes::of_everybody(facts.subjects) {
        let sets = plan.run(lanes, &mut room);
        for (set, words) in outcomes.sets().into_iter().zip(&sets) {
            set.put_words(first, words);
        }
    }
    outcomes
}

/// Runs a rule over some subjects again and puts what it comes to into `outcomes`. Returns those whose
/// outcome is another than before.
pub fn evaluate_again(
    rule: &Rule,
    facts: &Facts<'_>,
    subjects: &[u32],
    outcomes: &mut Outcomes,
) -> Vec<u32> {
    let (plan, mut room, mut moved) = (RulePlan::new(rule, facts), Room::default(), vec![]);
    for subjects in subjects.chunks(LANES) {
        let sets = plan.run(Lanes::Listed(subjects), &mut room);
        for (lane, &subject) in subjects.iter().enumerate() {
            let mut other = false;
            for (set, words) in outcomes.sets().into_iter().zip(&sets) {
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

    fn run(&self, lanes: Lanes<'_>, room: &mut Room) -> Sets {
        let mut when = Block::new();
        let mut left = lanes.occupied();
        self.when.run(lanes, &left, &mut when, room);
        and_with(&mut left, &when.can_true);
        if left == NOBODY {
            return [NOBODY; 5];
        }
        let mut part = |plan: &Option<Plan<'_>>, open: &Words| {
            plan.as_ref().map(|plan| {
                let mut block = Block::new();
                plan.run(lanes, open, &mut block, room);
                block
            })
        };
        let last_known = part(&self.last_known, &left);
        let last_known = last_known.as_ref().unwrap_or(&when);
        let certainly = |certain: &Words, possible: &Words, left: &Words| -> Words {
            let mut certainly = *left;
            and_with(&mut certainly, certain);
            without(&mut certainly, possible);
            certainly
        };
        // Whoever a set takes is gone for those after it.
        let (mut covered, mut over_means) = (NOBODY, NOBODY);
        let mut certain = certainly(&when.can_true, &when.can_false, &left);
        if let Some(unless) = part(&self.unless, &left) {
            covered = certainly(&unless.can_true, &unless.can_false, &left);
            certain = certainly(&unless.can_false, &unless.can_true, &certain);
            without(&mut left, &covered);
        }
        if let Some(means) = part(&self.means, &left) {
            over_means = certainly(&means.can_false, &means.can_true, &left);
            certain = certainly(&means.can_true, &means.can_false, &certain);
            without(&mut left, &over_means);
        }
        let held = certainly(&last_known.can_false, &last_known.can_true, &left);
        without(&mut left, &held);
        let mut alert = certain;
        and_with(&mut alert, &left);
        without(&mut left, &alert);
        // Old data that no longer says so is no reason to tell of help or means.
        and_with(&mut covered, &last_known.can_true);
        and_with(&mut over_means, &last_known.can_true);
        [held, covered, over_means, alert, left]
    }
}
