//! DiscloserService: the gateway brings officers' requests. Nobody else may call.
//!
//! Owns how many sources are read at a time. What is checked is `discloser`'s.

use std::sync::Arc;

use proto::{
    disclosure::Application,
    wire::{self, discloser_service_server::DiscloserService},
};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::discloser::Discloser;
use crate::{adapter_service::admit, epochs::Epochs, refusal, witness::cosigning::Witness};

/// Sources that are read at a time for disclosures.
const AT_ONCE: usize = 4;

/// Answers for one agency.
pub struct Disclosing {
    epochs: Arc<Epochs>,
    discloser: Arc<Discloser>,
    witness: Arc<Witness>,
    places: Arc<Semaphore>,
}

impl Disclosing {
    /// Answers in every live epoch.
    pub fn new(epochs: Arc<Epochs>, discloser: Arc<Discloser>, witness: Arc<Witness>) -> Self {
        Self { epochs, discloser, witness, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

#[tonic::async_trait]
impl DiscloserService for Disclosing {
    async fn disclose(
        &self,
        request: Request<wire::DiscloseRequest>,
    ) -> Result<Response<wire::DiscloseResponse>, Status> {
        admit(&self.epochs, request.extensions())?;
        self.witness.gate.pass().map_err(|stopped| refusal::stopped(&stopped))?;
        let application = Application::try_from(request.into_inner()).map_err(refusal::argument)?;
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| refusal::busy("disclosures"))?;
        let scope = Some((&application.request.scope).into());
        let publication = self.epochs.of(scope).map_err(|error| refusal::scope(&error))?;
        let discloser = self.discloser.clone();
        let answer = move || {
            // Held to the end of the work, also where the gateway has stopped waiting for it.
            let _held = place;
            let (request, disclosure) = (&application.request, application.request.id);
            let (officer, alert) = (&request.officer, &request.alert);
            match discloser.answer(&publication, &application) {
                Ok(answer) => {
                    let emergency = request.emergency;
                    tracing::info!(%disclosure, %officer, %alert, emergency, "contact details were disclosed");
                    Ok(Response::new((&answer).into()))
                }
                Err(refused) => {
                    tracing::warn!(%disclosure, %officer, %alert, problem = %refused, "a disclosure was refused");
                    Err(refusal::disclosure(&refused))
                }
            }
        };
        tokio::task::spawn_blocking(answer).await.map_err(|_| refusal::internal())?
    }
}
