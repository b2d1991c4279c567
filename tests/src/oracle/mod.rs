//! What the rules must say, worked out a second time: row by row, person by person, from plain data.
//!
//! Shares no code with the product: its own parser, its own reading of the policy, its own logic. It
//! is slow and obvious on purpose.

pub mod ast;
mod evaluate;
mod parse;
pub mod policy;
pub mod random;
#[cfg(test)]
mod tests;
mod truth;
mod world;

use std::collections::{BTreeMap, BTreeSet};

pub use evaluate::evaluate;
pub use parse::{SyntaxError, parse};
pub use policy::{Policy, Rule};
pub use world::{HouseholdList, PersonId, World};

use crate::city::City;

/// What becomes of one person under one rule. A person the rule does not concern has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// To be visited.
    Alert,
    /// Something unknown decides it.
    Pending,
    /// Helped already, or beyond help.
    Covered,
    /// Means are not low.
    OverMeans,
    /// The last known data no longer says so, but is too old to be believed.
    Held,
}

/// The outcome for every subject and rule.
pub type Outcomes = BTreeMap<(PersonId, String), Outcome>;

/// The outcomes for a city. `stale` holds the datasets whose data is too old to be believed; of a household
/// too large for a row, `rank` says who is in it.
///
/// # Panics
/// If the policy cannot be read.
pub fn expected<R: Ord>(
    city: &City,
    policy_text: &str,
    stale: &BTreeSet<String>,
    rank: impl Fn(&PersonId) -> R,
) -> Outcomes {
    let policy = Policy::read(policy_text).unwrap_or_else(|error| panic!("the policy: {error}"));
    evaluate(&city.world(rank), &policy, stale)
}
