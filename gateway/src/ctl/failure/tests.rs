//! Failures as people and programs get them.

use super::*;

fn told(status: Status) -> (u8, String) {
    let failure = Failure::from(status);
    (failure.exit_code(), failure.tell(Lang::En))
}

#[test]
fn refusals_end_with_1_and_say_what_to_do() {
    let (code, text) = told(Reason::NotPermitted.status("no: ask the administrator"));
    assert_eq!(code, REFUSED);
    assert_eq!(text, "Refused: no: ask the administrator.");
    let chinese = Failure::from(Reason::NotFound.status("alert a-1")).tell(Lang::Zh);
    assert!(chinese.starts_with("未找到") && chinese.contains("请核对编号"), "{chinese}");
}

#[test]
fn a_faulty_policy_is_shown_with_its_lines() {
    let message = "policy.toml, line 3, column 8\n3 | when = \n  |        ^";
    let (code, text) = told(Reason::InvalidPolicy.status(message));
    assert_eq!(code, REFUSED);
    assert!(text.ends_with(message), "{text}");
}

#[test]
fn what_is_not_proved_ends_with_5() {
    assert_eq!(Failure::Unproven("an entry was left out".into()).exit_code(), UNPROVEN);
    let (kept, other) = ("kept".into(), "other".into());
    let fork = Failure::Fork { kept, kept_size: 9, other, other_size: 8 };
    assert_eq!((fork.exit_code(), fork.reason()), (UNPROVEN, "FORK"));
    assert!(fork.tell(Lang::En).starts_with("!!!"), "{}", fork.tell(Lang::En));
}

#[test]
fn a_gateway_that_does_not_answer_ends_with_4() {
    assert_eq!(told(Status::deadline_exceeded("late")).0, UNREACHABLE);
    assert_eq!(told(Status::cancelled("Timeout expired")).0, UNREACHABLE);
    assert_eq!(told(Status::unavailable("gone")).0, UNREACHABLE);
    assert_eq!(told(Reason::StoreUnavailable.status("disk full")).0, REFUSED);
}

#[test]
fn connection_problems_are_told_apart_by_who_can_mend_them() {
    let cases = [
        ("no connection to 127.0.0.1:1: Connection refused (os error 111)", UNREACHABLE),
        ("TLS with g:7000: invalid peer certificate: UnknownIssuer", CONFIGURATION),
        ("TLS with g:7000: tls handshake eof", UNREACHABLE),
        ("TLS with g:7000: received fatal alert: CertificateExpired", CONFIGURATION),
        ("received fatal alert: CertificateRevoked", CONFIGURATION),
        ("g:7000 is spiffe://a/agency/tax, and spiffe://a/gateway/g was expected", CONFIGURATION),
    ];
    for (problem, code) in cases {
        let failure = Failure::of_connection(problem.into());
        assert_eq!(failure.exit_code(), code, "{problem}");
        assert!(failure.tell(Lang::Zh).contains(problem), "{problem}");
    }
}

#[test]
fn the_watch_goes_on_after_outages_and_ends_on_refusals() {
    for passing in [Reason::Busy, Reason::StoreUnavailable, Reason::Internal] {
        assert!(Failure::from(passing.status("x")).may_pass());
    }
    for lasting in [Reason::NotPermitted, Reason::NotFound, Reason::InvalidArgument] {
        assert!(!Failure::from(lasting.status("x")).may_pass());
    }
    assert!(Failure::Unreachable("x".into()).may_pass());
    assert!(!Failure::CertificateRefused("x".into()).may_pass());
}

#[test]
fn every_failure_has_a_sentence_without_a_gap_in_both_languages() {
    let failures = [
        Failure::Usage("x".into()),
        Failure::NoConfig { looked: vec!["ctl.toml".into()] },
        Failure::Deadline,
        Failure::Refused { reason: "NEW_REASON".into(), message: "x".into() },
        Failure::Unforeseen("x".into()),
        Failure::NoManifest,
        Failure::NoAnswer("x".into()),
        Failure::Unconfirmed { asked: true },
        Failure::Unconfirmed { asked: false },
        Failure::Unproven("x".into()),
        Failure::OtherLog { path: "x".into() },
        Failure::Damaged { path: "x".into(), problem: "y".into() },
        Failure::State { path: "x".into(), problem: "y".into() },
        Failure::AnswerKey { path: "x".into(), problem: "y".into() },
        Failure::Fork { kept: "kept".into(), kept_size: 9, other: "other".into(), other_size: 8 },
    ];
    for failure in failures {
        for lang in [Lang::Zh, Lang::En] {
            let text = failure.tell(lang);
            assert!(!text.is_empty() && !text.contains("{}"), "{text}");
        }
    }
}
