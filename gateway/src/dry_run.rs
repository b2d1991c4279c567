//! What a rule would come to, in counts only; nothing is raised and nobody is named.

use jiff::Timestamp;

use crate::{base::Base, bitset::Bitset, outcomes, region, rule::Rule};

/// How many subjects a rule would do what to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Alerts.
    pub alerts: u64,
    /// Already covered.
    pub covered: u64,
    /// Means over the limit.
    pub over_means: u64,
    /// Decided by an unknown.
    pub pending: u64,
    /// All subjects.
    pub base: u64,
}

/// Counts the subjects of a region by what the rule comes to.
pub fn count(base: &Base, rule: &Rule, region: &str, now: Timestamp) -> Counts {
    let outcomes = outcomes::evaluate(rule, &base.facts(now));
    let mut asked = base.unlisted();
    asked.invert();
    if !region.is_empty() {
        let elsewhere = |number: &usize| {
            let number = u32::try_from(*number).expect("subjects are numbered by u32");
            !region::text(base.regions(number).foremost()).starts_with(region)
        };
        let elsewhere: Vec<usize> = asked.ones().filter(elsewhere).collect();
        elsewhere.into_iter().for_each(|number| asked.assign(number, false));
    }
    let of = |set: &Bitset| {
        let mut both = asked.clone();
        both.and_with(set);
        both.count() as u64
    };
    Counts {
        alerts: of(&outcomes.alert),
        covered: of(&outcomes.covered),
        over_means: of(&outcomes.over_means),
        pending: of(&outcomes.pending),
        base: asked.count() as u64,
    }
}
