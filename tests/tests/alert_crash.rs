//! A power failure at the worst moment of an alert: the access log has its change, the store has not.

use std::collections::{BTreeMap, BTreeSet};

use gateway::{alerts::Alerts, database};
use proto::{act::Act, entry::Entry};
use tests::{
    deployment::{ADMINISTRATOR, AUDITOR, CITY_DESK, Deployment},
    log_reader,
    process::{Manner, Process},
    running::until,
    staff_client::StaffClient,
};

use crate::machines::Machines;

async fn log(deployment: &Deployment, gateway: &Process) -> anyhow::Result<Vec<Entry>> {
    let mut auditor = StaffClient::connect(deployment, &AUDITOR, gateway.address).await?;
    let entries = log_reader::entries(&mut auditor, &deployment.manifest).await?;
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

/// Changes of alerts in the order of the log: which alert, under which revision.
fn changes(log: &[Entry]) -> Vec<(String, u64)> {
    let changes = log.iter().filter_map(|entry| match entry.act() {
        Act::AlertChanged { alert, revision, .. } => Some((alert.to_string(), *revision)),
        _ => None,
    });
    changes.collect()
}

/// What the log says from the second start on.
fn since_restart(log: &[Entry]) -> &[Entry] {
    let starts = |entry: &usize| matches!(log[*entry].act(), Act::Started { .. });
    (0..log.len()).filter(starts).nth(1).map_or(&[], |start| &log[start..])
}

fn last(changes: &[(String, u64)]) -> u64 {
    changes.iter().map(|(_, revision)| *revision).max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_8_a_change_that_a_kill_left_in_the_log_alone_is_told_once_and_under_one_id() {
    let mut machines = Machines::start(Manner::default(), |_| {}).await;
    machines.write(true);
    machines.hang_up().await;
    machines.come_to(true, &[]).await;
    let before = machines.desk.alerts().await.expect("alerts");
    let deployment = &machines.town.world.deployment;

    // Somebody else writes into the store: changes are in the log and wait to be written.
    let path = deployment.dir.join("gateway/data/alerts.sqlite");
    let store = database::open(&path).await.expect("opens");
    let lock = store.begin_with("BEGIN IMMEDIATE").await.expect("locked");
    let written = Alerts::new(store.clone()).revision().await.expect("read");
    machines.write(false);
    machines.hang_up().await;
    let logged = async || log(deployment, &machines.gateway).await;
    until(logged, |log| last(&changes(log)) > written).await.expect("they are logged");
    let Machines { town, adapters: _adapters, gateway, .. } = machines;
    gateway.kill().await.expect("killed");
    drop(lock);
    let config = town.world.deployment.dir.join("gateway/gateway.toml");
    let gateway = Process::start("gateway", &config).await.expect("it starts on what was left");
    let client = |staff| StaffClient::connect(&town.world.deployment, staff, gateway.address);
    let (desk, admin) = (client(&CITY_DESK).await.expect("desk"), client(&ADMINISTRATOR).await);
    let admin = admin.expect("admin");
    let mut machines = Machines { town, adapters: _adapters, gateway, desk, admin };
    machines.come_to(false, &[]).await;

    let after = machines.desk.alerts().await.expect("alerts");
    let ids: BTreeMap<_, _> = after.iter().map(|alert| (&alert.subject, &alert.id)).collect();
    assert_eq!(ids.len(), after.len(), "nobody has two alerts");
    assert!(before.iter().all(|alert| ids[&alert.subject] == &alert.id), "each goes on as it was");
    let deployment = &machines.town.world.deployment;
    let everything = async || log(deployment, &machines.gateway).await;
    let newest = after.iter().map(|alert| alert.revision).max().expect("alerts");
    let whole = until(everything, |log| last(&changes(since_restart(log))) >= newest).await;
    let whole = whole.expect("all of it is logged");
    let since = since_restart(&whole);
    let Act::Started { revision, .. } = since[0].act() else { unreachable!("it begins so") };
    assert_eq!(*revision, written, "what was logged above never came about, it says");
    let told = changes(since);
    let revisions: BTreeSet<u64> = told.iter().map(|(_, revision)| *revision).collect();
    assert_eq!(revisions.len(), told.len(), "each change is told once");
    assert_eq!(revisions.first(), Some(&(written + 1)), "under the revision that comes next");
    let new = after.iter().filter(|alert| alert.revision > written);
    assert!(new.clone().count() > 0, "there was something to lose");
    for alert in new {
        assert!(told.contains(&(alert.id.clone(), alert.revision)), "{} is logged", alert.id);
    }
}
