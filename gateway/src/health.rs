//! Whether all is well, for who asks by grpc.health.v1: the services, the stores, the witnesses, the calendar.

use std::{sync::Arc, time::Duration};

use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    audit::recorder::Recorder, case::calendar::day, clock::Clock, epoch::LiveEpochs,
    policy_in_force::PolicyInForce,
};

/// The service whose health says whether the stores take writes; reads go on without.
pub const STORES: &str = "matching.v1.Stores";
/// The service whose health says whether the quorum of witnesses keeps up with the log; the log goes on
/// without.
pub const WITNESSES: &str = "matching.v1.Witnesses";
/// The service whose health says whether the policy's calendar of working days goes on for a month or more;
/// beyond its end deadlines are set all the same, too early.
pub const CALENDAR: &str = "matching.v1.Calendar";
const LOOK: Duration = Duration::from_secs(1);

/// What is looked at.
pub(crate) struct Looked {
    pub(crate) epochs: Arc<LiveEpochs>,
    pub(crate) recorder: Recorder,
    pub(crate) policy: Arc<PolicyInForce>,
    pub(crate) clock: Clock,
}

/// Says that these services are served, and how it stands with the stores, the witnesses and the calendar.
/// Never returns.
pub(crate) async fn report(reporter: HealthReporter, services: &[&str], looked: Looked) {
    let Looked { epochs, recorder, policy, clock } = looked;
    let mut complained_on = None;
    for service in services {
        reporter.set_service_status(service, ServingStatus::Serving).await;
    }
    loop {
        let live = epochs.live();
        let next = live.next.map(|next| next.epoch);
        let mut epochs = std::iter::once(live.present).chain(next);
        let well = epochs.all(|epoch| epoch.status.read().stores.is_empty());
        reporter.set_service_status(STORES, status(well && recorder.is_well())).await;
        reporter.set_service_status(WITNESSES, status(recorder.witnesses().is_well())).await;
        let (today, ending) =
            (day(clock.now()), policy.current().cases.calendar.ending(clock.now()));
        reporter.set_service_status(CALENDAR, status(ending.is_none())).await;
        if let Some(ending) = ending.filter(|_| complained_on != Some(today)) {
            tracing::warn!("{ending}");
            complained_on = Some(today);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn status(well: bool) -> ServingStatus {
    if well { ServingStatus::Serving } else { ServingStatus::NotServing }
}
