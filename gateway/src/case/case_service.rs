//! `CaseService`: what caseworkers and supervisors see of cases and do in them (PROTOCOL.md section 19).
//!
//! Who may ask was settled by `authorise`; every answer is narrowed to what the caller sees, and is in
//! the access log before it is given.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use proto::{
    alert_id::AlertId,
    wire::{self, case_service_server::CaseService},
};
use tonic::{Request, Response, Status};

use super::{
    case_list::{Place, Rank},
    cases::Cases,
    requests::Requests,
    wire_case, wire_step,
};
use crate::{
    audit::recorder::Recorder, authorise::caller, clock::Clock, policy_in_force::PolicyInForce,
    refusal::Refusal, regions::Regions, wire_alert,
};

const DEFAULT_PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 200;

/// The service.
pub struct CaseDesk {
    /// Cases.
    pub cases: Cases,
    /// To the desk.
    pub requests: Requests,
    /// Writes down who is shown what.
    pub recorder: Recorder,
    /// Labels.
    pub policy: Arc<PolicyInForce>,
    /// What regions are called.
    pub regions: Arc<Regions>,
    /// The time.
    pub clock: Clock,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl CaseService for CaseDesk {
    async fn list_cases(
        &self,
        request: Request<wire::ListCasesRequest>,
    ) -> Answer<wire::ListCasesResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let view = wire_case::view(request.filter.unwrap_or_default(), &caller.0)?;
        let size = match request.page_size {
            0 => DEFAULT_PAGE,
            size if size <= LARGEST_PAGE => size,
            _ => return Err(Refusal::Argument("page_size is 200 at most".into()).into()),
        };
        let place = place(&request.page_token, self.clock.now())?;
        let page = self.cases.page(&view, &place, size as usize).await;
        let (page, next) = page.map_err(Refusal::from)?;
        let page = self.recorder.open(&caller.actor(), page).await.map_err(Refusal::from)?;
        let person = |cases: &Vec<_>| wire_case::person(cases, place.as_of, &self.regions);
        Ok(Response::new(wire::ListCasesResponse {
            people: page.what().0.iter().map(person).collect(),
            next_page_token: next.as_ref().map(token).unwrap_or_default(),
            logged: Some(self.recorder.place(page.index())),
        }))
    }

    async fn get_case(
        &self,
        request: Request<wire::GetCaseRequest>,
    ) -> Answer<wire::GetCaseResponse> {
        let caller = caller(&request)?;
        let id = alert(&request.get_ref().alert)?;
        let view = wire_case::view(wire::CaseFilter::default(), &caller.0)?;
        let file = self.cases.file(&view, &id).await.map_err(Refusal::from)?;
        // A case elsewhere is as good as none.
        let file = file.ok_or(Refusal::NotFound("no case of yours has this id"))?;
        let file = self.recorder.open(&caller.actor(), file).await.map_err(Refusal::from)?;
        let (policy, what) = (self.policy.current(), file.what());
        let happened = |it| wire_case::happened(it, &self.regions);
        let found = &what.handled.alert;
        let rule = policy.rules.iter().find(|rule| rule.id == found.rule);
        Ok(Response::new(wire::GetCaseResponse {
            case: Some(wire_case::case(&what.handled, self.clock.now(), &self.regions)),
            history: what.history.iter().map(happened).collect(),
            rule_label: rule.map(|rule| wire_alert::label(&rule.label)),
            situation_label: policy.catalogue.situation(&found.situation).map(wire_alert::label),
            assist: wire_alert::measures(&found.assist, &policy.catalogue),
            others: what.others.iter().map(ToString::to_string).collect(),
            logged: Some(self.recorder.place(file.index())),
        }))
    }

    async fn step(&self, request: Request<wire::StepRequest>) -> Answer<wire::StepResponse> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = alert(&request.alert)?;
        let step = request.step.ok_or(Refusal::Argument("step: one is needed".into()))?;
        let step = wire_step::step(step)?;
        let taken = self.requests.step(caller.0, id, request.after, step).await?;
        Ok(Response::new(wire::StepResponse {
            case: Some(wire_case::case(&taken.handled, self.clock.now(), &self.regions)),
            logged: Some(self.recorder.place(taken.index)),
        }))
    }
}

fn alert(text: &str) -> Result<AlertId, Refusal> {
    text.parse().map_err(|error: proto::alert_id::InvalidAlertId| {
        Refusal::Argument(format!("alert: {error}"))
    })
}

fn token(place: &Place) -> String {
    let Some(Rank { urgency, overdue, situations, due_at, subject }) = &place.after else {
        return String::new();
    };
    let (urgency, overdue, situations) = (urgency.0, overdue.0, situations.0);
    let as_of = place.as_of.as_second();
    let text = format!("{as_of} {urgency} {overdue} {situations} {due_at} {subject}");
    URL_SAFE_NO_PAD.encode(text)
}

fn place(token: &str, now: Timestamp) -> Result<Place, Refusal> {
    use std::cmp::Reverse;
    if token.is_empty() {
        return Ok(Place { as_of: now, after: None });
    }
    let parse = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let words: Vec<&str> = text.split(' ').collect();
        let [as_of, urgency, overdue, situations, due_at, subject] = words[..] else { return None };
        let as_of = Timestamp::from_second(as_of.parse().ok()?).ok()?;
        let after = Rank {
            urgency: Reverse(urgency.parse().ok()?),
            overdue: Reverse(overdue.parse().ok()?),
            situations: Reverse(situations.parse().ok()?),
            due_at: due_at.parse().ok()?,
            subject: subject.to_owned(),
        };
        Some(Place { as_of, after: Some(after) })
    };
    let text = "page_token is none that this gateway gave: begin with an empty one";
    parse().ok_or_else(|| Refusal::Argument(text.into()))
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::*;

    #[test]
    fn a_page_token_comes_back_as_the_place_it_was_given_for_and_no_other_does() {
        let now = Timestamp::from_second(1_000).expect("a time");
        let after = Rank {
            urgency: Reverse(2),
            overdue: Reverse(true),
            situations: Reverse(3),
            due_at: 17,
            subject: "ab".into(),
        };
        let given = Place { as_of: now, after: Some(after) };
        assert_eq!(place(&token(&given), Timestamp::MAX).ok(), Some(given));
        assert!(matches!(place("", now), Ok(Place { after: None, .. })));
        for bad in
            ["x", "####", &URL_SAFE_NO_PAD.encode("17"), &URL_SAFE_NO_PAD.encode("a b c d e f")]
        {
            assert!(matches!(place(bad, now), Err(Refusal::Argument(_))), "{bad}");
        }
    }
}
