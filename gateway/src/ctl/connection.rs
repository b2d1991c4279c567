//! The way to the gateway: the officer's TLS files, a channel to a gateway whose identity was
//! checked, and calls that never wait longer than their deadline.
//!
//! What is called is the commands' business.

use std::{fs, path::Path, time::Duration};

use proto::{
    identity::{Identity, Party},
    name::AgencyId,
    tls::{Tls, TlsPem},
    transport::{self, MAX_MESSAGE, Target},
    wire::{
        admin_service_client::AdminServiceClient, audit_service_client::AuditServiceClient,
        case_service_client::CaseServiceClient, disclosure_service_client::DisclosureServiceClient,
        match_service_client::MatchServiceClient,
        statistics_service_client::StatisticsServiceClient,
    },
};
use tonic::{Request, Response, Status, transport::Channel};

use crate::{config::Config, failure::Failure, probe};

/// How long any call but the watch may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Everything needed to dial the gateway, checked.
pub struct Dialler {
    target: Target,
    tls: Tls,
    own: AgencyId,
}

impl Dialler {
    /// Reads the TLS files and checks them against the configuration.
    ///
    /// # Errors
    /// [`Failure::CertificateFile`] or [`Failure::Certificate`].
    pub fn new(config: &Config) -> Result<Self, Failure> {
        let certificate = read("certificate", &config.tls.certificate)?;
        let key = read("key", &config.tls.key)?;
        let trust = read("trust", &config.tls.trust)?;
        let revoked =
            config.tls.revoked.as_deref().map(|path| read("revoked", path)).transpose()?;
        let pem = TlsPem {
            certificate: &certificate,
            key: &key,
            trust: &trust,
            revoked: revoked.as_deref(),
        };
        let tls =
            Tls::from_pem(&pem).map_err(|error| Failure::Certificate(format!("tls.{error}")))?;
        let own = check_own(&tls.identity, config)?;
        let party = Party::Gateway(config.gateway_id.clone());
        let target = Target {
            address: config.gateway.clone(),
            server_name: config.server_name().into(),
            identity: Identity { programme: config.programme.clone(), party },
        };
        Ok(Self { target, tls, own })
    }

    /// Whose certificate it is.
    pub fn own(&self) -> &AgencyId {
        &self.own
    }

    /// Dials the gateway.
    ///
    /// # Errors
    /// [`Failure`], by who can mend it.
    pub async fn dial(&self) -> Result<Channel, Failure> {
        let connecting = transport::connect(self.target.clone(), self.tls.client.clone());
        match tokio::time::timeout(DEADLINE, connecting).await {
            Ok(connected) => connected.map_err(Failure::of_connection),
            Err(_) => Err(Failure::Unreachable(format!("no answer from {}", self.target.address))),
        }
    }

    /// Dials the gateway, to call its services.
    ///
    /// # Errors
    /// [`Failure`], by who can mend it.
    pub async fn reach(&self) -> Result<Gateway, Failure> {
        Ok(Gateway::over(self.dial().await?))
    }

    /// A connection that was closed, told as what it was where the gateway had refused the
    /// certificate. Any other failure as it is.
    pub async fn explain(&self, failure: Failure) -> Failure {
        if !matches!(failure, Failure::Closed(_)) {
            return failure;
        }
        let Target { address, server_name, .. } = self.target.clone();
        let config = self.tls.client.clone();
        let asked =
            tokio::task::spawn_blocking(move || probe::refusal(&address, &server_name, config));
        match asked.await {
            Ok(Some(words)) => Failure::CertificateRefused(words),
            Ok(None) | Err(_) => failure,
        }
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::CertificateFile {
        key,
        path: path.into(),
        problem: error.to_string(),
    })
}

/// A certificate of an agency or for another programme would only be refused later, and with less said.
fn check_own(own: &Identity, config: &Config) -> Result<AgencyId, Failure> {
    let problem = match &own.party {
        Party::Officer(id) if own.programme == config.programme => return Ok(id.clone()),
        Party::Officer(_) => {
            format!(
                "tls.certificate is for programme {}, and not {}",
                own.programme, config.programme
            )
        }
        Party::Agency(_) | Party::Gateway(_) => {
            format!("tls.certificate names {own}, and no officer")
        }
    };
    Err(Failure::Certificate(problem))
}

/// The gateway's services, over one channel.
#[derive(Clone)]
pub struct Gateway {
    /// For civil-affairs staff.
    pub staff: MatchServiceClient<Channel>,
    /// Cases, for the same.
    pub cases: CaseServiceClient<Channel>,
    /// For those who run it.
    pub admin: AdminServiceClient<Channel>,
    /// For who asks for contact details, and who approves.
    pub disclosures: DisclosureServiceClient<Channel>,
    /// For auditors.
    pub audit: AuditServiceClient<Channel>,
    /// For those who plan help.
    pub statistics: StatisticsServiceClient<Channel>,
}

impl Gateway {
    /// Speaks over `channel`.
    pub fn over(channel: Channel) -> Self {
        Self {
            staff: MatchServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE),
            cases: CaseServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE),
            admin: AdminServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE),
            statistics: StatisticsServiceClient::new(channel.clone())
                .max_decoding_message_size(MAX_MESSAGE),
            disclosures: DisclosureServiceClient::new(channel.clone())
                .max_decoding_message_size(MAX_MESSAGE),
            audit: AuditServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE),
        }
    }
}

/// A request that tells the gateway how long its answer is waited for.
pub fn asking<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

/// The answer of one call, within the deadline.
///
/// # Errors
/// [`Failure`].
pub async fn answer<T>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answered) => Ok(answered?.into_inner()),
        Err(_) => Err(Failure::Deadline),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::tests::{answering, config};

    async fn failure_of(address: String) -> Failure {
        let target = Target {
            address,
            server_name: "localhost".into(),
            identity: "spiffe://demo/gateway/gateway".parse().expect("an identity"),
        };
        let failure = transport::connect(target, config()).await.expect_err("no gateway there");
        Failure::of_connection(failure)
    }

    #[tokio::test]
    async fn a_gateway_that_is_not_running_is_unreachable() {
        let failure = failure_of("127.0.0.1:1".into()).await;
        assert!(matches!(failure, Failure::Unreachable(_)), "{failure:?}");
    }

    #[tokio::test]
    async fn a_gateway_that_closes_during_the_handshake_is_unreachable() {
        let failure = failure_of(answering(b"")).await;
        assert!(matches!(failure, Failure::Unreachable(_)), "{failure:?}");
    }

    #[tokio::test]
    async fn something_else_at_the_address_has_not_proved_to_be_the_gateway() {
        let failure = failure_of(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
        assert!(matches!(failure, Failure::GatewayDistrusted(_)), "{failure:?}");
    }

    #[tokio::test]
    async fn an_alert_in_the_handshake_is_a_refusal() {
        let failure = failure_of(answering(&[21, 3, 3, 0, 2, 2, 49])).await;
        assert!(matches!(failure, Failure::CertificateRefused(_)), "{failure:?}");
    }

    #[test]
    fn only_an_officer_of_the_programme_may_use_this_program() {
        let text = "gateway = 'g:7000'\nprogramme = 'demo'\n\
            [tls]\ncertificate = 'c'\nkey = 'k'\ntrust = 't'";
        let config: Config = toml::from_str(text).expect("a configuration");
        let check = |uri: &str| check_own(&uri.parse().expect("an identity"), &config);
        assert!(check("spiffe://demo/officer/li-na").is_ok());
        for other in ["spiffe://demo/agency/tax", "spiffe://elsewhere/officer/li-na"] {
            assert_eq!(check(other).expect_err(other).exit_code(), 3);
        }
    }
}
