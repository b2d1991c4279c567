//! Resident ids (GB 11643) and what is built like them: residence permits of people from Hong Kong,
//! Macao and Taiwan, foreign permanent residence of 2023, disability certificates.
//!
//! County codes are never tested: a historic code stays valid for life.

use jiff::civil::Date;

use crate::{clean_text::CleanText, identifier::Certificate, reject::Reject};

/// Two digits each, as GB/T 2260 lists them; 81 to 83 begin residence permits.
const PROVINCES: [&[u8; 2]; 34] = [
    b"11", b"12", b"13", b"14", b"15", b"21", b"22", b"23", b"31", b"32", b"33", b"34", b"35",
    b"36", b"37", b"41", b"42", b"43", b"44", b"45", b"46", b"50", b"51", b"52", b"53", b"54",
    b"61", b"62", b"63", b"64", b"65", b"71", b"81", b"82",
];
const TAIWAN_PERMIT: &[u8; 2] = b"83";

const PERMIT_REGIONS: [&[u8; 6]; 3] = [b"810000", b"820000", b"830000"];

/// Weights of the first 17 digits: 2^(17 - place) mod 11.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK_CHARACTERS: &[u8; 11] = b"10X98765432";

const OLDEST_YEAR: i16 = 1850;

/// Whether two digits name a province.
pub(crate) fn is_province(digits: &[u8]) -> bool {
    PROVINCES.iter().any(|province| province.as_slice() == digits) || digits == TAIWAN_PERMIT
}

/// An 18-digit id, or a 15-digit one with its century and check character added; the mark says which.
pub(crate) fn resident(text: CleanText, today: Date) -> Result<([u8; 18], bool), Reject> {
    let text = text.settle_x();
    let bytes = text.as_bytes();
    if let Ok(id) = <&[u8; 18]>::try_from(bytes) {
        checked(id, today, is_resident_region)?;
        return Ok((*id, false));
    }
    let legacy = <&[u8; 15]>::try_from(bytes).map_err(|_| length_or_char(bytes))?;
    let id = upgraded(legacy)?;
    checked(&id, today, is_resident_region)?;
    Ok((id, true))
}

/// The residence permit of a person from Hong Kong, Macao or Taiwan.
pub(crate) fn residence_permit(text: CleanText, today: Date) -> Result<[u8; 18], Reject> {
    eighteen(text, today, |id| PERMIT_REGIONS.iter().any(|region| id.starts_with(*region)))
}

/// The foreign permanent residence id of 2023: place and country instead of a county.
pub(crate) fn foreign_permanent(text: CleanText, today: Date) -> Result<[u8; 18], Reject> {
    eighteen(text, today, |id| id[0] == b'9')
}

/// A disability certificate: a resident id, a category, a level and an optional mark of reissue.
pub(crate) fn disability_certificate(
    text: CleanText,
    today: Date,
) -> Result<([u8; 18], Certificate), Reject> {
    let text = text.settle_x();
    let bytes = text.as_bytes();
    let (id, rest) = bytes.split_first_chunk::<18>().ok_or_else(|| length_or_char(bytes))?;
    checked(id, today, is_resident_region)?;
    let certificate = match rest {
        [kind @ b'1'..=b'7', level @ b'1'..=b'4', reissue @ ..] => {
            reissue_checked(reissue)?;
            Certificate { kind: kind - b'0', level: level - b'0' }
        }
        [_, _, ..] => return Err(Reject::Category),
        _ => return Err(Reject::Length),
    };
    Ok((*id, certificate))
}

fn reissue_checked(reissue: &[u8]) -> Result<(), Reject> {
    match reissue {
        [] => Ok(()),
        [b'B', digits @ ..] if matches!(digits.len(), 1 | 2) => all_digits(digits),
        _ => Err(Reject::Length),
    }
}

fn eighteen(
    text: CleanText,
    today: Date,
    is_region: fn(&[u8; 18]) -> bool,
) -> Result<[u8; 18], Reject> {
    let text = text.settle_x();
    let bytes = text.as_bytes();
    let id = <&[u8; 18]>::try_from(bytes).map_err(|_| length_or_char(bytes))?;
    checked(id, today, is_region)?;
    Ok(*id)
}

fn is_resident_region(id: &[u8; 18]) -> bool {
    is_province(&id[..2])
}

/// Adds the century and the check character. Sequences 996 to 999 were given to people over a hundred.
fn upgraded(legacy: &[u8; 15]) -> Result<[u8; 18], Reject> {
    all_digits(legacy)?;
    let centenarian = legacy[12..] >= b"996"[..] && legacy[6..8] >= b"80"[..];
    let mut id = [0; 18];
    id[..6].copy_from_slice(&legacy[..6]);
    id[6..8].copy_from_slice(if centenarian { b"18" } else { b"19" });
    id[8..17].copy_from_slice(&legacy[6..]);
    id[17] = check_character(&id);
    Ok(id)
}

fn checked(id: &[u8; 18], today: Date, is_region: fn(&[u8; 18]) -> bool) -> Result<(), Reject> {
    all_digits(&id[..17])?;
    if !id[17].is_ascii_digit() && id[17] != b'X' {
        return Err(Reject::Char);
    }
    if !is_region(id) {
        return Err(Reject::Region);
    }
    let born = date_of_birth(id)?;
    if born > today {
        return Err(Reject::Future);
    }
    let fault = if &id[14..17] == b"000" {
        Reject::Sequence
    } else if id[17] != check_character(id) {
        Reject::Checksum
    } else {
        return Ok(());
    };
    Err(if id.ends_with(b"000") { Reject::Precision } else { fault })
}

fn date_of_birth(id: &[u8; 18]) -> Result<Date, Reject> {
    let number = |digits: &[u8]| digits.iter().fold(0, |n: i16, d| n * 10 + i16::from(d - b'0'));
    let (year, month, day) = (number(&id[6..10]), number(&id[10..12]), number(&id[12..14]));
    let part = |n: i16| i8::try_from(n).map_err(|_| Reject::Date);
    let date = Date::new(year, part(month)?, part(day)?).map_err(|_| Reject::Date)?;
    if year < OLDEST_YEAR { Err(Reject::Date) } else { Ok(date) }
}

/// MOD 11-2 (ISO 7064) over the first 17 digits.
fn check_character(id: &[u8; 18]) -> u8 {
    let sum: u32 = id.iter().zip(WEIGHTS).map(|(d, weight)| u32::from(d - b'0') * weight).sum();
    CHECK_CHARACTERS[(sum % 11) as usize]
}

pub(crate) fn all_digits(bytes: &[u8]) -> Result<(), Reject> {
    if bytes.iter().all(u8::is_ascii_digit) { Ok(()) } else { Err(Reject::Char) }
}

/// Of a text that has the wrong length: whether a wrong character explains it better.
fn length_or_char(bytes: &[u8]) -> Reject {
    let known = |byte: &u8| byte.is_ascii_digit() || *byte == b'X';
    if bytes.iter().all(known) { Reject::Length } else { Reject::Char }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use crate::{
        identifier::{IdentifierType, canonicalise},
        reject::Reject,
    };

    fn resident(raw: &str) -> Result<(String, bool), Reject> {
        let found = canonicalise(&IdentifierType::ResidentId, raw, date(2026, 1, 31))?;
        let bytes = found.identifier.as_bytes();
        assert_eq!(bytes[0], 1);
        Ok((String::from_utf8(bytes[1..].to_vec()).expect("ASCII"), found.upgraded))
    }

    /// ISO 7064 MOD 11-2 by the standard's recursion, from the left, instead of by weights: the whole
    /// id, check character included, leaves 1.
    fn oracle_passes(id: &str) -> bool {
        let value = |c: char| if c == 'X' { 10 } else { c.to_digit(10).expect("a digit") };
        let mut p = 0;
        for c in id.chars() {
            p = (p * 2 + value(c)) % 11;
        }
        p == 1
    }

    proptest! {
        #[test]
        fn an_id_is_accepted_exactly_when_the_oracle_accepts_its_check_character(
            county in 0..=9999u32, year in 1850..2026i32, month in 1..=12u32, day in 1..=28u32,
            sequence in 1..=999u32, last in "[0-9X]",
        ) {
            let id = format!("32{county:04}{year}{month:02}{day:02}{sequence:03}{last}");
            match resident(&id) {
                Ok((canonical, upgraded)) => {
                    prop_assert!(oracle_passes(&id) && !upgraded);
                    prop_assert_eq!(canonical, id);
                }
                Err(reject) => {
                    prop_assert!(!oracle_passes(&id));
                    let rounded = id.ends_with("000");
                    prop_assert_eq!(reject, if rounded { Reject::Precision } else { Reject::Checksum });
                }
            }
        }

        #[test]
        fn an_upgraded_id_passes_the_oracle_and_keeps_its_digits(
            county in 0..=9999u32, year in 0..100u32, month in 1..=12u32, day in 1..=28u32,
            sequence in 1..=999u32,
        ) {
            let legacy = format!("32{county:04}{year:02}{month:02}{day:02}{sequence:03}");
            let (id, upgraded) = resident(&legacy).expect("a good id");
            prop_assert!(upgraded && oracle_passes(&id));
            let century = if sequence >= 996 && year >= 80 { "18" } else { "19" };
            prop_assert_eq!(&id[..17], format!("{}{century}{}", &legacy[..6], &legacy[6..]));
        }

        #[test]
        fn no_text_makes_it_panic(raw in any::<String>(), digits in "[0-9Xx×B ='\"-]{14,24}") {
            let _ = (resident(&raw), resident(&digits));
            for kind in IdentifierType::ALL {
                let _ = canonicalise(&kind, &digits, date(2026, 1, 31));
            }
        }
    }
}
