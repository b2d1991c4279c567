//! Who may ask for a person's contact details: the officer who took the case, while it is in hand
//! (PROTOCOL.md section 21.1).
//!
//! The case's state machine decides; here it is said who has the case instead, and what to do.

use proto::{
    case_event::CaseEvent, disclosure_request::DisclosureId, entry::Actor, name::AgencyId,
};

use crate::{
    case::lifecycle::{Case, Stage},
    refusal::Refusal,
};

/// Whether an officer may ask in a case now.
///
/// # Errors
/// [`Refusal::NotPossible`], with what to do first.
pub fn may_ask(officer: &AgencyId, disclosure: DisclosureId, case: &Case) -> Result<(), Refusal> {
    let asked = CaseEvent::DisclosureAsked { disclosure };
    let next = case.apply(&asked, &Actor::Officer(officer.clone()));
    next.map(drop).map_err(|_| Refusal::NotPossible(in_the_way(officer, case)))
}

fn in_the_way(officer: &AgencyId, case: &Case) -> String {
    let word = case.stage.word();
    match (case.stage, &case.officer) {
        (Stage::Closed | Stage::Joined | Stage::Withdrawn, _) => {
            format!("the case is {word}: contact details are for who helps in it")
        }
        (Stage::Routed, Some(other)) if other != officer => {
            format!("{other} is to take the case: have its supervisor assign it to you")
        }
        (Stage::Routed, _) => "nobody has taken the case: take it first".into(),
        (_, Some(other)) => {
            format!("{other} has the case: have its supervisor assign it to you, and take it")
        }
        (_, None) => format!("the case is {word}, and nobody's: it must be routed and taken first"),
    }
}

#[cfg(test)]
mod tests {
    use proto::hex_bytes::HexBytes;

    use super::*;

    #[test]
    fn only_who_took_the_case_may_ask_and_everybody_else_is_told_what_to_do() {
        let name = |text: &str| text.parse::<AgencyId>().expect("a name");
        let told = |stage, holder: Option<&str>| {
            let begun = Case::begin(&CaseEvent::Waiting {}).expect("a case begins so");
            let case = Case { stage, officer: holder.map(name), ..begun };
            match may_ask(&name("li-na"), HexBytes([1; 16]), &case) {
                Ok(()) => String::new(),
                Err(Refusal::NotPossible(text)) => text,
                Err(other) => panic!("{other:?}"),
            }
        };
        for stage in [Stage::Acknowledged, Stage::Visited, Stage::Decided] {
            assert_eq!(told(stage, Some("li-na")), "", "{stage:?}");
            assert!(told(stage, Some("wang-fang")).starts_with("wang-fang has the case"));
        }
        for holder in [None, Some("li-na")] {
            assert!(told(Stage::Routed, holder).contains("take it first"), "{holder:?}");
        }
        assert!(told(Stage::Routed, Some("wang-fang")).starts_with("wang-fang is to take"));
        for stage in [Stage::Closed, Stage::Joined, Stage::Withdrawn] {
            assert!(told(stage, Some("li-na")).contains(stage.word()), "{stage:?}");
        }
        for stage in [Stage::New, Stage::Pending, Stage::Suppressed, Stage::Returned] {
            assert!(told(stage, None).contains("nobody's"), "{stage:?}");
        }
    }
}
