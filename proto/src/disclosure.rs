//! A disclosure on its way: who signed the request, and the agency's answer, which only the officer's
//! key opens (PROTOCOL.md sections 21.2 and 21.5).
//!
//! Owns both forms with their signatures. The request is `disclosure_request`'s, whether a certificate
//! is an officer's `officer_certificate`'s; what is granted is decided by the agency's adapter.

use zeroize::Zeroizing;

use crate::{
    contact::{Contact, UNIT},
    disclosure_request::{DisclosureRequest, InvalidDisclosureRequest},
    envelope::{Envelope, EnvelopeError, EnvelopePrivateKey},
    hex_bytes::HexBytes,
    labels,
    lp::LengthPrefixed,
    signing::{SigningKey, VerifyingKey},
    wire,
};

/// Certificates in one chain, at most.
pub const MAX_CHAIN: usize = 4;
/// Bytes of one certificate, and of a request, at most.
pub const MAX_PART: usize = 8 << 10;
/// Bytes of a signature, at most: ECDSA in ASN.1.
const MAX_SIGNATURE: usize = 128;
/// Approvals of one request, at most.
pub const MAX_APPROVALS: usize = 4;
/// Units that contact details take, at most.
const MAX_UNITS: usize = 12;

/// Somebody's word on a request. Nothing about it is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficerSignature {
    /// The certificate, then intermediates; DER.
    pub certificates: Vec<Vec<u8>>,
    /// By the certificate's key.
    pub signature: Vec<u8>,
}

/// What an adapter is asked: of the right form, and nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The request.
    pub request: DisclosureRequest,
    /// Of who asks.
    pub officer: OfficerSignature,
    /// Of those who approve.
    pub approvals: Vec<OfficerSignature>,
    /// That the log says so; C2SP tlog-proof.
    pub proof: String,
}

/// Contact details, encrypted to the officer's key and signed by the agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisclosureAnswer {
    envelope: Envelope,
    signature: [u8; 64],
}

/// A message of the wrong form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedDisclosure {
    /// The request's bytes.
    #[error(transparent)]
    Request(#[from] InvalidDisclosureRequest),
    /// A signature, or the certificates with it.
    #[error(
        "a signature comes with 1 to {MAX_CHAIN} certificates of up to {MAX_PART} bytes and has up to \
         {MAX_SIGNATURE} bytes"
    )]
    Signature,
    /// Too many approvals.
    #[error("a request has up to {MAX_APPROVALS} approvals")]
    Approvals,
    /// The answer.
    #[error("the answer is not a key of 32 bytes, whole units of {UNIT} bytes and a signature")]
    Answer,
}

/// Why an answer is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The agency's key did not sign it for this request.
    #[error(
        "the answer is not signed by the agency for this request: compare the agency's signing key in \
         the federation manifest"
    )]
    Signature,
    /// It does not open.
    #[error(
        "the answer does not open with this key: it was encrypted to another, or for another request"
    )]
    Envelope,
    /// What was encrypted is no contact details.
    #[error("the answer opens and holds no contact details: tell the agency's IT department")]
    Contents,
}

/// What the officer who asks signs.
pub fn request_bytes(digest: &HexBytes<32>) -> LengthPrefixed {
    LengthPrefixed::new().field(labels::DISCLOSURE_REQUEST_SIGNATURE.as_bytes()).field(&digest.0)
}

/// What an approver signs.
pub fn approval_bytes(digest: &HexBytes<32>) -> LengthPrefixed {
    LengthPrefixed::new().field(labels::DISCLOSURE_APPROVAL_SIGNATURE.as_bytes()).field(&digest.0)
}

impl DisclosureAnswer {
    /// Encrypts contact details to the key in the request, and signs.
    ///
    /// # Errors
    /// [`EnvelopeError`] for a key of low order.
    pub fn seal(
        request: &DisclosureRequest,
        contact: &Contact,
        agency: &SigningKey,
    ) -> Result<Self, EnvelopeError> {
        let (digest, info) = (request.digest(), labels::DISCLOSURE_INFO.as_bytes());
        let envelope = request.officer_key.seal(info, &digest.0, &contact.to_padded())?;
        let signature = agency.sign(signed_bytes(&digest, &envelope).as_bytes());
        Ok(Self { envelope, signature })
    }

    /// Checks the agency's signature and decrypts.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn open(
        &self,
        request: &DisclosureRequest,
        agency: &VerifyingKey,
        officer: &EnvelopePrivateKey,
    ) -> Result<Contact, AnswerError> {
        let digest = request.digest();
        agency
            .verify(signed_bytes(&digest, &self.envelope).as_bytes(), &self.signature)
            .map_err(|_| AnswerError::Signature)?;
        let padded: Zeroizing<Vec<u8>> = officer
            .open(labels::DISCLOSURE_INFO.as_bytes(), &digest.0, &self.envelope)
            .map_err(|_| AnswerError::Envelope)?;
        Contact::from_padded(&padded).map_err(|_| AnswerError::Contents)
    }
}

fn signed_bytes(digest: &HexBytes<32>, envelope: &Envelope) -> LengthPrefixed {
    LengthPrefixed::new()
        .field(labels::DISCLOSURE_SIGNATURE.as_bytes())
        .field(&digest.0)
        .field(&envelope.encapsulated_key)
        .field(&envelope.ciphertext)
}

impl TryFrom<wire::DisclosureSignature> for OfficerSignature {
    type Error = MalformedDisclosure;

    fn try_from(message: wire::DisclosureSignature) -> Result<Self, MalformedDisclosure> {
        let wire::DisclosureSignature { certificates, signature } = message;
        let sizes = certificates.iter().all(|der| (1..=MAX_PART).contains(&der.len()));
        let count = (1..=MAX_CHAIN).contains(&certificates.len());
        if sizes && count && signature.len() <= MAX_SIGNATURE {
            Ok(Self { certificates, signature })
        } else {
            Err(MalformedDisclosure::Signature)
        }
    }
}

impl From<&OfficerSignature> for wire::DisclosureSignature {
    fn from(signature: &OfficerSignature) -> Self {
        Self {
            certificates: signature.certificates.clone(),
            signature: signature.signature.clone(),
        }
    }
}

impl TryFrom<wire::DiscloseRequest> for Application {
    type Error = MalformedDisclosure;

    fn try_from(message: wire::DiscloseRequest) -> Result<Self, MalformedDisclosure> {
        if message.approvals.len() > MAX_APPROVALS {
            return Err(MalformedDisclosure::Approvals);
        }
        let approvals = message.approvals.into_iter().map(OfficerSignature::try_from);
        Ok(Self {
            request: DisclosureRequest::parse(&message.request)?,
            officer: message.officer.ok_or(MalformedDisclosure::Signature)?.try_into()?,
            approvals: approvals.collect::<Result<_, _>>()?,
            proof: message.proof,
        })
    }
}

impl From<&Application> for wire::DiscloseRequest {
    fn from(application: &Application) -> Self {
        Self {
            request: application.request.to_bytes(),
            officer: Some((&application.officer).into()),
            approvals: application.approvals.iter().map(Into::into).collect(),
            proof: application.proof.clone(),
        }
    }
}

impl TryFrom<wire::DiscloseResponse> for DisclosureAnswer {
    type Error = MalformedDisclosure;

    fn try_from(message: wire::DiscloseResponse) -> Result<Self, MalformedDisclosure> {
        let wire::DiscloseResponse { encapsulated_key, ciphertext, signature } = message;
        let text = ciphertext.len().checked_sub(16).ok_or(MalformedDisclosure::Answer)?;
        let units = text.is_multiple_of(UNIT) && (1..=MAX_UNITS).contains(&(text / UNIT));
        if encapsulated_key.len() != 32 || !units {
            return Err(MalformedDisclosure::Answer);
        }
        let signature = signature.try_into().map_err(|_| MalformedDisclosure::Answer)?;
        Ok(Self { envelope: Envelope { encapsulated_key, ciphertext }, signature })
    }
}

impl From<&DisclosureAnswer> for wire::DiscloseResponse {
    fn from(answer: &DisclosureAnswer) -> Self {
        Self {
            encapsulated_key: answer.envelope.encapsulated_key.clone(),
            ciphertext: answer.envelope.ciphertext.clone(),
            signature: answer.signature.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contact::ContactField, disclosure_request::tests::request};

    fn key(byte: u8) -> EnvelopePrivateKey {
        EnvelopePrivateKey::from_bytes(&Zeroizing::new([byte; 32]))
    }

    fn contact() -> Contact {
        let name = Zeroizing::new("欧阳建国".to_owned());
        Contact::new(vec![(ContactField::Name, name)]).expect("good")
    }

    #[test]
    fn an_answer_opens_for_its_request_with_the_officers_key_and_in_no_other_way() {
        let agency = SigningKey::from_seed(&Zeroizing::new([5; 32]));
        let answer = DisclosureAnswer::seal(&request(), &contact(), &agency).expect("sealed");
        let wire = wire::DiscloseResponse::from(&answer);
        assert_eq!(wire.ciphertext.len(), UNIT + 16);
        let carried = DisclosureAnswer::try_from(wire.clone()).expect("well formed");
        let public = agency.verifying_key();
        assert_eq!(carried.open(&request(), &public, &key(3)), Ok(contact()));

        let other = carried.open(&request(), &public, &key(4));
        assert_eq!(other, Err(AnswerError::Envelope), "another officer's key");
        let elsewhere = DisclosureRequest { nonce: [9; 32], ..request() };
        assert_eq!(carried.open(&elsewhere, &public, &key(3)), Err(AnswerError::Signature));
        let forger = SigningKey::from_seed(&Zeroizing::new([6; 32]));
        let forged = DisclosureAnswer::seal(&request(), &contact(), &forger).expect("sealed");
        assert_eq!(forged.open(&request(), &public, &key(3)), Err(AnswerError::Signature));
        // Signed for another request by the agency itself: the additional data holds it apart.
        let mut swapped = DisclosureAnswer::seal(&elsewhere, &contact(), &agency).expect("sealed");
        let signed = signed_bytes(&request().digest(), &swapped.envelope);
        swapped.signature = agency.sign(signed.as_bytes());
        assert_eq!(swapped.open(&request(), &public, &key(3)), Err(AnswerError::Envelope));

        let changes: [fn(&mut wire::DiscloseResponse); 4] = [
            |wire| wire.ciphertext.truncate(UNIT),
            |wire| wire.ciphertext.truncate(16),
            |wire| wire.encapsulated_key.truncate(31),
            |wire| wire.signature.truncate(63),
        ];
        for change in changes {
            let mut wire = wire.clone();
            change(&mut wire);
            assert_eq!(DisclosureAnswer::try_from(wire), Err(MalformedDisclosure::Answer));
        }
    }

    #[test]
    fn an_application_survives_the_wire_and_limits_hold() {
        let signature = OfficerSignature { certificates: vec![vec![1]], signature: vec![2] };
        let application = Application {
            request: request(),
            officer: signature.clone(),
            approvals: vec![signature.clone()],
            proof: "proof".into(),
        };
        let message = wire::DiscloseRequest::from(&application);
        assert_eq!(Application::try_from(message.clone()), Ok(application));
        let refused = |change: fn(&mut wire::DiscloseRequest)| {
            let mut message = message.clone();
            change(&mut message);
            Application::try_from(message).expect_err("refused")
        };
        assert_eq!(refused(|m| m.officer = None), MalformedDisclosure::Signature);
        assert_eq!(
            refused(|m| m.approvals[0].certificates.clear()),
            MalformedDisclosure::Signature
        );
        assert_eq!(
            refused(|m| m.approvals[0].certificates = vec![vec![1]; MAX_CHAIN + 1]),
            MalformedDisclosure::Signature
        );
        let many = refused(|m| m.approvals = vec![m.approvals[0].clone(); MAX_APPROVALS + 1]);
        assert_eq!(many, MalformedDisclosure::Approvals);
        let bytes = refused(|m| m.request.truncate(9));
        assert_eq!(bytes, MalformedDisclosure::Request(InvalidDisclosureRequest));
    }
}
