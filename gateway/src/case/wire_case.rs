//! Cases, their events and filters as messages.

use jiff::Timestamp;
use proto::{
    case_event::{AssistanceKind, CaseEvent, Deadline, Outcome, ReturnReason, Tier},
    entry::Actor,
    wire,
};

use super::{
    case_acts::{Handled, Happened},
    case_list::{View, tier_number},
    cases::{number_of, stage_number},
    lifecycle::{Order, Stage},
    terms::due_in,
};
use crate::{
    authorise::Officer,
    refusal::Refusal,
    regions::Regions,
    wire_alert::{label, timestamp},
};

/// What an officer sees, narrowed to a filter.
///
/// # Errors
/// [`Refusal::Argument`] naming the field.
pub fn view(filter: wire::CaseFilter, officer: &Officer) -> Result<View, Refusal> {
    let prefix = &filter.region_prefix;
    if prefix.len() > 12 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Argument("filter.region_prefix is up to 12 digits".into()));
    }
    let stage = |number: &i32| {
        Stage::ALL.into_iter().find(|stage| stage_number(*stage) == *number).ok_or_else(|| {
            Refusal::Argument("filter.stages holds a number that is no stage".into())
        })
    };
    let tier = match filter.tier() {
        wire::CaseTier::Unspecified => None,
        wire::CaseTier::Worker => Some(Tier::Worker),
        wire::CaseTier::Street => Some(Tier::Street),
        wire::CaseTier::District => Some(Tier::District),
    };
    Ok(View {
        region: officer.region.clone(),
        officer: officer.id.to_string(),
        stages: filter.stages.iter().map(stage).collect::<Result<_, _>>()?,
        within: filter.region_prefix,
        rule: Some(filter.rule).filter(|rule| !rule.is_empty()),
        situation: Some(filter.situation).filter(|situation| !situation.is_empty()),
        mine: filter.mine,
        overdue: filter.overdue,
        tier,
    })
}

/// One person's cases.
pub fn person(cases: &[Handled], now: Timestamp, regions: &Regions) -> wire::PersonCases {
    wire::PersonCases {
        subject: cases.first().map(|it| it.alert.subject.to_string()).unwrap_or_default(),
        cases: cases.iter().map(|it| case(it, now, regions)).collect(),
    }
}

/// A case.
pub fn case(handled: &Handled, now: Timestamp, regions: &Regions) -> wire::Case {
    let (alert, case) = (&handled.alert, &handled.case);
    let papers = case.relief.as_ref().and_then(|relief| relief.papers_due_at);
    let of_stage = due_in(case.stage).zip(case.due_at).map(|(what, at)| (at, deadline(what)));
    let papers_due = papers.map(|at| (at, wire::CaseDeadline::Papers));
    let due = of_stage.into_iter().chain(papers_due).min_by_key(|(at, _)| *at);
    let given = |emergency: bool| {
        case.disclosures.iter().any(|it| it.emergency.is_some_and(|was| was || !emergency))
    };
    wire::Case {
        alert: alert.id.clone(),
        rule: alert.rule.clone(),
        situation: alert.situation.clone(),
        subject: alert.subject.to_string(),
        alert_state: alert.state.number(),
        raised_at: Some(timestamp(alert.raised_at)),
        stage: stage_number(case.stage),
        tier: tier_number(case.tier),
        region: case.region.to_string(),
        officer: case.officer.as_ref().map(ToString::to_string).unwrap_or_default(),
        number: case.number,
        changed_at: Some(timestamp(handled.changed_at)),
        due_at: due.map(|(at, _)| timestamp(at)),
        due: due.map_or(0, |(_, what)| what.into()),
        overdue: due.is_some_and(|(at, _)| at <= now),
        relief_first: case.relief.as_ref().map_or(0, |relief| kind(relief.kind).into()),
        papers_due_at: papers.map(timestamp),
        assistance: case.assistance.iter().map(|it| kind(*it).into()).collect(),
        orders: case.orders.iter().map(order).collect(),
        urgency: number_of(case.open_orders().map(|order| order.urgency).max()),
        visited_on: case.visited_on.map(|on| on.to_string()).unwrap_or_default(),
        outcome: case.outcome.map_or(0, |it| outcome(it).into()),
        returns: case.returns,
        facts_gone: case.facts_gone,
        disclosed: given(false),
        disclosed_in_emergency: given(true),
        until: case.until.map(timestamp),
        joined_to: case.joined_to.as_ref().map(ToString::to_string).unwrap_or_default(),
        assist: alert.assist.clone(),
        region_label: regions.name(case.region.as_str()).as_ref().map(label),
    }
}

/// An event of a case.
pub fn happened(happened: &Happened, regions: &Regions) -> wire::CaseEvent {
    let mut message = event(&happened.event);
    message.number = happened.number;
    message.at = Some(timestamp(happened.at));
    message.region_label = regions.name(&message.region).as_ref().map(label);
    match &happened.by {
        Actor::Officer(id) => message.officer = id.to_string(),
        Actor::Agency(id) => message.agency = id.to_string(),
        Actor::Gateway | Actor::Unknown => {}
    }
    message
}

fn of(kind: wire::CaseEventKind) -> wire::CaseEvent {
    wire::CaseEvent { kind: kind.into(), ..Default::default() }
}

fn due(kind: wire::CaseEventKind, at: &Timestamp) -> wire::CaseEvent {
    wire::CaseEvent { due_at: Some(timestamp(*at)), ..of(kind) }
}

/// What happened, without who and when. The agency of a work order is who sent it.
fn event(event: &CaseEvent) -> wire::CaseEvent {
    use CaseEvent as E;
    use wire::CaseEventKind as K;
    match event {
        E::Opened { due_at } => due(K::Opened, due_at),
        E::Waiting {} => of(K::Waiting),
        E::Suppressed { until } => due(K::Suppressed, until),
        E::Routed { region, tier, due_at } => wire::CaseEvent {
            region: region.to_string(),
            tier: tier_number(*tier),
            ..due(K::Routed, due_at)
        },
        E::Assigned { officer, due_at } => {
            wire::CaseEvent { assigned: officer.to_string(), ..due(K::Assigned, due_at) }
        }
        E::Acknowledged { due_at } => due(K::Acknowledged, due_at),
        E::Returned { reason: why, tier, due_at } => wire::CaseEvent {
            reason: reason(*why).into(),
            tier: tier_number(*tier),
            ..due(K::Returned, due_at)
        },
        E::Escalated { missed, tier, due_at } => wire::CaseEvent {
            missed: deadline(*missed).into(),
            tier: tier_number(*tier),
            ..due(K::Escalated, due_at)
        },
        E::HelpRequested { agency, dataset, order, urgency } => wire::CaseEvent {
            agency: agency.to_string(),
            dataset: dataset.to_string(),
            order: *order,
            urgency: number_of(Some(*urgency)),
            ..of(K::HelpRequested)
        },
        E::JoinedTo { alert } => {
            wire::CaseEvent { joined_to: alert.to_string(), ..of(K::JoinedTo) }
        }
        E::OrderReturned { dataset, order, reason: why } => wire::CaseEvent {
            dataset: dataset.to_string(),
            order: *order,
            reason: reason(*why).into(),
            ..of(K::OrderReturned)
        },
        E::DisclosureAsked { disclosure } => {
            wire::CaseEvent { disclosure: hex::encode(disclosure.0), ..of(K::DisclosureAsked) }
        }
        E::Disclosed { disclosure, emergency } => wire::CaseEvent {
            disclosure: hex::encode(disclosure.0),
            emergency: *emergency,
            ..of(K::Disclosed)
        },
        E::Visited { on, due_at } => {
            wire::CaseEvent { visited_on: on.to_string(), ..due(K::Visited, due_at) }
        }
        E::ReliefFirst { kind: given, papers_due_at } => wire::CaseEvent {
            assistance: kind(*given).into(),
            ..due(K::ReliefFirst, papers_due_at)
        },
        E::PapersCompleted {} => of(K::PapersCompleted),
        E::AssistanceGiven { kind: given } => {
            wire::CaseEvent { assistance: kind(*given).into(), ..of(K::AssistanceGiven) }
        }
        E::OutcomeRecorded { outcome: what } => {
            wire::CaseEvent { outcome: outcome(*what).into(), ..of(K::OutcomeRecorded) }
        }
        E::Withdrawn {} => of(K::Withdrawn),
        E::Reopened { due_at } => due(K::Reopened, due_at),
        E::Closed { until } => due(K::Closed, until),
    }
}

fn order(order: &Order) -> wire::WorkOrder {
    wire::WorkOrder {
        agency: order.agency.to_string(),
        dataset: order.dataset.to_string(),
        order: order.order,
        urgency: number_of(Some(order.urgency)),
        returned: order.returned.map_or(0, |why| reason(why).into()),
    }
}

fn deadline(deadline: Deadline) -> wire::CaseDeadline {
    match deadline {
        Deadline::Acknowledge => wire::CaseDeadline::Acknowledge,
        Deadline::Visit => wire::CaseDeadline::Visit,
        Deadline::Decide => wire::CaseDeadline::Decide,
        Deadline::Papers => wire::CaseDeadline::Papers,
    }
}

fn reason(reason: ReturnReason) -> wire::ReturnReason {
    match reason {
        ReturnReason::WrongRegion => wire::ReturnReason::WrongRegion,
        ReturnReason::MovedAway => wire::ReturnReason::MovedAway,
        ReturnReason::NotOurDuty => wire::ReturnReason::NotOurDuty,
        ReturnReason::Duplicate => wire::ReturnReason::Duplicate,
        ReturnReason::Unreachable => wire::ReturnReason::Unreachable,
    }
}

fn kind(kind: AssistanceKind) -> wire::AssistanceKind {
    match kind {
        AssistanceKind::Money => wire::AssistanceKind::Money,
        AssistanceKind::Goods => wire::AssistanceKind::Goods,
        AssistanceKind::Service => wire::AssistanceKind::Service,
        AssistanceKind::TimeBank => wire::AssistanceKind::TimeBank,
    }
}

fn outcome(outcome: Outcome) -> wire::CaseOutcome {
    match outcome {
        Outcome::Dibao => wire::CaseOutcome::Dibao,
        Outcome::Marginal => wire::CaseOutcome::Marginal,
        Outcome::RigidExpenditure => wire::CaseOutcome::RigidExpenditure,
        Outcome::TemporaryRelief => wire::CaseOutcome::TemporaryRelief,
        Outcome::Referral => wire::CaseOutcome::Referral,
        Outcome::OtherHelp => wire::CaseOutcome::OtherHelp,
        Outcome::NoNeed => wire::CaseOutcome::NoNeed,
        Outcome::NotFound => wire::CaseOutcome::NotFound,
    }
}
