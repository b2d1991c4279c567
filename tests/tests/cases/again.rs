//! A person who comes again: after a closed case, with another request, or by two rules at once.

use std::{fmt::Write, fs, time::Duration};

use proto::wire::{self, CaseOutcome, CaseStage, ReturnReason, step_request::Step};
use tests::{deployment::STREET_WORKER, world::World};

use super::{
    office::{Office, acknowledge, close, outcome, visit},
    reproduces,
};
use crate::{
    helpline::{Ill, helpline, id, write_ill, write_orders},
    town::{agency, subject},
};

const HOME: &str = "320104002003";
const DAY: u64 = 86_400;

/// Who is ill from now on.
fn are_ill(world: &World, ill: &[Ill<'_>]) {
    world.pass(Duration::from_secs(60));
    write_ill(&world.deployment.dir, ill);
    world.reload(&agency("aid")).expect("it runs");
}

fn has(case: &wire::Case, person: &str, stage: CaseStage) -> bool {
    case.subject == person && case.stage() == stage
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_again_after_a_closed_case_waits_unless_the_person_asks_for_help() {
    let mut world = helpline(&[(1, HOME, ""), (2, HOME, "")], &[]);
    world.start().await.expect("started");
    let li = Office::of(&world, &STREET_WORKER).await;
    let routed = |cases: &Vec<wire::Case>| {
        cases.len() == 2 && cases.iter().all(|case| case.stage() == CaseStage::Routed)
    };
    let first = li.until_all(routed).await;
    for case in &first {
        for step in [acknowledge(), visit(), outcome(CaseOutcome::NoNeed), close()] {
            li.step(&case.alert, step).await.expect("it follows");
        }
    }
    // Both get well, and fall ill again a month later: other alerts by the same rule.
    are_ill(&world, &[]);
    for case in &first {
        let gone = li.until(&case.alert, |case| case.facts_gone).await;
        assert_eq!(gone.stage(), CaseStage::Closed);
    }
    world.pass(Duration::from_secs(30 * DAY));
    are_ill(&world, &[(1, HOME, ""), (2, HOME, "")]);
    let suppressed = |cases: &Vec<wire::Case>| {
        cases.iter().filter(|case| case.stage() == CaseStage::Suppressed).count() == 2
    };
    let again = li.until_all(suppressed).await;
    assert_eq!(again.len(), 4, "two closed, two put off");
    let put_off = again.iter().filter(|case| case.stage() == CaseStage::Suppressed);
    for case in put_off {
        let left = case.until.expect("until then").seconds - world.now().as_second();
        assert!(case.due_at.is_none() && left < 60 * 86_400, "nobody has to do anything: {case:?}");
    }

    // The second one does not wait: whichever case the request reaches first, it is somebody's to take.
    write_orders(&world.deployment.dir, &[(2, 12, "急")]);
    world.reload(&agency("hotline")).expect("it runs");
    let [one, other] = [1, 2].map(|person| subject(&world.deployment, &id(person)));
    let asked = |cases: &Vec<wire::Case>| {
        let routed = cases.iter().filter(|case| has(case, &other, CaseStage::Routed));
        let orders: Vec<u64> = routed.flat_map(|case| &case.orders).map(|it| it.order).collect();
        orders == [12]
    };
    let asked = li.until_all(asked).await;

    // The first one has waited long enough when ninety days have passed since the case was closed.
    let waits = asked.iter().find(|case| has(case, &one, CaseStage::Suppressed));
    let waits = waits.expect("it waits").clone();
    world.pass(Duration::from_secs(60 * DAY));
    let opened = li.until(&waits.alert, |case| case.stage() == CaseStage::Routed).await;
    assert!(opened.due_at.is_some() && opened.officer.is_empty());
    reproduces(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_work_order_joins_the_case_that_the_first_one_joined() {
    let mut world = helpline(&[(1, HOME, "")], &[(1, 12, "routine")]);
    world.start().await.expect("started");
    let li = Office::of(&world, &STREET_WORKER).await;
    let numbers =
        |case: &wire::Case| -> Vec<u64> { case.orders.iter().map(|order| order.order).collect() };
    let joined = |cases: &Vec<wire::Case>| {
        let stage = |rule: &str| cases.iter().find(|case| case.rule == rule).map(wire::Case::stage);
        stage("illness") == Some(CaseStage::Routed) && stage("asked") == Some(CaseStage::Joined)
    };
    let cases = li.until_all(joined).await;
    let ill = cases.iter().find(|case| case.rule == "illness").expect("there").alert.clone();
    li.until(&ill, |case| numbers(case) == [12]).await;
    li.step(&ill, acknowledge()).await.expect("taken");

    write_orders(&world.deployment.dir, &[(1, 12, "routine"), (1, 15, "emergency")]);
    world.reload(&agency("hotline")).expect("it runs");
    let more = li.until(&ill, |case| numbers(case) == [12, 15]).await;
    assert_eq!((more.stage(), more.officer.as_str()), (CaseStage::Acknowledged, STREET_WORKER.id));
    assert_eq!(more.urgency(), wire::Urgency::Emergency);
    let all = li.all().await;
    assert_eq!(all.len(), 2, "there is no third case");
    assert!(joined(&all) || all.iter().any(|case| case.stage() == CaseStage::Joined), "{all:?}");
    let history = li.file(&ill).await.expect("seen").history;
    let asked = history.iter().filter(|it| it.kind() == wire::CaseEventKind::HelpRequested);
    assert_eq!(asked.count(), 2, "each once");

    // One of the two goes back, and the other is still asked for.
    let order = wire::ReturnOrder {
        dataset: "work_order".into(),
        order: 12,
        reason: ReturnReason::NotOurDuty.into(),
    };
    let left = li.step(&ill, Step::ReturnOrder(order)).await.expect("given back");
    assert_eq!(left.urgency(), wire::Urgency::Emergency);
    reproduces(&world).await;
}

/// Alerts by two rules of one dataset are raised in one run, and so come to the desk together.
#[tokio::test(flavor = "multi_thread")]
async fn two_alerts_of_one_person_that_come_together_both_get_a_case() {
    let ill: Vec<Ill<'_>> = (1..=20).map(|person| (person, HOME, "")).collect();
    let mut world = helpline(&ill, &[]);
    let path = world.deployment.dir.join("policy.toml");
    let mut policy = fs::read_to_string(&path).expect("read");
    let (_, rule) = policy.split_once("id = \"illness\"").expect("the rule is there");
    let rule = rule.split("[[rule]]").next().expect("text").to_owned();
    write!(policy, "\n[[rule]]\nid = \"second-illness\"{rule}").expect("room");
    fs::write(&path, policy).expect("written");
    world.start().await.expect("started");
    let li = Office::of(&world, &STREET_WORKER).await;
    let both = |cases: &Vec<wire::Case>| cases.len() == 2 * ill.len();
    let cases = li.until_all(both).await;
    for rule in ["illness", "second-illness"] {
        let routed = |case: &&wire::Case| case.rule == rule && case.stage() == CaseStage::Routed;
        assert_eq!(cases.iter().filter(routed).count(), ill.len(), "{rule}");
    }
    let alerts = li.client.clone().alerts().await.expect("alerts");
    let runs = alerts.iter().map(|alert| alert.changed_at.map(|at| at.seconds));
    assert_eq!(runs.collect::<std::collections::BTreeSet<_>>().len(), 1, "they came together");
    reproduces(&world).await;
}
