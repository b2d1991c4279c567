//! From an alert to help, over real sockets: two workers at once, regions, deadlines, restarts, and what
//! the log says of all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use gateway::case::lifecycle::Case;
use proto::{
    act::Act,
    alert_id::AlertId,
    case_event::CaseEvent,
    entry::Actor,
    fault::reason_of,
    wire::{self, CaseStage, CaseTier, step_request::Step},
};
use tests::{
    city::City,
    deployment::{
        ADMINISTRATOR, AUDITOR, CITY_DESK, DISTRICT_HEAD, SECOND_WORKER, STREET_HEAD,
        STREET_WORKER, Staff,
    },
    log_reader,
    staff_client::StaffClient,
    world::World,
};

use crate::fixture::{expected_of, settle, today, world_of};

/// A city whose alerts are settled.
async fn settled(seed: u64) -> World {
    let city = City::generate(3000, seed, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    let desk = world.desk().await.expect("desk");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;
    world
}

struct Office<'a> {
    world: &'a World,
    client: StaffClient,
}

impl<'a> Office<'a> {
    async fn of(world: &'a World, staff: &Staff) -> Self {
        Self { world, client: world.client(staff).await.expect("connected") }
    }

    async fn list(&self, filter: wire::CaseFilter) -> Vec<wire::Case> {
        let mut cases = self.client.cases.clone();
        let (mut found, mut page_token) = (vec![], String::new());
        loop {
            let filter = Some(filter.clone());
            let request = wire::ListCasesRequest { filter, page_size: 7, page_token };
            let page = cases.list_cases(request).await.expect("listed").into_inner();
            assert!(page.people.len() <= 7);
            for person in page.people {
                assert!(person.cases.iter().all(|case| case.subject == person.subject));
                found.extend(person.cases);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    }

    async fn file(&self, alert: &str) -> Result<wire::GetCaseResponse, String> {
        let request = wire::GetCaseRequest { alert: alert.to_owned() };
        let answer = self.client.cases.clone().get_case(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| refusal(&status))
    }

    async fn case(&self, alert: &str) -> wire::Case {
        self.file(alert).await.expect("seen").case.expect("always there")
    }

    /// A step after the last event.
    async fn step(&self, alert: &str, step: Step) -> Result<wire::Case, String> {
        let after = self.file(alert).await?.case.expect("always there").number;
        self.step_after(alert, after, step).await
    }

    async fn step_after(&self, alert: &str, after: u64, step: Step) -> Result<wire::Case, String> {
        let request = wire::StepRequest { alert: alert.to_owned(), after, step: Some(step) };
        let answer = self.client.cases.clone().step(request).await;
        let answer = answer.map_err(|status| refusal(&status))?.into_inner();
        Ok(answer.case.expect("always there"))
    }

    /// Waits until a case is so.
    async fn until(&self, alert: &str, good: impl Fn(&wire::Case) -> bool) -> wire::Case {
        let look = || async { Ok(self.case(alert).await) };
        self.world.until(look, good).await.expect("it comes to that")
    }
}

fn refusal(status: &tonic::Status) -> String {
    format!("{}: {}", reason_of(status).unwrap_or_default(), status.message())
}

/// The cases that somebody sees, once every alert has one.
async fn cases_of(world: &World, staff: &Staff) -> Vec<wire::Case> {
    let office = Office::of(world, staff).await;
    let alerts = office.client.clone().alerts().await.expect("alerts");
    let alerts: BTreeSet<String> = alerts.into_iter().map(|alert| alert.id).collect();
    let stages: Vec<i32> = (1..=11).collect();
    let all = wire::CaseFilter { stages, ..Default::default() };
    let look = || async { Ok(office.list(all.clone()).await) };
    let complete = |cases: &Vec<wire::Case>| {
        alerts.iter().all(|alert| cases.iter().any(|case| case.alert == *alert))
    };
    world.until(look, complete).await.expect("every alert has a case")
}

/// A routed case of the street.
async fn routed(world: &World) -> String {
    let cases = cases_of(world, &STREET_WORKER).await;
    let routed = cases.iter().find(|case| case.stage() == CaseStage::Routed);
    routed.expect("the street has an open alert").alert.clone()
}

fn acknowledge() -> Step {
    Step::Acknowledge(wire::Acknowledge {})
}

fn give_back(reason: wire::ReturnReason) -> Step {
    Step::ReturnCase(wire::ReturnCase { reason: reason.into() })
}

fn visit() -> Step {
    Step::Visit(wire::RecordVisit { on: String::new() })
}

fn outcome(outcome: wire::CaseOutcome) -> Step {
    Step::Outcome(wire::RecordOutcome { outcome: outcome.into() })
}

/// Folds what the log says of cases, as section 19.7 has it.
async fn folded(world: &World) -> anyhow::Result<BTreeMap<AlertId, Case>> {
    let mut auditor = world.client(&AUDITOR).await?;
    let entries = log_reader::entries(&mut auditor, &world.deployment.manifest).await?;
    let mut told: Vec<(u64, AlertId, u64, CaseEvent, Actor)> = vec![];
    for (index, (_, entry)) in (0..).zip(&entries) {
        match entry.act() {
            Act::CaseChanged { alert, number, event } => {
                told.push((index, alert.clone(), *number, event.clone(), entry.by().clone()));
            }
            Act::Failed { first, end } => told.retain(|(at, ..)| !(first..end).contains(&at)),
            Act::CasesFollowed { after } => told.retain(|(at, ..)| at < after),
            _ => {}
        }
    }
    let mut cases = BTreeMap::new();
    for (_, alert, number, event, by) in told {
        let next = match cases.get(&alert) {
            None => Case::begin(&event),
            Some(case) => Case::apply(case, &event, &by),
        };
        let next = next.unwrap_or_else(|refused| panic!("{alert} {number}: {refused}"));
        assert_eq!(next.number, number, "{alert}");
        cases.insert(alert, next);
    }
    Ok(cases)
}

/// The store's cases are what the log's entries come to.
async fn the_log_reproduces_the_store(world: &World) {
    let path = world.deployment.dir.join("gateway/data/alerts.sqlite");
    let cases =
        gateway::case::cases::Cases::new(gateway::database::open(&path).await.expect("opens"));
    // Entries are shown once a checkpoint is over them.
    let differing = || async {
        let folded = folded(world).await?;
        if folded.is_empty() {
            return Ok(None);
        }
        let mut differing = vec![];
        for (alert, case) in folded {
            let stored = cases.get(&alert).await?;
            if stored.as_ref() != Some(&case) {
                differing.push((case, stored));
            }
        }
        Ok(Some(differing))
    };
    let none = |differing: &Option<Vec<_>>| differing.as_ref().is_some_and(Vec::is_empty);
    world.until(differing, none).await.expect("one is the fold of the other");
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
    let given = Step::Assistance(wire::GiveAssistance { kind: money });
    li.step(&alert, given).await.expect("given");
    li.step(&alert, outcome(TemporaryRelief)).await.expect("decided");
    let close = || Step::Close(wire::Close {});
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
    the_log_reproduces_the_store(&world).await;
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
    the_log_reproduces_the_store(&world).await;
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
    the_log_reproduces_the_store(&world).await;
}
