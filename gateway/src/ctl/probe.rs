//! Why a gateway that can be reached closes the connection: in TLS 1.3 it refuses a client's
//! certificate only after the handshake, and its alert is easily lost while the client is already
//! sending. So it is asked once more, by a client that only listens.

use std::{
    io::{self, Read},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, Stream, pki_types::ServerName};

/// For each of connecting, writing and reading.
const PATIENCE: Duration = Duration::from_secs(3);

/// The gateway's words of refusal, or none where it accepts the certificate or cannot be asked.
/// Blocks for some seconds at most.
pub fn refusal(address: &str, server_name: &str, config: Arc<ClientConfig>) -> Option<String> {
    listen(address, server_name, config).err().and_then(|error| {
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match cause {
            Some(alert @ rustls::Error::AlertReceived(_)) => Some(alert.to_string()),
            _ => None,
        }
    })
}

/// Shakes hands and waits for the gateway's first byte, which it sends to a peer that it accepts.
fn listen(address: &str, server_name: &str, config: Arc<ClientConfig>) -> io::Result<()> {
    let name = ServerName::try_from(server_name.to_owned()).map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let socket = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let mut tcp = TcpStream::connect_timeout(&socket, PATIENCE)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_write_timeout(Some(PATIENCE))?;
    Stream::new(&mut tls, &mut tcp).read(&mut [0; 1]).map(|_| ())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::{io::Write, net::TcpListener, thread};

    /// Trusts nobody and presents nothing.
    pub(crate) fn config() -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has TLS 1.3");
        let roots = rustls::RootCertStore::empty();
        Arc::new(versions.with_root_certificates(roots).with_no_client_auth())
    }

    /// A server that answers a greeting with `answer`.
    pub(crate) fn answering(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        thread::spawn(move || {
            let (mut tcp, _) = listener.accept().expect("the probe connects");
            let mut header = [0; 5];
            tcp.read_exact(&mut header).expect("the probe begins the handshake");
            let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
            tcp.read_exact(&mut hello).expect("the probe sends its whole greeting");
            tcp.write_all(answer).expect("the probe listens");
        });
        address
    }

    #[test]
    fn an_alert_is_the_refusal() {
        let access_denied = answering(&[21, 3, 3, 0, 2, 2, 49]);
        let words = refusal(&access_denied, "localhost", config()).expect("it was refused");
        assert!(words.contains("AccessDenied"), "{words}");
    }

    #[test]
    fn a_peer_that_just_closes_or_is_not_there_gives_no_reason() {
        assert_eq!(refusal(&answering(b""), "localhost", config()), None);
        assert_eq!(refusal("127.0.0.1:1", "localhost", config()), None);
    }
}
