//! The gateway's stages in their order: what arrives changes the base; rules run over it; what
//! they come to moves alerts; changed alerts are written; only then is anybody told.
//!
//! The one task that owns the base. Stages do not call each other; this file does.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use proto::{name::DatasetId, scope::Scope};
use tokio::{
    sync::{mpsc, watch},
    task::block_in_place,
};

use crate::{
    alert::{Alert, State},
    alerts::{Alerts, AlertsError},
    base::Base,
    clock::{Clock, later},
    dry_run::{self, Question},
    evaluation::{Evaluation, FIRST_ARRIVALS, UNKNOWN_FOR, Waits},
    ledger::Ledger,
    link::Arrival,
    policy::Policy,
    policy_in_force::PolicyInForce,
    rows::{Rows, RowsError},
    status::StatusBoard,
};

/// How long until a store that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// What the pipeline works with.
pub struct Stages {
    /// The federation's scope.
    pub scope: Scope,
    /// Sealed rows.
    pub rows: Rows,
    /// Alerts and policy history.
    pub alerts: Alerts,
    /// What people are shown.
    pub status: Arc<StatusBoard>,
    /// The policy.
    pub policy: Arc<PolicyInForce>,
    /// The time.
    pub clock: Clock,
}

/// The pipeline, ready to run.
pub struct Pipeline {
    stages: Stages,
    policy: Arc<Policy>,
    generation: u64,
    base: Base,
    ledger: Ledger,
    waits: Waits,
    revision: watch::Sender<u64>,
    /// When the base began to be filled.
    begun: Timestamp,
    /// When the last evaluation began.
    evaluated: Timestamp,
    /// Whether the policy history has the policy.
    recorded: bool,
    /// When alerts are written again after the store failed.
    retry_at: Option<Timestamp>,
    /// When sealed rows are read again after the store failed.
    read_again_at: Option<Timestamp>,
}

/// Why the pipeline cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Sealed rows.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// Alerts.
    #[error(transparent)]
    Alerts(#[from] AlertsError),
}

impl Pipeline {
    /// Reads the alerts there are; the base is empty until adapters release subjects.
    ///
    /// # Errors
    /// [`StartError`] where a store does not answer.
    pub async fn new(stages: Stages) -> Result<Self, StartError> {
        let (policy, generation) = stages.policy.current_with_generation();
        let latest = stages.alerts.latest().await?;
        let revision = watch::channel(stages.alerts.revision().await?).0;
        let mut base = Base::new(&stages.scope, policy.catalogue.clone());
        base.catch_up(&stages.rows)?;
        let mut ledger = Ledger::default();
        latest.into_iter().for_each(|alert| ledger.put(alert));
        let mut pipeline = Self {
            begun: stages.clock.now(),
            evaluated: Timestamp::MIN,
            stages,
            policy,
            generation,
            base,
            ledger,
            waits: Waits::new(),
            revision,
            recorded: false,
            retry_at: None,
            read_again_at: None,
        };
        pipeline.meet_the_alerted();
        Ok(pipeline)
    }

    /// The revision of the last alert that was written.
    pub fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Runs until the senders are gone.
    pub async fn run(
        mut self,
        mut arrivals: mpsc::Receiver<Arrival>,
        mut questions: mpsc::Receiver<Question>,
    ) {
        let mut policies = self.stages.policy.subscribe();
        self.adopt_policy();
        // A deadline may have passed while nobody was running.
        self.evaluate().await;
        loop {
            let wake = self.next_wake();
            tokio::select! {
                arrival = arrivals.recv() => {
                    let Some(arrival) = arrival else { return };
                    self.take(arrival);
                    while let Ok(arrival) = arrivals.try_recv() {
                        self.take(arrival);
                    }
                }
                Some(question) = questions.recv() => {
                    self.answer(question);
                    continue;
                }
                () = policies.changed() => self.adopt_policy(),
                () = self.stages.clock.reach(wake) => {}
            }
            self.evaluate().await;
        }
    }

    /// Subjects with live alerts are part of the base before anybody releases them: an unknown
    /// must find them there.
    fn meet_the_alerted(&mut self) {
        for alert in self.ledger.live() {
            self.base.intern(alert.subject);
        }
    }

    /// Takes over whatever policy is in force now. Under another catalogue the base begins anew,
    /// also where the policy is one that was in force before: links release everything again.
    fn adopt_policy(&mut self) {
        let (policy, generation) = self.stages.policy.current_with_generation();
        self.recorded &= policy.version == self.policy.version;
        self.policy = policy;
        if generation != self.generation {
            self.generation = generation;
            self.base = Base::new(&self.stages.scope, self.policy.catalogue.clone());
            self.begun = self.stages.clock.now();
            self.waits.clear();
            self.meet_the_alerted();
            self.catch_up();
        }
    }

    /// Reads sealed rows that the store did not give before.
    fn catch_up(&mut self) {
        let (base, rows) = (&mut self.base, &self.stages.rows);
        let result = block_in_place(|| base.catch_up(rows));
        self.rows_read(result);
        self.show_all();
    }

    fn rows_read(&mut self, result: Result<(), RowsError>) {
        self.read_again_at = None;
        if let Err(error) = &result {
            tracing::error!(%error, "sealed rows could not be read; trying again");
        }
        if self.base.is_behind() {
            self.read_again_at = Some(later(self.stages.clock.now(), RETRY));
        }
        let result = result.map_err(|error| error.to_string());
        self.stages.status.store("reading sealed rows", result);
    }

    /// Puts on the board what the base has of a dataset.
    fn show(&self, dataset: &DatasetId) {
        let Some(number) = self.base.catalogue().number(dataset) else { return };
        let (as_of, listed) = (self.base.as_of(number), self.base.listed(dataset));
        let unopenable = self.base.unopenable(dataset);
        self.stages.status.dataset(dataset, |line| {
            line.as_of = as_of;
            line.unopenable = unopenable as u64;
            if let Some(listed) = listed {
                line.rows = listed as u64;
            }
        });
    }

    /// First stage: what arrived changes the base.
    fn take(&mut self, arrival: Arrival) {
        // What arrives may belong to a policy that came into force this moment.
        self.adopt_policy();
        let (base, rows) = (&mut self.base, &self.stages.rows);
        let result = match arrival {
            // A stream that was opened under another catalogue; another follows.
            Arrival::Release { generation, .. } if generation != self.generation => return,
            Arrival::Release { release, .. } => block_in_place(|| base.release(&release, rows)),
            Arrival::Rows { dataset, changed } => {
                block_in_place(|| base.rows_changed(&dataset, &changed, rows))
            }
        };
        if result.is_err() || !self.base.is_behind() {
            self.rows_read(result);
        }
        // A release opens rows of every line that it brings secrets for.
        self.show_all();
    }

    fn show_all(&self) {
        let catalogue = self.base.catalogue();
        catalogue.datasets.iter().for_each(|dataset| self.show(&dataset.schema.dataset));
    }

    async fn record_policy(&mut self) {
        if self.recorded {
            return;
        }
        let (policy, now) = (self.policy.clone(), self.stages.clock.now());
        match self.stages.alerts.policy_in_force(policy.version, &policy.text, now).await {
            Ok(()) => self.recorded = true,
            Err(error) => self.alerts_failed(&error),
        }
    }

    fn alerts_failed(&mut self, error: &AlertsError) {
        tracing::error!(%error, "alerts could not be written; trying again");
        self.stages.status.store("alerts", Err(error.to_string()));
        self.retry_at = Some(later(self.stages.clock.now(), RETRY));
    }

    /// Second to fourth stage: rules run, alerts move, changes are written and then told.
    async fn evaluate(&mut self) {
        let now = self.stages.clock.now();
        if self.read_again_at.is_some_and(|at| now >= at) {
            self.catch_up();
        }
        if self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        (self.retry_at, self.evaluated) = (None, now);
        self.record_policy().await;
        let changes = block_in_place(|| self.changes(now));
        if !changes.is_empty() {
            self.write(changes).await;
        }
        if self.retry_at.is_none() {
            self.stages.status.store("alerts", Ok(()));
        }
    }

    async fn write(&mut self, mut changes: Vec<Alert>) {
        let mut revision = *self.revision.borrow();
        for alert in &mut changes {
            revision += 1;
            alert.revision = revision;
        }
        match self.stages.alerts.write(&changes).await {
            Ok(()) => {
                tracing::info!(changed = changes.len(), revision, "alerts changed");
                changes.into_iter().for_each(|alert| self.ledger.put(alert));
                self.revision.send_replace(revision);
            }
            Err(error) => self.alerts_failed(&error),
        }
    }

    fn changes(&mut self, now: Timestamp) -> Vec<Alert> {
        self.base.lay_out();
        let evaluation = Evaluation {
            base: &self.base,
            policy: &self.policy,
            ledger: &self.ledger,
            begun: self.begun,
            now,
        };
        evaluation.changes(&mut self.waits)
    }

    /// When something changes although nothing arrives.
    fn next_wake(&self) -> Option<Timestamp> {
        if self.retry_at.is_some() {
            return self.retry_at;
        }
        // What came to pass since the last evaluation began was not looked at in it.
        let looked = self.evaluated;
        let waits = self.waits.values().flat_map(|subjects| subjects.values());
        let unknown = waits.map(|since| later(*since, UNKNOWN_FOR)).filter(|at| *at > looked).min();
        let settled = (!self.waits.is_empty()).then(|| later(self.begun, FIRST_ARRIVALS));
        let pending = self.ledger.live().filter(|alert| alert.state == State::Pending);
        let due = pending.map(|alert| alert.due_at).filter(|at| *at > looked).min();
        let stale = self.base.next_stale(looked);
        let times = [unknown, settled, due, stale, self.read_again_at];
        times.into_iter().flatten().filter(|at| *at > looked).min()
    }

    fn answer(&mut self, question: Question) {
        if question.generation != self.generation {
            return;
        }
        self.base.lay_out();
        let now = self.stages.clock.now();
        let counts = block_in_place(|| dry_run::count(&self.base, &question, now));
        // Whoever asked may have gone away.
        let _ = question.answer.send(counts);
    }
}
