//! What a rule would come to, in counts only; nothing is raised and nobody is named.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::{
    base::Base,
    outcomes::{self, Outcome},
    region,
    rule::Rule,
};

/// Counts asked for in a dry run.
pub struct Question {
    /// The rule to try.
    pub rule: Arc<Rule>,
    /// The catalogue's generation that it was checked against.
    pub generation: u64,
    /// Count subjects of this region only.
    pub region: String,
    /// Where the answer goes; nothing is sent where the catalogue changed meanwhile.
    pub answer: oneshot::Sender<Counts>,
}

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

/// Counts the subjects of the question's region by outcome.
pub fn count(base: &Base, question: &Question, now: Timestamp) -> Counts {
    let outcomes = outcomes::evaluate(&question.rule, &base.facts(now));
    let mut counts = Counts::default();
    let everybody = u32::try_from(base.met()).expect("subjects are numbered by u32");
    for number in (0..everybody).filter(|&number| base.is_listed(number)) {
        if !region::text(base.regions(number).foremost()).starts_with(&question.region) {
            continue;
        }
        counts.base += 1;
        match outcomes.outcome(number as usize) {
            Outcome::Alert => counts.alerts += 1,
            Outcome::Covered => counts.covered += 1,
            Outcome::OverMeans => counts.over_means += 1,
            Outcome::Pending => counts.pending += 1,
            Outcome::None | Outcome::Held => {}
        }
    }
    counts
}
