//! The log against a disk that fails, a machine that dies, and everything that has killed logs.

mod behaviour;
mod crash;
mod killers;
mod tampering;

use std::{ops::Range, path::Path, sync::Arc};

use jiff::Timestamp;
use proto::{
    checkpoint::Checkpoint,
    log_verification,
    merkle::TreeHead,
    note::{KeyName, NoteKey},
    signing::SigningKey,
    tiled_tree::{TileSource, TreeFault},
};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::{
    log::{AppendError, OpenError},
    opening::{self, Opened},
    queue::Request,
    sealing::Sealer,
    writer::Writer,
};
use crate::{clock::Clock, disk::Disk};

/// Where the log is on a simulated disk.
const DATA_DIR: &str = "/data";

fn origin() -> KeyName {
    "demo/log".parse().expect("name")
}

fn key() -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new([1; 32]))
}

fn log_key() -> NoteKey {
    NoteKey { name: origin(), key: key().verifying_key() }
}

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

/// Verifies every tile against a checkpoint and one that was seen before.
fn verify<S: TileSource>(
    tiles: &S,
    checkpoint: &Checkpoint,
    kept: Option<&TreeHead>,
) -> Result<Vec<Vec<u8>>, TreeFault<S::Error>> {
    let mut entries = Vec::new();
    log_verification::verify(tiles, &checkpoint.head(), kept, |index, bytes| {
        assert_eq!(index, entries.len() as u64);
        entries.push(bytes.to_vec());
    })?;
    Ok(entries)
}

/// The log without its threads: every operation happens when a test says so.
struct Log {
    writer: Writer,
    sealer: Sealer,
    _lock: Box<dyn Send + Sync>,
}

impl Log {
    fn open(disk: &Arc<impl Disk + 'static>) -> Result<Self, OpenError> {
        let signer = (origin(), key());
        let Opened { shared, journal, sealer, lock } =
            opening::open(disk.clone(), Path::new(DATA_DIR), signer)?;
        let (_, clock) = Clock::manual(Timestamp::UNIX_EPOCH);
        let writer = Writer { journal, shared: Arc::new(shared), clock, usual: 0 };
        Ok(Self { writer, sealer, _lock: lock })
    }

    /// One batch of entries with these numbers.
    fn append(&mut self, numbers: Range<u64>) -> Result<Range<u64>, AppendError> {
        self.append_bytes(numbers.map(entry).collect())
    }

    fn append_bytes(&mut self, entries: Vec<Vec<u8>>) -> Result<Range<u64>, AppendError> {
        let (answer, mut answered) = oneshot::channel();
        let drafts = entries.into_iter().map(|entry| Box::new(entry) as _).collect();
        self.writer.commit(vec![Request { drafts, answer }]).give();
        answered.try_recv().expect("a batch is answered")
    }

    fn seal(&mut self) -> std::io::Result<()> {
        self.sealer.seal(&self.writer.shared)
    }

    fn write_ahead(&mut self) -> std::io::Result<()> {
        self.sealer.write_ahead(&self.writer.shared)
    }

    fn size(&self) -> u64 {
        self.writer.shared.lock().size()
    }

    fn checkpoint(&self) -> Arc<Checkpoint> {
        self.writer.shared.checkpoints().borrow().clone()
    }
}
