//! E-mail: one message per notification, with the same Message-ID at every attempt, over TLS from the
//! first byte or after STARTTLS, and never without.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context, ensure};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};
use serde::Deserialize;

use super::{
    channel::{Failed, Problem},
    http,
    message::{Lang, Message},
};

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a whole sending may take.
const WHOLE: Duration = Duration::from_secs(60);

/// How the connection becomes one with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// From the first byte.
    #[default]
    Tls,
    /// By STARTTLS; a server that does not offer it is not used.
    Starttls,
}

/// Where the mail server is and who it is.
pub struct Server<'a> {
    /// Its name, as in its certificate.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// How TLS begins.
    pub security: Security,
    /// A file of certificates to trust instead of the system's.
    pub trust: Option<&'a Path>,
    /// What we log in with.
    pub credentials: Option<Credentials>,
}

/// A mail server and the people who are written to.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    lang: Lang,
}

impl Smtp {
    /// Writes from `from` to all of `to`.
    ///
    /// # Errors
    /// What is wrong with the file of certificates.
    pub fn new(
        server: Server<'_>,
        (from, to): (Mailbox, Vec<Mailbox>),
        lang: Lang,
    ) -> anyhow::Result<Self> {
        http::install_provider();
        let mut tls = TlsParameters::builder(server.host.into());
        if let Some(path) = server.trust {
            let pem = fs::read(path).with_context(|| format!("trust: {}", path.display()))?;
            let roots = Certificate::from_pem(&pem);
            let roots = roots.ok().with_context(|| format!("trust: {}", path.display()))?;
            tls = tls.certificate_store(CertificateStore::None).add_root_certificate(roots);
        }
        let tls = tls.build_rustls().context("trust holds no usable certificate")?;
        let tls = match server.security {
            Security::Tls => Tls::Wrapper(tls),
            Security::Starttls => Tls::Required(tls),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host)
            .port(server.port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let Some(credentials) = server.credentials {
            transport = transport.credentials(credentials);
        }
        ensure!(!to.is_empty(), "to names nobody");
        Ok(Self { transport: transport.build(), from, to, lang })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn send(&self, message: &Message) -> Result<(), Failed> {
        let sending = tokio::time::timeout(WHOLE, self.transport.send(self.mail(message)));
        match sending.await {
            Err(_) => Err(Problem::Timeout.into()),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(match error.status().map(u16::from) {
                Some(code) if error.is_permanent() => Failed::ForGood(Problem::Smtp(code)),
                Some(code) => Problem::Smtp(code).into(),
                None if error.is_tls() => Problem::Tls.into(),
                None if error.is_timeout() => Problem::Timeout.into(),
                None => Problem::Unreachable.into(),
            }),
        }
    }

    fn mail(&self, message: &Message) -> Mail {
        let domain = self.from.email.domain();
        let made_at = u64::try_from(message.made_at.as_second()).unwrap_or_default();
        let mail = Mail::builder()
            .message_id(Some(format!("<{}@{domain}>", message.id)))
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(made_at))
            .subject(message.subject(self.lang))
            .from(self.from.clone())
            .header(ContentType::TEXT_PLAIN);
        let mail = self.to.iter().fold(mail, |mail, to| mail.to(to.clone()));
        mail.body(message.text(self.lang)).expect("a sender and somebody to write to are there")
    }
}

#[cfg(test)]
mod tests {
    use super::{super::message::tests::message, *};

    #[test]
    fn a_mail_is_the_same_at_every_attempt() {
        let server = Server {
            host: "mail.example",
            port: 465,
            security: Security::Tls,
            trust: None,
            credentials: None,
        };
        let mailbox = |text: &str| text.parse::<Mailbox>().expect("a mailbox");
        let people = (mailbox("Desk <desk@a.example>"), vec![mailbox("li@b.example")]);
        let smtp = Smtp::new(server, people, Lang::En).expect("a server");
        let message = message(&["AL-0123-ABCD-XYZ9"]);
        let text = String::from_utf8(smtp.mail(&message).formatted()).expect("text");
        assert_eq!(text, String::from_utf8(smtp.mail(&message).formatted()).expect("text"));
        let id = format!("Message-ID: <{}@a.example>", message.id);
        for part in [&id[..], "Tue, 24 Nov 2026 06:00:00", "A case for you AL-0123-ABCD-XYZ9"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
