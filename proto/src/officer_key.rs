//! The key of an officer's own certificate, to sign with (PROTOCOL.md section 21.2): the same that the
//! officer speaks TLS with.
//!
//! What is signed begins with a length, and what TLS 1.3 signs with 64 blanks (RFC 8446, 4.4.3):
//! neither can be taken for the other.

use std::{fmt, sync::Arc};

use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::SigningKey,
};

use crate::{disclosure::OfficerSignature, lp::LengthPrefixed};

/// What the protocol's signatures are made with.
const SCHEMES: [SignatureScheme; 2] =
    [SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256];

/// The key with its certificate.
pub struct OfficerKey {
    certificates: Vec<Vec<u8>>,
    key: Arc<dyn SigningKey>,
}

/// The files cannot be used to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OfficerKeyError {
    /// No PEM.
    #[error("no certificate and private key in PEM form found")]
    Pem,
    /// A key that the protocol's signatures are not made with.
    #[error(
        "the certificate's key must be Ed25519 or ECDSA P-256 to sign disclosure requests with: have a \
         certificate with such a key issued"
    )]
    Kind,
}

impl OfficerKey {
    /// From the PEM files of an officer's TLS configuration.
    ///
    /// # Errors
    /// [`OfficerKeyError`].
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, OfficerKeyError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(OfficerKeyError::Pem)?;
        let der = PrivateKeyDer::from_pem_slice(key).map_err(|_| OfficerKeyError::Pem)?;
        let key = any_supported_type(&der).map_err(|_| OfficerKeyError::Kind)?;
        key.choose_scheme(&SCHEMES).ok_or(OfficerKeyError::Kind)?;
        let certificates = chain.iter().map(|der| der.to_vec()).collect();
        Ok(Self { certificates, key })
    }

    /// The certificate, then intermediates; DER.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// Signs, and puts the certificates to the signature.
    ///
    /// # Errors
    /// [`OfficerKeyError::Kind`] where the library refuses.
    pub fn sign(&self, message: &LengthPrefixed) -> Result<OfficerSignature, OfficerKeyError> {
        let signer = self.key.choose_scheme(&SCHEMES).ok_or(OfficerKeyError::Kind)?;
        let signature = signer.sign(message.as_bytes()).map_err(|_| OfficerKeyError::Kind)?;
        Ok(OfficerSignature { certificates: self.certificates.clone(), signature })
    }
}

impl fmt::Debug for OfficerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfficerKey")
    }
}
