//! The store of alerts: pages, changes since a revision, filters, restarts.

use gateway::{
    alert::{Alert, State},
    alerts::{After, Alerts, Filter},
    audit::recorder::Recorder,
};
use proto::{act::Act, entry::Actor, subject::Subject};

use crate::{
    access_log::{acts, recorder, run},
    fixture::now,
};

fn alert(number: u8) -> Alert {
    let due_at = now() + jiff::SignedDuration::from_hours(i64::from(number / 2));
    Alert {
        id: format!("AL-{number:04}-0000-0000"),
        subject: Subject([number; 16]),
        epoch: 1,
        rule: if number.is_multiple_of(2) { "even".into() } else { "odd".into() },
        occurrence: 1,
        rule_version: [number; 32],
        situation: "illness".into(),
        state: State::Open,
        region: if number < 5 { "320104002003".into() } else { "320105002003".into() },
        raised_at: now(),
        changed_at: now(),
        due_at,
        assist: vec!["visit".into(), "relief".into()],
        revision: u64::from(number),
        findings: vec![],
    }
}

/// The store and the log without which it neither takes nor gives anything.
struct Store {
    alerts: Alerts,
    recorder: Recorder,
}

async fn store(directory: &tempfile::TempDir) -> Store {
    let alerts = Alerts::new(
        gateway::database::open(&directory.path().join("alerts.sqlite")).await.expect("opens"),
    );
    Store { alerts, recorder: recorder(directory.path()) }
}

impl Store {
    async fn write(&self, changed: &[Alert]) {
        self.alerts.write(&run(&self.recorder, changed).await).await.expect("written");
    }

    async fn page(&self, filter: &Filter, after: Option<&After>, limit: u32) -> Vec<Alert> {
        let page = self.alerts.page(filter, after, limit).await.expect("read");
        self.recorder.open(&Actor::Gateway, page).await.expect("logged").into_what().0
    }

    async fn since(&self, revision: u64, limit: u32) -> Vec<Alert> {
        let changes = self.alerts.since(&Filter::default(), revision, limit).await.expect("read");
        let Some(changes) = changes else { return vec![] };
        self.recorder.open(&Actor::Gateway, changes).await.expect("logged").into_what().0
    }
}

fn ids(alerts: &[Alert]) -> Vec<u64> {
    alerts.iter().map(|alert| alert.revision).collect()
}

#[tokio::test]
async fn pages_hold_every_alert_once_in_the_order_of_due_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(&directory).await;
    let all: Vec<Alert> = (1..=9).rev().map(alert).collect();
    store.write(&all).await;
    let (mut seen, mut after) = (vec![], None);
    loop {
        let page = store.page(&Filter::default(), after.as_ref(), 2).await;
        let Some(last) = page.last() else { break };
        after = Some(After { due_at: last.due_at.as_second(), id: last.id.clone() });
        seen.extend(ids(&page));
    }
    assert_eq!(seen, (1..=9).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_filter_leaves_out_what_it_says_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(&directory).await;
    let mut all: Vec<Alert> = (1..=9).map(alert).collect();
    all[8].state = State::Withdrawn;
    all[7].region = String::new();
    store.write(&all).await;
    let found = async |filter: Filter| {
        let alerts = store.page(&filter, None, 100).await;
        let mut found = ids(&alerts);
        found.sort_unstable();
        found
    };
    let regions = |prefixes: &[&str]| Filter {
        regions: prefixes.iter().map(|&prefix| prefix.into()).collect(),
        ..Filter::default()
    };
    assert_eq!(found(regions(&["", "320104"])).await, [1, 2, 3, 4]);
    assert_eq!(found(regions(&["3201", "320105002"])).await, [5, 6, 7, 9]);
    assert_eq!(found(regions(&["320104", "320105"])).await, Vec::<u64>::new());
    assert_eq!(found(regions(&[""])).await.len(), 9, "without a region, too");
    let rule = Filter { rule: Some("even".into()), ..Filter::default() };
    assert_eq!(found(rule).await, [2, 4, 6, 8]);
    let states = Filter { states: vec![State::Withdrawn], ..Filter::default() };
    assert_eq!(found(states).await, [9]);
    let later = Filter { raised_from: Some(now()), ..Filter::default() };
    assert_eq!(found(later).await.len(), 9);
    let before = Filter { raised_until: Some(now()), ..Filter::default() };
    assert_eq!(found(before).await.len(), 0);
}

#[tokio::test]
async fn an_alert_is_written_over_and_found_once_under_its_newest_revision() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(&directory).await;
    store.write(&[alert(1), alert(2), alert(3)]).await;
    let moved = Alert { revision: 4, state: State::Withdrawn, ..alert(1) };
    store.write(std::slice::from_ref(&moved)).await;
    let since = async |revision, limit| ids(&store.since(revision, limit).await);
    assert_eq!(since(0, 10).await, [2, 3, 4]);
    assert_eq!(since(0, 2).await, [2, 3]);
    assert_eq!(since(3, 10).await, [4]);
    assert_eq!(since(4, 10).await, Vec::<u64>::new());
    let found = store.alerts.get(&moved.id, "320104").await.expect("read").expect("there");
    let found = store.recorder.open(&Actor::Gateway, found).await.expect("logged");
    assert_eq!(found.what().0, moved);
    let elsewhere = store.alerts.get(&moved.id, "320105").await.expect("read");
    assert!(elsewhere.is_none(), "an alert elsewhere is as good as none");
}

#[tokio::test]
async fn the_log_names_every_alert_that_is_changed_or_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(&directory).await;
    store.write(&[alert(1), alert(2)]).await;
    store.page(&Filter::default(), None, 10).await;
    store.since(1, 10).await;
    let found = store.alerts.get(&alert(1).id, "").await.expect("read").expect("there");
    let found = store.recorder.open(&Actor::Gateway, found).await.expect("logged");
    let acts = acts(&store.recorder).await;
    let id = |number: u8| alert(number).id.parse().expect("an id");
    assert!(matches!(acts[0], Act::RulesRun { changed: 2, .. }));
    assert!(matches!(&acts[1], Act::AlertChanged { alert, revision: 1, .. } if *alert == id(1)));
    assert!(matches!(&acts[2], Act::AlertChanged { alert, revision: 2, .. } if *alert == id(2)));
    assert_eq!(acts[3], Act::AlertsListed { alerts: vec![id(1), id(2)] });
    assert_eq!(acts[4], Act::AlertsDelivered { alerts: vec![id(2)], revision: 2 });
    assert_eq!(acts[5], Act::AlertRead { alert: id(1) });
    assert_eq!((found.index(), acts.len()), (5, 6));
}

#[tokio::test]
async fn a_restart_finds_the_last_alert_of_every_subject_and_rule() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = Alert { state: State::Withdrawn, ..alert(1) };
    let second = Alert { id: "AL-2222-0000-0000".into(), occurrence: 2, revision: 7, ..alert(1) };
    let before = store(&directory).await;
    before.write(&[first, second.clone(), alert(2)]).await;
    before.recorder.log().close().await;
    drop(before);
    let store = store(&directory).await.alerts;
    let mut latest = store.latest(1).await.expect("read");
    latest.sort_by_key(|alert| alert.revision);
    assert_eq!(latest, [alert(2), second]);
    assert_eq!(store.revision().await.expect("read"), 7);
}
