//! One evaluation: what the rules come to now, and the alerts that must change by it.
//!
//! Looks at the subjects of whom something changed since the last one: their facts, what a rule came to,
//! a time that was waited for. Changes nothing itself; writing and telling is `pipeline`'s business.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use proto::name::DatasetId;

use crate::{
    alert::{Alert, DatedFinding, Moment, State},
    base::Base,
    bitset::Bitset,
    case::calendar::day,
    clock::later,
    explanation::{Finding, explain},
    facts::Facts,
    ledger::Ledger,
    outcomes::Outcome,
    policy::Policy,
    routing::{How, Routing},
    rule::Rule,
    standing::{Moved, Stand, Standing, number},
    waits::UNKNOWN_FOR,
};

/// How long after the base began a rule may wait for a dataset that was never received.
pub(crate) const FIRST_ARRIVALS: Duration = Duration::from_secs(120);
/// Of fewer people than this, each one's alerts are looked up.
const FEW: usize = 4096;

/// What an evaluation looks at.
pub struct Evaluation<'a> {
    /// Whom rules are about.
    pub base: &'a Base,
    /// The rules.
    pub policy: &'a Policy,
    /// Where subjects are looked for.
    pub routing: &'a Routing,
    /// Alerts as they stand.
    pub ledger: &'a Ledger,
    /// Whose subjects the base has.
    pub epoch: u32,
    /// When the base began to be filled.
    pub begun: Timestamp,
    /// The time now.
    pub now: Timestamp,
}

impl Evaluation<'_> {
    /// Alerts as they must be now, where that differs from how they stand. `touched` are the subjects of
    /// whom anything was learnt since the last evaluation with this standing.
    pub fn changes(&self, standing: &mut Standing, touched: &Bitset) -> Vec<Alert> {
        let facts = self.base.facts(self.now);
        let mut touched = touched.clone();
        touched.grow(facts.subjects);
        let knows_everybody = self.base.knows_everybody(self.now);
        if knows_everybody != std::mem::replace(&mut standing.knew_everybody, knows_everybody) {
            touched.or_with(&self.base.unlisted());
        }
        let mut changes = self.without_rule();
        standing.keep(&self.policy.rules, &facts, &touched);
        for rule in &self.policy.rules {
            let (stand, moved) = standing.run(rule, &facts, &touched);
            let subjects = self.to_look_at(rule, stand, moved);
            let pending_deadline = self.policy.pending_deadline;
            let moment = Moment { now: self.now, epoch: self.epoch, rule, pending_deadline };
            let look = |&subject: &u32| self.look(&moment, subject, stand, &facts);
            changes.extend(subjects.iter().filter_map(look));
        }
        changes
    }

    /// The policy no longer has their rule: nothing holds them any more.
    fn without_rule(&self) -> Vec<Alert> {
        let gone = |id: &&str| !self.policy.rules.iter().any(|rule| rule.id == *id);
        let orphans = self.ledger.rules().filter(gone).flat_map(|rule| self.ledger.live_of(rule));
        orphans.map(|alert| alert.withdrawn(self.now)).collect()
    }

    /// Subjects whose alert for a rule might change, ascending: all that are anything to the rule where
    /// it is looked at anew, else those who moved and those whose time has come.
    fn to_look_at(&self, rule: &Arc<Rule>, stand: &mut Stand, moved: Moved) -> BTreeSet<u32> {
        let settled = self.is_settled(rule);
        let settles = settled && !std::mem::replace(&mut stand.settled, settled);
        let rewritten = std::mem::replace(&mut stand.version, rule.version) != rule.version;
        // Regions may be others from today on.
        let today = day(self.now);
        let another_day = stand.day.replace(today) != Some(today);
        let mut subjects = BTreeSet::new();
        let mut everybody_live = settles || rewritten || another_day;
        let raised = [&stand.outcomes.alert, &stand.outcomes.pending];
        match moved {
            Moved::Everybody => {
                subjects.extend(raised.iter().flat_map(|set| set.ones()).map(number));
                everybody_live = true;
            }
            Moved::Only(moved) if moved.count() <= FEW => {
                let concerns = |subject: &u32| {
                    raised.iter().any(|set| set.get(*subject as usize))
                        || stand.waits.contains(*subject)
                        || self.ledger.has_live(&rule.id, &self.base.subject(*subject))
                };
                subjects.extend(moved.ones().map(number).filter(concerns));
            }
            Moved::Only(moved) => {
                for set in raised {
                    let mut both = moved.clone();
                    both.and_with(set);
                    subjects.extend(both.ones().map(number));
                }
                everybody_live = true;
            }
        }
        if everybody_live {
            subjects.extend(stand.waits.all());
            let live = self.ledger.live_of(&rule.id).map(|alert| &alert.subject);
            subjects.extend(live.filter_map(|subject| self.base.number(subject)));
        }
        if settled {
            subjects.extend(stand.waits.over(self.now));
        }
        let overdue = self.ledger.overdue(&rule.id, self.now);
        subjects.extend(overdue.filter_map(|subject| self.base.number(subject)));
        subjects
    }

    /// A subject's alert as it must be now, where that differs from how it stands.
    fn look(
        &self,
        moment: &Moment<'_>,
        subject: u32,
        stand: &mut Stand,
        facts: &Facts<'_>,
    ) -> Option<Alert> {
        let outcome = self.of_the_base(subject, stand.outcomes.outcome(subject as usize));
        let alert = self.ledger.get(&moment.rule.id, &self.base.subject(subject));
        let next = moment.next(alert, outcome);
        if next == Some(State::Pending) {
            let since = stand.waits.since(subject, self.now);
            if self.now < later(since, UNKNOWN_FOR) || !stand.settled {
                return None;
            }
        } else {
            stand.waits.end(subject);
        }
        let renewed = next.is_none()
            && moment.renews(alert, outcome, stand.settled, |dataset| self.has_received(dataset));
        self.changed(moment, subject, alert, next, renewed, facts)
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
        let route = self.routing.route(self.base.regions(number), day(self.now));
        let region = match route.how {
            How::Nowhere => alert.map(|alert| alert.region.clone()).unwrap_or_default(),
            How::Residence | How::Registration => route.place.into(),
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

    fn has_received(&self, dataset: &DatasetId) -> bool {
        let number = self.policy.catalogue.number(dataset);
        number.is_some_and(|number| self.base.as_of(number).is_some())
    }

    /// Whether everything a rule reads has arrived at least once, or has had time to.
    fn is_settled(&self, rule: &Rule) -> bool {
        let received = |number: usize| self.base.as_of(number).is_some();
        self.now >= later(self.begun, FIRST_ARRIVALS) || rule.datasets().into_iter().all(received)
    }
}
