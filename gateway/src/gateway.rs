//! Puts the gateway together: stores, links, pipeline, services; serves; drains.

use std::{future::Future, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use proto::{
    scope::Scope,
    transport,
    wire::{
        self, admin_service_server::AdminServiceServer, match_service_server::MatchServiceServer,
    },
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    admin_service::Administration,
    agreement,
    alerts::Alerts,
    authorise::{AuthoriseLayer, Register},
    clock::Clock,
    config::{Adapter, Config},
    grants::Grants,
    link::{Link, Surroundings},
    match_service::Matches,
    pipeline::{Pipeline, Stages},
    policy_in_force::PolicyInForce,
    rows::Rows,
    status::StatusBoard,
    tls_in_force::TlsInForce,
};

/// The service whose health says whether the stores take writes; reads go on without.
pub const STORES: &str = "matching.v1.Stores";
/// Arrivals that wait for the pipeline: more would only use memory.
const ARRIVALS: usize = 4;
const QUESTIONS: usize = 16;
/// How long open calls may take to end.
const DRAIN: Duration = Duration::from_secs(5);
const LOOK_AT_STORES: Duration = Duration::from_secs(1);

/// A gateway that is ready to serve.
pub struct Gateway {
    config: Config,
    clock: Clock,
    register: Register,
    status: Arc<StatusBoard>,
    grants: Arc<Grants>,
    policy: Arc<PolicyInForce>,
    rows: Rows,
    alerts: Alerts,
    pipeline: Pipeline,
}

impl Gateway {
    /// Checks everything and opens the stores.
    ///
    /// # Errors
    /// What is wrong, and in which file.
    pub async fn build(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let scope = &config.manifest.scope;
        let programme = &scope.programme;
        let register = Register::new(programme.clone(), config.officers.clone())?;
        let policy = Arc::new(PolicyInForce::read(&config.policy, programme)?);
        let status = Arc::new(StatusBoard::default());
        for fault in agreement::of(&config, &policy.current()) {
            tracing::warn!("{fault}");
        }
        let (rows, alerts) = stores(&config.data_dir, scope).await?;
        for adapter in &config.adapters {
            let address = adapter.target.address.clone();
            status.agency(&adapter.agency, |line| line.address = address);
        }
        for dataset in &policy.current().catalogue.datasets {
            let id = &dataset.schema.dataset;
            if let Some(held) = rows.held(&dataset.schema)? {
                status.dataset(id, |line| {
                    line.cursor = Some(held.cursor);
                    line.as_of = Some(held.as_of);
                    line.rows = held.rows;
                });
            }
        }
        let stages = Stages {
            scope: config.manifest.scope.clone(),
            rows: rows.clone(),
            alerts: alerts.clone(),
            status: status.clone(),
            policy: policy.clone(),
            clock: clock.clone(),
        };
        let pipeline = Pipeline::new(stages).await?;
        let grants = Arc::new(Grants::default());
        Ok(Self { config, clock, register, status, grants, policy, rows, alerts, pipeline })
    }

    /// The policy, for reloading it on a signal.
    pub fn policy(&self) -> Arc<PolicyInForce> {
        self.policy.clone()
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
        let (arrivals, arriving) = mpsc::channel(ARRIVALS);
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let (stop, stopping) = watch::channel(false);
        let around = Arc::new(Surroundings {
            manifest: self.config.manifest.clone(),
            rows: self.rows,
            status: self.status.clone(),
            grants: self.grants.clone(),
            policy: self.policy.clone(),
            clock: self.clock.clone(),
            arrivals,
        });
        let mut links = links(self.config.adapters, &self.config.tls, &around);
        let matches = Matches {
            alerts: self.alerts,
            policy: self.policy.clone(),
            status: self.status.clone(),
            revision: self.pipeline.revision(),
            questions,
            clock: self.clock.clone(),
            stopping: stopping.clone(),
        };
        let administration = Administration {
            manifest: self.config.manifest,
            status: self.status.clone(),
            grants: self.grants,
            policy: self.policy,
            clock: self.clock,
        };
        let mut pipeline = tokio::spawn(self.pipeline.run(arriving, asked));
        let (reporter, health) = tonic_health::server::health_reporter();
        links.spawn(report_health(reporter, self.status));
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(wire::DESCRIPTOR)
            .build_v1()?;
        let server = transport::server()
            .layer(AuthoriseLayer(self.register))
            .add_service(health)
            .add_service(reflection)
            .add_service(
                MatchServiceServer::new(matches).max_decoding_message_size(transport::MAX_MESSAGE),
            )
            .add_service(AdminServiceServer::new(administration))
            .serve_with_incoming_shutdown(
                transport::incoming(listener, self.config.tls.server()),
                stopped(stopping.clone()),
            );
        let mut server = std::pin::pin!(server);
        tokio::select! {
            served = &mut server => served?,
            // Better no gateway than one that looks well and matches nobody any more.
            ended = &mut pipeline => ended.context("the pipeline failed")?,
            Some(ended) = links.join_next() => ended.context("a link failed")?,
            () = shutdown => {
                stop.send_replace(true);
                // Whoever does not let go is cut off: every stream is resumable.
                if let Ok(served) = tokio::time::timeout(DRAIN, server).await {
                    served?;
                }
                links.shutdown().await;
                drop(around);
                pipeline.await.context("the pipeline failed")?;
            }
        }
        Ok(())
    }
}

fn links(adapters: Vec<Adapter>, tls: &TlsInForce, around: &Arc<Surroundings>) -> JoinSet<()> {
    let links =
        adapters.into_iter().map(|adapter| Link::new(adapter, tls.client(), around.clone()));
    links.map(|link| Arc::new(link).run()).collect()
}

async fn stores(data_dir: &Path, scope: &Scope) -> anyhow::Result<(Rows, Alerts)> {
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("cannot make data_dir {}", data_dir.display()))?;
    let name = |file: &str| format!("{} in data_dir {}", file, data_dir.display());
    let rows = Rows::open(&data_dir.join("rows.redb"), scope).with_context(|| name("rows.redb"))?;
    let alerts = Alerts::open(&data_dir.join("alerts.sqlite"))
        .await
        .with_context(|| name("alerts.sqlite"))?;
    Ok((rows, alerts))
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // A sender that is gone has stopped, too.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn report_health(reporter: HealthReporter, status: Arc<StatusBoard>) {
    reporter.set_serving::<MatchServiceServer<Matches>>().await;
    reporter.set_serving::<AdminServiceServer<Administration>>().await;
    loop {
        let well = status.read().stores.is_empty();
        let health = if well { ServingStatus::Serving } else { ServingStatus::NotServing };
        reporter.set_service_status(STORES, health).await;
        tokio::time::sleep(LOOK_AT_STORES).await;
    }
}
