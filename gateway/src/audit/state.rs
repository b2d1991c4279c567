//! What the log has at this moment: the entries that are durable but not all in tiles yet, and the
//! last checkpoint.
//!
//! Shared by the writer, which adds entries, the sealer, which moves them into tiles, and readers.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard},
};

use jiff::Timestamp;
use proto::{checkpoint::Checkpoint, merkle::Hash, tiled_tree::TiledTree};
use tokio::sync::watch;

use super::tile_files::TileFiles;

/// The state, and a bell for when it changes.
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
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
    /// The tree under the last checkpoint.
    pub tree: Arc<TiledTree<TileFiles>>,
    /// The time of the last entry.
    pub latest: Timestamp,
    /// Why there is no checkpoint over the newest entries, where one was tried.
    pub trouble: Option<String>,
    /// No more entries will come.
    pub closing: bool,
}

/// A durable entry and its hash.
#[derive(Clone)]
pub(crate) struct Held {
    pub bytes: Arc<[u8]>,
    pub leaf: Hash,
}

impl Shared {
    pub(crate) fn new(state: State, checkpoint: Checkpoint) -> Self {
        let checkpoints = watch::Sender::new(Arc::new(checkpoint));
        Self { state: Mutex::new(state), changed: Condvar::new(), checkpoints }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the state")
    }

    /// Changes the state and tells whoever waits for it.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.notify_all();
        changed
    }

    /// Publishes a checkpoint with the tree under it.
    pub(crate) fn publish(&self, checkpoint: Checkpoint, tree: TiledTree<TileFiles>) {
        self.change(|state| state.seal(tree));
        self.checkpoints.send_replace(Arc::new(checkpoint));
    }

    /// The bell.
    pub(crate) fn changed(&self) -> &Condvar {
        &self.changed
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

    /// Takes over entries that are durable by now.
    pub(crate) fn extend(&mut self, entries: impl IntoIterator<Item = Held>, at: Timestamp) {
        for entry in entries {
            self.unsealed += entry.bytes.len();
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
        let bytes = |held: &Held| held.bytes.len();
        self.unsealed -=
            self.tail.iter().take(newly).skip(known as usize).map(bytes).sum::<usize>();
        let start = sealed - sealed % u64::from(proto::tile::WIDTH);
        self.tail.drain(..(start - self.start) as usize);
        self.start = start;
        self.tree = Arc::new(tree);
        self.trouble = None;
    }
}
