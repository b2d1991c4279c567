//! `/metrics`: numbers for whoever watches over the gateway's running, as Prometheus reads them.
//!
//! Everything is looked up when it is asked for. Labels are agencies, datasets, states and reasons: names
//! from the configuration and words of the protocol, never anything of a person.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics::{Label, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;
use proto::{fault::Reason, quorum::Quorum};

use crate::{
    alert,
    alerts::Alerts,
    audit::{recorder::Recorder, tally::Tally},
    case::calendar::day,
    clock::{Clock, later},
    epoch::LiveEpochs,
    intake::Limit,
    methods::METRICS,
    notify::deliveries::Deliveries,
    policy_in_force::PolicyInForce,
};

/// What is counted.
#[derive(Clone)]
pub struct Metered {
    /// Adapters and datasets.
    pub epochs: Arc<LiveEpochs>,
    /// What fresh means.
    pub policy: Arc<PolicyInForce>,
    /// The time.
    pub clock: Clock,
    /// Alerts.
    pub alerts: Alerts,
    /// Notifications.
    pub deliveries: Deliveries,
    /// The log and its witnesses.
    pub recorder: Recorder,
    /// Refused calls.
    pub tally: Arc<Tally>,
}

/// The route.
pub fn routes(metered: Metered) -> Router {
    Router::new().route(METRICS, get(metrics)).with_state(metered)
}

async fn metrics(State(metered): State<Metered>) -> Response {
    let alerts = metered.alerts.count(metered.epochs.present().number()).await;
    let notifications = metered.deliveries.count().await;
    let (alerts, notifications) = match (alerts, notifications) {
        (Ok(alerts), Ok(notifications)) => (alerts, notifications),
        (alerts, notifications) => {
            let problems = (alerts.err(), notifications.err());
            tracing::error!(?problems, "alerts or notifications cannot be counted");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        describe();
        metered.log();
        metered.supply();
        metered.calendar();
        for (state, count) in alerts {
            gauge!("matching_alerts", "state" => word(state)).set(float(count));
        }
        for (state, count) in notifications {
            gauge!("matching_notifications", "state" => state.word()).set(float(count));
        }
        let refused = metered.tally.refused_calls();
        for reason in Reason::ALL {
            let count = refused.get(&reason).copied().unwrap_or_default();
            counter!("matching_calls_refused_total", "reason" => reason.as_str()).absolute(count);
        }
    });
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (headers, recorder.handle().render()).into_response()
}

/// What each number is.
fn describe() {
    describe_gauge!("matching_alerts", "Alerts of the epoch in force, by state.");
    describe_gauge!("matching_notifications", "Notifications to officers, by state.");
    describe_counter!(
        "matching_calls_refused_total",
        "Refused calls since the start, by reason; BUSY where a limit was reached."
    );
    let left = "Days that the policy's calendar of working days still has.";
    describe_gauge!("matching_calendar_days_left", left);
    describe_gauge!("matching_log_entries", "Entries of the access log.");
    describe_counter!(
        "matching_log_append_failures_total",
        "Entries that the disk did not take since the start; what they were about did not happen."
    );
    describe_gauge!("matching_log_unwitnessed_entries", "Entries that no quorum has cosigned yet.");
    describe_gauge!(
        "matching_log_cosigned_age_seconds",
        "Since the last checkpoint that enough witnesses cosigned."
    );
    describe_gauge!("matching_witnesses_connected", "Witnesses that can be asked.");
    describe_gauge!("matching_witnesses_needed", "Witnesses that must cosign.");
    describe_gauge!("matching_witnesses_well", "1 where enough witnesses keep up.");
    describe_gauge!("matching_adapter_connected", "1 where the agency's adapter answers.");
    describe_counter!(
        "matching_intake_waits_total",
        "How often an agency's data waited since the start: for its turn, or for room that a large \
         transfer takes."
    );
    describe_gauge!("matching_dataset", "1 for what a dataset is: fresh, stale or missing.");
}

impl Metered {
    /// The access log and its witnesses.
    fn log(&self) {
        let (log, witnesses) = (self.recorder.log(), self.recorder.witnesses());
        let cosigned = witnesses.cosigned();
        let witnessed = cosigned.as_ref().map_or(0, |cosigned| cosigned.size());
        gauge!("matching_log_entries").set(float(log.size()));
        counter!("matching_log_append_failures_total").absolute(self.recorder.failures());
        gauge!("matching_log_unwitnessed_entries").set(float(log.size().saturating_sub(witnessed)));
        if let Some(cosigned) = cosigned {
            let age = self.clock.now().duration_since(cosigned.at()).as_secs_f64();
            gauge!("matching_log_cosigned_age_seconds").set(age);
        }
        let needed = Quorum::of_manifest(&self.epochs.present().manifest).needed();
        gauge!("matching_witnesses_connected").set(float(witnesses.connected() as u64));
        gauge!("matching_witnesses_needed").set(float(needed as u64));
        gauge!("matching_witnesses_well").set(if witnesses.is_well() { 1.0 } else { 0.0 });
    }

    /// How many days the policy's calendar of working days still has.
    fn calendar(&self) {
        let today = day(self.clock.now());
        let last = self.policy.current().cases.calendar.last_day(today);
        let left = last.map_or(0, |last| (last - today).get_days());
        gauge!("matching_calendar_days_left").set(f64::from(left));
    }

    /// Adapters, and how fresh their datasets are.
    fn supply(&self) {
        let present = self.epochs.present();
        let (board, waits) = (present.status.read(), present.intake.waits());
        for (agency, line) in &board.agencies {
            let connected = if line.connected { 1.0 } else { 0.0 };
            gauge!("matching_adapter_connected", "agency" => agency.to_string()).set(connected);
            for limit in [Limit::Turn, Limit::Room] {
                let count = waits.get(&(agency.clone(), limit)).copied().unwrap_or_default();
                let agency = Label::new("agency", agency.to_string());
                let labels = vec![agency, Label::new("limit", limit.word())];
                counter!("matching_intake_waits_total", labels).absolute(count);
            }
        }
        let now = self.clock.now();
        for dataset in &self.policy.current().catalogue.datasets {
            let id = &dataset.schema.dataset;
            let as_of = board.datasets.get(id).and_then(|line| line.as_of);
            let freshness = match as_of {
                None => "missing",
                Some(as_of) if now < later(as_of, dataset.fresh_within) => "fresh",
                Some(_) => "stale",
            };
            for each in ["fresh", "stale", "missing"] {
                let labels =
                    vec![Label::new("dataset", id.to_string()), Label::new("freshness", each)];
                gauge!("matching_dataset", labels).set(if each == freshness { 1.0 } else { 0.0 });
            }
        }
    }
}

fn word(state: alert::State) -> &'static str {
    match state {
        alert::State::Open => "open",
        alert::State::Pending => "pending",
        alert::State::Incomplete => "incomplete",
        alert::State::Withdrawn => "withdrawn",
    }
}

/// Prometheus has no other numbers; below 2^53 nothing is lost.
fn float(count: u64) -> f64 {
    count as f64
}
