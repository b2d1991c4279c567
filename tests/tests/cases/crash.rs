//! Power failures while cases are worked on: the real gateway is killed between the log and the store, and
//! at random instants.
//!
//! `CHAOS_KILLS` kills more often (8), `CHAOS_SEED` at other instants (1). A run that fails prints both.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use gateway::database;
use proto::{
    act::Act,
    name::AgencyId,
    wire::{self, AssistanceKind, CaseStage},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use tests::{
    deployment::{AUDITOR, Deployment, SECOND_WORKER, STREET_WORKER, Staff},
    log_reader,
    process::Process,
    running::{Running, until},
    staff_client::StaffClient,
};

use super::{
    fold::the_log_reproduces_the_store,
    office::{Office, acknowledge, assist, visit},
};
use crate::{chaos::number, helpline::helpline_files};

const HOME: &str = "320104002003";
/// Longest pause before a kill.
const PAUSE: Duration = Duration::from_millis(400);

/// The helpline's town as real processes.
struct Town {
    deployment: Deployment,
    gateway: Option<Process>,
    config: PathBuf,
    _adapters: BTreeMap<AgencyId, Process>,
    _dir: tempfile::TempDir,
}

impl Town {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let home = dir.path().canonicalize().expect("there");
        let deployment = helpline_files(&home, &[(1, HOME, ""), (2, HOME, "")], &[]);
        let running = Running::start(deployment).await.expect("everything starts");
        let Running { deployment, adapters, gateway } = running;
        let config = home.join("gateway/gateway.toml");
        Self { deployment, gateway: Some(gateway), config, _adapters: adapters, _dir: dir }
    }

    async fn client(&self, staff: &Staff) -> StaffClient {
        let address = self.gateway.as_ref().expect("it runs").address;
        StaffClient::connect(&self.deployment, staff, address).await.expect("connected")
    }

    async fn office(&self, staff: &Staff) -> Office {
        Office { client: self.client(staff).await }
    }

    async fn kill(&mut self) {
        self.gateway.take().expect("it runs").kill().await.expect("killed");
    }

    /// Starts the gateway on what was left.
    async fn start_again(&mut self) {
        self.gateway = Some(Process::start("gateway", &self.config).await.expect("it starts"));
    }

    /// Two cases that were taken and visited, one by each worker.
    async fn visited(&self) -> [(Staff, String); 2] {
        let li = self.office(&STREET_WORKER).await;
        let routed = |cases: &Vec<wire::Case>| {
            cases.len() == 2 && cases.iter().all(|case| case.stage() == CaseStage::Routed)
        };
        let cases = li.until_all(routed).await;
        let mut visited = [STREET_WORKER, SECOND_WORKER].into_iter().zip(cases);
        let visited = [(); 2].map(|()| visited.next().expect("two"));
        for (staff, case) in &visited {
            let office = self.office(staff).await;
            office.step(&case.alert, acknowledge()).await.expect("taken");
            office.step(&case.alert, visit()).await.expect("visited");
        }
        visited.map(|(staff, case)| (staff, case.alert))
    }

    async fn the_log_reproduces_the_store(&self) {
        let auditor = self.client(&AUDITOR).await;
        the_log_reproduces_the_store(&self.deployment, &auditor).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_a_kill_left_in_the_log_alone_never_came_about_and_can_be_taken_again() {
    let mut town = Town::start().await;
    let [(staff, alert), _] = town.visited().await;
    let office = town.office(&staff).await;
    let before = office.case(&alert).await;

    // Somebody else writes into the store: the next event is in the log and waits to be written.
    let path = town.deployment.dir.join("gateway/data/alerts.sqlite");
    let store = database::open(&path).await.expect("opens");
    let lock = store.begin_with("BEGIN IMMEDIATE").await.expect("locked");
    let given = alert.clone();
    let step = async move { office.step(&given, assist(AssistanceKind::Money)).await };
    let step = tokio::spawn(step);
    let auditor = town.client(&AUDITOR).await;
    let logged = || async {
        let entries = log_reader::entries(&mut auditor.clone(), &town.deployment.manifest).await?;
        let told = entries.iter().filter(|(_, entry)| {
            matches!(entry.act(), Act::CaseChanged { alert: of, number, .. }
                if of.as_str() == alert && *number == before.number + 1)
        });
        Ok(told.count())
    };
    assert_eq!(until(logged, |count| *count > 0).await.expect("it is logged"), 1);
    town.kill().await;
    drop(lock);
    town.start_again().await;
    step.await.expect("no panic").expect_err("nobody was told that it came about");

    let office = town.office(&staff).await;
    assert_eq!(office.case(&alert).await, before);
    let after = office.step(&alert, assist(AssistanceKind::Money)).await.expect("given");
    assert_eq!(after.number, before.number + 1);
    town.the_log_reproduces_the_store().await;
}

/// What a worker was told.
#[derive(Default)]
struct Told {
    /// The number of the last event that is known to be there.
    last: u64,
    /// How many steps were acknowledged.
    acknowledged: usize,
    problem: Option<String>,
}

/// Gives assistance again and again until the gateway is gone.
async fn work(office: Office, alert: String, told: Arc<Mutex<Told>>) {
    let kinds = [AssistanceKind::Money, AssistanceKind::Goods, AssistanceKind::Service];
    loop {
        let last = told.lock().expect("no panics").last;
        let kind = kinds[usize::try_from(last).expect("few") % kinds.len()];
        let answer = office.step_after(&alert, last, assist(kind)).await;
        let mut told = told.lock().expect("no panics");
        match answer {
            Ok(case) if case.number == last + 1 => {
                told.last = case.number;
                told.acknowledged += 1;
            }
            Ok(case) => told.problem = Some(format!("{} after {last}", case.number)),
            // Refused, and not only unanswered.
            Err(refused) if !refused.starts_with(':') => told.problem = Some(refused),
            Err(_) => return,
        }
        if told.problem.is_some() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_8_no_step_that_was_acknowledged_is_lost_and_none_comes_twice_after_kill_9() {
    let (kills, seed) = (number("CHAOS_KILLS", 8), number("CHAOS_SEED", 1));
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let mut town = Town::start().await;
    let visited = town.visited().await;
    let mut workers = vec![];
    for (staff, alert) in visited {
        let last = town.office(&staff).await.case(&alert).await.number;
        let told = Told { last, ..Told::default() };
        workers.push((staff, alert, Arc::new(Mutex::new(told))));
    }
    for kill in 1..=kills {
        let what = format!("CHAOS_SEED={seed}, kill {kill} of CHAOS_KILLS={kills}");
        let mut working = vec![];
        for (staff, alert, told) in &workers {
            let office = town.office(staff).await;
            working.push(tokio::spawn(work(office, alert.clone(), told.clone())));
        }
        tokio::time::sleep(PAUSE.mul_f64(random.random())).await;
        town.kill().await;
        town.start_again().await;
        for worker in working {
            worker.await.expect("no panic");
        }
        for (staff, alert, told) in &workers {
            let case = town.office(staff).await.case(alert).await;
            let mut told = told.lock().expect("no panics");
            assert_eq!(told.problem, None, "{what}");
            // The step that was under way came about, or it did not.
            let under_way = case.number.checked_sub(told.last);
            assert!(under_way.is_some_and(|more| more <= 1), "{what}: {under_way:?}");
            told.last = case.number;
        }
        town.the_log_reproduces_the_store().await;
    }
    let given = workers.iter().map(|(.., told)| told.lock().expect("no panics").acknowledged);
    assert!(given.sum::<usize>() > usize::try_from(kills).expect("few"), "work was done");
}
