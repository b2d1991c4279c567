//! Every reason for which an adapter discloses nothing, each by itself; and that otherwise it does.

mod refusals;
mod scene;

use proto::{
    contact::ContactField, disclosure::DisclosureAnswer, disclosure_request::LegalBasis,
    fault::Reason,
};
use scene::{GUARDED, Scene, WANG, officer_key};

use super::journal::Journal;

#[tokio::test]
async fn an_approved_and_witnessed_request_is_answered_to_the_officers_key_and_to_no_other() {
    let scene = Scene::new();
    let request = scene.request();
    let answer = scene.send(&scene.application(&request, &["zhao"])).await.expect("answered");
    let answer = DisclosureAnswer::try_from(answer).expect("well formed");
    let agency = scene.agency_key();
    let contact = answer.open(&request, &agency, &officer_key(3)).expect("it opens");
    let texts: Vec<_> = contact.texts().collect();
    assert_eq!(texts, [(ContactField::Name, "王建国"), (ContactField::Address, "虚构路 1 号")]);
    assert!(answer.open(&request, &agency, &officer_key(4)).is_err(), "another officer's key");

    let records = Journal::records(&scene.config.state_dir).expect("read");
    assert_eq!(records.len(), 1, "the agency's own journal has it");
    assert_eq!(records[0].officer, request.officer);
    let file = std::fs::read_to_string(scene.config.state_dir.join("disclosures.journal"));
    let file = file.expect("read");
    assert!(!file.contains("王建国") && !file.contains("虚构路"), "and nothing that was disclosed");
}

#[tokio::test]
async fn only_what_was_asked_for_is_disclosed() {
    let scene = Scene::new();
    let mut request = scene.request();
    request.fields = vec![ContactField::Address];
    let answer = scene.send(&scene.application(&request, &["zhao"])).await.expect("answered");
    let answer = DisclosureAnswer::try_from(answer).expect("well formed");
    let contact = answer.open(&request, &scene.agency_key(), &officer_key(3)).expect("opens");
    assert_eq!(contact.texts().collect::<Vec<_>>(), [(ContactField::Address, "虚构路 1 号")]);
}

#[tokio::test]
async fn the_source_is_read_again_so_that_who_left_it_is_not_disclosed() {
    let scene = Scene::new();
    let people = std::fs::read_to_string(&scene.people).expect("read");
    let without: Vec<&str> = people.lines().filter(|line| !line.contains(WANG)).collect();
    std::fs::write(&scene.people, without.join("\n") + "\n").expect("written");
    let refused = scene.refused(&scene.application(&scene.request(), &["zhao"])).await;
    assert_eq!(refused, Reason::NotFound);
}

#[tokio::test]
async fn an_emergency_needs_nobodys_approval_where_the_agency_goes_along_and_is_marked() {
    let scene = Scene::new();
    let mut request = scene.request();
    (request.emergency, request.legal_basis) = (true, LegalBasis::VitalInterest);
    scene.clock.set("2026-11-24T18:00:00Z".parse().expect("at night"));
    scene.send(&scene.application(&request, &[])).await.expect("answered at any hour");
    assert!(Journal::records(&scene.config.state_dir).expect("read")[0].emergency);
}

#[tokio::test]
async fn a_vulnerable_person_needs_one_approver_more() {
    let scene = Scene::new();
    let mut request = scene.request();
    request.subject = scene.subject(GUARDED);
    let one = scene.application(&request, &["zhao"]);
    assert_eq!(scene.refused(&one).await, Reason::TooFewApprovers);
    let two = scene.application(&request, &["zhao", "sun"]);
    scene.send(&two).await.expect("the refusal used up nothing");

    let mut emergency = scene.request();
    emergency.subject = scene.subject(GUARDED);
    (emergency.nonce, emergency.emergency) = ([9; 32], true);
    emergency.legal_basis = LegalBasis::VitalInterest;
    let nobody = scene.application(&emergency, &[]);
    assert_eq!(scene.refused(&nobody).await, Reason::TooFewApprovers, "not even in an emergency");
    scene.send(&scene.application(&emergency, &["zhao"])).await.expect("one is enough then");
}
