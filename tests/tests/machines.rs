//! A little town as real processes: each agency's adapter and the gateway, under the system's clock.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use proto::name::AgencyId;
use tests::{
    deployment::{ADMINISTRATOR, CITY_DESK},
    oracle::random::SMALL_POLICY,
    process::{Manner, Process},
    staff_client::StaffClient,
};

use crate::{
    fixture::difference,
    siege::{RULE, sources},
    town::Town,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// The town, running.
pub struct Machines {
    /// Its files.
    pub town: Town,
    /// The adapters.
    pub adapters: BTreeMap<AgencyId, Process>,
    /// The gateway.
    pub gateway: Process,
    /// Sees alerts.
    pub desk: StaffClient,
    /// Sees datasets.
    pub admin: StaffClient,
}

impl Machines {
    /// Everything on the first of the siege's two days. `prepare` may change files before.
    pub async fn start(manner: Manner, prepare: impl FnOnce(&Town)) -> Self {
        let text = SMALL_POLICY.to_owned() + RULE;
        let town = Town::at(Timestamp::now(), &text, &sources(false));
        prepare(&town);
        let deployment = &town.world.deployment;
        let mut adapters = BTreeMap::new();
        for agency in deployment.agencies() {
            let config = deployment.adapter_config(&agency);
            let process = Process::start_as("agency-adapter", &config, manner).await;
            let process = process.expect("started");
            adapters.insert(agency, process);
        }
        let addresses = adapters.iter().map(|(id, process)| (id.clone(), process.address));
        let config = deployment.gateway_config(&addresses.collect()).expect("written");
        let gateway = Process::start_as("gateway", &config, manner).await.expect("started");
        let client = |staff| StaffClient::connect(deployment, staff, gateway.address);
        let desk = client(&CITY_DESK).await.expect("desk");
        let admin = client(&ADMINISTRATOR).await.expect("admin");
        Self { town, adapters, gateway, desk, admin }
    }

    /// Writes one of the siege's days into the files.
    pub fn write(&self, other_day: bool) {
        let written = sources(other_day).write(&self.town.policy, &self.town.world.deployment.dir);
        written.expect("written");
    }

    /// Has every adapter read its files again.
    pub async fn hang_up(&self) {
        for adapter in self.adapters.values() {
            adapter.signal("HUP").await.expect("it runs");
        }
    }

    /// Waits until live alerts are what one of the siege's days makes of them.
    pub async fn come_to(&mut self, other_day: bool, stale: &[&str]) {
        let facts = self.town.facts(&sources(other_day));
        self.town.live = self.town.next(&facts, stale);
        let started = Instant::now();
        loop {
            let alerts = self.desk.alert_states().await.expect("alerts");
            let differences = difference(&alerts, &self.town.live);
            if differences.is_empty() {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{}", differences.join("\n"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
