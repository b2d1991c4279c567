//! One thing is wrong, everything else is right.

use proto::{
    act::Act,
    contact::ContactField,
    disclosure::{Application, approval_bytes, request_bytes},
    disclosure_request::LegalBasis,
    entry::{Actor, Entry},
    fault::{Reason, reason_of},
    signing::SigningKey,
    wire,
};
use zeroize::Zeroizing;

use super::scene::{Authority, ELSEWHERE, Scene, officer_key};

#[tokio::test]
async fn an_expired_request_is_refused() {
    let scene = Scene::new();
    let application = scene.application(&scene.request(), &["zhao"]);
    scene.clock.set(application.request.expires_at);
    assert_eq!(scene.refused(&application).await, Reason::Expired);
}

#[tokio::test]
async fn a_request_that_is_good_for_too_long_is_refused() {
    let scene = Scene::new();
    let mut request = scene.request();
    request.expires_at = "2026-11-27T00:00:01Z".parse().expect("a time");
    let application = scene.application(&request, &["zhao"]);
    assert_eq!(scene.refused(&application).await, Reason::InvalidArgument);
}

#[tokio::test]
async fn a_replayed_request_is_refused_also_after_a_restart_and_with_another_approver() {
    let scene = Scene::new();
    let request = scene.request();
    scene.send(&scene.application(&request, &["zhao"])).await.expect("answered");
    let scene = scene.restarted(|_| ());
    for approver in ["zhao", "sun"] {
        let again = scene.application(&request, &[approver]);
        assert_eq!(scene.refused(&again).await, Reason::Replayed);
    }
}

#[tokio::test]
async fn a_self_approved_request_is_refused() {
    let scene = Scene::new();
    let application = scene.application(&scene.request(), &["li-na"]);
    assert_eq!(scene.refused(&application).await, Reason::SelfApproved);
    let twice = scene.application(&scene.request(), &["zhao", "zhao"]);
    assert_eq!(scene.refused(&twice).await, Reason::SelfApproved, "one person is not two");
}

#[tokio::test]
async fn a_request_that_nobody_approved_is_refused() {
    let scene = Scene::new();
    let application = scene.application(&scene.request(), &[]);
    assert_eq!(scene.refused(&application).await, Reason::TooFewApprovers);
}

#[tokio::test]
async fn a_wrongly_signed_request_is_refused() {
    let scene = Scene::new();
    let request = scene.request();
    let mut application = scene.application(&request, &["zhao"]);
    application.officer.signature[0] ^= 1;
    assert_eq!(scene.refused(&application).await, Reason::BadSignature);
    // An approval is no request, though one person's key made both.
    let key = scene.authority.officer("li-na");
    application.officer = key.sign(&approval_bytes(&request.digest())).expect("signed");
    assert_eq!(scene.refused(&application).await, Reason::BadSignature);
}

#[tokio::test]
async fn a_wrongly_signed_approval_is_refused() {
    let scene = Scene::new();
    let request = scene.request();
    let mut application = scene.application(&request, &["zhao"]);
    let key = scene.authority.officer("zhao");
    application.approvals[0] = key.sign(&request_bytes(&request.digest())).expect("signed");
    assert_eq!(scene.refused(&application).await, Reason::BadSignature);
}

#[tokio::test]
async fn an_approval_of_another_request_is_refused() {
    let scene = Scene::new();
    let mut other = scene.request();
    other.fields = vec![ContactField::Name];
    let mut application = scene.application(&scene.request(), &["zhao"]);
    application.approvals = vec![scene.approval(&other, "zhao")];
    assert_eq!(scene.refused(&application).await, Reason::BadSignature);
}

#[tokio::test]
async fn a_request_in_which_the_gateway_swaps_the_officers_key_is_refused() {
    let scene = Scene::new();
    let good = scene.application(&scene.request(), &["zhao"]);
    let mut request = scene.request();
    request.officer_key = officer_key(9).public();
    // The gateway writes its own log, so the proof is of the changed request.
    let proof = scene.application(&request, &["zhao"]).proof;
    let application = Application { request, proof, ..good };
    assert_eq!(scene.refused(&application).await, Reason::BadSignature);
}

#[tokio::test]
async fn a_request_in_which_the_gateway_swaps_the_subject_is_refused() {
    let scene = Scene::new();
    let good = scene.application(&scene.request(), &["zhao"]);
    let mut request = scene.request();
    request.subject = scene.subject(super::GUARDED);
    let proof = scene.application(&request, &["zhao"]).proof;
    let application = Application { request, proof, ..good };
    assert_eq!(scene.refused(&application).await, Reason::BadSignature);
}

#[tokio::test]
async fn a_request_that_is_not_yet_witnessed_is_refused() {
    let mut scene = Scene::new();
    scene.witnessed = false;
    let application = scene.application(&scene.request(), &["zhao"]);
    assert_eq!(scene.refused(&application).await, Reason::NotWitnessed);
    scene.witnessed = true;
    scene.log = SigningKey::from_seed(&Zeroizing::new([7; 32]));
    let application = scene.application(&scene.request(), &["zhao"]);
    assert_eq!(scene.refused(&application).await, Reason::NotWitnessed, "another log");
    let nothing = Application { proof: String::new(), ..application };
    assert_eq!(scene.refused(&nothing).await, Reason::NotWitnessed);
}

#[tokio::test]
async fn a_log_that_says_something_else_is_no_proof() {
    let scene = Scene::new();
    let request = scene.request();
    let mut other = scene.request();
    other.nonce = [9; 32];
    let zhao = ["zhao".parse().expect("a name")];
    let sun = ["sun".parse().expect("a name")];
    let mut loud = request.clone();
    loud.emergency = true;
    let carried = Scene::carried(&request, &zhao);
    let at = carried.at();
    let by_officer =
        Entry::new(at, Actor::Officer("li-na".parse().expect("a name")), carried.act().clone());
    let listed = Entry::new(at, Actor::Gateway, Act::DisclosuresListed { count: 1 });
    for entry in [
        Scene::carried(&other, &zhao),
        Scene::carried(&request, &sun),
        Scene::carried(&request, &[]),
        Scene::carried(&loud, &zhao),
        by_officer,
        listed,
    ] {
        let proof = scene.proof(&entry);
        let application = Application { proof, ..scene.application(&request, &["zhao"]) };
        assert_eq!(scene.refused(&application).await, Reason::NotWitnessed, "{entry:?}");
    }
}

#[tokio::test]
async fn fields_beyond_the_agencys_policy_are_refused() {
    let scene = Scene::new();
    let mut request = scene.request();
    request.fields = vec![ContactField::Name, ContactField::Phone];
    let application = scene.application(&request, &["zhao"]);
    assert_eq!(scene.refused(&application).await, Reason::AgainstPolicy);
}

#[tokio::test]
async fn a_request_outside_the_agencys_hours_is_refused() {
    let scene = Scene::new();
    scene.clock.set("2026-11-24T12:00:00Z".parse().expect("20:00 in China"));
    let application = scene.application(&scene.request(), &["zhao"]);
    assert_eq!(scene.refused(&application).await, Reason::AgainstPolicy);
}

#[tokio::test]
async fn an_emergency_is_refused_by_an_agency_that_allows_none_and_without_its_legal_basis() {
    let scene = Scene::under(
        "[dataset.disclosure]\ncolumns = { name = \"name\", address = \"address\" }\n\
         hours = \"08:00-20:00\"\nper_officer_per_day = 2\n",
    );
    let mut request = scene.request();
    (request.emergency, request.legal_basis) = (true, LegalBasis::VitalInterest);
    let application = scene.application(&request, &[]);
    assert_eq!(scene.refused(&application).await, Reason::AgainstPolicy);
    let scene = Scene::new();
    request.legal_basis = LegalBasis::StatutoryDuty;
    let application = scene.application(&request, &[]);
    assert_eq!(scene.refused(&application).await, Reason::InvalidArgument);
}

#[tokio::test]
async fn an_officer_who_had_as_many_as_the_policy_allows_is_refused_until_the_next_day() {
    let scene = Scene::new();
    let mut request = scene.request();
    for nonce in 1..=2 {
        request.nonce = [nonce; 32];
        scene.send(&scene.application(&request, &["zhao"])).await.expect("answered");
    }
    request.nonce = [3; 32];
    let application = scene.application(&request, &["zhao"]);
    assert_eq!(scene.refused(&application).await, Reason::QuotaExceeded);
    request.officer = "wu".parse().expect("a name");
    scene.send(&scene.application(&request, &["zhao"])).await.expect("another officer");
}

#[tokio::test]
async fn another_agencys_subject_is_refused() {
    let scene = Scene::new();
    let mut request = scene.request();
    request.subject = scene.subject(ELSEWHERE);
    let application = scene.application(&request, &["zhao"]);
    assert_eq!(scene.refused(&application).await, Reason::NotFound);
}

#[tokio::test]
async fn a_request_for_another_agency_or_dataset_is_refused() {
    let scene = Scene::new();
    let mut elsewhere = scene.request();
    elsewhere.agency = "police".parse().expect("a name");
    let mut crossed = scene.request();
    crossed.dataset = "residents".parse().expect("a name");
    for request in [elsewhere, crossed] {
        let application = scene.application(&request, &["zhao"]);
        assert_eq!(scene.refused(&application).await, Reason::UnknownDataset);
    }
}

#[tokio::test]
async fn another_programme_epoch_or_suite_is_refused() {
    let scene = Scene::new();
    let mut others = [scene.request(), scene.request(), scene.request()];
    others[0].scope.programme = "other".parse().expect("a name");
    others[1].scope.epoch += 1;
    others[2].scope.suite = proto::scope::Suite::Oprf;
    for request in others {
        let application = scene.application(&request, &["zhao"]);
        assert_eq!(scene.refused(&application).await, Reason::WrongScope);
    }
}

#[tokio::test]
async fn a_purpose_or_legal_basis_that_the_protocol_does_not_know_is_refused() {
    let scene = Scene::new();
    let application = scene.application(&scene.request(), &["zhao"]);
    let good = wire::DiscloseRequest::from(&application);
    let place = good.request.windows(6).position(|w| w == [0, 0, 0, 2, 1, 3]);
    let place = place.expect("two fields") + 6;
    for (offset, byte) in [(0, 9), (1, 9)] {
        let mut changed = good.clone();
        changed.request[place + offset] = byte;
        let status = scene.send_message(changed).await.expect_err("refused");
        assert_eq!(reason_of(&status).as_deref(), Some("INVALID_ARGUMENT"));
    }
}

#[tokio::test]
async fn certificates_of_an_unknown_authority_are_refused() {
    let scene = Scene::new();
    let (request, foreign) = (scene.request(), Authority::new());
    let digest = request.digest();
    let mut application = scene.application(&request, &["zhao"]);
    let approval = foreign.officer("zhao").sign(&approval_bytes(&digest)).expect("signed");
    application.approvals = vec![approval];
    assert_eq!(scene.refused(&application).await, Reason::NotAnOfficer);
    application = scene.application(&request, &["zhao"]);
    application.officer = foreign.officer("li-na").sign(&request_bytes(&digest)).expect("signed");
    assert_eq!(scene.refused(&application).await, Reason::NotAnOfficer);
}

#[tokio::test]
async fn revoked_and_expired_certificates_are_refused() {
    let scene = Scene::new();
    let (request, digest) = (scene.request(), scene.request().digest());
    let old = scene.authority.issue("spiffe://demo/officer/li-na", 5, 2021);
    let mut application = scene.application(&request, &["zhao"]);
    application.officer = old.sign(&request_bytes(&digest)).expect("signed");
    assert_eq!(scene.refused(&application).await, Reason::NotAnOfficer);

    let list = scene.people.with_extension("crl");
    std::fs::write(&list, scene.authority.revoked(7)).expect("written");
    let scene = scene.restarted(|config| config.tls.revoked = Some(list));
    let stolen = scene.authority.issue("spiffe://demo/officer/li-na", 7, 2099);
    application.officer = stolen.sign(&request_bytes(&digest)).expect("signed");
    assert_eq!(scene.refused(&application).await, Reason::NotAnOfficer);
    scene.send(&scene.application(&request, &["zhao"])).await.expect("others still sign");
}

#[tokio::test]
async fn who_is_no_officer_of_the_programme_or_another_one_is_refused() {
    let scene = Scene::new();
    let (request, digest) = (scene.request(), scene.request().digest());
    for uri in [
        "spiffe://demo/agency/aid",
        "spiffe://demo/gateway/gateway",
        "spiffe://other/officer/li-na",
        "spiffe://demo/officer/wu",
    ] {
        let other = scene.authority.issue(uri, 1, 2099);
        let mut application = scene.application(&request, &["zhao"]);
        application.officer = other.sign(&request_bytes(&digest)).expect("signed");
        assert_eq!(scene.refused(&application).await, Reason::NotAnOfficer, "{uri}");
    }
}
