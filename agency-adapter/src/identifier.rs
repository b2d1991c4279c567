//! The canonical, typed personal number: what everything about a person is derived from.
//!
//! Owns the type bytes (PROTOCOL.md section 3) and the choice of rule by the configured type, which is
//! never guessed. Cleaning is `clean_text`'s, each type's rules are `resident_id`'s, `other_ids`' and
//! `credit_code`'s.

use std::{fmt, num::NonZeroU8};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{clean_text::CleanText, credit_code, other_ids, reject::Reject, resident_id};

/// Room for a type byte and the longest number, a passport with its country.
const ROOM: usize = 23;

/// A type byte and ASCII. Wiped when dropped; says nothing in Debug.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Zeroize, ZeroizeOnDrop)]
pub struct Identifier {
    bytes: [u8; ROOM],
    // Not zero, so that an Option of an identifier needs no more room.
    len: NonZeroU8,
}

impl Identifier {
    const RESIDENT: u8 = 1;
    const FOREIGN_PERMANENT: u8 = 2;
    const OLD_FOREIGN_PERMANENT: u8 = 3;
    const HMT_TRAVEL_PERMIT: u8 = 4;
    const TAIWAN_TRAVEL_PERMIT: u8 = 5;
    const PASSPORT: u8 = 6;
    const CREDIT_CODE: u8 = 7;

    fn new(kind: u8, canonical: &[u8]) -> Self {
        let mut bytes = [0; ROOM];
        bytes[0] = kind;
        bytes[1..=canonical.len()].copy_from_slice(canonical);
        let len = u8::try_from(canonical.len() + 1).ok().and_then(NonZeroU8::new);
        Self { bytes, len: len.expect("a type byte and at most 22 others") }
    }

    /// The type byte and the canonical number.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len.get())]
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identifier(..)")
    }
}

/// What kind of number a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentifierType {
    /// 居民身份证, 18 digits or the older 15.
    ResidentId,
    /// 残疾人证: a resident id with category and level.
    DisabilityCertificate,
    /// 港澳台居民居住证.
    HmtResidencePermit,
    /// 外国人永久居留身份证, of 2023 or older.
    ForeignPermanentResidence,
    /// 港澳居民来往内地通行证.
    HmtTravelPermit,
    /// 台湾居民来往大陆通行证.
    TaiwanTravelPermit,
    /// A passport; its country is configured or in a column of its own.
    Passport,
    /// 统一社会信用代码, of an organisation.
    SocialCreditCode,
}

impl IdentifierType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ResidentId,
        Self::DisabilityCertificate,
        Self::HmtResidencePermit,
        Self::ForeignPermanentResidence,
        Self::HmtTravelPermit,
        Self::TaiwanTravelPermit,
        Self::Passport,
        Self::SocialCreditCode,
    ];
}

/// What a disability certificate says besides whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// The official category: 1 sight, 2 hearing, 3 speech, 4 limb, 5 intellectual, 6 mental,
    /// 7 multiple.
    pub kind: u8,
    /// 1, the most severe, to 4.
    pub level: u8,
}

/// An identifier and how it was come by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// The identifier.
    pub identifier: Identifier,
    /// Made from a 15-digit id: less certain, and never the sole ground of an exclusion.
    pub upgraded: bool,
    /// Of a disability certificate.
    pub certificate: Option<Certificate>,
    /// A credit code whose check character does not fit; such codes are in official use.
    pub nonconforming: bool,
    /// A credit code in which a letter was read as the digit it looks like.
    pub repaired: bool,
}

impl Canonical {
    fn certain(kind: u8, canonical: &[u8]) -> Self {
        Self {
            identifier: Identifier::new(kind, canonical),
            upgraded: false,
            certificate: None,
            nonconforming: false,
            repaired: false,
        }
    }
}

/// The identifier in a cell of the configured type; births after `today` are refused. A passport is
/// written with its country, a colon and its number; where the country is elsewhere, use
/// [`canonicalise_passport`].
///
/// # Errors
/// The reason for which the row is refused, without the value.
pub fn canonicalise(kind: &IdentifierType, raw: &str, today: Date) -> Result<Canonical, Reject> {
    if *kind == IdentifierType::Passport {
        let (country, number) = raw.split_once([':', '：']).unwrap_or(("", raw));
        return canonicalise_passport(country, number);
    }
    canonicalise_clean(*kind, CleanText::new(raw)?, today)
}

/// The identifier of a passport.
///
/// # Errors
/// The reason for which the row is refused, without the value.
pub fn canonicalise_passport(country: &str, number: &str) -> Result<Canonical, Reject> {
    passport(country, &CleanText::new(number)?)
}

/// As [`canonicalise_passport`], of a number that is clean already.
pub(crate) fn passport(country: &str, number: &CleanText) -> Result<Canonical, Reject> {
    let (mut passport, len) = other_ids::passport(country, number)?;
    let canonical = Canonical::certain(Identifier::PASSPORT, &passport[..len]);
    passport.zeroize();
    Ok(canonical)
}

/// As [`canonicalise`], of a cell that is clean already and not a passport.
pub(crate) fn canonicalise_clean(
    kind: IdentifierType,
    text: CleanText,
    today: Date,
) -> Result<Canonical, Reject> {
    let certain = Canonical::certain;
    match kind {
        IdentifierType::ResidentId => {
            let (id, upgraded) = resident_id::resident(text, today)?;
            Ok(Canonical { upgraded, ..certain(Identifier::RESIDENT, &id) })
        }
        IdentifierType::DisabilityCertificate => {
            let (id, certificate) = resident_id::disability_certificate(text, today)?;
            let certificate = Some(certificate);
            Ok(Canonical { certificate, ..certain(Identifier::RESIDENT, &id) })
        }
        IdentifierType::HmtResidencePermit => {
            let id = resident_id::residence_permit(text, today)?;
            Ok(certain(Identifier::RESIDENT, &id))
        }
        IdentifierType::ForeignPermanentResidence => {
            if other_ids::is_old_permanent_residence(&text) {
                return Ok(certain(Identifier::OLD_FOREIGN_PERMANENT, text.as_bytes()));
            }
            let id = resident_id::foreign_permanent(text, today)?;
            Ok(certain(Identifier::FOREIGN_PERMANENT, &id))
        }
        IdentifierType::HmtTravelPermit => {
            let permit = other_ids::hmt_travel_permit(&text)?;
            Ok(certain(Identifier::HMT_TRAVEL_PERMIT, permit))
        }
        IdentifierType::TaiwanTravelPermit => {
            let permit = other_ids::taiwan_travel_permit(&text)?;
            Ok(certain(Identifier::TAIWAN_TRAVEL_PERMIT, permit))
        }
        IdentifierType::Passport => passport("", &text),
        IdentifierType::SocialCreditCode => {
            let found = credit_code::credit_code(&text)?;
            Ok(Canonical {
                nonconforming: found.nonconforming,
                repaired: found.repaired,
                ..certain(Identifier::CREDIT_CODE, &found.code)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn found(kind: IdentifierType, raw: &str) -> Result<Canonical, Reject> {
        canonicalise(&kind, raw, date(2026, 1, 31))
    }

    fn resident(raw: &str) -> Result<String, Reject> {
        let found = found(IdentifierType::ResidentId, raw)?;
        Ok(String::from_utf8_lossy(&found.identifier.as_bytes()[1..]).into_owned())
    }

    #[test]
    fn the_documented_spellings_lead_to_the_documented_ids() {
        for (raw, id) in [
            ("320102-19800101-0016", "320102198001010016"),
            ("' 320102-19800101-0016", "320102198001010016"),
            ("=\"320102198001010016\"", "320102198001010016"),
            ("３２０１０４１９５５０６１５００３Ｘ", "32010419550615003X"),
            ("３２０１０４１９５５０６１５００３ｘ", "32010419550615003X"),
            ("32010419550615003Ⅹ", "32010419550615003X"),
            ("32010419550615003Х", "32010419550615003X"),
            ("320104550615003", "32010419550615003X"),
            ("320106990615997", "320106189906159975"),
            ("320102198102031000", "320102198102031000"),
        ] {
            assert_eq!(resident(raw).as_deref(), Ok(id), "{raw}");
        }
    }

    #[test]
    fn the_documented_faults_are_refused_with_their_codes() {
        for (raw, code) in [
            ("320102198001010017", Reject::Checksum),
            ("320102198002300015", Reject::Date),
            ("320102209901010012", Reject::Future),
            ("990101198001010014", Reject::Region),
            ("32010419550615003*", Reject::Char),
            ("320102********0016", Reject::Char),
            ("320102198001010000", Reject::Precision),
            ("3.20102E+17", Reject::Precision),
            ("3201021980010100", Reject::Length),
            ("320102198001010007", Reject::Sequence),
            ("", Reject::Placeholder),
        ] {
            assert_eq!(resident(raw), Err(code), "{raw}");
        }
    }

    #[test]
    fn only_a_fifteen_digit_id_is_marked_upgraded() {
        let upgraded = |raw| found(IdentifierType::ResidentId, raw).expect("good").upgraded;
        assert!(upgraded("320104550615003"));
        assert!(!upgraded("32010419550615003X"));
    }

    #[test]
    fn residence_permits_are_resident_ids_of_three_regions() {
        for permit in ["810000199001010019", "820000199001010010", "830000199001010012"] {
            let permit = [permit, &permit.replace("1990", "1990 ")];
            let a = found(IdentifierType::HmtResidencePermit, permit[0]).expect("good");
            let b = found(IdentifierType::ResidentId, permit[1]).expect("good");
            assert_eq!(a, b, "{permit:?}");
        }
        let other = found(IdentifierType::HmtResidencePermit, "320102198001010016");
        assert_eq!(other, Err(Reject::Region));
    }

    #[test]
    fn a_disability_certificate_is_its_holders_id_with_category_and_level() {
        let holder = found(IdentifierType::ResidentId, "32010419550615003X").expect("good");
        for raw in ["32010419550615003X41", "32010419550615003x41B1", "32010419550615003Х41"] {
            let found = found(IdentifierType::DisabilityCertificate, raw).expect(raw);
            assert_eq!(found.identifier, holder.identifier);
            assert_eq!(found.certificate, Some(Certificate { kind: 4, level: 1 }));
        }
        for (raw, code) in [
            ("32010419550615003X81", Reject::Category),
            ("32010419550615003X45", Reject::Category),
            ("32010419550615003X", Reject::Length),
            ("32010419550615003X41B", Reject::Length),
            ("32010419550615003141", Reject::Checksum),
        ] {
            assert_eq!(found(IdentifierType::DisabilityCertificate, raw), Err(code), "{raw}");
        }
    }

    #[test]
    fn somebody_born_today_has_an_id_and_somebody_born_tomorrow_does_not() {
        let born = |raw, day| canonicalise(&IdentifierType::ResidentId, raw, date(1980, 1, day));
        assert!(born("320102198001010016", 1).is_ok());
        let early =
            canonicalise(&IdentifierType::ResidentId, "320102198001010016", date(1979, 12, 31));
        assert_eq!(early, Err(Reject::Future));
    }

    #[test]
    fn what_is_canonical_stays_as_it_is() {
        use IdentifierType as Type;
        for (kind, raw) in [
            (Type::ResidentId, "' 320104-550615-003"),
            (Type::ResidentId, "３２０１０４１９５５０６１５００３х"),
            (Type::HmtResidencePermit, "810000 19900101 0019"),
            (Type::ForeignPermanentResidence, "=\"911156198203030015\""),
            (Type::ForeignPermanentResidence, "usa-110082030315"),
            (Type::HmtTravelPermit, "h1234567801"),
            (Type::TaiwanTravelPermit, "2345678901"),
            (Type::Passport, "mm:e 1234/5678"),
            (Type::SocialCreditCode, "9135O1OOMOOOIOOY43"),
        ] {
            let once = found(kind, raw).expect(raw);
            let text = std::str::from_utf8(&once.identifier.as_bytes()[1..]).expect("ASCII");
            assert_eq!(found(kind, text).expect(raw).identifier, once.identifier, "{raw}");
        }
    }

    #[test]
    fn debug_says_nothing_about_the_person() {
        let canonical = found(IdentifierType::ResidentId, "320102198001010016").expect("good");
        assert!(!format!("{canonical:?}").contains("3201"));
    }

    #[test]
    fn the_same_number_of_another_type_is_another_identifier() {
        let permit = found(IdentifierType::TaiwanTravelPermit, "23456789").expect("good");
        let passport = canonicalise_passport("TW", "23456789").expect("good");
        assert_ne!(permit.identifier, passport.identifier);
    }
}
