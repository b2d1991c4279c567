//! A disclosure is its case's: who took the case asks, and what happens to the case happens to it. A
//! vulnerable person's takes two approvers, whichever list says so.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use proto::{
    act::Act,
    disclosure_request::{DisclosureRequest, LegalBasis},
    fault::{Reason, reason_of},
    scope::Suite,
    wire::{self, CaseEventKind, DisclosureState},
};
use tests::{
    deployment::{APPROVER, CITY_DESK, CITY_HEAD, SECOND_APPROVER},
    tap::Tampering,
};
use tonic::Status;

use super::{officer::Officer, town::Town};

fn not_possible(refused: Result<(), Status>) -> String {
    let status = refused.expect_err("refused");
    assert_eq!(reason_of(&status).as_deref(), Some("NOT_POSSIBLE_NOW"), "{status:?}");
    status.message().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_officer_who_took_the_case_asks_and_others_are_told_who_that_is() {
    let town = Town::start(Suite::SaltedHash).await;
    let (desk, head) = (town.officer(&CITY_DESK).await, town.officer(&CITY_HEAD).await);
    let alert = town.open_alert(false).await;
    let early = desk.prepare_once_there_is_a_case(&town, &alert.id).await;
    assert!(early.message().contains("take it first"), "{early:?}");

    desk.take(&town, &alert.id).await;
    let request = desk.request(&alert).await;
    let refused = head.prepare(&alert.id).await.map(drop);
    assert!(not_possible(refused).starts_with("city-desk has the case"));
    head.takes_over(&alert.id).await;
    assert!(not_possible(desk.ask(&request).await).starts_with("city-head has the case"));
    assert_eq!(desk.told(&request).await, [], "nothing of it is in the case");
    assert!(desk.listed(&request).await.is_none(), "nor anywhere else");

    let own = head.request(&alert).await;
    head.ask(&own).await.expect("theirs now");
    let asked = [(CaseEventKind::DisclosureAsked, CITY_HEAD.id.to_owned())];
    assert_eq!(head.told(&own).await, asked);
}

/// Waits until a disclosure has ended because its case is another's.
async fn ends_with_the_case(town: &Town, desk: &Officer, request: &DisclosureRequest) {
    town.until(desk, request, DisclosureState::Declined).await;
    assert_eq!(desk.reason(request).await, Reason::NotPossibleNow.as_str());
    let refused = desk.collect(request).await.expect_err("nothing is kept");
    assert_eq!(reason_of(&refused).as_deref(), Some(Reason::NotFound.as_str()));
    let asked = [(CaseEventKind::DisclosureAsked, CITY_DESK.id.to_owned())];
    assert_eq!(desk.told(request).await, asked, "nothing was disclosed");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_and_no_agency_is_asked_once_the_case_is_anothers() {
    let mut town = Town::start(Suite::SaltedHash).await;
    let (desk, head) = (town.officer(&CITY_DESK).await, town.officer(&CITY_HEAD).await);
    let approver = town.officer(&APPROVER).await;
    let alert = town.alert().await;
    let approved = town.asked(&desk, &alert, 1).await;
    let late = town.asked(&desk, &alert, 1).await;
    town.world.stop_adapter(&approved.agency).await.expect("stopped");
    approver.approve(&approved).await.expect("approved");
    head.takes_over(&alert.id).await;
    assert!(not_possible(approver.approve(&late).await).contains("city-desk has the case no more"));
    approver.refuse(&late).await.expect("it can be refused");

    town.world.start_adapter(&approved.agency).await.expect("started");
    ends_with_the_case(&town, &desk, &approved).await;
    let course = [
        "disclosure_requested",
        "case_changed",
        "disclosure_approved",
        "disclosure_carried",
        "disclosure_declined",
    ];
    town.logged(&approved, &course).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_when_the_case_is_anothers_is_declined_and_not_kept() {
    let mut town = Town::start(Suite::SaltedHash).await;
    let alert = town.alert().await;
    let agency = town.officer(&CITY_DESK).await.request(&alert).await.agency;
    let tap = town.tap(&agency).await;
    let (desk, head) = (town.officer(&CITY_DESK).await, town.officer(&CITY_HEAD).await);
    let approver = town.officer(&APPROVER).await;
    let request = town.asked(&desk, &alert, 1).await;
    // The agency is asked, and does not hear of it until the case is another's.
    let (asked, hears) = mpsc::channel();
    let (moved, moves) = mpsc::channel::<()>();
    let (asked, moves) = (Mutex::new(asked), Mutex::new(moves));
    tap.tamper(Tampering {
        disclose: Some(Arc::new(move |message: wire::DiscloseRequest| {
            asked.lock().expect("no panics").send(()).expect("the test waits");
            let moves = moves.lock().expect("no panics");
            moves.recv_timeout(Duration::from_secs(60)).expect("the test goes on");
            message
        })),
        ..Default::default()
    });
    approver.approve(&request).await.expect("approved");
    let heard = tokio::task::spawn_blocking(move || hears.recv_timeout(Duration::from_secs(60)));
    heard.await.expect("no panics").expect("the agency is asked");
    head.takes_over(&alert.id).await;
    moved.send(()).expect("the agency waits");

    ends_with_the_case(&town, &desk, &request).await;
    let course = [
        "disclosure_requested",
        "case_changed",
        "disclosure_approved",
        "disclosure_carried",
        "disclosure_answered",
        "disclosure_declined",
    ];
    town.logged(&request, &course).await;
    town.log_shows("that the answer did not come about", |log| {
        let answered = log.iter().position(|e| matches!(e.act(), Act::DisclosureAnswered { .. }));
        let failed = |first: u64| {
            log.iter().any(|e| matches!(e.act(), Act::Failed { first: f, .. } if *f == first))
        };
        answered.is_some_and(|index| failed(index as u64))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whom_any_list_calls_vulnerable_takes_two_approvers() {
    let town = Town::start(Suite::SaltedHash).await;
    let (desk, first) = (town.officer(&CITY_DESK).await, town.officer(&APPROVER).await);
    let second = town.officer(&SECOND_APPROVER).await;
    let alert = town.alert_of_a_vulnerable_person().await;
    let request = desk.request(&alert).await;
    let mut urgent = desk.request(&alert).await;
    (urgent.emergency, urgent.legal_basis) = (true, LegalBasis::VitalInterest);
    desk.ask(&request).await.expect("asked");
    first.approve(&request).await.expect("approved");
    let listed = desk.listed(&request).await.expect("listed");
    assert_eq!((listed.approvers_needed, listed.state()), (2, DisclosureState::Asked));
    let twice = first.approve(&request).await.expect_err("one person is not two");
    assert_eq!(reason_of(&twice).as_deref(), Some(Reason::SelfApproved.as_str()));

    desk.ask(&urgent).await.expect("asked");
    let listed = desk.listed(&urgent).await.expect("listed");
    assert_eq!((listed.approvers_needed, listed.state()), (1, DisclosureState::Asked));
    town.log_shows("that neither was carried", |log| {
        let asked = log.iter().filter(|e| e.act().word() == "disclosure_requested").count();
        asked == 2 && log.iter().all(|e| e.act().word() != "disclosure_carried")
    })
    .await;

    second.approve(&request).await.expect("approved");
    second.approve(&urgent).await.expect("approved");
    for request in [&request, &urgent] {
        town.until(&desk, request, DisclosureState::Answered).await;
        desk.open(&town, request).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_of_whom_a_late_list_says_nothing_takes_two_approvers() {
    let mut town = Town::start(Suite::SaltedHash).await;
    let (desk, approver) = (town.officer(&CITY_DESK).await, town.officer(&APPROVER).await);
    let alert = town.alert().await;
    let in_time = town.asked(&desk, &alert, 1).await;
    let mut request = desk.request(&alert).await;
    assert_eq!(request.subject, in_time.subject, "it took one before");
    town.world.stop_adapter(&"education".parse().expect("a name")).await.expect("stopped");
    town.world.pass(Duration::from_secs(8 * 24 * 3600));
    request.expires_at = town.world.now() + jiff::SignedDuration::from_hours(2);
    desk.ask(&request).await.expect("asked");
    approver.approve(&request).await.expect("approved");
    let listed = desk.listed(&request).await.expect("listed");
    assert_eq!((listed.approvers_needed, listed.state()), (2, DisclosureState::Asked));
}
