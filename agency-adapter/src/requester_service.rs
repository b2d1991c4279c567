//! RequesterService: the gateway holds a stream open, over which this agency's evaluation requests go
//! out and answers come back (PROTOCOL.md section 15.6). Nobody else may call.

use std::sync::Arc;

use futures::StreamExt;
use proto::{
    evaluation::EvaluationAnswer,
    wire::{self, requester_service_server::RequesterService},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    carrier::{Carrier, OpenWay},
    refusal,
    witness::cosigning::Witness,
};

/// Opens ways for a carrier. Who may call is the interceptor's business.
pub struct Requests {
    /// Who asks.
    pub carrier: Arc<Carrier>,
    /// Says whether anything is served.
    pub witness: Arc<Witness>,
}

type RequestStream = futures::stream::BoxStream<'static, Result<wire::EvaluationRequest, Status>>;

#[tonic::async_trait]
impl RequesterService for Requests {
    type EvaluationsStream = RequestStream;

    async fn evaluations(
        &self,
        answers: Request<Streaming<wire::EvaluationAnswer>>,
    ) -> Result<Response<RequestStream>, Status> {
        let stop = self.witness.gate.pass().map_err(|stopped| refusal::stopped(&stopped))?;
        let (way, requests) = self.carrier.open();
        tokio::spawn(take(answers.into_inner(), way, stop));
        let requests = ReceiverStream::new(requests).map(Ok);
        Ok(Response::new(requests.boxed()))
    }
}

/// Takes answers until either side ends the stream.
async fn take(
    mut answers: Streaming<wire::EvaluationAnswer>,
    way: OpenWay,
    stop: CancellationToken,
) {
    loop {
        let answer = tokio::select! {
            answer = answers.message() => answer,
            () = way.closed() => return,
            () = stop.cancelled() => return,
        };
        match answer {
            Ok(Some(answer)) => match EvaluationAnswer::try_from(answer) {
                Ok(answer) => way.answer(answer),
                Err(error) => {
                    tracing::warn!(problem = %error, "the gateway brought an answer of a wrong form");
                }
            },
            Ok(None) => return,
            Err(status) => {
                tracing::info!(problem = status.message(), "the gateway ended the evaluations");
                return;
            }
        }
    }
}
