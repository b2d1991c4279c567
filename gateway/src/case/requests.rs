//! What the desk is asked for, and the way to ask it.
//!
//! Answers come once what was asked for is logged and written, or refused.

use std::sync::Arc;

use proto::{alert_id::AlertId, case_event::CaseEvent, entry::Actor};
use tokio::sync::{mpsc, oneshot};

use super::{case_acts::Handled, cases::Alongside, step::Step};
use crate::{authorise::Officer, refusal::Refusal};

/// How many may wait.
const WAITING: usize = 64;

/// The way to the desk. Clones lead to the same one.
#[derive(Clone)]
pub struct Requests(mpsc::Sender<Request>);

/// What a desk takes requests from.
pub struct Incoming(pub(super) mpsc::Receiver<Request>);

pub(super) enum Request {
    Step { officer: Arc<Officer>, alert: AlertId, after: u64, step: Step, answer: Answer<Taken> },
    Event { by: Actor, alert: AlertId, event: CaseEvent, alongside: Along, answer: Answer<u64> },
}

type Along = Box<dyn Alongside>;
type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

/// A step that came about.
pub struct Taken {
    /// The case now.
    pub handled: Handled,
    /// The index of the event's entry.
    pub index: u64,
}

impl Requests {
    /// A way, and what comes along it.
    pub fn channel() -> (Self, Incoming) {
        let (requests, incoming) = mpsc::channel(WAITING);
        (Self(requests), Incoming(incoming))
    }

    /// An officer's step in a case whose last event that the officer saw was the one with the number
    /// `after`.
    ///
    /// # Errors
    /// [`Refusal`]: another was faster, it is not possible now, or the officer may not.
    pub async fn step(
        &self,
        officer: Arc<Officer>,
        alert: AlertId,
        after: u64,
        step: Step,
    ) -> Result<Taken, Refusal> {
        self.ask(|answer| Request::Step { officer, alert, after, step, answer }).await
    }

    /// An event that is no step, as of a disclosure, and what is written with it; the index of its
    /// entry.
    ///
    /// # Errors
    /// [`Refusal`], as where the event cannot follow; then nothing is written.
    pub async fn event(
        &self,
        by: Actor,
        alert: AlertId,
        event: CaseEvent,
        alongside: Box<dyn Alongside>,
    ) -> Result<u64, Refusal> {
        self.ask(|answer| Request::Event { by, alert, event, alongside, answer }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let stopping = || Refusal::Busy("the gateway is stopping: try again");
        self.0.send(request(answer)).await.map_err(|_| stopping())?;
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }
}
