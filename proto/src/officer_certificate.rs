//! Whose signature it is: a certificate of the officers' authority in the federation manifest, valid
//! now, that names an officer of the programme (PROTOCOL.md section 21.3).
//!
//! The chain is verified by rustls' webpki, as for a TLS client. Whether that officer may do anything is
//! decided by who asks.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use rustls::{
    RootCertStore,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use x509_parser::{
    certificate::X509Certificate,
    oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ED25519},
    prelude::FromDer,
};

use crate::{
    disclosure::OfficerSignature,
    identity::{Identity, IdentityError, Party},
    lp::LengthPrefixed,
    name::{AgencyId, ProgrammeId},
};

/// Whom officers' certificates must come from.
#[derive(Debug, Clone)]
pub struct OfficersAuthority {
    programme: ProgrammeId,
    verifier: Arc<dyn ClientCertVerifier>,
}

/// The authority, or the revocation lists, cannot be used. Ours to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// Of the federation manifest.
    #[error("[officers] authority in the federation manifest: {0}")]
    Authority(String),
    /// Of the TLS files.
    #[error("revoked: {0}")]
    Revoked(String),
}

/// Why a signature is not an officer's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnOfficer {
    /// It does not come from the authority, is out of date, revoked or of unknown status.
    #[error("the certificate is not one of the officers' authority that is valid now: {0}")]
    Certificate(String),
    /// It names nobody.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It names somebody else.
    #[error("the certificate names {0}, and no officer of this programme")]
    Other(Box<Identity>),
    /// A key that the protocol's signatures are not made with.
    #[error("the certificate's key is neither Ed25519 nor ECDSA P-256")]
    Kind,
    /// The signature.
    #[error("the signature is not by the certificate's key over this request")]
    Signature,
}

impl OfficersAuthority {
    /// The authority of the manifest, and revocation lists in PEM form, where there are any: then a
    /// certificate whose status they do not give is refused, and every one once they have expired.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn new(
        programme: &ProgrammeId,
        authority: &str,
        revoked: Option<&[u8]>,
    ) -> Result<Self, AuthorityError> {
        let authorities = |problem: &dyn ToString| AuthorityError::Authority(problem.to_string());
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            let root = root.map_err(|_| authorities(&"no certificate in PEM form"))?;
            roots.add(root).map_err(|error| authorities(&error))?;
        }
        let lists = CertificateRevocationListDer::pem_slice_iter(revoked.unwrap_or_default());
        let lists: Result<Vec<_>, _> = lists.collect();
        let lists = lists.map_err(|_| AuthorityError::Revoked("not in PEM form".into()))?;
        let provider = Arc::new(default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
            .with_crls(lists)
            .enforce_revocation_expiration()
            .build()
            .map_err(|error| AuthorityError::Revoked(error.to_string()))?;
        Ok(Self { programme: programme.clone(), verifier })
    }

    /// The officer who signed a message.
    ///
    /// # Errors
    /// [`NotAnOfficer`].
    pub fn officer(
        &self,
        signed: &OfficerSignature,
        message: &LengthPrefixed,
        now: Timestamp,
    ) -> Result<AgencyId, NotAnOfficer> {
        let certificate = |problem: &dyn ToString| NotAnOfficer::Certificate(problem.to_string());
        let chain: Vec<CertificateDer<'_>> =
            signed.certificates.iter().map(|der| CertificateDer::from(&der[..])).collect();
        let (own, intermediates) = chain.split_first().ok_or(certificate(&"there is none"))?;
        let since_1970 = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
        self.verifier
            .verify_client_cert(own, intermediates, UnixTime::since_unix_epoch(since_1970))
            .map_err(|error| certificate(&error))?;
        let identity = Identity::of_certificate(own)?;
        let officer = match &identity.party {
            Party::Officer(id) if identity.programme == self.programme => id.clone(),
            _ => return Err(NotAnOfficer::Other(identity.into())),
        };
        verify(own, message.as_bytes(), &signed.signature)?;
        Ok(officer)
    }
}

/// Whether the certificate's own key signed it.
fn verify(certificate: &[u8], message: &[u8], signature: &[u8]) -> Result<(), NotAnOfficer> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|_| IdentityError::Unreadable)?;
    let key = certificate.public_key();
    let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
    let algorithm: &dyn VerificationAlgorithm = match &key.algorithm.algorithm {
        kind if *kind == OID_SIG_ED25519 => &ED25519,
        kind if *kind == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == Some(OID_EC_P256) => {
            &ECDSA_P256_SHA256_ASN1
        }
        _ => return Err(NotAnOfficer::Kind),
    };
    UnparsedPublicKey::new(algorithm, &key.subject_public_key.data)
        .verify(message, signature)
        .map_err(|_| NotAnOfficer::Signature)
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
        PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType, SignatureAlgorithm,
        date_time_ymd,
    };

    use super::*;
    use crate::officer_key::{OfficerKey, OfficerKeyError};

    struct Authority(Issuer<'static, KeyPair>, String);

    fn authority() -> Authority {
        let key = KeyPair::generate_for(&PKCS_ED25519).expect("random numbers");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("good").pem();
        Authority(Issuer::new(params, key), pem)
    }

    impl Authority {
        /// Certificate and key for a URI, until a year.
        fn issue(
            &self,
            uri: &str,
            until: i32,
            kind: &'static SignatureAlgorithm,
        ) -> (String, String) {
            let key = KeyPair::generate_for(kind).expect("random numbers");
            let mut params = CertificateParams::default();
            params.subject_alt_names = vec![SanType::URI(uri.try_into().expect("ASCII"))];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            (params.not_before, params.not_after) =
                (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
            let certificate = params.signed_by(&key, &self.0).expect("good");
            (certificate.pem(), key.serialize_pem())
        }

        fn trusted(&self) -> OfficersAuthority {
            let programme = "demo".parse().expect("a name");
            OfficersAuthority::new(&programme, &self.1, None).expect("good")
        }
    }

    fn signed((certificate, key): &(String, String), message: &str) -> OfficerSignature {
        let key = OfficerKey::from_pem(certificate.as_bytes(), key.as_bytes()).expect("usable");
        key.sign(&bytes(message)).expect("signed")
    }

    fn bytes(message: &str) -> LengthPrefixed {
        LengthPrefixed::new().field(message.as_bytes())
    }

    fn now() -> Timestamp {
        "2026-11-27T00:00:00Z".parse().expect("a time")
    }

    const LI_NA: &str = "spiffe://demo/officer/li-na";

    #[test]
    fn both_kinds_of_key_sign_as_the_officer_whom_the_certificate_names() {
        let authority = authority();
        for kind in [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256] {
            let signed = signed(&authority.issue(LI_NA, 2099, kind), "yes");
            let officer = authority.trusted().officer(&signed, &bytes("yes"), now());
            assert_eq!(officer.expect("an officer").as_str(), "li-na");
            let other = authority.trusted().officer(&signed, &bytes("no"), now());
            assert_eq!(other, Err(NotAnOfficer::Signature));
        }
        let (certificate, key) = authority.issue(LI_NA, 2099, &PKCS_ECDSA_P384_SHA384);
        let refused = OfficerKey::from_pem(certificate.as_bytes(), key.as_bytes());
        assert_eq!(refused.err(), Some(OfficerKeyError::Kind));
    }

    #[test]
    fn who_is_not_an_officer_of_the_programme_is_refused() {
        let authority = authority();
        let of = |issued: &(String, String)| {
            authority.trusted().officer(&signed(issued, "yes"), &bytes("yes"), now())
        };
        for uri in ["spiffe://demo/agency/tax", "spiffe://other/officer/li-na"] {
            let other = uri.parse::<Identity>().expect("an identity").into();
            let issued = authority.issue(uri, 2099, &PKCS_ED25519);
            assert_eq!(of(&issued), Err(NotAnOfficer::Other(other)));
        }
        let expired = of(&authority.issue(LI_NA, 2021, &PKCS_ED25519));
        assert!(matches!(expired, Err(NotAnOfficer::Certificate(_))), "{expired:?}");
        let foreign = of(&self::authority().issue(LI_NA, 2099, &PKCS_ED25519));
        assert!(matches!(foreign, Err(NotAnOfficer::Certificate(_))), "{foreign:?}");
    }
}
