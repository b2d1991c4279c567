//! The whole federation in one process: every adapter and the gateway as tasks, over real mutual
//! TLS sockets and real files, under a clock that tests turn by hand.
//!
//! Nothing of it is faked but the time; parts can be stopped and started again at will.

use std::{
    collections::BTreeMap,
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use agency_adapter::{
    clock::Clock as AdapterClock,
    config::Config as AdapterConfig,
    lang::Lang,
    renewal::{self, Ending},
    server, setup,
};
use anyhow::Context;
use futures::future::BoxFuture;
use gateway::{clock::Clock as GatewayClock, config::Config as GatewayConfig, gateway::Gateway};
use jiff::Timestamp;
use proto::{name::AgencyId, scope::Suite, transport, wire};
use tokio::{
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    deployment::{ADMINISTRATOR, CITY_DESK, Deployment, Staff},
    staff_client::StaffClient,
};

const LOOK: Duration = Duration::from_millis(20);

/// The federation, running.
pub struct World {
    /// Its files.
    pub deployment: Deployment,
    /// How long anything awaited may take: long enough for a slow machine.
    pub patience: Duration,
    adapters: BTreeMap<AgencyId, Adapter>,
    detours: BTreeMap<AgencyId, SocketAddr>,
    gateway: Option<Running>,
    now: watch::Sender<Timestamp>,
    adapter_clock: AdapterClock,
    gateway_clock: GatewayClock,
    _dir: tempfile::TempDir,
}

struct Adapter {
    address: SocketAddr,
    running: Option<(Running, Arc<Notify>)>,
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn stop(self) -> anyhow::Result<()> {
        // A receiver that is gone has stopped already.
        let _ = self.stop.send(());
        self.task.await?
    }
}

impl World {
    /// Makes the files; `sources` writes each agency's below the directory it is given.
    ///
    /// # Errors
    /// The file system's.
    pub fn new(
        policy: &str,
        suite: Suite,
        now: Timestamp,
        sources: impl FnOnce(&Path) -> anyhow::Result<()>,
        dataset_toml: impl Fn(&str) -> String,
    ) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let home = dir.path().canonicalize()?;
        sources(&home)?;
        let deployment = Deployment::create(&home, policy, suite, dataset_toml)?;
        let (sender, gateway_clock) = GatewayClock::manual(now);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let adapters = deployment.agencies().into_iter();
        let adapters = adapters.map(|id| (id, Adapter { address: nowhere, running: None }));
        Ok(Self {
            adapters: adapters.collect(),
            deployment,
            patience: Duration::from_secs(60),
            detours: BTreeMap::new(),
            gateway: None,
            now: sender,
            adapter_clock: AdapterClock::manual(now),
            gateway_clock,
            _dir: dir,
        })
    }

    /// Starts every adapter and then the gateway.
    ///
    /// # Errors
    /// Whatever does not start.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        self.start_adapters().await?;
        self.start_gateway().await
    }

    /// Starts every adapter.
    ///
    /// # Errors
    /// Whatever does not start.
    pub async fn start_adapters(&mut self) -> anyhow::Result<()> {
        for agency in self.deployment.agencies() {
            self.start_adapter(&agency).await?;
        }
        Ok(())
    }

    /// Where an adapter listens.
    pub fn adapter_address(&self, agency: &AgencyId) -> SocketAddr {
        self.adapters[agency].address
    }

    /// Has the next gateway dial an agency at another address: a tap's.
    pub fn reach_through(&mut self, agency: &AgencyId, address: SocketAddr) {
        self.detours.insert(agency.clone(), address);
    }

    /// Writes the configuration of a gateway that dials the adapters where they are.
    ///
    /// # Errors
    /// The file system's.
    pub fn gateway_config(&self) -> anyhow::Result<PathBuf> {
        let mut addresses: BTreeMap<_, _> =
            self.adapters.iter().map(|(id, a)| (id.clone(), a.address)).collect();
        addresses.extend(self.detours.clone());
        self.deployment.gateway_config(&addresses)
    }

    /// Starts an adapter, at the address it had before.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn start_adapter(&mut self, agency: &AgencyId) -> anyhow::Result<()> {
        let config = AdapterConfig::read(&self.deployment.adapter_config(agency))?;
        let adapter = self.adapters.get_mut(agency).context("an agency of the world")?;
        let listener = transport::bind(adapter.address).await?;
        adapter.address = listener.local_addr()?;
        let reload = Arc::new(Notify::new());
        let reloads = reload.clone();
        let clock = self.adapter_clock.clone();
        let running = run(adapter.address, |stopped| async move {
            Ok(server::serve(config, listener, clock, stopped, reloads).await?)
        });
        adapter.running = Some((running, reload));
        Ok(())
    }

    /// Stops an adapter.
    ///
    /// # Errors
    /// Where it had failed.
    pub async fn stop_adapter(&mut self, agency: &AgencyId) -> anyhow::Result<()> {
        let adapter = self.adapters.get_mut(agency).context("an agency of the world")?;
        let (running, _) = adapter.running.take().context("it runs")?;
        running.stop().await
    }

    /// Has an adapter read its sources again.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn reload(&self, agency: &AgencyId) -> anyhow::Result<()> {
        let adapter = self.adapters.get(agency).context("an agency of the world")?;
        let (_, reload) = adapter.running.as_ref().context("it runs")?;
        reload.notify_one();
        Ok(())
    }

    /// What an agency's IT department does on its own when a next epoch is listed: makes the salts
    /// and renews the grants, but these.
    ///
    /// # Errors
    /// The agency's.
    pub fn prepare_next_epoch(&self, agency: &AgencyId, except: &[&str]) -> anyhow::Result<()> {
        let config = AdapterConfig::read(&self.deployment.adapter_config(agency))?;
        let endings = except.iter().map(|ending| ending.parse());
        let endings: Vec<Ending> = endings.collect::<Result<_, _>>().map_err(anyhow::Error::msg)?;
        setup::init(&config, &self.adapter_clock, Lang::En)?;
        renewal::renew(&config, &self.adapter_clock, &endings)?;
        Ok(())
    }

    /// Has every running adapter read its sources again.
    ///
    /// # Errors
    /// None in practice.
    pub fn reload_all(&self) -> anyhow::Result<()> {
        for (agency, adapter) in &self.adapters {
            if adapter.running.is_some() {
                self.reload(agency)?;
            }
        }
        Ok(())
    }

    /// Starts the gateway on the stores it had before.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn start_gateway(&mut self) -> anyhow::Result<()> {
        let config = GatewayConfig::read(&self.gateway_config()?)?;
        let listener = transport::bind(config.listen).await?;
        let gateway = Gateway::build(config, self.gateway_clock.clone()).await?;
        let address = listener.local_addr()?;
        self.gateway =
            Some(run(address, |stopped| async move { gateway.serve(listener, stopped).await }));
        Ok(())
    }

    /// Stops the gateway.
    ///
    /// # Errors
    /// Where it had failed.
    pub async fn stop_gateway(&mut self) -> anyhow::Result<()> {
        self.gateway.take().context("it runs")?.stop().await
    }

    /// Where the gateway listens.
    pub fn gateway_address(&self) -> SocketAddr {
        self.gateway.as_ref().map(|running| running.address).expect("the gateway runs")
    }

    /// The time in the world.
    pub fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    /// Turns both sides' clocks on.
    pub fn pass(&self, time: Duration) {
        let time = jiff::SignedDuration::try_from(time).expect("tests wait for short times");
        let now = self.now() + time;
        self.adapter_clock.set(now);
        self.now.send_replace(now);
    }

    /// A member of staff's connection.
    ///
    /// # Errors
    /// Where it is refused.
    pub async fn client(&self, staff: &Staff) -> anyhow::Result<StaffClient> {
        StaffClient::connect(&self.deployment, staff, self.gateway_address()).await
    }

    /// Waits until `good` holds of what is asked again and again.
    ///
    /// # Errors
    /// What was last seen, when patience ends.
    pub async fn until<T, F>(
        &self,
        mut ask: impl FnMut() -> F,
        good: impl Fn(&T) -> bool,
    ) -> anyhow::Result<T>
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
            if started.elapsed() > self.patience {
                anyhow::bail!("this did not come to what was waited for: {seen:#?}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until every dataset but these is fresh and shows this moment's reading.
    ///
    /// # Errors
    /// What is missing, when patience ends.
    pub async fn arrived(&self, except: &[&str]) -> anyhow::Result<()> {
        let admin = self.client(&ADMINISTRATOR).await?;
        let now = self.now().as_second();
        let late = || {
            let mut admin = admin.clone();
            async move {
                let datasets = admin.datasets().await?.into_iter();
                let late = datasets.filter(|d| {
                    !except.contains(&d.dataset.as_str())
                        && d.as_of.as_ref().is_none_or(|as_of| as_of.seconds < now)
                });
                Ok(late.map(|d| (d.dataset, d.problem)).collect::<Vec<_>>())
            }
        };
        let Err(error) = self.until(late, Vec::is_empty).await else { return Ok(()) };
        let agencies = admin.clone().admin.list_agencies(wire::ListAgenciesRequest {}).await?;
        let ended = self.adapters.iter().filter(|(_, adapter)| {
            adapter.running.as_ref().is_some_and(|(running, _)| running.task.is_finished())
        });
        let ended: Vec<_> = ended.map(|(agency, _)| agency.as_str()).collect();
        Err(error.context(format!("ended: {ended:?}; {:#?}", agencies.into_inner().agencies)))
    }

    /// Everybody's live alerts, once unknowns had the time to show.
    ///
    /// # Errors
    /// The gateway's refusal.
    pub async fn desk(&self) -> anyhow::Result<StaffClient> {
        self.client(&CITY_DESK).await
    }
}

fn run<F>(address: SocketAddr, serve: impl FnOnce(Stopped) -> F) -> Running
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped: Stopped = Box::pin(async move {
        // A sender that is gone is a world that is dropped.
        let _ = stopped.await;
    });
    Running { address, stop, task: tokio::spawn(serve(stopped)) }
}

/// Ends when its part of the world is stopped.
type Stopped = BoxFuture<'static, ()>;
