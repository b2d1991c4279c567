//! A deployment as real processes: every agency's adapter and the gateway, under the system's clock.

use std::{
    collections::BTreeMap,
    future::Future,
    time::{Duration, Instant},
};

use anyhow::Context;
use proto::name::AgencyId;

use crate::{
    ctl::{Said, ctl},
    deployment::{Deployment, Staff},
    process::Process,
    staff_client::StaffClient,
};

/// How long anything awaited may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(200);

/// The deployment, running.
pub struct Running {
    /// Its files.
    pub deployment: Deployment,
    /// The adapters.
    pub adapters: BTreeMap<AgencyId, Process>,
    /// The gateway.
    pub gateway: Process,
}

impl Running {
    /// Starts every adapter and then the gateway.
    ///
    /// # Errors
    /// Whatever does not start.
    pub async fn start(deployment: Deployment) -> anyhow::Result<Self> {
        let mut adapters = BTreeMap::new();
        for agency in deployment.agencies() {
            let config = deployment.adapter_config(&agency);
            adapters.insert(agency, Process::start("agency-adapter", &config).await?);
        }
        let addresses = adapters.iter().map(|(agency, p)| (agency.clone(), p.address)).collect();
        let gateway = Process::start("gateway", &deployment.gateway_config(&addresses)?).await?;
        Ok(Self { deployment, adapters, gateway })
    }

    /// A member of staff's connection.
    ///
    /// # Errors
    /// Where it is refused.
    pub async fn client(&self, staff: &Staff) -> anyhow::Result<StaffClient> {
        StaffClient::connect(&self.deployment, staff, self.gateway.address).await
    }

    /// `gatewayctl` as this member of staff.
    ///
    /// # Errors
    /// Where the program is not there.
    pub async fn ctl(&self, staff: &Staff, arguments: &[&str]) -> anyhow::Result<Said> {
        ctl(&self.deployment, staff, self.gateway.address, arguments).await
    }

    /// Has an adapter read its files again.
    ///
    /// # Errors
    /// Where it has ended.
    pub async fn reload(&self, agency: &str) -> anyhow::Result<()> {
        let id: AgencyId = agency.parse()?;
        self.adapters.get(&id).context("an agency of the deployment")?.signal("HUP").await
    }
}

/// Waits until `good` holds of what is asked again and again.
///
/// # Errors
/// What was last seen, when patience ends.
pub async fn until<T, F>(mut ask: impl FnMut() -> F, good: impl Fn(&T) -> bool) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
    T: std::fmt::Debug,
{
    let started = Instant::now();
    loop {
        let seen = ask().await?;
        if good(&seen) {
            return Ok(seen);
        }
        if started.elapsed() > PATIENCE {
            anyhow::bail!("this did not come to what was waited for: {seen:#?}");
        }
        tokio::time::sleep(LOOK).await;
    }
}
