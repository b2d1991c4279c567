//! What the policy says of cases: how soon each thing is due, and for how long a closed case keeps
//! another from being raised (PROTOCOL.md section 19.5).
//!
//! Reading it from the policy file is `policy_cases`'s business.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use proto::case_event::{Deadline, Tier};

use super::calendar::{Calendar, WorkingTime};
use crate::clock::later;

/// The terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// How soon a worker takes a case.
    pub acknowledge: WorkingTime,
    /// How long a street has for what comes up to it.
    pub street: WorkingTime,
    /// The same of a district.
    pub district: WorkingTime,
    /// From the acknowledgement to the visit.
    pub visit: WorkingTime,
    /// From the visit to the outcome.
    pub decide: WorkingTime,
    /// From relief to its papers.
    pub papers: WorkingTime,
    /// From closing a case to the next of the same subject and rule.
    pub suppress: Duration,
    /// After so many returns a district decides.
    pub returns: u32,
    /// By rule, where one differs.
    pub rules: BTreeMap<String, RuleTerms>,
    /// Which days count.
    pub calendar: Calendar,
}

/// What differs for the cases of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleTerms {
    /// From the acknowledgement to the visit.
    pub visit: Option<WorkingTime>,
    /// From closing a case to the next.
    pub suppress: Option<Duration>,
    /// Whether its cases go on in another open case of the same person.
    pub joins: bool,
}

impl Default for Terms {
    /// Those of a policy that says nothing of cases. It has no calendar.
    fn default() -> Self {
        Self {
            acknowledge: WorkingTime::Hours(4),
            street: WorkingTime::Hours(4),
            district: WorkingTime::Days(1),
            visit: WorkingTime::Days(3),
            decide: WorkingTime::Days(5),
            papers: WorkingTime::Days(10),
            suppress: Duration::from_secs(90 * 86_400),
            returns: 3,
            rules: BTreeMap::new(),
            calendar: Calendar::empty(),
        }
    }
}

impl Terms {
    /// When what begins now is due. Past the end of the calendar every day counts, so that nobody
    /// waits longer than they should, and the log says what is missing.
    pub fn due(&self, now: Timestamp, time: WorkingTime) -> Timestamp {
        self.calendar.after(now, time).unwrap_or_else(|past_end| {
            tracing::error!(%past_end, "a deadline is set as if every day were a working day");
            self.calendar.at_the_earliest(now, time)
        })
    }

    /// How long a tier has to take a case.
    pub fn acknowledge(&self, tier: Tier) -> WorkingTime {
        match tier {
            Tier::Worker => self.acknowledge,
            Tier::Street => self.street,
            Tier::District => self.district,
        }
    }

    /// From the acknowledgement to the visit, by rule.
    pub fn visit(&self, rule: &str) -> WorkingTime {
        self.rules.get(rule).and_then(|terms| terms.visit).unwrap_or(self.visit)
    }

    /// Until when a closed case of a rule suppresses the next.
    pub fn suppressed_until(&self, rule: &str, now: Timestamp) -> Timestamp {
        let suppress = self.rules.get(rule).and_then(|terms| terms.suppress);
        later(whole_seconds(now), suppress.unwrap_or(self.suppress))
    }

    /// Whether cases of a rule go on in another open case of the same person.
    pub fn joins(&self, rule: &str) -> bool {
        self.rules.get(rule).is_some_and(|terms| terms.joins)
    }

    /// Who decides a case that is returned for the time with this number.
    pub fn returned_to(&self, returns: u32) -> Tier {
        if returns >= self.returns { Tier::District } else { Tier::Street }
    }
}

/// The tier above.
pub fn above(tier: Tier) -> Option<Tier> {
    match tier {
        Tier::Worker => Some(Tier::Street),
        Tier::Street => Some(Tier::District),
        Tier::District => None,
    }
}

/// What is due in a stage at its `due_at`.
pub fn due_in(stage: super::lifecycle::Stage) -> Option<Deadline> {
    use super::lifecycle::Stage;
    match stage {
        Stage::New | Stage::Routed | Stage::Returned => Some(Deadline::Acknowledge),
        Stage::Acknowledged => Some(Deadline::Visit),
        Stage::Visited => Some(Deadline::Decide),
        _ => None,
    }
}

/// Events have whole seconds.
pub fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).expect("a timestamp's seconds are one")
}
