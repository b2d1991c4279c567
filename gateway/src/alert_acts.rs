//! What is done with alerts, and what the access log says of each: rules were run and alerts change,
//! alerts go over to another epoch, a page is listed, one is read, changes are delivered.

use proto::{
    act::{Act, AlertState},
    alert_id::AlertId,
    hex_bytes::HexBytes,
};

use crate::{
    alert::{Alert, State},
    audit::logged::Told,
};

/// A run of the rules and the alerts that change by it, each with its new revision.
pub struct Run {
    /// Which policy.
    pub policy: [u8; 32],
    /// Whose subjects.
    pub epoch: u32,
    /// How many people are in the base.
    pub subjects: u64,
    /// The alerts as they will be.
    pub changed: Vec<Alert>,
}

/// A change of the epoch in force and the alerts that change with it.
pub struct EpochChange {
    /// The epoch that ends.
    pub from: u32,
    /// The one that follows.
    pub to: u32,
    /// The alerts as they will be.
    pub changed: Vec<Alert>,
}

/// A page of a list.
pub struct Page(pub Vec<Alert>);

/// One alert, with its explanation.
pub struct Found(pub Alert);

/// Alerts that changed, in the order of their revisions; never empty.
pub struct Delivery(pub Vec<Alert>);

impl Told for Run {
    fn acts(&self) -> Vec<Act> {
        let (policy, changed) = (HexBytes(self.policy), self.changed.len() as u64);
        let run = Act::RulesRun { policy, epoch: self.epoch, subjects: self.subjects, changed };
        std::iter::once(run).chain(self.changed.iter().map(change)).collect()
    }
}

impl Told for EpochChange {
    fn acts(&self) -> Vec<Act> {
        let change_of_epoch = Act::EpochChanged { from: self.from, to: self.to };
        std::iter::once(change_of_epoch).chain(self.changed.iter().map(change)).collect()
    }
}

impl Told for Page {
    fn acts(&self) -> Vec<Act> {
        vec![Act::AlertsListed { alerts: ids(&self.0) }]
    }
}

impl Told for Found {
    fn acts(&self) -> Vec<Act> {
        vec![Act::AlertRead { alert: id(&self.0) }]
    }
}

impl Told for Delivery {
    fn acts(&self) -> Vec<Act> {
        let revision = self.0.last().map_or(0, |alert| alert.revision);
        vec![Act::AlertsDelivered { alerts: ids(&self.0), revision }]
    }
}

fn change(alert: &Alert) -> Act {
    let state = match alert.state {
        State::Open => AlertState::Open,
        State::Pending => AlertState::Pending,
        State::Incomplete => AlertState::Incomplete,
        State::Withdrawn => AlertState::Withdrawn,
    };
    Act::AlertChanged {
        alert: id(alert),
        rule: alert.rule.parse().expect("a policy's rules are called by names"),
        rule_version: HexBytes(alert.rule_version),
        state,
        revision: alert.revision,
    }
}

fn ids(alerts: &[Alert]) -> Vec<AlertId> {
    alerts.iter().map(id).collect()
}

fn id(alert: &Alert) -> AlertId {
    alert.id.parse().expect("alerts are made and read with ids of section 10.4")
}
