//! Stands between the gateway and one adapter with both sides' certificates: sees every message in
//! the clear, and can change what passes. What a wiretap at the gateway's doors would see, and what
//! a broken adapter could send.

use std::{
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
    },
};
use tokio::{sync::watch, task::JoinHandle};
use tonic::{Request, Response, Status, transport::Channel};

use crate::deployment::Deployment;

/// Everything that passed, one encoded message each.
#[derive(Default)]
pub struct Passed {
    /// From the gateway.
    pub requests: Vec<Vec<u8>>,
    /// From the adapter.
    pub responses: Vec<Vec<u8>>,
}

/// Changes a frame of sealed rows on its way; nothing drops it.
pub type Tamper = Arc<dyn Fn(wire::SyncFrame) -> Option<wire::SyncFrame> + Send + Sync>;

/// A tap that runs until it is dropped.
pub struct Tap {
    /// Where the gateway must dial.
    pub address: SocketAddr,
    /// What passed so far.
    pub passed: Arc<Mutex<Passed>>,
    /// What is done to sealed rows.
    pub tamper: Arc<Mutex<Option<Tamper>>>,
    server: JoinHandle<()>,
}

struct Between {
    adapter: AdapterServiceClient<Channel>,
    passed: Arc<Mutex<Passed>>,
    tamper: Arc<Mutex<Option<Tamper>>>,
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
        let tamper = Arc::new(Mutex::new(None));
        let between = Between {
            adapter: AdapterServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE),
            passed: passed.clone(),
            tamper: tamper.clone(),
        };
        let listener = transport::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let server_tls = pem("agency", agency.as_str())?.server;
        let server = tokio::spawn(async move {
            // Kept alive for as long as the server runs.
            let (_keep, tls) = watch::channel(server_tls);
            transport::server()
                .add_service(AdapterServiceServer::new(between))
                .serve_with_incoming(transport::incoming(listener, tls))
                .await
                .expect("the tap serves until it is aborted");
        });
        Ok(Self { address, passed, tamper, server })
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Between {
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
        let answer = self.adapter.clone().describe(self.request(request)).await?;
        seen(&self.passed, answer.get_ref());
        Ok(answer)
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
        let frames = self.adapter.clone().sync(self.request(request)).await?.into_inner();
        let (passed, tamper) = (self.passed.clone(), self.tamper.clone());
        let frames = frames.filter_map(move |frame| {
            let tamper = tamper.lock().expect("no panics").clone();
            let frame = match (frame, tamper) {
                (Ok(frame), Some(tamper)) => tamper(frame).map(Ok),
                (frame, _) => Some(frame),
            };
            if let Some(Ok(frame)) = &frame {
                seen(&passed, frame);
            }
            std::future::ready(frame)
        });
        Ok(Response::new(Box::pin(frames)))
    }

    async fn release(
        &self,
        request: Request<wire::ReleaseRequest>,
    ) -> Result<Response<Self::ReleaseStream>, Status> {
        let frames = self.adapter.clone().release(self.request(request)).await?.into_inner();
        let passed = self.passed.clone();
        let frames = frames.inspect(move |frame| {
            if let Ok(frame) = frame {
                seen(&passed, frame);
            }
        });
        Ok(Response::new(Box::pin(frames)))
    }
}
