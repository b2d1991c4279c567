//! The whole table of PROTOCOL.md section 19.3, and what random interleavings come to.

use std::collections::BTreeMap;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn at(hours: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(hours)
}

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

fn officer(id: &str) -> Actor {
    Actor::Officer(name(id))
}

/// One event of every kind, by its word; those that need something else before them find it in
/// [`case`].
fn events() -> BTreeMap<&'static str, CaseEvent> {
    use CaseEvent as E;
    let (due_at, disclosure, kind) = (at(4), HexBytes([1; 16]), AssistanceKind::Money);
    let reason = ReturnReason::WrongRegion;
    BTreeMap::from([
        ("opened", E::Opened { due_at }),
        ("waiting", E::Waiting {}),
        ("suppressed", E::Suppressed { until: due_at }),
        ("routed", E::Routed { region: name("320104"), tier: Tier::Worker, due_at }),
        ("assigned", E::Assigned { officer: name("wang"), due_at }),
        ("acknowledged", E::Acknowledged { due_at }),
        ("returned", E::Returned { reason, tier: Tier::Street, due_at }),
        ("escalated", E::Escalated { missed: Deadline::Visit, tier: Tier::Street, due_at }),
        (
            "help_requested",
            E::HelpRequested {
                agency: name("hotline"),
                dataset: name("work_order"),
                order: 2,
                urgency: Urgency::Urgent,
            },
        ),
        ("order_returned", E::OrderReturned { dataset: name("work_order"), order: 1, reason }),
        ("joined_to", E::JoinedTo { alert: name("AL-0123-ABCD-XYZ9") }),
        ("disclosure_asked", E::DisclosureAsked { disclosure: HexBytes([2; 16]) }),
        ("disclosed", E::Disclosed { disclosure, emergency: true }),
        ("visited", E::Visited { on: date(2026, 11, 27), due_at }),
        ("relief_first", E::ReliefFirst { kind, papers_due_at: due_at }),
        ("papers_completed", E::PapersCompleted {}),
        ("assistance_given", E::AssistanceGiven { kind }),
        ("outcome_recorded", E::OutcomeRecorded { outcome: Outcome::Dibao }),
        ("withdrawn", E::Withdrawn {}),
        ("reopened", E::Reopened { due_at }),
        ("closed", E::Closed { until: due_at }),
    ])
}

/// A case of li's in a stage, with a work order and a disclosure under way, and papers missing if the
/// event is about them.
fn case(stage: Stage, event: &str) -> Case {
    let relief = Relief { kind: AssistanceKind::Money, papers_due_at: Some(at(1)) };
    let order = Order {
        agency: name("hotline"),
        dataset: name("work_order"),
        order: 1,
        urgency: Urgency::Routine,
        returned: None,
    };
    let asked = Disclosure { id: HexBytes([1; 16]), officer: name("li"), emergency: None };
    Case {
        stage,
        officer: Some(name("li")),
        relief: (event == "papers_completed").then_some(relief),
        orders: vec![order],
        disclosures: vec![asked],
        ..Case::begin(&CaseEvent::Waiting {}).expect("a case begins so")
    }
}

/// The rows of section 19.3: for an event and a stage, the stage after it.
fn table() -> BTreeMap<(String, String), String> {
    let protocol = include_str!("../../../../proto/PROTOCOL.md");
    let (_, section) = protocol.split_once("### 19.3").expect("the section");
    let rows = section.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let rows: Vec<Vec<&str>> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 20, "the table is found");
    let mut table = BTreeMap::new();
    let mut last = String::new();
    for row in rows {
        let stages = match row[1] {
            "the same" => last.clone(),
            "any but withdrawn" => "visited, decided, closed, joined".into(),
            stages => stages.to_owned(),
        };
        let words = row[0].split('`').skip(1).step_by(2);
        for (word, stage) in words.flat_map(|word| stages.split(", ").map(move |s| (word, s))) {
            let after = if row[2].starts_with("the same") { stage } else { row[2] };
            table.insert((word.to_owned(), stage.to_owned()), after.to_owned());
        }
        last = stages;
    }
    table
}

#[test]
fn every_event_in_every_stage_does_what_the_protocols_table_says() {
    let table = table();
    let mut followed = 0;
    for (word, event) in events() {
        for stage in Stage::ALL {
            let got = case(stage, word).apply(&event, &officer("li"));
            let got = got.map(|case| case.stage.word().to_owned()).ok();
            let expected = table.get(&(word.to_owned(), stage.word().to_owned()));
            assert_eq!(got.as_ref(), expected, "{word} in {}", stage.word());
            followed += usize::from(got.is_some());
        }
    }
    assert_eq!(followed, table.len());
}

#[test]
fn only_three_events_begin_a_case() {
    for (word, event) in events() {
        let begins = ["opened", "waiting", "suppressed"].contains(&word);
        assert_eq!(Case::begin(&event).is_ok(), begins, "{word}");
    }
}

#[test]
fn whoever_a_case_is_assigned_to_takes_it_and_nobody_else() {
    let events = events();
    let routed = Case { officer: None, ..case(Stage::Routed, "") };
    let taken = routed.apply(&events["acknowledged"], &officer("zhao")).expect("anybody's");
    assert_eq!(taken.officer, Some(name("zhao")));
    let assigned = routed.apply(&events["assigned"], &officer("head")).expect("routed");
    let other = assigned.apply(&events["acknowledged"], &officer("zhao"));
    assert_eq!(other, Err(Refused::AnothersToTake(name("wang"))));
    assert!(assigned.apply(&events["acknowledged"], &officer("wang")).is_ok());
    assert!(routed.apply(&events["acknowledged"], &Actor::Gateway).is_err());
}

#[test]
fn only_who_has_a_case_asks_for_its_contact_details_and_gets_them_while_they_have_it() {
    let (events, taken) = (events(), case(Stage::Acknowledged, ""));
    let asking = &events["disclosure_asked"];
    assert_eq!(taken.apply(asking, &officer("wang")), Err(Refused::NotTheirs));
    let other = CaseEvent::Disclosed { disclosure: HexBytes([2; 16]), emergency: false };
    assert_eq!(taken.apply(&other, &Actor::Gateway), Err(Refused::NoDisclosure));
    let asked = taken.apply(asking, &officer("li")).expect("theirs");
    let anothers = asked.apply(&events["visited"], &officer("li")).expect("theirs");
    let anothers = anothers.apply(&events["assigned"], &officer("head")).expect("to wang");
    assert_eq!(anothers.apply(&other, &Actor::Gateway), Err(Refused::AnothersNow));
    let disclosed = asked.apply(&other, &Actor::Gateway).expect("asked for");
    assert_eq!(disclosed.disclosures[1].emergency, Some(false));
    assert_eq!(disclosed.apply(&other, &Actor::Gateway), Err(Refused::NoDisclosure));
}

#[test]
fn a_case_is_not_closed_while_papers_are_missing_nor_withdrawn_after_relief() {
    let events = events();
    let relieved = case(Stage::Acknowledged, "").apply(&events["relief_first"], &officer("li"));
    let relieved = relieved.expect("taken");
    assert_eq!(relieved.apply(&events["relief_first"], &officer("li")), Err(Refused::Relieved));
    let marked = relieved.apply(&events["withdrawn"], &Actor::Gateway).expect("marked");
    assert!(marked.facts_gone && marked.stage == Stage::Acknowledged);
    assert_eq!(marked.apply(&events["withdrawn"], &Actor::Gateway), Err(Refused::FactsGone));
    let decided = Case { stage: Stage::Decided, ..relieved };
    assert_eq!(decided.apply(&events["closed"], &officer("li")), Err(Refused::PapersMissing));
    let complete = decided.apply(&events["papers_completed"], &officer("li")).expect("missing");
    assert!(complete.apply(&events["closed"], &officer("li")).is_ok());
}

#[test]
fn a_case_only_goes_up_from_tier_to_tier_and_what_was_missed_is_due_anew() {
    let events = events();
    let up = case(Stage::Visited, "").apply(&events["escalated"], &Actor::Gateway).expect("up");
    assert_eq!((up.tier, up.due_at), (Tier::Street, Some(at(4))));
    assert_eq!(up.apply(&events["escalated"], &Actor::Gateway), Err(Refused::Escalated));
    let papers =
        CaseEvent::Escalated { missed: Deadline::Papers, tier: Tier::District, due_at: at(9) };
    let relieved = Case { due_at: up.due_at, ..case(Stage::Visited, "papers_completed") };
    let up = relieved.apply(&papers, &Actor::Gateway).expect("up");
    assert_eq!(up.relief.and_then(|relief| relief.papers_due_at), Some(at(9)));
    assert_eq!(up.due_at, Some(at(4)), "what is due otherwise stays");
}

#[test]
fn a_withdrawn_case_that_a_supervisor_begins_anew_is_not_withdrawn_again() {
    let events = events();
    let withdrawn = case(Stage::Routed, "").apply(&events["withdrawn"], &Actor::Gateway);
    let anew = withdrawn.expect("untouched").apply(&events["reopened"], &officer("head"));
    let anew = anew.expect("withdrawn");
    assert_eq!((anew.stage, anew.facts_gone, &anew.officer), (Stage::New, true, &None));
    assert_eq!(anew.apply(&events["withdrawn"], &Actor::Gateway), Err(Refused::FactsGone));
}

/// What must hold of every case, whatever happened to it.
fn is_sound(case: &Case) {
    let in_hand = [Stage::Acknowledged, Stage::Visited].contains(&case.stage);
    assert!(!in_hand || case.officer.is_some(), "somebody has it: {case:?}");
    let running = matches!(case.stage, Stage::Routed | Stage::Returned) || in_hand;
    assert!(!running || case.due_at.is_some(), "something is due: {case:?}");
    assert_eq!(
        case.stage == Stage::Suppressed,
        case.stage != Stage::Closed && case.until.is_some()
    );
    assert_eq!(case.stage == Stage::Joined, case.joined_to.is_some());
    assert!(case.stage != Stage::Visited || case.visited_on.is_some());
    assert!(!matches!(case.stage, Stage::Decided | Stage::Closed) || case.outcome.is_some());
    assert!(case.stage.is_open() || !case.lacks_papers(), "nobody forgets papers: {case:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_interleavings_of_several_actors_never_reach_an_undefined_state(
        first in 0_usize..3,
        steps in prop::collection::vec((0_usize..21, 0_usize..4), 0..60),
    ) {
        let events: Vec<CaseEvent> = events().into_values().collect();
        let actors = [officer("li"), officer("wang"), officer("head"), Actor::Gateway];
        let begins = events.iter().filter(|event| Case::begin(event).is_ok()).nth(first);
        let begins = begins.expect("there are three").clone();
        let mut case = Case::begin(&begins).expect("it begins so");
        let mut told = vec![];
        for (event, actor) in steps {
            let (event, by) = (&events[event], &actors[actor]);
            match case.apply(event, by) {
                Ok(next) => {
                    prop_assert_eq!(next.number, case.number + 1);
                    told.push((event.clone(), by.clone()));
                    case = next;
                }
                Err(refused) => prop_assert!(!refused.to_string().is_empty()),
            }
            is_sound(&case);
        }
        // What was told, read back, is the case.
        let mut folded = Case::begin(&begins).expect("it begins so");
        for (event, by) in told {
            let text = serde_json::to_string(&event).expect("plain data");
            let event: CaseEvent = serde_json::from_str(&text).expect("what was written");
            folded = folded.apply(&event, &by).expect("it followed before");
        }
        prop_assert_eq!(folded, case);
    }
}
