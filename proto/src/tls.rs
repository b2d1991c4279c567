//! Mutual TLS 1.3 from PEM bytes: the only way any two parties speak (PROTOCOL.md section 11).
//!
//! Reading the files is the programs' business; sockets are `transport`'s.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::WebPkiServerVerifier,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
    version::TLS13,
};

use crate::identity::{Identity, IdentityError};

/// One party's certificate, and whom it trusts, ready to serve and to dial with.
#[derive(Clone)]
pub struct Tls {
    /// For accepting: a client certificate is required.
    pub server: Arc<ServerConfig>,
    /// For dialling: presents the certificate.
    pub client: Arc<ClientConfig>,
    /// Whom the own certificate names.
    pub identity: Identity,
}

/// PEM contents of one party's TLS files.
pub struct TlsPem<'a> {
    /// The certificate, followed by intermediates.
    pub certificate: &'a [u8],
    /// Its private key.
    pub key: &'a [u8],
    /// The authorities that issue the federation's certificates.
    pub trust: &'a [u8],
    /// Their revocation lists. With any, a certificate whose status they do not give is refused.
    pub revoked: Option<&'a [u8]>,
}

/// What is wrong with the TLS files. All of them are ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No PEM of that kind.
    #[error("{file}: no {what} in PEM form found")]
    Pem {
        /// Which of the four files, by its key in the configuration.
        file: &'static str,
        /// What it should hold.
        what: &'static str,
    },
    /// The certificate does not say who we are.
    #[error("certificate: {0}")]
    Identity(#[from] IdentityError),
    /// The library refused the combination.
    #[error("{file}: {problem}")]
    Unusable {
        /// Which file.
        file: &'static str,
        /// The library's words.
        problem: String,
    },
}

impl Tls {
    /// Checks the files against each other.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn from_pem(pem: &TlsPem<'_>) -> Result<Self, TlsError> {
        let chain = all::<CertificateDer<'static>>(pem.certificate, "certificate", "certificate")?;
        let identity = Identity::of_certificate(&chain[0])?;
        let key = PrivateKeyDer::from_pem_slice(pem.key)
            .map_err(|_| TlsError::Pem { file: "key", what: "private key" })?;
        let roots = Arc::new(roots(pem.trust)?);
        let revoked = match pem.revoked {
            Some(lists) => {
                all::<CertificateRevocationListDer<'static>>(lists, "revoked", "revocation list")?
            }
            None => vec![],
        };
        Ok(Self {
            server: Arc::new(server(&roots, revoked.clone(), &chain, &key)?),
            client: Arc::new(client(&roots, revoked, chain, key)?),
            identity,
        })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn all<T: PemObject>(
    pem: &[u8],
    file: &'static str,
    what: &'static str,
) -> Result<Vec<T>, TlsError> {
    let found: Result<Vec<T>, _> = T::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or(TlsError::Pem { file, what })
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for root in all::<CertificateDer<'static>>(pem, "trust", "certificate")? {
        roots.add(root).map_err(|error| unusable("trust", &error))?;
    }
    Ok(roots)
}

fn unusable(file: &'static str, problem: &dyn std::fmt::Display) -> TlsError {
    TlsError::Unusable { file, problem: problem.to_string() }
}

fn server(
    roots: &Arc<RootCertStore>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
        .with_crls(revoked)
        .enforce_revocation_expiration()
        .build()
        .map_err(|error| unusable("revoked", &error))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| unusable("certificate", &error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.to_vec(), key.clone_key())
        .map_err(|error| unusable("key", &error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would skip the certificate check, and with it a revocation.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client(
    roots: &Arc<RootCertStore>,
    revoked: Vec<CertificateRevocationListDer<'static>>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, TlsError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider())
        .with_crls(revoked)
        .enforce_revocation_expiration()
        .build()
        .map_err(|error| unusable("revoked", &error))?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| unusable("certificate", &error))?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(chain, key)
        .map_err(|error| unusable("key", &error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}
