//! One epoch at work: a link to every adapter, in this epoch's scope.
//!
//! Two epochs run side by side while one follows the other, each over connections of its own. What
//! arrives fills the epoch's base (`filling`).

use std::sync::Arc;

use proto::manifest::Manifest;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    audit::{recorder::Recorder, tally::Tally},
    clock::Clock,
    config::Adapter,
    connections::Connections,
    epoch::Epoch,
    filling::Supply,
    link::{Arrival, Link, Surroundings},
    policy_in_force::PolicyInForce,
    relay::Relay,
    routing::Routing,
    tls_in_force::TlsInForce,
};

/// Arrivals that wait for the base: more would only use memory, and let one agency come before another.
const ARRIVALS: usize = 1;

/// What every epoch runs with.
#[derive(Clone)]
pub struct Federation {
    /// The adapters to dial.
    pub adapters: Vec<Adapter>,
    /// Our certificate.
    pub tls: Arc<TlsInForce>,
    /// The policy.
    pub policy: Arc<PolicyInForce>,
    /// The way to key holders.
    pub relay: Arc<Relay>,
    /// The adapters that are connected.
    pub connections: Arc<Connections>,
    /// Where subjects are looked for.
    pub routing: Arc<Routing>,
    /// The time.
    pub clock: Clock,
    /// Writes down what is done.
    pub recorder: Recorder,
    /// Counts what is logged in numbers.
    pub tally: Arc<Tally>,
}

/// A running epoch; dropping it ends its links.
pub struct EpochRun {
    federation: Federation,
    epoch: Epoch,
    arrivals: mpsc::Sender<Arrival>,
    links: JoinSet<()>,
}

impl EpochRun {
    /// Nothing is dialled before [`EpochRun::dial`]. What arrives will come from the supply.
    pub fn new(federation: Federation, epoch: Epoch) -> (Self, Supply) {
        let (arrivals, arriving) = mpsc::channel(ARRIVALS);
        for adapter in &federation.adapters {
            let address = adapter.target.address.clone();
            epoch.status.agency(&adapter.agency, |line| line.address = address);
        }
        let supply = Supply {
            scope: epoch.manifest.scope.clone(),
            rows: epoch.rows.clone(),
            status: epoch.status.clone(),
            policy: federation.policy.clone(),
            routing: federation.routing.clone(),
            clock: federation.clock.clone(),
            arrivals: arriving,
        };
        (Self { federation, epoch, arrivals, links: JoinSet::new() }, supply)
    }

    /// The epoch.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Dials every adapter, under another manifest than before where there is one. Links that were
    /// there end; their adapters release everything again.
    pub fn dial(&mut self, manifest: Manifest) {
        self.epoch.manifest = manifest;
        let around = Arc::new(Surroundings {
            manifest: self.epoch.manifest.clone(),
            rows: self.epoch.rows.clone(),
            status: self.epoch.status.clone(),
            grants: self.epoch.grants.clone(),
            policy: self.federation.policy.clone(),
            relay: self.federation.relay.clone(),
            connections: self.federation.connections.clone(),
            clock: self.federation.clock.clone(),
            recorder: self.federation.recorder.clone(),
            tally: self.federation.tally.clone(),
            arrivals: self.arrivals.clone(),
            intake: self.epoch.intake.clone(),
        });
        let listed = |adapter: &&Adapter| around.manifest.agency(&adapter.agency).is_some();
        let adapters = self.federation.adapters.iter().filter(listed);
        let link = |adapter: &Adapter| {
            Arc::new(Link::new(adapter.clone(), self.federation.tls.client(), around.clone()))
        };
        self.links = adapters.map(|adapter| link(adapter).run()).collect();
    }

    /// Returns where a link failed, and never otherwise.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.links.join_next().await {
            Some(Err(error)) => anyhow::Error::new(error).context("a link failed"),
            // A link never returns, and without any there is none to fail.
            Some(Ok(())) | None => std::future::pending().await,
        }
    }

    /// Ends the links and waits until they have.
    pub async fn stop(mut self) {
        self.links.shutdown().await;
    }
}
