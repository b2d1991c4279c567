//! The name by which people of one household find each other, freed of what typing and spreadsheets
//! put around it.
//!
//! Two spellings of one name must not be two households, and what stands for nothing must not be one:
//! strangers would be taken for a family.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use crate::clean_text::{is_invisible, stands_for_nothing, unwrapped};

/// More digits than a spreadsheet keeps.
const ROUNDED_DIGITS: usize = 16;

/// The name in a cell; nothing where the cell does not say a household.
pub(crate) fn household_name(cell: &str) -> Option<Cow<'_, str>> {
    let name = if cell.is_ascii() {
        Cow::Borrowed(unwrapped(cell))
    } else {
        let plain: String = cell.nfkc().filter(|&c| !is_invisible(c)).collect();
        Cow::Owned(unwrapped(&plain).to_owned())
    };
    let is_name = !stands_for_nothing(&name) && !has_lost_digits(&name);
    is_name.then_some(name)
}

/// `3.20102E+17`, or `320102001000000000.0`: others have the same.
fn has_lost_digits(name: &str) -> bool {
    let (whole, fraction) = name.split_once('.').unwrap_or((name, ""));
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let scientific = name.split_once(['E', 'e']).is_some_and(|(digits, power)| {
        let power = power.strip_prefix('+').unwrap_or_default();
        !power.is_empty() && number(power) && !digits.is_empty() && digits.split('.').all(number)
    });
    let long = name.contains('.') && whole.len() >= ROUNDED_DIGITS;
    scientific || (long && number(whole) && number(fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_one_household() {
        for cell in ["H-12", " H-12 ", "Ｈ－１２", "'H-12", "=\"H-12\"", "\u{feff}H-12\u{200b}"]
        {
            assert_eq!(household_name(cell).as_deref(), Some("H-12"), "{cell:?}");
        }
        assert_ne!(household_name("1-12"), household_name("11-2"), "hyphens part numbers");
        for cell in ["7", "1024.0", "12E3", "E+1"] {
            assert_eq!(household_name(cell).as_deref(), Some(cell));
        }
    }

    #[test]
    fn what_stands_for_nothing_or_has_lost_its_digits_is_no_household() {
        let nothing =
            ["", " ", "无", "不详", "0", "000000", "-", "--", "/", "null", "N/A", "——", "*"];
        let lost = ["3.20102E+17", "3E+17", "320102001000000000.0", "３．２Ｅ＋１７"];
        for cell in nothing.iter().chain(&lost) {
            assert_eq!(household_name(cell), None, "{cell:?}");
        }
    }
}
