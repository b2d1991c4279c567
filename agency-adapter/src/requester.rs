//! Has identifiers evaluated: blinds a batch, asks as many key holders as it takes, verifies what each
//! answers, asks another where one fails, and combines (PROTOCOL.md sections 15.1 and 15.7).
//!
//! The arithmetic is `oprf`'s, the way to the holders `carrier`'s. Which identifiers, and where roots are
//! kept, is `evaluating`'s business.

use std::{
    num::NonZeroU8,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use proto::{
    evaluation::{EvaluationRefusal, EvaluationRequest},
    fault::Reason,
    name::AgencyId,
};
use tokio::{task::spawn_blocking, time::Instant};

use crate::{
    agency::Agency,
    carrier::Carrier,
    derive::Root,
    identifier::Identifier,
    oprf::{Blinding, Evaluation},
    pinned_holders::PinnedHolders,
    request_numbers::RequestNumbers,
    standings::Standings,
    witness::{cosigning::Witness, own_act::OwnAct},
};

/// Asks in one epoch.
pub struct Requester {
    agency: Arc<Agency>,
    holders: PinnedHolders,
    carrier: Arc<Carrier>,
    numbers: Arc<RequestNumbers>,
    witness: Arc<Witness>,
    standings: Standings,
    /// Batches so far: they take turns among the holders.
    turn: AtomicUsize,
}

/// Why a batch was not evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stalled {
    /// Too few holders help now.
    Holders {
        /// When it is worth asking again.
        until: Instant,
    },
    /// Ours: a disk, or the system's random numbers.
    Ours(String),
}

/// What a holder's answer came to.
struct Answered {
    index: NonZeroU8,
    holder: AgencyId,
    outcome: Result<Evaluation, EvaluationRefusal>,
}

impl Requester {
    /// Asks for `agency` the holders of its manifest's epoch.
    pub fn new(
        agency: Arc<Agency>,
        holders: PinnedHolders,
        (carrier, numbers): (Arc<Carrier>, Arc<RequestNumbers>),
        witness: Arc<Witness>,
    ) -> Self {
        let (standings, turn) = (Standings::default(), AtomicUsize::new(0));
        Self { agency, holders, carrier, numbers, witness, standings, turn }
    }

    /// What is remembered of the holders.
    pub fn standings(&self) -> &Standings {
        &self.standings
    }

    /// The roots of a batch of at most [`crate::oprf::MAX_BATCH`] identifiers, in their order.
    ///
    /// # Errors
    /// [`Stalled`].
    pub async fn evaluate(&self, identifiers: Arc<[Identifier]>) -> Result<Vec<Root>, Stalled> {
        let keys = self.holders.keys().clone();
        let blinded = aside(move || {
            let inputs: Vec<&[u8]> = identifiers.iter().map(Identifier::as_bytes).collect();
            Blinding::new(keys, &inputs)
        });
        let mut blinding = blinded.await?.map_err(|error| Stalled::Ours(error.to_string()))?;
        let mut candidates = self.candidates().into_iter();
        let mut asked = FuturesUnordered::new();
        while blinding.wanted() > 0 {
            while asked.len() < blinding.wanted() {
                let Some((index, holder)) = candidates.next() else { break };
                asked.push(self.ask(index, holder, blinding.elements().to_vec())?);
            }
            let Some(Answered { index, holder, outcome }) = asked.next().await else {
                return Err(Stalled::Holders { until: self.standings.next_chance() });
            };
            match outcome {
                Ok(evaluation) => {
                    let accept = move || {
                        let accepted = blinding.accept(index, &evaluation);
                        (blinding, accepted)
                    };
                    let (returned, accepted) = aside(accept).await?;
                    blinding = returned;
                    match accepted {
                        Ok(()) => self.standings.clear(&holder),
                        Err(fault) => {
                            tracing::error!(%holder, problem = %fault, "a key holder's answer is not used");
                            self.standings.blame(&holder, fault.to_string());
                        }
                    }
                }
                Err(refusal) => self.standings.blame(&holder, words(&refusal)),
            }
        }
        let outputs = aside(move || blinding.finalize()).await?;
        let outputs = outputs.map_err(|error| Stalled::Ours(error.to_string()))?;
        Ok(outputs.iter().map(|output| Root::evaluated(output.expose())).collect())
    }

    /// Whoever may be asked now; each batch begins with another of them.
    fn candidates(&self) -> Vec<(NonZeroU8, AgencyId)> {
        let mut candidates: Vec<_> = self
            .holders
            .iter()
            .filter(|(_, holder)| self.standings.may_ask(holder))
            .map(|(index, holder)| (index, holder.clone()))
            .collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = turn.checked_rem(candidates.len()).unwrap_or(0);
        candidates.rotate_left(first);
        candidates
    }

    fn ask(
        &self,
        index: NonZeroU8,
        holder: AgencyId,
        elements: Vec<[u8; 32]>,
    ) -> Result<BoxFuture<'_, Answered>, Stalled> {
        let number = self.numbers.next().map_err(|error| Stalled::Ours(error.to_string()))?;
        let (scope, key) = (&self.agency.manifest.scope, &self.agency.keys.signing);
        let request =
            EvaluationRequest::sign(scope, (&self.agency.id, key), (&holder, number), elements)
                .expect("a blinded batch is of a size that may be asked, and numbers begin at 1");
        let answered = async move {
            let outcome = self.carrier.carry(&request).await;
            if let Err(EvaluationRefusal { reason, .. }) = &outcome
                && matches!(reason, Reason::ReplayMismatch | Reason::NumberTooOld)
            {
                self.numbers.leap_over(number);
            }
            if outcome.is_ok() {
                self.remember(&holder).await;
            }
            let evaluation = |evaluation: proto::evaluation::Evaluation| Evaluation {
                elements: evaluation.elements,
                proof: evaluation.proof,
            };
            Answered { index, holder, outcome: outcome.map(evaluation) }
        };
        Ok(answered.boxed())
    }

    /// The gateway's log must account for what another agency evaluated (PROTOCOL.md section 18.4). What
    /// this agency evaluates itself, its key holder notes.
    async fn remember(&self, holder: &AgencyId) {
        if *holder == self.agency.id {
            return;
        }
        let epoch = self.agency.manifest.scope.epoch;
        let (requester, holder) = (self.agency.id.clone(), holder.clone());
        let act = OwnAct::Evaluations { epoch, requester, holder };
        let witness = self.witness.clone();
        if let Ok(Err(error)) = spawn_blocking(move || witness.note(act)).await {
            tracing::error!(problem = %error, "an evaluation is not looked for in the gateway's log");
        }
    }
}

/// A refusal for the agency's operator.
fn words(refusal: &EvaluationRefusal) -> String {
    let EvaluationRefusal { reason, message } = refusal;
    match reason {
        Reason::QuotaExceeded => format!("over this agency's quota: {message}"),
        reason => format!("{message} ({})", reason.as_str()),
    }
}

/// Off the runtime's threads: a batch takes up to half a second.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stalled> {
    let stopping = |_| Stalled::Ours("the adapter is stopping".to_owned());
    spawn_blocking(work).await.map_err(stopping)
}
