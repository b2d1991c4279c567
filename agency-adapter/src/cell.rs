//! Numbers and dates as agencies write them into cells.

use jiff::civil::Date;
use unicode_normalization::UnicodeNormalization;

/// A decimal number, thousands commas allowed, in hundredths, rounded down. Nothing where the cell is
/// no such number.
pub(crate) fn hundredths(cell: &str) -> Option<i64> {
    if !cell.is_ascii() {
        let plain: String = cell.nfkc().collect();
        return if plain.is_ascii() { hundredths(plain.trim()) } else { None };
    }
    let (negative, digits) = match cell.as_bytes().first()? {
        b'-' => (true, &cell[1..]),
        b'+' => (false, &cell[1..]),
        _ => (false, cell),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (fraction, beyond) = fraction_in_hundredths(fraction)?;
    let size = whole_number(whole)?.checked_mul(100)?.checked_add(fraction)?;
    Some(if negative { -size - i64::from(beyond) } else { size })
}

/// Digits, or digits in groups of three.
fn whole_number(text: &str) -> Option<i64> {
    let mut groups = text.split(',');
    let first = groups.next()?;
    let mut number = digits(first)?;
    for group in groups {
        if group.len() != 3 || !(1..=3).contains(&first.len()) {
            return None;
        }
        number = number.checked_mul(1000)?.checked_add(digits(group)?)?;
    }
    Some(number)
}

/// The first two digits, and whether there is anything but zeros after them.
fn fraction_in_hundredths(text: &str) -> Option<(i64, bool)> {
    let bytes = text.as_bytes();
    if !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |place: usize| bytes.get(place).map_or(0, |byte| i64::from(byte - b'0'));
    let beyond = bytes.iter().skip(2).any(|&byte| byte != b'0');
    Some((digit(0) * 10 + digit(1), beyond))
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().try_fold(0_i64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// A date: 2026-01-31, 2026/1/31, 2026.1.31, 20260131 or 2026年1月31日, also with a time after it.
/// Nothing where the cell is no such date.
pub(crate) fn date(cell: &str) -> Option<Date> {
    if !cell.is_ascii() {
        return written_date(&cell.nfkc().collect::<String>());
    }
    written_date(cell)
}

fn written_date(cell: &str) -> Option<Date> {
    let (year, rest) = leading_number(cell, 4, 4)?;
    let (month, day, rest) = match rest.chars().next()? {
        c if c.is_ascii_digit() => {
            let (month, rest) = leading_number(rest, 2, 2)?;
            let (day, rest) = leading_number(rest, 2, 2)?;
            (month, day, rest)
        }
        '年' => {
            let (month, rest) = leading_number(&rest['年'.len_utf8()..], 1, 2)?;
            let (day, rest) = leading_number(rest.strip_prefix('月')?, 1, 2)?;
            (month, day, rest.strip_prefix('日')?)
        }
        separator @ ('-' | '/' | '.') => {
            let (month, rest) = leading_number(&rest[1..], 1, 2)?;
            let (day, rest) = leading_number(rest.strip_prefix(separator)?, 1, 2)?;
            (month, day, rest)
        }
        _ => return None,
    };
    let compact_time = rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_digit());
    if !(rest.is_empty() || rest.starts_with(['T', ' ', '\t']) || compact_time) {
        return None;
    }
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// The number that `at_least` to `at_most` leading digits write, and what follows them.
fn leading_number(text: &str, at_least: usize, at_most: usize) -> Option<(i16, &str)> {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let count = text.bytes().take(at_most).take_while(is_digit).count();
    if count < at_least {
        return None;
    }
    let (number, rest) = text.split_at(count);
    Some((i16::try_from(digits(number)?).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use jiff::civil;

    use super::*;

    #[test]
    fn numbers_are_read_with_commas_and_decimals_and_rounded_down() {
        for (cell, number) in [
            ("0", 0),
            ("12345", 1_234_500),
            ("12,345.60", 1_234_560),
            ("1,234,567.899", 123_456_789),
            ("+.5", 50),
            ("-5.5", -550),
            ("-0.001", -1),
            ("７，０００", 700_000),
        ] {
            assert_eq!(hundredths(cell), Some(number), "{cell}");
        }
        let none = ["", "-", ".", "1,5", "1234,567", ",123", "12 000", "1e5", "五千", "0x10"];
        let long = "9".repeat(30);
        for cell in none.into_iter().chain([long.as_str(), "--1", "1.-5"]) {
            assert_eq!(hundredths(cell), None, "{cell}");
        }
    }

    #[test]
    fn dates_are_read_in_the_usual_forms_and_with_a_time_after() {
        for cell in [
            "2026-01-31",
            "2026/1/31",
            "2026.1.31",
            "20260131",
            "2026年1月31日",
            "2026-01-31 10:20:30",
            "2026-01-31T10:20:30Z",
            "2026/1/31 0:00",
            "20260131102030",
            "2026年01月31日\u{3000}上午",
            "２０２６－０１－３１",
        ] {
            assert_eq!(date(cell), Some(civil::date(2026, 1, 31)), "{cell}");
        }
        for cell in
            ["", "2026", "2026-01", "2026-02-30", "31/1/2026", "2026-1-311", "2026年1月", "今天"]
        {
            assert_eq!(date(cell), None, "{cell}");
        }
    }
}
