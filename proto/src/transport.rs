//! gRPC over mutual TLS 1.3: accepting connections whose peer is known, and dialling a known peer.
//!
//! The only file of this package that touches a socket. Who may call what is each server's business.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, future::BoxFuture};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, watch},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Server, server::Connected};

use crate::identity::Identity;

/// The largest message either side accepts, bytes.
pub const MAX_MESSAGE: usize = 8 << 20;
const HANDSHAKE: Duration = Duration::from_secs(10);
const HANDSHAKES_AT_ONCE: usize = 64;
/// How long a peer may take to show that it accepted the dialler's certificate.
const VERDICT: Duration = Duration::from_secs(3);
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Bytes of one stream that may be on their way to who dialled, or wait there to be read.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same for all streams of a connection: as many as HTTP/2 allows (RFC 9113, 6.9.1). So a stream that is
/// not read for now keeps nothing from the others, and how many streams there are is for who dialled to say.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// Streams are resumable, so connections end now and then: a revoked peer does not stay for ever.
const CONNECTION_AGE: Duration = Duration::from_secs(30 * 60);

/// The accepting side of a connection, after a handshake that proved who the peer is. Its identity
/// is an extension of every request.
pub struct Peered {
    stream: TlsStream<TcpStream>,
    identity: Identity,
}

/// A gRPC server with the limits that both programs share.
pub fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .http2_max_pending_accept_reset_streams(Some(64))
        .max_concurrent_streams(256)
        .concurrency_limit_per_connection(128)
        .max_frame_size(1 << 18)
        .http2_max_header_list_size(16 << 10)
        .max_connection_age(CONNECTION_AGE)
        .max_connection_age_grace(KEEPALIVE)
}

/// Accepts connections on `listener` with whatever TLS configuration is current. A handshake that
/// fails is logged with the check that failed, and concerns nobody else.
pub fn incoming(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
) -> impl Stream<Item = io::Result<Peered>> {
    let (sender, receiver) = mpsc::channel(HANDSHAKES_AT_ONCE);
    tokio::spawn(accept(listener, tls, sender));
    ReceiverStream::new(receiver)
}

async fn accept(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    sender: mpsc::Sender<io::Result<Peered>>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_AT_ONCE));
    loop {
        let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = sender.closed() => return,
        };
        let (tcp, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or a peer gone again: neither ends the listener.
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (config, sender) = (tls.borrow().clone(), sender.clone());
        tokio::spawn(async move {
            match shake_hands(tcp, config).await {
                Ok(peered) => {
                    tracing::debug!(%address, peer = %peered.identity, "connection accepted");
                    // A closed receiver means that the server is draining.
                    let _ = sender.send(Ok(peered)).await;
                }
                Err(error) => {
                    tracing::warn!(%address, problem = %root_cause(&error), "connection refused");
                }
            }
            drop(place);
        });
    }
}

async fn shake_hands(tcp: TcpStream, config: Arc<ServerConfig>) -> io::Result<Peered> {
    tcp.set_nodelay(true)?;
    let stream =
        timeout(HANDSHAKE, TlsAcceptor::from(config).accept(tcp)).await.map_err(|_| {
            io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long")
        })??;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate =
        certificates.first().ok_or_else(|| io::Error::other("the peer sent no certificate"))?;
    let identity = Identity::of_certificate(certificate).map_err(io::Error::other)?;
    Ok(Peered { stream, identity })
}

/// Whom to dial, and who must answer.
#[derive(Debug, Clone)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// The DNS name that the peer's certificate must hold.
    pub server_name: String,
    /// The identity that it must hold.
    pub identity: Identity,
}

/// Dials `target`; the channel dials again by itself after a connection ends. The future is boxed, so that it
/// is compiled here, once, and not in every crate that awaits it.
///
/// # Errors
/// What failed: the TCP connection, the TLS handshake, or the peer's identity.
pub fn connect(
    target: Target,
    config: Arc<ClientConfig>,
) -> BoxFuture<'static, Result<Channel, String>> {
    Box::pin(dialled(target, config))
}

async fn dialled(target: Target, config: Arc<ClientConfig>) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{}", target.server_name))
        .map_err(|error| format!("server_name {}: {error}", target.server_name))?
        .connect_timeout(HANDSHAKE)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true);
    let connector = tower::service_fn(move |_| {
        let (target, config) = (target.clone(), config.clone());
        async move { dial(&target, config).await.map(TokioIo::new) }
    });
    endpoint.connect_with_connector(connector).await.map_err(|error| root_cause(&error))
}

async fn dial(
    target: &Target,
    config: Arc<ClientConfig>,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(&target.address).await.map_err(|error| {
        io::Error::other(format!("no connection to {}: {error}", target.address))
    })?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from(target.server_name.clone()).map_err(io::Error::other)?;
    let mut stream = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| {
        io::Error::other(format!("TLS with {}: {}", target.address, root_cause(&error)))
    })?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate =
        certificates.first().ok_or_else(|| io::Error::other("the peer sent no certificate"))?;
    let identity = Identity::of_certificate(certificate).map_err(io::Error::other)?;
    if identity != target.identity {
        let expected = &target.identity;
        let text = format!("{} is {identity}, and {expected} was expected", target.address);
        return Err(io::Error::other(text));
    }
    await_verdict(&mut stream, &target.address).await?;
    Ok(stream)
}

/// For who dials, a TLS 1.3 handshake is over before the peer has checked the certificate. Its first
/// bytes, the HTTP/2 settings, say that it was accepted; they are left for the connection to read.
async fn await_verdict(
    stream: &mut tokio_rustls::client::TlsStream<TcpStream>,
    address: &str,
) -> io::Result<()> {
    let problem = match timeout(VERDICT, stream.fill_buf()).await {
        Ok(Ok([_, ..])) => return Ok(()),
        // Nothing yet is no refusal: the first call will tell.
        Err(_) => return Ok(()),
        Ok(Err(error)) if is_alert(&error) => {
            format!("{address} refused this certificate: {}", root_cause(&error))
        }
        Ok(_) => format!(
            "{address} closed the connection right after the handshake, as a peer does that refuses \
             the certificate: its log says why"
        ),
    };
    Err(io::Error::other(problem))
}

fn is_alert(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::AlertReceived(_)))
}

/// The innermost words of an error: the layers above say only that something failed.
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    loop {
        let inner = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => cause.source(),
        };
        match inner {
            Some(inner) => cause = inner,
            None => return cause.to_string(),
        }
    }
}

impl Connected for Peered {
    type ConnectInfo = Identity;

    fn connect_info(&self) -> Identity {
        self.identity.clone()
    }
}

impl AsyncRead for Peered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Peered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Binds a TCP listener; separate from serving, so that port 0 can be asked for and then told.
///
/// # Errors
/// The address and why it cannot be bound.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}

#[cfg(test)]
mod tests;
