//! What the log has at this moment: the entries that are durable but not all in tiles yet, and the
//! last checkpoint.
//!
//! Shared by the writer, which adds entries, the sealer, which moves them into tiles, and readers.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Instant,
};

use jiff::Timestamp;
use proto::{checkpoint::Checkpoint, tile::WIDTH, tiled_tree::TiledTree};
use tokio::sync::watch;

use super::tile_files::TileFiles;

const HELD: &str = "nobody panics while holding the state";
/// So many entries go into tiles before a checkpoint is due.
pub(crate) const AHEAD: u64 = 64 * WIDTH as u64;

/// The state, and what its two threads wait for.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// The sealer has something to do.
    work: Condvar,
    /// The writer has room again, or will have none.
    room: Condvar,
    checkpoints: watch::Sender<Arc<Checkpoint>>,
}

/// The state.
pub(crate) struct State {
    /// The index of the first entry of `tail`: where a bundle begins.
    pub start: u64,
    /// Entries from the last bundle that is not full under the checkpoint.
    pub tail: VecDeque<Held>,
    /// How many bytes of entries are not under the checkpoint.
    pub unsealed: usize,
    /// The entries before this one are in durable tiles, under the checkpoint or to be.
    pub in_tiles: u64,
    /// The tree under the last checkpoint.
    pub tree: Arc<TiledTree<TileFiles>>,
    /// The time of the last entry.
    pub latest: Timestamp,
    /// Why there is no checkpoint over the newest entries, where one was tried.
    pub trouble: Option<String>,
    /// No more entries will come.
    pub closing: bool,
}

/// A durable entry, within the bytes of the batch that it came in.
#[derive(Clone)]
pub(crate) struct Held {
    batch: Arc<Vec<u8>>,
    at: Range<usize>,
}

/// What there is to do for the sealer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Entries go into tiles, ahead of a checkpoint.
    Tiles,
    /// A checkpoint is due.
    Checkpoint,
    /// A checkpoint is due, and no entry will come after it.
    LastCheckpoint,
}

impl Held {
    /// The entries of a batch.
    pub(crate) fn of_batch(
        (bytes, entries): (Vec<u8>, Vec<Range<usize>>),
    ) -> impl Iterator<Item = Self> {
        let batch = Arc::new(bytes);
        entries.into_iter().map(move |at| Self { batch: batch.clone(), at })
    }

    /// The entry's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.batch[self.at.clone()]
    }
}

impl From<Vec<u8>> for Held {
    fn from(bytes: Vec<u8>) -> Self {
        Self { at: 0..bytes.len(), batch: Arc::new(bytes) }
    }
}

impl Shared {
    pub(crate) fn new(state: State, checkpoint: Checkpoint) -> Self {
        let checkpoints = watch::Sender::new(Arc::new(checkpoint));
        Self { state: Mutex::new(state), work: Condvar::new(), room: Condvar::new(), checkpoints }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(HELD)
    }

    /// Takes over entries that are durable by now, and wakes the sealer if it had nothing to do.
    pub(crate) fn extend(&self, entries: impl Iterator<Item = Held>, at: Timestamp) {
        let mut state = self.lock();
        let before = (state.size() == state.sealed(), state.fills_tiles());
        state.extend(entries, at);
        let now = (false, state.fills_tiles());
        drop(state);
        if before != now {
            self.work.notify_one();
        }
    }

    /// Entries before this one are in durable tiles.
    pub(crate) fn in_tiles(&self, before: u64) {
        self.lock().in_tiles = before;
    }

    /// No more entries will come.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
    }

    /// Why there is no checkpoint over the newest entries.
    pub(crate) fn fail(&self, trouble: String) {
        self.lock().trouble = Some(trouble);
        self.room.notify_one();
    }

    /// Publishes a checkpoint with the tree under it.
    pub(crate) fn publish(&self, checkpoint: Checkpoint, tree: TiledTree<TileFiles>) {
        self.lock().seal(tree);
        self.room.notify_one();
        self.checkpoints.send_replace(Arc::new(checkpoint));
    }

    /// Waits, as the writer, until no more than `most` bytes are not under a checkpoint.
    ///
    /// # Errors
    /// Why the sealer does not get on.
    pub(crate) fn wait_for_room(&self, most: usize) -> Result<(), String> {
        let mut state = self.lock();
        while state.unsealed > most {
            if let Some(trouble) = &state.trouble {
                return Err(trouble.clone());
            }
            state = self.room.wait(state).expect(HELD);
        }
        Ok(())
    }

    /// Waits, as the sealer, for what there is to do: a checkpoint, not before `due` unless it is the last one,
    /// or meanwhile, if they may be written `ahead`, tiles. None where there is and will be nothing.
    pub(crate) fn wait_for_work(&self, due: Instant, ahead: bool) -> Option<Work> {
        let mut state = self.lock();
        loop {
            let unsealed = state.size() != state.sealed();
            let rest = due.saturating_duration_since(Instant::now());
            if state.closing {
                return unsealed.then_some(Work::LastCheckpoint);
            }
            if unsealed && rest.is_zero() {
                return Some(Work::Checkpoint);
            }
            if ahead && state.fills_tiles() {
                return Some(Work::Tiles);
            }
            state = if unsealed {
                self.work.wait_timeout(state, rest).expect(HELD).0
            } else {
                self.work.wait(state).expect(HELD)
            };
        }
    }

    /// The last checkpoint, and every one that follows.
    pub(crate) fn checkpoints(&self) -> watch::Receiver<Arc<Checkpoint>> {
        self.checkpoints.subscribe()
    }
}

impl State {
    /// How many entries are durable.
    pub(crate) fn size(&self) -> u64 {
        self.start + self.tail.len() as u64
    }

    /// How many entries are under the checkpoint.
    pub(crate) fn sealed(&self) -> u64 {
        self.tree.edge().size()
    }

    /// Whether entries wait that are worth to be put into tiles before a checkpoint is due.
    fn fills_tiles(&self) -> bool {
        self.size() - self.in_tiles >= AHEAD
    }

    /// The durable entries from one on that is in memory.
    pub(crate) fn held_from(&self, index: u64) -> Vec<Held> {
        self.tail.range((index - self.start) as usize..).cloned().collect()
    }

    /// Takes over entries that are durable by now.
    pub(crate) fn extend(&mut self, entries: impl IntoIterator<Item = Held>, at: Timestamp) {
        for entry in entries {
            self.unsealed += entry.bytes().len();
            self.tail.push_back(entry);
        }
        self.latest = at;
    }

    /// An entry that is still in memory.
    pub(crate) fn held(&self, index: u64) -> Option<&Held> {
        self.tail.get(usize::try_from(index.checked_sub(self.start)?).ok()?)
    }

    fn seal(&mut self, tree: TiledTree<TileFiles>) {
        let sealed = tree.edge().size();
        let known = self.sealed().saturating_sub(self.start);
        let newly = usize::try_from(sealed - self.start).unwrap_or(usize::MAX);
        let bytes = |held: &Held| held.bytes().len();
        self.unsealed -=
            self.tail.iter().take(newly).skip(known as usize).map(bytes).sum::<usize>();
        let start = sealed - sealed % u64::from(WIDTH);
        self.tail.drain(..(start - self.start) as usize);
        self.start = start;
        self.tree = Arc::new(tree);
        self.trouble = None;
    }
}
