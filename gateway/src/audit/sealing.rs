//! Sealing: entries that are durable in the journal go into tiles, and a checkpoint is signed over
//! them.
//!
//! The order is what a crash is survived by. First every tile is durable; then the checkpoint is, in
//! a file of ours that nobody else reads; then it is published. So a checkpoint that anybody has seen
//! is over entries that are there, and no later start can sign another one over other entries: it
//! begins from the one that is durable and takes the journal from there. Until its checkpoint is
//! durable a tile is not part of the log, and a later start writes it again. So full tiles need not wait for
//! a checkpoint to be due: where many entries come they are written meanwhile, and sealing keeps up.

use std::{
    collections::{BTreeSet, HashSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use proto::{
    checkpoint::Checkpoint,
    edge::Edge,
    merkle::Hash,
    note::KeyName,
    signing::SigningKey,
    tile::{Tile, TileKind, WIDTH, join_hashes, push_entry},
    tiled_tree::TiledTree,
};

use super::{
    state::{Held, Shared},
    tile_files::TileFiles,
};
use crate::disk::{Disk, replace};

/// Syncs that go on at the same time, where there are many.
const TOGETHER: usize = 4;

/// Where the log's files are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// What is served: tiles and the published checkpoint.
    pub log: PathBuf,
    /// The journal's segments.
    pub journal: PathBuf,
    /// The last checkpoint that was signed.
    pub signed: PathBuf,
    /// Held by the one writer.
    pub lock: PathBuf,
}

/// Makes tiles and checkpoints.
pub(crate) struct Sealer {
    disk: Arc<dyn Disk>,
    places: Places,
    tiles: TileFiles,
    origin: KeyName,
    key: SigningKey,
    /// The tree under the last checkpoint that is durable.
    signed: Edge,
    /// The tree whose full tiles are durable.
    written: Edge,
    /// Partial tiles of hashes that are durable.
    partial: HashSet<Tile>,
    /// Full tiles that may have been partial ones.
    full: Vec<Tile>,
    /// Directories whose names are durable.
    known: BTreeSet<PathBuf>,
}

type Tiles = Vec<(Tile, Vec<u8>)>;

impl Places {
    pub(crate) fn below(data_dir: &Path) -> Self {
        Self {
            log: data_dir.join("log"),
            journal: data_dir.join("log.journal"),
            signed: data_dir.join("log.checkpoint"),
            lock: data_dir.join("log.lock"),
        }
    }

    /// The checkpoint that is served.
    pub(crate) fn published(&self) -> PathBuf {
        self.log.join("checkpoint")
    }
}

impl Sealer {
    pub(crate) fn new(
        (disk, places): (Arc<dyn Disk>, Places),
        tiles: TileFiles,
        (origin, key): (KeyName, SigningKey),
        signed: Edge,
    ) -> Self {
        let written = signed.clone();
        let partial = partial_tiles(&signed);
        let (full, known) = (Vec::new(), BTreeSet::new());
        Self { disk, places, tiles, origin, key, signed, written, partial, full, known }
    }

    /// Makes full tiles of entries that are durable by now, so that the next sealing has less to do. What
    /// fails is tried again with it.
    pub(crate) fn write_ahead(&mut self, shared: &Shared) -> io::Result<()> {
        let (first, mut entries) = self.not_written(shared);
        entries.truncate(entries.len() - entries.len() % usize::from(WIDTH));
        let (edge, tiles) = self.grow(first, &entries);
        self.write(tiles)?;
        self.written = edge;
        shared.in_tiles(self.written.size());
        Ok(())
    }

    /// Seals every entry that is durable by now. What fails is tried again with the next sealing.
    pub(crate) fn seal(&mut self, shared: &Shared) -> io::Result<()> {
        let (first, entries) = self.not_written(shared);
        if first + entries.len() as u64 > self.written.size() {
            let (edge, mut tiles) = self.grow(first, &entries);
            let partial = edge.partial_tiles().filter(|(tile, _)| !self.partial.contains(tile));
            tiles.extend(partial.map(|(tile, hashes)| (tile, join_hashes(hashes))));
            self.write(tiles)?;
            self.partial = partial_tiles(&edge);
            self.written = edge;
            shared.in_tiles(self.written.size());
        }
        let checkpoint = Checkpoint::sign(&self.origin, self.written.head(), &self.key);
        if self.signed.size() < self.written.size() {
            replace(&*self.disk, &self.places.signed, checkpoint.to_string().as_bytes())?;
            self.signed = self.written.clone();
        }
        self.publish(&checkpoint)?;
        shared.publish(checkpoint, TiledTree::with_edge(self.signed.clone(), self.tiles.clone()));
        if let Err(error) = self.clear() {
            tracing::warn!("what the log does not need any more stays for now: {error}");
        }
        Ok(())
    }

    /// Shows the last signed checkpoint to readers of the directory.
    pub(crate) fn publish(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        replace(&*self.disk, &self.places.published(), checkpoint.to_string().as_bytes())
    }

    /// The durable entries of which not all are in tiles, from the beginning of a bundle, with its index.
    fn not_written(&self, shared: &Shared) -> (u64, Vec<Held>) {
        let first = self.written.size() - self.written.size() % u64::from(WIDTH);
        (first, shared.lock().held_from(first))
    }

    /// The edge after entries from a bundle's first on, their bundles, and the tiles of hashes that become full.
    fn grow(&self, first: u64, entries: &[Held]) -> (Edge, Tiles) {
        let mut edge = self.written.clone();
        let mut tiles = Vec::new();
        for entry in entries.iter().skip((edge.size() - first) as usize) {
            let leaf = Hash::of_leaf(entry.bytes());
            edge.push(leaf, &mut |tile, hashes| tiles.push((tile, join_hashes(hashes))));
        }
        tiles.extend(bundles(first, entries));
        (edge, tiles)
    }

    /// Makes tiles durable, with the names of the directories in which they are.
    fn write(&mut self, tiles: Tiles) -> io::Result<()> {
        let mut to_sync = BTreeSet::new();
        let mut made = BTreeSet::new();
        for (tile, _) in &tiles {
            let path = self.tiles.path(*tile);
            let within = path.strip_prefix(&self.places.log).expect("tiles are in the log");
            let mut directory = self.places.log.clone();
            for part in within.parent().into_iter().flatten() {
                let parent = directory.clone();
                directory.push(part);
                if !self.known.contains(&directory) && made.insert(directory.clone()) {
                    self.disk.create_directory(&directory)?;
                    to_sync.insert(parent);
                }
            }
            to_sync.insert(directory);
        }
        self.write_files(&tiles)?;
        to_sync.iter().try_for_each(|directory| self.disk.sync_directory(directory))?;
        self.known.append(&mut made);
        self.full.extend(tiles.iter().map(|(tile, _)| *tile).filter(|tile| tile.is_full()));
        Ok(())
    }

    fn write_files(&self, tiles: &Tiles) -> io::Result<()> {
        let write = |(tile, bytes): &(Tile, Vec<u8>)| {
            let mut file = self.disk.create(&self.tiles.path(*tile))?;
            file.write(bytes)?;
            file.sync()
        };
        if tiles.len() <= TOGETHER * TOGETHER {
            return tiles.iter().try_for_each(write);
        }
        thread::scope(|scope| {
            let parts = tiles.chunks(tiles.len().div_ceil(TOGETHER));
            let parts: Vec<_> =
                parts.map(|part| scope.spawn(move || part.iter().try_for_each(write))).collect();
            parts.into_iter().try_for_each(|part| part.join().expect("writing does not panic"))
        })
    }

    /// Removes partial tiles that are full by now.
    fn clear(&mut self) -> io::Result<()> {
        while let Some(tile) = self.full.last() {
            let partial = self.tiles.path(Tile { width: 1, ..*tile });
            let directory = partial.parent().expect("a partial tile is in a directory");
            self.known.remove(directory);
            self.disk.remove_directory(directory)?;
            self.full.pop();
        }
        Ok(())
    }
}

fn partial_tiles(edge: &Edge) -> HashSet<Tile> {
    edge.partial_tiles().map(|(tile, _)| tile).collect()
}

/// The bundles of entries that begin with a bundle's first.
fn bundles(start: u64, entries: &[Held]) -> Tiles {
    let first = start / u64::from(WIDTH);
    let bundle = |(number, entries): (u64, &[Held])| {
        let mut bytes = Vec::new();
        for entry in entries {
            push_entry(&mut bytes, entry.bytes()).expect("it was short enough for the journal");
        }
        let width = u16::try_from(entries.len()).expect("not more than 256");
        (Tile { kind: TileKind::Entries, number, width }, bytes)
    };
    (first..).zip(entries.chunks(WIDTH.into())).map(bundle).collect()
}
