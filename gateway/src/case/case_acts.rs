//! What is done with cases, and what the access log says of each: cases change, a page is listed, one is
//! read.

use jiff::Timestamp;
use proto::{act::Act, alert_id::AlertId, case_event::CaseEvent, entry::Actor};

use super::lifecycle::Case;
use crate::{alert::Alert, audit::logged::Told};

/// Cases that change by one actor's doing. Never empty.
pub struct Changes(pub Vec<Change>);

/// A case that changes.
pub struct Change {
    /// Which.
    pub alert: AlertId,
    /// As it will be.
    pub case: Case,
    /// What happens to it, the last number being the case's. Never empty.
    pub events: Vec<CaseEvent>,
    /// When the gateway looks at it again although nothing happens.
    pub wake_at: Option<Timestamp>,
}

/// A case, with what detection says.
pub struct Handled {
    /// What detection says.
    pub alert: Alert,
    /// How far help has come.
    pub case: Case,
    /// Since when.
    pub changed_at: Timestamp,
}

/// The cases of some people, each person's together.
pub struct CasePage(pub Vec<Vec<Handled>>);

/// One case with everything that happened to it.
pub struct CaseFile {
    /// The case.
    pub handled: Handled,
    /// Its events.
    pub history: Vec<Happened>,
    /// Other cases of the same person that may be seen.
    pub others: Vec<AlertId>,
}

/// An event of a case.
pub struct Happened {
    /// From 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Whose doing.
    pub by: Actor,
    /// What.
    pub event: CaseEvent,
}

impl Change {
    /// The events with their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &CaseEvent)> {
        let first = self.case.number + 1 - self.events.len() as u64;
        (first..).zip(&self.events)
    }

    fn acts(&self) -> impl Iterator<Item = Act> {
        self.numbered().map(|(number, event)| Act::CaseChanged {
            alert: self.alert.clone(),
            number,
            event: event.clone(),
        })
    }
}

impl Told for Changes {
    fn acts(&self) -> Vec<Act> {
        self.0.iter().flat_map(Change::acts).collect()
    }
}

impl Told for CasePage {
    fn acts(&self) -> Vec<Act> {
        let alerts = self.0.iter().flatten().map(|handled| id(&handled.alert)).collect();
        vec![Act::CasesListed { alerts }]
    }
}

impl Told for CaseFile {
    fn acts(&self) -> Vec<Act> {
        vec![Act::CaseRead { alert: id(&self.handled.alert) }]
    }
}

impl Handled {
    /// Whose it is: before it is given to a region, the region that the alert has.
    pub fn region(&self) -> &str {
        match self.case.region.as_str() {
            "" => &self.alert.region,
            region => region,
        }
    }
}

/// The alert's id as the log has it.
pub fn id(alert: &Alert) -> AlertId {
    alert.id.parse().expect("alerts are made and read with ids of section 10.4")
}
