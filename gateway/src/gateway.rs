//! Puts the gateway together: stores, links, pipeline, services; serves; drains.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context;
use jiff::Timestamp;
use proto::{
    act::Act,
    entry::Actor,
    hex_bytes::HexBytes,
    quorum::{self, Quorum},
    transport,
    wire::{
        self, admin_service_server::AdminServiceServer, audit_service_server::AuditServiceServer,
        match_service_server::MatchServiceServer,
    },
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    accepted_manifest,
    admin_service::Administration,
    agreement,
    alerts::Alerts,
    audit::{
        log::AccessLog,
        log_key,
        recorder::Recorder,
        tally::Tally,
        witnesses::{Witnesses, last_cosigned},
    },
    audit_service::Audit,
    authorise::{AuthoriseLayer, Register},
    clock::Clock,
    config::Config,
    epoch::{Epoch, LiveEpochs},
    epoch_change::{self, EpochChange, Parts},
    epoch_run::{EpochRun, Federation},
    filling::Filling,
    log_files,
    manifest_in_force::ManifestInForce,
    match_service::Matches,
    metrics::{self, Metered},
    pipeline::Pipeline,
    policy::Policy,
    policy_in_force::PolicyInForce,
    tls_in_force::TlsInForce,
};

/// The service whose health says whether the stores take writes; reads go on without.
pub const STORES: &str = "matching.v1.Stores";
/// The service whose health says whether the quorum of witnesses keeps up with the log; the log goes on
/// without.
pub const WITNESSES: &str = "matching.v1.Witnesses";
const QUESTIONS: usize = 16;
const ORDERS: usize = 1;
/// How long open calls may take to end.
const DRAIN: Duration = Duration::from_secs(5);
const LOOK_AT_STORES: Duration = Duration::from_secs(1);

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
    pipeline: Pipeline,
}

impl Gateway {
    /// Checks everything and opens the stores.
    ///
    /// # Errors
    /// What is wrong, and in which file.
    pub async fn build(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let programme = &config.manifest.scope.programme;
        let register = Register::new(programme.clone(), config.officers.clone())?;
        let policy = Arc::new(PolicyInForce::read(&config.policy, programme)?);
        for fault in agreement::of(&config, &policy.current()) {
            tracing::warn!("{fault}");
        }
        accepted_manifest::remember(&config.signed, &config.data_dir)?;
        let recorder = recorder(&config, &clock)?;
        let (epoch, alerts) = stores(&config, &policy.current(), (&recorder, clock.now())).await?;
        let revision = alerts.revision().await?;
        let started = started(&config, &policy.current(), (epoch.number(), revision));
        recorder.record(&Actor::Gateway, started).await?;
        let tally = Arc::new(Tally::default());
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
        let federation = Federation {
            adapters: config.adapters.clone(),
            tls: config.tls.clone(),
            policy: policy.clone(),
            relay: Arc::default(),
            clock: clock.clone(),
            recorder: recorder.clone(),
            tally: tally.clone(),
        };
        let (present, supply) = EpochRun::new(federation.clone(), epoch);
        let pipeline =
            Pipeline::new(Filling::new(supply)?, alerts.clone(), recorder.clone()).await?;
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
            pipeline,
        })
    }

    /// The federation manifest, for reading it again on a signal.
    pub fn manifest(&self) -> Arc<ManifestInForce> {
        self.manifest.clone()
    }

    /// The policy, for reloading it on a signal.
    pub fn policy(&self) -> Arc<PolicyInForce> {
        self.policy.clone()
    }

    /// Who writes the access log, for what is done on a signal.
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// The TLS files, for reading them again on a signal.
    pub fn tls(&self) -> Arc<TlsInForce> {
        self.config.tls.clone()
    }

    /// Serves staff on `listener` and follows every adapter until `shutdown`; then drains.
    ///
    /// # Errors
    /// Where the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let (orders, ordered) = mpsc::channel(ORDERS);
        let (stop, stopping) = watch::channel(false);
        let epochs = Arc::new(LiveEpochs::new(self.present.epoch().clone()));
        let change = EpochChange::new(Parts {
            federation: self.federation,
            data_dir: self.config.data_dir,
            manifest: self.manifest.clone(),
            live: epochs.clone(),
            orders,
            present: (self.present, self.pipeline.contents()),
        });
        let (recorder, tally) = (self.recorder, self.tally);
        let matches = Matches {
            alerts: self.alerts,
            recorder: recorder.clone(),
            policy: self.policy.clone(),
            epochs: epochs.clone(),
            revision: self.pipeline.revision(),
            questions,
            clock: self.clock.clone(),
            stopping: stopping.clone(),
        };
        let administration = Administration {
            epochs: epochs.clone(),
            policy: self.policy,
            manifest: self.manifest,
            clock: self.clock,
            recorder: recorder.clone(),
        };
        let metered = Metered {
            epochs: epochs.clone(),
            policy: administration.policy.clone(),
            clock: administration.clock.clone(),
            alerts: matches.alerts.clone(),
            recorder: recorder.clone(),
            tally: tally.clone(),
        };
        let mut pipeline = tokio::spawn(self.pipeline.run(asked, ordered));
        let mut running = JoinSet::new();
        running.spawn(change.run());
        let (reporter, health) = tonic_health::server::health_reporter();
        let reporting = report_health(reporter, epochs.clone(), recorder.clone());
        let quorum = || Quorum::of_manifest(&epochs.present().manifest);
        let logging = async {
            let witnessing = recorder.witnesses().collect(recorder.log(), quorum);
            tokio::join!(recorder.resume(), tally.keep_logging(&recorder), witnessing);
        };
        let files = log_files::routes(recorder.clone()).merge(metrics::routes(metered));
        let services = services(matches, administration, &recorder)?.add_service(health);
        let server = transport::server()
            .layer(AuthoriseLayer(self.register, tally.clone()))
            .add_routes(services.into_axum_router().merge(files).into())
            .serve_with_incoming_shutdown(
                transport::incoming(listener, self.config.tls.server()),
                stopped(stopping.clone()),
            );
        let mut server = std::pin::pin!(server);
        tokio::select! {
            served = &mut server => served?,
            // Better no gateway than one that looks well and matches nobody any more.
            ended = &mut pipeline => ended.context("the pipeline failed")?,
            Some(ended) = running.join_next() => ended.context("an epoch failed")??,
            () = reporting => {}
            () = logging => {}
            () = shutdown => {
                stopping_is_logged(&recorder).await;
                stop.send_replace(true);
                // Whoever does not let go is cut off: every stream is resumable.
                if let Ok(served) = tokio::time::timeout(DRAIN, server).await {
                    served?;
                }
                running.shutdown().await;
                pipeline.await.context("the pipeline failed")?;
                tally.log(&recorder).await;
            }
        }
        recorder.log().close().await;
        Ok(())
    }
}

/// What staff and auditors may call, and its description.
fn services(
    matches: Matches,
    administration: Administration,
    recorder: &Recorder,
) -> anyhow::Result<Routes> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(wire::DESCRIPTOR)
        .build_v1()?;
    let matches =
        MatchServiceServer::new(matches).max_decoding_message_size(transport::MAX_MESSAGE);
    Ok(Routes::new(reflection)
        .add_service(matches)
        .add_service(AdminServiceServer::new(administration))
        .add_service(AuditServiceServer::new(Audit { recorder: recorder.clone() })))
}

async fn stores(
    config: &Config,
    policy: &Arc<Policy>,
    (recorder, now): (&Recorder, Timestamp),
) -> anyhow::Result<(Epoch, Alerts)> {
    let data_dir = &config.data_dir;
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("cannot make data_dir {}", data_dir.display()))?;
    let name = |file: &str| format!("{} in data_dir {}", file, data_dir.display());
    let alerts = Alerts::open(&data_dir.join("alerts.sqlite"))
        .await
        .with_context(|| name("alerts.sqlite"))?;
    let stores = (&alerts, recorder);
    let manifest = epoch_change::in_force(stores, &config.manifest, policy, now).await?;
    let epoch =
        Epoch::open(data_dir, manifest).with_context(|| name("the store of sealed rows"))?;
    Ok((epoch, alerts))
}

/// The access log of this programme's gateway.
fn recorder(config: &Config, clock: &Clock) -> anyhow::Result<Recorder> {
    let origin = quorum::origin(&config.manifest.scope.programme);
    let key = log_key::read(&config.data_dir, config.manifest.log())?;
    let log = AccessLog::open(&config.data_dir, origin.clone(), key, clock.clone())?;
    let last = last_cosigned(&config.data_dir, &log, &Quorum::of_manifest(&config.manifest))?;
    let witnesses = Arc::new(Witnesses::new(&config.data_dir, last));
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

async fn report_health(reporter: HealthReporter, live: Arc<LiveEpochs>, recorder: Recorder) {
    reporter.set_serving::<MatchServiceServer<Matches>>().await;
    reporter.set_serving::<AdminServiceServer<Administration>>().await;
    reporter.set_serving::<AuditServiceServer<Audit>>().await;
    loop {
        let live = live.live();
        let next = live.next.map(|next| next.epoch);
        let mut epochs = std::iter::once(live.present).chain(next);
        let well = epochs.all(|epoch| epoch.status.read().stores.is_empty());
        let health = if well && recorder.is_well() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        reporter.set_service_status(STORES, health).await;
        let health = match recorder.witnesses().is_well() {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        };
        reporter.set_service_status(WITNESSES, health).await;
        tokio::time::sleep(LOOK_AT_STORES).await;
    }
}
