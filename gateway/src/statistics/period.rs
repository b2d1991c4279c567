//! Days and months as statistics have them: China's.

use jiff::{Timestamp, ToSpan, civil::Date, tz::Offset};

const CHINA: Offset = Offset::constant(8);

/// The day that a moment is on.
pub fn day(at: Timestamp) -> Date {
    CHINA.to_datetime(at).date()
}

/// The first moment of a day, and of the one after it.
pub fn bounds(day: Date) -> (Timestamp, Timestamp) {
    (start(day), start(day.saturating_add(1.day())))
}

/// The first day of a month that is written as 2026-10.
pub fn month(text: &str) -> Option<Date> {
    let (year, month) = text.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let spelt = year.len() == 4 && month.len() == 2 && digits(year) && digits(month);
    let first = date_of(year.parse().ok()?, month.parse().ok()?)?;
    spelt.then_some(first)
}

/// The first moment of the month that begins on a day, and of the one after it.
pub fn month_bounds(first: Date) -> (Timestamp, Timestamp) {
    (start(first), start(first.saturating_add(1.month())))
}

fn date_of(year: i16, month: i8) -> Option<Date> {
    Date::new(year, month, 1).ok()
}

fn start(day: Date) -> Timestamp {
    CHINA.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_day_and_a_month_begin_at_midnight_in_china() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert_eq!(day(at("2026-10-31T15:59:59Z")), date(2026, 10, 31));
        assert_eq!(day(at("2026-10-31T16:00:00Z")), date(2026, 11, 1));
        assert_eq!(
            bounds(date(2026, 11, 1)),
            (at("2026-10-31T16:00:00Z"), at("2026-11-01T16:00:00Z"))
        );
        let december = month("2026-12").expect("a month");
        assert_eq!(
            month_bounds(december),
            (at("2026-11-30T16:00:00Z"), at("2026-12-31T16:00:00Z"))
        );
        for bad in ["", "2026", "2026-13", "2026-1", "26-10", "2026-10-01", "+026-10"] {
            assert_eq!(month(bad), None, "{bad}");
        }
    }
}
