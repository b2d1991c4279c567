//! The one task that changes cases. It follows alerts by their revisions and hotlines' work orders, takes
//! officers' steps, and wakes when deadlines pass.
//!
//! An event is logged, then written, and only then told. A crash between the two leaves it in the log
//! alone; the entry `cases_followed` of the next start says that it never came about, and what the
//! gateway does by itself is done anew from the alerts, since the store knows how far it had come.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use proto::{act::Act, alert_id::AlertId, entry::Actor, subject::Subject};
use tokio::sync::watch;

use super::{
    by_itself::Surroundings,
    case_acts::{Change, Changes, id},
    cases::{Alongside, Cases, Position, Resting},
    lifecycle::{Case, Stage},
    notices,
    requests::Incoming,
};
use crate::{
    alert::Alert,
    alerts::{Alerts, AlertsError},
    audit::{
        logged::Unlogged,
        recorder::{Recorder, Unrecorded},
    },
    authorise::Register,
    clock::{Clock, later},
    epoch::LiveEpochs,
    filling::RETRY,
    hotline::open_orders::OpenOrders,
    policy::Policy,
    policy_in_force::PolicyInForce,
};

/// How many alerts are looked at between two commits.
const BATCH: u32 = 128;
/// One event leads to a few others, and they to none.
const MANY: usize = 64;

/// What a desk works with.
pub struct Parts {
    /// Cases.
    pub cases: Cases,
    /// Alerts.
    pub alerts: Alerts,
    /// Writes down what happens.
    pub recorder: Recorder,
    /// Deadlines.
    pub policy: Arc<PolicyInForce>,
    /// Who is who.
    pub register: Register,
    /// The time.
    pub clock: Clock,
}

/// The desk.
pub struct Desk {
    pub(super) parts: Parts,
    position: Position,
    /// The work orders that the store has.
    taken: OpenOrders,
    retry_at: Option<Timestamp>,
}

/// The disk is full or failing: what was to happen in a case did not.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The log cannot be written.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] AlertsError),
}

type Result<T> = std::result::Result<T, DeskError>;

/// What comes of looking at a case.
enum Settled {
    Changes(Change),
    Rests(Resting),
}

impl Settled {
    /// Has the case looked at again then.
    fn wake_at(&mut self, at: Timestamp) {
        let (Self::Changes(Change { wake_at, .. }) | Self::Rests(Resting { wake_at, .. })) = self;
        *wake_at = Some(at);
    }
}

impl Desk {
    /// Goes on where the store has come to, and says so in the log.
    ///
    /// # Errors
    /// [`DeskError`].
    pub async fn open(parts: Parts) -> Result<Self> {
        let position = parts.cases.position().await?;
        let act = Act::CasesFollowed { after: position.entries };
        parts.recorder.record(&Actor::Gateway, act).await?;
        Ok(Self { parts, position, taken: OpenOrders::default(), retry_at: None })
    }

    /// Works until nobody can tell of alerts any more.
    pub async fn run(
        mut self,
        mut revision: watch::Receiver<u64>,
        mut incoming: Incoming,
        mut orders: watch::Receiver<OpenOrders>,
        epochs: Arc<LiveEpochs>,
    ) {
        let mut policies = self.parts.policy.subscribe();
        loop {
            let open = orders.borrow_and_update().clone();
            let went_on = self.go_on(&open).await;
            self.tell(went_on, &epochs);
            let (wake, clock) = (self.next_wake().await, self.parts.clock.clone());
            tokio::select! {
                Some(request) = incoming.0.recv() => self.answer(request).await,
                changed = revision.changed() => if changed.is_err() { return },
                Ok(()) = orders.changed() => {}
                () = policies.changed() => {}
                () = clock.reach(wake) => {}
            }
        }
    }

    /// Follows alerts and work orders as far as they have come, and lets what is due by now come about.
    ///
    /// # Errors
    /// [`DeskError`]; what was not written comes again.
    async fn go_on(&mut self, open: &OpenOrders) -> Result<()> {
        let now = self.parts.clock.now();
        if self.retry_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        self.follow_alerts().await?;
        self.take_orders(open).await?;
        self.let_pass(now).await
    }

    async fn follow_alerts(&mut self) -> Result<()> {
        loop {
            let alerts = self.parts.alerts.changed(self.position.revision, BATCH).await?;
            let Some(last) = alerts.last() else { return Ok(()) };
            let revision = last.revision;
            self.settle_all(&alerts, revision).await?;
        }
    }

    /// Work orders that came since the last time.
    async fn take_orders(&mut self, open: &OpenOrders) -> Result<()> {
        if Arc::ptr_eq(open, &self.taken) {
            return Ok(());
        }
        let policy = self.parts.policy.current();
        for order in open.difference(&self.taken.clone()) {
            if self.parts.cases.put_order(order).await? {
                self.settle_person(order.subject, &policy).await?;
            }
        }
        self.taken = open.clone();
        Ok(())
    }

    async fn let_pass(&mut self, now: Timestamp) -> Result<()> {
        loop {
            let due = self.parts.cases.due(now, BATCH).await?;
            if due.is_empty() {
                return Ok(());
            }
            let mut alerts = vec![];
            for id in due {
                match self.parts.alerts.own(&id).await? {
                    Some(alert) => alerts.push(alert),
                    None => self.forget(id).await?,
                }
            }
            self.settle_all(&alerts, self.position.revision).await?;
        }
    }

    fn tell(&mut self, went_on: Result<()>, epochs: &LiveEpochs) {
        let status = &epochs.present().status;
        match went_on {
            Ok(()) if self.retry_at.is_none_or(|at| self.parts.clock.now() >= at) => {
                self.retry_at = None;
                status.store("cases", Ok(()));
            }
            Ok(()) => {}
            Err(error) => {
                tracing::error!(%error, "cases could not be written; trying again");
                status.store("cases", Err(error.to_string()));
                self.retry_at = Some(later(self.parts.clock.now(), RETRY));
            }
        }
    }

    async fn next_wake(&self) -> Option<Timestamp> {
        if self.retry_at.is_some() {
            return self.retry_at;
        }
        // Where the store does not say, it is asked again soon.
        let soon = || Some(later(self.parts.clock.now(), RETRY));
        self.parts.cases.next_wake().await.unwrap_or_else(|_| soon())
    }

    /// What the gateway does by itself in these cases, and in others of the same people that it touches.
    async fn settle_all(&mut self, alerts: &[Alert], revision: u64) -> Result<()> {
        let policy = self.parts.policy.current();
        let (mut changes, mut resting, mut people) = (vec![], vec![], vec![]);
        let mut seen = BTreeSet::new();
        for alert in alerts {
            // Cases of one person see each other only once they are written.
            if !seen.insert(alert.subject) {
                continue;
            }
            let mut settled = self.settled(alert, &policy).await?;
            // Of two alerts that came together the second has no case yet.
            if self.parts.alerts.of(&alert.subject).await?.len() > 1 {
                people.push(alert.subject);
                settled.wake_at(self.parts.clock.now());
            }
            match settled {
                Settled::Changes(change) => changes.push(change),
                Settled::Rests(case) => resting.push(case),
            }
        }
        self.parts.cases.rest(&resting, self.position).await?;
        let first = seen.len() == alerts.len();
        let until = if first { revision } else { self.position.revision };
        self.commit(&Actor::Gateway, changes, until, None).await?;
        for subject in people {
            self.settle_person(subject, &policy).await?;
        }
        if !first {
            let position = Position { revision, ..self.position };
            self.parts.cases.rest(&[], position).await?;
            self.position = position;
        }
        Ok(())
    }

    /// The same for every case of one person, until nothing changes any more. Only then is a case at rest
    /// that was to be looked at again: whoever is stopped on the way begins anew.
    pub(super) async fn settle_person(&mut self, subject: Subject, policy: &Policy) -> Result<()> {
        let revision = self.position.revision;
        let mut resting = vec![];
        for left in (0..MANY).rev() {
            let mut changed = false;
            resting.clear();
            for alert in self.parts.alerts.of(&subject).await? {
                match self.settled(&alert, policy).await? {
                    Settled::Changes(mut change) => {
                        changed = true;
                        if left > 0 {
                            change.wake_at = Some(self.parts.clock.now());
                        }
                        self.commit(&Actor::Gateway, vec![change], revision, None).await?;
                    }
                    Settled::Rests(case) => resting.push(case),
                }
            }
            if !changed {
                break;
            }
        }
        // Whoever was woken and found nothing to do is not woken for it again.
        Ok(self.parts.cases.rest(&resting, self.position).await?)
    }

    /// What the gateway does by itself in one case now.
    async fn settled(&self, alert: &Alert, policy: &Policy) -> Result<Settled> {
        let around = self.around(alert, policy).await?;
        let mut case = self.parts.cases.get(&id(alert)).await?;
        let mut events = vec![];
        while let Some(event) = around.next(case.as_ref()) {
            let next = match &case {
                None => Case::begin(&event),
                Some(case) => case.apply(&event, &Actor::Gateway),
            };
            let Ok(next) = next else {
                tracing::error!(alert = alert.id, ?event, "a defect: the event cannot follow");
                break;
            };
            case = Some(next);
            events.push(event);
            if events.len() > MANY {
                tracing::error!(alert = alert.id, "a defect: the case does not come to rest");
                break;
            }
        }
        let (alert, wake_at) = (id(alert), case.as_ref().and_then(|case| around.wake_at(case)));
        Ok(match case {
            Some(case) if !events.is_empty() => {
                Settled::Changes(Change { alert, case, events, wake_at })
            }
            Some(case) => {
                let soon = around.due_soon(&case);
                let notice = |at| notices::due_soon(alert.clone(), &case, at, around.now);
                let due_soon = soon.map(notice);
                Settled::Rests(Resting { alert, wake_at, due_soon })
            }
            None => Settled::Rests(Resting { alert, wake_at, due_soon: None }),
        })
    }

    /// A case whose alert is not there is not looked at again.
    async fn forget(&self, alert: AlertId) -> Result<()> {
        let nothing = Resting { alert, wake_at: None, due_soon: None };
        Ok(self.parts.cases.rest(&[nothing], self.position).await?)
    }

    async fn around<'a>(&self, alert: &'a Alert, policy: &'a Policy) -> Result<Surroundings<'a>> {
        let own = id(alert);
        let cases = self.parts.cases.of(&alert.subject).await?;
        let others = || cases.iter().filter(|(id, _, _)| *id != own);
        let closed =
            others().filter(|(_, rule, case)| *rule == alert.rule && case.stage == Stage::Closed);
        let suppressed_until = closed.filter_map(|(_, _, case)| case.until).max();
        let begun = |stage: Stage| {
            stage.is_open() && !matches!(stage, Stage::Pending | Stage::Suppressed | Stage::New)
        };
        let other = others().find(|(_, _, case)| begun(case.stage)).map(|(id, _, _)| id.clone());
        Ok(Surroundings {
            now: self.parts.clock.now(),
            terms: &policy.cases,
            rule: &alert.rule,
            alert: alert.state,
            region: alert.region.parse().unwrap_or_default(),
            suppressed_until,
            other,
            orders: self.parts.cases.new_orders(&alert.subject).await?,
        })
    }

    /// Logs what happens, and then writes it with how far the desk has come; the index of the first
    /// entry.
    pub(super) async fn commit(
        &mut self,
        by: &Actor,
        changes: Vec<Change>,
        revision: u64,
        alongside: Option<&dyn Alongside>,
    ) -> Result<Option<u64>> {
        if changes.is_empty() {
            if revision != self.position.revision {
                let position = Position { revision, ..self.position };
                self.parts.cases.rest(&[], position).await?;
                self.position = position;
            }
            return Ok(None);
        }
        let logged = self.parts.recorder.open(by, Unlogged::seal(Changes(changes))).await?;
        let position = Position { revision, entries: logged.entries().end };
        let now = self.parts.clock.now();
        if let Err(error) = self.parts.cases.write(&logged, (by, now), position, alongside).await {
            self.parts.recorder.failed(logged.entries()).await;
            return Err(error.into());
        }
        self.position = position;
        Ok(Some(logged.index()))
    }

    pub(super) fn revision(&self) -> u64 {
        self.position.revision
    }
}
