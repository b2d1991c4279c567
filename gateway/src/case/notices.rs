//! What officers are told of a case, so that they look at it: it came to them, it is due before long, it
//! went up, it came back, a disclosure waits for an approver. Nothing else leaves.
//!
//! Who is told, and how, is `notify`'s business.

use jiff::Timestamp;
use proto::{
    alert_id::AlertId,
    case_event::{CaseEvent, Tier},
};

use super::{case_acts::Change, lifecycle::Case};
use crate::notify::notice::{Kind, Notice};

/// The notices that a change causes.
pub fn of(change: &Change, made_at: Timestamp) -> impl Iterator<Item = Notice> {
    change.numbered().filter_map(move |(event, what)| {
        let (kind, tier, due_at) = match what {
            CaseEvent::Routed { tier, due_at, .. } => (Kind::Assigned, *tier, Some(*due_at)),
            CaseEvent::Assigned { due_at, .. } => (Kind::Assigned, Tier::Worker, Some(*due_at)),
            CaseEvent::Escalated { tier, due_at, .. } => (Kind::Escalated, *tier, Some(*due_at)),
            CaseEvent::Returned { tier, due_at, .. } => (Kind::Returned, *tier, Some(*due_at)),
            CaseEvent::DisclosureAsked { .. } => {
                (Kind::DisclosureToApprove, change.case.tier, None)
            }
            _ => return None,
        };
        Some(Notice {
            alert: change.alert.clone(),
            event,
            kind,
            tier,
            region: change.case.region.clone(),
            due_at,
            made_at,
        })
    })
}

/// That something is due in a case before long.
pub fn due_soon(alert: AlertId, case: &Case, due_at: Timestamp, made_at: Timestamp) -> Notice {
    Notice {
        alert,
        event: case.number,
        kind: Kind::DueSoon,
        tier: case.tier,
        region: case.region.clone(),
        due_at: Some(due_at),
        made_at,
    }
}
