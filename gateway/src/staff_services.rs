//! What staff may call: every service with what it works with.
//!
//! Who may call which method is `authorise`'s business.

use std::sync::Arc;

use proto::{
    transport,
    wire::{
        self, admin_service_server::AdminServiceServer, audit_service_server::AuditServiceServer,
        match_service_server::MatchServiceServer,
    },
};
use tokio::sync::{Semaphore, mpsc, watch};
use tonic::{server::NamedService, service::Routes};

use crate::{
    admin_service::Administration,
    alerts::Alerts,
    audit::{recorder::Recorder, tally::Tally},
    audit_service::Audit,
    clock::Clock,
    dry_run::Question,
    epoch::LiveEpochs,
    log_files,
    manifest_in_force::ManifestInForce,
    match_service::{Matches, WATCHERS},
    metrics::{self, Metered},
    notify::deliveries::Deliveries,
    policy_in_force::PolicyInForce,
};

/// What the services work with.
pub(crate) struct StaffServices {
    pub(crate) alerts: Alerts,
    pub(crate) deliveries: Deliveries,
    pub(crate) recorder: Recorder,
    pub(crate) policy: Arc<PolicyInForce>,
    pub(crate) manifest: Arc<ManifestInForce>,
    pub(crate) epochs: Arc<LiveEpochs>,
    /// The revision of the last alert written.
    pub(crate) revision: watch::Receiver<u64>,
    /// To the pipeline.
    pub(crate) questions: mpsc::Sender<Question>,
    pub(crate) clock: Clock,
    pub(crate) tally: Arc<Tally>,
    /// Turns true when the gateway stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The services' names, as health has them.
pub(crate) const NAMES: [&str; 3] = [
    MatchServiceServer::<Matches>::NAME,
    AdminServiceServer::<Administration>::NAME,
    AuditServiceServer::<Audit>::NAME,
];

impl StaffServices {
    /// All of them, the description of all, and what is served beside gRPC.
    pub(crate) fn routes(&self) -> anyhow::Result<Routes> {
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(wire::DESCRIPTOR)
            .build_v1()?;
        let matches = MatchServiceServer::new(self.matches());
        let services = Routes::new(reflection)
            .add_service(matches.max_decoding_message_size(transport::MAX_MESSAGE))
            .add_service(AdminServiceServer::new(self.administration()))
            .add_service(AuditServiceServer::new(Audit { recorder: self.recorder.clone() }));
        let files = log_files::routes(self.recorder.clone()).merge(metrics::routes(self.metered()));
        Ok(services.into_axum_router().merge(files).into())
    }

    fn matches(&self) -> Matches {
        Matches {
            alerts: self.alerts.clone(),
            recorder: self.recorder.clone(),
            policy: self.policy.clone(),
            epochs: self.epochs.clone(),
            revision: self.revision.clone(),
            questions: self.questions.clone(),
            clock: self.clock.clone(),
            watchers: Arc::new(Semaphore::new(WATCHERS)),
            stopping: self.stopping.clone(),
        }
    }

    fn administration(&self) -> Administration {
        Administration {
            epochs: self.epochs.clone(),
            policy: self.policy.clone(),
            manifest: self.manifest.clone(),
            clock: self.clock.clone(),
            recorder: self.recorder.clone(),
            deliveries: self.deliveries.clone(),
        }
    }

    fn metered(&self) -> Metered {
        Metered {
            epochs: self.epochs.clone(),
            policy: self.policy.clone(),
            clock: self.clock.clone(),
            alerts: self.alerts.clone(),
            deliveries: self.deliveries.clone(),
            recorder: self.recorder.clone(),
            tally: self.tally.clone(),
        }
    }
}
