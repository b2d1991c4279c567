//! The gateway's stages in their order: what arrives changes the base; rules run over it; what
//! they come to moves alerts; changed alerts are written; only then is anybody told.
//!
//! The one task that owns the base. Stages do not call each other; this file does.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use proto::{scope::Scope, subject::Subject};
use tokio::{
    sync::{mpsc, watch},
    task::block_in_place,
};

use crate::{
    alert::{Alert, DatedFinding, Moment, State},
    alerts::{Alerts, AlertsError},
    base::Base,
    clock::{Clock, later},
    dry_run::{self, Question},
    explanation::{Finding, explain},
    facts::Facts,
    link::Arrival,
    outcomes::{self, Outcome, Outcomes},
    policy::Policy,
    policy_in_force::PolicyInForce,
    rows::{Rows, RowsError},
    rule::Rule,
    status::StatusBoard,
};

/// An unknown that lasts less than this is not told to anybody: data and grants arrive one after
/// another when adapters connect.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// How long after the start a rule may wait for a dataset that was never received.
const FIRST_ARRIVALS: Duration = Duration::from_secs(120);
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
    /// The last alert of every subject and rule.
    ledger: HashMap<(Subject, String), Alert>,
    /// Since when an unknown decides, where nobody was told yet.
    unknown_since: HashMap<(Subject, String), Timestamp>,
    revision: watch::Sender<u64>,
    started: Timestamp,
    retry_at: Option<Timestamp>,
    /// When to open rows again that a failing store did not give.
    reopen_at: Option<Timestamp>,
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
        let base = Base::new(&stages.scope, policy.catalogue.clone(), &stages.rows)?;
        let started = stages.clock.now();
        let key = |alert: &Alert| (alert.subject, alert.rule.clone());
        let mut pipeline = Self {
            stages,
            policy,
            generation,
            base,
            ledger: latest.into_iter().map(|alert| (key(&alert), alert)).collect(),
            unknown_since: HashMap::new(),
            revision,
            started,
            retry_at: None,
            reopen_at: None,
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
        self.record_policy().await;
        loop {
            let wake = self.next_wake();
            tokio::select! {
                arrival = arrivals.recv() => {
                    let Some(arrival) = arrival else { return };
                    self.adopt_policy().await;
                    self.take(arrival);
                    while let Ok(arrival) = arrivals.try_recv() {
                        self.take(arrival);
                    }
                }
                Some(question) = questions.recv() => {
                    self.answer(question);
                    continue;
                }
                () = policies.changed() => self.adopt_policy().await,
                () = self.stages.clock.reach(wake) => {}
            }
            self.reopen();
            self.evaluate().await;
        }
    }

    /// Opens again what a failing store did not give, when it is time to try.
    fn reopen(&mut self) {
        let now = self.stages.clock.now();
        if self.reopen_at.is_none_or(|at| now < at) {
            return;
        }
        let (base, rows) = (&mut self.base, &self.stages.rows);
        let opened = block_in_place(|| base.reopen_all(rows));
        self.reopen_at = opened.is_err().then(|| later(now, RETRY));
        self.stages.status.store("sealed rows", opened.map_err(|error| error.to_string()));
    }

    /// Subjects with live alerts are part of the base before anybody releases them: an unknown
    /// must find them there.
    fn meet_the_alerted(&mut self) {
        let live = self.ledger.values().filter(|alert| alert.state != State::Withdrawn);
        let subjects: Vec<Subject> = live.map(|alert| alert.subject).collect();
        for subject in subjects {
            self.base.intern(subject);
        }
    }

    async fn adopt_policy(&mut self) {
        let (policy, generation) = self.stages.policy.current_with_generation();
        if policy.version == self.policy.version {
            return;
        }
        self.policy = policy;
        if generation != self.generation {
            let catalogue = self.policy.catalogue.clone();
            match Base::new(&self.stages.scope, catalogue, &self.stages.rows) {
                Ok(base) => self.base = base,
                Err(error) => {
                    self.stages.status.store("sealed rows", Err(error.to_string()));
                    return;
                }
            }
            self.generation = generation;
            self.unknown_since.clear();
            self.meet_the_alerted();
        }
        self.record_policy().await;
    }

    async fn record_policy(&mut self) {
        let (policy, now) = (self.policy.clone(), self.stages.clock.now());
        let result = self.stages.alerts.policy_in_force(policy.version, &policy.text, now).await;
        self.stages.status.store("alerts", result.map_err(|error| error.to_string()));
    }

    /// First stage: what arrived changes the base.
    fn take(&mut self, arrival: Arrival) {
        let (base, rows) = (&mut self.base, &self.stages.rows);
        let (dataset, result) = match arrival {
            // A stream that was opened under another catalogue; another follows.
            Arrival::Release { generation, .. } if generation != self.generation => return,
            Arrival::Release { release, .. } => {
                let result = block_in_place(|| base.release(&release, rows));
                (release.header().dataset.clone(), result)
            }
            Arrival::Rows { dataset, changed, as_of } => {
                let result = block_in_place(|| base.rows_changed(&dataset, &changed, as_of, rows));
                (dataset, result)
            }
        };
        if let Err(error) = result {
            tracing::error!(%dataset, %error, "what arrived could not be opened");
            self.stages.status.store("sealed rows", Err(error.to_string()));
            self.reopen_at = Some(later(self.stages.clock.now(), RETRY));
        }
        let (listed, unopenable) = (base.listed(&dataset), base.unopenable(&dataset));
        self.stages.status.dataset(&dataset, |line| {
            if listed > 0 {
                line.rows = listed as u64;
            }
            line.unopenable = unopenable as u64;
        });
    }

    /// Second to fourth stage: rules run, alerts move, changes are written and then told.
    async fn evaluate(&mut self) {
        let now = self.stages.clock.now();
        if self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        let mut changes = block_in_place(|| self.changes(now));
        self.retry_at = None;
        if changes.is_empty() {
            return;
        }
        let mut revision = *self.revision.borrow();
        for alert in &mut changes {
            revision += 1;
            alert.revision = revision;
        }
        match self.stages.alerts.write(&changes).await {
            Ok(()) => {
                tracing::info!(changed = changes.len(), revision, "alerts changed");
                self.stages.status.store("alerts", Ok(()));
                for alert in changes {
                    self.ledger.insert((alert.subject, alert.rule.clone()), alert);
                }
                self.revision.send_replace(revision);
            }
            Err(error) => {
                tracing::error!(%error, "alerts could not be written; trying again");
                self.stages.status.store("alerts", Err(error.to_string()));
                self.retry_at = Some(later(now, RETRY));
            }
        }
    }

    fn changes(&mut self, now: Timestamp) -> Vec<Alert> {
        self.base.lay_out();
        let policy = self.policy.clone();
        let mut unknown_since = std::mem::take(&mut self.unknown_since);
        let mut still_unknown = HashMap::new();
        let facts = self.base.facts(now);
        let mut changes = vec![];
        for rule in &policy.rules {
            let outcomes = outcomes::evaluate(rule, &facts);
            let moment = Moment { now, rule, pending_deadline: policy.pending_deadline };
            for number in self.concerned(rule, &outcomes) {
                let subject = self.base.subject(number);
                let key = (subject, rule.id.clone());
                let outcome = self.of_the_base(number, outcomes.outcome(number as usize), now);
                let alert = self.ledger.get(&key);
                let next = moment.next(alert, outcome);
                if outcome == Outcome::Pending && next == Some(State::Pending) {
                    let since = *unknown_since.entry(key.clone()).or_insert(now);
                    if now < later(since, UNKNOWN_FOR) || !self.is_settled(rule, now) {
                        still_unknown.insert(key, since);
                        continue;
                    }
                }
                changes.extend(self.changed(&moment, number, alert, next, &facts));
            }
        }
        drop(facts);
        self.unknown_since = still_unknown;
        changes
    }

    /// Subjects whose alert for a rule might change.
    fn concerned(&self, rule: &Rule, outcomes: &Outcomes) -> Vec<u32> {
        let live = |number: &u32| {
            let key = (self.base.subject(*number), rule.id.clone());
            self.ledger.get(&key).is_some_and(|alert| alert.state != State::Withdrawn)
        };
        let everybody = u32::try_from(self.base.len()).expect("subjects are numbered by u32");
        (0..everybody)
            .filter(|number| {
                let outcome = outcomes.outcome(*number as usize);
                matches!(outcome, Outcome::Alert | Outcome::Pending) || live(number)
            })
            .collect()
    }

    /// Rules are about the base. Of a subject whom no category lists nothing follows once all of
    /// them have been heard; until then nothing is known.
    fn of_the_base(&self, number: u32, outcome: Outcome, now: Timestamp) -> Outcome {
        let says = matches!(outcome, Outcome::Alert | Outcome::Pending | Outcome::Held);
        if !says || self.base.is_listed(number) {
            outcome
        } else if self.base.knows_everybody(now) {
            Outcome::None
        } else {
            Outcome::Held
        }
    }

    /// The alert as it must be now, where that differs from how it stands.
    fn changed(
        &self,
        moment: &Moment<'_>,
        number: u32,
        alert: Option<&Alert>,
        next: Option<State>,
        facts: &Facts<'_>,
    ) -> Option<Alert> {
        let region = match self.base.region(number) {
            0 => alert.map(|alert| alert.region.clone()).unwrap_or_default(),
            region => format!("{region:012}"),
        };
        let live = alert.filter(|alert| alert.state != State::Withdrawn);
        let state = match (next, live) {
            (Some(state), _) => state,
            (None, Some(live)) if live.region != region => {
                let moved = Alert { region, changed_at: moment.now, ..live.clone() };
                return Some(moved);
            }
            (None, _) => return None,
        };
        let findings = explain(moment.rule, facts, number as usize).into_iter();
        let findings = findings.map(|finding| self.dated(finding)).collect();
        let subject = self.base.subject(number);
        Some(moment.advance(alert, subject, state, region, findings))
    }

    fn dated(&self, finding: Finding) -> DatedFinding {
        let dataset = &self.policy.catalogue.datasets[finding.dataset];
        DatedFinding {
            part: finding.part,
            predicate: finding.predicate,
            truth: finding.truth,
            dataset: dataset.schema.dataset.clone(),
            agency: dataset.agency.clone(),
            label: dataset.label.clone(),
            as_of: self.base.as_of(finding.dataset),
        }
    }

    /// Whether everything a rule reads has arrived at least once, or has had time to.
    fn is_settled(&self, rule: &Rule, now: Timestamp) -> bool {
        let received = |number: usize| self.base.as_of(number).is_some();
        now >= later(self.started, FIRST_ARRIVALS) || rule.datasets().into_iter().all(received)
    }

    /// When something changes although nothing arrives.
    fn next_wake(&self) -> Option<Timestamp> {
        let now = self.stages.clock.now();
        let unknown = self.unknown_since.values().map(|since| later(*since, UNKNOWN_FOR)).min();
        let settled = (!self.unknown_since.is_empty()).then(|| later(self.started, FIRST_ARRIVALS));
        let pending = self.ledger.values().filter(|alert| alert.state == State::Pending);
        let due = pending.map(|alert| alert.due_at).min();
        let times =
            [unknown, settled, due, self.base.next_stale(now), self.retry_at, self.reopen_at];
        times.into_iter().flatten().filter(|at| *at > now).min()
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
