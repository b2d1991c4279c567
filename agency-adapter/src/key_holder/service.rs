//! KeyHolderService: the gateway brings agencies' requests. Nobody else may call.
//!
//! Owns how many batches are evaluated at a time. What is checked and counted is `holder`'s.

use std::{num::NonZero, sync::Arc, thread};

use proto::{
    evaluation::EvaluationRequest,
    wire::{self, key_holder_service_server::KeyHolderService},
};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::holder::KeyHolder;
use crate::{
    adapter_service::admit,
    epochs::Epochs,
    refusal,
    witness::{cosigning::Witness, own_act::OwnAct},
};

/// Requests that wait for a processor, at most. The gateway sends no more than it has in flight.
const WAITING: usize = 64;

/// Answers for one holder.
pub struct Holder {
    epochs: Arc<Epochs>,
    key_holder: Arc<KeyHolder>,
    witness: Arc<Witness>,
    /// One batch keeps one processor busy.
    processors: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Holder {
    /// Evaluates on all processors.
    pub fn new(epochs: Arc<Epochs>, key_holder: Arc<KeyHolder>, witness: Arc<Witness>) -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            epochs,
            key_holder,
            witness,
            processors: Arc::new(Semaphore::new(processors)),
            places: Arc::new(Semaphore::new(processors + WAITING)),
        }
    }
}

#[tonic::async_trait]
impl KeyHolderService for Holder {
    async fn evaluate(
        &self,
        request: Request<wire::EvaluationRequest>,
    ) -> Result<Response<wire::Evaluation>, Status> {
        admit(&self.epochs, request.extensions())?;
        self.witness.gate.pass().map_err(|stopped| refusal::stopped(&stopped))?;
        let request =
            EvaluationRequest::try_from(request.into_inner()).map_err(refusal::argument)?;
        let place =
            self.places.clone().try_acquire_owned().map_err(|_| refusal::busy("batches"))?;
        let processor = self.processors.clone().acquire_owned().await;
        let processor = processor.map_err(|_| refusal::internal())?;
        let (agency, key_holder) = (self.epochs.present().agency(), self.key_holder.clone());
        let witness = self.witness.clone();
        let answer = move || {
            // Held to the end of the work, also where the gateway has stopped waiting for it.
            let _held = (place, processor);
            let answer = key_holder.answer(&agency.manifest, &request);
            let evaluation = answer.map_err(|refused| refusal::evaluation(&refused))?;
            let epoch = request.scope.epoch;
            let (requester, holder) = (request.requester.clone(), request.holder.clone());
            let act = OwnAct::Evaluations { epoch, requester, holder };
            witness.note(act).map_err(|error| refusal::acts(&error))?;
            Ok(Response::new((&evaluation).into()))
        };
        tokio::task::spawn_blocking(answer).await.map_err(|_| refusal::internal())?
    }
}
