//! One open `WatchAlerts`: changes in the order of revisions, none left out, and heartbeats.
//!
//! Whose changes are seen is settled by the filter that it is made with.

use std::time::Duration;

use proto::wire;
use tokio::{sync::watch, time::Instant};

use crate::{
    alert::Alert,
    alerts::{Alerts, AlertsError, Filter},
    clock::Clock,
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
    /// The revision of the last change sent.
    told: u64,
    /// Everything up to this revision was looked at.
    looked: u64,
    /// Changes to send, the next at the end.
    waiting: Vec<Alert>,
    heartbeat_at: Instant,
    revision: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    clock: Clock,
}

impl Watcher {
    /// Begins after a revision. One that was never given comes from a store that was replaced by an
    /// older copy: the watcher begins at the newest, and hears at once where that is.
    pub(crate) fn new(
        (alerts, filter): (Alerts, Filter),
        resume_after: u64,
        (revision, stopping): (watch::Receiver<u64>, watch::Receiver<bool>),
        clock: Clock,
    ) -> Self {
        let newest = *revision.borrow();
        let forgotten = resume_after > newest;
        let from = resume_after.min(newest);
        let heartbeat_at = Instant::now() + if forgotten { Duration::ZERO } else { HEARTBEAT };
        let waiting = vec![];
        let (told, looked) = (from, from);
        Self { alerts, filter, told, looked, waiting, heartbeat_at, revision, stopping, clock }
    }

    /// The next event; nothing where the gateway stops.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub(crate) async fn next(&mut self) -> Option<Result<wire::WatchAlertsResponse, AlertsError>> {
        loop {
            if let Some(alert) = self.waiting.pop() {
                self.told = alert.revision;
                self.heartbeat_at = Instant::now() + HEARTBEAT;
                let alert = wire_alert::alert(&alert);
                return Some(Ok(event(wire::watch_alerts_response::Event::Alert(alert))));
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

    async fn look(&mut self, newest: u64) -> Result<(), AlertsError> {
        let changes = self.alerts.since(&self.filter, self.told, BATCH).await?;
        if changes.len() < BATCH as usize {
            self.looked = newest;
        }
        self.told = changes.last().map_or(newest, |last| last.revision);
        self.waiting = changes;
        self.waiting.reverse();
        Ok(())
    }

    fn heartbeat(&mut self) -> wire::WatchAlertsResponse {
        self.heartbeat_at = Instant::now() + HEARTBEAT;
        event(wire::watch_alerts_response::Event::Heartbeat(wire::Heartbeat {
            at: Some(wire_alert::timestamp(self.clock.now())),
            revision: self.looked,
        }))
    }
}

fn event(event: wire::watch_alerts_response::Event) -> wire::WatchAlertsResponse {
    wire::WatchAlertsResponse { event: Some(event), logged: None }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proto::subject::Subject;
    use wire::watch_alerts_response::Event;

    use super::*;
    use crate::alert::State;

    fn alert(number: u64) -> Alert {
        let now = Timestamp::UNIX_EPOCH;
        let seed = u8::try_from(number % 251).expect("small");
        Alert {
            id: format!("AL-{number}"),
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
        revision: watch::Sender<u64>,
        stop: watch::Sender<bool>,
    }

    impl Office {
        async fn with(number: u64) -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let alerts = Alerts::open(&directory.path().join("alerts")).await.expect("opens");
            let all: Vec<Alert> = (1..=number).map(alert).collect();
            alerts.write(&all).await.expect("written");
            let (revision, stop) = (watch::channel(number).0, watch::channel(false).0);
            Self { _directory: directory, alerts, revision, stop }
        }

        fn watcher(&self, region: &str, resume_after: u64) -> Watcher {
            let filter = Filter { regions: vec![region.into()], ..Filter::default() };
            let news = (self.revision.subscribe(), self.stop.subscribe());
            Watcher::new((self.alerts.clone(), filter), resume_after, news, Clock::system())
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
        office.alerts.write(&[alert(602), alert(601)]).await.expect("written");
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
        office.alerts.write(&[alert(4)]).await.expect("written");
        office.revision.send_replace(4);
        assert_eq!(revisions(&mut watcher, 1).await, [4]);
    }

    #[tokio::test]
    async fn a_watcher_ends_when_the_gateway_stops() {
        let office = Office::with(1).await;
        let mut watcher = office.watcher("", 1);
        office.stop.send_replace(true);
        assert!(watcher.next().await.is_none());
    }
}
