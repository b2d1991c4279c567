//! Statistics as JSON: field names are the proto's, as in `ctl::json`.

use proto::wire::{Count, LogPlace, Statistics, StatisticsLine};
use serde_json::{Value, json};

use crate::{
    json::{label, place},
    moment::rfc3339,
};

/// Statistics, with their digest and the place of the entry that tells of this answer.
pub fn statistics(statistics: &Statistics, digest: &[u8], logged: Option<&LogPlace>) -> Value {
    let tables = statistics.tables.iter().map(|table| {
        json!({
            "id": table.id,
            "rows": table.rows.iter().map(line).collect::<Value>(),
            "columns": table.columns.iter().map(line).collect::<Value>(),
            "cells": table.cells.iter().map(count).collect::<Value>(),
        })
    });
    let delays = statistics.delays.iter().map(|delay| {
        json!({
            "rule": delay.rule,
            "label": label(delay.label.as_ref()),
            "visited": delay.visited.as_ref().map(count),
            "median_hours": delay.median_hours,
            "p90_hours": delay.p90_hours,
        })
    });
    json!({
        "period": statistics.period,
        "made_at": rfc3339(statistics.made_at.as_ref()),
        "policy_version": hex::encode(&statistics.policy_version),
        "tables": tables.collect::<Value>(),
        "delays": delays.collect::<Value>(),
        "stale_datasets": statistics.stale_datasets,
        "digest": hex::encode(digest),
        "logged": logged.map(place),
    })
}

fn line(line: &StatisticsLine) -> Value {
    json!({ "id": line.id, "above": line.above, "label": label(line.label.as_ref()) })
}

fn count(count: &Count) -> Value {
    json!({ "value": count.value, "suppressed": count.suppressed })
}
