//! Connections between two programs of this process.

use std::{convert::Infallible, future};

use futures::stream::{self, BoxStream};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519, SanType,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_stream::StreamExt;
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Service, http},
    server::{Grpc, NamedService, ServerStreamingService},
};
use tonic_prost::ProstCodec;

use super::*;
use crate::{
    tls::{Tls, TlsPem},
    wire::{
        ReleaseFrame, ReleaseRequest, SubjectColumns, adapter_service_client::AdapterServiceClient,
        release_frame::Frame,
    },
};

struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("random numbers");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let trust = params.self_signed(&key).expect("good parameters").pem();
        Self(Issuer::new(params, key), trust)
    }

    fn tls(&self, uri: &str) -> Tls {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("random numbers");
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![
            SanType::URI(uri.try_into().expect("ASCII")),
            SanType::DnsName("localhost".try_into().expect("ASCII")),
        ];
        let certificate = params.signed_by(&key, &self.0).expect("good parameters").pem();
        Tls::from_pem(&TlsPem {
            certificate: certificate.as_bytes(),
            key: key.serialize_pem().as_bytes(),
            trust: self.1.as_bytes(),
            revoked: None,
        })
        .expect("usable")
    }
}

const ADAPTER: &str = "spiffe://demo/agency/tax";
const GATEWAY: &str = "spiffe://demo/gateway/gateway";

/// Dials an adapter as who trusts `theirs` and presents a certificate of `own`. The adapter
/// greets who is accepted, or closes without a word.
async fn dialled(own: &Authority, theirs: &Authority, greets: bool) -> Result<String, String> {
    let listener = bind("127.0.0.1:0".parse().expect("an address")).await.expect("bound");
    let address = listener.local_addr().expect("bound").to_string();
    let (_sender, tls) = watch::channel(theirs.tls(ADAPTER).server);
    tokio::spawn(async move {
        let mut incoming = std::pin::pin!(incoming(listener, tls));
        while let Some(Ok(mut peered)) = incoming.next().await {
            if greets {
                peered.write_all(b"settings").await.expect("written");
            }
            peered.shutdown().await.expect("closed");
        }
    });
    let client = own.tls(GATEWAY).client;
    let identity = ADAPTER.parse().expect("an identity");
    let target = Target { address, server_name: "localhost".into(), identity };
    let mut stream = dial(&target, client).await.map_err(|error| error.to_string())?;
    let mut greeting = String::new();
    stream.read_to_string(&mut greeting).await.expect("read");
    Ok(greeting)
}

#[tokio::test]
async fn who_dials_is_told_whether_the_peer_took_its_certificate() {
    let authority = Authority::new("ours");
    let greeting = dialled(&authority, &authority, true).await;
    assert_eq!(greeting.as_deref(), Ok("settings"), "nothing of it is lost");
    let text = dialled(&authority, &authority, false).await.expect_err("closed");
    assert!(text.contains("its log says why"), "{text}");
}

#[tokio::test]
async fn the_check_that_failed_is_told_where_the_peer_names_it() {
    // The dialler trusts the adapter's authority, but its own certificate is another's.
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let stranger = Authority(Authority::new("strange").0, theirs.1.clone());
    let text = dialled(&stranger, &theirs, true).await.expect_err("refused");
    assert!(text.contains("received fatal alert: UnknownCA"), "{text}");
    let text = dialled(&ours, &theirs, true).await.expect_err("refused");
    assert!(text.contains("UnknownIssuer"), "{text}");
}

/// Whatever is asked of it, it answers with frames of a megabyte without end.
#[derive(Clone)]
struct Endless;

impl NamedService for Endless {
    const NAME: &'static str = "matching.v1.AdapterService";
}

impl ServerStreamingService<ReleaseRequest> for Endless {
    type Response = ReleaseFrame;
    type ResponseStream = BoxStream<'static, Result<ReleaseFrame, Status>>;
    type Future = future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _: Request<ReleaseRequest>) -> Self::Future {
        let columns = SubjectColumns { subjects: vec![0; 1 << 20], ..SubjectColumns::default() };
        let frame = ReleaseFrame { frame: Some(Frame::Subjects(columns)) };
        future::ready(Ok(Response::new(Box::pin(stream::repeat(Ok(frame))))))
    }
}

impl Service<http::Request<Body>> for Endless {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let codec = ProstCodec::<ReleaseFrame, ReleaseRequest>::default();
        Box::pin(async { Ok(Grpc::new(codec).server_streaming(Self, request).await) })
    }
}

/// Six large lists come at once when a gateway starts again, and one of them at a time is read on.
#[tokio::test]
async fn streams_that_are_not_read_keep_nothing_from_another_of_their_connection() {
    let authority = Authority::new("ours");
    let listener = bind("127.0.0.1:0".parse().expect("an address")).await.expect("bound");
    let address = listener.local_addr().expect("bound").to_string();
    let (_sender, tls) = watch::channel(authority.tls(ADAPTER).server);
    tokio::spawn(server().add_service(Endless).serve_with_incoming(incoming(listener, tls)));
    let identity = ADAPTER.parse().expect("an identity");
    let target = Target { address, server_name: "localhost".into(), identity };
    let channel = connect(target, authority.tls(GATEWAY).client).await.expect("connected");
    let mut client = AdapterServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
    let mut streams = vec![];
    for _ in 0..40 {
        let answer = client.release(ReleaseRequest::default()).await.expect("answered");
        streams.push(answer.into_inner());
    }
    // First something of each, then much of each while the others wait.
    for frames in [1, 8] {
        for stream in &mut streams {
            for _ in 0..frames {
                let frame = timeout(Duration::from_secs(30), stream.message());
                frame.await.expect("it is not held up").expect("read").expect("a frame");
            }
        }
    }
}
