//! Evaluations on their way: what an adapter asks of key holders, which are adapters too, and their
//! answers (PROTOCOL.md section 15.6).
//!
//! Sees blinded elements and proofs, and keeps and logs nothing but counts. Who is connected is
//! `connections`' business.
//! Whether a request is signed, numbered and within its quota is the holder's business; whether an
//! answer is right, the requester's.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use proto::{
    evaluation::{EvaluationRefusal, EvaluationRequest},
    fault::Reason,
    manifest::Manifest,
    name::AgencyId,
    wire::{
        self, evaluation_answer::Outcome, key_holder_service_client::KeyHolderServiceClient,
        requester_service_client::RequesterServiceClient,
    },
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, transport::Channel};

use crate::{
    audit::tally::Batch,
    connections::Connections,
    follow,
    link::{Backoff, Link},
};

/// Requests of one agency under way at a time. More are left on its stream, where flow control holds
/// them back.
const IN_FLIGHT: usize = 16;
/// Requests that one holder is given at a time. The others wait in the order in which they came: no
/// agency has more waiting than another may have.
const AT_A_HOLDER: usize = 8;
/// From when a request is read until it is answered.
const DEADLINE: Duration = Duration::from_secs(30);
/// Larger than any request or answer.
const LARGEST: usize = 128 << 10;

/// The way to the key holders.
pub struct Relay {
    connections: Arc<Connections>,
    /// Of each holder that was ever asked.
    places: Mutex<BTreeMap<AgencyId, Arc<Semaphore>>>,
}

impl Relay {
    /// To those who are connected.
    pub fn new(connections: Arc<Connections>) -> Self {
        Self { connections, places: Mutex::default() }
    }

    /// Brings a request to its holder. A holder that is not connected is told at once, so that the
    /// requester can ask another.
    async fn bring(
        &self,
        request: EvaluationRequest,
    ) -> Result<wire::Evaluation, EvaluationRefusal> {
        let unavailable = |text: &str| EvaluationRefusal {
            reason: Reason::HolderUnavailable,
            message: text.to_owned(),
        };
        let Some(channel) = self.connections.channel(&request.holder) else {
            return Err(unavailable("the key holder is not connected to the gateway"));
        };
        let mut client = KeyHolderServiceClient::new(channel)
            .max_decoding_message_size(LARGEST)
            .max_encoding_message_size(LARGEST);
        let places = self.places(&request.holder);
        let asked = async {
            let place = places.acquire().await;
            let answer = client.evaluate(wire::EvaluationRequest::from(&request)).await;
            drop(place);
            answer
        };
        match timeout(DEADLINE, asked).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(EvaluationRefusal::of_status(&status)),
            Err(_) => Err(unavailable("the key holder did not answer in time")),
        }
    }

    fn places(&self, holder: &AgencyId) -> Arc<Semaphore> {
        let mut places = self.places.lock().expect("nobody panics while looking for a place");
        let new = || Arc::new(Semaphore::new(AT_A_HOLDER));
        places.entry(holder.clone()).or_insert_with(new).clone()
    }
}

/// Carries the requests of one adapter for as long as the session lasts.
pub async fn carry(link: Arc<Link>, channel: Channel) {
    let agency = &link.adapter.agency;
    let mut backoff = Backoff::default();
    loop {
        let problem = match stream(&link, channel.clone()).await {
            Ok(()) => {
                backoff = Backoff::default();
                "the adapter ended the stream".to_owned()
            }
            Err(status) => follow::words(&status),
        };
        tracing::warn!(%agency, %problem, "no evaluations are carried for now");
        backoff.wait().await;
    }
}

/// One opened stream, until it ends.
async fn stream(link: &Arc<Link>, channel: Channel) -> Result<(), Status> {
    let mut client = RequesterServiceClient::new(channel)
        .max_decoding_message_size(LARGEST)
        .max_encoding_message_size(LARGEST);
    let (answers, outgoing) = mpsc::channel(1);
    let mut requests = client.evaluations(ReceiverStream::new(outgoing)).await?.into_inner();
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            request = requests.message(), if under_way.len() < IN_FLIGHT => match request? {
                Some(request) => drop(under_way.spawn(answer(link.clone(), request))),
                None => return Ok(()),
            },
            Some(answered) = under_way.join_next() => {
                let answered = answered.map_err(|_| Status::internal("a request was lost"))?;
                // An adapter that does not take its answers is read from no further.
                if answers.send(answered).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// What comes of one request.
async fn answer(link: Arc<Link>, request: wire::EvaluationRequest) -> wire::EvaluationAnswer {
    let (agency, around) = (&link.adapter.agency, &link.around);
    let (holder, number) = (request.holder.clone(), request.number);
    let elements = request.elements.len() as u64 / 32;
    let outcome = match admit(&around.manifest, agency, request) {
        Ok(request) => carried(link.clone(), request).await,
        Err(refusal) => Err(refusal),
    };
    let outcome = match outcome {
        Ok(evaluation) => {
            around.status.agency(agency, |line| line.evaluations_carried += elements);
            Outcome::Evaluation(evaluation)
        }
        Err(EvaluationRefusal { reason, message }) => {
            around.status.agency(agency, |line| line.evaluations_refused += elements);
            let reason = reason.as_str().to_owned();
            tracing::info!(%agency, holder, elements, reason, "an evaluation was refused");
            Outcome::Refusal(wire::EvaluationRefusal { reason, message })
        }
    };
    wire::EvaluationAnswer { holder, number, outcome: Some(outcome) }
}

/// Brings a request to its holder and counts it for the access log: also where the requester is gone
/// meanwhile, since the holder expects to find it there.
async fn carried(
    link: Arc<Link>,
    request: EvaluationRequest,
) -> Result<wire::Evaluation, EvaluationRefusal> {
    let carrying = tokio::spawn(async move {
        let (requester, holder) = (request.requester.clone(), request.holder.clone());
        let (epoch, elements) = (request.scope.epoch, request.elements().len() as u64);
        let outcome = link.around.relay.bring(request).await;
        let refused = outcome.is_err();
        let batch = Batch { requester: &requester, holder: &holder, epoch, elements, refused };
        link.around.tally.relayed(&batch);
        outcome
    });
    carrying.await.unwrap_or_else(|_| {
        let message = "the gateway lost the request".to_owned();
        Err(EvaluationRefusal { reason: Reason::Internal, message })
    })
}

/// Lets a request through that is of the agency whose stream it came on, for a key holder of the
/// manifest and a live epoch.
fn admit(
    manifest: &Manifest,
    agency: &AgencyId,
    request: wire::EvaluationRequest,
) -> Result<EvaluationRequest, EvaluationRefusal> {
    let refused = |reason, message: String| EvaluationRefusal { reason, message };
    let request = EvaluationRequest::try_from(request)
        .map_err(|error| refused(Reason::InvalidArgument, error.to_string()))?;
    let live = manifest.in_epoch(request.scope.epoch);
    if live.is_none_or(|manifest| manifest.scope != request.scope) {
        let text = "the request is for another programme, epoch or suite than the gateway's";
        return Err(refused(Reason::WrongScope, text.to_owned()));
    }
    if request.requester != *agency {
        let text = format!("the request names another agency than {agency}, which sent it");
        return Err(refused(Reason::NotPermitted, text));
    }
    if manifest.holder_index(&request.holder).is_none() {
        let text = "the federation manifest names no such key holder";
        return Err(refused(Reason::NoKeyShare, text.to_owned()));
    }
    Ok(request)
}
