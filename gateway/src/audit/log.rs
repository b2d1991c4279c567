//! The access log as the rest of the gateway sees it.
//!
//! `append` returns once its entries are durable; a checkpoint over them follows within about a
//! second. Entries are bytes here; what they say is `entry`'s business.

use std::{
    io,
    ops::Range,
    path::Path,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use jiff::Timestamp;
use proto::{
    checkpoint::Checkpoint,
    merkle::Hash,
    note::KeyName,
    signing::SigningKey,
    tile::{Tile, WIDTH},
    tiled_tree::{TileSource, TiledTree, TreeFault},
};
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
};

use super::{
    opening::{self, Opened},
    queue::{Queue, Request},
    state::Shared,
    tile_files::TileFiles,
    writer::{self, Writer},
};
use crate::{
    clock::Clock,
    disk::{Disk, LocalDisk},
};

pub use super::opening::OpenError;

/// An entry that waits for its place in the log and is written with the time that it gets there.
pub trait Draft: Send + 'static {
    /// The entry's bytes. The times of entries never go back, also where the machine's clock does.
    fn stamped(self: Box<Self>, at: Timestamp) -> Vec<u8>;
}

impl Draft for Vec<u8> {
    fn stamped(self: Box<Self>, _: Timestamp) -> Vec<u8> {
        *self
    }
}

/// The log, open for writing. Clones are the same log.
#[derive(Clone)]
pub struct AccessLog(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Why entries are not in the log. The act that they are about must not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// More than 65,535 bytes: our own mistake.
    #[error("an entry of the access log has at most 65535 bytes")]
    TooLong,
    /// The disk is full or failing.
    #[error("the access log cannot be written: {0}")]
    Disk(String),
    /// The gateway is stopping.
    #[error("the access log is closed")]
    Closed,
}

/// Why something is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The log, or the tree asked for, does not reach so far.
    #[error("the access log has only {size} entries here")]
    Beyond {
        /// How far it reaches.
        size: u64,
    },
    /// What is on disk is not what was logged.
    #[error("the access log: {0}")]
    Fault(#[from] TreeFault<io::Error>),
}

impl AccessLog {
    /// Opens the log below `data_dir`, or begins it there. Callers are answered on the runtime that this
    /// is called on.
    ///
    /// # Errors
    /// [`OpenError`], with what to do.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn open(
        data_dir: &Path,
        origin: KeyName,
        key: SigningKey,
        clock: Clock,
    ) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(LocalDisk), data_dir, (origin, key), clock)
    }

    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        data_dir: &Path,
        signer: (KeyName, SigningKey),
        clock: Clock,
    ) -> Result<Self, OpenError> {
        let Opened { shared, journal, sealer, lock } = opening::open(disk, data_dir, signer)?;
        let shared = Arc::new(shared);
        let queue = Arc::<Queue>::default();
        let writer = Writer { journal, shared: shared.clone(), clock, usual: 0 };
        let (waiting, sealed, callers) = (queue.clone(), shared.clone(), Handle::current());
        let threads = vec![
            thread::spawn(move || writer.run(&waiting, &callers)),
            thread::spawn(move || {
                writer::seal(sealer, &sealed);
                drop(lock);
            }),
        ];
        Ok(Self(Arc::new(Inner { shared, queue, threads: Mutex::new(threads) })))
    }

    /// Appends entries, next to each other and in this order, and returns their indices once they
    /// are durable.
    ///
    /// # Errors
    /// [`AppendError`]: none of them is in the log, as far as anybody may rely on it.
    pub async fn append(&self, drafts: Vec<impl Draft>) -> Result<Range<u64>, AppendError> {
        let drafts = drafts.into_iter().map(|draft| Box::new(draft) as Box<dyn Draft>).collect();
        let (answer, answered) = oneshot::channel();
        self.0.queue.put(Request { drafts, answer })?;
        answered.await.unwrap_or(Err(AppendError::Closed))
    }

    /// How many entries are durable. Those that no checkpoint is over yet are among them.
    pub fn size(&self) -> u64 {
        self.0.shared.lock().size()
    }

    /// The last checkpoint.
    pub fn checkpoint(&self) -> Arc<Checkpoint> {
        self.checkpoints().borrow().clone()
    }

    /// The last checkpoint and every one that follows.
    pub fn checkpoints(&self) -> watch::Receiver<Arc<Checkpoint>> {
        self.0.shared.checkpoints()
    }

    /// Why there is no checkpoint over the newest entries, where one could not be made.
    pub fn trouble(&self) -> Option<String> {
        self.0.shared.lock().trouble.clone()
    }

    /// One entry.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn entry(&self, index: u64) -> Result<Vec<u8>, ReadError> {
        let end = index.saturating_add(1);
        let entry = self.entries(index..end).await?.pop();
        entry.ok_or_else(|| ReadError::Beyond { size: self.size() })
    }

    /// The entries of a range, as far as the log reaches. All of them are held in memory at once.
    ///
    /// # Errors
    /// [`ReadError::Fault`], naming the first entry that is not the one that was logged.
    pub async fn entries(&self, range: Range<u64>) -> Result<Vec<Vec<u8>>, ReadError> {
        let (tree, in_tiles, held) = {
            let state = self.0.shared.lock();
            let end = range.end.min(state.size());
            let in_tiles = range.start..end.min(state.start);
            let held = range.start.max(state.start)..end;
            let held = held.filter_map(|index| state.held(index));
            let held: Vec<_> = held.map(|held| held.bytes().to_vec()).collect();
            (state.tree.clone(), in_tiles, held)
        };
        let mut entries = if in_tiles.is_empty() {
            Vec::new()
        } else {
            blocking(move || read_bundles(&tree, in_tiles)).await?
        };
        entries.extend(held);
        Ok(entries)
    }

    /// The proof that the entry at `index` is in the tree of `size` entries.
    ///
    /// # Errors
    /// [`ReadError::Beyond`] where that tree is under no checkpoint yet, or the entry not in it.
    pub async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        let tree = self.tree(size)?;
        if index >= size {
            return Err(ReadError::Beyond { size });
        }
        Ok(blocking(move || tree.inclusion(index, size)).await?)
    }

    /// The proof that the tree of `old` entries is the beginning of that of `new`.
    ///
    /// # Errors
    /// [`ReadError::Beyond`] where a tree is under no checkpoint yet, or `old` is larger.
    pub async fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        let tree = self.tree(new)?;
        if old > new {
            return Err(ReadError::Beyond { size: new });
        }
        Ok(blocking(move || tree.consistency(old, new)).await?)
    }

    /// A tile's bytes, as C2SP tlog-tiles has them served.
    ///
    /// # Errors
    /// [`ReadError::Beyond`] where it is under no checkpoint yet.
    pub async fn tile(&self, tile: Tile) -> Result<Vec<u8>, ReadError> {
        let tree = self.tree(0)?;
        let size = tree.edge().size();
        let there = Tile::in_tree(tile.kind, tile.number, size);
        if there.is_none_or(|there| there.width < tile.width) {
            return Err(ReadError::Beyond { size });
        }
        let read = blocking(move || tree.source().read(tile)).await;
        Ok(read.map_err(|error| TreeFault::Unread { tile, error })?)
    }

    /// Takes no more entries, and returns once everything is under a checkpoint, or that was tried.
    pub async fn close(&self) {
        self.0.queue.close();
        let threads = std::mem::take(&mut *self.0.threads.lock().expect("nobody panics here"));
        blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread of the access log panicked");
                }
            }
        })
        .await;
    }

    /// The tree under the last checkpoint, where it has `size` entries.
    pub(super) fn tree(&self, size: u64) -> Result<Arc<TiledTree<TileFiles>>, ReadError> {
        let tree = self.0.shared.lock().tree.clone();
        let sealed = tree.edge().size();
        if size > sealed { Err(ReadError::Beyond { size: sealed }) } else { Ok(tree) }
    }
}

/// The threads end with what is waiting when nobody has the log any more.
impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn read_bundles(
    tree: &TiledTree<TileFiles>,
    range: Range<u64>,
) -> Result<Vec<Vec<u8>>, TreeFault<io::Error>> {
    let width = u64::from(WIDTH);
    let mut entries = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let end = (at - at % width + width).min(range.end);
        entries.extend(tree.entries(at..end)?);
        at = end;
    }
    Ok(entries)
}

/// Reads files without keeping the callers of others from going on.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("reading does not panic")
}

impl AppendError {
    pub(crate) fn disk(error: &io::Error) -> Self {
        Self::Disk(error.to_string())
    }
}
