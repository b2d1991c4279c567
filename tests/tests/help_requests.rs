//! Requests for help: a hotline's work orders join cases or raise them, and those that staff give back
//! reach the hotline.

use std::fs;

use proto::wire::{self, CaseStage, step_request::Step};
use tests::{
    deployment::{AUDITOR, CITY_DESK, STREET_WORKER},
    log_reader,
    staff_client::StaffClient,
    world::World,
};

use crate::{
    helpline::{helpline, id, write_orders},
    town::{agency, subject},
};

const HOME: &str = "320104002003";

/// The cases that are not closed, by rule, with the numbers of their orders.
async fn cases(world: &World) -> anyhow::Result<Vec<wire::Case>> {
    let mut desk = world.client(&CITY_DESK).await?;
    let stages = [CaseStage::Routed, CaseStage::Acknowledged, CaseStage::Joined];
    let stages: Vec<i32> = stages.map(i32::from).to_vec();
    let filter = Some(wire::CaseFilter { stages, ..Default::default() });
    let request = wire::ListCasesRequest { filter, ..Default::default() };
    let people = desk.cases.list_cases(request).await?.into_inner().people;
    let mut cases: Vec<wire::Case> = people.into_iter().flat_map(|person| person.cases).collect();
    cases.sort_by(|a, b| a.rule.cmp(&b.rule).then(a.subject.cmp(&b.subject)));
    Ok(cases)
}

fn numbers(case: &wire::Case) -> Vec<u64> {
    case.orders.iter().map(|order| order.order).collect()
}

async fn step(worker: &mut StaffClient, case: &wire::Case, step: Step) -> wire::Case {
    let (alert, after) = (case.alert.clone(), case.number);
    let request = wire::StepRequest { alert, after, step: Some(step) };
    let answer = worker.cases.step(request).await.expect("taken").into_inner();
    answer.case.expect("always there")
}

/// The lines of the hotline's file of returned orders: number and reason.
fn returned(world: &World) -> Vec<(String, String)> {
    let path = world.deployment.dir.join("hotline/state/returned_orders.csv");
    let text = fs::read_to_string(path).unwrap_or_default();
    let cells = |line: &str| {
        let mut cells = line.split(',').map(str::to_owned);
        (cells.next().expect("a number"), cells.next().expect("a reason"))
    };
    text.lines().skip(1).map(cells).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_joins_the_persons_open_case_or_raises_one_and_the_same_request_is_one() {
    let mut world = helpline(&[(1, HOME, "")], &[]);
    world.start().await.expect("started");
    let routed =
        |cases: &Vec<wire::Case>| cases.len() == 1 && cases[0].stage() == CaseStage::Routed;
    world.until(|| cases(&world), routed).await.expect("a case of illness");

    // One about somebody who has a case, twice in the file, and one about somebody who has none.
    write_orders(&world.deployment.dir, &[(1, 12, "急"), (1, 12, "routine"), (2, 13, "emergency")]);
    world.reload(&agency("hotline")).expect("reloading");
    let joined = |cases: &Vec<wire::Case>| {
        let [asked @ .., ill] = &cases[..] else { return false };
        asked.len() == 2 && numbers(ill) == [12] && asked.iter().any(|case| numbers(case) == [13])
    };
    let told = world.until(|| cases(&world), joined).await.expect("joined and raised");
    assert_eq!(told[2].urgency(), wire::Urgency::Urgent, "the more urgent of the two rows");
    let of = |person: u32| subject(&world.deployment, &id(person));
    let stage = |person: u32| {
        let case = told.iter().find(|case| case.rule == "asked" && case.subject == of(person));
        case.expect("asked").stage()
    };
    assert_eq!((stage(1), stage(2)), (CaseStage::Joined, CaseStage::Routed));

    // Neither a restart nor another release makes them more.
    world.stop_gateway().await.expect("stopped");
    world.start_gateway().await.expect("started");
    write_orders(&world.deployment.dir, &[(1, 12, "急"), (2, 13, "emergency"), (2, 14, "routine")]);
    world.reload(&agency("hotline")).expect("reloading");
    let grown = |cases: &Vec<wire::Case>| cases.iter().any(|case| numbers(case) == [13, 14]);
    let told =
        world.until(|| cases(&world), grown).await.expect("another order of the same person");
    assert_eq!(told.len(), 3);
    let goes_on = told.iter().filter(|case| case.stage() != CaseStage::Joined);
    assert_eq!(goes_on.flat_map(numbers).count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_given_back_reaches_the_hotline_once_whatever_fails_in_between() {
    let mut world = helpline(&[], &[(1, 12, "routine"), (2, 13, "routine")]);
    world.start().await.expect("started");
    let routed = |cases: &Vec<wire::Case>| {
        cases.len() == 2 && cases.iter().all(|case| numbers(case).len() == 1)
    };
    let open = world.until(|| cases(&world), routed).await.expect("two cases");
    let mut worker = world.client(&STREET_WORKER).await.expect("connected");
    let give_back = |case: &wire::Case| {
        let order = case.orders[0].order;
        let reason = wire::ReturnReason::NotOurDuty.into();
        Step::ReturnOrder(wire::ReturnOrder { dataset: "work_order".into(), order, reason })
    };
    let take = || Step::Acknowledge(wire::Acknowledge {});
    let first = step(&mut worker, &open[0], take()).await;
    let second = step(&mut worker, &open[1], take()).await;
    step(&mut worker, &first, give_back(&first)).await;
    let line = |case: &wire::Case| (case.orders[0].order.to_string(), "not_our_duty".to_owned());
    let there = || async { Ok(returned(&world)) };
    let wanted = vec![line(&first)];
    world.until(there, |lines| *lines == wanted).await.expect("delivered");

    // The hotline is away when the other goes back, and the gateway starts again before it returns.
    world.stop_adapter(&agency("hotline")).await.expect("stopped");
    let gone = step(&mut worker, &second, give_back(&second)).await;
    assert_eq!(gone.orders[0].returned(), wire::ReturnReason::NotOurDuty);
    world.stop_gateway().await.expect("stopped");
    assert_eq!(returned(&world), [line(&first)]);
    world.start_gateway().await.expect("started");
    world.start_adapter(&agency("hotline")).await.expect("started");
    let wanted = vec![line(&first), line(&second)];
    let there = || async { Ok(returned(&world)) };
    world.until(there, |lines| *lines == wanted).await.expect("delivered after all");

    // The log said so before, and the hotline's witness has nothing to complain of.
    let told = || async {
        let mut auditor = world.client(&AUDITOR).await?;
        let entries = log_reader::entries(&mut auditor, &world.deployment.manifest).await?;
        let words = entries.iter().map(|(_, entry)| entry.act().word());
        Ok(words.filter(|word| *word == "orders_returned").count())
    };
    world.until(told, |told| *told >= 2).await.expect("what the witnesses have seen of the log");
    let settled = || async {
        let acts =
            fs::read_to_string(world.deployment.dir.join("hotline/state/witness/acts.json"))?;
        Ok(serde_json::from_str::<serde_json::Value>(&acts)?["outstanding"].clone())
    };
    let none = |waiting: &serde_json::Value| !waiting.to_string().contains("orders_returned");
    world.until(settled, none).await.expect("the log accounts for what the hotline took back");
}
