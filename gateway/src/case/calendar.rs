//! Which days are working days in China, by the State Council's yearly notice, and counting them.
//!
//! Knows only the years that the policy lists; beyond them nothing is computed. That a year must be added
//! is said in time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::Offset,
};

/// The one time zone of China.
const CHINA: Offset = Offset::constant(8);
/// So many days before the calendar ends somebody must be told. The notice is out by then, and nothing is
/// due later yet.
const AHEAD: i32 = 30;

/// The calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Days that are not what their weekday is, by year.
    pub(crate) years: BTreeMap<i16, Exceptions>,
    /// When work begins and ends.
    pub(crate) hours: (Time, Time),
}

/// A year's exceptions from "Monday to Friday".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Days off.
    pub off: BTreeSet<Date>,
    /// Saturdays and Sundays on which work is done.
    pub work: BTreeSet<Date>,
}

/// So much time during which work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkingTime {
    /// Hours of work.
    Hours(u16),
    /// Whole days: until the end of work on the last of them. The day on which it begins does not count.
    Days(u16),
}

/// The policy's calendar does not reach so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policy's calendar has no year {0}: add a [[cases.year]] by the State Council's notice for it"
)]
pub struct PastEnd(pub i16);

/// The policy's calendar ends before long, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Its last day; none where it does not have this year.
    pub last: Option<Date>,
    /// The first year that it does not have.
    pub missing: i16,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = self.missing;
        match self.last {
            Some(last) => {
                write!(f, "the policy's calendar of working days ends on {last}; after that")?;
            }
            None => write!(f, "the policy's calendar of working days has no year {missing}:")?,
        }
        write!(
            f,
            " every day counts as a working day. Add a [[cases.year]] for {missing} by the State Council's \
             notice (国务院办公厅关于{missing}年部分节假日安排的通知, usually out in November, at \
             https://www.gov.cn), and run `gatewayctl rules reload`"
        )
    }
}

/// The day in China.
pub fn day(at: Timestamp) -> Date {
    CHINA.to_datetime(at).date()
}

impl Calendar {
    /// A calendar without a year in it.
    pub fn empty() -> Self {
        let hour = |hour| Time::constant(hour, 0, 0, 0);
        Self { years: BTreeMap::new(), hours: (hour(9), hour(17)) }
    }

    /// Whether work is done on a day.
    ///
    /// # Errors
    /// [`PastEnd`].
    pub fn is_working(&self, day: Date) -> Result<bool, PastEnd> {
        let year = self.years.get(&day.year()).ok_or(PastEnd(day.year()))?;
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        Ok(if weekend { year.work.contains(&day) } else { !year.off.contains(&day) })
    }

    /// The last day that it knows, counted from a day that it knows without a gap.
    pub fn last_day(&self, from: Date) -> Option<Date> {
        let years = (from.year()..).take_while(|year| self.years.contains_key(year));
        Date::new(years.last()?, 12, 31).ok()
    }

    /// What must be said now of its end, where something must.
    pub fn ending(&self, now: Timestamp) -> Option<Ending> {
        let today = day(now);
        let last = self.last_day(today);
        let missing = last.map_or(today.year(), |last| last.year() + 1);
        let soon = |last: Date| (last - today).get_days() <= AHEAD;
        last.is_none_or(soon).then_some(Ending { last, missing })
    }

    /// When so much working time is over that begins at `from`.
    ///
    /// # Errors
    /// [`PastEnd`].
    pub fn after(&self, from: Timestamp, time: WorkingTime) -> Result<Timestamp, PastEnd> {
        self.count(from, time, |day| self.is_working(day))
    }

    /// The same where every day counts: never later than what a calendar would say.
    pub fn at_the_earliest(&self, from: Timestamp, time: WorkingTime) -> Timestamp {
        self.count(from, time, |_| Ok(true)).expect("every day is known to count")
    }

    fn count(
        &self,
        from: Timestamp,
        time: WorkingTime,
        works: impl Fn(Date) -> Result<bool, PastEnd>,
    ) -> Result<Timestamp, PastEnd> {
        let start = CHINA.to_datetime(from);
        let end = match time {
            WorkingTime::Days(days) => {
                let last = (0..days).try_fold(start.date(), |day, _| next(day, &works))?;
                last.to_datetime(self.hours.1)
            }
            WorkingTime::Hours(hours) => self.count_hours(start, i64::from(hours), &works)?,
        };
        Ok(timestamp(end))
    }

    fn count_hours(
        &self,
        start: DateTime,
        hours: i64,
        works: &impl Fn(Date) -> Result<bool, PastEnd>,
    ) -> Result<DateTime, PastEnd> {
        let (begins, ends) = self.hours;
        let (mut day, mut clock, mut left) = (start.date(), start.time().max(begins), hours * 3600);
        if !works(day)? {
            (day, clock) = (next(day, works)?, begins);
        }
        loop {
            let rest = ends.duration_since(clock).as_secs().max(0);
            if left <= rest {
                return Ok(day.to_datetime(clock).saturating_add(left.seconds()));
            }
            left -= rest;
            (day, clock) = (next(day, works)?, begins);
        }
    }
}

/// The next day that counts.
fn next(day: Date, works: &impl Fn(Date) -> Result<bool, PastEnd>) -> Result<Date, PastEnd> {
    let mut day = day;
    loop {
        day = day.tomorrow().map_err(|_| PastEnd(day.year()))?;
        if works(day)? {
            return Ok(day);
        }
    }
}

fn timestamp(at: DateTime) -> Timestamp {
    let at = CHINA.to_timestamp(at).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(at.as_second()).expect("a timestamp's seconds are one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar() -> Calendar {
        let policy =
            crate::policy::Policy::parse(include_str!("../../../deploy/policy/default.toml"));
        policy.expect("good").cases.calendar.clone()
    }

    fn at(text: &str) -> Timestamp {
        let at: DateTime = text.parse().expect("a time");
        timestamp(at)
    }

    #[test]
    fn working_days_are_those_of_the_notice_for_2026() {
        let calendar = calendar();
        let works = |day: &str| calendar.is_working(day.parse().expect("a day"));
        for (day, expected) in [
            ("2026-01-01", false), // New Year, a Thursday
            ("2026-01-04", true),  // a Sunday on which work is done
            ("2026-02-14", true),  // a Saturday on which work is done
            ("2026-02-23", false), // the last day of the Spring Festival
            ("2026-02-24", true),
            ("2026-05-09", true),
            ("2026-06-19", false),
            ("2026-10-07", false),
            ("2026-10-10", true),
            ("2026-11-28", false), // a Saturday
            ("2026-11-30", true),
        ] {
            assert_eq!(works(day), Ok(expected), "{day}");
        }
        let year: Vec<Date> = jiff::civil::date(2026, 1, 1).series(1.day()).take(365).collect();
        let working = year.iter().filter(|day| calendar.is_working(**day) == Ok(true)).count();
        assert_eq!(working, 248, "261 weekdays, 19 of them off, and 6 days of work on weekends");
    }

    #[test]
    fn hours_of_work_pass_only_while_work_is_done() {
        let calendar = calendar();
        let after = |from: &str, hours| calendar.after(at(from), WorkingTime::Hours(hours));
        assert_eq!(after("2026-11-24T10:00", 4), Ok(at("2026-11-24T14:00")));
        assert_eq!(after("2026-11-24T06:00", 4), Ok(at("2026-11-24T13:00")), "before work");
        assert_eq!(after("2026-11-24T15:00", 4), Ok(at("2026-11-25T11:00")), "into the next day");
        assert_eq!(after("2026-11-27T16:00", 4), Ok(at("2026-11-30T12:00")), "over a weekend");
        assert_eq!(after("2026-11-28T12:00", 1), Ok(at("2026-11-30T10:00")), "from a weekend");
        assert_eq!(after("2026-09-30T17:00", 1), Ok(at("2026-10-08T10:00")), "over a festival");
        assert_eq!(after("2026-10-09T20:00", 1), Ok(at("2026-10-10T10:00")), "into a Saturday");
    }

    #[test]
    fn a_number_of_days_ends_with_the_work_of_the_last_of_them() {
        let calendar = calendar();
        let after = |from: &str, days| calendar.after(at(from), WorkingTime::Days(days));
        assert_eq!(after("2026-11-24T10:00", 1), Ok(at("2026-11-25T17:00")));
        assert_eq!(after("2026-11-26T23:00", 3), Ok(at("2026-12-01T17:00")));
        assert_eq!(after("2026-02-13T10:00", 2), Ok(at("2026-02-24T17:00")), "a festival between");
    }

    #[test]
    fn nothing_is_computed_past_the_end_of_the_calendar() {
        let calendar = calendar();
        let late = at("2026-12-30T10:00");
        assert!(calendar.after(late, WorkingTime::Days(1)).is_ok());
        assert_eq!(calendar.after(late, WorkingTime::Days(2)), Err(PastEnd(2027)));
        assert_eq!(calendar.at_the_earliest(late, WorkingTime::Days(2)), at("2027-01-01T17:00"));
        assert_eq!(Calendar::empty().is_working(day(late)), Err(PastEnd(2026)));
    }

    #[test]
    fn thirty_days_before_its_end_a_calendar_says_what_is_missing_and_where_to_get_it() {
        let mut calendar = calendar();
        let ending = |calendar: &Calendar, now: &str| calendar.ending(at(now));
        assert_eq!(ending(&calendar, "2026-11-30T23:59"), None);
        let last = Some(jiff::civil::date(2026, 12, 31));
        let soon = ending(&calendar, "2026-12-01T00:00").expect("30 days before");
        assert_eq!(soon, Ending { last, missing: 2027 });
        for words in ["ends on 2026-12-31", "[[cases.year]] for 2027", "2027年部分节假日", "gov.cn"]
        {
            assert!(soon.to_string().contains(words), "{soon}");
        }
        let over = ending(&calendar, "2027-01-01T00:00").expect("it has ended");
        assert_eq!(over, Ending { last: None, missing: 2027 });
        assert!(over.to_string().contains("has no year 2027"), "{over}");
        calendar.years.insert(2028, Exceptions::default());
        assert_eq!(ending(&calendar, "2026-12-31T12:00"), Some(soon), "a gap is an end");
        calendar.years.insert(2027, Exceptions::default());
        assert_eq!(ending(&calendar, "2026-12-31T12:00"), None);
        assert_eq!(ending(&calendar, "2028-12-01T12:00").map(|it| it.missing), Some(2029));
    }
}
