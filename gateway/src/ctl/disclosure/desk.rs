//! What an officer has on the own computer to ask, approve and open with: certificate and key, the
//! federation manifest, and the key for answers.

use std::{fs, path::Path};

use jiff::Timestamp;
use proto::{
    disclosure::{OfficerSignature, request_bytes},
    disclosure_request::DisclosureRequest,
    envelope::EnvelopePrivateKey,
    lp::LengthPrefixed,
    manifest::Manifest,
    name::AgencyId,
    officer_certificate::OfficersAuthority,
    officer_key::OfficerKey,
    signing::VerifyingKey,
};
use zeroize::Zeroizing;

use super::key_file;
use crate::{audit, config::Config, failure::Failure};

/// All of it.
pub struct Desk<'c> {
    config: &'c Config,
    /// Who sits there.
    pub own: &'c AgencyId,
    manifest: Manifest,
    key: OfficerKey,
}

impl<'c> Desk<'c> {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Failure`] with what to mend.
    pub fn read(config: &'c Config, own: &'c AgencyId) -> Result<Self, Failure> {
        let manifest = audit::manifest(config.manifest.as_deref().ok_or(Failure::NoManifest)?)?;
        let read = |key, path: &Path| {
            fs::read(path).map_err(|error| Failure::CertificateFile {
                key,
                path: path.into(),
                problem: error.to_string(),
            })
        };
        let certificate = read("certificate", &config.tls.certificate)?;
        let key = Zeroizing::new(read("key", &config.tls.key)?);
        let key = OfficerKey::from_pem(&certificate, &key)
            .map_err(|error| Failure::Certificate(error.to_string()))?;
        Ok(Self { config, own, manifest, key })
    }

    /// Signs with the own certificate's key.
    ///
    /// # Errors
    /// [`Failure::Certificate`].
    pub fn sign(&self, message: &LengthPrefixed) -> Result<OfficerSignature, Failure> {
        self.key.sign(message).map_err(|error| Failure::Certificate(error.to_string()))
    }

    /// The key for answers, made now where there is none.
    ///
    /// # Errors
    /// [`Failure::AnswerKey`].
    pub fn answers_key(&self) -> Result<EnvelopePrivateKey, Failure> {
        key_file::read_or_make(&self.config.directory)
    }

    /// The same, where there is one.
    ///
    /// # Errors
    /// [`Failure::AnswerKey`].
    pub fn present_answers_key(&self) -> Result<EnvelopePrivateKey, Failure> {
        key_file::read(&self.config.directory)
    }

    /// That the manifest has the request's scope, and that the agency owns the dataset: a gateway could say
    /// anything. The key that the agency must sign with.
    ///
    /// # Errors
    /// [`Failure::Unproven`].
    pub fn agency_key(&self, request: &DisclosureRequest) -> Result<VerifyingKey, Failure> {
        let unproven = |text: &str| Failure::Unproven(text.to_owned());
        let live = self.manifest.in_epoch(request.scope.epoch);
        let live = live.filter(|manifest| manifest.scope == request.scope);
        let manifest = live.ok_or(unproven("the epoch is not one of your federation manifest"))?;
        let owner = manifest.dataset(&request.dataset).map(|dataset| &dataset.owner);
        if owner != Some(&request.agency) {
            return Err(unproven("the dataset is not the agency's in your federation manifest"));
        }
        let agency = manifest.agency(&request.agency);
        let agency = agency.ok_or(unproven("your federation manifest has no such agency"))?;
        Ok(agency.signing_key)
    }

    /// That the officer whom a request names signed it.
    ///
    /// # Errors
    /// [`Failure::Unproven`].
    pub fn check_signature(
        &self,
        request: &DisclosureRequest,
        signature: &OfficerSignature,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let (programme, authority) =
            (&self.manifest.scope.programme, self.manifest.officers_authority());
        let authority = OfficersAuthority::new(programme, authority, None);
        let authority = authority.map_err(Failure::unproven)?;
        let signed = request_bytes(&request.digest());
        let officer = authority.officer(signature, &signed, now).map_err(Failure::unproven)?;
        if officer == request.officer {
            return Ok(());
        }
        Err(Failure::Unproven("another officer signed the request than the one it names".into()))
    }
}
