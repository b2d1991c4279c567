//! An officer at work on cases, by the services for staff.

use std::collections::BTreeSet;

use proto::{
    fault::reason_of,
    wire::{self, CaseStage, step_request::Step},
};
use tests::{
    deployment::{STREET_WORKER, Staff},
    running::until,
    staff_client::StaffClient,
    world::World,
};

/// An officer at a desk.
pub struct Office {
    /// The connection.
    pub client: StaffClient,
}

impl Office {
    /// The officer's, in a world.
    pub async fn of(world: &World, staff: &Staff) -> Self {
        Self { client: world.client(staff).await.expect("connected") }
    }

    /// The cases that a filter leaves, page by page.
    pub async fn list(&self, filter: wire::CaseFilter) -> Vec<wire::Case> {
        let mut cases = self.client.cases.clone();
        let (mut found, mut page_token) = (vec![], String::new());
        loop {
            let filter = Some(filter.clone());
            let request = wire::ListCasesRequest { filter, page_size: 7, page_token };
            let page = cases.list_cases(request).await.expect("listed").into_inner();
            assert!(page.people.len() <= 7);
            for person in page.people {
                assert!(person.cases.iter().all(|case| case.subject == person.subject));
                found.extend(person.cases);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    }

    /// Every case that the officer may see, whatever became of it.
    pub async fn all(&self) -> Vec<wire::Case> {
        let stages: Vec<i32> = (1..=11).collect();
        self.list(wire::CaseFilter { stages, ..Default::default() }).await
    }

    /// One case with its history, or why it is not shown.
    pub async fn file(&self, alert: &str) -> Result<wire::GetCaseResponse, String> {
        let request = wire::GetCaseRequest { alert: alert.to_owned() };
        let answer = self.client.cases.clone().get_case(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| refusal(&status))
    }

    /// One case that is there.
    pub async fn case(&self, alert: &str) -> wire::Case {
        self.file(alert).await.expect("seen").case.expect("always there")
    }

    /// A step after the last event.
    pub async fn step(&self, alert: &str, step: Step) -> Result<wire::Case, String> {
        let after = self.file(alert).await?.case.expect("always there").number;
        self.step_after(alert, after, step).await
    }

    /// A step after the event with this number, or why not.
    pub async fn step_after(
        &self,
        alert: &str,
        after: u64,
        step: Step,
    ) -> Result<wire::Case, String> {
        let request = wire::StepRequest { alert: alert.to_owned(), after, step: Some(step) };
        let answer = self.client.cases.clone().step(request).await;
        let answer = answer.map_err(|status| refusal(&status))?.into_inner();
        Ok(answer.case.expect("always there"))
    }

    /// Waits until a case is so.
    pub async fn until(&self, alert: &str, good: impl Fn(&wire::Case) -> bool) -> wire::Case {
        let look = || async { Ok(self.case(alert).await) };
        until(look, good).await.expect("it comes to that")
    }

    /// Waits until the cases that the officer may see are so.
    pub async fn until_all(&self, good: impl Fn(&Vec<wire::Case>) -> bool) -> Vec<wire::Case> {
        let look = || async { Ok(self.all().await) };
        until(look, good).await.expect("they come to that")
    }
}

fn refusal(status: &tonic::Status) -> String {
    format!("{}: {}", reason_of(status).unwrap_or_default(), status.message())
}

/// The cases that somebody sees, once every alert has one, and it has come as far as the alert.
pub async fn cases_of(world: &World, staff: &Staff) -> Vec<wire::Case> {
    let office = Office::of(world, staff).await;
    let alerts = office.client.clone().alerts().await.expect("alerts");
    let alerts: BTreeSet<String> = alerts.into_iter().map(|alert| alert.id).collect();
    let follows = |case: &wire::Case| {
        case.alert_state() != wire::AlertState::Open || case.stage() != CaseStage::Pending
    };
    let complete = |cases: &Vec<wire::Case>| {
        let there = |alert: &String| cases.iter().any(|case| case.alert == *alert);
        alerts.iter().all(there) && cases.iter().all(follows)
    };
    office.until_all(complete).await
}

/// A routed case of the street.
pub async fn routed(world: &World) -> String {
    let cases = cases_of(world, &STREET_WORKER).await;
    let routed = cases.iter().find(|case| case.stage() == CaseStage::Routed);
    routed.expect("the street has an open alert").alert.clone()
}

/// To take a case.
pub fn acknowledge() -> Step {
    Step::Acknowledge(wire::Acknowledge {})
}

/// To return it.
pub fn give_back(reason: wire::ReturnReason) -> Step {
    Step::ReturnCase(wire::ReturnCase { reason: reason.into() })
}

/// To have visited, today.
pub fn visit() -> Step {
    Step::Visit(wire::RecordVisit { on: String::new() })
}

/// To have given something.
pub fn assist(kind: wire::AssistanceKind) -> Step {
    Step::Assistance(wire::GiveAssistance { kind: kind.into() })
}

/// To record what came of it.
pub fn outcome(outcome: wire::CaseOutcome) -> Step {
    Step::Outcome(wire::RecordOutcome { outcome: outcome.into() })
}

/// To close it.
pub fn close() -> Step {
    Step::Close(wire::Close {})
}
