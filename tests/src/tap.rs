//! Stands between the gateway and one adapter with both sides' certificates: sees every message in
//! the clear, and can change what passes. What a wiretap at the gateway's doors would see, and what
//! a broken adapter could send.

use std::{
    future::ready,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
};

use futures::{Stream, StreamExt};
use prost::Message;
use proto::{
    identity::{Identity, Party},
    name::AgencyId,
    tls::{Tls, TlsPem},
    transport::{self, MAX_MESSAGE, Target},
    wire::{
        self,
        adapter_service_client::AdapterServiceClient,
        adapter_service_server::{AdapterService, AdapterServiceServer},
        discloser_service_client::DiscloserServiceClient,
        discloser_service_server::{DiscloserService, DiscloserServiceServer},
        key_holder_service_client::KeyHolderServiceClient,
        key_holder_service_server::{KeyHolderService, KeyHolderServiceServer},
        requester_service_client::RequesterServiceClient,
        requester_service_server::{RequesterService, RequesterServiceServer},
        witness_service_client::WitnessServiceClient,
        witness_service_server::{WitnessService, WitnessServiceServer},
    },
};
use tokio::{sync::watch, task::JoinHandle};
use tonic::{Request, Response, Status, Streaming, transport::Channel};

use crate::deployment::Deployment;

/// Everything that passed, one encoded message each.
#[derive(Default)]
pub struct Passed {
    /// From the gateway.
    pub requests: Vec<Vec<u8>>,
    /// From the adapter.
    pub responses: Vec<Vec<u8>>,
    /// Requests for evaluation and the answers to them, either way.
    pub evaluations: Vec<Vec<u8>>,
}

/// Changes something on its way.
pub type Change<T> = Arc<dyn Fn(T) -> T + Send + Sync>;

/// Changes a key holder's answer to a request.
pub type Answering =
    Arc<dyn Fn(&wire::EvaluationRequest, wire::Evaluation) -> wire::Evaluation + Send + Sync>;

/// What is done to what passes; nothing, unless it is set.
#[derive(Default, Clone)]
pub struct Tampering {
    /// To what the adapter says it publishes.
    pub describe: Option<Change<wire::DescribeResponse>>,
    /// To where the gateway says it is.
    pub ask: Option<Change<wire::SyncRequest>>,
    /// To each group of sealed rows, header and trailer included.
    pub rows: Option<Change<Vec<wire::SyncFrame>>>,
    /// To each group of released subjects.
    pub subjects: Option<Change<Vec<wire::ReleaseFrame>>>,
    /// To who its subjects are in the next epoch.
    pub successors: Option<Change<wire::SucceedResponse>>,
    /// To what the adapter is asked to disclose.
    pub disclose: Option<Change<wire::DiscloseRequest>>,
    /// To the entries that the adapter is shown as a witness.
    pub show: Option<Change<wire::ShowEntriesRequest>>,
    /// To each evaluation, where the adapter is a key holder's.
    pub evaluate: Option<Answering>,
}

/// A tap that runs until it is dropped.
pub struct Tap {
    /// Where the gateway must dial.
    pub address: SocketAddr,
    /// What passed so far.
    pub passed: Arc<Mutex<Passed>>,
    tampering: Arc<Mutex<Tampering>>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Between {
    adapter: AdapterServiceClient<Channel>,
    requester: RequesterServiceClient<Channel>,
    discloser: DiscloserServiceClient<Channel>,
    witness: WitnessServiceClient<Channel>,
    key_holder: KeyHolderServiceClient<Channel>,
    passed: Arc<Mutex<Passed>>,
    tampering: Arc<Mutex<Tampering>>,
}

impl Tap {
    /// Begins to listen in front of an agency's adapter.
    ///
    /// # Errors
    /// Where either side's TLS fails.
    pub async fn start(
        deployment: &Deployment,
        agency: &AgencyId,
        adapter: SocketAddr,
    ) -> anyhow::Result<Self> {
        let pem = |role: &str, id: &str| {
            let issued = deployment.pki.issue(role, id);
            Tls::from_pem(&TlsPem {
                certificate: issued.certificate.as_bytes(),
                key: issued.key.as_bytes(),
                trust: deployment.pki.trust_pem().as_bytes(),
                revoked: None,
            })
        };
        let programme = deployment.manifest.scope.programme.clone();
        let target = Target {
            address: adapter.to_string(),
            server_name: "localhost".into(),
            identity: Identity { programme, party: Party::Agency(agency.clone()) },
        };
        let channel = transport::connect(target, pem("gateway", "gateway")?.client)
            .await
            .map_err(anyhow::Error::msg)?;
        let passed = Arc::new(Mutex::new(Passed::default()));
        let tampering = Arc::new(Mutex::default());
        let between = Between {
            requester: RequesterServiceClient::new(channel.clone()),
            discloser: DiscloserServiceClient::new(channel.clone()),
            witness: WitnessServiceClient::new(channel.clone()),
            key_holder: KeyHolderServiceClient::new(channel.clone()),
            adapter: AdapterServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE),
            passed: passed.clone(),
            tampering: tampering.clone(),
        };
        let listener = transport::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let server_tls = pem("agency", agency.as_str())?.server;
        let server = tokio::spawn(async move {
            // Kept alive for as long as the server runs.
            let (_keep, tls) = watch::channel(server_tls);
            transport::server()
                .add_service(RequesterServiceServer::new(between.clone()))
                .add_service(DiscloserServiceServer::new(between.clone()))
                .add_service(WitnessServiceServer::new(between.clone()))
                .add_service(KeyHolderServiceServer::new(between.clone()))
                .add_service(AdapterServiceServer::new(between))
                .serve_with_incoming(transport::incoming(listener, tls))
                .await
                .expect("the tap serves until it is aborted");
        });
        Ok(Self { address, passed, tampering, server })
    }

    /// From now on, this is done to what passes, on streams that are open too.
    pub fn tamper(&self, tampering: Tampering) {
        *self.tampering.lock().expect("no panics") = tampering;
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Between {
    fn tampering(&self) -> Tampering {
        self.tampering.lock().expect("no panics").clone()
    }

    fn request<T: Message>(&self, request: Request<T>) -> T {
        let message = request.into_inner();
        self.passed.lock().expect("no panics").requests.push(message.encode_to_vec());
        message
    }
}

fn seen<T: Message>(passed: &Mutex<Passed>, message: &T) {
    passed.lock().expect("no panics").responses.push(message.encode_to_vec());
}

type Frames<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl AdapterService for Between {
    type SyncStream = Frames<wire::SyncFrame>;
    type ReleaseStream = Frames<wire::ReleaseFrame>;

    async fn describe(
        &self,
        request: Request<wire::DescribeRequest>,
    ) -> Result<Response<wire::DescribeResponse>, Status> {
        let answer = self.adapter.clone().describe(self.request(request)).await?.into_inner();
        let answer = changed(self.tampering().describe, answer);
        seen(&self.passed, &answer);
        Ok(Response::new(answer))
    }

    async fn deliver_grants(
        &self,
        request: Request<wire::DeliverGrantsRequest>,
    ) -> Result<Response<wire::DeliverGrantsResponse>, Status> {
        let answer = self.adapter.clone().deliver_grants(self.request(request)).await?;
        seen(&self.passed, answer.get_ref());
        Ok(answer)
    }

    async fn sync(
        &self,
        request: Request<wire::SyncRequest>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let request = changed(self.tampering().ask, self.request(request));
        let frames = self.adapter.clone().sync(request).await?.into_inner();
        let (passed, tampering) = (self.passed.clone(), self.tampering.clone());
        let frames = groups(
            frames,
            |frame| matches!(frame.frame, Some(wire::sync_frame::Frame::Trailer(_))),
            move |group| {
                let change = tampering.lock().expect("no panics").rows.clone();
                let group = changed(change, group);
                group.iter().for_each(|frame| seen(&passed, frame));
                group
            },
        );
        Ok(Response::new(Box::pin(frames)))
    }

    async fn release(
        &self,
        request: Request<wire::ReleaseRequest>,
    ) -> Result<Response<Self::ReleaseStream>, Status> {
        let frames = self.adapter.clone().release(self.request(request)).await?.into_inner();
        let (passed, tampering) = (self.passed.clone(), self.tampering.clone());
        let frames = groups(
            frames,
            |frame| matches!(frame.frame, Some(wire::release_frame::Frame::Trailer(_))),
            move |group| {
                let change = tampering.lock().expect("no panics").subjects.clone();
                let group = changed(change, group);
                group.iter().for_each(|frame| seen(&passed, frame));
                group
            },
        );
        Ok(Response::new(Box::pin(frames)))
    }

    async fn succeed(
        &self,
        request: Request<wire::SucceedRequest>,
    ) -> Result<Response<wire::SucceedResponse>, Status> {
        let answer = self.adapter.clone().succeed(self.request(request)).await?.into_inner();
        let answer = changed(self.tampering().successors, answer);
        seen(&self.passed, &answer);
        Ok(Response::new(answer))
    }
}

#[tonic::async_trait]
impl RequesterService for Between {
    type EvaluationsStream = Frames<wire::EvaluationRequest>;

    async fn evaluations(
        &self,
        answers: Request<Streaming<wire::EvaluationAnswer>>,
    ) -> Result<Response<Self::EvaluationsStream>, Status> {
        let passed = self.passed.clone();
        let answers = answers.into_inner().filter_map(|answer| ready(answer.ok()));
        let answers = answers.inspect(move |answer| evaluated(&passed, answer));
        let requests = self.requester.clone().evaluations(answers).await?.into_inner();
        let passed = self.passed.clone();
        let requests = requests.inspect(move |request| {
            request.iter().for_each(|request| evaluated(&passed, request));
        });
        Ok(Response::new(Box::pin(requests)))
    }
}

#[tonic::async_trait]
impl DiscloserService for Between {
    async fn disclose(
        &self,
        request: Request<wire::DiscloseRequest>,
    ) -> Result<Response<wire::DiscloseResponse>, Status> {
        let request = changed(self.tampering().disclose, self.request(request));
        let answer = self.discloser.clone().disclose(request).await?;
        seen(&self.passed, answer.get_ref());
        Ok(answer)
    }
}

#[tonic::async_trait]
impl WitnessService for Between {
    async fn add_checkpoint(
        &self,
        request: Request<wire::AddCheckpointRequest>,
    ) -> Result<Response<wire::AddCheckpointResponse>, Status> {
        self.witness.clone().add_checkpoint(request.into_inner()).await
    }

    async fn show_entries(
        &self,
        request: Request<wire::ShowEntriesRequest>,
    ) -> Result<Response<wire::ShowEntriesResponse>, Status> {
        let request = changed(self.tampering().show, request.into_inner());
        self.witness.clone().show_entries(request).await
    }
}

#[tonic::async_trait]
impl KeyHolderService for Between {
    async fn evaluate(
        &self,
        request: Request<wire::EvaluationRequest>,
    ) -> Result<Response<wire::Evaluation>, Status> {
        let request = request.into_inner();
        evaluated(&self.passed, &request);
        let mut answer = self.key_holder.clone().evaluate(request.clone()).await?.into_inner();
        if let Some(change) = self.tampering().evaluate {
            answer = change(&request, answer);
        }
        evaluated(&self.passed, &answer);
        Ok(Response::new(answer))
    }
}

fn evaluated<T: Message>(passed: &Mutex<Passed>, message: &T) {
    passed.lock().expect("no panics").evaluations.push(message.encode_to_vec());
}

fn changed<T>(change: Option<Change<T>>, message: T) -> T {
    match change {
        Some(change) => change(message),
        None => message,
    }
}

/// Holds frames back until their group is whole, and lets go what `pass` makes of it.
fn groups<F: Send + 'static>(
    frames: impl Stream<Item = Result<F, Status>> + Send,
    is_last: impl Fn(&F) -> bool + Send,
    pass: impl Fn(Vec<F>) -> Vec<F> + Send,
) -> impl Stream<Item = Result<F, Status>> + Send {
    let mut group = vec![];
    frames.flat_map(move |frame| {
        let out = match frame {
            Ok(frame) => {
                let last = is_last(&frame);
                group.push(frame);
                let whole = if last { pass(std::mem::take(&mut group)) } else { vec![] };
                whole.into_iter().map(Ok).collect()
            }
            Err(status) => vec![Err(status)],
        };
        futures::stream::iter(out)
    })
}
