//! The unified social credit code of an organisation (GB 32100).

use crate::{clean_text::CleanText, reject::Reject};

/// Without I, O, Z, S and V, which read like digits.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// 3^place mod 31.
const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// A credit code, and how sure it is.
pub(crate) struct CreditCode {
    /// 18 characters.
    pub code: [u8; 18],
    /// The check character does not fit. Such codes are in official use.
    pub nonconforming: bool,
    /// A letter that reads like a digit was taken for it, after which the check character fits.
    pub repaired: bool,
}

/// Reads a credit code.
pub(crate) fn credit_code(text: &CleanText) -> Result<CreditCode, Reject> {
    let bytes = text.as_bytes();
    if !bytes.iter().all(u8::is_ascii_alphanumeric) {
        return Err(Reject::Char);
    }
    let code = *<&[u8; 18]>::try_from(bytes).map_err(|_| Reject::Length)?;
    if let Some(passes) = check(&code) {
        return Ok(CreditCode { code, nonconforming: !passes, repaired: false });
    }
    let repaired = code.map(digit_that_reads_like);
    match check(&repaired) {
        Some(true) => Ok(CreditCode { code: repaired, nonconforming: false, repaired: true }),
        _ => Err(Reject::Char),
    }
}

/// Whether the check character fits; nothing where a character is outside the alphabet.
fn check(code: &[u8; 18]) -> Option<bool> {
    let value = |byte: u8| ALPHABET.iter().position(|&letter| letter == byte);
    let mut sum = 0;
    for (&byte, weight) in code.iter().zip(WEIGHTS) {
        sum += value(byte)? * weight;
    }
    Some(value(code[17])? == (31 - sum % 31) % 31)
}

fn digit_that_reads_like(letter: u8) -> u8 {
    match letter {
        b'O' => b'0',
        b'I' => b'1',
        b'Z' => b'2',
        b'S' => b'5',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use crate::{
        identifier::{Canonical, IdentifierType, canonicalise},
        reject::Reject,
    };

    fn code(raw: &str) -> Result<Canonical, Reject> {
        canonicalise(&IdentifierType::SocialCreditCode, raw, date(2026, 1, 31))
    }

    #[test]
    fn codes_that_fit_are_accepted() {
        for good in ["91320100MA1MA1MA8K", "91350100M000100Y43", " 91320100ma1ma1ma8k"] {
            let found = code(good).expect(good);
            assert_eq!(found.identifier.as_bytes()[0], 7);
            assert!(!found.nonconforming && !found.repaired, "{good}");
        }
    }

    #[test]
    fn the_standards_negative_example_is_refused() {
        assert_eq!(code("91350100M000100Y4Z").err(), Some(Reject::Char));
    }

    #[test]
    fn a_code_whose_check_character_does_not_fit_is_kept_and_marked() {
        let found = code("91350100M000100Y44").expect("kept");
        assert!(found.nonconforming);
    }

    #[test]
    fn a_letter_is_read_as_a_digit_only_where_the_check_then_passes() {
        let found = code("9135O1OOMOOOIOOY43").expect("repaired");
        assert_eq!(&found.identifier.as_bytes()[1..], b"91350100M000100Y43");
        assert!(found.repaired && !found.nonconforming);
        assert_eq!(code("9135O1OOMOOOIOOY44").err(), Some(Reject::Char));
        assert_eq!(code("91350100M000100Y4").err(), Some(Reject::Length));
    }
}
