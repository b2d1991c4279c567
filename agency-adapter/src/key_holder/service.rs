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
use crate::{adapter_service::admit, publication::Publication, refusal};

/// Requests that wait for a processor, at most. The gateway sends no more than it has in flight.
const WAITING: usize = 64;

/// Answers for one holder.
pub struct Holder {
    publication: Arc<Publication>,
    key_holder: Arc<KeyHolder>,
    /// One batch keeps one processor busy.
    processors: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Holder {
    /// Evaluates on all processors.
    pub fn new(publication: Arc<Publication>, key_holder: Arc<KeyHolder>) -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            publication,
            key_holder,
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
        admit(&self.publication, request.extensions())?;
        let request =
            EvaluationRequest::try_from(request.into_inner()).map_err(refusal::argument)?;
        let place = self.places.clone().try_acquire_owned().map_err(|_| refusal::busy())?;
        let processor = self.processors.clone().acquire_owned().await;
        let processor = processor.map_err(|_| refusal::internal())?;
        let (agency, key_holder) = (self.publication.agency(), self.key_holder.clone());
        let answer = move || {
            // Held to the end of the work, also where the gateway has stopped waiting for it.
            let _held = (place, processor);
            key_holder.answer(&agency.manifest, &request)
        };
        match tokio::task::spawn_blocking(answer).await {
            Ok(Ok(evaluation)) => Ok(Response::new((&evaluation).into())),
            Ok(Err(refused)) => Err(refusal::evaluation(&refused)),
            Err(_) => Err(refusal::internal()),
        }
    }
}
