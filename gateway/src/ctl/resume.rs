//! Where a watch goes on after a lost connection, and how long it waits before it tries.
//!
//! Decides and knows no network, no clock and no screen.

use std::time::Duration;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Before the first new attempt; doubled for each further one.
    pub first: Duration,
    /// The longest time between attempts.
    pub longest: Duration,
    /// Without any message, heartbeats included, the connection counts as lost.
    pub silence: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            silence: Duration::from_secs(60),
        }
    }
}

/// What was seen, and therefore where to go on and when.
#[derive(Debug)]
pub struct Resume {
    /// The highest revision seen.
    after: u64,
    /// What the current stream was asked to start after.
    asked: u64,
    /// Attempts since the last message.
    attempts: u32,
    link: Link,
    told_behind: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Never,
    Up,
    Down,
}

impl Resume {
    /// Nothing was seen yet but what led up to `revision`.
    pub fn after(revision: u64) -> Self {
        let link = Link::Never;
        Self { after: revision, asked: revision, attempts: 0, link, told_behind: false }
    }

    /// Whether any stream was opened yet.
    pub fn has_been_open(&self) -> bool {
        self.link != Link::Never
    }

    /// What to ask a new stream to start after.
    pub fn ask(&mut self) -> u64 {
        self.asked = self.after;
        self.asked
    }

    /// The stream is open. Whether that ends an outage.
    pub fn opened(&mut self) -> bool {
        std::mem::replace(&mut self.link, Link::Up) == Link::Down
    }

    /// A change arrived. Whether it is news, and not what this stream was asked to leave out.
    pub fn change(&mut self, revision: u64) -> bool {
        self.attempts = 0;
        self.after = self.after.max(revision);
        revision > self.asked
    }

    /// A heartbeat arrived. Whether the gateway turns out to have forgotten, said only once. It
    /// does not move the place to resume from: only a change that was shown does.
    pub fn heartbeat(&mut self, revision: u64) -> bool {
        self.attempts = 0;
        let behind = revision < self.after;
        behind && !std::mem::replace(&mut self.told_behind, true)
    }

    /// The stream ended or could not be opened. Whether an outage begins.
    pub fn lost(&mut self) -> bool {
        std::mem::replace(&mut self.link, Link::Down) != Link::Down
    }

    /// How long to wait before the next attempt.
    pub fn wait(&mut self, pace: &Pace) -> Duration {
        let factor = 1u32.checked_shl(self.attempts).unwrap_or(u32::MAX);
        self.attempts = self.attempts.saturating_add(1);
        pace.first.saturating_mul(factor).min(pace.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_stream_starts_after_the_last_change_shown_and_not_after_a_heartbeat() {
        let mut resume = Resume::after(4);
        assert_eq!(resume.ask(), 4);
        assert!(resume.change(7));
        assert!(!resume.heartbeat(12));
        assert_eq!(resume.ask(), 7);
    }

    #[test]
    fn changes_out_of_order_are_all_news_and_those_from_before_the_start_are_not() {
        let mut resume = Resume::after(4);
        resume.ask();
        assert!(resume.change(9) && resume.change(8));
        assert!(!resume.change(4));
        assert_eq!(resume.ask(), 9);
    }

    #[test]
    fn each_outage_is_told_once_and_so_is_its_end() {
        let mut resume = Resume::after(0);
        assert!(!resume.opened() && resume.has_been_open());
        assert!(resume.lost());
        assert!(!resume.lost());
        assert!(resume.opened());
        assert!(!resume.opened());
    }

    #[test]
    fn waits_double_up_to_a_minute_and_start_afresh_after_a_message() {
        let pace = Pace::default();
        let mut resume = Resume::after(0);
        let waits: Vec<u64> = (0..8).map(|_| resume.wait(&pace).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        (0..100).for_each(|_| assert!(resume.wait(&pace) == pace.longest));
        resume.heartbeat(0);
        assert_eq!(resume.wait(&pace), pace.first);
    }
}
