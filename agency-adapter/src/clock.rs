//! The one place that reads the time. Everything else is given a [`Clock`].

use std::sync::{Arc, Mutex};

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::Offset,
};

/// Dates in the agencies' files are civil dates of China, wherever the computer's clock is set to.
const CHINA: Offset = Offset::constant(8);

/// Says what time it is.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// The computer's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is set; its clones move together.
    pub fn manual(now: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(Mutex::new(now))))
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Manual(now) => *now.lock().expect("nobody panics holding the lock"),
        }
    }

    /// The present civil day in China (UTC+8).
    pub fn today(&self) -> Date {
        day_in_china(self.now())
    }

    /// The present time of the day in China.
    pub fn time_of_day(&self) -> Time {
        CHINA.to_datetime(self.now()).time()
    }

    /// Sets a manual clock; the computer's is left alone.
    pub fn set(&self, to: Timestamp) {
        if let Source::Manual(now) = &self.0 {
            *now.lock().expect("nobody panics holding the lock") = to;
        }
    }
}

/// The civil day in China of a moment.
pub fn day_in_china(moment: Timestamp) -> Date {
    CHINA.to_datetime(moment).date()
}

/// The wire's form of a moment.
pub fn to_wire(moment: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: moment.as_second(), nanos: moment.subsec_nanosecond() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_begins_at_midnight_in_china() {
        let moment = |text: &str| text.parse().expect("a moment");
        let clock = Clock::manual(moment("2026-03-01T15:59:59Z"));
        assert_eq!(clock.today(), jiff::civil::date(2026, 3, 1));
        clock.clone().set(moment("2026-03-01T16:00:00Z"));
        assert_eq!(clock.today(), jiff::civil::date(2026, 3, 2));
    }
}
