//! Since when an unknown decides about subjects of whom no alert says so yet, for one rule.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

/// An unknown that lasts less than this is not told to anybody: data and grants arrive one after
/// another when adapters connect.
pub(crate) const UNKNOWN_FOR: Duration = Duration::from_secs(5);

/// The waits.
#[derive(Default)]
pub(crate) struct Waits {
    since: HashMap<u32, Timestamp>,
    queue: BTreeSet<(Timestamp, u32)>,
}

impl Waits {
    /// Since when a subject has been waiting: since now, where it was not before.
    pub(crate) fn since(&mut self, subject: u32, now: Timestamp) -> Timestamp {
        let since = *self.since.entry(subject).or_insert(now);
        self.queue.insert((since, subject));
        since
    }

    /// A subject waits no longer.
    pub(crate) fn end(&mut self, subject: u32) {
        if let Some(since) = self.since.remove(&subject) {
            self.queue.remove(&(since, subject));
        }
    }

    /// Whether a subject waits.
    pub(crate) fn contains(&self, subject: u32) -> bool {
        self.since.contains_key(&subject)
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// Everybody who waits.
    pub(crate) fn all(&self) -> impl Iterator<Item = u32> {
        self.since.keys().copied()
    }

    /// Those who have waited long enough to be told of.
    pub(crate) fn over(&self, now: Timestamp) -> impl Iterator<Item = u32> {
        let latest = (began_before(now), u32::MAX);
        self.queue.range(..=latest).map(|&(_, subject)| subject)
    }

    /// When the next have waited long enough, after `looked`.
    pub(crate) fn next_over(&self, looked: Timestamp) -> Option<Timestamp> {
        let later = Bound::Excluded((began_before(looked), u32::MAX));
        let (since, _) = self.queue.range((later, Bound::Unbounded)).next()?;
        Some(crate::clock::later(*since, UNKNOWN_FOR))
    }
}

/// When a wait that is over at `now` began at the latest.
fn began_before(now: Timestamp) -> Timestamp {
    let unknown_for = SignedDuration::try_from(UNKNOWN_FOR).unwrap_or(SignedDuration::MAX);
    now.checked_sub(unknown_for).unwrap_or(Timestamp::MIN)
}
