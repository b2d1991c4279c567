//! One HTTPS address to which messages are posted, and what its answers mean.

use std::{error::Error, fs, path::Path, time::Duration};

use anyhow::{Context, ensure};
use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{
    Certificate, Client, RequestBuilder, Response, StatusCode, Url, header::RETRY_AFTER, redirect,
};

use super::{
    backoff::LONGEST_REST,
    channel::{Failed, Problem},
};

/// How long an answer may take, as the Standard Webhooks specification recommends.
const PATIENCE: Duration = Duration::from_secs(20);

/// The address.
pub struct Endpoint {
    client: Client,
    url: Url,
}

impl Endpoint {
    /// Trusts the certificates in the file `trust`, or else the system's.
    ///
    /// # Errors
    /// What is wrong with the address or the file.
    pub fn new(url: &str, trust: Option<&Path>) -> anyhow::Result<Self> {
        let url = Url::parse(url).context("url is no address")?;
        ensure!(url.scheme() == "https", "url must begin with https://");
        let bare = url.username().is_empty() && url.password().is_none();
        ensure!(bare, "url must not hold a name or password: anybody may read this file");
        install_provider();
        let mut builder = Client::builder()
            .https_only(true)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .user_agent("matching-gateway");
        if let Some(path) = trust {
            let pem = fs::read(path).with_context(|| format!("trust: {}", path.display()))?;
            let roots = Certificate::from_pem_bundle(&pem).unwrap_or_default();
            ensure!(!roots.is_empty(), "trust: {} holds no certificate", path.display());
            builder = builder.tls_certs_only(roots);
        }
        Ok(Self { client: builder.build().context("the HTTP client")?, url })
    }

    /// A message to the address.
    pub fn post(&self) -> RequestBuilder {
        self.client.post(self.url.clone())
    }
}

/// The libraries for HTTP and SMTP ask the process for its one provider of cryptography: ring, as
/// everywhere here.
pub fn install_provider() {
    // Whoever was first installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Sends a request; gives the answer if it is one of success.
///
/// # Errors
/// [`Failed`].
pub async fn send(request: RequestBuilder, now: Timestamp) -> Result<Response, Failed> {
    let answer = request.send().await.map_err(|error| problem(&error))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let problem = Problem::Http(status.as_u16());
    let passing = status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    Err(if passing {
        Failed::Now { problem, rest: rest(&answer, now) }
    } else {
        Failed::ForGood(problem)
    })
}

/// What a failure without an answer was.
pub fn problem(error: &reqwest::Error) -> Problem {
    if error.is_timeout() {
        return Problem::Timeout;
    }
    if error.source().is_some_and(is_of_tls) { Problem::Tls } else { Problem::Unreachable }
}

/// Whether it is a failure of TLS, or wraps one; an I/O error does not tell as its source what it wraps.
fn is_of_tls(error: &(dyn Error + 'static)) -> bool {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>()
        || wrapped.is_some_and(|wrapped| is_of_tls(wrapped))
        || error.source().is_some_and(is_of_tls)
}

/// `Retry-After` (RFC 9110 section 10.2.3), in seconds or as a date.
fn rest(answer: &Response, now: Timestamp) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let rest = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(until.duration_since(now)).ok()?
        }
    };
    Some(rest.min(LONGEST_REST))
}
