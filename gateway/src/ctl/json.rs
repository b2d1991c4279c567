//! Messages as JSON: field and enum names are the proto's, bytes are hex, times RFC 3339.
//!
//! An absent message is null; a repeated field is always an array.

use proto::wire;
use serde_json::{Value, json};

use crate::moment::rfc3339;

/// A label, or null.
pub fn label(label: Option<&wire::Label>) -> Value {
    label.map_or(Value::Null, |label| json!({ "zh": label.zh, "en": label.en }))
}

/// Measures, by id and label.
pub fn measures(measures: &[wire::Measure]) -> Value {
    measures.iter().map(|m| json!({ "id": m.id, "label": label(m.label.as_ref()) })).collect()
}

/// An enum's name in the proto; the number itself where this program does not know it.
pub fn named<E: TryFrom<i32>>(number: i32, name: impl Fn(&E) -> &'static str) -> Value {
    E::try_from(number).map_or(json!(number), |value| json!(name(&value)))
}

/// An `Alert`.
pub fn alert(alert: &wire::Alert) -> Value {
    json!({
        "id": alert.id,
        "rule": alert.rule,
        "rule_version": hex::encode(&alert.rule_version),
        "situation": alert.situation,
        "state": named(alert.state, wire::AlertState::as_str_name),
        "region": alert.region,
        "region_label": label(alert.region_label.as_ref()),
        "subject": alert.subject,
        "raised_at": rfc3339(alert.raised_at.as_ref()),
        "changed_at": rfc3339(alert.changed_at.as_ref()),
        "due_at": rfc3339(alert.due_at.as_ref()),
        "assist": alert.assist,
        "revision": alert.revision,
        "witnessed": alert.witnessed,
    })
}

/// Where the log has it.
pub fn place(place: &wire::LogPlace) -> Value {
    json!({ "origin": place.origin, "index": place.index })
}

/// A `ListAlertsResponse`, of all the pages read, and the place of each page's entry in the log.
pub fn alerts(response: &wire::ListAlertsResponse, logged: &[wire::LogPlace]) -> Value {
    json!({
        "alerts": response.alerts.iter().map(alert).collect::<Value>(),
        "next_page_token": response.next_page_token,
        "logged": logged.iter().map(place).collect::<Value>(),
    })
}

/// A `GetAlertResponse`.
pub fn explained_alert(response: &wire::GetAlertResponse) -> Value {
    json!({
        "alert": response.alert.as_ref().map(alert),
        "findings": response.findings.iter().map(finding).collect::<Value>(),
        "rule_label": label(response.rule_label.as_ref()),
        "situation_label": label(response.situation_label.as_ref()),
        "assist": measures(&response.assist),
        "logged": response.logged.as_ref().map(place),
    })
}

fn finding(finding: &wire::Finding) -> Value {
    json!({
        "part": named(finding.part, wire::RulePart::as_str_name),
        "predicate": finding.predicate,
        "truth": named(finding.truth, wire::Truth::as_str_name),
        "dataset": finding.dataset,
        "agency": finding.agency,
        "label": label(finding.label.as_ref()),
        "as_of": rfc3339(finding.as_of.as_ref()),
    })
}

/// A `Rule`.
pub fn rule(rule: &wire::Rule) -> Value {
    json!({
        "id": rule.id,
        "version": hex::encode(&rule.version),
        "label": label(rule.label.as_ref()),
        "situation": rule.situation,
        "situation_label": label(rule.situation_label.as_ref()),
        "when": rule.when,
        "unless": rule.unless,
        "means": rule.means,
        "assist": measures(&rule.assist),
        "due_hours": rule.due_hours,
        "stale_datasets": rule.stale_datasets,
    })
}

/// A `ListRulesResponse`.
pub fn rules(response: &wire::ListRulesResponse) -> Value {
    json!({
        "rules": response.rules.iter().map(rule).collect::<Value>(),
        "policy_version": hex::encode(&response.policy_version),
        "working_days_until": response.working_days_until,
        "working_days_end_soon": response.working_days_end_soon,
    })
}

/// An `EvaluateRuleResponse`.
pub fn evaluation(response: &wire::EvaluateRuleResponse) -> Value {
    let count = |count: Option<wire::Count>| {
        count.map(|count| json!({ "value": count.value, "suppressed": count.suppressed }))
    };
    json!({
        "alerts": count(response.alerts),
        "covered": count(response.covered),
        "over_means": count(response.over_means),
        "pending": count(response.pending),
        "base": count(response.base),
    })
}

/// A `ReloadPolicyResponse`.
pub fn reload(response: &wire::ReloadPolicyResponse) -> Value {
    json!({
        "policy_version": hex::encode(&response.policy_version),
        "rules": response.rules,
    })
}

/// A `ListAgenciesResponse`.
pub fn agencies(response: &wire::ListAgenciesResponse) -> Value {
    let agency = |status: &wire::AgencyStatus| {
        json!({
            "agency": status.agency,
            "address": status.address,
            "connected": status.connected,
            "since": rfc3339(status.since.as_ref()),
            "problem": status.problem,
            "datasets": status.datasets,
            "evaluations_carried": status.evaluations_carried,
            "evaluations_refused": status.evaluations_refused,
            "witness_problem": status.witness_problem,
        })
    };
    let witnesses = response.witnesses.as_ref().map(|witnesses| {
        json!({
            "log_size": witnesses.log_size,
            "cosigned_size": witnesses.cosigned_size,
            "cosigned_at": rfc3339(witnesses.cosigned_at.as_ref()),
            "connected": witnesses.connected,
            "needed": witnesses.needed,
            "well": witnesses.well,
        })
    });
    let agencies = response.agencies.iter().map(agency).collect::<Value>();
    json!({ "agencies": agencies, "witnesses": witnesses })
}

/// A `ListDatasetsResponse`.
pub fn datasets(response: &wire::ListDatasetsResponse) -> Value {
    let scope = response.scope.as_ref().map(|scope| {
        json!({
            "programme": scope.programme,
            "epoch": scope.epoch,
            "suite": named(scope.suite, wire::Suite::as_str_name),
        })
    });
    json!({
        "scope": scope,
        "datasets": response.datasets.iter().map(dataset).collect::<Value>(),
    })
}

fn dataset(status: &wire::DatasetStatus) -> Value {
    let cursor = status
        .cursor
        .as_ref()
        .map(|cursor| json!({ "log": hex::encode(&cursor.log), "version": cursor.version }));
    json!({
        "dataset": status.dataset,
        "agency": status.agency,
        "kind": named(status.kind, wire::DatasetKind::as_str_name),
        "freshness": named(status.freshness, wire::Freshness::as_str_name),
        "cursor": cursor,
        "as_of": rfc3339(status.as_of.as_ref()),
        "rows": status.rows,
        "problem": status.problem,
        "unopenable": status.unopenable,
        "arriving": status.arriving,
    })
}

/// A `ListGrantsResponse`.
pub fn grants(response: &wire::ListGrantsResponse) -> Value {
    let grant = |status: &wire::GrantStatus| {
        json!({
            "dataset": status.dataset,
            "owner": status.owner,
            "grantee": status.grantee,
            "problem": status.problem,
        })
    };
    json!({ "grants": response.grants.iter().map(grant).collect::<Value>() })
}

/// A `ListEpochsResponse`.
pub fn epochs(response: &wire::ListEpochsResponse) -> Value {
    let dataset = |dataset: &wire::EpochDataset| {
        json!({
            "dataset": dataset.dataset,
            "agency": dataset.agency,
            "rows": dataset.rows,
            "expected": dataset.expected,
            "gap": named(dataset.gap, wire::EpochGap::as_str_name),
            "problem": dataset.problem,
        })
    };
    let epoch = |epoch: &wire::EpochStatus| {
        json!({
            "epoch": epoch.scope.as_ref().map(|scope| scope.epoch),
            "in_force": epoch.in_force,
            "ends": rfc3339(epoch.ends.as_ref()),
            "datasets": epoch.datasets.iter().map(dataset).collect::<Value>(),
            "waiting_for": epoch.waiting_for,
        })
    };
    json!({ "epochs": response.epochs.iter().map(epoch).collect::<Value>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_has_the_names_of_the_proto_with_hex_bytes_and_rfc_3339_times() {
        let message = wire::Alert {
            id: "a-1".into(),
            rule: "illness-uncovered".into(),
            rule_version: vec![0xab, 0x01],
            state: wire::AlertState::Open.into(),
            raised_at: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            assist: vec!["dibao_application".into()],
            revision: 7,
            witnessed: true,
            ..Default::default()
        };
        let expected = json!({
            "id": "a-1", "rule": "illness-uncovered", "rule_version": "ab01", "situation": "",
            "state": "ALERT_STATE_OPEN", "region": "", "region_label": null, "subject": "",
            "raised_at": "1970-01-01T00:00:00Z", "changed_at": null, "due_at": null,
            "assist": ["dibao_application"], "revision": 7, "witnessed": true,
        });
        assert_eq!(alert(&message), expected);
    }

    #[test]
    fn a_state_from_a_newer_gateway_is_its_number() {
        let message = wire::Alert { state: 99, ..Default::default() };
        assert_eq!(alert(&message)["state"], json!(99));
    }

    #[test]
    fn empty_lists_are_arrays_and_absent_messages_null() {
        let empty = alerts(&wire::ListAlertsResponse::default(), &[]);
        assert_eq!(empty, json!({ "alerts": [], "next_page_token": "", "logged": [] }));
        assert_eq!(evaluation(&wire::EvaluateRuleResponse::default())["base"], Value::Null);
        let none = datasets(&wire::ListDatasetsResponse::default());
        assert_eq!(none, json!({ "scope": null, "datasets": [] }));
    }

    #[test]
    fn a_suppressed_count_says_so() {
        let count = wire::Count { value: 0, suppressed: true };
        let response = wire::EvaluateRuleResponse { pending: Some(count), ..Default::default() };
        assert_eq!(evaluation(&response)["pending"], json!({ "value": 0, "suppressed": true }));
    }
}
