//! The change from one epoch to the next, without a pause: the next epoch is run beside the present
//! one until it is whole; then who is who is asked, and the pipeline goes on in it (PROTOCOL.md
//! section 16).
//!
//! Owns when each step is due. The step that must not be done by halves, the new epoch in force with
//! its alerts, is one transaction of `alerts`; a crash before it finds the present epoch and begins
//! again here, one after it finds the next.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use jiff::Timestamp;
use proto::{entry::Actor, manifest::Manifest};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    alert_acts::EpochChange as EpochChanged,
    alerts::Alerts,
    audit::{logged::Unlogged, recorder::Recorder},
    clock::later,
    ended_epochs,
    epoch::{Epoch, LiveEpochs, NextEpoch},
    epoch_progress::{Side, progress},
    epoch_run::{EpochRun, Federation},
    filling::{Contents, Filling},
    ledger::Ledger,
    manifest_in_force::ManifestInForce,
    pipeline::{Handover, Order},
    policy::Policy,
    successors::{self, Successors},
};

/// The next epoch must have been whole for so long, since grants come one after another and
/// adapters connect one after another; and so long one may be filled that is already due.
const SETTLED: Duration = Duration::from_secs(120);
/// How often is looked at what tells of no change.
const LOOK: Duration = Duration::from_secs(2);

/// Leads from one epoch to the next, again and again.
pub struct EpochChange {
    federation: Federation,
    data_dir: PathBuf,
    manifest: Arc<ManifestInForce>,
    live: Arc<LiveEpochs>,
    orders: mpsc::Sender<Order>,
    present: EpochRun,
    contents: watch::Receiver<Contents>,
    next: Option<Next>,
}

/// The epoch that follows.
struct Next {
    run: EpochRun,
    contents: watch::Receiver<Contents>,
    filling: JoinHandle<Filling>,
    stop: oneshot::Sender<()>,
    successors: Successors,
    opened: Timestamp,
    whole_since: Option<Timestamp>,
}

/// What the change works with.
pub struct Parts {
    /// What every epoch runs with.
    pub federation: Federation,
    /// Holds every epoch's sealed rows.
    pub data_dir: PathBuf,
    /// Which epochs there are.
    pub manifest: Arc<ManifestInForce>,
    /// Where services see them.
    pub live: Arc<LiveEpochs>,
    /// To the pipeline.
    pub orders: mpsc::Sender<Order>,
    /// The epoch in force, and what its base has.
    pub present: (EpochRun, watch::Receiver<Contents>),
}

/// The manifest in the epoch that the store has in force; in a new store, in the manifest's first.
/// Where the manifest no longer lists that epoch, the change was slept through and nobody can be
/// asked who is who any more: the next epoch comes into force, and its alerts are left behind.
///
/// # Errors
/// Where the store does not answer, or is ahead of the manifest.
pub async fn in_force(
    (alerts, recorder): (&Alerts, &Recorder),
    manifest: &Manifest,
    policy: &Arc<Policy>,
    now: Timestamp,
) -> anyhow::Result<Manifest> {
    let Some(number) = alerts.epoch().await? else {
        alerts.begin(manifest.scope.epoch, now).await?;
        return Ok(manifest.clone());
    };
    if let Some(manifest) = manifest.in_epoch(number) {
        return Ok(manifest);
    }
    let later = manifest.epochs().iter().find(|epoch| epoch.number > number);
    let later = later.with_context(|| {
        format!(
            "the store is in epoch {number}, and the federation manifest lists earlier ones only: \
             put the manifest that was accepted last in its place"
        )
    })?;
    let mut ledger = Ledger::default();
    alerts.latest(number).await?.into_iter().for_each(|alert| ledger.put(alert));
    let mut left = successors::continued(&ledger, &HashMap::new(), (later.number, policy), now);
    let mut revision = alerts.revision().await?;
    for alert in &mut left {
        revision += 1;
        alert.revision = revision;
    }
    let (from, to, count) = (number, later.number, left.len());
    let change = Unlogged::seal(EpochChanged { from, to, changed: left });
    let change = recorder.open(&Actor::Gateway, change).await?;
    alerts.change_epoch(&change, now).await?;
    tracing::error!(from, to, count, "the epoch change was slept through; alerts are incomplete");
    manifest.in_epoch(to).context("an epoch of the manifest")
}

impl EpochChange {
    /// With the present epoch, not dialled yet.
    pub fn new(parts: Parts) -> Self {
        let Parts { federation, data_dir, manifest, live, orders, present } = parts;
        let (present, contents) = present;
        Self { federation, data_dir, manifest, live, orders, present, contents, next: None }
    }

    /// Runs both epochs and changes from one to the other. Ends only where something failed.
    ///
    /// # Errors
    /// What failed.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut manifests = self.manifest.subscribe();
        self.adopt(&manifests.borrow_and_update().clone())?;
        loop {
            self.step().await?;
            let next_failed = async {
                match &mut self.next {
                    Some(next) => next.run.failed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = manifests.changed() => {
                    changed.context("nobody reads manifests any more")?;
                    let manifest = manifests.borrow_and_update().clone();
                    self.adopt(&manifest)?;
                }
                failed = self.present.failed() => return Err(failed),
                failed = next_failed => return Err(failed),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Takes a manifest over: dials under it, and opens or closes the epoch that follows.
    fn adopt(&mut self, manifest: &Manifest) -> anyhow::Result<()> {
        let number = self.present.epoch().number();
        if let Some(manifest) = manifest.in_epoch(number) {
            self.present.dial(manifest);
        }
        let following = manifest.epochs().iter().map(|epoch| epoch.number).find(|n| *n > number);
        let following = following.and_then(|number| manifest.in_epoch(number));
        match (&mut self.next, following) {
            (Some(next), Some(manifest)) if next.run.epoch().number() == manifest.scope.epoch => {
                next.run.dial(manifest);
            }
            (_, Some(manifest)) => self.next = Some(self.open(manifest)?),
            (next, None) => *next = None,
        }
        self.show();
        Ok(())
    }

    fn open(&self, manifest: Manifest) -> anyhow::Result<Next> {
        let number = manifest.scope.epoch;
        let epoch = Epoch::open(&self.data_dir, manifest.clone())
            .with_context(|| format!("the sealed rows of epoch {number}"))?;
        let (mut run, supply) = EpochRun::new(self.federation.clone(), epoch);
        let filling = Filling::new(supply)?;
        let contents = filling.contents();
        let (stop, stopped) = oneshot::channel();
        run.dial(manifest);
        tracing::info!(epoch = number, "the next epoch is being filled");
        Ok(Next {
            run,
            contents,
            filling: tokio::spawn(filling.fill(stopped)),
            stop,
            successors: Successors::default(),
            opened: self.federation.clock.now(),
            whole_since: None,
        })
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        let now = self.federation.clock.now();
        let manifest = self.manifest.current();
        ended_epochs::delete(&self.data_dir, &manifest, self.present.epoch().number(), now);
        let Some(next) = &mut self.next else { return Ok(()) };
        let catalogue = self.federation.policy.current().catalogue.clone();
        let (before, after) = (self.contents.borrow().clone(), next.contents.borrow().clone());
        let sides = (
            &Side { epoch: self.present.epoch(), contents: &before },
            &Side { epoch: next.run.epoch(), contents: &after },
        );
        let datasets = progress(&catalogue, sides, now);
        let current = before.generation == after.generation;
        let whole = current && datasets.iter().all(|dataset| dataset.gap.is_none());
        let whole_since = next.whole_since.filter(|_| whole);
        next.whole_since = whole.then(|| whole_since.unwrap_or(now));
        let settled = next.whole_since.is_some_and(|since| now >= later(since, SETTLED));
        let present = manifest.in_epoch(self.present.epoch().number());
        let ended = present.is_none_or(|present| now >= present.epoch().ends());
        let anyway = ended && now >= later(next.opened, SETTLED);
        self.live.follow(|following| following.datasets = datasets);
        if settled || anyway { self.follow(anyway).await } else { Ok(()) }
    }

    /// Asks who is who; once all have answered, or must not be waited for, the pipeline goes on in
    /// the next epoch.
    async fn follow(&mut self, anyway: bool) -> anyhow::Result<()> {
        let waiting_for = self.inquire().await?;
        let silent = !waiting_for.is_empty();
        self.live.follow(|following| following.waiting_for = waiting_for);
        if silent && !anyway {
            return Ok(());
        }
        let Some(next) = self.next.take() else { return Ok(()) };
        // A filling that ended by itself is noticed by waiting for it.
        let _ = next.stop.send(());
        let filling = next.filling.await.context("the next epoch's base failed")?;
        let (answer, answered) = oneshot::channel();
        let handover = Handover {
            epoch: next.run.epoch().number(),
            filling,
            successors: next.successors,
            anyway,
            answer,
        };
        self.orders.send(Order::Follow(Box::new(handover))).await.context("the pipeline ended")?;
        match answered.await.context("the pipeline ended")? {
            Ok(()) => {
                let before = std::mem::replace(&mut self.present, next.run);
                self.contents = next.contents;
                before.stop().await;
            }
            // An alert was raised meanwhile, or the store failed: what was answered is asked again.
            Err(filling) => {
                let (stop, stopped) = oneshot::channel();
                let filling = tokio::spawn(filling.fill(stopped));
                let successors = Successors::default();
                self.next = Some(Next { filling, stop, successors, ..next });
            }
        }
        self.show();
        Ok(())
    }

    /// Puts every inquiry that was not answered yet; says who did not answer.
    async fn inquire(&mut self) -> anyhow::Result<Vec<String>> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order::Inquire(answer)).await.context("the pipeline ended")?;
        let inquiries = answered.await.context("the pipeline ended")?;
        let Some(next) = &mut self.next else { return Ok(vec![]) };
        let open = next.successors.open(inquiries);
        let manifests = (&self.present.epoch().manifest, &next.run.epoch().manifest);
        let (adapters, tls) = (&self.federation.adapters, &self.federation.tls);
        let asking = open.iter().map(|inquiry| async move {
            let adapter = adapters.iter().find(|adapter| adapter.agency == inquiry.agency);
            let adapter = adapter.ok_or("gateway.toml has no [[adapter]] for it")?;
            inquiry.put(manifests, (adapter.target.clone(), tls)).await
        });
        let mut silent = vec![];
        for (inquiry, answer) in open.iter().zip(futures::future::join_all(asking).await) {
            match answer {
                Ok(pairs) => next.successors.answered(inquiry, &pairs),
                Err(problem) => {
                    let (agency, dataset) = (&inquiry.agency, &inquiry.dataset);
                    tracing::warn!(%agency, %dataset, %problem, "successors are not told yet");
                    silent.push(format!("{agency}: {problem}"));
                }
            }
        }
        Ok(silent)
    }

    fn show(&self) {
        let next = self.next.as_ref().map(|next| NextEpoch::new(next.run.epoch().clone()));
        self.live.show(self.present.epoch().clone(), next);
    }
}
