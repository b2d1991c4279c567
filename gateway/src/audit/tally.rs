//! Acts that come in numbers and are logged as counts: refused calls, and batches of evaluations that
//! were carried. Neither reveals anything or changes anything here, so the count may follow the act.
//!
//! Whoever causes many of them causes one entry a second.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use proto::{
    act::{Act, MethodName},
    entry::Actor,
    fault::Reason,
    name::AgencyId,
};
use tokio::sync::Notify;

use super::recorder::Recorder;

/// How long counts are gathered.
const GATHER: Duration = Duration::from_secs(1);

/// The counts that are not in the log yet.
#[derive(Default)]
pub struct Tally {
    counts: Mutex<BTreeMap<Key, Count>>,
    news: Notify,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Refused { by: Actor, method: Option<MethodName>, reason: Reason },
    Relayed { requester: AgencyId, holder: AgencyId, epoch: u32 },
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
    /// A call was refused.
    pub fn refused(&self, by: Actor, method: Option<MethodName>, reason: Reason) {
        self.counts().entry(Key::Refused { by, method, reason }).or_default().number += 1;
        self.news.notify_one();
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
            if recorder.record(&by, act).await.is_err() {
                let mut counts = self.counts();
                let kept = counts.entry(key).or_default();
                kept.number += count.number;
                kept.elements += count.elements;
                kept.refused += count.refused;
                self.news.notify_one();
            }
        }
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
