//! Puts the gateway together: stores, links, pipeline, services; serves; drains.
//!
//! Its futures are boxed, so that they are compiled here, once, and not in every program that runs them.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use futures::future::BoxFuture;
use jiff::Timestamp;
use proto::{
    act::Act,
    entry::Actor,
    hex_bytes::HexBytes,
    quorum::{self, Quorum},
    transport,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    accepted_manifest, agreement,
    alerts::Alerts,
    audit::{
        log::AccessLog,
        log_key,
        recorder::Recorder,
        tally::Tally,
        witnesses::{Witnesses, last_cosigned},
    },
    authorise::{AuthoriseLayer, Register},
    backup,
    case::{
        cases::Cases,
        desk::{self, Desk},
        requests::{Incoming, Requests},
    },
    clock::Clock,
    config::Config,
    connections::Connections,
    database,
    disclosure::{courier::Courier, disclosures::Disclosures},
    epoch::{Epoch, LiveEpochs},
    epoch_change::{self, EpochChange, Parts},
    epoch_run::{EpochRun, Federation},
    filling::Filling,
    health,
    hotline::carrying::Carrying,
    manifest_in_force::ManifestInForce,
    notify::{deliveries::Deliveries, sender::Sender},
    pipeline::Pipeline,
    policy::Policy,
    policy_in_force::PolicyInForce,
    relay::Relay,
    reloads::Reloads,
    routing::Routing,
    staff_services::{NAMES, StaffServices},
};

const QUESTIONS: usize = 16;
const ORDERS: usize = 1;
/// How long open calls may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// A gateway that is ready to serve.
pub struct Gateway {
    config: Config,
    clock: Clock,
    register: Register,
    policy: Arc<PolicyInForce>,
    manifest: Arc<ManifestInForce>,
    federation: Federation,
    recorder: Recorder,
    tally: Arc<Tally>,
    present: EpochRun,
    alerts: Alerts,
    cases: Cases,
    desk: Desk,
    requests: Requests,
    incoming: Incoming,
    courier: Arc<Courier>,
    deliveries: Deliveries,
    pipeline: Pipeline,
}

impl Gateway {
    /// Checks everything and opens the stores.
    ///
    /// # Errors
    /// What is wrong, and in which file.
    pub fn build(config: Config, clock: Clock) -> BoxFuture<'static, anyhow::Result<Self>> {
        Box::pin(Self::open(config, clock))
    }

    async fn open(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let programme = &config.manifest.scope.programme;
        let register = Register::new(programme.clone(), config.officers.clone())?;
        let policy = Arc::new(PolicyInForce::read(&config.policy, programme)?);
        for fault in agreement::of(&config, &policy.current()) {
            tracing::warn!("{fault}");
        }
        backup::finished(&config.data_dir)?;
        accepted_manifest::remember(&config.signed, &config.data_dir)?;
        let connections = Arc::new(Connections::default());
        let recorder = recorder(&config, &clock, &connections)?;
        backup::continues(&config, recorder.log()).await?;
        let Stores { epoch, alerts, cases, deliveries, disclosures } =
            stores(&config, &policy.current(), (&recorder, clock.now())).await?;
        let revision = alerts.revision().await?;
        let started = started(&config, &policy.current(), (epoch.number(), revision));
        recorder.record(&Actor::Gateway, started).await?;
        let tally = Arc::new(Tally::new(clock.clone()));
        for dataset in &policy.current().catalogue.datasets {
            let id = &dataset.schema.dataset;
            if let Some(held) = epoch.rows.held(&dataset.schema)? {
                epoch.status.dataset(id, |line| {
                    line.cursor = Some(held.cursor);
                    line.as_of = Some(held.as_of);
                    line.rows = held.rows;
                });
            }
        }
        let (requests, incoming) = Requests::channel();
        let courier = Courier::new(
            disclosures,
            (cases.clone(), requests.clone()),
            recorder.clone(),
            clock.clone(),
            connections.clone(),
        );
        let federation = Federation {
            adapters: config.adapters.clone(),
            tls: config.tls.clone(),
            policy: policy.clone(),
            relay: Arc::new(Relay::new(connections.clone())),
            connections,
            routing: Arc::new(Routing::of_officers(config.regions.clone(), &config.officers)),
            clock: clock.clone(),
            recorder: recorder.clone(),
            tally: tally.clone(),
        };
        let (present, supply) = EpochRun::new(federation.clone(), epoch);
        let pipeline =
            Pipeline::new(Filling::new(supply)?, alerts.clone(), recorder.clone()).await?;
        let desk = Desk::open(desk::Parts {
            cases: cases.clone(),
            alerts: alerts.clone(),
            recorder: recorder.clone(),
            policy: policy.clone(),
            register: register.clone(),
            clock: clock.clone(),
        });
        let desk = desk.await?;
        let manifest =
            ManifestInForce::new(&config.manifest_path, &config.data_dir, config.manifest.clone());
        let manifest = Arc::new(manifest);
        Ok(Self {
            config,
            clock,
            register,
            policy,
            manifest,
            federation,
            recorder,
            tally,
            present,
            alerts,
            cases,
            desk,
            requests,
            incoming,
            courier: Arc::new(courier),
            deliveries,
            pipeline,
        })
    }

    /// What is read again on a signal.
    pub fn reloads(&self) -> Reloads {
        Reloads {
            policy: self.policy.clone(),
            manifest: self.manifest.clone(),
            tls: self.config.tls.clone(),
            recorder: self.recorder.clone(),
        }
    }

    /// Serves staff on `listener` and follows every adapter until `shutdown`; then drains.
    ///
    /// # Errors
    /// Where the listener fails.
    pub fn serve(
        self,
        listener: TcpListener,
        shutdown: BoxFuture<'static, ()>,
    ) -> BoxFuture<'static, anyhow::Result<()>> {
        Box::pin(self.run(listener, shutdown))
    }

    async fn run(
        self,
        listener: TcpListener,
        shutdown: BoxFuture<'static, ()>,
    ) -> anyhow::Result<()> {
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let (orders, ordered) = mpsc::channel(ORDERS);
        let (stop, stopping) = watch::channel(false);
        let epochs = Arc::new(LiveEpochs::new(self.present.epoch().clone()));
        let (recorder, tally) = (self.recorder, self.tally);
        let regions = Arc::new(self.config.regions);
        let sender = Sender {
            deliveries: self.deliveries.clone(),
            targets: self.config.targets,
            regions: regions.clone(),
            recorder: recorder.clone(),
            clock: self.clock.clone(),
        };
        let carrying = Carrying {
            pool: self.cases.database().clone(),
            connections: self.federation.connections.clone(),
            recorder: recorder.clone(),
            epochs: epochs.clone(),
        };
        let services = StaffServices {
            alerts: self.alerts,
            cases: self.cases,
            requests: self.requests,
            courier: self.courier.clone(),
            deliveries: self.deliveries,
            recorder: recorder.clone(),
            policy: self.policy,
            manifest: self.manifest.clone(),
            epochs: epochs.clone(),
            regions,
            revision: self.pipeline.revision(),
            questions,
            clock: self.clock,
            tally: tally.clone(),
            stopping: stopping.clone(),
        };
        let looked = health::Looked {
            epochs: epochs.clone(),
            recorder: recorder.clone(),
            policy: services.policy.clone(),
            clock: services.clock.clone(),
        };
        let (reporter, health) = tonic_health::server::health_reporter();
        let served = transport::server()
            .layer(AuthoriseLayer(self.register, tally.clone()))
            .add_routes(services.routes()?.add_service(health))
            .serve_with_incoming_shutdown(
                transport::incoming(listener, self.config.tls.server()),
                stopped(stopping),
            );
        drop(services);
        let mut server = std::pin::pin!(served);
        let change = EpochChange::new(Parts {
            federation: self.federation,
            data_dir: self.config.data_dir,
            manifest: self.manifest,
            live: epochs.clone(),
            orders,
            present: (self.present, self.pipeline.contents()),
        });
        let desk = self.desk.run(
            self.pipeline.revision(),
            self.incoming,
            self.pipeline.orders(),
            epochs.clone(),
        );
        let mut desk = tokio::spawn(desk);
        let mut pipeline = tokio::spawn(self.pipeline.run(asked, ordered));
        let mut running = JoinSet::new();
        running.spawn(change.run());
        running.spawn(self.courier.run());
        tokio::select! {
            served = &mut server => served?,
            // Better no gateway than one that looks well and matches nobody any more.
            ended = &mut pipeline => ended.context("the pipeline failed")?,
            ended = &mut desk => ended.context("the desk failed")?,
            Some(ended) = running.join_next() => ended.context("a task failed")??,
            () = health::report(reporter, &NAMES, looked) => {}
            () = keep_logging(&recorder, &tally, &epochs) => {}
            () = sender.run() => {}
            () = carrying.run() => {}
            () = shutdown => {
                stopping_is_logged(&recorder).await;
                stop.send_replace(true);
                // Whoever does not let go is cut off: every stream is resumable.
                if let Ok(served) = tokio::time::timeout(DRAIN, server).await {
                    served?;
                }
                running.shutdown().await;
                pipeline.await.context("the pipeline failed")?;
                desk.await.context("the desk failed")?;
                tally.log(&recorder).await;
            }
        }
        recorder.log().close().await;
        Ok(())
    }
}

/// What goes on beside everything else for as long as the log is open. Never returns.
async fn keep_logging(recorder: &Recorder, tally: &Tally, epochs: &LiveEpochs) {
    let quorum = || Quorum::of_manifest(&epochs.present().manifest);
    let witnessing = recorder.witnesses().collect(recorder.log(), quorum);
    tokio::join!(recorder.resume(), tally.keep_logging(recorder), witnessing);
}

/// What is on disk beside the log.
struct Stores {
    epoch: Epoch,
    alerts: Alerts,
    cases: Cases,
    deliveries: Deliveries,
    disclosures: Disclosures,
}

async fn stores(
    config: &Config,
    policy: &Arc<Policy>,
    (recorder, now): (&Recorder, Timestamp),
) -> anyhow::Result<Stores> {
    let data_dir = &config.data_dir;
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("cannot make data_dir {}", data_dir.display()))?;
    let name = |file: &str| format!("{} in data_dir {}", file, data_dir.display());
    let database = database::open(&data_dir.join("alerts.sqlite"))
        .await
        .with_context(|| name("alerts.sqlite"))?;
    let (alerts, cases) = (Alerts::new(database.clone()), Cases::new(database.clone()));
    let disclosures = Disclosures::new(database.clone());
    let deliveries = Deliveries::new(database);
    let stores = (&alerts, recorder);
    let manifest = epoch_change::in_force(stores, &config.manifest, policy, now).await?;
    let epoch =
        Epoch::open(data_dir, manifest).with_context(|| name("the store of sealed rows"))?;
    Ok(Stores { epoch, alerts, cases, deliveries, disclosures })
}

/// The access log of this programme's gateway.
fn recorder(
    config: &Config,
    clock: &Clock,
    connections: &Arc<Connections>,
) -> anyhow::Result<Recorder> {
    let origin = quorum::origin(&config.manifest.scope.programme);
    let key = log_key::read(&config.data_dir, config.manifest.log())?;
    let log = AccessLog::open(&config.data_dir, origin.clone(), key, clock.clone())?;
    let last = last_cosigned(&config.data_dir, &log, &Quorum::of_manifest(&config.manifest))?;
    let witnesses = Arc::new(Witnesses::new(&config.data_dir, last, connections.clone()));
    Ok(Recorder::new(log, origin, witnesses))
}

fn started(config: &Config, policy: &Policy, (epoch, revision): (u32, u64)) -> Act {
    Act::Started {
        configuration: config.version,
        manifest: HexBytes(config.signed.fingerprint()),
        manifest_version: config.manifest.version,
        policy: HexBytes(policy.version),
        epoch,
        revision,
    }
}

/// Whoever stops the gateway does so also where that cannot be logged.
async fn stopping_is_logged(recorder: &Recorder) {
    if let Err(error) = recorder.record(&Actor::Gateway, Act::Stopping {}).await {
        tracing::error!(%error, "that the gateway stops is not logged");
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // A sender that is gone has stopped, too.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
