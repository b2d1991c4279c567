//! One open `WatchAlerts`: changes in the order of revisions, none left out, and heartbeats.
//!
//! Whose changes are seen is settled by the filter that it is made with.

use std::{sync::Arc, time::Duration};

use proto::{entry::Actor, wire, wire::watch_alerts_response::Event};
use tokio::{sync::watch, time::Instant};

use crate::{
    alert_acts::Delivery,
    alerts::{Alerts, Filter},
    audit::{logged::Logged, recorder::Recorder},
    clock::Clock,
    refusal::Refusal,
    regions::Regions,
    wire_alert,
};

/// How often a watcher hears that all is well.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How many changes a watcher is sent before the store is asked again.
const BATCH: u32 = 256;

/// The watcher.
pub(crate) struct Watcher {
    alerts: Alerts,
    filter: Filter,
    recorder: Recorder,
    by: Actor,
    /// The revision of the last change sent.
    told: u64,
    /// Everything up to this revision was looked at.
    looked: u64,
    /// Changes that the log says are sent, and how many of them were.
    waiting: Option<(Logged<Delivery>, usize)>,
    heartbeat_at: Instant,
    revision: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    clock: Clock,
    regions: Arc<Regions>,
}

impl Watcher {
    /// Begins after a revision. One that was never given comes from a store that was replaced by an
    /// older copy: the watcher begins at the newest, and hears at once where that is.
    pub(crate) fn new(
        (alerts, filter): (Alerts, Filter),
        (recorder, by): (Recorder, Actor),
        resume_after: u64,
        (revision, stopping): (watch::Receiver<u64>, watch::Receiver<bool>),
        (clock, regions): (Clock, Arc<Regions>),
    ) -> Self {
        let newest = *revision.borrow();
        let forgotten = resume_after > newest;
        let from = resume_after.min(newest);
        let heartbeat_at = Instant::now() + if forgotten { Duration::ZERO } else { HEARTBEAT };
        let (told, looked, waiting) = (from, from, None);
        Self {
            alerts,
            filter,
            recorder,
            by,
            told,
            looked,
            waiting,
            heartbeat_at,
            revision,
            stopping,
            clock,
            regions,
        }
    }

    /// The next event; nothing where the gateway stops.
    ///
    /// # Errors
    /// [`Refusal::Store`], where the alerts are not read or the log is not written.
    pub(crate) async fn next(&mut self) -> Option<Result<wire::WatchAlertsResponse, Refusal>> {
        loop {
            if let Some(event) = self.send() {
                return Some(Ok(event));
            }
            let newest = *self.revision.borrow_and_update();
            if newest > self.looked {
                if let Err(error) = self.look(newest).await {
                    return Some(Err(error));
                }
                continue;
            }
            let quiet = tokio::select! {
                changed = self.revision.changed() => {
                    changed.ok()?;
                    false
                }
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
                // Since the last event: changes in other regions are no sign of life.
                () = tokio::time::sleep_until(self.heartbeat_at) => true,
            };
            if quiet {
                return Some(Ok(self.heartbeat()));
            }
        }
    }

    fn send(&mut self) -> Option<wire::WatchAlertsResponse> {
        let (delivery, sent) = self.waiting.as_mut()?;
        let Some(alert) = delivery.what().0.get(*sent) else {
            self.waiting = None;
            return None;
        };
        *sent += 1;
        self.heartbeat_at = Instant::now() + HEARTBEAT;
        let witnessed = self.recorder.witnesses().witnessed_revision();
        Some(wire::WatchAlertsResponse {
            event: Some(Event::Alert(wire_alert::alert(alert, witnessed, &self.regions))),
            logged: Some(self.recorder.place(delivery.index())),
        })
    }

    async fn look(&mut self, newest: u64) -> Result<(), Refusal> {
        let Some(changes) = self.alerts.since(&self.filter, self.told, BATCH).await? else {
            (self.told, self.looked) = (newest, newest);
            return Ok(());
        };
        let changes = self.recorder.open(&self.by, changes).await?;
        let alerts = &changes.what().0;
        if alerts.len() < BATCH as usize {
            self.looked = newest;
        }
        self.told = alerts.last().map_or(newest, |last| last.revision);
        self.waiting = Some((changes, 0));
        Ok(())
    }

    fn heartbeat(&mut self) -> wire::WatchAlertsResponse {
        self.heartbeat_at = Instant::now() + HEARTBEAT;
        let at = Some(wire_alert::timestamp(self.clock.now()));
        let heartbeat = wire::Heartbeat { at, revision: self.looked };
        wire::WatchAlertsResponse { event: Some(Event::Heartbeat(heartbeat)), logged: None }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proto::subject::Subject;

    use super::*;
    use crate::{
        alert::{Alert, State},
        alert_acts::Run,
        audit::{logged::Unlogged, recorder::tests::recorder},
    };

    fn alert(number: u64) -> Alert {
        let now = Timestamp::UNIX_EPOCH;
        let seed = u8::try_from(number % 251).expect("small");
        Alert {
            id: format!("AL-{number:04}-0000-0000"),
            subject: Subject([seed; 16]),
            epoch: 1,
            rule: format!("rule-{number}"),
            occurrence: 1,
            rule_version: [0; 32],
            situation: "illness".into(),
            state: State::Open,
            region: if number.is_multiple_of(2) { "3201".into() } else { "3202".into() },
            raised_at: now,
            changed_at: now,
            due_at: now,
            assist: vec![],
            revision: number,
            findings: vec![],
        }
    }

    struct Office {
        _directory: tempfile::TempDir,
        alerts: Alerts,
        recorder: Recorder,
        revision: watch::Sender<u64>,
        stop: watch::Sender<bool>,
    }

    impl Office {
        async fn with(number: u64) -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let alerts = Alerts::new(
                crate::database::open(&directory.path().join("alerts")).await.expect("opens"),
            );
            let recorder = recorder(directory.path());
            let (revision, stop) = (watch::channel(number).0, watch::channel(false).0);
            let office = Self { _directory: directory, alerts, recorder, revision, stop };
            office.write((1..=number).map(alert).collect()).await;
            office
        }

        async fn write(&self, changed: Vec<Alert>) {
            let run = Run { policy: [0; 32], epoch: 1, subjects: 1, changed };
            let run = self.recorder.open(&Actor::Gateway, Unlogged::seal(run)).await;
            self.alerts.write(&run.expect("logged")).await.expect("written");
        }

        fn watcher(&self, region: &str, resume_after: u64) -> Watcher {
            let filter = Filter { regions: vec![region.into()], ..Filter::default() };
            let news = (self.revision.subscribe(), self.stop.subscribe());
            let logging = (self.recorder.clone(), Actor::Gateway);
            Watcher::new(
                (self.alerts.clone(), filter),
                logging,
                resume_after,
                news,
                (Clock::system(), Arc::default()),
            )
        }
    }

    async fn next(watcher: &mut Watcher) -> Event {
        let event = watcher.next().await.expect("not stopping").expect("well");
        event.event.expect("always there")
    }

    async fn revisions(watcher: &mut Watcher, count: usize) -> Vec<u64> {
        let mut revisions = vec![];
        while revisions.len() < count {
            if let Event::Alert(alert) = next(watcher).await {
                revisions.push(alert.revision);
            }
        }
        revisions
    }

    #[tokio::test]
    async fn a_watcher_is_sent_every_change_after_its_place_once_and_in_order() {
        let office = Office::with(600).await;
        let mut all = office.watcher("", 0);
        assert_eq!(revisions(&mut all, 600).await, (1..=600).collect::<Vec<u64>>());
        let mut later = office.watcher("", 597);
        assert_eq!(revisions(&mut later, 3).await, [598, 599, 600]);
        let mut region = office.watcher("3202", 595);
        assert_eq!(revisions(&mut region, 2).await, [597, 599]);
        office.write(vec![alert(602), alert(601)]).await;
        office.revision.send_replace(602);
        assert_eq!(revisions(&mut later, 2).await, [601, 602]);
        assert_eq!(revisions(&mut region, 1).await, [601]);
    }

    #[tokio::test]
    async fn a_watcher_from_beyond_hears_at_once_where_the_gateway_is() {
        let office = Office::with(3).await;
        let mut watcher = office.watcher("", 900);
        let Event::Heartbeat(heartbeat) = next(&mut watcher).await else { panic!("an alert") };
        assert_eq!(heartbeat.revision, 3);
        office.write(vec![alert(4)]).await;
        office.revision.send_replace(4);
        assert_eq!(revisions(&mut watcher, 1).await, [4]);
    }

    #[tokio::test]
    async fn without_the_log_a_watcher_is_sent_nothing() {
        let office = Office::with(3).await;
        let mut watcher = office.watcher("", 0);
        office.recorder.log().close().await;
        let refused = watcher.next().await.expect("not stopping");
        assert!(matches!(refused, Err(Refusal::Store(_))), "{refused:?}");
    }

    #[tokio::test]
    async fn a_watcher_ends_when_the_gateway_stops() {
        let office = Office::with(1).await;
        let mut watcher = office.watcher("", 1);
        office.stop.send_replace(true);
        assert!(watcher.next().await.is_none());
    }
}
