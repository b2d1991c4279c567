//! The gateway's stages in their order: what arrives changes the base; rules run over it; what
//! they come to moves alerts; the access log says so; changed alerts are written; only then is anybody
//! told.
//!
//! A crash between the log and the store: the changes logged were never written nor told. The rules
//! run again, the changes are logged again under the same revisions, and the entry of the start
//! between the two says up to which revision the store had come.
//!
//! The one task that owns the base. Stages do not call each other; this file does.

use jiff::Timestamp;
use proto::entry::Actor;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::block_in_place,
};

use crate::{
    alert::Alert,
    alert_acts::{EpochChange, Run},
    alerts::{Alerts, AlertsError},
    audit::{
        logged::{Logged, Told, Unlogged},
        recorder::Recorder,
    },
    clock::later,
    evaluation::{Evaluation, FIRST_ARRIVALS},
    filling::{Contents, Filling, RETRY},
    hotline::open_orders::{OpenOrders, OrderBoard},
    inquiry::Inquiry,
    ledger::Ledger,
    link::Arrival,
    question::Question,
    standing::Standing,
    successors::{self, Successors},
};

/// So many more arrivals at the most are taken in before the rules run.
const AT_ONCE: usize = 16;

/// What the pipeline is told when an epoch follows another.
pub enum Order {
    /// Say who must be asked for whose successors.
    Inquire(oneshot::Sender<Vec<Inquiry>>),
    /// Go on in the next epoch.
    Follow(Box<Handover>),
}

/// The next epoch, ready to be evaluated.
pub struct Handover {
    /// Its number.
    pub epoch: u32,
    /// Its base, filled.
    pub filling: Filling,
    /// Who succeeds whom.
    pub successors: Successors,
    /// Whether not to wait for agencies that did not answer.
    pub anyway: bool,
    /// Gives the base back where the present epoch goes on.
    pub answer: oneshot::Sender<Result<(), Box<Filling>>>,
}

/// The pipeline, ready to run.
pub struct Pipeline {
    epoch: u32,
    filling: Filling,
    alerts: Alerts,
    recorder: Recorder,
    ledger: Ledger,
    standing: Standing,
    /// Told what work orders are open.
    orders: OrderBoard,
    revision: watch::Sender<u64>,
    /// When the last evaluation began.
    evaluated: Timestamp,
    /// The version of the policy that the policy history has.
    recorded: Option<[u8; 32]>,
    /// When alerts are written again after the store failed.
    retry_at: Option<Timestamp>,
}

impl Pipeline {
    /// Reads the alerts there are; the base is empty until adapters release subjects.
    ///
    /// # Errors
    /// [`AlertsError`] where the store does not answer.
    pub async fn new(
        filling: Filling,
        alerts: Alerts,
        recorder: Recorder,
    ) -> Result<Self, AlertsError> {
        let epoch = filling.supply().scope.epoch;
        let mut ledger = Ledger::default();
        alerts.latest(epoch).await?.into_iter().for_each(|alert| ledger.put(alert));
        let revision = watch::channel(alerts.revision().await?).0;
        let mut pipeline = Self {
            epoch,
            filling,
            alerts,
            recorder,
            ledger,
            standing: Standing::default(),
            orders: OrderBoard::default(),
            revision,
            evaluated: Timestamp::MIN,
            recorded: None,
            retry_at: None,
        };
        pipeline.meet_the_alerted();
        Ok(pipeline)
    }

    /// The revision of the last alert that was written.
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// The work orders that are open.
    pub fn orders(&self) -> watch::Receiver<OpenOrders> {
        self.orders.subscribe()
    }

    /// What the base has.
    pub fn contents(&self) -> watch::Receiver<Contents> {
        self.filling.contents()
    }

    /// Runs until nobody can send arrivals any more.
    pub async fn run(
        mut self,
        mut questions: mpsc::Receiver<Question>,
        mut orders: mpsc::Receiver<Order>,
    ) {
        let mut policies = self.filling.supply().policy.subscribe();
        self.adopt_policy();
        // A deadline may have passed while nobody was running.
        self.evaluate().await;
        loop {
            let (wake, clock) = (self.next_wake(), self.filling.supply().clock.clone());
            tokio::select! {
                arrival = self.filling.arrival() => {
                    let Some(arrival) = arrival else { return };
                    self.take(arrival);
                    // Whoever sends without end must not keep alerts from being raised.
                    for _ in 0..AT_ONCE {
                        let Some(arrival) = self.filling.waiting_arrival() else { break };
                        self.take(arrival);
                    }
                }
                Some(question) = questions.recv() => {
                    self.answer(question);
                    continue;
                }
                Some(order) = orders.recv() => match order {
                    Order::Inquire(answer) => {
                        // Whoever asked may have gone away.
                        let _ = answer.send(successors::inquiries(self.filling.base(), &self.ledger));
                        continue;
                    }
                    Order::Follow(handover) => self.follow(*handover).await,
                },
                () = policies.changed() => self.adopt_policy(),
                () = clock.reach(wake) => {}
            }
            self.evaluate().await;
            // After what it raises: an order then finds the alert that it belongs to.
            self.orders.show(self.filling.base());
        }
    }

    /// Subjects with live alerts are part of the base before anybody releases them: an unknown
    /// must find them there.
    fn meet_the_alerted(&mut self) {
        self.filling.meet(self.ledger.live().map(|alert| alert.subject));
    }

    fn adopt_policy(&mut self) {
        if self.filling.adopt_policy() {
            self.begin_anew();
        }
    }

    fn begin_anew(&mut self) {
        self.standing.begin_anew();
        self.meet_the_alerted();
    }

    /// First stage: what arrived changes the base.
    fn take(&mut self, arrival: Arrival) {
        if self.filling.take(arrival) {
            self.begin_anew();
        }
    }

    /// The next epoch takes the present one's place, in the store and then here; or nothing does.
    /// A crash before the commit leaves the present epoch as it was, one after it finds the next.
    async fn follow(&mut self, handover: Handover) {
        let Handover { epoch, mut filling, successors, anyway, answer } = handover;
        filling.adopt_policy();
        let asked = successors.open(successors::inquiries(self.filling.base(), &self.ledger));
        let current = filling.generation() == self.filling.generation();
        let settled = current && asked.is_empty();
        if !anyway && !settled {
            let _ = answer.send(Err(Box::new(filling)));
            return;
        }
        let now = filling.supply().clock.now();
        let successors = successors.settled(&self.ledger, filling.base());
        let mut changes =
            successors::continued(&self.ledger, &successors, (epoch, filling.policy()), now);
        let revision = self.number(&mut changes);
        let change = EpochChange { from: self.epoch, to: epoch, changed: changes };
        let Some(change) = self.change_epoch(change, now).await else {
            let _ = answer.send(Err(Box::new(filling)));
            return;
        };
        let mut changes = change.changed;
        let behind = changes.iter().filter(|alert| alert.epoch != epoch).count();
        tracing::info!(
            epoch,
            alerts = changes.len(),
            behind,
            revision,
            "the next epoch is in force"
        );
        self.ledger = Ledger::default();
        changes.retain(|alert| alert.epoch == epoch);
        changes.into_iter().for_each(|alert| self.ledger.put(alert));
        (self.epoch, self.filling) = (epoch, filling);
        self.begin_anew();
        self.revision.send_replace(revision);
        let _ = answer.send(Ok(()));
    }

    /// Logs and writes a change of epoch; gives it back where both was done.
    async fn change_epoch(&mut self, change: EpochChange, now: Timestamp) -> Option<EpochChange> {
        let change = self.log(change).await?;
        if let Err(error) = self.alerts.change_epoch(&change, now).await {
            self.recorder.failed(change.entries()).await;
            self.alerts_failed(&error);
            return None;
        }
        Some(change.into_what())
    }

    async fn log<T: Told>(&mut self, what: T) -> Option<Logged<T>> {
        match self.recorder.open(&Actor::Gateway, Unlogged::seal(what)).await {
            Ok(logged) => Some(logged),
            Err(error) => {
                self.alerts_failed(&error);
                None
            }
        }
    }

    async fn record_policy(&mut self) {
        let (policy, now) = (self.filling.policy().clone(), self.filling.supply().clock.now());
        if self.recorded == Some(policy.version) {
            return;
        }
        match self.alerts.policy_in_force(policy.version, &policy.text, now).await {
            Ok(()) => self.recorded = Some(policy.version),
            Err(error) => self.alerts_failed(&error),
        }
    }

    fn alerts_failed(&mut self, error: &impl std::error::Error) {
        // What was found and not written is found again.
        self.standing.forget();
        tracing::error!(%error, "alerts could not be written; trying again");
        let supply = self.filling.supply();
        supply.status.store("alerts", Err(error.to_string()));
        self.retry_at = Some(later(supply.clock.now(), RETRY));
    }

    /// Second to fourth stage: rules run, alerts move, changes are written and then told.
    async fn evaluate(&mut self) {
        let now = self.filling.supply().clock.now();
        if self.filling.read_again_at().is_some_and(|at| now >= at) {
            self.filling.catch_up();
        }
        if self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        (self.retry_at, self.evaluated) = (None, now);
        self.record_policy().await;
        let changes = block_in_place(|| self.changes(now));
        self.write(changes).await;
        if self.retry_at.is_none() {
            self.filling.supply().status.store("alerts", Ok(()));
        }
    }

    async fn write(&mut self, mut changes: Vec<Alert>) {
        let revision = self.number(&mut changes);
        let run = Run {
            policy: self.filling.policy().version,
            epoch: self.epoch,
            subjects: self.filling.base().met() as u64,
            changed: changes,
        };
        let Some(run) = self.log(run).await else { return };
        if run.what().changed.is_empty() {
            return;
        }
        match self.alerts.write(&run).await {
            Ok(()) => {
                let changes = run.into_what().changed;
                tracing::info!(changed = changes.len(), revision, "alerts changed");
                changes.into_iter().for_each(|alert| self.ledger.put(alert));
                self.revision.send_replace(revision);
            }
            Err(error) => {
                self.recorder.failed(run.entries()).await;
                self.alerts_failed(&error);
            }
        }
    }

    /// Gives every change the revision that it is told under; the last of them.
    fn number(&self, changes: &mut [Alert]) -> u64 {
        let mut revision = *self.revision.borrow();
        for alert in changes {
            revision += 1;
            alert.revision = revision;
        }
        revision
    }

    fn changes(&mut self, now: Timestamp) -> Vec<Alert> {
        let touched = self.filling.take_touched();
        let evaluation = Evaluation {
            base: self.filling.base(),
            policy: self.filling.policy(),
            routing: &self.filling.supply().routing,
            ledger: &self.ledger,
            epoch: self.epoch,
            begun: self.filling.begun(),
            now,
        };
        evaluation.changes(&mut self.standing, &touched)
    }

    /// When something changes although nothing arrives.
    fn next_wake(&self) -> Option<Timestamp> {
        if self.retry_at.is_some() {
            return self.retry_at;
        }
        // What came to pass since the last evaluation began was not looked at in it.
        let looked = self.evaluated;
        let waits = || self.standing.stands().map(|stand| &stand.waits);
        let unknown = waits().filter_map(|waits| waits.next_over(looked)).min();
        let waiting = waits().any(|waits| !waits.is_empty());
        let settled = waiting.then(|| later(self.filling.begun(), FIRST_ARRIVALS));
        let due = self.ledger.next_deadline(looked);
        let stale = self.filling.base().next_stale(looked);
        let times = [unknown, settled, due, stale, self.filling.read_again_at()];
        times.into_iter().flatten().filter(|at| *at > looked).min()
    }

    fn answer(&mut self, question: Question) {
        if question.generation() == self.filling.generation() {
            let (base, now) = (self.filling.base(), self.filling.supply().clock.now());
            block_in_place(|| question.put(base, now));
        }
    }
}
