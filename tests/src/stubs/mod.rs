//! Servers for what is outside the federation: an SMS gateway or a webhook's receiver over HTTPS, a mail
//! server. Real sockets with real TLS; they keep what they receive, and misbehave on demand.

pub mod https;
pub mod inbox;
pub mod smtp;

use std::sync::Arc;

use anyhow::Context;
use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;

use crate::pki::Pki;

/// TLS for a server that is called `localhost`, with a certificate of this authority.
///
/// # Errors
/// None in practice.
fn acceptor(pki: &Pki) -> anyhow::Result<TlsAcceptor> {
    let issued = pki.issue("agency", "stub");
    let chain = CertificateDer::pem_slice_iter(issued.certificate.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().context("its own certificate")?;
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).context("its own key")?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
