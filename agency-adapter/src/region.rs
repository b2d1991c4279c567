//! Administrative region codes: province, city, county, town, village.
//!
//! Whether a code is in use is not tested: tables change, and who routes by region takes the longest
//! prefix that somebody is responsible for.

use crate::{clean_text::CleanText, resident_id::is_province};

/// The region is not known.
pub const UNKNOWN_REGION: u64 = 0;

const DIGITS: usize = 12;

/// The 12-digit code of a cell with 2, 4, 6, 9 or 12 digits; shorter codes are filled with zeros, so
/// that `320104` and `320104000000` are the same. Nothing where it is no such code.
pub fn region(cell: &str) -> Option<u64> {
    let text = CleanText::code(cell).ok()?;
    let digits = text.as_bytes();
    let shaped = matches!(digits.len(), 2 | 4 | 6 | 9 | DIGITS);
    if !shaped || !digits.iter().all(u8::is_ascii_digit) || !is_province(&digits[..2]) {
        return None;
    }
    let filled = digits.iter().chain(std::iter::repeat(&b'0')).take(DIGITS);
    Some(filled.fold(0, |code, digit| code * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_every_level_are_filled_to_twelve_digits() {
        for (cell, code) in [
            ("32", 320_000_000_000),
            ("33", 330_000_000_000),
            ("3201", 320_100_000_000),
            ("320104", 320_104_000_000),
            ("320104000000", 320_104_000_000),
            ("320104002", 320_104_002_000),
            ("320104002001", 320_104_002_001),
            (" ３２０１０４ ", 320_104_000_000),
            ("441900003000", 441_900_003_000),
        ] {
            assert_eq!(region(cell), Some(code), "{cell}");
        }
    }

    #[test]
    fn other_texts_are_unknown() {
        for cell in ["", "秦淮区", "3", "32010", "3201040", "990104", "000000", "3.201E+11"] {
            assert_eq!(region(cell), None, "{cell}");
        }
    }
}
