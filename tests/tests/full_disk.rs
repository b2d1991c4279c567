//! A full disk: the gateway says so, goes on with what it can do, and needs no restart afterwards.

use std::time::{Duration, Instant};

use tests::{
    deployment::{ADMINISTRATOR, Deployment},
    process::Manner,
    staff_client::channel,
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::machines::Machines;

async fn health(deployment: &Deployment, gateway: std::net::SocketAddr) -> ServingStatus {
    let channel = channel(deployment, &ADMINISTRATOR, gateway).await.expect("connected");
    let request = HealthCheckRequest { service: gateway::gateway::STORES.into() };
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

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_reads_go_on_and_room_is_enough_to_mend_it() {
    let manner = Manner { outlives_full_disk: true, ..Manner::default() };
    let mut machines = Machines::start(manner, |_| {}).await;
    machines.come_to(false, &[]).await;
    health_becomes(&machines, ServingStatus::Serving).await;
    let before = machines.desk.alerts().await.expect("alerts");
    let process = machines.gateway.id();

    machines.gateway.fill_disk(true).await.expect("full");
    machines.write(true);
    machines.hang_up().await;
    health_becomes(&machines, ServingStatus::NotServing).await;
    let lines = machines.admin.datasets().await.expect("datasets are told");
    assert_eq!(lines.len(), 5);
    for _ in 0..20 {
        let alerts = machines.desk.alerts().await.expect("reads go on");
        assert_eq!(alerts, before, "what could not be written is not told");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    machines.gateway.fill_disk(false).await.expect("room");
    machines.come_to(true, &[]).await;
    health_becomes(&machines, ServingStatus::Serving).await;
    assert_eq!(machines.gateway.id(), process, "nobody had to start it again");
    for line in machines.admin.datasets().await.expect("lines") {
        assert_eq!((&*line.problem, line.unopenable), ("", 0), "{}", line.dataset);
    }
}
