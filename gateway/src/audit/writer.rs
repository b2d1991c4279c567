//! The two threads of the log: one writes what arrives, the other seals it.
//!
//! Group commit: what arrives while a batch is being synced is the next batch. Owns waiting and
//! batching; what is written and in which order is `journal`'s and `sealing`'s.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{
    frame::NewFrame,
    journal::Journal,
    log::AppendError,
    queue::{Queue, Request},
    sealing::Sealer,
    state::{Held, Shared},
};
use crate::clock::Clock;

/// Entries that are not under a checkpoint wait in memory; appending waits where there are more.
const UNSEALED: usize = 128 << 20;
/// No two checkpoints are signed within this time.
const BETWEEN_CHECKPOINTS: Duration = Duration::from_secs(1);
/// Callers that were just answered are waited for at most so long.
const GATHER: Duration = Duration::from_millis(1);

/// Writes the journal.
pub(crate) struct Writer {
    pub journal: Journal,
    pub shared: Arc<Shared>,
    pub clock: Clock,
}

/// A request whose entries have their time and their place.
struct Placed {
    range: Range<u64>,
    answer: oneshot::Sender<Result<Range<u64>, AppendError>>,
}

impl Writer {
    /// Writes until nobody can append any more.
    pub(crate) fn run(mut self, queue: &Queue) {
        let (mut callers, mut patience) = (0, Duration::ZERO);
        while let Some(batch) = queue.take(callers, patience) {
            let began = Instant::now();
            callers = batch.len();
            self.commit(batch);
            patience = GATHER.min(began.elapsed() / 4);
        }
        self.shared.close();
    }

    /// Makes a batch durable and answers its callers; or tells them that it is not.
    pub(crate) fn commit(&mut self, batch: Vec<Request>) {
        if let Err(trouble) = self.shared.wait_for_room(UNSEALED) {
            let error = AppendError::Disk(trouble);
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
        let mut frame = NewFrame::new(first, at);
        let placed: Vec<_> = batch.into_iter().filter_map(|r| r.place(at, &mut frame)).collect();
        frame.finish();
        let written = if frame.len() == 0 { Ok(()) } else { self.journal.append(&frame) };
        match written {
            Ok(()) => {
                self.shared.extend(Held::of_batch(frame.into_parts()), at);
                for Placed { range, answer } in placed {
                    // A caller that has gone has no use for the answer; its entries stay.
                    let _ = answer.send(Ok(range));
                }
            }
            Err(error) => {
                tracing::error!("the access log takes no entries: {error}");
                let error = AppendError::disk(&error);
                placed.into_iter().for_each(|r| drop(r.answer.send(Err(error.clone()))));
            }
        }
    }
}

impl Request {
    /// Gives the entries their time and their place in `frame`; answers where one is too long.
    fn place(self, at: Timestamp, frame: &mut NewFrame) -> Option<Placed> {
        let before = frame.len();
        for draft in self.drafts {
            if frame.push(&draft.stamped(at)).is_err() {
                frame.truncate(before);
                let _ = self.answer.send(Err(AppendError::TooLong));
                return None;
            }
        }
        let index = |len: usize| frame.first() + len as u64;
        Some(Placed { range: index(before)..index(frame.len()), answer: self.answer })
    }
}

/// Seals until nothing more will come.
pub(crate) fn seal(mut sealer: Sealer, shared: &Shared) {
    let mut rest = Duration::ZERO;
    while let Some(more) = shared.wait_for_work(rest) {
        if let Err(error) = sealer.seal(shared) {
            tracing::error!("the access log has no checkpoint over its newest entries: {error}");
            shared.fail(error.to_string());
            if !more {
                return;
            }
        }
        rest = BETWEEN_CHECKPOINTS;
    }
}
