//! From an alert to one person's name and address: asked, approved, witnessed, carried, opened; and what
//! the gateway by itself does not let pass. What an adapter refuses is shown where it is decided.

mod officer;
mod promise;
mod town;
mod with_its_case;

use std::time::Duration;

use jiff::{Timestamp, civil::date};
use proto::{
    act::Act,
    contact::ContactField,
    entry::Entry,
    fault::{Reason, reason_of},
    name::AgencyId,
    scope::Suite,
    wire::{self, CaseEventKind, DisclosureState},
};
use tests::deployment::{APPROVER, CITY_DESK, CITY_HEAD, SECOND_APPROVER, STREET_WORKER};
use tonic::Status;
use town::Town;

fn reason(status: &Status) -> Option<Reason> {
    Reason::from_name(&reason_of(status)?)
}

/// The whole way.
async fn an_officer_gets_what_the_source_says(suite: Suite) {
    let town = Town::start(suite).await;
    let (desk, approver) = (town.officer(&CITY_DESK).await, town.officer(&APPROVER).await);
    let alert = town.alert().await;
    let request = town.asked(&desk, &alert, 1).await;
    assert_eq!(desk.state(&request).await, DisclosureState::Asked);
    approver.approve(&request).await.expect("approved");
    town.until(&desk, &request, DisclosureState::Answered).await;
    let contact = desk.open(&town, &request).await;
    let resident = town.resident(&alert);
    let texts: Vec<_> = contact.texts().map(|(field, text)| (field, text.to_owned())).collect();
    let expected = [
        (ContactField::Name, resident.name.clone()),
        (ContactField::Phone, resident.phone.clone()),
        (ContactField::Address, resident.address.clone()),
    ];
    assert_eq!(texts, expected);
    assert_eq!(desk.state(&request).await, DisclosureState::Collected);
    let again = desk.collect(&request).await.expect_err("once");
    assert_eq!(reason(&again), Some(Reason::NotFound));

    let course = [
        "disclosure_requested",
        "case_changed",
        "disclosure_approved",
        "disclosure_carried",
        "disclosure_answered",
        "case_changed",
        "disclosure_collected",
    ];
    town.logged(&request, &course).await;
    let told = [
        (CaseEventKind::DisclosureAsked, CITY_DESK.id.to_owned()),
        (CaseEventKind::Disclosed, String::new()),
    ];
    assert_eq!(
        desk.told(&request).await,
        told,
        "the case tells who asked, and that it was answered"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_disclosure_reaches_the_officer_under_salted_hash() {
    an_officer_gets_what_the_source_says(Suite::SaltedHash).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_disclosure_reaches_the_officer_under_oprf() {
    an_officer_gets_what_the_source_says(Suite::Oprf).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_refuses_and_logs_what_is_not_for_the_caller() {
    let town = Town::start(Suite::SaltedHash).await;
    let (desk, head) = (town.officer(&CITY_DESK).await, town.officer(&CITY_HEAD).await);
    let (street, approver) = (town.officer(&STREET_WORKER).await, town.officer(&APPROVER).await);
    let alert = town.alert().await;
    assert!(!alert.region.starts_with(STREET_WORKER.region), "the alert is elsewhere");
    let good = desk.request(&alert).await;

    let elsewhere = street.prepare(&alert.id).await.expect_err("another region");
    assert_eq!(reason(&elsewhere), Some(Reason::NotFound));
    let mut theirs = good.clone();
    theirs.officer = STREET_WORKER.id.parse().expect("a name");
    let elsewhere = street.ask(&theirs).await.expect_err("another region");
    assert_eq!(reason(&elsewhere), Some(Reason::NotFound));
    let mut subject = good.clone();
    subject.subject.0[0] ^= 1;
    let mut expired = good.clone();
    expired.expires_at = town.world.now();
    let mut scope = good.clone();
    scope.scope.epoch += 1;
    let mut dataset = good.clone();
    dataset.dataset = "tax_declaration".parse().expect("a name");
    for (request, expected) in [
        (&subject, Reason::InvalidArgument),
        (&expired, Reason::Expired),
        (&scope, Reason::WrongScope),
        (&dataset, Reason::UnknownDataset),
    ] {
        let refused = desk.ask(request).await.expect_err("refused");
        assert_eq!(reason(&refused), Some(expected));
    }
    let other = desk.ask_signed(&good, &subject).await.expect_err("signed something else");
    assert_eq!(reason(&other), Some(Reason::BadSignature));

    head.takes_over(&alert.id).await;
    let own = head.request(&alert).await;
    head.ask(&own).await.expect("who approves may help, too");
    let refused = head.approve(&own).await.expect_err("self-approved");
    assert_eq!(reason(&refused), Some(Reason::SelfApproved));
    let refused = desk.approve(&own).await.expect_err("a caseworker");
    assert_eq!(reason(&refused), Some(Reason::NotPermitted));
    let refused = desk.collect(&own).await.expect_err("somebody else's");
    assert_eq!(reason(&refused), Some(Reason::NotFound));
    approver.refuse(&own).await.expect("refused");
    assert_eq!(head.state(&own).await, DisclosureState::Refused);
    let late = approver.approve(&own).await.expect_err("it is over");
    assert_eq!(reason(&late), Some(Reason::NotFound));

    let refused = |log: &[Entry], wanted: Reason| {
        log.iter().any(|entry| {
            matches!(entry.act(), Act::CallsRefused { reason, method: Some(method), .. }
                if *reason == wanted && method.as_str().starts_with("DisclosureService/"))
        })
    };
    let all = [
        Reason::NotFound,
        Reason::InvalidArgument,
        Reason::Expired,
        Reason::WrongScope,
        Reason::UnknownDataset,
        Reason::BadSignature,
        Reason::SelfApproved,
        Reason::NotPermitted,
    ];
    town.log_shows("every refusal", |log| all.iter().all(|wanted| refused(log, *wanted))).await;
    town.log_shows("nothing that was even carried", |log| {
        !log.iter().any(|entry| entry.act().word() == "disclosure_carried")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vulnerable_persons_disclosure_waits_for_a_second_approver() {
    let town = Town::start_where(Suite::SaltedHash, |toml| {
        toml.replace("emergency = true\n", "vulnerable = { column = \"姓名\", not_empty = true }\n")
    });
    let town = town.await;
    let (desk, first) = (town.officer(&CITY_DESK).await, town.officer(&APPROVER).await);
    let second = town.officer(&SECOND_APPROVER).await;
    let request = town.asked(&desk, &town.alert().await, 1).await;
    first.approve(&request).await.expect("approved");
    town.until(&desk, &request, DisclosureState::Asked).await;
    let listed = desk.listed(&request).await.expect("listed");
    assert_eq!(listed.reason, Reason::TooFewApprovers.as_str());
    let twice = first.approve(&request).await.expect_err("one person is not two");
    assert_eq!(reason(&twice), Some(Reason::SelfApproved));
    second.approve(&request).await.expect("approved");
    town.until(&desk, &request, DisclosureState::Answered).await;
    desk.open(&town, &request).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_is_carried_at_once_and_reviewed_within_three_working_days() {
    // Before a festival: the working days after this Tuesday are the 30th, the 8th and the 9th.
    let town = Town::start_on(date(2026, 9, 29)).await;
    let (desk, approver) = (town.officer(&CITY_DESK).await, town.officer(&APPROVER).await);
    let request = town.asked(&desk, &town.alert().await, 0).await;
    town.until(&desk, &request, DisclosureState::Answered).await;
    desk.open(&town, &request).await;

    let listed = approver.listed(&request).await.expect("every approver sees it");
    let due = listed.review_due_at.expect("to be reviewed").seconds;
    let end_of_work: Timestamp = "2026-10-09T09:00:00Z".parse().expect("a time");
    assert_eq!(due, end_of_work.as_second(), "by the policy's calendar");
    town.world.pass(Duration::from_secs(11 * 24 * 3600));
    assert!(due < town.world.now().as_second(), "the review is overdue, and still shown");
    assert!(approver.listed(&request).await.expect("shown").review_due_at.is_some());
    approver.review(&request, wire::ReviewFinding::Unjustified).await.expect("reviewed");
    assert_eq!(approver.listed(&request).await.expect("shown").review_due_at, None);
    let again = approver.review(&request, wire::ReviewFinding::Justified).await;
    assert_eq!(reason(&again.expect_err("once")), Some(Reason::NotFound));
    let course = [
        "disclosure_requested",
        "case_changed",
        "disclosure_carried",
        "disclosure_answered",
        "case_changed",
        "disclosure_collected",
        "disclosure_reviewed",
    ];
    town.logged(&request, &course).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disclosure_waits_for_its_agency_through_a_restart_of_the_gateway() {
    let mut town = Town::start(Suite::SaltedHash).await;
    let (desk, approver) = (town.officer(&CITY_DESK).await, town.officer(&APPROVER).await);
    let request = town.asked(&desk, &town.alert().await, 1).await;
    town.world.stop_adapter(&request.agency).await.expect("stopped");
    approver.approve(&request).await.expect("approved");
    town.world.stop_gateway().await.expect("stopped");
    town.world.start_gateway().await.expect("started");
    let desk = town.officer(&CITY_DESK).await;
    assert_eq!(desk.state(&request).await, DisclosureState::Carried);
    town.world.start_adapter(&request.agency).await.expect("started");
    town.until(&desk, &request, DisclosureState::Answered).await;
    let course = [
        "disclosure_requested",
        "case_changed",
        "disclosure_approved",
        "disclosure_carried",
        "disclosure_answered",
        "case_changed",
    ];
    town.logged(&request, &course).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disclosure_that_nobody_answers_or_collects_in_time_is_over() {
    let mut town = Town::start(Suite::SaltedHash).await;
    let (desk, approver) = (town.officer(&CITY_DESK).await, town.officer(&APPROVER).await);
    let alert = town.alert().await;
    let asked = town.asked(&desk, &alert, 1).await;
    let answered = town.asked(&desk, &alert, 1).await;
    approver.approve(&answered).await.expect("approved");
    town.until(&desk, &answered, DisclosureState::Answered).await;
    let carried = town.asked(&desk, &alert, 1).await;
    town.world.stop_adapter(&carried.agency).await.expect("stopped");
    approver.approve(&carried).await.expect("approved");
    town.world.pass(Duration::from_secs(25 * 3600));
    for request in [&asked, &answered, &carried] {
        town.until(&desk, request, DisclosureState::Declined).await;
        let listed = desk.listed(request).await.expect("listed");
        assert_eq!(listed.reason, Reason::Expired.as_str());
        let refused = desk.collect(request).await.expect_err("it is deleted");
        assert_eq!(reason(&refused), Some(Reason::NotFound));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_changes_on_the_way_is_declined_and_nothing_disclosed() {
    let mut town = Town::start(Suite::SaltedHash).await;
    let alert = town.alert().await;
    let agency: AgencyId = town.officer(&CITY_DESK).await.request(&alert).await.agency;
    let tap = town.tap(&agency).await;
    let (desk, approver) = (town.officer(&CITY_DESK).await, town.officer(&APPROVER).await);
    let request = town.asked(&desk, &alert, 1).await;
    let swapped = desk.with_another_key(&request);
    let bytes = swapped.to_bytes();
    tap.tamper(tests::tap::Tampering {
        disclose: Some(std::sync::Arc::new(move |message: wire::DiscloseRequest| {
            wire::DiscloseRequest { request: bytes.clone(), ..message }
        })),
        ..Default::default()
    });
    approver.approve(&request).await.expect("approved");
    town.until(&desk, &request, DisclosureState::Declined).await;
    let listed = desk.listed(&request).await.expect("listed");
    assert_eq!(listed.reason, Reason::BadSignature.as_str());
    town.log_shows("the refusal", |log| {
        log.iter().any(|entry| {
            matches!(entry.act(), Act::DisclosureDeclined { reason, .. }
                if *reason == Reason::BadSignature)
        })
    })
    .await;
}
