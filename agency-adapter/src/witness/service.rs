//! The calls that the gateway makes to this adapter's witness, and the complaint in the log about acts
//! that the gateway's log does not account for.

use std::{sync::Arc, time::Duration};

use proto::{
    wire::{self, witness_service_server::WitnessService},
    witness::{Showing, Submission},
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{
    adapter_service,
    epochs::Epochs,
    refusal,
    witness::{
        acts::Overdue,
        cosigning::{Standing, Witness},
    },
};

/// How often overdue acts are looked for.
const LOOK: Duration = Duration::from_secs(30);

/// The witness of one adapter, for the gateway.
pub struct Witnessing {
    /// Whose adapter it is, as the present manifest says.
    pub epochs: Arc<Epochs>,
    /// The witness.
    pub witness: Arc<Witness>,
}

#[tonic::async_trait]
impl WitnessService for Witnessing {
    async fn add_checkpoint(
        &self,
        request: Request<wire::AddCheckpointRequest>,
    ) -> Result<Response<wire::AddCheckpointResponse>, Status> {
        adapter_service::admit(&self.epochs, request.extensions())?;
        let submission = Submission::try_from(request.into_inner()).map_err(refusal::argument)?;
        let (agency, witness) = (self.epochs.present().agency(), self.witness.clone());
        let cosign = move || witness.add_checkpoint(&Standing::of(&agency), &submission);
        let answer = tokio::task::spawn_blocking(cosign).await.map_err(|_| refusal::internal())?;
        let answer = answer.map_err(|refused| refusal::witness(&refused))?;
        Ok(Response::new((&answer).into()))
    }

    async fn show_entries(
        &self,
        request: Request<wire::ShowEntriesRequest>,
    ) -> Result<Response<wire::ShowEntriesResponse>, Status> {
        adapter_service::admit(&self.epochs, request.extensions())?;
        let showing = Showing::try_from(request.into_inner()).map_err(refusal::argument)?;
        let (agency, witness) = (self.epochs.present().agency(), self.witness.clone());
        let show = move || witness.show_entries(&Standing::of(&agency), &showing);
        let answer = tokio::task::spawn_blocking(show).await.map_err(|_| refusal::internal())?;
        answer.map(Response::new).map_err(|refused| refusal::witness(&refused))
    }
}

/// Says in the log what the gateway's log does not account for, whenever that is something else.
/// Serving goes on: a gateway that is down for a while leaves such acts too, and unlike a fork they
/// prove nothing to anybody else.
pub async fn complain(witness: Arc<Witness>, stop: CancellationToken) {
    let mut told = Overdue::default();
    let mut timer = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = timer.tick() => {}
        }
        match witness.overdue() {
            Ok(overdue) if overdue == told => {}
            Ok(overdue) => {
                tell(&overdue);
                told = overdue;
            }
            Err(error) => tracing::error!(problem = %error, "own acts cannot be looked for"),
        }
    }
}

fn tell(overdue: &Overdue) {
    match overdue.acts.first() {
        Some(oldest) => tracing::error!(
            acts = overdue.acts.len(),
            oldest = %oldest.act,
            since = %oldest.at,
            "THE GATEWAY'S LOG DOES NOT ACCOUNT FOR WHAT THIS ADAPTER SERVED: run `agency-adapter \
             witness status`"
        ),
        None if overdue.dropped.is_some() => {
            tracing::error!("too many acts wait for the gateway's log: the oldest were dropped");
        }
        None => tracing::info!("the gateway's log accounts for everything that was served"),
    }
}
