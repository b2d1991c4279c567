//! The commands about cases against a gateway that serves what the tests say.

use clap::Parser;
use proto::{
    fault::Reason,
    name::AgencyId,
    wire::{case_service_server::CaseService, step_request::Step, *},
};
use tonic::{Request, Response, Status};

use super::{command::StepCommand, *};
use crate::{
    arguments::{Arguments, Command, Question},
    fake::Fake,
    moment::to_wire,
    output::{Form, tests::screen},
    words::Lang,
};

const ID: &str = "AL-0123-ABCD-XYZ9";

#[tonic::async_trait]
impl CaseService for Fake {
    /// The page token is the number of people on the pages before.
    async fn list_cases(
        &self,
        request: Request<ListCasesRequest>,
    ) -> Result<Response<ListCasesResponse>, Status> {
        let request = request.into_inner();
        let start: usize = request.page_token.parse().unwrap_or(0);
        let end = self.people.len().min(start + request.page_size as usize);
        let more = end < self.people.len();
        Ok(Response::new(ListCasesResponse {
            people: self.people[start..end].to_vec(),
            next_page_token: if more { end.to_string() } else { String::new() },
            logged: None,
        }))
    }

    async fn get_case(
        &self,
        request: Request<GetCaseRequest>,
    ) -> Result<Response<GetCaseResponse>, Status> {
        let missing = || Reason::NotFound.status(format!("case {}", request.get_ref().alert));
        self.case.clone().map(Response::new).ok_or_else(missing)
    }

    /// A step that is not based on the last event comes too late.
    async fn step(&self, request: Request<StepRequest>) -> Result<Response<StepResponse>, Status> {
        let request = request.into_inner();
        let case = self.case.clone().and_then(|response| response.case).unwrap_or_default();
        let late = request.after != case.number;
        self.steps.lock().expect("no test panics with it").push(request);
        if late {
            return Err(Reason::OutOfDate.status("another was faster"));
        }
        Ok(Response::new(StepResponse { case: Some(case), logged: None }))
    }
}

fn at(text: &str) -> Option<prost_types::Timestamp> {
    Some(to_wire(text.parse().expect("a timestamp")))
}

fn own() -> AgencyId {
    "li-na".parse().expect("a name")
}

/// A case that somebody has taken and must visit within a day.
fn case(id: &str) -> Case {
    Case {
        alert: id.into(),
        rule: "illness-uncovered".into(),
        subject: "s-1".into(),
        stage: CaseStage::Acknowledged.into(),
        tier: CaseTier::Worker.into(),
        region: "320104002".into(),
        officer: "li-na".into(),
        number: 3,
        due_at: at("2026-11-25T11:00:00Z"),
        due: CaseDeadline::Visit.into(),
        ..Default::default()
    }
}

fn taken(number: u64, officer: &str) -> CaseEvent {
    CaseEvent {
        number,
        at: at("2026-11-24T09:00:00Z"),
        officer: officer.into(),
        kind: CaseEventKind::Acknowledged.into(),
        due_at: at("2026-11-25T11:00:00Z"),
        ..Default::default()
    }
}

fn with(case: Case) -> Fake {
    let history = vec![taken(case.number, &case.officer)];
    let response = GetCaseResponse { case: Some(case), history, ..Default::default() };
    Fake { case: Some(response), ..Fake::default() }
}

fn typed(line: &str) -> CasesCommand {
    let words = ["gatewayctl", "cases"].into_iter().chain(line.split_whitespace());
    let arguments = Arguments::try_parse_from(words);
    match arguments.unwrap_or_else(|error| panic!("{line}: {error}")).command {
        Command::Ask(Question::Cases(command)) => command,
        other => panic!("{line}: {other:?}"),
    }
}

fn step_of(line: &str) -> StepCommand {
    match typed(line) {
        CasesCommand::Step(command) => command,
        other => panic!("{line}: {other:?}"),
    }
}

async fn taking(fake: Fake, line: &str, lang: Lang) -> (Result<String, Failure>, Vec<StepRequest>) {
    let steps = fake.steps.clone();
    let served = fake.serve().await;
    let screen = screen(Form::Plain, lang);
    let said = step::take(&mut served.gateway().await, &screen, &step_of(line)).await;
    let steps = steps.lock().expect("no test panics with it").clone();
    (said, steps)
}

#[tokio::test]
async fn a_list_shows_what_is_due_and_keeps_a_persons_cases_together() {
    let late = Case {
        officer: String::new(),
        overdue: true,
        due: CaseDeadline::Acknowledge.into(),
        due_at: at("2026-11-24T09:00:00Z"),
        urgency: Urgency::Urgent.into(),
        orders: vec![WorkOrder { order: 7, urgency: Urgency::Urgent.into(), ..Default::default() }],
        ..case(ID)
    };
    let cases = vec![late, case("AL-0000-0000-0002")];
    let people = vec![PersonCases { subject: "s-1".into(), cases }];
    let served = Fake { people, ..Fake::default() }.serve().await;
    let mut gateway = served.gateway().await;
    let filter = CaseFilter::default;
    let plain = screen(Form::Plain, Lang::En);
    let text = list::list(&mut gateway, &plain, &own(), filter(), None).await.expect("listed");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].contains("take: overdue by 3 h") && lines[1].contains("work order: urgent"));
    assert!(lines[2].starts_with("+ AL-0000-0000-0002") && lines[2].contains("you"), "{text}");
    assert!(
        text.contains("Cases: 2, people: 1, overdue: 1.") && text.contains("person above"),
        "{text}"
    );
    let json = screen(Form::Json, Lang::En);
    let text = list::list(&mut gateway, &json, &own(), filter(), None).await.expect("listed");
    let value: serde_json::Value = serde_json::from_str(&text).expect("one JSON document");
    assert_eq!(value["people"][0]["cases"][1]["stage"], "CASE_STAGE_ACKNOWLEDGED");
}

#[tokio::test]
async fn every_page_is_read_and_a_limit_of_people_says_that_there_is_more() {
    let person = |n| PersonCases { subject: format!("s-{n}"), cases: vec![case(ID)] };
    let served = Fake { people: (0..450).map(person).collect(), ..Fake::default() }.serve().await;
    let mut gateway = served.gateway().await;
    let plain = screen(Form::Plain, Lang::Zh);
    let filter = CaseFilter::default;
    let all = list::list(&mut gateway, &plain, &own(), filter(), None).await.expect("listed");
    assert!(all.contains("共 450 件，涉及 450 人"), "{all}");
    let some = list::list(&mut gateway, &plain, &own(), filter(), Some(2)).await.expect("listed");
    assert!(some.contains("涉及 2 人") && some.contains("加大 --limit"), "{some}");
}

#[tokio::test]
async fn a_case_is_shown_with_what_happened_and_the_commands_that_come_next() {
    let served = with(case(ID)).serve().await;
    let plain = screen(Form::Plain, Lang::En);
    let id = ID.parse().expect("an id");
    let text = show::show(&mut served.gateway().await, &plain, &own(), &id).await.expect("shown");
    for words in [
        "visit: in 23 h (2026-11-25 19:00)",
        "2026-11-24 17:00  li-na took it, to visit by 2026-11-25 19:00",
        "gatewayctl disclosure request AL-0123-ABCD-XYZ9",
        "gatewayctl cases visit AL-0123-ABCD-XYZ9",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(!text.contains("gatewayctl cases take"), "{text}");
}

#[tokio::test]
async fn a_step_is_based_on_the_last_event_and_says_what_comes_next() {
    let (said, steps) =
        taking(with(case(ID)), "visit 0123abcdxyz9 --on 2026-11-23", Lang::En).await;
    let said = said.expect("recorded");
    assert!(said.contains("visit: in 23 h") && said.contains("What to do next"), "{said}");
    let step = Step::Visit(RecordVisit { on: "2026-11-23".into() });
    assert_eq!(steps, [StepRequest { alert: ID.into(), after: 3, step: Some(step) }]);
}

#[tokio::test]
async fn who_was_too_late_is_told_who_was_faster_when_and_what_they_did() {
    let (said, _) = taking(with(case(ID)), "take 0123-abcd-xyz9 --after 2", Lang::Zh).await;
    let failure = said.expect_err("another was faster");
    assert_eq!((failure.exit_code(), failure.reason()), (1, "OUT_OF_DATE"));
    let told = failure.tell(Lang::Zh);
    assert!(told.contains("2026-11-24 17:00 li-na 接收") && !told.contains("another"), "{told}");
}

#[tokio::test]
async fn who_may_not_ask_in_a_case_is_told_whose_it_is_and_what_to_do() {
    let stage = |stage: CaseStage, officer: &str| Case {
        stage: stage.into(),
        officer: officer.into(),
        ..case(ID)
    };
    for (case, lang, told) in [
        (stage(CaseStage::Visited, "wang-fang"), Lang::En, "wang-fang has the case"),
        (stage(CaseStage::Visited, "wang-fang"), Lang::Zh, "此件由 wang-fang 办理"),
        (stage(CaseStage::Routed, ""), Lang::En, "take it first with cases take AL-0123"),
        (stage(CaseStage::Routed, "li-na"), Lang::Zh, "请先用 cases take AL-0123"),
        (stage(CaseStage::Closed, "li-na"), Lang::En, "the case is closed"),
        (stage(CaseStage::Closed, "li-na"), Lang::Zh, "此件已办结"),
        (stage(CaseStage::Acknowledged, "li-na"), Lang::En, "the gateway's words"),
    ] {
        let served = with(case).serve().await;
        let (reason, message) =
            (Reason::NotPossibleNow.as_str().into(), "the gateway's words".into());
        let failure = Failure::Refused { reason, message };
        let (screen, id) = (screen(Form::Plain, lang), ID.parse().expect("an id"));
        let gateway = &mut served.gateway().await;
        let explained = explained(gateway, &screen, (&own(), &id), failure).await;
        assert_eq!(explained.reason(), "NOT_POSSIBLE_NOW");
        assert!(explained.tell(lang).contains(told), "{told} in {}", explained.tell(lang));
    }
}

#[tokio::test]
async fn a_cases_history_tells_of_its_disclosures() {
    let event = |kind: CaseEventKind, officer: &str, emergency: bool| CaseEvent {
        kind: kind.into(),
        disclosure: "5c0f1a2b00112233445566778899aabb".into(),
        emergency,
        ..taken(4, officer)
    };
    let history = vec![
        event(CaseEventKind::DisclosureAsked, "li-na", false),
        event(CaseEventKind::Disclosed, "", false),
        event(CaseEventKind::Disclosed, "", true),
    ];
    let response = GetCaseResponse { case: Some(case(ID)), history, ..Default::default() };
    let served = Fake { case: Some(response), ..Fake::default() }.serve().await;
    let id = ID.parse().expect("an id");
    let told = [
        (Lang::En, "li-na asked for contact details (5c0f1a2b)"),
        (Lang::En, "contact details were disclosed (5c0f1a2b)"),
        (Lang::En, "disclosed in an emergency (5c0f1a2b)"),
        (Lang::Zh, "li-na 申请查看联系信息（5c0f1a2b）"),
        (Lang::Zh, "联系信息已披露（5c0f1a2b）"),
        (Lang::Zh, "联系信息已紧急披露（5c0f1a2b）"),
    ];
    for (lang, told) in told {
        let (screen, gateway) = (screen(Form::Plain, lang), &mut served.gateway().await);
        let shown = show::show(gateway, &screen, &own(), &id).await.expect("shown");
        assert!(shown.contains(told), "{told} in {shown}");
    }
}

#[tokio::test]
async fn a_region_is_shown_by_its_name_and_its_code() {
    let label = |zh: &str, en: &str| Some(Label { zh: zh.into(), en: en.into() });
    let street =
        Case { region_label: label("秦淮区夫子庙街道", "Fuzimiao, Qinhuai"), ..case(ID) };
    let routed = CaseEvent {
        kind: CaseEventKind::Routed.into(),
        region: street.region.clone(),
        region_label: street.region_label.clone(),
        ..taken(3, "")
    };
    let people = vec![PersonCases { subject: "s-1".into(), cases: vec![street.clone()] }];
    let response =
        GetCaseResponse { case: Some(street), history: vec![routed], ..Default::default() };
    let served = Fake { people, case: Some(response), ..Fake::default() }.serve().await;
    let (mut gateway, id) = (served.gateway().await, ID.parse().expect("an id"));
    for (lang, named) in
        [(Lang::En, "Fuzimiao, Qinhuai 320104002"), (Lang::Zh, "秦淮区夫子庙街道 320104002")]
    {
        let screen = screen(Form::Plain, lang);
        let filter = CaseFilter::default();
        let listed = list::list(&mut gateway, &screen, &own(), filter, None).await.expect("listed");
        assert!(listed.contains(named), "{listed}");
        let shown = show::show(&mut gateway, &screen, &own(), &id).await.expect("shown");
        assert_eq!(shown.matches(named).count(), 2, "on the card and in the history: {shown}");
    }
}

#[tokio::test]
async fn what_cannot_be_undone_needs_a_yes_and_without_one_nothing_is_sent() {
    for line in ["close", "outcome", "relief"] {
        let rest = match line {
            "outcome" => "dibao",
            "relief" => "--kind money",
            _ => "",
        };
        let command = format!("{line} {ID} {rest}");
        let (said, steps) = taking(with(case(ID)), &command, Lang::En).await;
        let failure = said.expect_err("there is no terminal");
        assert_eq!((failure.exit_code(), steps.len()), (6, 0), "{line}");
        assert!(failure.tell(Lang::En).contains("add --yes"), "{line}");
        let (said, steps) = taking(with(case(ID)), &format!("{command} --yes"), Lang::En).await;
        assert!(said.is_ok() && steps.len() == 1, "{line}: {said:?}");
    }
}

#[tokio::test]
async fn a_work_order_need_not_be_named_where_there_is_only_one() {
    let order = |number, dataset: &str, returned: ReturnReason| WorkOrder {
        order: number,
        dataset: dataset.into(),
        returned: returned.into(),
        ..Default::default()
    };
    let orders = vec![
        order(5, "work_order", ReturnReason::Duplicate),
        order(7, "work_order", ReturnReason::Unspecified),
        order(9, "petition", ReturnReason::Unspecified),
    ];
    let one = Case { orders: orders[..2].to_vec(), ..case(ID) };
    let line = format!("return-order {ID} --reason duplicate");
    let (said, steps) = taking(with(one), &line, Lang::En).await;
    assert!(said.is_ok(), "{said:?}");
    let wanted = ReturnOrder {
        dataset: "work_order".into(),
        order: 7,
        reason: ReturnReason::Duplicate.into(),
    };
    assert_eq!(steps[0].step, Some(Step::ReturnOrder(wanted)));
    let (said, steps) = taking(with(Case { orders, ..case(ID) }), &line, Lang::En).await;
    let failure = said.expect_err("which of the two?");
    assert_eq!((failure.exit_code(), steps.len()), (2, 0));
    let (told, _) = (failure.tell(Lang::En), ());
    assert!(told.contains("7 (work_order), 9 (petition)"), "{told}");
    let (said, _) = taking(with(case(ID)), &line, Lang::En).await;
    assert_eq!(said.expect_err("there is none").reason(), "NOT_FOUND");
}

#[test]
fn codes_are_typed_as_words_or_in_chinese() {
    for line in ["outcome 0123-abcd-xyz9 no_need", "outcome 0123-abcd-xyz9 无需救助"] {
        let StepCommand::Outcome { outcome, .. } = step_of(line) else { panic!("{line}") };
        assert_eq!(outcome, CaseOutcome::NoNeed, "{line}");
    }
    for wrong in [
        "outcome 0123-abcd-xyz9 maybe",
        "return 0123-abcd-xyz9",
        "visit 0123-abcd-xyz9 --on 24.11.",
    ] {
        let words = ["gatewayctl", "cases"].into_iter().chain(wrong.split_whitespace());
        let refused = Arguments::try_parse_from(words).expect_err(wrong);
        assert_eq!(refused.exit_code(), 2, "{wrong}");
    }
}

#[test]
fn every_kind_of_event_has_a_sentence_without_a_gap_in_both_languages() {
    for kind in 0..=21 {
        let disclosure = "5c0f1a2b00112233445566778899aabb".to_owned();
        let event = CaseEvent { kind, disclosure, ..taken(1, "li-na") };
        for lang in [Lang::Zh, Lang::En] {
            let text = sentence::sentence(&event, lang);
            assert!(!text.is_empty() && !text.contains(['{', '}']), "{kind}: {text}");
        }
    }
}

#[test]
fn every_code_of_the_protocol_has_a_word() {
    use super::codes::{DEADLINES, KINDS, OUTCOMES, REASONS, STAGES, TIERS, URGENCIES, said};
    let newer = Lang::En.say(crate::words::UNKNOWN_WORD);
    fn words<T: TryFrom<i32> + PartialEq>(codes: &codes::Codes<T>) -> Vec<&'static str> {
        let known = (1..).take_while(|number| T::try_from(*number).is_ok());
        known.map(|number| said(codes, number, Lang::En)).collect()
    }
    let all = [
        words(OUTCOMES),
        words(REASONS),
        words(KINDS),
        words(STAGES),
        words(TIERS),
        words(DEADLINES),
        words(URGENCIES),
    ];
    assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 8 + 5 + 4 + 11 + 3 + 4 + 3);
    assert!(all.iter().flatten().all(|word| *word != newer), "{all:?}");
}
