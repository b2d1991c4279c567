//! The two threads of the log: one writes what arrives, the other seals it.
//!
//! Group commit: what arrives while a batch is being synced is the next batch. Owns waiting, batching and
//! answering; what is written and in which order is `journal`'s and `sealing`'s.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::{runtime::Handle, sync::oneshot};

use super::{
    frame::NewFrame,
    journal::Journal,
    log::AppendError,
    queue::{Answer, Queue, Request},
    sealing::Sealer,
    state::{Held, Shared, Work},
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
    /// How long the last frame was: the next one will hardly be much longer.
    pub usual: usize,
}

/// What the callers of a batch are to be told.
pub(crate) struct Answers(Vec<(oneshot::Sender<Answer>, Answer)>);

impl Answers {
    /// Tells them. A caller that has gone has no use for its answer; its entries stay.
    pub(crate) fn give(self) {
        self.0.into_iter().for_each(|(caller, answer)| drop(caller.send(answer)));
    }

    /// What was to be durable is not.
    fn fail(&mut self, error: &AppendError) {
        self.0.iter_mut().filter(|(_, answer)| answer.is_ok()).for_each(|(_, answer)| {
            *answer = Err(error.clone());
        });
    }
}

impl Writer {
    /// Writes until nobody can append any more.
    pub(crate) fn run(mut self, queue: &Queue, callers: &Handle) {
        let (mut expected, mut patience) = (0, Duration::ZERO);
        while let Some(batch) = queue.take(expected, patience) {
            let began = Instant::now();
            expected = batch.len();
            let answers = self.commit(batch);
            // One wakes all: to wake each from here would be a switch between threads for each.
            callers.spawn(async move { answers.give() });
            patience = GATHER.min(began.elapsed() / 4);
        }
        self.shared.close();
    }

    /// Makes a batch durable, and says what its callers are to be told: where it is, or that it is not.
    pub(crate) fn commit(&mut self, batch: Vec<Request>) -> Answers {
        let room = self.shared.wait_for_room(UNSEALED).map_err(AppendError::Disk);
        let (first, latest, sealed) = {
            let state = self.shared.lock();
            (state.size(), state.latest, state.sealed())
        };
        // A clock that was set back does not set entries back: they keep the latest time.
        let at = Timestamp::from_microsecond(self.clock.now().as_microsecond())
            .map_or(latest, |now| now.max(latest));
        let mut frame = NewFrame::new(first, at, self.usual);
        let mut answers =
            Answers(batch.into_iter().map(|request| request.place(at, &mut frame)).collect());
        let written = room.and_then(|()| self.write(&mut frame, sealed));
        self.usual = frame.bytes().len();
        match written {
            Ok(()) => self.shared.extend(Held::of_batch(frame.into_parts()), at),
            Err(error) => answers.fail(&error),
        }
        answers
    }

    fn write(&mut self, frame: &mut NewFrame, sealed: u64) -> Result<(), AppendError> {
        if frame.len() == 0 {
            return Ok(());
        }
        self.journal.append(frame, sealed).map_err(|error| {
            tracing::error!("the access log takes no entries: {error}");
            AppendError::disk(&error)
        })
    }
}

impl Request {
    /// Gives the entries their time and their place in `frame`, or none where one of them is too long.
    fn place(self, at: Timestamp, frame: &mut NewFrame) -> (oneshot::Sender<Answer>, Answer) {
        let before = frame.len();
        for draft in self.drafts {
            if frame.push(&draft.stamped(at)).is_err() {
                frame.truncate(before);
                return (self.answer, Err(AppendError::TooLong));
            }
        }
        let index = |len: usize| frame.first() + len as u64;
        (self.answer, Ok(index(before)..index(frame.len())))
    }
}

/// Seals until nothing more will come.
pub(crate) fn seal(mut sealer: Sealer, shared: &Shared) {
    // After a failure nothing is tried before the next checkpoint.
    let (mut due, mut ahead) = (Instant::now(), true);
    while let Some(work) = shared.wait_for_work(due, ahead) {
        let done = match work {
            Work::Tiles => sealer.write_ahead(shared),
            Work::Checkpoint | Work::LastCheckpoint => sealer.seal(shared),
        };
        ahead = done.is_ok();
        if work != Work::Tiles {
            due = Instant::now() + BETWEEN_CHECKPOINTS;
        }
        if let Err(error) = done {
            tracing::error!("the access log has no checkpoint over its newest entries: {error}");
            shared.fail(error.to_string());
            if work == Work::LastCheckpoint {
                return;
            }
        }
    }
}
