//! A mail server: as much of SMTP (RFC 5321) as a client needs to hand over a message, with TLS from the
//! first byte or after STARTTLS (RFC 3207).

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::inbox::Inbox;
use crate::pki::Pki;

/// The server, until it is dropped.
pub struct SmtpStub {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it received.
    pub inbox: Inbox<Mail>,
    refusal: Arc<Mutex<Option<u16>>>,
    task: JoinHandle<()>,
}

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With the first byte.
    Tls,
    /// By STARTTLS.
    Starttls,
    /// Not at all.
    Never,
}

/// A message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    /// `AUTH ...`, where the client logged in.
    pub auth: Option<String>,
    /// To whom.
    pub to: Vec<String>,
    /// Headers and body.
    pub text: String,
}

/// What every connection needs.
#[derive(Clone)]
struct Desk {
    acceptor: TlsAcceptor,
    inbox: Inbox<Mail>,
    refusal: Arc<Mutex<Option<u16>>>,
}

impl SmtpStub {
    /// Starts it with a certificate of this authority.
    ///
    /// # Errors
    /// The system's.
    pub async fn start(pki: &Pki, begin: Begin) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (inbox, refusal) = (Inbox::new(), Arc::default());
        let (acceptor, refused) = (super::acceptor(pki)?, Arc::clone(&refusal));
        let desk = Desk { acceptor, inbox: inbox.clone(), refusal: refused };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let desk = desk.clone();
                tokio::spawn(async move {
                    // A caller who does not trust the certificate is no failure of the stub.
                    let _ = desk.meet(stream, begin).await;
                });
            }
        });
        Ok(Self { address, inbox, refusal, task })
    }

    /// From now on it refuses every message with this code; or takes it, with none.
    pub fn refuse(&self, code: Option<u16>) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = code;
    }
}

impl Drop for SmtpStub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Desk {
    async fn meet(&self, stream: TcpStream, begin: Begin) -> io::Result<()> {
        if begin == Begin::Tls {
            let stream = self.acceptor.accept(stream).await?;
            return self.talk(BufReader::new(stream), (true, false)).await.map(drop);
        }
        let plain = BufReader::new(stream);
        let offered = begin == Begin::Starttls;
        if let Some(plain) = self.talk(plain, (true, offered)).await? {
            let stream = self.acceptor.accept(plain.into_inner()).await?;
            self.talk(BufReader::new(stream), (false, false)).await?;
        }
        Ok(())
    }

    /// Answers until the client leaves, or wants TLS: then the connection is given back.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: BufReader<S>,
        (greet, starttls): (bool, bool),
    ) -> io::Result<Option<BufReader<S>>> {
        if greet {
            stream.write_all(b"220 stub\r\n").await?;
        }
        let mut mail = Mail::default();
        loop {
            let line = line(&mut stream).await?;
            let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            let answer = match &word[..] {
                "" => return Ok(None),
                "EHLO" if starttls => "250-stub\r\n250 STARTTLS".into(),
                "EHLO" => "250-stub\r\n250 AUTH PLAIN".into(),
                "AUTH" => {
                    mail.auth = Some(line);
                    "235 welcome".into()
                }
                "STARTTLS" => {
                    stream.write_all(b"220 begin\r\n").await?;
                    return Ok(Some(stream));
                }
                "RCPT" => {
                    mail.to.push(line);
                    "250 ok".into()
                }
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    mail.text = text(&mut stream).await?;
                    self.take(std::mem::take(&mut mail))
                }
                _ => "250 ok".into(),
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
    }

    fn take(&self, mail: Mail) -> String {
        // How it answers is settled before anybody sees that the message has come.
        let refusal = *self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        self.inbox.put(mail);
        refusal.map_or("250 taken".into(), |code| format!("{code} no"))
    }
}

async fn line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

/// A message up to the line with a point.
async fn text(stream: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
            return Ok(text);
        }
        text += &line;
    }
}
