//! Tiles as files below one directory, where C2SP tlog-tiles has them.

use std::{io, path::PathBuf, sync::Arc};

use proto::{
    tile::{Tile, TileKind, push_entry, split_entries},
    tiled_tree::TileSource,
};

use crate::disk::{Disk, LocalDisk};

/// A directory with a log's tiles.
#[derive(Clone)]
pub struct TileFiles {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
}

impl TileFiles {
    /// The directory of a log that somebody else writes, or a copy of one.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self::on_disk(Arc::new(LocalDisk), directory.into())
    }

    pub(crate) fn on_disk(disk: Arc<dyn Disk>, directory: PathBuf) -> Self {
        Self { disk, directory }
    }

    /// Where a tile is.
    pub(crate) fn path(&self, tile: Tile) -> PathBuf {
        self.directory.join(tile.to_string())
    }
}

impl TileSource for TileFiles {
    type Error = io::Error;

    /// A partial tile that is gone since the full one is there is cut from the full one.
    fn read(&self, tile: Tile) -> io::Result<Vec<u8>> {
        match self.disk.read(&self.path(tile)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !tile.is_full() => {
                let full = self.disk.read(&self.path(tile.full())).map_err(|_| error)?;
                Ok(cut(tile, full))
            }
            read => read,
        }
    }
}

/// The beginning of a full tile; of a tile without the right form nothing.
fn cut(tile: Tile, mut full: Vec<u8>) -> Vec<u8> {
    if tile.kind != TileKind::Entries {
        full.truncate(32 * usize::from(tile.width));
        return full;
    }
    let mut bundle = Vec::new();
    let entries = split_entries(&full, tile.full().width.into()).unwrap_or_default();
    for entry in entries.into_iter().take(tile.width.into()) {
        push_entry(&mut bundle, entry).expect("it came from a bundle");
    }
    bundle
}
