//! An HTTPS server for webhooks and SMS: one request per connection, HTTP/1.1.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::inbox::Inbox;
use crate::pki::Pki;

/// The longest body that is read.
const LONGEST: usize = 1 << 20;

/// The server, until it is dropped.
pub struct HttpsStub {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it received.
    pub inbox: Inbox<Received>,
    answer: Arc<Mutex<Answer>>,
    task: JoinHandle<()>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `POST /path HTTP/1.1`.
    pub request: String,
    /// Headers by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// How it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// With a status, further header lines and a body.
    Status(u16, &'static str, &'static str),
    /// Never.
    Silence,
}

impl HttpsStub {
    /// Starts it with a certificate of this authority, answering 200 to everything.
    ///
    /// # Errors
    /// The system's.
    pub async fn start(pki: &Pki) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, acceptor) = (listener.local_addr()?, super::acceptor(pki)?);
        let inbox = Inbox::new();
        let answer = Arc::new(Mutex::new(Answer::Status(200, "", "")));
        let task = tokio::spawn(accept(listener, acceptor, inbox.clone(), answer.clone()));
        Ok(Self { address, inbox, answer, task })
    }

    /// Its address as a URL with this path.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// From now on it answers so.
    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }
}

impl Drop for HttpsStub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    inbox: Inbox<Received>,
    answer: Arc<Mutex<Answer>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, inbox, answer) = (acceptor.clone(), inbox.clone(), answer.clone());
        tokio::spawn(async move {
            // A caller who does not trust the certificate is no failure of the stub.
            let _ = serve(stream, acceptor, inbox, answer).await;
        });
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    inbox: Inbox<Received>,
    answer: Arc<Mutex<Answer>>,
) -> io::Result<()> {
    let mut stream = BufReader::new(acceptor.accept(stream).await?);
    let received = read(&mut stream).await?;
    // How it answers is settled before anybody sees that the request has come.
    let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    inbox.put(received);
    match answer {
        Answer::Silence => std::future::pending().await,
        Answer::Status(status, headers, body) => {
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {status} stub\r\ncontent-length: {length}\r\nconnection: close\r\n\
                 {headers}\r\n{body}"
            );
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await
        }
    }
}

async fn read(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Received> {
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; LONGEST.min(length)];
    stream.read_exact(&mut body).await?;
    Ok(Received { request: request.trim_end().to_owned(), headers, body })
}
