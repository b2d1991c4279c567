//! Acts that come in numbers and are logged as counts: refused calls, and batches of evaluations that
//! were carried. Neither reveals anything or changes anything here, so the count may follow the act.
//!
//! Whoever causes many of them causes one entry a second.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use jiff::Timestamp;
use proto::{act::Act, entry::Actor, fault::Reason, method_name::MethodName, name::AgencyId};
use tokio::sync::Notify;

use super::recorder::Recorder;
use crate::clock::Clock;

/// So many different refusals are remembered for those who watch over the gateway.
const REMEMBERED: usize = 1000;
/// How long counts are gathered.
const GATHER: Duration = Duration::from_secs(1);

/// The counts that are not in the log yet.
pub struct Tally {
    clock: Clock,
    counts: Mutex<BTreeMap<Key, Count>>,
    /// Refused calls since the start.
    refused: Mutex<BTreeMap<Reason, u64>>,
    /// The same by caller and method.
    refusals: Mutex<BTreeMap<RefusedCall, Refusals>>,
    news: Notify,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Refused { by: Actor, method: Option<MethodName>, reason: Reason },
    Relayed { requester: AgencyId, holder: AgencyId, epoch: u32 },
}

/// What refused calls have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedCall {
    /// Whose.
    pub by: Actor,
    /// Of which method, where it is one of the protocol's.
    pub method: Option<MethodName>,
    /// Why.
    pub reason: Reason,
}

/// How many, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusals {
    /// How many.
    pub count: u64,
    /// The first since the start.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    number: u64,
    elements: u64,
    refused: u64,
}

/// A batch of blinded elements on its way to a key holder.
pub struct Batch<'a> {
    /// Who asked.
    pub requester: &'a AgencyId,
    /// Who was asked.
    pub holder: &'a AgencyId,
    /// The epoch of the key.
    pub epoch: u32,
    /// How many elements.
    pub elements: u64,
    /// Whether no evaluation came of it.
    pub refused: bool,
}

impl Tally {
    /// Nothing is counted yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            counts: Mutex::default(),
            refused: Mutex::default(),
            refusals: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// A call was refused.
    pub fn refused(&self, by: Actor, method: Option<MethodName>, reason: Reason) {
        *self.refused_by_reason().entry(reason).or_default() += 1;
        self.remember(RefusedCall { by: by.clone(), method: method.clone(), reason });
        self.counts().entry(Key::Refused { by, method, reason }).or_default().number += 1;
        self.news.notify_one();
    }

    /// Whose calls were refused since the start, the latest first.
    pub fn refusals(&self) -> Vec<(RefusedCall, Refusals)> {
        let known = self.known_refusals();
        let mut all: Vec<_> = known.iter().map(|(call, seen)| (call.clone(), *seen)).collect();
        all.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.last));
        all
    }

    fn remember(&self, call: RefusedCall) {
        let now = self.clock.now();
        let mut known = self.known_refusals();
        if !known.contains_key(&call) && known.len() >= REMEMBERED {
            let oldest = known.iter().min_by_key(|(_, seen)| seen.last);
            let oldest = oldest.map(|(call, _)| call.clone());
            oldest.map(|oldest| known.remove(&oldest));
        }
        let seen = known.entry(call).or_insert(Refusals { count: 0, first: now, last: now });
        seen.count += 1;
        seen.last = now;
    }

    fn known_refusals(&self) -> MutexGuard<'_, BTreeMap<RefusedCall, Refusals>> {
        self.refusals.lock().expect("nobody panics while counting")
    }

    /// A batch was carried, or was to be.
    pub fn relayed(&self, batch: &Batch<'_>) {
        let (requester, holder) = (batch.requester.clone(), batch.holder.clone());
        let mut counts = self.counts();
        let count =
            counts.entry(Key::Relayed { requester, holder, epoch: batch.epoch }).or_default();
        count.number += 1;
        count.elements += batch.elements;
        count.refused += u64::from(batch.refused);
        self.news.notify_one();
    }

    /// Logs what is counted, again and again. Never returns.
    pub async fn keep_logging(&self, recorder: &Recorder) {
        loop {
            self.news.notified().await;
            tokio::time::sleep(GATHER).await;
            self.log(recorder).await;
        }
    }

    /// Logs what is counted now. What cannot be logged is kept and counted on.
    pub async fn log(&self, recorder: &Recorder) {
        let counts = std::mem::take(&mut *self.counts());
        for (key, count) in counts {
            let (by, act) = entry(&key, count);
            if recorder.note(&by, act).await.is_err() {
                let mut counts = self.counts();
                let kept = counts.entry(key).or_default();
                kept.number += count.number;
                kept.elements += count.elements;
                kept.refused += count.refused;
                self.news.notify_one();
            }
        }
    }

    /// Refused calls since the start, by reason.
    pub fn refused_calls(&self) -> BTreeMap<Reason, u64> {
        self.refused_by_reason().clone()
    }

    fn refused_by_reason(&self) -> MutexGuard<'_, BTreeMap<Reason, u64>> {
        self.refused.lock().expect("nobody panics while counting")
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<Key, Count>> {
        self.counts.lock().expect("nobody panics while counting")
    }
}

fn entry(key: &Key, Count { number, elements, refused }: Count) -> (Actor, Act) {
    match key.clone() {
        Key::Refused { by, method, reason } => {
            (by, Act::CallsRefused { method, reason, count: number })
        }
        Key::Relayed { requester, holder, epoch } => {
            let by = Actor::Agency(requester.clone());
            let act = Act::EvaluationsRelayed {
                requester,
                holder,
                epoch,
                batches: number,
                elements,
                refused,
            };
            (by, act)
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::entry::Entry;

    use super::*;
    use crate::audit::recorder::tests::recorder;

    #[tokio::test]
    async fn many_refused_calls_of_one_officer_are_one_entry_with_their_number() {
        let directory = tempfile::tempdir().expect("a directory");
        let start = Timestamp::UNIX_EPOCH;
        let (hand, clock) = Clock::manual(start);
        let (recorder, tally) = (recorder(directory.path()), Tally::new(clock));
        let li = || Actor::Officer("li".parse().expect("a name"));
        for _ in 0..3 {
            tally.refused(li(), None, Reason::NotPermitted);
        }
        let later = start + Duration::from_secs(9);
        hand.send_replace(later);
        tally.refused(li(), None, Reason::NotFound);
        tally.refused(li(), None, Reason::NotFound);
        let call = |reason| RefusedCall { by: li(), method: None, reason };
        let expected = [
            (call(Reason::NotFound), Refusals { count: 2, first: later, last: later }),
            (call(Reason::NotPermitted), Refusals { count: 3, first: start, last: start }),
        ];
        assert_eq!(tally.refusals(), expected, "who watches over the gateway sees them");
        let agency: AgencyId = "tax".parse().expect("a name");
        for refused in [false, true] {
            let (requester, holder) = (&agency, &agency);
            tally.relayed(&Batch { requester, holder, epoch: 1, elements: 2048, refused });
        }
        tally.log(&recorder).await;
        let entries = recorder.log().entries(0..9).await.expect("read");
        let acts: Vec<Act> = entries
            .iter()
            .map(|entry| Entry::parse(entry).expect("an entry").act().clone())
            .collect();
        let refused = |reason, count| Act::CallsRefused { method: None, reason, count };
        assert_eq!(acts.len(), 3);
        assert!(acts.contains(&refused(Reason::NotPermitted, 3)));
        assert!(acts.contains(&refused(Reason::NotFound, 2)));
        let relayed = acts.iter().find(|act| act.word() == "evaluations_relayed");
        assert!(matches!(
            relayed,
            Some(Act::EvaluationsRelayed { batches: 2, elements: 4096, refused: 1, .. })
        ));
        tally.log(&recorder).await;
        assert_eq!(recorder.log().size(), 3, "and nothing is counted twice");
    }

    #[test]
    fn a_flood_of_different_callers_does_not_fill_the_memory() {
        let (hand, clock) = Clock::manual(Timestamp::UNIX_EPOCH);
        let tally = Tally::new(clock);
        for second in 0..REMEMBERED + 5 {
            let now = Timestamp::from_second(second as i64).expect("a moment");
            hand.send_replace(now);
            let by = Actor::Officer(format!("li-{second}").parse().expect("a name"));
            tally.refused(by, None, Reason::NotPermitted);
        }
        let kept = tally.refusals();
        let seconds = |at: usize| kept[at].1.last.as_second();
        assert_eq!((kept.len(), seconds(0), seconds(REMEMBERED - 1)), (REMEMBERED, 1004, 5));
    }
}
