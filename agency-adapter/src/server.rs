//! Serving: self-test, state, sockets, draining.
//!
//! Its future is boxed, so that it is compiled here, once, and not in every program that runs it.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use proto::{
    identity::{Identity, Party},
    scope::Suite,
    transport,
    wire::{
        self, adapter_service_server::AdapterServiceServer,
        discloser_service_server::DiscloserServiceServer,
        hotline_service_server::HotlineServiceServer,
        key_holder_service_server::KeyHolderServiceServer,
        requester_service_server::RequesterServiceServer,
        witness_service_server::WitnessServiceServer,
    },
};
use rustls::ServerConfig;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request,
    service::{Routes, interceptor::InterceptedService},
};

use crate::{
    adapter_service::{self, Adapter},
    agency::{Agency, AgencyError},
    clock::Clock,
    config::{Config, ConfigError},
    disclosure::{discloser::Discloser, journal::JournalError, service::Disclosing},
    epochs::{Epochs, EpochsError},
    evaluating::Evaluations,
    hotline_service::Hotline,
    key_holder::{holder::KeyHolder, service::Holder},
    reloads::Reloads,
    requester_service::Requests,
    secret_file::SecretFileError,
    vectors::{VectorFailure, run_vectors},
    witness::{
        cosigning::{Witness, WitnessFault},
        service::{Witnessing, complain},
    },
};

/// How long open streams may take to end.
const DRAIN: Duration = Duration::from_secs(5);
/// The largest request: a delivery of grants.
const LARGEST_REQUEST: usize = 1 << 20;
/// Larger than any answer to an evaluation request.
const LARGEST_ANSWER: usize = 128 << 10;
/// The largest showing of log entries.
const LARGEST_SHOWING: usize = 4 << 20;

/// Why the adapter does not serve. All of it is ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// This build derives something else than its peers.
    #[error(transparent)]
    SelfTest(#[from] VectorFailure),
    /// Manifest, keys or datasets.
    #[error(transparent)]
    Agency(#[from] AgencyError),
    /// The TLS files.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A certificate for somebody else.
    #[error(
        "the certificate in [tls] names {found} and this adapter is {expected}: have one issued for it"
    )]
    Identity {
        /// Whom the certificate names.
        found: Identity,
        /// Whom it should name.
        expected: Identity,
    },
    /// What is published in some epoch.
    #[error(transparent)]
    Epochs(#[from] EpochsError),
    /// The numbers of evaluation requests.
    #[error(transparent)]
    Numbers(#[from] SecretFileError),
    /// The witness's files.
    #[error(transparent)]
    Witness(#[from] WitnessFault),
    /// The journal of disclosures.
    #[error(transparent)]
    Disclosures(#[from] JournalError),
    /// The sockets.
    #[error("serving failed: {0}")]
    Transport(String),
}

/// Everything that can be checked before listening: what [`serve`] would refuse to start with.
///
/// # Errors
/// [`ServeError`].
pub fn check(config: &Config) -> Result<(), ServeError> {
    run_vectors()?;
    read_tls(config, &Agency::open(config)?).map(drop)
}

/// Serves on `listener` until `shutdown` is ready. The sources are read at the start, every
/// [`Config::reload_every`], and whenever `reload` is notified; TLS files are read again with them.
///
/// # Errors
/// [`ServeError`].
pub fn serve(
    config: Config,
    listener: TcpListener,
    clock: Clock,
    shutdown: BoxFuture<'static, ()>,
    reload: Arc<Notify>,
) -> BoxFuture<'static, Result<(), ServeError>> {
    Box::pin(run(config, listener, clock, shutdown, reload))
}

async fn run(
    config: Config,
    listener: TcpListener,
    clock: Clock,
    shutdown: BoxFuture<'static, ()>,
    reload: Arc<Notify>,
) -> Result<(), ServeError> {
    run_vectors()?;
    let agency = Agency::open(&config)?;
    let tls = read_tls(&config, &agency)?;
    let holds = agency.manifest.scope.suite == Suite::Oprf
        && agency.manifest.holder_index(&config.agency).is_some();
    let key_holder =
        holds.then(|| Arc::new(KeyHolder::new(&config.state_dir, &config.agency, clock.clone())));
    let (granted, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let witness = Arc::new(Witness::open(&config.state_dir, clock.clone(), stop.clone())?);
    let discloser = Arc::new(Discloser::open(config.clone(), clock.clone())?);
    let epochs = Arc::new(Epochs::open(config.clone(), clock)?);
    let (tls_sender, tls) = watch::channel(tls);
    let evaluations = Evaluations::new(&config.state_dir, witness.clone(), stop.clone())?;
    tokio::spawn(complain(witness.clone(), stop.clone()));
    let requests = Requests { carrier: evaluations.carrier(), witness: witness.clone() };
    let adapter = Adapter { epochs: epochs.clone(), granted: granted.clone(), witness };
    let hotline = Hotline::new(&config, epochs.clone(), adapter.witness.clone());
    let routes = routes(adapter, key_holder.clone(), (requests, discloser, hotline)).await?;
    let reloads = Reloads {
        config,
        epochs: epochs.clone(),
        evaluations,
        key_holder,
        tls: tls_sender,
        reload,
        granted,
    };
    let reloads = tokio::spawn(reloads.run(stop.clone()));
    let served = listen(routes, listener, tls, &stop, shutdown).await;
    stop.cancel();
    let closed: Vec<_> = epochs.publications().iter().map(|it| it.closed()).collect();
    drop(epochs);
    // A long reload is not waited for: its transaction in the store is whole or was never made.
    let drained = async {
        let _ = reloads.await;
        for closed in closed {
            closed.cancelled().await;
        }
    };
    let _ = tokio::time::timeout(DRAIN, drained).await;
    served
}

async fn listen(
    routes: Routes,
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    stop: &CancellationToken,
    shutdown: BoxFuture<'static, ()>,
) -> Result<(), ServeError> {
    let server = transport::server().add_routes(routes).serve_with_incoming_shutdown(
        transport::incoming(listener, tls),
        stop.clone().cancelled_owned(),
    );
    let mut server = std::pin::pin!(server);
    tokio::select! {
        served = &mut server => return served.map_err(|error| fault(&error)),
        () = shutdown => tracing::info!("draining"),
    }
    stop.cancel();
    match tokio::time::timeout(DRAIN, server).await {
        Ok(served) => served.map_err(|error| fault(&error)),
        // A gateway that does not let go is cut off; its streams are resumable.
        Err(_) => Ok(()),
    }
}

/// Every service of the adapter, each for the gateway alone: also what only tells that it is there.
async fn routes(
    adapter: Adapter,
    key_holder: Option<Arc<KeyHolder>>,
    (requests, discloser, hotline): (Requests, Arc<Discloser>, Hotline),
) -> Result<Routes, ServeError> {
    let epochs = adapter.epochs.clone();
    let gateway_only = move |request: Request<()>| {
        adapter_service::admit(&epochs, request.extensions()).map(|()| request)
    };
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<AdapterServiceServer<Adapter>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(wire::DESCRIPTOR)
        .build_v1()
        .map_err(|error| fault(&error))?;
    let (epochs, witness) = (adapter.epochs.clone(), adapter.witness.clone());
    let holder =
        key_holder.map(|key_holder| Holder::new(epochs.clone(), key_holder, witness.clone()));
    let disclosing = Disclosing::new(epochs.clone(), discloser, witness.clone());
    let disclosing =
        DiscloserServiceServer::new(disclosing).max_decoding_message_size(LARGEST_REQUEST);
    let witnessing = WitnessServiceServer::new(Witnessing { epochs, witness });
    let service = AdapterServiceServer::new(adapter).max_decoding_message_size(LARGEST_REQUEST);
    let mut routes =
        Routes::new(service).add_service(witnessing.max_decoding_message_size(LARGEST_SHOWING));
    routes = routes.add_service(disclosing);
    if let Some(holder) = holder {
        let holder = KeyHolderServiceServer::new(holder);
        routes = routes.add_service(holder.max_decoding_message_size(LARGEST_REQUEST));
    }
    let requests = RequesterServiceServer::new(requests).max_decoding_message_size(LARGEST_ANSWER);
    let hotline = HotlineServiceServer::new(hotline).max_decoding_message_size(LARGEST_REQUEST);
    Ok(routes
        .add_service(hotline)
        .add_service(InterceptedService::new(requests, gateway_only.clone()))
        .add_service(InterceptedService::new(health, gateway_only.clone()))
        .add_service(InterceptedService::new(reflection, gateway_only)))
}

fn fault(error: &(dyn std::error::Error + 'static)) -> ServeError {
    ServeError::Transport(transport::root_cause(error))
}

pub(crate) fn read_tls(config: &Config, agency: &Agency) -> Result<Arc<ServerConfig>, ServeError> {
    let tls = config.tls.read()?;
    let programme = agency.manifest.scope.programme.clone();
    let expected = Identity { programme, party: Party::Agency(agency.id.clone()) };
    if tls.identity == expected {
        Ok(tls.server)
    } else {
        Err(ServeError::Identity { found: tls.identity, expected })
    }
}

#[cfg(test)]
mod tests {
    use tonic::{
        body::Body,
        codegen::{Service, http},
        service::AxumBody,
    };

    use super::*;
    use crate::fixture;

    /// The gRPC status with which each service answers this party.
    async fn answers(party: Option<&str>) -> Vec<String> {
        let (_directory, _people, config, clock) = fixture::agency();
        let epochs = Epochs::open(config.clone(), clock.clone()).expect("opened");
        let (granted, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let witness = Witness::open(&config.state_dir, clock.clone(), stop).expect("opened");
        let witness = Arc::new(witness);
        let requests = Requests { carrier: Arc::default(), witness: witness.clone() };
        let epochs = Arc::new(epochs);
        let hotline = Hotline::new(&config, epochs.clone(), witness.clone());
        let adapter = Adapter { epochs, granted, witness };
        let key_holder = KeyHolder::new(&config.state_dir, &config.agency, clock.clone());
        let discloser = Arc::new(Discloser::open(config, clock).expect("opened"));
        let rest = (requests, discloser, hotline);
        let routes = routes(adapter, Some(Arc::new(key_holder)), rest).await;
        let mut routes = routes.expect("built").prepare();
        let mut answers = vec![];
        for path in [
            "/matching.v1.AdapterService/Describe",
            "/matching.v1.DiscloserService/Disclose",
            "/matching.v1.KeyHolderService/Evaluate",
            "/matching.v1.HotlineService/ReturnOrders",
            "/matching.v1.RequesterService/Evaluations",
            "/matching.v1.WitnessService/AddCheckpoint",
            "/matching.v1.WitnessService/ShowEntries",
            "/grpc.health.v1.Health/Check",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ] {
            // A message of no bytes.
            let body = Body::new(AxumBody::from(vec![0; 5]));
            let mut request = http::Request::post(path).body(body).expect("a request");
            let grpc = "application/grpc".parse().expect("a header");
            request.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
            if let Some(party) = party {
                let identity: Identity = party.parse().expect("an identity");
                request.extensions_mut().insert(identity);
            }
            let answer = routes.call(request).await.expect("infallible");
            let status = answer.headers().get("grpc-status");
            answers.push(status.map_or("", |status| status.to_str().expect("digits")).to_owned());
        }
        answers
    }

    #[tokio::test]
    async fn every_service_answers_the_programmes_gateway_alone() {
        const REFUSED: &str = "7";
        for party in [
            None,
            Some("spiffe://demo/officer/li-na"),
            Some("spiffe://demo/agency/tax"),
            Some("spiffe://other/gateway/gateway"),
        ] {
            assert_eq!(answers(party).await, [REFUSED; 9], "{party:?}");
        }
        let gateway = answers(Some("spiffe://demo/gateway/gateway")).await;
        assert!(gateway.iter().all(|status| status != REFUSED), "{gateway:?}");
    }
}
