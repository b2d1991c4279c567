//! Steps as messages, read at the door.

use jiff::civil::Date;
use proto::{
    case_event::{AssistanceKind, Outcome, ReturnReason},
    wire::{self, step_request::Step as Message},
};

use super::step::Step;
use crate::refusal::Refusal;

/// The step that a message says.
///
/// # Errors
/// [`Refusal::Argument`] naming the field.
pub fn step(message: Message) -> Result<Step, Refusal> {
    Ok(match message {
        Message::Acknowledge(_) => Step::Acknowledge,
        Message::ReturnCase(it) => Step::Return(reason(it.reason())?),
        Message::Visit(it) if it.on.is_empty() => Step::Visit(None),
        Message::Visit(it) => Step::Visit(Some(date(&it.on)?)),
        Message::ReliefFirst(it) => Step::ReliefFirst(kind(it.kind())?),
        Message::Papers(_) => Step::CompletePapers,
        Message::Assistance(it) => Step::GiveAssistance(kind(it.kind())?),
        Message::Outcome(it) => Step::RecordOutcome(outcome(it.outcome())?),
        Message::Close(_) => Step::Close,
        Message::ReturnOrder(it) => {
            let dataset = it.dataset.parse().map_err(|_| unknown("dataset"))?;
            Step::ReturnOrder(dataset, it.order, reason(it.reason())?)
        }
        Message::Assign(it) => Step::Assign(it.officer.parse().map_err(|_| unknown("officer"))?),
        Message::Reroute(it) => {
            let region = it.region.parse();
            let said = |error| Refusal::Argument(format!("region: {error}"));
            Step::Reroute(
                region.map_err(|error: proto::region_code::InvalidRegionCode| said(error))?,
            )
        }
        Message::Reopen(_) => Step::Reopen,
    })
}

fn unknown(field: &str) -> Refusal {
    Refusal::Argument(format!("{field}: this is none that there is"))
}

fn date(text: &str) -> Result<Date, Refusal> {
    let said = || Refusal::Argument("on: a day is written as 2026-11-27".into());
    text.parse().map_err(|_| said())
}

fn reason(message: wire::ReturnReason) -> Result<ReturnReason, Refusal> {
    use wire::ReturnReason as W;
    Ok(match message {
        W::WrongRegion => ReturnReason::WrongRegion,
        W::MovedAway => ReturnReason::MovedAway,
        W::NotOurDuty => ReturnReason::NotOurDuty,
        W::Duplicate => ReturnReason::Duplicate,
        W::Unreachable => ReturnReason::Unreachable,
        W::Unspecified => return Err(unknown("reason")),
    })
}

fn kind(message: wire::AssistanceKind) -> Result<AssistanceKind, Refusal> {
    use wire::AssistanceKind as W;
    Ok(match message {
        W::Money => AssistanceKind::Money,
        W::Goods => AssistanceKind::Goods,
        W::Service => AssistanceKind::Service,
        W::TimeBank => AssistanceKind::TimeBank,
        W::Unspecified => return Err(unknown("kind")),
    })
}

fn outcome(message: wire::CaseOutcome) -> Result<Outcome, Refusal> {
    use wire::CaseOutcome as W;
    Ok(match message {
        W::Dibao => Outcome::Dibao,
        W::Marginal => Outcome::Marginal,
        W::RigidExpenditure => Outcome::RigidExpenditure,
        W::TemporaryRelief => Outcome::TemporaryRelief,
        W::Referral => Outcome::Referral,
        W::OtherHelp => Outcome::OtherHelp,
        W::NoNeed => Outcome::NoNeed,
        W::NotFound => Outcome::NotFound,
        W::Unspecified => return Err(unknown("outcome")),
    })
}
