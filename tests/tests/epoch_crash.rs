//! A process killed while it changes from epoch to epoch: its alerts are all of the one or all of the
//! other, each once and under its id.

use std::{
    collections::BTreeSet,
    env,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use agency_adapter::secret_file;
use gateway::{
    alert::{Alert, State},
    alert_acts::EpochChange,
    alerts::Alerts,
    audit::{
        log::AccessLog,
        logged::{Logged, Unlogged},
        recorder::Recorder,
        witnesses::Witnesses,
    },
    clock::Clock,
};
use jiff::Timestamp;
use proto::{entry::Actor, quorum, signing::SigningKey, subject::Subject};

const STORE: &str = "EPOCH_CRASH_STORE";
const ALERTS: u8 = 200;

/// One of them, as it must be in an epoch.
fn alert(n: u8, epoch: u32) -> Alert {
    let mut subject = [n; 16];
    subject[..4].copy_from_slice(&epoch.to_be_bytes());
    let now = Timestamp::UNIX_EPOCH;
    Alert {
        id: format!("AL-{n:04}-0000-0000"),
        subject: Subject(subject),
        epoch,
        rule: "needy".into(),
        occurrence: 1,
        rule_version: [0; 32],
        situation: "any".into(),
        state: State::Open,
        region: String::new(),
        raised_at: now,
        changed_at: now,
        due_at: now,
        assist: vec![],
        revision: u64::from(epoch) * 1000 + u64::from(n),
        findings: vec![],
    }
}

fn all(epoch: u32) -> Vec<Alert> {
    (0..ALERTS).map(|n| alert(n, epoch)).collect()
}

/// A change as it may be written: logged.
async fn logged(recorder: &Recorder, to: u32) -> Logged<EpochChange> {
    let change = EpochChange { from: to - 1, to, changed: all(to) };
    recorder.open(&Actor::Gateway, Unlogged::seal(change)).await.expect("logged")
}

fn recorder(directory: &Path) -> Recorder {
    let origin = quorum::origin(&"small".parse().expect("a name"));
    let path = directory.join("log.key");
    secret_file::create(&path).expect("made, or there");
    let seed = secret_file::read(&path).expect("read").expect("there");
    let key = SigningKey::from_seed(&seed);
    let log = AccessLog::open(directory, origin.clone(), key, Clock::system()).expect("opens");
    Recorder::new(log, origin, Arc::new(Witnesses::new(directory, None, Arc::default())))
}

/// Changes epochs until it is killed.
#[tokio::test]
#[ignore = "the victim of the test below, which starts it"]
async fn victim() {
    let directory = env::var(STORE).expect("told by the test below");
    let directory = Path::new(&directory);
    let alerts = Alerts::new(
        gateway::database::open(&directory.join("alerts.sqlite")).await.expect("opens"),
    );
    let recorder = recorder(directory);
    let present = alerts.epoch().await.expect("read").expect("in force");
    io::stdout().write_all(b"begun\n").expect("somebody listens");
    for epoch in present + 1.. {
        let change = logged(&recorder, epoch).await;
        alerts.change_epoch(&change, Timestamp::UNIX_EPOCH).await.expect("changed");
    }
}

#[tokio::test]
async fn a_kill_at_any_instant_of_the_change_leaves_all_alerts_in_one_epoch_under_their_ids() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("alerts.sqlite");
    let store = Alerts::new(gateway::database::open(&path).await.expect("opens"));
    let recorder = recorder(directory.path());
    let first = logged(&recorder, 1).await;
    store.change_epoch(&first, Timestamp::UNIX_EPOCH).await.expect("written");
    recorder.log().close().await;
    drop((store, recorder));
    let mut ends = BTreeSet::new();
    for round in 0..12_u64 {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .args(["--exact", "epoch_crash::victim", "--ignored", "--nocapture"])
            .env(STORE, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let begun = lines.any(|line| line.is_ok_and(|line| line.contains("begun")));
        assert!(begun, "the victim began");
        tokio::time::sleep(Duration::from_micros(700 * round * round)).await;
        child.kill().expect("killed");
        child.wait().expect("ended");

        let store = Alerts::new(gateway::database::open(&path).await.expect("opens again"));
        let epoch = store.epoch().await.expect("read").expect("in force");
        let mut found = store.latest(epoch).await.expect("read");
        found.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(found, all(epoch), "after {epoch} epochs");
        let gone = store.latest(epoch - 1).await.expect("read");
        assert!(gone.is_empty(), "none is left in the epoch before under another id");
        ends.insert(epoch);
    }
    assert!(ends.len() > 3, "it was killed at work");
}
