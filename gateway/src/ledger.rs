//! The last alert of every subject and rule, as written: what an evaluation is compared with.
//!
//! In memory; `alerts` is the truth. Holds nothing that was not written.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
};

use jiff::Timestamp;
use proto::subject::Subject;

use crate::alert::{Alert, State};

/// The ledger.
#[derive(Default)]
pub struct Ledger(HashMap<String, OfRule>);

#[derive(Default)]
struct OfRule {
    alerts: HashMap<Subject, Alert>,
    /// When pending ones become incomplete.
    deadlines: BTreeSet<(Timestamp, Subject)>,
}

impl Ledger {
    /// Puts an alert in the place of the last of its subject and rule.
    pub fn put(&mut self, alert: Alert) {
        if !self.0.contains_key(&alert.rule) {
            self.0.insert(alert.rule.clone(), OfRule::default());
        }
        let of_rule = self.0.get_mut(&alert.rule).expect("it was put in");
        let deadline = (alert.due_at, alert.subject);
        let is_pending = |alert: &Alert| alert.state == State::Pending;
        let pending = is_pending(&alert);
        if let Some(last) = of_rule.alerts.insert(alert.subject, alert).filter(is_pending) {
            of_rule.deadlines.remove(&(last.due_at, last.subject));
        }
        if pending {
            of_rule.deadlines.insert(deadline);
        }
    }

    /// The last alert of a rule about a subject.
    pub fn get(&self, rule: &str, subject: &Subject) -> Option<&Alert> {
        self.0.get(rule)?.alerts.get(subject)
    }

    /// The rules that ever raised an alert.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Alerts of a rule that are not withdrawn.
    pub(crate) fn live_of(&self, rule: &str) -> impl Iterator<Item = &Alert> {
        let alerts = self.0.get(rule).into_iter().flat_map(|of_rule| of_rule.alerts.values());
        alerts.filter(|alert| is_live(alert))
    }

    /// All alerts that are not withdrawn.
    pub fn live(&self) -> impl Iterator<Item = &Alert> {
        let alerts = self.0.values().flat_map(|of_rule| of_rule.alerts.values());
        alerts.filter(|alert| is_live(alert))
    }

    /// Whether a rule has an alert about a subject that is not withdrawn.
    pub(crate) fn has_live(&self, rule: &str, subject: &Subject) -> bool {
        self.get(rule, subject).is_some_and(is_live)
    }

    /// Subjects of a rule's pending alerts whose deadline has come.
    pub(crate) fn overdue(&self, rule: &str, now: Timestamp) -> impl Iterator<Item = &Subject> {
        let deadlines = self.0.get(rule).into_iter().flat_map(|of_rule| &of_rule.deadlines);
        deadlines.take_while(move |(at, _)| *at <= now).map(|(_, subject)| subject)
    }

    /// When the next pending alert's deadline comes, after `looked`.
    pub(crate) fn next_deadline(&self, looked: Timestamp) -> Option<Timestamp> {
        let later = Bound::Excluded((looked, Subject([u8::MAX; 16])));
        let next = |of_rule: &OfRule| {
            of_rule.deadlines.range((later, Bound::Unbounded)).next().map(|(at, _)| *at)
        };
        self.0.values().filter_map(next).min()
    }
}

fn is_live(alert: &Alert) -> bool {
    alert.state != State::Withdrawn
}
