//! Opening the log: after a clean stop, after a crash at any instant, and for the first time, it is
//! the same.
//!
//! Takes the last signed checkpoint, verifies that the tiles are its tree, and takes from the journal
//! what came after. What was durable but in no checkpoint is sealed as if it had just been appended.
//! A log that is not what was signed last is not opened: to go on would be to sign a fork.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use proto::{
    checkpoint::{Checkpoint, CheckpointError},
    merkle::TreeHead,
    note::{KeyName, NoteKey},
    signing::SigningKey,
    tile::WIDTH,
    tiled_tree::{TiledTree, TreeFault},
};

use super::{
    journal::{Journal, JournalError},
    sealing::{Places, Sealer},
    state::{Held, Shared, State},
    tile_files::TileFiles,
};
use crate::disk::{Disk, replace};

/// A log that is ready to be written.
pub(crate) struct Opened {
    pub shared: Shared,
    pub journal: Journal,
    pub sealer: Sealer,
    pub lock: Box<dyn Send + Sync>,
}

/// Why the log is not opened. Until somebody has looked, nothing can be logged and so nothing is
/// served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "another process holds {}: two writers would fork the log; stop the other gateway first",
        lock.display()
    )]
    Locked {
        /// The lock file.
        lock: PathBuf,
    },
    /// The disk.
    #[error("{}: {error}", path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A checkpoint that is not this log's.
    #[error("{}: {error}", path.display())]
    Checkpoint {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: CheckpointError,
    },
    /// There is a log and no checkpoint that was signed last.
    #[error(
        "{} is missing, but {} has a log: put the file back from where it was moved to; a log whose \
         last signed checkpoint is not known could be forked",
        signed.display(), log.display()
    )]
    Unsigned {
        /// The missing file.
        signed: PathBuf,
        /// The log.
        log: PathBuf,
    },
    /// The file of the last signed checkpoint is older than what was published.
    #[error(
        "{} is of {signed_size} entries, but {published_size} were published: it was put back from a \
         backup; put back the newest copies of it and of the log together",
        signed.display()
    )]
    SignedRolledBack {
        /// The file.
        signed: PathBuf,
        /// Its size.
        signed_size: u64,
        /// The size of the published one.
        published_size: u64,
    },
    /// The log is not what was signed last.
    #[error(
        "{} is not the log whose checkpoint of {size} entries was signed last: {fault}. To go on \
         would fork the log, and the witnesses would find that. Was the directory put back from a \
         backup? Put back the newest copy. If that is lost, keep what there is as evidence, tell the \
         agencies, and begin a new log with a new key in a new federation manifest",
        log.display()
    )]
    NotAsSigned {
        /// The log.
        log: PathBuf,
        /// The size of the last signed checkpoint.
        size: u64,
        /// What is wrong.
        fault: TreeFault<io::Error>,
    },
    /// Acknowledged entries are not in the journal any more.
    #[error(
        "{0}. They were acknowledged and are under no checkpoint yet. Put the file back from a copy; \
         if there is none, keep it as evidence, tell the agencies, and move it away: the log then \
         goes on without them"
    )]
    Journal(#[from] JournalError),
}

/// Opens the log below `data_dir`, or begins it.
pub(crate) fn open(
    disk: Arc<dyn Disk>,
    data_dir: &Path,
    (origin, key): (KeyName, SigningKey),
) -> Result<Opened, OpenError> {
    let places = Places::below(data_dir);
    let lock = disk.lock(&places.lock).map_err(on(&places.lock))?;
    let lock = lock.ok_or_else(|| OpenError::Locked { lock: places.lock.clone() })?;
    for directory in [&places.log, &places.journal] {
        disk.create_directory(directory).map_err(on(directory))?;
    }
    disk.sync_directory(data_dir).map_err(on(data_dir))?;

    let checkpoint = last_signed(&*disk, &places, &origin, &key)?;
    let tiles = TileFiles::on_disk(disk.clone(), places.log.clone());
    let not_as_signed =
        |fault| OpenError::NotAsSigned { log: places.log.clone(), size: checkpoint.size(), fault };
    let tree = TiledTree::open(&checkpoint.head(), tiles.clone()).map_err(not_as_signed)?;
    let sealed = checkpoint.size();
    let start = sealed - sealed % u64::from(WIDTH);
    let partial = tree.entries(start..sealed).map_err(not_as_signed)?;

    let journal = Journal::new(disk.clone(), places.journal.clone());
    let replayed = journal.replay(sealed)?;
    if replayed.torn {
        tracing::warn!("the journal ends with a part of a batch that was never acknowledged");
    }
    let edge = tree.edge().clone();
    let latest = replayed.latest.unwrap_or(Timestamp::MIN);
    let tail: VecDeque<Held> = partial.into_iter().map(Held::from).collect();
    let tree = Arc::new(tree);
    let mut state = State {
        start,
        tail,
        unsealed: 0,
        in_tiles: sealed,
        tree,
        latest,
        trouble: None,
        closing: false,
    };
    state.extend(replayed.entries.into_iter().map(Held::from), latest);
    let published = places.published();
    let sealer = Sealer::new((disk, places), tiles, (origin, key), edge);
    sealer.publish(&checkpoint).map_err(on(&published))?;
    Ok(Opened { shared: Shared::new(state, checkpoint), journal, sealer, lock })
}

/// The last signed checkpoint; that of the empty log, signed now, where the log begins.
fn last_signed(
    disk: &dyn Disk,
    places: &Places,
    origin: &KeyName,
    key: &SigningKey,
) -> Result<Checkpoint, OpenError> {
    let log = NoteKey { name: origin.clone(), key: key.verifying_key() };
    let published = read(disk, &places.published(), &log);
    let Some(signed) = read(disk, &places.signed, &log)? else {
        let names = |path: &Path| disk.names(path).map_err(on(path));
        if !names(&places.log)?.is_empty() || !names(&places.journal)?.is_empty() {
            let (signed, log) = (places.signed.clone(), places.log.clone());
            return Err(OpenError::Unsigned { signed, log });
        }
        let checkpoint = Checkpoint::sign(origin, TreeHead::empty(), key);
        let bytes = checkpoint.to_string();
        replace(disk, &places.signed, bytes.as_bytes()).map_err(on(&places.signed))?;
        return Ok(checkpoint);
    };
    // A published checkpoint that a crash left damaged is written again from the signed one.
    if let Ok(Some(published)) = published
        && published.size() > signed.size()
    {
        return Err(OpenError::SignedRolledBack {
            signed: places.signed.clone(),
            signed_size: signed.size(),
            published_size: published.size(),
        });
    }
    Ok(signed)
}

fn read(disk: &dyn Disk, path: &Path, log: &NoteKey) -> Result<Option<Checkpoint>, OpenError> {
    let bytes = match disk.read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(on(path))?,
    };
    let opened = Checkpoint::open(&String::from_utf8_lossy(&bytes), log);
    opened.map(Some).map_err(|error| OpenError::Checkpoint { path: path.to_owned(), error })
}

fn on(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |error| OpenError::Disk { path, error }
}
