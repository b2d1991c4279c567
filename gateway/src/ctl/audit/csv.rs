//! Entries as a table for a spreadsheet (RFC 4180). Every cell is an id, a word, a number or a time:
//! nothing in it needs quotes, and nothing can be taken for a formula.

use proto::{act::Act, entry::Actor};

use super::answer::Found;

const HEADER: &str = "index,at,by,id,action,agencies,datasets,alerts,rule,method,reason,count\r\n";

/// The table.
pub fn table(found: &[Found]) -> String {
    std::iter::once(HEADER.to_owned()).chain(found.iter().map(row)).collect()
}

fn row(found: &Found) -> String {
    let (act, entry) = (found.entry.act(), &found.entry);
    let (by, id) = match entry.by() {
        Actor::Gateway => ("gateway", ""),
        Actor::Officer(id) => ("officer", id.as_str()),
        Actor::Agency(id) => ("agency", id.as_str()),
        Actor::Unknown => ("unknown", ""),
    };
    let (method, reason) = match act {
        Act::SyncRefused { fault, .. } | Act::ReleaseRefused { fault, .. } => {
            ("", fault.to_string())
        }
        Act::CallsRefused { method, reason, .. } => {
            (method.as_ref().map_or("", |method| method.as_str()), reason.as_str().to_owned())
        }
        Act::DisclosureDeclined { reason, .. } => ("", reason.as_str().to_owned()),
        _ => ("", String::new()),
    };
    let words = |words: Vec<&str>| words.join(" ");
    let cells = [
        found.index.to_string(),
        entry.at().to_string(),
        by.into(),
        id.into(),
        act.word().into(),
        words(act.agencies().iter().map(|id| id.as_str()).collect()),
        words(act.datasets().iter().map(|id| id.as_str()).collect()),
        words(act.alerts().iter().map(|id| id.as_str()).collect()),
        act.rule().map(ToString::to_string).unwrap_or_default(),
        method.into(),
        reason,
        count(act).map(|count| count.to_string()).unwrap_or_default(),
    ];
    format!("{}\r\n", cells.join(","))
}

fn count(act: &Act) -> Option<u64> {
    match act {
        Act::SyncAccepted { rows, .. } => Some(*rows),
        Act::ReleaseUsed { subjects, .. } => Some(*subjects),
        Act::EvaluationsRelayed { elements, .. } => Some(*elements),
        Act::OrdersReturned { orders, .. } => Some(orders.len() as u64),
        Act::RulesRun { changed, .. } => Some(*changed),
        Act::LogResumed { acts } => Some(*acts),
        Act::RulesListed { count }
        | Act::AgenciesListed { count }
        | Act::DatasetsListed { count }
        | Act::GrantsListed { count }
        | Act::EpochsListed { count }
        | Act::RefusalsListed { count }
        | Act::DisclosuresListed { count }
        | Act::CallsRefused { count, .. } => Some(*count),
        Act::LogRead { first, end } => Some(end.saturating_sub(*first)),
        Act::AlertsListed { alerts } | Act::AlertsDelivered { alerts, .. } => {
            Some(alerts.len() as u64)
        }
        _ => None,
    }
}
