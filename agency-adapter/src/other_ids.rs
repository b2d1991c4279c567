//! Numbers of people who have no resident id: permanent residence cards before 2023, travel permits,
//! passports.

use crate::{clean_text::CleanText, reject::Reject, resident_id::all_digits};

const PASSPORT_LENGTHS: std::ops::RangeInclusive<usize> = 5..=15;

/// Whether this is the older shape of a permanent residence number, three letters and 12 digits.
pub(crate) fn is_old_permanent_residence(text: &CleanText) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 15
        && bytes[..3].iter().all(u8::is_ascii_uppercase)
        && bytes[3..].iter().all(u8::is_ascii_digit)
}

/// A travel permit of Hong Kong or Macao, without its issue count.
pub(crate) fn hmt_travel_permit(text: &CleanText) -> Result<&[u8], Reject> {
    match text.as_bytes() {
        permit @ [b'H' | b'M', digits @ ..] => {
            without_issue_count(digits)?;
            Ok(&permit[..9])
        }
        _ => Err(Reject::Char),
    }
}

/// A travel permit of Taiwan, without its issue count.
pub(crate) fn taiwan_travel_permit(text: &CleanText) -> Result<&[u8], Reject> {
    without_issue_count(text.as_bytes())
}

fn without_issue_count(digits: &[u8]) -> Result<&[u8], Reject> {
    all_digits(digits)?;
    if matches!(digits.len(), 8 | 10) { Ok(&digits[..8]) } else { Err(Reject::Length) }
}

/// Writes country, colon and number. No character is taken for another; punctuation is left out.
pub(crate) fn passport(country: &str, number: &CleanText) -> Result<([u8; 20], usize), Reject> {
    let country = CleanText::code(country).map_err(|_| Reject::Country)?;
    let country = country.as_bytes();
    if !matches!(country.len(), 2 | 3) || !country.iter().all(u8::is_ascii_uppercase) {
        return Err(Reject::Country);
    }
    let is_word = |byte: &&u8| byte.is_ascii_alphanumeric();
    let written = number.as_bytes();
    if written.iter().any(u8::is_ascii_control) {
        return Err(Reject::Char);
    }
    if !PASSPORT_LENGTHS.contains(&written.iter().filter(is_word).count()) {
        return Err(Reject::Length);
    }
    if !written.iter().any(u8::is_ascii_digit) {
        return Err(Reject::Char);
    }
    let mut out = [0; 20];
    let all = country.iter().chain(b":").chain(written.iter().filter(is_word));
    let len = out.iter_mut().zip(all).map(|(place, &byte)| *place = byte).count();
    Ok((out, len))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use crate::{
        identifier::{IdentifierType, canonicalise, canonicalise_passport},
        reject::Reject,
    };

    fn canonical(kind: IdentifierType, raw: &str) -> Result<(u8, String), Reject> {
        let found = canonicalise(&kind, raw, date(2026, 1, 31))?;
        let (kind, text) = found.identifier.as_bytes().split_first().expect("a type byte");
        Ok((*kind, String::from_utf8(text.to_vec()).expect("ASCII")))
    }

    #[test]
    fn permanent_residence_has_two_shapes() {
        let kind = IdentifierType::ForeignPermanentResidence;
        assert_eq!(canonical(kind, "911156198203030015"), Ok((2, "911156198203030015".into())));
        assert_eq!(canonical(kind, "usa110082030315"), Ok((3, "USA110082030315".into())));
        assert_eq!(canonical(kind, "911156198203030016"), Err(Reject::Checksum));
        assert_eq!(canonical(kind, "320102198001010016"), Err(Reject::Region));
        assert_eq!(canonical(kind, "USA11008203031"), Err(Reject::Char));
    }

    #[test]
    fn travel_permits_lose_their_issue_count() {
        let kind = IdentifierType::HmtTravelPermit;
        assert_eq!(canonical(kind, "H1234567801"), Ok((4, "H12345678".into())));
        assert_eq!(canonical(kind, "m12345678"), Ok((4, "M12345678".into())));
        assert_eq!(canonical(kind, "H123456780"), Err(Reject::Length));
        assert_eq!(canonical(kind, "K12345678"), Err(Reject::Char));
        let kind = IdentifierType::TaiwanTravelPermit;
        assert_eq!(canonical(kind, "2345678901"), Ok((5, "23456789".into())));
        assert_eq!(canonical(kind, "23456789"), Ok((5, "23456789".into())));
        assert_eq!(canonical(kind, "234567890"), Err(Reject::Length));
    }

    #[test]
    fn a_passport_carries_its_country_and_nothing_is_repaired() {
        let passport = |country, number| {
            let found = canonicalise_passport(country, number)?;
            Ok::<_, Reject>(String::from_utf8(found.identifier.as_bytes().to_vec()).expect("ASCII"))
        };
        assert_eq!(passport("chn", "e 1234-5678").as_deref(), Ok("\u{6}CHN:E12345678"));
        assert_eq!(passport("US", "O0123456").as_deref(), Ok("\u{6}US:O0123456"));
        // Myanmar, Estonia and Namibia: letters that elsewhere stand for nothing.
        for country in ["MM", "EE", "NA"] {
            let found = passport(country, "E12345678");
            assert_eq!(found, Ok(format!("\u{6}{country}:E12345678")));
        }
        assert_eq!(passport("", "E12345678"), Err(Reject::Country));
        assert_eq!(passport("CHINA", "E12345678"), Err(Reject::Country));
        assert_eq!(passport("CHN", "E12"), Err(Reject::Length));
        assert_eq!(passport("CHN", "ABSENT"), Err(Reject::Char));
        assert_eq!(
            canonical(IdentifierType::Passport, "CHN:E12345678"),
            Ok((6, "CHN:E12345678".into()))
        );
        assert_eq!(canonical(IdentifierType::Passport, "E12345678"), Err(Reject::Country));
    }
}
