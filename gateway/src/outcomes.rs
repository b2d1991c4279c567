//! What a rule comes to for every subject.
//!
//! Owns the order in which its three expressions decide. What an outcome does to an alert is
//! `alert`'s business.

use crate::{
    bitset::Bitset,
    expression::Expression,
    facts::{Facts, Reading},
    plan::Truths,
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

impl Outcomes {
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
}

/// Runs a rule over the whole base.
pub fn evaluate(rule: &Rule, facts: &Facts<'_>) -> Outcomes {
    let when = rule.when.run(facts, Reading::Strict);
    let last_known = rule.when.run(facts, Reading::LastKnown);
    let part = |expression: &Option<Expression>, absent: bool| match expression {
        Some(expression) => expression.run(facts, Reading::Strict),
        None => Truths::same(facts.subjects, absent, !absent),
    };
    let (unless, means) = (part(&rule.unless, false), part(&rule.means, true));

    // Whoever a set takes is gone for those after it.
    let mut left = when.can_true.clone();
    let mut take = |set: Bitset| {
        let mut taken = set;
        taken.and_with(&left);
        left.and_not_with(&taken);
        taken
    };
    let mut covered = take(unless.is_true());
    let mut over_means = take(means.is_false());
    let held = take(last_known.is_false());
    let mut certain = when.is_true();
    certain.and_with(&unless.is_false());
    certain.and_with(&means.is_true());
    let alert = take(certain);
    // Old data that no longer says so is no reason to tell of help or means.
    covered.and_with(&last_known.can_true);
    over_means.and_with(&last_known.can_true);
    Outcomes { held, covered, over_means, alert, pending: left }
}
