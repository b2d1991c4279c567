//! The report of a month: alerts, outcomes, assistance, and how long the visit took (PROTOCOL.md section 23.3).

use std::collections::BTreeMap;

use proto::{
    case_event::{AssistanceKind, CaseEvent, Outcome},
    wire,
};

use super::{
    counts::{Counts, Path, region_path},
    delay,
    names::Names,
    records::{Happened, Raised},
};
use crate::policy::Policy;

/// The tables and delays of a period.
pub fn of(
    raised: &[Raised],
    happened: &[Happened],
    names: &Names<'_>,
) -> (Vec<wire::StatisticsTable>, Vec<wire::VisitDelay>) {
    let rules: Vec<String> = names.policy.rules.iter().map(|rule| rule.id.clone()).collect();
    let label = |id: &str| names.label(id);
    let tables = vec![
        alerts(raised).table("raised", (&[], &rule_paths(names.policy)), label),
        outcomes(happened).table("outcomes", (&[], &outcome_paths()), label),
        assistance(happened).table("assistance", (&[], &KINDS.map(|kind| path(&[kind]))), label),
    ];
    (tables, delay::of(happened, &rules, label))
}

fn alerts(raised: &[Raised]) -> Counts {
    let mut counts = Counts::default();
    for Raised { region, rule, situation } in raised {
        counts.add(region_path(region), rule_path(situation, rule), 1);
    }
    counts
}

/// Every case with the last outcome of the period.
fn outcomes(happened: &[Happened]) -> Counts {
    let mut last: BTreeMap<&str, (&str, Outcome)> = BTreeMap::new();
    for event in happened {
        if let CaseEvent::OutcomeRecorded { outcome } = event.event {
            last.insert(&event.alert, (&event.rule, outcome));
        }
    }
    let mut counts = Counts::default();
    for (rule, outcome) in last.into_values() {
        counts.add(vec![rule.to_owned()], outcome_path(outcome), 1);
    }
    counts
}

fn assistance(happened: &[Happened]) -> Counts {
    let mut counts = Counts::default();
    for event in happened {
        if let CaseEvent::AssistanceGiven { kind } | CaseEvent::ReliefFirst { kind, .. } =
            event.event
        {
            counts.add(region_path(&event.region), path(&[kind_word(kind)]), 1);
        }
    }
    counts
}

const KINDS: [&str; 4] = ["money", "goods", "service", "time_bank"];

fn kind_word(kind: AssistanceKind) -> &'static str {
    match kind {
        AssistanceKind::Money => KINDS[0],
        AssistanceKind::Goods => KINDS[1],
        AssistanceKind::Service => KINDS[2],
        AssistanceKind::TimeBank => KINDS[3],
    }
}

fn outcome_paths() -> Vec<Path> {
    let all = [
        Outcome::Dibao,
        Outcome::Marginal,
        Outcome::RigidExpenditure,
        Outcome::TemporaryRelief,
        Outcome::Referral,
        Outcome::OtherHelp,
        Outcome::NoNeed,
        Outcome::NotFound,
    ];
    all.map(outcome_path).to_vec()
}

/// Whether the rule was right in what it said, and what came of it.
fn outcome_path(outcome: Outcome) -> Path {
    match outcome {
        Outcome::Dibao => path(&["judged", "right", "dibao"]),
        Outcome::Marginal => path(&["judged", "right", "marginal"]),
        Outcome::RigidExpenditure => path(&["judged", "right", "rigid_expenditure"]),
        Outcome::TemporaryRelief => path(&["judged", "right", "temporary_relief"]),
        Outcome::Referral => path(&["judged", "right", "referral"]),
        Outcome::OtherHelp => path(&["judged", "right", "other_help"]),
        Outcome::NoNeed => path(&["judged", "wrong", "no_need"]),
        Outcome::NotFound => path(&["not_found"]),
    }
}

fn rule_paths(policy: &Policy) -> Vec<Path> {
    policy.rules.iter().map(|rule| rule_path(&rule.situation, &rule.id)).collect()
}

fn rule_path(situation: &str, rule: &str) -> Path {
    vec![situation.to_owned(), format!("{situation}/{rule}")]
}

fn path(words: &[&str]) -> Path {
    words.iter().map(|word| (*word).to_owned()).collect()
}
