//! Where callers leave entries and the writer picks them up, a batch at a time.
//!
//! The writer is woken once for a batch, not once for an entry: with hundreds of callers the switches
//! between threads would otherwise take longer than the disk. Owns waiting and waking; what is
//! written is `writer`'s.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Condvar, Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::oneshot;

use super::log::{AppendError, Draft};

/// So many entries are enough for a batch.
const BATCH: usize = 4096;

/// Where a caller's entries are, once they are durable.
pub(crate) type Answer = Result<Range<u64>, AppendError>;

/// Entries that wait to be written, and whom to tell.
pub(crate) struct Request {
    pub drafts: Vec<Box<dyn Draft>>,
    pub answer: oneshot::Sender<Answer>,
}

/// The requests that wait.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    enough: Condvar,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    /// With so many the writer wants to be woken; absent while it does not wait.
    wanted: Option<usize>,
    closed: bool,
}

impl Queue {
    /// Leaves entries for the writer.
    ///
    /// # Errors
    /// [`AppendError::Closed`].
    pub(crate) fn put(&self, request: Request) -> Result<(), AppendError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(AppendError::Closed);
        }
        waiting.requests.push_back(request);
        let enough = waiting.wanted.is_some_and(|wanted| waiting.requests.len() >= wanted);
        if enough {
            waiting.wanted = None;
            drop(waiting);
            self.enough.notify_one();
        }
        Ok(())
    }

    /// The next batch: what waits, once it is of `expected` callers or `patience` is over. The first
    /// of them is waited for as long as it takes. None once the queue is closed and empty.
    ///
    /// Callers that were answered a moment ago are about to come back; without waiting for them every
    /// other batch would be of the few that were the quickest.
    pub(crate) fn take(&self, expected: usize, patience: Duration) -> Option<Vec<Request>> {
        let first = self.wait(self.lock(), 1, None);
        if first.requests.is_empty() {
            return None;
        }
        let mut waiting = self.wait(first, expected, Some(patience));
        let mut batch = Vec::with_capacity(waiting.requests.len());
        let mut entries = 0;
        while entries < BATCH
            && let Some(request) = waiting.requests.pop_front()
        {
            entries += request.drafts.len();
            batch.push(request);
        }
        Some(batch)
    }

    /// Takes no more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.enough.notify_one();
    }

    fn wait<'a>(
        &self,
        waiting: MutexGuard<'a, Waiting>,
        wanted: usize,
        patience: Option<Duration>,
    ) -> MutexGuard<'a, Waiting> {
        let too_few = |waiting: &mut Waiting| {
            let too_few = !waiting.closed && waiting.requests.len() < wanted;
            waiting.wanted = too_few.then_some(wanted);
            too_few
        };
        let held = "nobody panics while holding the queue";
        let mut waiting = match patience {
            None => self.enough.wait_while(waiting, too_few).expect(held),
            Some(patience) => {
                self.enough.wait_timeout_while(waiting, patience, too_few).expect(held).0
            }
        };
        waiting.wanted = None;
        waiting
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nobody panics while holding the queue")
    }
}
