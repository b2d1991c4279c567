//! Cases as JSON: field and enum names are the proto's, as in `ctl::json`.

use proto::wire;
use serde_json::{Value, json};

use crate::{
    json::{explained_alert, label, measures, named, place},
    moment::rfc3339,
};

/// A `ListCasesResponse`, of all the pages read, and the place of each page's entry in the log.
pub fn list(response: &wire::ListCasesResponse, logged: &[wire::LogPlace]) -> Value {
    let person = |person: &wire::PersonCases| json!({ "subject": person.subject, "cases": person.cases.iter().map(case).collect::<Value>() });
    json!({
        "people": response.people.iter().map(person).collect::<Value>(),
        "next_page_token": response.next_page_token,
        "logged": logged.iter().map(place).collect::<Value>(),
    })
}

/// A `GetCaseResponse`, and the alert's explanation where it could be seen.
pub fn shown(response: &wire::GetCaseResponse, why: Option<&wire::GetAlertResponse>) -> Value {
    json!({
        "case": response.case.as_ref().map(case),
        "history": response.history.iter().map(event).collect::<Value>(),
        "rule_label": label(response.rule_label.as_ref()),
        "situation_label": label(response.situation_label.as_ref()),
        "assist": measures(&response.assist),
        "others": response.others,
        "logged": response.logged.as_ref().map(place),
        "explanation": why.map(explained_alert),
    })
}

/// A `StepResponse`.
pub fn step(response: &wire::StepResponse) -> Value {
    json!({
        "case": response.case.as_ref().map(case),
        "logged": response.logged.as_ref().map(place),
    })
}

fn case(case: &wire::Case) -> Value {
    let given = |kind: &i32| json!(named(*kind, wire::AssistanceKind::as_str_name));
    json!({
        "alert": case.alert,
        "rule": case.rule,
        "situation": case.situation,
        "subject": case.subject,
        "alert_state": named(case.alert_state, wire::AlertState::as_str_name),
        "raised_at": rfc3339(case.raised_at.as_ref()),
        "stage": named(case.stage, wire::CaseStage::as_str_name),
        "tier": named(case.tier, wire::CaseTier::as_str_name),
        "region": case.region,
        "region_label": label(case.region_label.as_ref()),
        "officer": case.officer,
        "number": case.number,
        "changed_at": rfc3339(case.changed_at.as_ref()),
        "due_at": rfc3339(case.due_at.as_ref()),
        "due": named(case.due, wire::CaseDeadline::as_str_name),
        "overdue": case.overdue,
        "relief_first": named(case.relief_first, wire::AssistanceKind::as_str_name),
        "papers_due_at": rfc3339(case.papers_due_at.as_ref()),
        "assistance": case.assistance.iter().map(given).collect::<Value>(),
        "orders": case.orders.iter().map(order).collect::<Value>(),
        "urgency": named(case.urgency, wire::Urgency::as_str_name),
        "visited_on": case.visited_on,
        "outcome": named(case.outcome, wire::CaseOutcome::as_str_name),
        "returns": case.returns,
        "facts_gone": case.facts_gone,
        "disclosed": case.disclosed,
        "disclosed_in_emergency": case.disclosed_in_emergency,
        "until": rfc3339(case.until.as_ref()),
        "joined_to": case.joined_to,
        "assist": case.assist,
    })
}

fn order(order: &wire::WorkOrder) -> Value {
    json!({
        "agency": order.agency,
        "dataset": order.dataset,
        "order": order.order,
        "urgency": named(order.urgency, wire::Urgency::as_str_name),
        "returned": named(order.returned, wire::ReturnReason::as_str_name),
    })
}

fn event(event: &wire::CaseEvent) -> Value {
    json!({
        "number": event.number,
        "at": rfc3339(event.at.as_ref()),
        "officer": event.officer,
        "agency": event.agency,
        "kind": named(event.kind, wire::CaseEventKind::as_str_name),
        "due_at": rfc3339(event.due_at.as_ref()),
        "region": event.region,
        "region_label": label(event.region_label.as_ref()),
        "tier": named(event.tier, wire::CaseTier::as_str_name),
        "assigned": event.assigned,
        "reason": named(event.reason, wire::ReturnReason::as_str_name),
        "missed": named(event.missed, wire::CaseDeadline::as_str_name),
        "dataset": event.dataset,
        "order": event.order,
        "urgency": named(event.urgency, wire::Urgency::as_str_name),
        "joined_to": event.joined_to,
        "disclosure": event.disclosure,
        "emergency": event.emergency,
        "visited_on": event.visited_on,
        "assistance": named(event.assistance, wire::AssistanceKind::as_str_name),
        "outcome": named(event.outcome, wire::CaseOutcome::as_str_name),
    })
}
