//! From an alert to help, over real sockets: two workers at once, regions, deadlines, restarts, and what
//! the log says of all of it.

mod again;
mod crash;
mod fold;
pub mod office;

use std::time::Duration;

use proto::{
    fault::reason_of,
    wire::{self, CaseStage, CaseTier, step_request::Step},
};
use tests::{
    city::City,
    deployment::{
        ADMINISTRATOR, AUDITOR, CITY_DESK, DISTRICT_HEAD, SECOND_WORKER, STREET_HEAD, STREET_WORKER,
    },
    world::World,
};

use self::{
    fold::the_log_reproduces_the_store,
    office::{Office, acknowledge, assist, cases_of, close, give_back, outcome, routed, visit},
};
use crate::fixture::{expected_of, settle, today, world_of};

async fn reproduces(world: &World) {
    let auditor = world.client(&AUDITOR).await.expect("connected");
    the_log_reproduces_the_store(&world.deployment, &auditor).await;
}

/// A city whose alerts are settled.
async fn settled(seed: u64) -> World {
    let city = City::generate(3000, seed, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    let desk = world.desk().await.expect("desk");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn every_alert_is_a_case_of_its_region_and_is_seen_there_only() {
    let world = settled(63).await;
    let cases = cases_of(&world, &STREET_WORKER).await;
    assert!(cases.iter().all(|case| case.region.starts_with(STREET_WORKER.region)));
    let all = cases_of(&world, &CITY_DESK).await;
    let elsewhere = all.iter().find(|case| !case.region.starts_with(STREET_WORKER.region));
    let elsewhere = &elsewhere.expect("there are cases elsewhere").alert;
    let worker = Office::of(&world, &STREET_WORKER).await;
    assert!(worker.file(elsewhere).await.expect_err("not theirs").starts_with("NOT_FOUND"));
    let step = worker.step_after(elsewhere, 2, acknowledge()).await;
    assert!(step.expect_err("not theirs").starts_with("NOT_FOUND"));
    // A supervisor's assignment opens it, and nothing else does.
    let head = Office::of(&world, &DISTRICT_HEAD).await;
    let theirs = head.list(wire::CaseFilter::default()).await;
    let other = theirs.iter().find(|case| {
        !case.region.starts_with(STREET_WORKER.region) && case.stage() == CaseStage::Routed
    });
    let other = &other.expect("another street of the district").alert;
    let assign = Step::Assign(wire::Assign { officer: STREET_WORKER.id.into() });
    assert_eq!(head.step(other, assign).await.expect("assigned").officer, STREET_WORKER.id);
    let mine = worker.list(wire::CaseFilter { mine: true, ..Default::default() }).await;
    assert_eq!(mine.iter().map(|case| &case.alert).collect::<Vec<_>>(), [other]);
    worker.step(other, acknowledge()).await.expect("theirs now");
    let mut admin = world.client(&ADMINISTRATOR).await.expect("admin");
    let refused = admin.cases.list_cases(wire::ListCasesRequest::default()).await;
    assert_eq!(reason_of(&refused.expect_err("no")).as_deref(), Some("NOT_PERMITTED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_workers_at_once_one_wins_and_the_other_is_told_by_whom() {
    let world = settled(73).await;
    let alert = routed(&world).await;
    let (li, wang) =
        (Office::of(&world, &STREET_WORKER).await, Office::of(&world, &SECOND_WORKER).await);
    let number = li.case(&alert).await.number;
    let (a, b) = tokio::join!(
        li.step_after(&alert, number, acknowledge()),
        wang.step_after(&alert, number, acknowledge()),
    );
    let (winner, loser) = match (a, b) {
        (Ok(case), Err(refused)) => (case, refused),
        (Err(refused), Ok(case)) => (case, refused),
        other => panic!("not exactly one won: {other:?}"),
    };
    assert_eq!((winner.stage(), winner.number), (CaseStage::Acknowledged, number + 1));
    let says = format!("OUT_OF_DATE: {} was faster (acknowledged, ", winner.officer);
    assert!(loser.starts_with(&says), "{loser}");
    let history = li.file(&alert).await.expect("seen").history;
    let taken = history.iter().filter(|it| it.kind() == wire::CaseEventKind::Acknowledged);
    assert_eq!(taken.count(), 1, "and one event there is");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_visit_to_the_end_with_relief_before_the_papers() {
    use wire::CaseOutcome::TemporaryRelief;
    let world = settled(73).await;
    let alert = routed(&world).await;
    let li = Office::of(&world, &STREET_WORKER).await;
    let early = li.step(&alert, visit()).await.expect_err("not taken yet");
    assert!(early.starts_with("NOT_PERMITTED"), "{early}");
    li.step(&alert, acknowledge()).await.expect("taken");
    let wang = Office::of(&world, &SECOND_WORKER).await;
    let anothers = wang.step(&alert, visit()).await.expect_err("li's");
    assert!(anothers.starts_with("NOT_PERMITTED"), "{anothers}");
    let money = wire::AssistanceKind::Money.into();
    let relief = Step::ReliefFirst(wire::GiveReliefFirst { kind: money });
    let relieved = li.step(&alert, relief).await.expect("relieved");
    let seconds = |at: &Option<prost_types::Timestamp>| at.as_ref().expect("due").seconds;
    assert!(seconds(&relieved.papers_due_at) > seconds(&relieved.due_at), "{relieved:?}");
    li.step(&alert, visit()).await.expect("visited");
    li.step(&alert, assist(wire::AssistanceKind::Money)).await.expect("given");
    li.step(&alert, outcome(TemporaryRelief)).await.expect("decided");
    let missing = li.step(&alert, close()).await.expect_err("papers are missing");
    assert!(missing.starts_with("NOT_POSSIBLE_NOW: papers are missing"), "{missing}");
    li.step(&alert, Step::Papers(wire::CompletePapers {})).await.expect("complete");
    let closed = li.step(&alert, close()).await.expect("closed");
    assert_eq!((closed.stage(), closed.outcome()), (CaseStage::Closed, TemporaryRelief));
    assert_eq!(closed.visited_on, "2026-11-24");
    let nothing = wire::CaseFilter { rule: closed.rule.clone(), ..Default::default() };
    let open = li.list(nothing).await;
    assert!(open.iter().all(|case| case.alert != alert), "it is done");
    // A facts' end, and not the worker's, ends the time after which the case comes back.
    let until = closed.until.expect("until then").seconds - world.now().as_second();
    assert_eq!(until, 90 * 86_400);
    reproduces(&world).await;
    world.pass(Duration::from_secs(90 * 86_400));
    let again = li.until(&alert, |case| case.stage() == CaseStage::Routed).await;
    assert!(again.visited_on.is_empty() && again.officer.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_takes_goes_up_to_the_street_and_then_to_the_district() {
    let world = settled(63).await;
    let alert = routed(&world).await;
    let head = Office::of(&world, &STREET_HEAD).await;
    let case = head.case(&alert).await;
    assert!(case.tier() == CaseTier::Worker && !case.overdue);
    for tier in [CaseTier::Street, CaseTier::District] {
        let due = head.case(&alert).await.due_at.expect("something is due").seconds;
        let wait = u64::try_from(due - world.now().as_second()).expect("in the future");
        world.pass(Duration::from_secs(wait));
        head.until(&alert, |case| case.tier() == tier).await;
    }
    world.pass(Duration::from_secs(3 * 86_400));
    let late = head.until(&alert, |case| case.overdue).await;
    assert_eq!((late.tier(), late.stage()), (CaseTier::District, CaseStage::Routed));
    let overdue = wire::CaseFilter { overdue: true, ..Default::default() };
    assert!(head.list(overdue).await.iter().any(|case| case.alert == alert));
    // It is still a worker's to take.
    Office::of(&world, &STREET_WORKER).await.step(&alert, acknowledge()).await.expect("taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_goes_to_and_fro_is_the_districts_after_the_third_return() {
    let world = settled(63).await;
    let alert = routed(&world).await;
    let li = Office::of(&world, &STREET_WORKER).await;
    let street = Office::of(&world, &STREET_HEAD).await;
    let district = Office::of(&world, &DISTRICT_HEAD).await;
    let here = || Step::Reroute(wire::Reroute { region: STREET_WORKER.region.into() });
    for returns in 1..=2 {
        let back = li.step(&alert, give_back(wire::ReturnReason::WrongRegion)).await;
        let back = back.expect("returned");
        assert_eq!((back.returns, back.tier()), (returns, CaseTier::Street));
        let refused = li.step(&alert, here()).await.expect_err("no supervisor");
        assert!(refused.starts_with("NOT_PERMITTED"), "{refused}");
        street.step(&alert, here()).await.expect("the street decides");
    }
    let back = li.step(&alert, give_back(wire::ReturnReason::MovedAway)).await.expect("returned");
    assert_eq!((back.returns, back.tier()), (3, CaseTier::District));
    let refused = street.step(&alert, here()).await.expect_err("too often");
    assert!(refused.contains("the district decides"), "{refused}");
    let ended = district.step(&alert, outcome(wire::CaseOutcome::Referral)).await;
    assert_eq!(ended.expect("the district decides").stage(), CaseStage::Decided);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_loses_nothing_and_what_is_only_in_the_log_never_came_about() {
    let mut world = settled(76).await;
    let alert = routed(&world).await;
    {
        let li = Office::of(&world, &STREET_WORKER).await;
        li.step(&alert, acknowledge()).await.expect("taken");
        let before = li.case(&alert).await;
        let path = world.deployment.dir.join("gateway/data/alerts.sqlite");
        let database = gateway::database::open(&path).await.expect("opens");
        // The disk takes nothing more: what is logged next is not written.
        let full = "CREATE TRIGGER full BEFORE INSERT ON case_event BEGIN SELECT RAISE(ABORT, 'full'); END";
        sqlx_execute(&database, full).await;
        let refused = li.step(&alert, visit()).await.expect_err("the disk is full");
        assert!(refused.starts_with("STORE_UNAVAILABLE"), "{refused}");
        sqlx_execute(&database, "DROP TRIGGER full").await;
        assert_eq!(li.case(&alert).await, before);
    }
    world.stop_gateway().await.expect("stopped");
    world.start_gateway().await.expect("started again");
    let li = Office::of(&world, &STREET_WORKER).await;
    let case = li.case(&alert).await;
    assert_eq!((case.stage(), case.officer.as_str()), (CaseStage::Acknowledged, STREET_WORKER.id));
    li.step(&alert, visit()).await.expect("visited");
    reproduces(&world).await;
}

async fn sqlx_execute(database: &sqlx::SqlitePool, sql: &'static str) {
    sqlx::query(sql).execute(database).await.expect("executed");
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_that_are_gone_end_a_case_that_nobody_visited_and_only_mark_another() {
    let city = City::generate(3000, 77, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    let desk = world.desk().await.expect("desk");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;
    let clerk = Office::of(&world, &CITY_DESK).await;
    let cases = cases_of(&world, &CITY_DESK).await;
    let open: Vec<_> = cases.iter().filter(|case| case.stage() == CaseStage::Routed).collect();
    let [visited, untouched] = [&open[0].alert, &open.last().expect("several").alert];
    clerk.step(visited, acknowledge()).await.expect("taken");
    clerk.step(visited, visit()).await.expect("visited");
    // The policy has no rules any more, so nothing holds.
    let path = world.deployment.dir.join("policy.toml");
    let policy = std::fs::read_to_string(&path).expect("read");
    let (without, _) = policy.split_once("[[rule]]").expect("rules");
    std::fs::write(&path, without).expect("written");
    let mut admin = world.client(&ADMINISTRATOR).await.expect("admin");
    admin.admin.reload_policy(wire::ReloadPolicyRequest {}).await.expect("in force");
    clerk.until(untouched, |case| case.stage() == CaseStage::Withdrawn).await;
    let marked = clerk.until(visited, |case| case.facts_gone).await;
    assert_eq!(marked.stage(), CaseStage::Visited);
    reproduces(&world).await;
}
