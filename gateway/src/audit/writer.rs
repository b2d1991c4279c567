//! The two threads of the log: one writes what arrives, the other seals it.
//!
//! Group commit: what arrives while a batch is being synced is the next batch. Owns waiting and
//! batching; what is written and in which order is `journal`'s and `sealing`'s.

use std::{
    io,
    ops::Range,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use proto::{merkle::Hash, tile::push_entry};
use tokio::sync::oneshot;

use super::{
    journal::Journal,
    log::{AppendError, Draft},
    sealing::Sealer,
    state::{Held, Shared},
};
use crate::clock::Clock;

/// So many entries are enough for a batch.
const BATCH: usize = 4096;
/// Entries that are not under a checkpoint wait in memory; appending waits where there are more.
const UNSEALED: usize = 128 << 20;
/// No two checkpoints are signed within this time.
const BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(1);
/// Callers that were just answered are waited for at most so long.
const GATHER: Duration = Duration::from_millis(1);

/// Entries that wait to be written, and whom to tell.
pub(crate) struct Request {
    pub drafts: Vec<Box<dyn Draft>>,
    pub answer: oneshot::Sender<Result<Range<u64>, AppendError>>,
}

/// Writes the journal.
pub(crate) struct Writer {
    pub journal: Journal,
    pub shared: Arc<Shared>,
    pub clock: Clock,
}

/// A request whose entries have their time.
struct Stamped {
    entries: Vec<Vec<u8>>,
    answer: oneshot::Sender<Result<Range<u64>, AppendError>>,
}

impl Writer {
    /// Writes until nobody can append any more.
    pub(crate) fn run(mut self, requests: &Receiver<Request>) {
        let mut before = (0, Duration::ZERO);
        while let Some(batch) = gather(requests, before) {
            let (size, began) = (batch.len(), Instant::now());
            self.commit(batch);
            before = (size, began.elapsed());
        }
        self.shared.change(|state| state.closing = true);
    }

    /// Makes a batch durable and answers its callers; or tells them that it is not.
    pub(crate) fn commit(&mut self, batch: Vec<Request>) {
        if let Err(error) = self.wait_for_room() {
            batch.into_iter().for_each(|request| drop(request.answer.send(Err(error.clone()))));
            return;
        }
        let (first, latest) = {
            let state = self.shared.lock();
            (state.size(), state.latest)
        };
        // A clock that was set back does not set entries back: they keep the latest time.
        let at = Timestamp::from_microsecond(self.clock.now().as_microsecond())
            .map_or(latest, |now| now.max(latest));
        let mut bundle = Vec::new();
        let stamped: Vec<_> = batch.into_iter().filter_map(|r| r.stamp(at, &mut bundle)).collect();
        let count = stamped.iter().map(|request| request.entries.len()).sum::<usize>();
        let count = u32::try_from(count).expect("callers append few entries at a time");
        let written =
            if count == 0 { Ok(()) } else { self.journal.append(first, at, (count, &bundle)) };
        match written {
            Ok(()) => self.acknowledge(first, at, stamped),
            Err(error) => {
                tracing::error!("the access log takes no entries: {error}");
                let error = AppendError::disk(&error);
                stamped.into_iter().for_each(|r| drop(r.answer.send(Err(error.clone()))));
            }
        }
    }

    fn acknowledge(&self, mut first: u64, at: Timestamp, stamped: Vec<Stamped>) {
        let mut entries = Vec::new();
        let mut answers = Vec::new();
        for request in stamped {
            let range = first..first + request.entries.len() as u64;
            first = range.end;
            answers.push((request.answer, range));
            entries.extend(
                request
                    .entries
                    .into_iter()
                    .map(|bytes| Held { leaf: Hash::of_leaf(&bytes), bytes: bytes.into() }),
            );
        }
        if !entries.is_empty() {
            self.shared.change(|state| state.extend(entries, at));
        }
        for (answer, range) in answers {
            // A caller that has gone has no use for the answer; its entries stay.
            let _ = answer.send(Ok(range));
        }
    }

    /// Waits until the sealer has caught up, unless it cannot.
    fn wait_for_room(&self) -> Result<(), AppendError> {
        let mut state = self.shared.lock();
        while state.unsealed > UNSEALED {
            if let Some(trouble) = &state.trouble {
                return Err(AppendError::Disk(trouble.clone()));
            }
            state = self.shared.changed().wait(state).expect("nobody panics holding the state");
        }
        Ok(())
    }
}

impl Request {
    /// Gives the entries their time and appends them to `bundle`; answers where one is too long.
    fn stamp(self, at: Timestamp, bundle: &mut Vec<u8>) -> Option<Stamped> {
        let before = bundle.len();
        let entries: Vec<_> = self.drafts.into_iter().map(|draft| draft.stamped(at)).collect();
        if entries.iter().any(|entry| push_entry(bundle, entry).is_err()) {
            bundle.truncate(before);
            let _ = self.answer.send(Err(AppendError::TooLong));
            return None;
        }
        Some(Stamped { entries, answer: self.answer })
    }
}

/// The next batch: what has arrived, and what callers of the batch before are about to send. They
/// are waited for a part of the time that a sync takes; without that every other batch would have
/// the few that were the quickest.
fn gather(requests: &Receiver<Request>, before: (usize, Duration)) -> Option<Vec<Request>> {
    let (size, took) = before;
    let mut batch = vec![requests.recv().ok()?];
    let deadline = Instant::now() + GATHER.min(took / 4);
    let mut entries = batch[0].drafts.len();
    while entries < BATCH {
        let wait = deadline.saturating_duration_since(Instant::now());
        let request = match requests.try_recv() {
            Ok(request) => request,
            Err(_) if batch.len() >= size => break,
            Err(_) => match requests.recv_timeout(wait) {
                Ok(request) => request,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            },
        };
        entries += request.drafts.len();
        batch.push(request);
    }
    Some(batch)
}

/// Seals until nothing more will come.
pub(crate) fn seal(mut sealer: Sealer, shared: &Shared) {
    let mut last: Option<Instant> = None;
    loop {
        let mut state = shared.lock();
        loop {
            let changed = shared.changed();
            let nothing = state.size() == state.sealed();
            let rest = last
                .map_or(Duration::ZERO, |last| BETWEEN_CHECKPOINTS.saturating_sub(last.elapsed()));
            if nothing && state.closing {
                return;
            }
            if !nothing && (rest.is_zero() || state.closing) {
                break;
            }
            let held = "nobody panics holding the state";
            state = if nothing {
                changed.wait(state).expect(held)
            } else {
                changed.wait_timeout(state, rest).expect(held).0
            };
        }
        let closing = state.closing;
        drop(state);
        let sealed = sealer.seal(shared);
        last = Some(Instant::now());
        if let Err(error) = sealed {
            report(shared, &error);
            if closing {
                return;
            }
        }
    }
}

fn report(shared: &Shared, error: &io::Error) {
    tracing::error!("the access log has no checkpoint over its newest entries: {error}");
    shared.change(|state| state.trouble = Some(error.to_string()));
}
