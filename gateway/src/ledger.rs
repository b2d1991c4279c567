//! The last alert of every subject and rule, as written: what an evaluation is compared with.
//!
//! In memory; `alerts` is the truth. Holds nothing that was not written.

use std::collections::HashMap;

use proto::subject::Subject;

use crate::alert::{Alert, State};

/// The ledger.
#[derive(Default)]
pub(crate) struct Ledger(HashMap<String, HashMap<Subject, Alert>>);

impl Ledger {
    /// Puts an alert in the place of the last of its subject and rule.
    pub(crate) fn put(&mut self, alert: Alert) {
        match self.0.get_mut(&alert.rule) {
            Some(alerts) => _ = alerts.insert(alert.subject, alert),
            None => {
                let rule = alert.rule.clone();
                self.0.insert(rule, HashMap::from([(alert.subject, alert)]));
            }
        }
    }

    /// The last alert of a rule about a subject.
    pub(crate) fn get(&self, rule: &str, subject: &Subject) -> Option<&Alert> {
        self.0.get(rule)?.get(subject)
    }

    /// Alerts of a rule that are not withdrawn.
    pub(crate) fn live_of(&self, rule: &str) -> impl Iterator<Item = &Alert> {
        self.0.get(rule).into_iter().flat_map(HashMap::values).filter(|alert| is_live(alert))
    }

    /// All alerts that are not withdrawn.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Alert> {
        self.0.values().flat_map(HashMap::values).filter(|alert| is_live(alert))
    }
}

fn is_live(alert: &Alert) -> bool {
    alert.state != State::Withdrawn
}
