//! Verification of a whole log: every entry and every tile, against a checkpoint and an older one.
//!
//! Nothing that the log says of itself is believed: every hash is computed anew from the entries, on
//! every core. Proofs from a log already verified are `tiled_tree`'s.

use std::{num::NonZero, thread};

use crate::{
    edge::Edge,
    merkle::{Hash, TreeHead},
    tile::{Tile, TileKind, split_entries, split_hashes},
    tiled_tree::{TileSource, TreeFault, read_hashes},
};

/// How many bundles a core hashes at a time.
const PART: usize = 8;

/// Verifies every tile of the log up to `checkpoint`, and that the log still begins with what
/// `kept` was of. `entry` is given every entry with its index, in order.
///
/// # Errors
/// The first [`TreeFault`].
pub fn verify<S: TileSource>(
    source: &S,
    checkpoint: &TreeHead,
    kept: Option<&TreeHead>,
    mut entry: impl FnMut(u64, &[u8]),
) -> Result<(), TreeFault<S::Error>> {
    let kept = kept.copied().unwrap_or_else(TreeHead::empty);
    if kept.size > checkpoint.size {
        return Err(TreeFault::Cut { size: checkpoint.size, kept: kept.size });
    }
    let mut tree = Rebuilt { source, edge: Edge::new(), kept };
    tree.compare_with_kept()?;
    let bundle = |number| Tile::in_tree(TileKind::Entries, number, checkpoint.size);
    let mut bundles = (0..).map_while(bundle).peekable();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    while bundles.peek().is_some() {
        let read = bundles.by_ref().take(PART * cores).map(|tile| Bundle::read(source, tile));
        for hashed in hash(&read.collect::<Result<Vec<_>, _>>()?) {
            let Hashed { tile, entries, leaves, root } = hashed.map_err(Changed::into_fault)?;
            (tile.entries().start..).zip(entries).for_each(|(index, bytes)| entry(index, bytes));
            tree.grow(tile, &leaves, root)?;
        }
    }
    for (tile, hashes) in tree.edge.partial_tiles().filter(|(tile, _)| is_above_leaves(*tile)) {
        compare(source, tile, hashes)?;
    }
    if tree.edge.head() != *checkpoint {
        return Err(TreeFault::Root { checkpoint: *checkpoint });
    }
    Ok(())
}

/// A bundle of entries and the tile of hashes beside it, as they were read.
struct Bundle {
    tile: Tile,
    entries: Vec<u8>,
    hashes: Vec<u8>,
}

/// A bundle whose entries have the hashes beside it.
struct Hashed<'a> {
    tile: Tile,
    entries: Vec<&'a [u8]>,
    leaves: Vec<Hash>,
    root: Hash,
}

/// What is wrong with a bundle.
enum Changed {
    Form(Tile),
    Entry(u64, Tile),
}

/// Hashes bundles on every core; gives them in their order.
fn hash(bundles: &[Bundle]) -> Vec<Result<Hashed<'_>, Changed>> {
    if bundles.len() <= 1 {
        return bundles.iter().map(Bundle::hash).collect();
    }
    thread::scope(|scope| {
        let parts = bundles.chunks(PART);
        let parts: Vec<_> = parts
            .map(|part| scope.spawn(|| part.iter().map(Bundle::hash).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().expect("hashing does not panic")).collect()
    })
}

impl Bundle {
    fn read<S: TileSource>(source: &S, tile: Tile) -> Result<Self, TreeFault<S::Error>> {
        let read = |tile| source.read(tile).map_err(|error| TreeFault::Unread { tile, error });
        let beside = Tile { kind: TileKind::Hashes(0), ..tile };
        Ok(Self { tile, entries: read(tile)?, hashes: read(beside)? })
    }

    fn hash(&self) -> Result<Hashed<'_>, Changed> {
        let tile = self.tile;
        let beside = Tile { kind: TileKind::Hashes(0), ..tile };
        let width = usize::from(tile.width);
        let entries = split_entries(&self.entries, width).map_err(|_| Changed::Form(tile))?;
        let stored = split_hashes(&self.hashes, tile.width).map_err(|_| Changed::Form(beside))?;
        let leaves: Vec<_> = entries.iter().map(|entry| Hash::of_leaf(entry)).collect();
        if let Some(at) = leaves.iter().zip(&stored).position(|(leaf, stored)| leaf != stored) {
            return Err(Changed::Entry(tile.entries().start + at as u64, tile));
        }
        let root = Hash::of_tree(&leaves);
        Ok(Hashed { tile, entries, leaves, root })
    }
}

impl Changed {
    fn into_fault<E>(self) -> TreeFault<E> {
        match self {
            Self::Form(tile) => TreeFault::Malformed { tile },
            Self::Entry(index, tile) => TreeFault::Entry { index, tile },
        }
    }
}

/// The tree as the entries alone make it.
struct Rebuilt<'a, S> {
    source: &'a S,
    edge: Edge,
    kept: TreeHead,
}

impl<S: TileSource> Rebuilt<'_, S> {
    /// Grows by a bundle: leaf by leaf where the kept checkpoint ends within it.
    fn grow(&mut self, tile: Tile, leaves: &[Hash], root: Hash) -> Result<(), TreeFault<S::Error>> {
        let mut above = Vec::new();
        let mut completed = |tile: Tile, hashes: &[Hash]| {
            if is_above_leaves(tile) {
                above.push((tile, hashes.to_vec()));
            }
        };
        let within = tile.entries().contains(&self.kept.size);
        if tile.is_full() && !within {
            self.edge.push_tile(root, &mut completed);
            self.compare_with_kept()?;
        } else {
            for leaf in leaves {
                self.edge.push(*leaf, &mut completed);
                self.compare_with_kept()?;
            }
        }
        above.iter().try_for_each(|(tile, hashes)| compare(self.source, *tile, hashes))
    }

    fn compare_with_kept(&self) -> Result<(), TreeFault<S::Error>> {
        if self.edge.size() == self.kept.size && self.edge.head() != self.kept {
            return Err(TreeFault::Rewritten { size: self.kept.size });
        }
        Ok(())
    }
}

/// Tiles of leaves' hashes are compared entry by entry.
fn is_above_leaves(tile: Tile) -> bool {
    tile.kind != TileKind::Hashes(0)
}

fn compare<S: TileSource>(
    source: &S,
    tile: Tile,
    hashes: &[Hash],
) -> Result<(), TreeFault<S::Error>> {
    if read_hashes(source, tile)? != hashes {
        return Err(TreeFault::Hashes { tile });
    }
    Ok(())
}
