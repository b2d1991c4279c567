//! The gateway's desk over a store and a log, under a clock that is turned by hand; it can be left at
//! any moment.

use std::{path::Path, sync::Arc};

use gateway::{
    alerts::Alerts,
    audit::recorder::Recorder,
    authorise::{Officer, Register, Role},
    case::{
        cases::Cases,
        desk::{Desk, Parts},
        requests::Requests,
        step::Step,
    },
    clock::Clock,
    database,
    disclosure::{courier::Courier, disclosures::Disclosures},
    epoch::{Epoch, LiveEpochs},
    hotline::open_orders::OpenOrders,
    notify::deliveries::Deliveries,
    policy_in_force::PolicyInForce,
    refusal::Refusal,
};
use jiff::Timestamp;
use proto::{alert_id::AlertId, manifest::Manifest};
use sqlx::SqlitePool;
use tokio::{sync::watch, task::JoinHandle};

use super::files::{STORE, contents, directory};
use crate::access_log::recorder;

/// What does not change from one office to the next.
pub struct House {
    _directory: tempfile::TempDir,
    pub recorder: Recorder,
    policy: Arc<PolicyInForce>,
    epochs: Arc<LiveEpochs>,
}

/// What is so around the store.
#[derive(Clone)]
pub struct World {
    pub now: Timestamp,
    pub orders: OpenOrders,
}

/// An office at work.
pub struct Office {
    pub pool: SqlitePool,
    pub alerts: Alerts,
    pub cases: Cases,
    pub deliveries: Deliveries,
    pub courier: Courier,
    pub recorder: Recorder,
    pub clock: watch::Sender<Timestamp>,
    pub orders: watch::Sender<OpenOrders>,
    requests: Requests,
    _revision: watch::Sender<u64>,
    running: JoinHandle<()>,
}

impl House {
    pub fn new() -> Self {
        let directory = directory();
        let policy = directory.path().join("policy.toml");
        let text = include_str!("../../../deploy/policy/default.toml");
        std::fs::write(&policy, text).expect("written");
        let programme = "nanjing-assistance".parse().expect("a name");
        let policy = PolicyInForce::read(&policy, &programme).expect("good");
        let example = include_str!("../../../proto/vectors/federation.toml");
        let manifest = Manifest::parse(example).expect("good");
        let epoch = Epoch::open(directory.path(), manifest).expect("opens");
        Self {
            recorder: recorder(directory.path()),
            _directory: directory,
            policy: Arc::new(policy),
            epochs: Arc::new(LiveEpochs::new(epoch)),
        }
    }

    /// Opens the store in a directory, and goes on with it.
    pub async fn office(&self, store: &Path, world: &World) -> Office {
        let pool = database::open(&store.join(STORE)).await.expect("opens");
        let (clock, shown) = Clock::manual(world.now);
        let (alerts, cases) = (Alerts::new(pool.clone()), Cases::new(pool.clone()));
        let parts = Parts {
            cases: cases.clone(),
            alerts: alerts.clone(),
            recorder: self.recorder.clone(),
            policy: self.policy.clone(),
            register: register(),
            clock: shown.clone(),
        };
        let (requests, incoming) = Requests::channel();
        let orders = watch::Sender::new(world.orders.clone());
        let revision = watch::Sender::new(0);
        let desk = Desk::open(parts).await.expect("opens");
        let (told, open) = (revision.subscribe(), orders.subscribe());
        let running = tokio::spawn(desk.run(told, incoming, open, self.epochs.clone()));
        let courier = Courier::new(
            Disclosures::new(pool.clone()),
            (cases.clone(), requests.clone()),
            self.recorder.clone(),
            shown,
            Arc::default(),
        );
        let office = Office {
            deliveries: Deliveries::new(pool.clone()),
            pool,
            alerts,
            cases,
            courier,
            recorder: self.recorder.clone(),
            clock,
            orders,
            requests,
            _revision: revision,
            running,
        };
        office.settle().await;
        office
    }
}

impl Office {
    /// Waits until the desk has done all that there is to do: it looks before it takes a request.
    pub async fn settle(&self) {
        for _ in 0..2 {
            let nobodys: AlertId = "AL-9999-9999-9999".parse().expect("an id");
            let answer = self.requests.step(officer("li"), nobodys, 0, Step::Close).await;
            assert!(!matches!(answer, Err(Refusal::Busy(_)) | Ok(_)), "the desk works");
        }
    }

    /// An officer's step in a case as it is now.
    pub async fn step(&self, by: &str, case: &AlertId, step: &Step) -> Result<(), String> {
        let after = self.cases.get(case).await.expect("read").expect("there").number;
        let taken = self.requests.step(officer(by), case.clone(), after, step.clone()).await;
        taken.map(drop).map_err(|refusal| format!("{refusal:?}"))
    }

    pub async fn contents(&self) -> Vec<String> {
        contents(&self.pool).await
    }

    pub fn now(&self) -> Timestamp {
        *self.clock.borrow()
    }

    pub fn world(&self) -> World {
        World { now: self.now(), orders: self.orders.borrow().clone() }
    }

    /// Leaves everything as it lies.
    pub async fn leave(self) {
        self.running.abort();
        let _ = self.running.await;
    }
}

fn officers() -> Vec<Officer> {
    let officer = |id: &str, role, region: &str| Officer {
        id: id.parse().expect("a name"),
        roles: vec![role],
        region: region.into(),
    };
    vec![
        officer("li", Role::Caseworker, "320104002"),
        officer("wu", Role::Supervisor, "320104"),
        officer("zhou", Role::Administrator, ""),
    ]
}

fn officer(id: &str) -> Arc<Officer> {
    let found = officers().into_iter().find(|officer| officer.id.as_str() == id);
    Arc::new(found.expect("registered"))
}

fn register() -> Register {
    Register::new("nanjing-assistance".parse().expect("a name"), officers()).expect("good")
}
