//! Whether all is well, for who asks by grpc.health.v1: the services, the stores, the witnesses.

use std::{sync::Arc, time::Duration};

use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{audit::recorder::Recorder, epoch::LiveEpochs};

/// The service whose health says whether the stores take writes; reads go on without.
pub const STORES: &str = "matching.v1.Stores";
/// The service whose health says whether the quorum of witnesses keeps up with the log; the log goes on
/// without.
pub const WITNESSES: &str = "matching.v1.Witnesses";
const LOOK: Duration = Duration::from_secs(1);

/// Says that these services are served, and how it stands with the stores and the witnesses. Never
/// returns.
pub(crate) async fn report(
    reporter: HealthReporter,
    services: &[&str],
    live: Arc<LiveEpochs>,
    recorder: Recorder,
) {
    for service in services {
        reporter.set_service_status(service, ServingStatus::Serving).await;
    }
    loop {
        let live = live.live();
        let next = live.next.map(|next| next.epoch);
        let mut epochs = std::iter::once(live.present).chain(next);
        let well = epochs.all(|epoch| epoch.status.read().stores.is_empty());
        reporter.set_service_status(STORES, status(well && recorder.is_well())).await;
        reporter.set_service_status(WITNESSES, status(recorder.witnesses().is_well())).await;
        tokio::time::sleep(LOOK).await;
    }
}

fn status(well: bool) -> ServingStatus {
    if well { ServingStatus::Serving } else { ServingStatus::NotServing }
}
