//! A full disk: the gateway says so and shows nobody anything that it cannot log, an adapter keeps its last
//! version, and neither needs a restart afterwards.

use std::{
    fs,
    time::{Duration, Instant},
};

use futures::StreamExt;
use proto::{act::Act, fault::reason_of, wire};
use tests::{
    deployment::{ADMINISTRATOR, AUDITOR, Deployment},
    log_reader::entries,
    process::Manner,
    staff_client::{StaffClient, channel},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{machines::Machines, town::agency};

async fn health(deployment: &Deployment, gateway: std::net::SocketAddr) -> ServingStatus {
    let channel = channel(deployment, &ADMINISTRATOR, gateway).await.expect("connected");
    let request = HealthCheckRequest { service: gateway::health::STORES.into() };
    let answer = HealthClient::new(channel).check(request).await.expect("answered");
    answer.into_inner().status()
}

async fn health_becomes(machines: &Machines, wanted: ServingStatus) {
    let started = Instant::now();
    loop {
        let deployment = &machines.town.world.deployment;
        let is = health(deployment, machines.gateway.address).await;
        if is == wanted {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{wanted:?} was waited for");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Neither a page nor an alert nor a line about datasets while the log cannot be written.
async fn nothing_is_shown(machines: &mut Machines, known: &str) {
    let unavailable = |status: tonic::Status| {
        assert_eq!(reason_of(&status).as_deref(), Some("STORE_UNAVAILABLE"), "{status:?}");
    };
    for _ in 0..20 {
        let list = wire::ListAlertsRequest::default();
        unavailable(machines.desk.matches.list_alerts(list).await.expect_err("not logged"));
        let read = wire::GetAlertRequest { id: known.to_owned() };
        unavailable(machines.desk.matches.get_alert(read).await.expect_err("not logged"));
        let lines = machines.admin.admin.list_datasets(wire::ListDatasetsRequest {}).await;
        unavailable(lines.expect_err("not logged"));
    }
}

/// The revisions that a watcher is sent until nothing more comes.
async fn revisions(stream: &mut tonic::Streaming<wire::WatchAlertsResponse>) -> Vec<u64> {
    let mut told = vec![];
    let quiet = Duration::from_millis(500);
    while let Ok(Some(Ok(event))) = tokio::time::timeout(quiet, stream.next()).await {
        if let Some(wire::watch_alerts_response::Event::Alert(alert)) = event.event {
            told.push(alert.revision);
        }
    }
    told
}

/// The log says that for a time it was not written.
async fn resumed(machines: &Machines) {
    let deployment = &machines.town.world.deployment;
    let address = machines.gateway.address;
    let mut auditor = StaffClient::connect(deployment, &AUDITOR, address).await.expect("auditor");
    let started = Instant::now();
    loop {
        let log = entries(&mut auditor, &deployment.manifest).await.expect("the log");
        if log.iter().any(|(_, entry)| matches!(entry.act(), Act::LogResumed { acts } if *acts > 0))
        {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it is not in the log");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nobody_is_shown_what_is_not_logged_and_room_is_enough_to_mend_it() {
    let manner = Manner { outlives_full_disk: true, ..Manner::default() };
    let mut machines = Machines::start(manner, |_| {}).await;
    machines.come_to(false, &[]).await;
    health_becomes(&machines, ServingStatus::Serving).await;
    let known = machines.desk.alerts().await.expect("alerts")[0].id.clone();
    let process = machines.gateway.id();
    let request = wire::WatchAlertsRequest { filter: None, resume_after: 0 };
    let watched = machines.desk.matches.watch_alerts(request).await.expect("watching");
    let mut stream = watched.into_inner();

    machines.gateway.fill_disk(true).await.expect("full");
    machines.write(true);
    machines.hang_up().await;
    health_becomes(&machines, ServingStatus::NotServing).await;
    nothing_is_shown(&mut machines, &known).await;
    let told = revisions(&mut stream).await;

    machines.gateway.fill_disk(false).await.expect("room");
    machines.come_to(true, &[]).await;
    health_becomes(&machines, ServingStatus::Serving).await;
    assert_eq!(machines.gateway.id(), process, "nobody had to start it again");
    let resume_after = told.last().copied().unwrap_or_default();
    let request = wire::WatchAlertsRequest { filter: None, resume_after };
    let again = machines.desk.matches.watch_alerts(request).await.expect("watching");
    let later = revisions(&mut again.into_inner()).await;
    assert!(!later.is_empty() && later.iter().all(|r| *r > resume_after), "changes came after all");
    resumed(&machines).await;
    for line in machines.admin.datasets().await.expect("lines") {
        assert_eq!((&*line.problem, line.unopenable), ("", 0), "{}", line.dataset);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_whose_disk_was_full_publishes_again_without_a_restart() {
    let manner = Manner { outlives_full_disk: true, ..Manner::default() };
    let mut machines = Machines::start(manner, |_| {}).await;
    machines.come_to(false, &[]).await;
    let id = agency("police");
    let log = machines.town.world.deployment.adapter_config(&id).with_extension("log");
    let refused = || fs::read_to_string(&log).expect("a log").contains("was not published anew");
    let police = &machines.adapters[&id];
    let process = police.id();

    police.fill_disk(true).await.expect("full");
    machines.write(true);
    let started = Instant::now();
    while !refused() {
        assert!(started.elapsed() < Duration::from_secs(60), "the full disk was noticed");
        police.signal("HUP").await.expect("it runs");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    police.fill_disk(false).await.expect("room");
    machines.hang_up().await;
    machines.come_to(true, &[]).await;
    assert_eq!(machines.adapters[&id].id(), process, "nobody had to start it again");
    for line in machines.admin.datasets().await.expect("lines") {
        assert_eq!((&*line.problem, line.unopenable), ("", 0), "{}", line.dataset);
    }
}
