//! What the desk answers to those who ask it: a step is taken or refused, and if another was faster the
//! refusal says who, and what they did.

use std::sync::Arc;

use proto::{alert_id::AlertId, case_event::CaseEvent, entry::Actor};

use super::{
    case_acts::{Change, Handled, Happened},
    cases::Alongside,
    desk::{Desk, DeskError},
    requests::{Request, Taken},
    step::{NotTaken, Situation, Step, sees},
};
use crate::{authorise::Officer, refusal::Refusal};

impl From<DeskError> for Refusal {
    fn from(error: DeskError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<NotTaken> for Refusal {
    fn from(not_taken: NotTaken) -> Self {
        match not_taken {
            NotTaken::NotTheirs(text) => Self::NotPermitted(text),
            NotTaken::Argument(text) => Self::Argument(text.into()),
        }
    }
}

impl Desk {
    /// Answers one request. Whoever asked may have gone away.
    pub(super) async fn answer(&mut self, request: Request) {
        match request {
            Request::Step { officer, alert, after, step, answer } => {
                let _ = answer.send(self.step(officer, &alert, after, &step).await);
            }
            Request::Event { by, alert, event, alongside, answer } => {
                let _ = answer.send(self.event(&by, &alert, event, &*alongside).await);
            }
        }
    }

    async fn step(
        &mut self,
        officer: Arc<Officer>,
        id: &AlertId,
        after: u64,
        step: &Step,
    ) -> Result<Taken, Refusal> {
        let nothing = || Refusal::NotFound("no case of yours has this id");
        let found = self.found(id).await?.ok_or_else(nothing)?;
        if !sees(&officer, &found) {
            return Err(nothing());
        }
        if found.case.number != after {
            return Err(self.faster(id, after).await?);
        }
        step.permitted(&officer, &found)?;
        let policy = self.parts.policy.current();
        let situation = Situation {
            now: self.parts.clock.now(),
            terms: &policy.cases,
            rule: &found.alert.rule,
            register: &self.parts.register,
        };
        let event = step.event(&found.case, &situation)?;
        let by = Actor::Officer(officer.id.clone());
        let index = self.come_about(&by, found, event, None).await?;
        let gone = Refusal::Internal("a case that was written is not there");
        Ok(Taken { handled: self.found(id).await?.ok_or(gone)?, index })
    }

    async fn event(
        &mut self,
        by: &Actor,
        id: &AlertId,
        event: CaseEvent,
        alongside: &dyn Alongside,
    ) -> Result<u64, Refusal> {
        let found = self.found(id).await?;
        let found = found.ok_or(Refusal::NotFound("no case has this id"))?;
        self.come_about(by, found, event, Some(alongside)).await
    }

    /// One event, and what the gateway does by itself after it; the index of its entry.
    async fn come_about(
        &mut self,
        by: &Actor,
        found: Handled,
        event: CaseEvent,
        alongside: Option<&dyn Alongside>,
    ) -> Result<u64, Refusal> {
        let Handled { alert, case, .. } = found;
        let next = case.apply(&event, by);
        let case = next.map_err(|refused| Refusal::NotPossible(refused.to_string()))?;
        let id = super::case_acts::id(&alert);
        // Until what follows from it is written.
        let wake_at = Some(self.parts.clock.now());
        let change = Change { alert: id, case, events: vec![event], wake_at };
        let revision = self.revision();
        let index = self.commit(by, vec![change], revision, alongside).await?;
        let policy = self.parts.policy.current();
        if let Err(error) = self.settle_person(alert.subject, &policy).await {
            tracing::error!(%error, "what follows from a step is tried again");
        }
        index.ok_or(Refusal::Internal("an event that was written has no entry"))
    }

    async fn found(&self, id: &AlertId) -> Result<Option<Handled>, Refusal> {
        Ok(self.parts.cases.handled(id.as_str()).await?)
    }

    /// Who was faster than somebody who knows a case up to an event.
    async fn faster(&self, id: &AlertId, after: u64) -> Result<Refusal, Refusal> {
        let history = self.parts.cases.history(id).await?;
        let next = history.iter().find(|happened| happened.number > after);
        let Some(Happened { by, at, event, .. }) = next else {
            return Ok(Refusal::OutOfDate("the case has not come so far".into()));
        };
        let who = match by {
            Actor::Officer(officer) => officer.to_string(),
            Actor::Agency(agency) => format!("agency {agency}"),
            Actor::Gateway | Actor::Unknown => "the gateway".into(),
        };
        let word = event.word().replace('_', " ");
        Ok(Refusal::OutOfDate(format!("{who} was faster ({word}, {at})")))
    }
}
