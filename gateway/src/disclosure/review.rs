//! By when an emergency must be reviewed.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday, time},
    tz::Offset,
};

/// Working days.
const DAYS: u8 = 3;
const CHINA: Offset = Offset::constant(8);

/// The end of the third working day in China after a moment. Weekends do not count; a holiday does, so
/// that a review is rather shown as due too early.
pub fn due(asked: Timestamp) -> Timestamp {
    let mut day = CHINA.to_datetime(asked).date();
    for _ in 0..DAYS {
        day = next_working_day(day);
    }
    let end = day.saturating_add(1.day()).to_datetime(time(0, 0, 0, 0));
    CHINA.to_timestamp(end).unwrap_or(asked)
}

fn next_working_day(day: Date) -> Date {
    let mut day = day;
    loop {
        day = day.saturating_add(1.day());
        if !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
            return day;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekends_do_not_count() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        // A Friday evening in China.
        assert_eq!(due(at("2026-11-27T12:00:00Z")), at("2026-12-02T16:00:00Z"));
        // The Monday after.
        assert_eq!(due(at("2026-11-30T01:00:00Z")), at("2026-12-03T16:00:00Z"));
    }
}
