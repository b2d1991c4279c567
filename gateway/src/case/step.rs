//! What officers do in cases: who may take which step, and the event that it is (PROTOCOL.md section
//! 19.6).
//!
//! Pure. Whether the event can follow is `lifecycle`'s business.

use jiff::{Timestamp, civil::Date};
use proto::{
    case_event::{AssistanceKind, CaseEvent, Outcome, ReturnReason, Tier},
    name::{AgencyId, DatasetId},
    region_code::RegionCode,
};

use super::{
    calendar::day,
    case_acts::Handled,
    lifecycle::{Case, Stage},
    terms::Terms,
};
use crate::authorise::{Officer, Register, Role};

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md section 19.6 says what they are")]
pub enum Step {
    Acknowledge,
    Return(ReturnReason),
    /// On a day, or today.
    Visit(Option<Date>),
    ReliefFirst(AssistanceKind),
    CompletePapers,
    GiveAssistance(AssistanceKind),
    RecordOutcome(Outcome),
    Close,
    ReturnOrder(DatasetId, u64, ReturnReason),
    Assign(AgencyId),
    Reroute(RegionCode),
    Reopen,
}

/// What a step is looked at with.
pub struct Situation<'a> {
    /// The time now.
    pub now: Timestamp,
    /// What the policy says.
    pub terms: &'a Terms,
    /// The alert's rule.
    pub rule: &'a str,
    /// Who is registered.
    pub register: &'a Register,
}

/// Why a step is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// The officer may not, ever or in this case now.
    NotTheirs(&'static str),
    /// The step says something that cannot be; the caller's fault.
    Argument(&'static str),
}

/// Whether an officer sees a case: it is in the own region, or it is theirs.
pub fn sees(officer: &Officer, handled: &Handled) -> bool {
    handled.region().starts_with(&officer.region) || has(officer, &handled.case)
}

fn has(officer: &Officer, case: &Case) -> bool {
    case.officer.as_ref() == Some(&officer.id)
}

/// A supervisor's tier: one whose region is a district's or more decides what is the district's.
fn tier(officer: &Officer) -> Option<Tier> {
    let supervises = officer.roles.contains(&Role::Supervisor);
    supervises.then_some(if officer.region.len() <= 6 { Tier::District } else { Tier::Street })
}

impl Step {
    /// Whether an officer who sees the case may take the step in it.
    ///
    /// # Errors
    /// [`NotTaken::NotTheirs`].
    pub fn permitted(&self, officer: &Officer, handled: &Handled) -> Result<(), NotTaken> {
        let (case, region) = (&handled.case, handled.region());
        let works = officer.roles.contains(&Role::Caseworker);
        let supervises = tier(officer).is_some() && region.starts_with(&officer.region);
        match self {
            Self::Acknowledge if works => Ok(()),
            Self::Acknowledge => Err(NotTaken::NotTheirs("only caseworkers take cases")),
            Self::Return(_) if works && (has(officer, case) || case.officer.is_none()) => Ok(()),
            Self::Assign(_) | Self::Reroute(_) | Self::Reopen => {
                if !supervises {
                    return Err(NotTaken::NotTheirs("only a supervisor of its region does this"));
                }
                decides(officer, case)
            }
            Self::RecordOutcome(_) if case.stage == Stage::Returned => {
                if !supervises {
                    let text = "the case was returned: a supervisor of its region decides";
                    return Err(NotTaken::NotTheirs(text));
                }
                decides(officer, case)
            }
            Self::RecordOutcome(_) | Self::Close | Self::ReturnOrder(..) if supervises => Ok(()),
            _ if works && has(officer, case) => Ok(()),
            _ => Err(NotTaken::NotTheirs(
                "the case is not yours: take it first, or have its supervisor assign it to you",
            )),
        }
    }

    /// The event that the step is.
    ///
    /// # Errors
    /// [`NotTaken::Argument`].
    pub fn event(&self, case: &Case, at: &Situation<'_>) -> Result<CaseEvent, NotTaken> {
        let Situation { now, terms, rule, register } = *at;
        let acknowledged_by = |tier| terms.due(now, terms.acknowledge(tier));
        Ok(match self {
            Self::Acknowledge => {
                CaseEvent::Acknowledged { due_at: terms.due(now, terms.visit(rule)) }
            }
            Self::Return(reason) => {
                let tier = terms.returned_to(case.returns + 1).max(case.tier);
                let due_at = acknowledged_by(tier);
                CaseEvent::Returned { reason: *reason, tier, due_at }
            }
            Self::Visit(on) => {
                let on = on.unwrap_or_else(|| day(now));
                if on > day(now) || on < day(now).saturating_sub(jiff::Span::new().days(60)) {
                    let text = "a visit is recorded within 60 days after it, and not before it";
                    return Err(NotTaken::Argument(text));
                }
                CaseEvent::Visited { on, due_at: terms.due(now, terms.decide) }
            }
            Self::ReliefFirst(kind) => {
                let papers_due_at = terms.due(now, terms.papers);
                CaseEvent::ReliefFirst { kind: *kind, papers_due_at }
            }
            Self::CompletePapers => CaseEvent::PapersCompleted {},
            Self::GiveAssistance(kind) => CaseEvent::AssistanceGiven { kind: *kind },
            Self::RecordOutcome(outcome) => CaseEvent::OutcomeRecorded { outcome: *outcome },
            Self::Close => CaseEvent::Closed { until: terms.suppressed_until(rule, now) },
            Self::ReturnOrder(dataset, order, reason) => {
                let (dataset, order) = (dataset.clone(), *order);
                CaseEvent::OrderReturned { dataset, order, reason: *reason }
            }
            Self::Assign(id) => {
                if !register.is_caseworker(id) {
                    return Err(NotTaken::Argument("officer: nobody of this id is a caseworker"));
                }
                let due_at = acknowledged_by(Tier::Worker);
                CaseEvent::Assigned { officer: id.clone(), due_at }
            }
            Self::Reroute(region) => {
                if !register.works_in(region) {
                    return Err(NotTaken::Argument("region: no caseworker is registered for it"));
                }
                let (region, tier) = (region.clone(), Tier::Worker);
                CaseEvent::Routed { region, tier, due_at: acknowledged_by(tier) }
            }
            Self::Reopen => CaseEvent::Reopened { due_at: acknowledged_by(Tier::Worker) },
        })
    }
}

/// After too many returns the street does not send it on again.
fn decides(officer: &Officer, case: &Case) -> Result<(), NotTaken> {
    let districts = case.stage == Stage::Returned && case.tier == Tier::District;
    if districts && tier(officer) != Some(Tier::District) {
        return Err(NotTaken::NotTheirs("the case was returned too often: the district decides"));
    }
    Ok(())
}
