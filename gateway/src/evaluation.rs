//! One evaluation: all rules over the base as it is now, and the alerts that must change by it.
//!
//! Changes nothing itself. Writing and telling is `pipeline`'s business.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::Timestamp;
use proto::subject::Subject;

use crate::{
    alert::{Alert, DatedFinding, Moment, State},
    base::Base,
    clock::later,
    explanation::{Finding, explain},
    facts::Facts,
    ledger::Ledger,
    outcomes::{self, Outcome, Outcomes},
    policy::Policy,
    region,
    rule::Rule,
};

/// An unknown that lasts less than this is not told to anybody: data and grants arrive one after
/// another when adapters connect.
pub(crate) const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// How long after the base began a rule may wait for a dataset that was never received.
pub(crate) const FIRST_ARRIVALS: Duration = Duration::from_secs(120);

/// Since when an unknown decides, by rule, where no alert says so yet.
pub(crate) type Waits = HashMap<String, HashMap<Subject, Timestamp>>;

/// What an evaluation looks at.
pub(crate) struct Evaluation<'a> {
    pub(crate) base: &'a Base,
    pub(crate) policy: &'a Policy,
    pub(crate) ledger: &'a Ledger,
    /// Whose subjects the base has.
    pub(crate) epoch: u32,
    /// When the base began to be filled.
    pub(crate) begun: Timestamp,
    pub(crate) now: Timestamp,
}

impl Evaluation<'_> {
    /// Alerts as they must be now, where that differs from how they stand.
    pub(crate) fn changes(&self, waits: &mut Waits) -> Vec<Alert> {
        let mut before = std::mem::take(waits);
        let facts = self.base.facts(self.now);
        let mut changes = self.without_rule();
        for rule in &self.policy.rules {
            let waiting = before.remove(&rule.id).unwrap_or_default();
            let still = self.of_rule(rule, &facts, &waiting, &mut changes);
            if !still.is_empty() {
                waits.insert(rule.id.clone(), still);
            }
        }
        changes
    }

    /// The policy no longer has their rule: nothing holds them any more.
    fn without_rule(&self) -> Vec<Alert> {
        let rules: HashSet<&str> = self.policy.rules.iter().map(|rule| rule.id.as_str()).collect();
        let orphans = self.ledger.live().filter(|alert| !rules.contains(alert.rule.as_str()));
        orphans.map(|alert| alert.withdrawn(self.now)).collect()
    }

    fn of_rule(
        &self,
        rule: &Rule,
        facts: &Facts<'_>,
        waiting: &HashMap<Subject, Timestamp>,
        changes: &mut Vec<Alert>,
    ) -> HashMap<Subject, Timestamp> {
        let outcomes = outcomes::evaluate(rule, facts);
        let pending_deadline = self.policy.pending_deadline;
        let moment = Moment { now: self.now, epoch: self.epoch, rule, pending_deadline };
        let settled = self.is_settled(rule);
        let mut still_waiting = HashMap::new();
        for number in self.concerned(rule, &outcomes) {
            let subject = self.base.subject(number);
            let outcome = self.of_the_base(number, outcomes.outcome(number as usize));
            let alert = self.ledger.get(&rule.id, &subject);
            let next = moment.next(alert, outcome);
            if next == Some(State::Pending) {
                let since = *waiting.get(&subject).unwrap_or(&self.now);
                still_waiting.insert(subject, since);
                if self.now < later(since, UNKNOWN_FOR) || !settled {
                    continue;
                }
            }
            let renewed = next.is_none() && moment.renews(alert, outcome, settled);
            changes.extend(self.changed(&moment, number, alert, next, renewed, facts));
        }
        still_waiting
    }

    /// Subjects whose alert for a rule might change, ascending.
    fn concerned(&self, rule: &Rule, outcomes: &Outcomes) -> Vec<u32> {
        let raised = outcomes.alert.ones().chain(outcomes.pending.ones());
        let raised = raised.map(|n| u32::try_from(n).expect("subjects are numbered by u32"));
        let live = self.ledger.live_of(&rule.id);
        let live = live.filter_map(|alert| self.base.number(&alert.subject));
        let mut concerned: Vec<u32> = raised.chain(live).collect();
        concerned.sort_unstable();
        concerned.dedup();
        concerned
    }

    /// Rules are about the base. Of a subject whom no category lists nothing follows once all of
    /// them have been heard; until then nothing is known.
    fn of_the_base(&self, number: u32, outcome: Outcome) -> Outcome {
        let says = matches!(outcome, Outcome::Alert | Outcome::Pending | Outcome::Held);
        if !says || self.base.is_listed(number) {
            outcome
        } else if self.base.knows_everybody(self.now) {
            Outcome::None
        } else {
            Outcome::Held
        }
    }

    /// The alert as it must be now, where that differs from how it stands.
    fn changed(
        &self,
        moment: &Moment<'_>,
        number: u32,
        alert: Option<&Alert>,
        next: Option<State>,
        renewed: bool,
        facts: &Facts<'_>,
    ) -> Option<Alert> {
        let region = match self.base.regions(number).foremost() {
            0 => alert.map(|alert| alert.region.clone()).unwrap_or_default(),
            region => region::text(region),
        };
        let live = alert.filter(|alert| alert.state != State::Withdrawn);
        let findings = || -> Vec<DatedFinding> {
            let findings = explain(moment.rule, facts, number as usize).into_iter();
            findings.map(|finding| self.dated(finding)).collect()
        };
        match (next, live) {
            (Some(state), _) => {
                let subject = self.base.subject(number);
                Some(moment.advance(alert, subject, state, region, findings()))
            }
            (None, Some(live)) if renewed => Some(moment.renew(live, region, findings())),
            (None, Some(live)) if live.region != region => {
                Some(Alert { region, changed_at: moment.now, ..live.clone() })
            }
            (None, _) => None,
        }
    }

    fn dated(&self, finding: Finding) -> DatedFinding {
        let dataset = &self.policy.catalogue.datasets[finding.dataset];
        DatedFinding {
            part: finding.part,
            predicate: finding.predicate,
            truth: finding.truth,
            dataset: dataset.schema.dataset.clone(),
            agency: dataset.agency.clone(),
            label: dataset.label.clone(),
            as_of: self.base.as_of(finding.dataset),
        }
    }

    /// Whether everything a rule reads has arrived at least once, or has had time to.
    fn is_settled(&self, rule: &Rule) -> bool {
        let received = |number: usize| self.base.as_of(number).is_some();
        self.now >= later(self.begun, FIRST_ARRIVALS) || rule.datasets().into_iter().all(received)
    }
}
