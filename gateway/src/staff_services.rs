//! What staff may call: every service with what it works with.
//!
//! Who may call which method is `authorise`'s business.

use std::sync::Arc;

use proto::{
    transport,
    wire::{
        self, admin_service_server::AdminServiceServer, audit_service_server::AuditServiceServer,
        case_service_server::CaseServiceServer, disclosure_service_server::DisclosureServiceServer,
        match_service_server::MatchServiceServer,
        statistics_service_server::StatisticsServiceServer,
    },
};
use tokio::sync::{Semaphore, mpsc, watch};
use tonic::{server::NamedService, service::Routes};

use crate::{
    admin_service::Administration,
    alerts::Alerts,
    audit::{recorder::Recorder, tally::Tally},
    audit_service::Audit,
    case::{case_service::CaseDesk, cases::Cases, requests::Requests},
    clock::Clock,
    disclosure::{courier::Courier, service::Disclosing},
    epoch::LiveEpochs,
    log_files,
    manifest_in_force::ManifestInForce,
    match_service::{Matches, WATCHERS},
    metrics::{self, Metered},
    notify::deliveries::Deliveries,
    policy_in_force::PolicyInForce,
    question::Question,
    regions::Regions,
    statistics::kept::Kept,
    statistics_service::Planning,
};

/// What the services work with.
pub(crate) struct StaffServices {
    pub(crate) alerts: Alerts,
    pub(crate) cases: Cases,
    /// To the desk.
    pub(crate) requests: Requests,
    pub(crate) courier: Arc<Courier>,
    pub(crate) deliveries: Deliveries,
    pub(crate) recorder: Recorder,
    pub(crate) policy: Arc<PolicyInForce>,
    pub(crate) manifest: Arc<ManifestInForce>,
    pub(crate) epochs: Arc<LiveEpochs>,
    /// What regions are called.
    pub(crate) regions: Arc<Regions>,
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
pub(crate) const NAMES: [&str; 6] = [
    MatchServiceServer::<Matches>::NAME,
    CaseServiceServer::<CaseDesk>::NAME,
    AdminServiceServer::<Administration>::NAME,
    AuditServiceServer::<Audit>::NAME,
    DisclosureServiceServer::<Disclosing>::NAME,
    StatisticsServiceServer::<Planning>::NAME,
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
            .add_service(CaseServiceServer::new(self.case_desk()))
            .add_service(AdminServiceServer::new(self.administration()))
            .add_service(AuditServiceServer::new(Audit { recorder: self.recorder.clone() }))
            .add_service(DisclosureServiceServer::new(self.disclosing()))
            .add_service(StatisticsServiceServer::new(self.planning()));
        let files = log_files::routes(self.recorder.clone()).merge(metrics::routes(self.metered()));
        Ok(services.into_axum_router().merge(files).into())
    }

    fn matches(&self) -> Matches {
        Matches {
            alerts: self.alerts.clone(),
            recorder: self.recorder.clone(),
            policy: self.policy.clone(),
            epochs: self.epochs.clone(),
            regions: self.regions.clone(),
            revision: self.revision.clone(),
            questions: self.questions.clone(),
            clock: self.clock.clone(),
            watchers: Arc::new(Semaphore::new(WATCHERS)),
            stopping: self.stopping.clone(),
        }
    }

    fn case_desk(&self) -> CaseDesk {
        CaseDesk {
            cases: self.cases.clone(),
            requests: self.requests.clone(),
            recorder: self.recorder.clone(),
            policy: self.policy.clone(),
            regions: self.regions.clone(),
            clock: self.clock.clone(),
        }
    }

    fn disclosing(&self) -> Disclosing {
        Disclosing {
            alerts: self.alerts.clone(),
            epochs: self.epochs.clone(),
            policy: self.policy.clone(),
            questions: self.questions.clone(),
            courier: self.courier.clone(),
        }
    }

    fn administration(&self) -> Administration {
        Administration {
            epochs: self.epochs.clone(),
            policy: self.policy.clone(),
            manifest: self.manifest.clone(),
            clock: self.clock.clone(),
            recorder: self.recorder.clone(),
            tally: self.tally.clone(),
            deliveries: self.deliveries.clone(),
        }
    }

    fn planning(&self) -> Planning {
        Planning {
            kept: Kept::new(self.deliveries.pool().clone()),
            questions: self.questions.clone(),
            policy: self.policy.clone(),
            regions: self.regions.clone(),
            epochs: self.epochs.clone(),
            clock: self.clock.clone(),
            begun: self.clock.now(),
            recorder: self.recorder.clone(),
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
