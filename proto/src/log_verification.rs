//! Verification of a whole log: every entry and every tile, against a checkpoint and an older one.
//!
//! Nothing that the log says of itself is believed: every hash is computed anew from the entries.
//! Proofs from a log already verified are `tiled_tree`'s.

use crate::{
    edge::Edge,
    merkle::{Hash, TreeHead},
    tile::{Tile, TileKind, split_entries},
    tiled_tree::{TileSource, TreeFault, read_hashes},
};

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
    for number in 0.. {
        let Some(tile) = Tile::in_tree(TileKind::Entries, number, checkpoint.size) else { break };
        for leaf in bundle(source, tile, &mut entry)? {
            tree.grow(leaf)?;
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

/// The tree as the entries alone make it.
struct Rebuilt<'a, S> {
    source: &'a S,
    edge: Edge,
    kept: TreeHead,
}

impl<S: TileSource> Rebuilt<'_, S> {
    fn grow(&mut self, leaf: Hash) -> Result<(), TreeFault<S::Error>> {
        let mut above = Vec::new();
        self.edge.push(leaf, &mut |tile, hashes| {
            if is_above_leaves(tile) {
                above.push((tile, hashes.to_vec()));
            }
        });
        above.iter().try_for_each(|(tile, hashes)| compare(self.source, *tile, hashes))?;
        self.compare_with_kept()
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

/// The hashes of a bundle's entries, which are also those of the tile of hashes beside it.
fn bundle<S: TileSource>(
    source: &S,
    tile: Tile,
    entry: &mut impl FnMut(u64, &[u8]),
) -> Result<Vec<Hash>, TreeFault<S::Error>> {
    let bytes = source.read(tile).map_err(|error| TreeFault::Unread { tile, error })?;
    let entries =
        split_entries(&bytes, tile.width.into()).map_err(|_| TreeFault::Malformed { tile })?;
    let stored = read_hashes(source, Tile { kind: TileKind::Hashes(0), ..tile })?;
    for (index, (bytes, hash)) in (tile.entries().start..).zip(entries.iter().zip(&stored)) {
        if Hash::of_leaf(bytes) != *hash {
            return Err(TreeFault::Entry { index, tile });
        }
        entry(index, bytes);
    }
    Ok(stored)
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
