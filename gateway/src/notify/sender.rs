//! Who sends what waits in the outbox: every target on its own, so that a slow one delays no other.
//!
//! An attempt is logged, then written down in the store, then made. A crash after any of these steps loses
//! nothing: what was not marked as sent is sent again under the same id, and whoever receives it twice can
//! tell by that.

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;
use proto::{act::Act, entry::Actor};

use super::{
    backoff::ATTEMPTS,
    channel::Failed,
    deliveries::{Deliveries, Notification},
    message::{self, Message},
    notice::Notice,
    outbox::{self, OutboxError},
    target::{Target, Wish},
};
use crate::{
    audit::recorder::{Recorder, Unrecorded},
    clock::{Clock, later},
    regions::Regions,
};

/// How often the outbox is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often what was sent long ago is looked for.
const PRUNE: Duration = Duration::from_secs(3600);

/// Sends.
pub struct Sender {
    /// What is to be sent.
    pub deliveries: Deliveries,
    /// To whom.
    pub targets: Vec<Target>,
    /// What streets are called.
    pub regions: Arc<Regions>,
    /// Writes down what is sent.
    pub recorder: Recorder,
    /// The time.
    pub clock: Clock,
}

/// Why nothing is sent for now.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Store(#[from] OutboxError),
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
}

impl Sender {
    /// Addresses notices and sends notifications. Never returns.
    pub fn run(self) -> BoxFuture<'static, ()> {
        Box::pin(self.send_all())
    }

    async fn send_all(self) {
        if self.targets.is_empty() {
            tracing::warn!("there is no [[notify]]: officers learn of cases only by looking");
        }
        let sending = join_all(self.targets.iter().map(|target| self.serve(target)));
        tokio::join!(self.address(), sending);
    }

    async fn address(&self) {
        let wishes: Vec<&Wish> = self.targets.iter().map(|target| &target.wish).collect();
        let (mut well, mut prune_at) = (true, Timestamp::MIN);
        loop {
            match outbox::address(self.deliveries.pool(), &wishes, self.clock.now()).await {
                Ok(0) => well = told(well, self.prune(&mut prune_at).await),
                Ok(_) => continue,
                Err(error) => well = told(well, Err(error.into())),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Forgets what was sent long ago, a batch at a time, and sets when to look again.
    async fn prune(&self, at: &mut Timestamp) -> Result<(), Stopped> {
        let now = self.clock.now();
        if now < *at {
            return Ok(());
        }
        match outbox::prune(self.deliveries.pool(), now).await? {
            0 => *at = later(now, PRUNE),
            forgotten => tracing::info!(forgotten, "notifications sent long ago are forgotten"),
        }
        Ok(())
    }

    /// Sends everything to one target, one after the other.
    async fn serve(&self, target: &Target) {
        let (mut well, mut rest_until) = (true, Timestamp::MIN);
        loop {
            if self.clock.now() >= rest_until {
                match self.send_due(target).await {
                    Ok(None) => well = told(well, Ok(())),
                    Ok(Some(until)) => rest_until = until,
                    Err(error) => well = told(well, Err(error)),
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Sends what is due, until the target asks to be left alone; then tells until when.
    async fn send_due(&self, target: &Target) -> Result<Option<Timestamp>, Stopped> {
        let name = &target.wish.target;
        loop {
            let now = self.clock.now();
            if let Some(period) = target.wish.digest {
                outbox::gather(self.deliveries.pool(), name.as_str(), period, now).await?;
            }
            let Some(due) = self.deliveries.due(name, now).await? else { return Ok(None) };
            if due.attempts >= ATTEMPTS {
                // The last attempt was under way when the gateway stopped.
                self.park(&due, None).await?;
                continue;
            }
            if let Some(until) = self.attempt(target, &due).await? {
                return Ok(Some(until));
            }
        }
    }

    async fn attempt(
        &self,
        target: &Target,
        due: &Notification,
    ) -> Result<Option<Timestamp>, Stopped> {
        let (id, attempt) = (due.id, due.attempts + 1);
        let notices = outbox::notices(self.deliveries.pool(), id).await?;
        let entry = self.recorder.record(&Actor::Gateway, sent(due, &notices, attempt)).await?;
        if let Err(error) = self.deliveries.begin(id, attempt, self.clock.now()).await {
            self.recorder.failed(entry..entry + 1).await;
            return Err(error.into());
        }
        let street = |region: &str| message::street(&self.regions, region, target.lang);
        let message = Message::new(id, &notices, target.link.as_ref(), street);
        let outcome = target.channel.send(&message, self.clock.now()).await;
        let now = self.clock.now();
        match outcome {
            Ok(()) => self.deliveries.sent(id, now).await?,
            Err(Failed::ForGood(problem)) => self.park(due, Some(problem)).await?,
            Err(Failed::Now { problem, .. }) if attempt == ATTEMPTS => {
                self.park(due, Some(problem)).await?;
            }
            Err(Failed::Now { problem, rest }) => {
                let until = rest.map(|rest| later(now, rest));
                self.deliveries.failed(id, problem, until.unwrap_or(now)).await?;
                tracing::warn!(target = %due.target, %id, attempt, %problem, "not sent; tried again later");
                return Ok(until);
            }
        }
        Ok(None)
    }

    async fn park(
        &self,
        parked: &Notification,
        problem: Option<super::channel::Problem>,
    ) -> Result<(), Stopped> {
        let (notification, target) = (parked.id, parked.target.clone());
        let told = problem.map(|problem| problem.to_string()).unwrap_or_default();
        tracing::error!(%target, id = %notification, problem = told, "a notification is parked");
        let act = Act::NotificationParked { notification, target };
        self.recorder.record(&Actor::Gateway, act).await?;
        self.deliveries.park(notification, problem, self.clock.now()).await?;
        Ok(())
    }
}

fn sent(due: &Notification, notices: &[Notice], attempt: u32) -> Act {
    let mut alerts: Vec<_> = notices.iter().map(|notice| notice.alert.clone()).collect();
    alerts.sort();
    alerts.dedup();
    Act::NotificationSent { notification: due.id, target: due.target.clone(), alerts, attempt }
}

/// Says once that nothing is sent for now, and why.
fn told(well: bool, outcome: Result<(), Stopped>) -> bool {
    if let (true, Err(error)) = (well, &outcome) {
        tracing::error!(%error, "no notification is sent for now; trying again");
    }
    outcome.is_ok()
}
