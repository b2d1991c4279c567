//! From what arrives to alerts, across policies and restarts.

use std::{ops::Range, path::PathBuf, sync::Arc, time::Duration};

use gateway::{
    alert::{Alert, State},
    alerts::Alerts,
    audit::recorder::Recorder,
    clock::Clock,
    explanation::Truth,
    filling::{Filling, Supply},
    intake::Share,
    link::Arrival,
    pipeline::Pipeline,
    policy_in_force::PolicyInForce,
    question::Question,
    rows::{Changed, Rows},
    status::StatusBoard,
};
use jiff::{SignedDuration, Timestamp};
use proto::{act::Act, entry::Actor};
use sqlx::SqlitePool;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    access_log::{acts, recorder},
    fixture::{SMALL, batch, now, register, release, schema, scope},
};

/// How long a change may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pipeline that runs, and what a restart leaves of it.
struct Office {
    directory: tempfile::TempDir,
    policy: Arc<PolicyInForce>,
    alerts: Alerts,
    recorder: Recorder,
    rows: Rows,
    clock: watch::Sender<Timestamp>,
    arrivals: mpsc::Sender<Arrival>,
    _questions: mpsc::Sender<Question>,
    revision: watch::Receiver<u64>,
    running: JoinHandle<()>,
}

async fn office(directory: tempfile::TempDir, policy: &str, at: Timestamp) -> Office {
    let path = policy_path(&directory);
    std::fs::write(&path, policy).expect("written");
    let policy = PolicyInForce::read(&path, &scope().programme).expect("good");
    let policy = Arc::new(policy);
    let rows = Rows::open(&directory.path().join("rows"), &scope()).expect("opens");
    let alerts = Alerts::new(
        gateway::database::open(&directory.path().join("alerts.sqlite")).await.expect("opens"),
    );
    let (clock, shown) = Clock::manual(at);
    let (arrivals, arriving) = mpsc::channel(4);
    let supply = Supply {
        routing: Arc::default(),
        scope: scope(),
        rows: rows.clone(),
        status: Arc::new(StatusBoard::default()),
        policy: policy.clone(),
        clock: shown,
        arrivals: arriving,
    };
    let filling = Filling::new(supply).expect("the store answers");
    let recorder = recorder(directory.path());
    let pipeline = Pipeline::new(filling, alerts.clone(), recorder.clone()).await.expect("starts");
    let revision = pipeline.revision();
    let (questions, asked) = mpsc::channel(4);
    let (_orders, ordered) = mpsc::channel(1);
    let running = tokio::spawn(pipeline.run(asked, ordered));
    let _questions = questions;
    Office {
        directory,
        policy,
        alerts,
        recorder,
        rows,
        clock,
        arrivals,
        _questions,
        revision,
        running,
    }
}

fn policy_path(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("policy.toml")
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

impl Office {
    async fn rows(&self, dataset: &str, people: &[(u8, Option<Vec<u8>>)]) {
        let (batch, columns) = batch(dataset, None, 1, people);
        let mut staging = self.rows.stage(&schema(dataset)).expect("staged");
        staging.append(&columns).expect("taken");
        let (_, changed) = staging.commit(&batch).expect("committed");
        let dataset = dataset.parse().expect("a name");
        self.arrivals.send(Arrival::Rows { dataset, changed }).await.expect("running");
    }

    async fn release(&self, people: &[(u8, Option<u8>)]) {
        let release = release(None, 1, &["register", "cars"], people).expect("good");
        let generation = self.policy.generation();
        self.arrivals
            .send(Arrival::Release { release, generation, share: Share::default() })
            .await
            .expect("running");
    }

    /// One person who is ill and pays, in no register and without a car.
    async fn raise_one(&mut self) -> Alert {
        self.supply_one().await;
        self.changed().await
    }

    /// What raises an alert of one person.
    async fn supply_one(&self) {
        self.rows("cars", &[]).await;
        let alone = proto::household::Household::default();
        self.rows("register", &[(1, Some(register(0, &alone)))]).await;
        self.release(&[(1, Some(1))]).await;
    }

    /// The file of alerts, as if its disk were full: no alert can be written.
    async fn full_store(&self) -> SqlitePool {
        let path = self.directory.path().join("alerts.sqlite");
        let store = gateway::database::open(&path).await.expect("opens");
        let full =
            "CREATE TRIGGER full BEFORE INSERT ON alert BEGIN SELECT RAISE(ABORT, 'full'); END";
        sqlx::query(full).execute(&store).await.expect("full");
        store
    }

    /// The log's entries once it says that something did not come about; which these are.
    async fn failed(&self) -> Range<usize> {
        let place = |index: u64| usize::try_from(index).expect("few");
        for _ in 0..2000 {
            let logged = acts(&self.recorder).await;
            let failed = logged.iter().find_map(|act| match act {
                Act::Failed { first, end } => Some(place(*first)..place(*end)),
                _ => None,
            });
            if let Some(failed) = failed {
                return failed;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the log does not say that anything failed")
    }

    async fn reload(&self, policy: &str) {
        std::fs::write(policy_path(&self.directory), policy).expect("written");
        self.policy.reload(&self.recorder, &Actor::Gateway).await.expect("good");
    }

    /// The one alert, once something changed.
    async fn changed(&mut self) -> Alert {
        let changed = tokio::time::timeout(PATIENCE, self.revision.changed()).await;
        changed.expect("something changes in time").expect("running");
        self.only().await
    }

    /// The one alert, once the clock has shown that an unknown stays.
    async fn pending(&mut self) -> Alert {
        let wait = Duration::from_millis(200);
        while tokio::time::timeout(wait, self.revision.changed()).await.is_err() {
            self.clock.send_modify(|now| *now += SignedDuration::from_secs(130));
        }
        self.only().await
    }

    async fn only(&self) -> Alert {
        let mut latest = self.alerts.latest(1).await.expect("read");
        assert_eq!(latest.len(), 1);
        latest.remove(0)
    }

    async fn stop(self) -> tempfile::TempDir {
        drop(self.arrivals);
        self.running.await.expect("ends well");
        self.recorder.log().close().await;
        self.directory
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_whose_rule_is_gone_is_withdrawn_and_one_whose_rule_is_back_comes_again() {
    let mut office = office(directory(), SMALL, now()).await;
    let raised = office.raise_one().await;
    assert_eq!((raised.state, raised.occurrence), (State::Open, 1));
    office.reload(&SMALL.replace("id = \"first\"", "id = \"second\"")).await;
    office.revision.changed().await.expect("running");
    let mut latest = office.alerts.latest(1).await.expect("read");
    latest.sort_by(|a, b| a.rule.cmp(&b.rule));
    let states: Vec<_> = latest.iter().map(|a| (a.rule.as_str(), a.state)).collect();
    assert_eq!(states, [("first", State::Withdrawn), ("second", State::Open)]);
    assert_eq!(latest[0].findings, raised.findings, "explained as it was");
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_alert_follows_the_new_text_of_its_rule_and_is_due_as_before() {
    let mut office = office(directory(), SMALL, now()).await;
    let raised = office.raise_one().await;
    office.clock.send_replace(now() + SignedDuration::from_hours(1));
    office.reload(&SMALL.replace("aid.ill && aid.ill.paid", "aid.ill.paid")).await;
    let renewed = office.changed().await;
    assert_eq!(
        (renewed.id, renewed.state, renewed.due_at),
        (raised.id, State::Open, raised.due_at)
    );
    assert_ne!(renewed.rule_version, raised.rule_version);
    assert_eq!(renewed.findings.len(), raised.findings.len() - 1, "as the new text asks");
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_after_an_alert_was_raised_without_it_is_in_its_explanation_too() {
    let either = SMALL.replace("aid.ill.paid >= 5000", "(aid.ill.paid >= 5000 || cars.over)");
    let either = either.replace("means = \"!household.exists(m, m.cars.over)\"\n", "");
    let mut office = office(directory(), &either, now()).await;
    let alone = proto::household::Household::default();
    office.rows("register", &[(1, Some(register(0, &alone)))]).await;
    office.release(&[(1, Some(1))]).await;
    let raised = office.changed().await;
    let known = |alert: &Alert| -> Vec<(Truth, bool)> {
        let cars = alert.findings.iter().filter(|finding| finding.dataset.as_str() == "cars");
        cars.map(|finding| (finding.truth, finding.as_of.is_some())).collect()
    };
    assert_eq!((raised.state, known(&raised)), (State::Open, vec![(Truth::Unknown, false)]));
    office.clock.send_replace(now() + SignedDuration::from_secs(9));
    office.rows("cars", &[]).await;
    let told = office.changed().await;
    assert_eq!((&told.id, told.state, told.due_at), (&raised.id, State::Open, raised.due_at));
    assert_eq!(known(&told), [(Truth::False, true)]);
    // Once is enough.
    let day = SignedDuration::from_hours(24);
    office.clock.send_modify(|now| *now += day);
    let wait = Duration::from_millis(200);
    assert!(tokio::time::timeout(wait, office.revision.changed()).await.is_err(), "nothing new");
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_came_back_at_once_does_not_leave_the_base_empty() {
    let mut office = office(directory(), SMALL, now()).await;
    office.reload(&SMALL.replace("fresh_within = \"48h\"", "fresh_within = \"47h\"")).await;
    office.reload(SMALL).await;
    assert_eq!(office.policy.generation(), 3, "links release everything anew under this one");
    assert_eq!(office.raise_one().await.state, State::Open);
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_only_calls_things_otherwise_leaves_the_base_as_it_is() {
    let mut office = office(directory(), SMALL, now()).await;
    let raised = office.raise_one().await;
    office.reload(&SMALL.replace("en = \"Ill\"", "en = \"Very ill\"")).await;
    assert_eq!(office.policy.generation(), 1, "nothing is released anew");
    let at = raised.due_at + SignedDuration::from_hours(1);
    office.clock.send_replace(at);
    assert_eq!(office.only().await.state, State::Open);
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passed_while_nobody_ran_is_told_at_the_start() {
    let mut first = office(directory(), SMALL, now()).await;
    first.rows("cars", &[]).await;
    first.release(&[(1, Some(1))]).await;
    // The register never comes: first it has time to, and then an unknown decides.
    let pending = first.pending().await;
    assert_eq!(pending.state, State::Pending);
    let directory = first.stop().await;
    let later = pending.due_at + SignedDuration::from_mins(1);
    let mut second = office(directory, SMALL, later).await;
    let incomplete = match second.only().await {
        alert if alert.state == State::Pending => second.changed().await,
        alert => alert,
    };
    assert_eq!((incomplete.id, incomplete.state), (pending.id, State::Incomplete));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_in_the_log_before_it_is_in_the_store() {
    let mut office = office(directory(), SMALL, now()).await;
    let raised = office.raise_one().await;
    let logged = acts(&office.recorder).await;
    let logged = logged.iter().filter_map(|act| match act {
        Act::AlertChanged { alert, revision, .. } => Some((alert.to_string(), *revision)),
        _ => None,
    });
    assert_eq!(logged.collect::<Vec<_>>(), [(raised.id, raised.revision)]);
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_log_no_alert_is_made_nor_a_policy_taken_over() {
    let mut office = office(directory(), SMALL, now()).await;
    office.recorder.log().close().await;
    office.supply_one().await;
    let version = office.policy.current().version;
    std::fs::write(policy_path(&office.directory), SMALL.replace("48h", "47h")).expect("written");
    let refused = office.policy.reload(&office.recorder, &Actor::Gateway).await;
    assert!(refused.is_err() && office.policy.current().version == version, "the old one stays");
    let wait = Duration::from_millis(200);
    assert!(tokio::time::timeout(wait, office.revision.changed()).await.is_err(), "nothing told");
    assert_eq!(office.alerts.latest(1).await.expect("read"), []);
    assert!(!office.recorder.is_well());
    office.stop().await;
}

/// Alert, revision and entry of every change that the log has.
fn changes(logged: &[Act]) -> Vec<(String, u64, usize)> {
    let changed = logged.iter().enumerate().filter_map(|(entry, act)| match act {
        Act::AlertChanged { alert, revision, .. } => Some((alert.to_string(), *revision, entry)),
        _ => None,
    });
    changed.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_the_store_refused_comes_once_and_the_log_says_which_entry_never_came_about()
{
    let mut office = office(directory(), SMALL, now()).await;
    let store = office.full_store().await;
    office.supply_one().await;
    let failed = office.failed().await;
    assert!(!office.revision.has_changed().expect("running"), "nobody is told");
    assert_eq!(office.alerts.latest(1).await.expect("read"), []);
    sqlx::query("DROP TRIGGER full").execute(&store).await.expect("room");
    office.clock.send_modify(|now| *now += SignedDuration::from_secs(6));
    let raised = office.changed().await;
    let changes = changes(&acts(&office.recorder).await);
    let [(_, first, refused), (id, second, written)] = &changes[..] else {
        panic!("logged when it was refused, and when it was written: {changes:?}")
    };
    assert!(failed.contains(refused) && !failed.contains(written), "{failed:?} {changes:?}");
    assert_eq!((id, *first, *second), (&raised.id, raised.revision, raised.revision));
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_the_store_never_got_is_raised_once_after_a_restart() {
    let first = office(directory(), SMALL, now()).await;
    let store = first.full_store().await;
    first.supply_one().await;
    first.failed().await;
    let directory = first.stop().await;
    sqlx::query("DROP TRIGGER full").execute(&store).await.expect("room");
    let mut second = office(directory, SMALL, now()).await;
    second.release(&[(1, Some(1))]).await;
    let raised = second.changed().await;
    assert_eq!((raised.state, raised.occurrence, raised.revision), (State::Open, 1, 1));
    let changes = changes(&acts(&second.recorder).await);
    assert_eq!(changes.last().map(|(id, revision, _)| (id, *revision)), Some((&raised.id, 1)));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arrivals_without_end_do_not_keep_alerts_from_being_raised() {
    let mut office = office(directory(), SMALL, now()).await;
    let mut flood = vec![];
    for _ in 0..8 {
        let arrivals = office.arrivals.clone();
        flood.push(tokio::spawn(async move {
            let dataset = || "cars".parse().expect("a name");
            let arrival = || Arrival::Rows { dataset: dataset(), changed: Changed::All };
            while arrivals.send(arrival()).await.is_ok() {}
        }));
    }
    let raised = tokio::time::timeout(Duration::from_secs(60), office.raise_one()).await;
    assert_eq!(raised.expect("in time").state, State::Open);
    flood.iter().for_each(tokio::task::JoinHandle::abort);
    for task in flood {
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
    }
    office.stop().await;
}
