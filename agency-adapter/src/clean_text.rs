//! A cell that should hold a personal number, freed of what typing and spreadsheets put around it.
//!
//! Owns everything that is alike for all types of number: width and case, invisible characters,
//! spreadsheet wrappings, placeholders, numbers that a spreadsheet has rounded. What a number must
//! look like is its type's business.

use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::reject::Reject;

/// Room for the longest number with its wrapping; what is longer is no number.
const ROOM: usize = 40;

/// Stands where a Cyrillic, Greek or multiplication-sign look-alike of X was found.
const LOOK_ALIKE_OF_X: u8 = 0x1A;

/// The place of the one character of a resident id that may be X.
const PLACE_OF_X: usize = 17;

/// Upper-case ASCII without blanks and hyphens, wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct CleanText {
    bytes: [u8; ROOM],
    start: usize,
    end: usize,
}

impl CleanText {
    /// Cleans one cell.
    ///
    /// # Errors
    /// `PLACEHOLDER`, `PRECISION`, `CHAR` and `LENGTH`.
    pub(crate) fn new(raw: &str) -> Result<Self, Reject> {
        if !raw.is_ascii() && is_placeholder_word(raw) {
            return Err(Reject::Placeholder);
        }
        let text = Self::code(raw)?;
        if is_placeholder(text.as_bytes()) {
            return Err(Reject::Placeholder);
        }
        if is_rounded_number(text.as_bytes()) {
            return Err(Reject::Precision);
        }
        Ok(text)
    }

    /// Cleans a short code, of a country or a region: EE and 33 are no placeholders there.
    ///
    /// # Errors
    /// `CHAR` and `LENGTH`.
    pub(crate) fn code(raw: &str) -> Result<Self, Reject> {
        let mut text = Self { bytes: [0; ROOM], start: 0, end: 0 };
        if raw.is_ascii() {
            raw.chars().try_for_each(|c| text.push(c))?;
        } else {
            raw.nfkc().try_for_each(|c| text.push(c))?;
        }
        text.strip_wrapping();
        Ok(text)
    }

    /// What is left.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Reads a look-alike of X in position 18 as X; in any other position it stays a bad character.
    pub(crate) fn settle_x(mut self) -> Self {
        if let Some(byte) = self.bytes[self.start..self.end].get_mut(PLACE_OF_X)
            && *byte == LOOK_ALIKE_OF_X
        {
            *byte = b'X';
        }
        self
    }

    /// Whether the number ends as those do that a spreadsheet has rounded to 15 digits.
    pub(crate) fn ends_as_if_rounded(&self) -> bool {
        let bytes = self.as_bytes();
        bytes.len() >= 16 && bytes.ends_with(b"000") && bytes.iter().all(u8::is_ascii_digit)
    }

    fn push(&mut self, c: char) -> Result<(), Reject> {
        let byte = match c {
            c if is_padding(c) => return Ok(()),
            '\u{0}'..'\u{20}' | '\u{7f}' => return Err(Reject::Char),
            '\u{0425}' | '\u{0445}' | '\u{03A7}' | '\u{03C7}' | '\u{00D7}' => LOOK_ALIKE_OF_X,
            c => u8::try_from(c).ok().filter(u8::is_ascii).ok_or(Reject::Char)?,
        };
        *self.bytes.get_mut(self.end).ok_or(Reject::Length)? = byte.to_ascii_uppercase();
        self.end += 1;
        Ok(())
    }

    /// Takes off one leading apostrophe and the `="..."` by which spreadsheets keep text.
    fn strip_wrapping(&mut self) {
        if self.as_bytes().first() == Some(&b'\'') {
            self.start += 1;
        }
        let bytes = self.as_bytes();
        if bytes.len() >= 3 && bytes.starts_with(b"=\"") && bytes.ends_with(b"\"") {
            self.start += 2;
            self.end -= 1;
        }
    }
}

/// A cell without blanks around it and without the apostrophe or the `="..."` by which spreadsheets
/// keep text.
pub(crate) fn unwrapped(cell: &str) -> &str {
    let cell = cell.trim();
    let cell = cell.strip_prefix('\'').unwrap_or(cell);
    let quoted = cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    quoted.unwrap_or(cell).trim()
}

/// Blanks, hyphens and characters without width, none of which any number has.
fn is_padding(c: char) -> bool {
    c == '-'
        || c.is_whitespace()
        || is_invisible(c)
        || matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Characters without width, and marks of writing direction.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether a cell says that there is nothing to say.
pub(crate) fn stands_for_nothing(cell: &str) -> bool {
    cell.chars().all(|c| c == '0' || is_padding(c) || c.is_ascii_punctuation())
        || NO_VALUE.iter().any(|word| cell.as_bytes().eq_ignore_ascii_case(word))
        || is_placeholder_word(cell)
}

const NO_VALUE: [&[u8]; 6] = [b"NULL", b"NA", b"N/A", b"#N/A", b"NONE", b"NIL"];

fn is_placeholder_word(raw: &str) -> bool {
    const WORDS: [&str; 10] =
        ["无", "不详", "未知", "暂无", "没有", "无证", "无证件", "空", "不明", "未提供"];
    WORDS.iter().any(|word| raw.nfkc().filter(|&c| !is_padding(c)).eq(word.chars()))
}

fn is_placeholder(bytes: &[u8]) -> bool {
    let Some((first, rest)) = bytes.split_first() else { return true };
    rest.iter().all(|byte| byte == first) || NO_VALUE.contains(&bytes) || counts_up(bytes)
}

/// 123456 and so on, also with an X for its check character.
fn counts_up(bytes: &[u8]) -> bool {
    let digits = bytes.strip_suffix(b"X").unwrap_or(bytes);
    let next = |byte: u8| if byte == b'9' { b'0' } else { byte + 1 };
    digits.len() >= 6
        && digits[0] == b'1'
        && digits.iter().all(u8::is_ascii_digit)
        && digits.windows(2).all(|pair| pair[1] == next(pair[0]))
}

/// `3.20102E+17` or `320102198001010000.0`.
fn is_rounded_number(bytes: &[u8]) -> bool {
    bytes[0].is_ascii_digit()
        && bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'E' | b'+'))
        && bytes.iter().any(|byte| matches!(byte, b'.' | b'+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(raw: &str) -> Result<String, Reject> {
        let text = CleanText::new(raw)?.settle_x();
        Ok(String::from_utf8_lossy(text.as_bytes()).into_owned())
    }

    #[test]
    fn wrappings_blanks_and_widths_are_taken_off() {
        for raw in [
            "320102198001010016",
            "' 320102-19800101-0016",
            "=\"320102198001010016\"",
            "\u{feff}320102\u{200b}19800101\u{3000}0016\t",
            "\u{202d}320102198001010016\u{202c}",
            "\u{2068}320102198001010016\u{2069}\u{61c}",
            "３２０１０２１９８００１０１００１６",
            "320102－19800101–0016",
        ] {
            assert_eq!(clean(raw).as_deref(), Ok("320102198001010016"), "{raw:?}");
        }
    }

    #[test]
    fn every_way_to_type_x_is_read_in_position_18_only() {
        for x in ["X", "x", "Ｘ", "ｘ", "Ⅹ", "ⅹ", "Х", "х", "Χ", "χ", "×"] {
            let raw = format!("32010419550615003{x}");
            assert_eq!(clean(&raw).as_deref(), Ok("32010419550615003X"), "{x}");
        }
        assert_ne!(clean("Х2010419550615003").as_deref(), Ok("X2010419550615003"));
    }

    #[test]
    fn placeholders_are_recognised() {
        let raws = ["", " - ", "无", " 不详", "/", "0", "000000000000000000", "111111111111111"];
        let more = ["123456", "123456789012345678", "12345678901234567X", "null", "N/A", "****"];
        for raw in raws.iter().chain(&more) {
            assert_eq!(clean(raw), Err(Reject::Placeholder), "{raw:?}");
        }
        assert!(clean("123457").is_ok());
    }

    #[test]
    fn numbers_as_spreadsheets_print_them_are_refused() {
        for raw in ["3.20102E+17", "3.2E+17", "3E+17", "320102198001010000.0", "３.２E+17"] {
            assert_eq!(clean(raw), Err(Reject::Precision), "{raw}");
        }
        assert_eq!(clean("E12345678").as_deref(), Ok("E12345678"), "a passport");
        assert_eq!(clean("1E2345678").as_deref(), Ok("1E2345678"), "also a passport");
    }

    #[test]
    fn other_scripts_control_characters_and_prose_are_refused() {
        assert_eq!(clean("三二〇"), Err(Reject::Char));
        assert_eq!(clean("3201\u{1a}"), Err(Reject::Char));
        assert_eq!(clean("3201\u{fffd}"), Err(Reject::Char));
        assert_eq!(clean(&"1a".repeat(30)), Err(Reject::Length));
    }
}
