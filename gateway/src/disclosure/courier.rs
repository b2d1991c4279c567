//! Carries what is approved to the agency that knows the person, and brings its answer back (PROTOCOL.md
//! section 21.1).
//!
//! Owns the disclosures while they are under way: each waits for witnesses and for its agency by itself, and
//! holds nobody up. What was under way when the gateway stopped is found in the store and goes on. Every
//! change is logged, then written, one at a time; what becomes part of the case is written with the case.

use std::{collections::HashMap, sync::Arc, time::Duration};

use proto::{
    act::Act,
    case_event::CaseEvent,
    disclosure::{Application, DisclosureAnswer},
    disclosure_request::{DisclosureId, DisclosureRequest},
    entry::Actor,
    fault::{Reason, reason_of},
    log_proof::LogProof,
    wire::{self, discloser_service_client::DiscloserServiceClient},
};
use tokio::{
    sync::{Mutex, MutexGuard, Notify},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tonic::Status;

use super::{
    disclosures::Disclosures,
    stage::{Disclosure, Stage},
};
use crate::{
    audit::recorder::Recorder,
    case::{cases::Cases, requests::Requests},
    clock::Clock,
    connections::Connections,
    follow,
    refusal::Refusal,
};

/// An adapter reads its source again for each.
const DEADLINE: Duration = Duration::from_secs(60);
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The answer, or why there is none.
type Said = Result<wire::DiscloseResponse, Reason>;

/// The courier.
pub struct Courier {
    /// The disclosures.
    pub store: Disclosures,
    /// The cases that they are about.
    pub cases: Cases,
    /// To the desk.
    pub requests: Requests,
    /// Writes down every step.
    pub recorder: Recorder,
    /// The time.
    pub clock: Clock,
    connections: Arc<Connections>,
    /// Whoever changes a disclosure has it.
    changing: Mutex<()>,
    news: Notify,
}

impl Courier {
    /// Nothing is carried before [`Courier::run`].
    pub fn new(
        store: Disclosures,
        (cases, requests): (Cases, Requests),
        recorder: Recorder,
        clock: Clock,
        connections: Arc<Connections>,
    ) -> Self {
        let (changing, news) = (Mutex::default(), Notify::new());
        Self { store, cases, requests, recorder, clock, connections, changing, news }
    }

    /// To change a disclosure: what was read in one's turn is so until it is written.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Logs a step and then writes what it leads to; the index of its entry. Only in one's turn.
    ///
    /// # Errors
    /// [`Refusal::Store`]: the step was not taken.
    pub async fn settle(
        &self,
        by: &Actor,
        act: Act,
        disclosure: &Disclosure,
    ) -> Result<u64, Refusal> {
        let index = self.recorder.record(by, act).await?;
        if let Err(error) = self.store.put(disclosure).await {
            self.recorder.failed(index..index + 1).await;
            return Err(error.into());
        }
        self.news.notify_one();
        Ok(index)
    }

    /// The same of a step that becomes part of the case: either both are written, or neither.
    ///
    /// # Errors
    /// [`Refusal`]: the step was not taken. [`Refusal::NotPossible`], where the case is not in hand any
    /// more.
    pub async fn settle_in_case(
        &self,
        by: &Actor,
        (act, event): (Act, CaseEvent),
        disclosure: Disclosure,
    ) -> Result<u64, Refusal> {
        let index = self.recorder.record(by, act).await?;
        let alert = disclosure.request().alert.clone();
        let taken = self.requests.event(by.clone(), alert, event, Box::new(disclosure)).await;
        if let Err(refusal) = taken {
            self.recorder.failed(index..index + 1).await;
            return Err(refusal);
        }
        self.news.notify_one();
        Ok(index)
    }

    /// Whether who asked still has the case, so that an answer would become part of it.
    ///
    /// # Errors
    /// [`Refusal::Store`].
    pub async fn is_theirs(&self, request: &DisclosureRequest) -> Result<bool, Refusal> {
        let case = self.cases.get(&request.alert).await?;
        let disclosed = disclosed(request);
        Ok(case.is_some_and(|case| case.apply(&disclosed, &Actor::Gateway).is_ok()))
    }

    /// Carries, for ever.
    ///
    /// # Errors
    /// None.
    pub async fn run(self: Arc<Self>) -> anyhow::Result<()> {
        let (mut tasks, mut under_way) = (JoinSet::new(), HashMap::new());
        loop {
            let again = self.look(&mut tasks, &mut under_way).await.unwrap_or_else(|error| {
                tracing::error!(?error, "disclosures cannot be read; trying again");
                Some(self.clock.now())
            });
            let failed = again.is_some_and(|at| at <= self.clock.now());
            tokio::select! {
                () = self.news.notified() => {}
                Some(_) = tasks.join_next() => {}
                () = self.clock.reach(again), if !failed => {}
                () = tokio::time::sleep(FIRST_WAIT), if failed => {}
            }
        }
    }

    /// Begins to carry what is not under way yet, and ends what has expired; says when the next one does.
    async fn look(
        self: &Arc<Self>,
        tasks: &mut JoinSet<()>,
        under_way: &mut HashMap<DisclosureId, AbortHandle>,
    ) -> Result<Option<jiff::Timestamp>, Refusal> {
        under_way.retain(|_, task| !task.is_finished());
        for disclosure in self.store.in_stage(Stage::Carried).await? {
            let id = disclosure.request().id;
            under_way.entry(id).or_insert_with(|| tasks.spawn(self.clone().carry(id)));
        }
        let (now, mut next) = (self.clock.now(), None);
        for stage in [Stage::Asked, Stage::Answered] {
            for waiting in self.store.in_stage(stage).await? {
                if waiting.has_expired(now) {
                    self.end(waiting.request().id, stage, Reason::Expired).await?;
                } else {
                    let at = waiting.request().expires_at;
                    next = Some(next.map_or(at, |next: jiff::Timestamp| next.min(at)));
                }
            }
        }
        Ok(next)
    }

    /// Carries one until there is an answer, a refusal, or no time any more.
    async fn carry(self: Arc<Self>, id: DisclosureId) {
        let (mut wait, mut said) = (FIRST_WAIT, None);
        loop {
            match self.attempt(id, &mut said).await {
                Ok(()) => return,
                Err(problem) => {
                    tracing::warn!(disclosure = %id, %problem, "a disclosure is carried again later");
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Asks the agency, unless it has `said` something before that could not be written yet: it says it
    /// once.
    async fn attempt(&self, id: DisclosureId, said: &mut Option<Said>) -> Result<(), String> {
        let words = |refusal: Refusal| format!("{refusal:?}");
        let said = match said {
            Some(said) => said,
            None => {
                let Some((disclosure, entry)) = self.announce(id).await.map_err(words)? else {
                    return Ok(());
                };
                let expired = self.clock.reach(Some(disclosure.request().expires_at));
                said.insert(tokio::select! {
                    asked = self.ask(&disclosure, entry) => asked?,
                    () = expired => Err(Reason::Expired),
                })
            }
        };
        match said {
            Ok(answer) => self.answered(id, answer.clone()).await.map_err(words),
            Err(reason) => self.end(id, Stage::Carried, *reason).await.map_err(words),
        }
    }

    /// Has it in the log that the disclosure is carried, once for these approvers; where that entry is.
    async fn announce(&self, id: DisclosureId) -> Result<Option<(Disclosure, u64)>, Refusal> {
        let _turn = self.turn().await;
        let found = self.store.get(&id).await?;
        let Some(mut disclosure) = found.filter(|it| it.stage == Stage::Carried) else {
            return Ok(None);
        };
        if let Some(entry) = disclosure.entry {
            return Ok(Some((disclosure, entry)));
        }
        let request = disclosure.request();
        let act = Act::DisclosureCarried {
            disclosure: request.id,
            alert: request.alert.clone(),
            agency: request.agency.clone(),
            dataset: request.dataset.clone(),
            emergency: request.emergency,
            request: request.digest(),
            approvers: disclosure.approvers.clone(),
        };
        let entry = self.recorder.record(&Actor::Gateway, act).await?;
        disclosure.entry = Some(entry);
        self.store.put(&disclosure).await?;
        Ok(Some((disclosure, entry)))
    }

    /// Asks the agency, once witnesses have seen the entry and the agency is connected: what it says, or
    /// why to try again. It is not asked for a case that who asked has no more.
    async fn ask(&self, disclosure: &Disclosure, entry: u64) -> Result<Said, String> {
        let (request, proof) = (disclosure.request(), self.proof(entry).await?);
        let application = Application { proof, ..disclosure.application.clone() };
        let channel = self.connections.wait(&request.agency).await;
        if !self.is_theirs(request).await.map_err(|refusal| format!("{refusal:?}"))? {
            return Ok(Err(Reason::NotPossibleNow));
        }
        let mut client = DiscloserServiceClient::new(channel);
        let call = client.disclose(wire::DiscloseRequest::from(&application));
        match timeout(DEADLINE, call).await {
            Ok(Ok(answer)) => {
                let answer = answer.into_inner();
                let formed = DisclosureAnswer::try_from(answer.clone());
                formed.map(|_| Ok(answer)).map_err(|error| error.to_string())
            }
            Ok(Err(status)) => refusal(&status).map(Err).ok_or_else(|| follow::words(&status)),
            Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
        }
    }

    /// The proof of an entry in a checkpoint that the quorum cosigned, once there is one.
    async fn proof(&self, entry: u64) -> Result<String, String> {
        let cosigned = self.recorder.witnesses().cosigned_over(entry).await;
        let (log, checkpoint) = (self.recorder.log(), cosigned.checkpoint());
        let bytes = log.entry(entry).await.map_err(|error| error.to_string())?;
        let path = log.inclusion(entry, checkpoint.size()).await;
        let path = path.map_err(|error| error.to_string())?;
        let checkpoint = checkpoint.note().clone();
        Ok(LogProof { extra: Some(bytes), index: entry, path, checkpoint }.to_string())
    }

    async fn answered(
        &self,
        id: DisclosureId,
        answer: wire::DiscloseResponse,
    ) -> Result<(), Refusal> {
        let _turn = self.turn().await;
        let found = self.store.get(&id).await?;
        let Some(mut disclosure) = found.filter(|it| it.stage == Stage::Carried) else {
            return Ok(());
        };
        let request = disclosure.request();
        let (alert, agency) = (request.alert.clone(), request.agency.clone());
        let act = Act::DisclosureAnswered { disclosure: id, alert, agency };
        let (event, before) = (disclosed(request), disclosure.clone());
        (disclosure.stage, disclosure.answer) = (Stage::Answered, Some(answer));
        disclosure.reason = None;
        match self.settle_in_case(&Actor::Gateway, (act, event), disclosure).await {
            // The case is another's now, or over: nobody has a use for the answer any more.
            Err(Refusal::NotPossible(_)) => self.decline(before, Reason::NotPossibleNow).await,
            settled => settled.map(drop),
        }
    }

    /// Takes down why there is no answer, where it still is in this stage.
    async fn end(&self, id: DisclosureId, stage: Stage, reason: Reason) -> Result<(), Refusal> {
        let _turn = self.turn().await;
        match self.store.get(&id).await?.filter(|it| it.stage == stage) {
            Some(disclosure) => self.decline(disclosure, reason).await,
            None => Ok(()),
        }
    }

    async fn decline(&self, mut disclosure: Disclosure, reason: Reason) -> Result<(), Refusal> {
        let request = disclosure.request();
        let (alert, agency) = (request.alert.clone(), request.agency.clone());
        let act = Act::DisclosureDeclined { disclosure: request.id, alert, agency, reason };
        disclosure.declined(reason);
        self.settle(&Actor::Gateway, act, &disclosure).await.map(drop)
    }
}

fn disclosed(request: &DisclosureRequest) -> CaseEvent {
    CaseEvent::Disclosed { disclosure: request.id, emergency: request.emergency }
}

/// Why the agency refuses for good; nothing, where it may answer later.
fn refusal(status: &Status) -> Option<Reason> {
    let reason = Reason::from_name(&reason_of(status)?)?;
    let passing = [Reason::Busy, Reason::NotLoaded, Reason::StoreUnavailable, Reason::Internal];
    (!passing.contains(&reason)).then_some(reason)
}
