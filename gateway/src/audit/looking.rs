//! Looking at the log, or copying it, beside the gateway that writes it.
//!
//! The order makes a copy whole: first the journal, then the last signed checkpoint, then its tiles. An
//! entry that sealing moves meanwhile is then in a tile, also where its segment's file has become another
//! segment's; one that is appended later is in neither.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use proto::{
    checkpoint::Checkpoint,
    log_verification,
    note::NoteKey,
    tile::{Tile, TileKind},
    tiled_tree::TileSource,
};

use super::{journal::Journal, sealing::Places, tile_files::TileFiles, witnesses::COSIGNED};
use crate::disk::{LocalDisk, link_or_copy, replace};

/// Verifies the whole log and gives every durable entry with its index, in order; its size.
///
/// # Errors
/// What is not as it was written. Nothing of it can be mended: a log that was changed is evidence.
pub fn verify(
    data_dir: &Path,
    log: &NoteKey,
    mut entry: impl FnMut(u64, &[u8]),
) -> anyhow::Result<u64> {
    let places = Places::below(data_dir);
    let Some(checkpoint) = signed(&places, log)? else { return Ok(0) };
    let tiles = TileFiles::in_directory(&places.log);
    log_verification::verify(&tiles, &checkpoint.head(), None, &mut entry)?;
    // A segment may go while it is looked for, with entries that are sealed by then.
    let journal = Journal::new(Arc::new(LocalDisk), places.journal.clone());
    let replayed = match journal.replay(checkpoint.size()) {
        Err(_) if signed(&places, log)?.is_some_and(|later| later.size() > checkpoint.size()) => {
            return Ok(checkpoint.size());
        }
        replayed => replayed?,
    };
    let size = checkpoint.size() + replayed.entries.len() as u64;
    (checkpoint.size()..).zip(&replayed.entries).for_each(|(index, bytes)| entry(index, bytes));
    Ok(size)
}

/// Whether the last signed checkpoint in a directory is of the log with this key.
pub fn is_of(data_dir: &Path, log: &NoteKey) -> bool {
    signed(&Places::below(data_dir), log).is_ok_and(|checkpoint| checkpoint.is_some())
}

/// Copies the log into another directory; how many entries are under its checkpoint.
///
/// # Errors
/// The disk's; or a log that is not the one with this key.
pub fn copy(data_dir: &Path, to: &Path, log: &NoteKey) -> anyhow::Result<u64> {
    let (from, to) = (Places::below(data_dir), (Places::below(to), to));
    let (places, directory) = to;
    fs::create_dir(&places.journal)?;
    fs::create_dir(&places.log)?;
    // It is never over more entries than the last signed one, which is read later.
    copy_file(&data_dir.join(COSIGNED), &directory.join(COSIGNED))?;
    for name in names(&from.journal)? {
        copy_file(&from.journal.join(&name), &places.journal.join(&name))?;
    }
    let checkpoint = signed(&from, log)?.context("there is no access log to copy")?;
    let tiles = TileFiles::in_directory(&from.log);
    let copies = TileFiles::in_directory(&places.log);
    for kind in [TileKind::Entries].into_iter().chain((0..).map(TileKind::Hashes)) {
        if Tile::in_tree(kind, 0, checkpoint.size()).is_none() {
            break;
        }
        let all = (0..).map_while(|number| Tile::in_tree(kind, number, checkpoint.size()));
        all.into_iter().try_for_each(|tile| copy_tile(&tiles, &copies, tile))?;
    }
    let bytes = checkpoint.to_string();
    replace(&LocalDisk, &places.signed, bytes.as_bytes())?;
    replace(&LocalDisk, &places.published(), bytes.as_bytes())?;
    sync_directories(&places.log)?;
    sync_directories(&places.journal)?;
    Ok(checkpoint.size())
}

fn copy_tile(from: &TileFiles, to: &TileFiles, tile: Tile) -> anyhow::Result<()> {
    let path = to.path(tile);
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    match link_or_copy(&from.path(tile), &path) {
        // A partial tile goes once the full one is there, of which it is the beginning.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bytes = from.read(tile).with_context(|| format!("tile {tile}"))?;
            replace(&LocalDisk, &path, &bytes)?;
        }
        copied => copied.with_context(|| format!("tile {tile}"))?,
    }
    Ok(())
}

fn signed(places: &Places, log: &NoteKey) -> anyhow::Result<Option<Checkpoint>> {
    let text = match fs::read_to_string(&places.signed) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !names(&places.log)?.is_empty() {
                bail!("{} is missing, and there is a log", places.signed.display());
            }
            return Ok(None);
        }
        read => read.with_context(|| format!("cannot read {}", places.signed.display()))?,
    };
    let checkpoint = Checkpoint::open(&text, log);
    Ok(Some(checkpoint.with_context(|| places.signed.display().to_string())?))
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    use crate::disk::Disk;
    LocalDisk.names(directory)
}

/// A file that is gone meanwhile is not missed.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    match fs::read(from) {
        Ok(bytes) => replace(&LocalDisk, to, &bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn sync_directories(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            sync_directories(&path)?;
        }
    }
    fs::File::open(directory)?.sync_all()
}
