//! Evaluation requests on their way to the gateway, and the answers that come back (PROTOCOL.md section
//! 15.4). The gateway dials; so there is a way only while it holds a stream open.
//!
//! Owns nothing of what is asked, and believes nothing of what is answered: both are `requester`'s.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use proto::{
    evaluation::{Evaluation, EvaluationAnswer, EvaluationRefusal, EvaluationRequest},
    fault::Reason,
    wire,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

/// From when a request is handed to the gateway until its answer. Longer than the gateway's own
/// deadline, whose refusal says more.
const DEADLINE: Duration = Duration::from_secs(45);

type Outcome = Result<Evaluation, EvaluationRefusal>;

/// The open ways.
#[derive(Default)]
pub struct Carrier {
    ways: watch::Sender<Vec<Arc<Way>>>,
}

/// One open stream.
struct Way {
    outgoing: mpsc::Sender<wire::EvaluationRequest>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Outcome>>>,
}

/// The adapter's end of a stream; it is closed when this is dropped.
pub struct OpenWay {
    carrier: Arc<Carrier>,
    way: Arc<Way>,
}

impl Carrier {
    /// Opens a way: what is asked comes out of the receiver.
    pub fn open(self: &Arc<Self>) -> (OpenWay, mpsc::Receiver<wire::EvaluationRequest>) {
        // No queue: what the gateway does not take yet is not asked yet.
        let (outgoing, requests) = mpsc::channel(1);
        let way = Arc::new(Way { outgoing, waiting: Mutex::default() });
        self.ways.send_modify(|ways| ways.push(way.clone()));
        (OpenWay { carrier: self.clone(), way }, requests)
    }

    /// Whether the gateway holds a stream open.
    pub fn is_open(&self) -> bool {
        !self.ways.borrow().is_empty()
    }

    /// Has a request carried; waits for a way as long as there is none. A request whose way ended is
    /// carried again as it is: to the holder that is a replay.
    ///
    /// # Errors
    /// The holder's refusal, the gateway's, or ours where nothing came in time.
    pub async fn carry(&self, request: &EvaluationRequest) -> Outcome {
        let mut ways = self.ways.subscribe();
        loop {
            let way = {
                let open = ways.wait_for(|ways| !ways.is_empty()).await;
                open.expect("the sender is here").last().expect("not empty").clone()
            };
            if let Some(outcome) = way.carry(request).await {
                return outcome;
            }
            let gone = |ways: &Vec<Arc<Way>>| !ways.iter().any(|other| Arc::ptr_eq(other, &way));
            drop(ways.wait_for(gone).await);
        }
    }
}

impl Way {
    /// `None` where the way ended.
    async fn carry(&self, request: &EvaluationRequest) -> Option<Outcome> {
        let (sender, receiver) = oneshot::channel();
        self.waiting().insert(request.number, sender);
        self.outgoing.send(request.into()).await.ok()?;
        match timeout(DEADLINE, receiver).await {
            Ok(outcome) => outcome.ok(),
            Err(_) => {
                self.waiting().remove(&request.number);
                let message = "no answer came through the gateway in time".to_owned();
                Some(Err(EvaluationRefusal { reason: Reason::HolderUnavailable, message }))
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Outcome>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenWay {
    /// Returns once nobody takes requests any more.
    pub async fn closed(&self) {
        self.way.outgoing.closed().await;
    }

    /// Hands an answer to whoever waits for it. One that nobody waits for any more is dropped.
    pub fn answer(&self, answer: EvaluationAnswer) {
        if let Some(waiting) = self.way.waiting().remove(&answer.number) {
            let _ = waiting.send(answer.outcome);
        }
    }
}

impl Drop for OpenWay {
    fn drop(&mut self) {
        self.carrier.ways.send_modify(|ways| ways.retain(|way| !Arc::ptr_eq(way, &self.way)));
        // Whoever waits for an answer asks again over the next way.
        self.way.waiting().clear();
    }
}
