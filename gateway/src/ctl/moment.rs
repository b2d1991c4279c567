//! Times: reading what people type, and saying when something was or is due.
//!
//! People see China standard time, which the whole programme keeps; JSON has RFC 3339 in UTC.
//! Reads no clock: `now` is an argument.

use jiff::{Timestamp, ToSpan, civil::Date, tz::Offset};

use crate::words::{Lang, Phrase};

const CHINA: Offset = Offset::constant(8);
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The moment of a message; none where the field is absent or out of range.
pub fn of_wire(at: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok())
}

/// The moment as a field of a message.
pub fn to_wire(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

/// RFC 3339 in UTC.
pub fn rfc3339(at: Option<&prost_types::Timestamp>) -> Option<String> {
    of_wire(at).map(|at| at.to_string())
}

/// Day and minute in China, or `-`.
pub fn clock_face(at: Option<&prost_types::Timestamp>) -> String {
    of_wire(at)
        .map_or("-".into(), |at| CHINA.to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string())
}

/// The beginning of a range: an RFC 3339 time, or a day, which begins at its midnight.
///
/// # Errors
/// What would have been understood, for the person who typed it.
pub fn range_start(text: &str) -> Result<Timestamp, String> {
    read(text, 0)
}

/// The end of a range: an RFC 3339 time, or a day, which belongs to the range.
///
/// # Errors
/// What would have been understood, for the person who typed it.
pub fn range_end(text: &str) -> Result<Timestamp, String> {
    read(text, 1)
}

fn read(text: &str, days_later: i64) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    text.parse::<Date>()
        .and_then(|day| day.checked_add(days_later.days()))
        .and_then(|day| CHINA.to_timestamp(day.at(0, 0, 0, 0)))
        .map_err(|_| "use 2026-11-24 or 2026-11-24T09:00:00+08:00".into())
}

/// How far off a deadline is: "in 2 d", "overdue by 3 h".
pub fn due(at: Option<&prost_types::Timestamp>, now: Timestamp, lang: Lang) -> String {
    let Some(seconds) = seconds_until(at, now) else { return "-".into() };
    let length = length(seconds.abs(), lang);
    match lang {
        _ if seconds.abs() < MINUTE => lang.say(("现在到期", "due now")).into(),
        Lang::Zh if seconds > 0 => format!("还有 {length}"),
        Lang::Zh => format!("已逾期 {length}"),
        Lang::En if seconds > 0 => format!("in {length}"),
        Lang::En => format!("overdue by {length}"),
    }
}

/// How long ago something was: "3 h ago". A moment still to come, from a clock that runs ahead, is now.
pub fn ago(at: Option<&prost_types::Timestamp>, now: Timestamp, lang: Lang) -> String {
    let Some(seconds) = seconds_until(at, now) else { return "-".into() };
    if seconds > -MINUTE {
        return lang.say(("刚刚", "just now")).into();
    }
    let length = length(-seconds, lang);
    match lang {
        Lang::Zh => format!("{length}前"),
        Lang::En => format!("{length} ago"),
    }
}

fn seconds_until(at: Option<&prost_types::Timestamp>, now: Timestamp) -> Option<i64> {
    of_wire(at).map(|at| at.as_second() - now.as_second())
}

fn length(seconds: i64, lang: Lang) -> String {
    let (unit, name): (i64, Phrase) = match seconds {
        ..HOUR => (MINUTE, ("分钟", "min")),
        _ if seconds < 2 * DAY => (HOUR, ("小时", "h")),
        _ => (DAY, ("天", "d")),
    };
    format!("{} {}", seconds / unit, lang.say(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn a_day_means_midnight_in_china_and_an_end_day_is_included() {
        assert_eq!(range_start("2026-11-24"), Ok(at("2026-11-23T16:00:00Z")));
        assert_eq!(range_end("2026-11-24"), Ok(at("2026-11-24T16:00:00Z")));
        assert_eq!(range_start("2026-11-24T09:00:00+08:00"), Ok(at("2026-11-24T01:00:00Z")));
        for bad in ["24.11.2026", "2026-02-30", "", "yesterday"] {
            assert!(range_start(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn deadlines_are_told_relative_to_now_in_both_languages() {
        let now = at("2026-11-24T12:00:00Z");
        let cases = [
            ("2026-11-24T09:00:00Z", "overdue by 3 h", "已逾期 3 小时"),
            ("2026-11-26T12:00:00Z", "in 2 d", "还有 2 天"),
            ("2026-11-26T11:59:59Z", "in 47 h", "还有 47 小时"),
            ("2026-11-24T12:59:59Z", "in 59 min", "还有 59 分钟"),
            ("2026-11-24T12:00:30Z", "due now", "现在到期"),
        ];
        for (deadline, en, zh) in cases {
            let deadline = Some(to_wire(at(deadline)));
            assert_eq!(due(deadline.as_ref(), now, Lang::En), en);
            assert_eq!(due(deadline.as_ref(), now, Lang::Zh), zh);
        }
        assert_eq!(due(None, now, Lang::En), "-");
    }

    #[test]
    fn the_age_of_data_is_never_negative() {
        let now = at("2026-11-24T12:00:00Z");
        let ahead = to_wire(at("2026-11-24T12:05:00Z"));
        let before = to_wire(at("2026-11-21T12:00:00Z"));
        assert_eq!(ago(Some(&ahead), now, Lang::En), "just now");
        assert_eq!(ago(Some(&before), now, Lang::En), "3 d ago");
        assert_eq!(ago(Some(&before), now, Lang::Zh), "3 天前");
    }

    #[test]
    fn people_read_china_time_and_programs_utc() {
        let wire = to_wire(at("2026-11-24T16:30:00Z"));
        assert_eq!(clock_face(Some(&wire)), "2026-11-25 00:30");
        assert_eq!(rfc3339(Some(&wire)).as_deref(), Some("2026-11-24T16:30:00Z"));
        let nonsense = prost_types::Timestamp { seconds: i64::MAX, nanos: 0 };
        assert_eq!(rfc3339(Some(&nonsense)), None);
        assert_eq!(clock_face(Some(&nonsense)), "-");
    }
}
