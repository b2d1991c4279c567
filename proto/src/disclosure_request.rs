//! What an officer asks an agency to disclose, as the canonical bytes that are signed and approved
//! (PROTOCOL.md section 21.2).
//!
//! Owns the form. Who signs it, and the answer, are `disclosure`'s; whether it is granted is decided by
//! the agency's adapter.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    alert_id::AlertId,
    contact::ContactField,
    envelope::EnvelopeKey,
    hex_bytes::HexBytes,
    labels,
    lp::{LengthPrefixed, LengthPrefixedReader},
    name::{AgencyId, DatasetId},
    scope::{Scope, Suite},
    subject::Subject,
};

/// A request must not be good for longer than this.
pub const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(72);

/// A request's own id, random.
pub type DisclosureId = HexBytes<16>;

/// What the contact details are for. Closed: there is no field for text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To visit the person and verify.
    HomeVisit,
    /// To speak to the person.
    TelephoneContact,
    /// To bring help.
    ReliefDelivery,
    /// To see that the person is safe.
    SafetyCheck,
}

/// By what law (Personal Information Protection Law, article 13, first paragraph). Closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegalBasis {
    /// Item 1: the person agreed.
    Consent,
    /// Item 3: a duty of the authority, here that of social assistance.
    StatutoryDuty,
    /// Item 4: life, health or property are in danger.
    VitalInterest,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisclosureRequest {
    /// The epoch that the subject belongs to.
    pub scope: Scope,
    /// Its own id.
    pub id: DisclosureId,
    /// The alert for which it is made.
    pub alert: AlertId,
    /// Whose contact details.
    pub subject: Subject,
    /// The agency that is asked.
    pub agency: AgencyId,
    /// Its watch dataset that lists the subject.
    pub dataset: DatasetId,
    /// What is asked for: ascending, at least one, none twice.
    pub fields: Vec<ContactField>,
    /// What for.
    pub purpose: Purpose,
    /// By what law.
    pub legal_basis: LegalBasis,
    /// Who asks.
    pub officer: AgencyId,
    /// To which key the answer is encrypted.
    pub officer_key: EnvelopeKey,
    /// Until when it is good; whole seconds.
    pub expires_at: Timestamp,
    /// Random; good for one answer.
    pub nonce: [u8; 32],
    /// Whether to disclose at once and review afterwards.
    pub emergency: bool,
}

/// Bytes that are no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bytes are not those of a disclosure request: every field must be there, in its one form, with \
     a purpose and a legal basis that the protocol knows"
)]
pub struct InvalidDisclosureRequest;

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::HomeVisit, Self::TelephoneContact, Self::ReliefDelivery, Self::SafetyCheck];

    /// The byte that stands for it in signed bytes.
    pub fn to_byte(self) -> u8 {
        match self {
            Self::HomeVisit => 1,
            Self::TelephoneContact => 2,
            Self::ReliefDelivery => 3,
            Self::SafetyCheck => 4,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.to_byte() == byte)
    }
}

impl LegalBasis {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Consent, Self::StatutoryDuty, Self::VitalInterest];

    /// The byte that stands for it in signed bytes: the item of the law.
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Consent => 1,
            Self::StatutoryDuty => 3,
            Self::VitalInterest => 4,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|basis| basis.to_byte() == byte)
    }
}

impl DisclosureRequest {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let fields: Vec<u8> = self.fields.iter().map(|field| field.to_byte()).collect();
        let bytes = LengthPrefixed::new()
            .byte(self.scope.suite.to_byte())
            .field(self.scope.programme.as_str().as_bytes())
            .number(self.scope.epoch)
            .field(&self.id.0)
            .field(self.alert.as_str().as_bytes())
            .field(&self.subject.0)
            .field(self.agency.as_str().as_bytes())
            .field(self.dataset.as_str().as_bytes())
            .field(&fields)
            .byte(self.purpose.to_byte())
            .byte(self.legal_basis.to_byte())
            .field(self.officer.as_str().as_bytes())
            .field(&self.officer_key.to_bytes())
            .long_number(self.expires_at.as_second().cast_unsigned())
            .field(&self.nonce)
            .byte(self.emergency.into());
        bytes.as_bytes().to_vec()
    }

    /// Reads a request. Only the bytes that [`DisclosureRequest::to_bytes`] gives are one.
    ///
    /// # Errors
    /// [`InvalidDisclosureRequest`].
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidDisclosureRequest> {
        let request = read(bytes).ok_or(InvalidDisclosureRequest)?;
        let ascending = request.fields.is_sorted_by(|a, b| a < b);
        let good = ascending && !request.fields.is_empty() && request.to_bytes() == bytes;
        if good { Ok(request) } else { Err(InvalidDisclosureRequest) }
    }

    /// What stands for the request in signatures, in the log and in the answer.
    pub fn digest(&self) -> HexBytes<32> {
        HexBytes(blake3::derive_key(labels::DISCLOSURE_REQUEST, &self.to_bytes()))
    }
}

fn read(bytes: &[u8]) -> Option<DisclosureRequest> {
    let mut reader = LengthPrefixedReader::new(bytes);
    let suite = match reader.byte()? {
        1 => Suite::SaltedHash,
        2 => Suite::Oprf,
        _ => return None,
    };
    let scope = Scope { suite, programme: name(&mut reader)?, epoch: reader.number()? };
    Some(DisclosureRequest {
        scope,
        id: HexBytes(array(&mut reader)?),
        alert: name(&mut reader)?,
        subject: Subject(array(&mut reader)?),
        agency: name(&mut reader)?,
        dataset: name(&mut reader)?,
        fields: reader
            .field()?
            .iter()
            .map(|b| ContactField::from_byte(*b))
            .collect::<Option<_>>()?,
        purpose: reader.byte().and_then(Purpose::from_byte)?,
        legal_basis: reader.byte().and_then(LegalBasis::from_byte)?,
        officer: name(&mut reader)?,
        officer_key: EnvelopeKey::from_bytes(reader.field()?).ok()?,
        expires_at: Timestamp::from_second(reader.long_number()?.cast_signed()).ok()?,
        nonce: array(&mut reader)?,
        emergency: reader.byte()? != 0,
    })
}

fn name<T: std::str::FromStr>(reader: &mut LengthPrefixedReader<'_>) -> Option<T> {
    str::from_utf8(reader.field()?).ok()?.parse().ok()
}

fn array<const N: usize>(reader: &mut LengthPrefixedReader<'_>) -> Option<[u8; N]> {
    reader.field()?.try_into().ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::envelope::EnvelopePrivateKey;

    /// Of a key of 32 equal bytes.
    pub(crate) fn request() -> DisclosureRequest {
        let key = EnvelopePrivateKey::from_bytes(&Zeroizing::new([3; 32]));
        DisclosureRequest {
            scope: Scope {
                programme: "demo".parse().expect("a name"),
                epoch: 7,
                suite: Suite::Oprf,
            },
            id: HexBytes([1; 16]),
            alert: "AL-0123-ABCD-XYZ9".parse().expect("an id"),
            subject: Subject([2; 16]),
            agency: "civil_affairs".parse().expect("a name"),
            dataset: "unemployed".parse().expect("a name"),
            fields: vec![ContactField::Name, ContactField::Address],
            purpose: Purpose::HomeVisit,
            legal_basis: LegalBasis::StatutoryDuty,
            officer: "li-na".parse().expect("a name"),
            officer_key: key.public(),
            expires_at: "2026-11-28T00:00:00Z".parse().expect("a time"),
            nonce: [4; 32],
            emergency: false,
        }
    }

    /// The golden value of PROTOCOL.md section 21.2.
    #[test]
    fn the_canonical_bytes_never_change() {
        let bytes = request().to_bytes();
        assert_eq!(DisclosureRequest::parse(&bytes), Ok(request()));
        assert_eq!(
            hex::encode(&bytes),
            "020000000464656d6f00000007000000100101010101010101010101010101010100000011414c2d3031\
             32332d414243442d58595a3900000010020202020202020202020202020202020000000d636976696c5f\
             616666616972730000000a756e656d706c6f7965640000000201030103000000056c692d6e6100000020\
             5dfedd3b6bd47f6fa28ee15d969d5bb0ea53774d488bdaf9df1c6e0124b3ef22000000006b0a19800000\
             0020040404040404040404040404040404040404040404040404040404040404040400"
        );
        assert_eq!(
            request().digest().to_string(),
            "f059ba8984191c919b672885b0eacbf41b36748f43d001578163a455328d1096"
        );
    }

    #[test]
    fn every_field_is_in_the_digest() {
        let mut others = vec![request(); 14];
        others[0].scope.epoch = 8;
        others[1].scope.suite = Suite::SaltedHash;
        others[2].id = HexBytes([9; 16]);
        others[3].alert = "AL-0123-ABCD-XYZ8".parse().expect("an id");
        others[4].subject = Subject([9; 16]);
        others[5].agency = "tax".parse().expect("a name");
        others[6].dataset = "ill".parse().expect("a name");
        others[7].fields = vec![ContactField::Name];
        others[8].purpose = Purpose::SafetyCheck;
        others[9].legal_basis = LegalBasis::Consent;
        others[10].officer_key = EnvelopePrivateKey::from_bytes(&Zeroizing::new([9; 32])).public();
        others[11].expires_at = "2026-11-29T00:00:00Z".parse().expect("a time");
        others[12].nonce = [9; 32];
        others[13].emergency = true;
        for (number, other) in others.iter().enumerate() {
            assert_ne!(other.digest(), request().digest(), "{number}");
        }
    }

    #[test]
    fn bytes_of_any_other_form_are_refused() {
        let good = request().to_bytes();
        let refused = |bytes: &[u8]| assert!(DisclosureRequest::parse(bytes).is_err());
        for length in 0..good.len() {
            refused(&good[..length]);
        }
        refused(&[&good[..], &[0]].concat());
        let last = good.len() - 1;
        for (place, byte) in [(0, 3), (last, 2)] {
            let mut changed = good.clone();
            changed[place] = byte;
            refused(&changed);
        }
        let fields = good.windows(6).position(|w| w == [0, 0, 0, 2, 1, 3]).expect("the fields") + 4;
        // Descending, twice the same, unknown; then an unknown purpose and an unknown legal basis.
        for (place, bytes) in
            [(0, [3, 1]), (0, [1, 1]), (0, [1, 9]), (2, [9, 3]), (2, [1, 2]), (2, [0, 3])]
        {
            let mut changed = good.clone();
            changed[fields + place..][..2].copy_from_slice(&bytes);
            refused(&changed);
        }
        let nothing = DisclosureRequest { fields: vec![], ..request() };
        refused(&nothing.to_bytes());
    }
}
