//! A tree that is kept in tiles: its entries and the proofs about it.
//!
//! Every tile is compared with the one above it before anything is made of it, up to the root that
//! the log signed. So a tile that was changed, by whomever or by a failing disk, is found when it is
//! read and is named. Owns no files: a [`TileSource`] has them.

use std::ops::Range;

use crate::{
    edge::Edge,
    merkle::{Hash, TreeHead, consistency_subtrees, inclusion_subtrees},
    tile::{Tile, TileKind, WIDTH, split_entries, split_hashes},
};

/// Where tiles are.
pub trait TileSource {
    /// Why a tile was not read.
    type Error;

    /// A tile's bytes.
    ///
    /// # Errors
    /// Where it is missing or cannot be read.
    fn read(&self, tile: Tile) -> Result<Vec<u8>, Self::Error>;
}

/// A tree of which everything is known to lead to one root.
#[derive(Debug, Clone)]
pub struct TiledTree<S> {
    edge: Edge,
    source: S,
}

/// What is wrong with a log's tiles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeFault<E> {
    /// It is missing or cannot be read.
    #[error("{tile}, with entries {} to {}: {error}", tile.entries().start, tile.entries().end - 1)]
    Unread {
        /// Which.
        tile: Tile,
        /// Why.
        error: E,
    },
    /// Too short, too long, or torn.
    #[error(
        "{tile} was changed: it is not {} of entries {} to {}",
        if tile.kind == TileKind::Entries { "a bundle" } else { "hashes" },
        tile.entries().start,
        tile.entries().end - 1
    )]
    Malformed {
        /// Which.
        tile: Tile,
    },
    /// An entry is not the one that was logged.
    #[error("entry {index} was changed: what {tile} has there is not what was logged")]
    Entry {
        /// Which.
        index: u64,
        /// The bundle that it is in.
        tile: Tile,
    },
    /// Hashes are not those of what is below them.
    #[error(
        "{tile} was changed: its hashes are not those of entries {} to {} as they were logged",
        tile.entries().start,
        tile.entries().end - 1
    )]
    Hashes {
        /// Which.
        tile: Tile,
    },
    /// The tiles are of another tree.
    #[error(
        "the {} entries of the log are not those that its checkpoint of that size was signed over",
        checkpoint.size
    )]
    Root {
        /// What was signed.
        checkpoint: TreeHead,
    },
    /// A checkpoint that was kept is of another tree.
    #[error("the log was rewritten: its first {size} entries are not those of the checkpoint kept")]
    Rewritten {
        /// The size of the older checkpoint.
        size: u64,
    },
    /// The log is shorter than a checkpoint that was kept.
    #[error("the log was cut: it has {size} entries, and the checkpoint kept had {kept}")]
    Cut {
        /// Its size.
        size: u64,
        /// The size of the older checkpoint.
        kept: u64,
    },
}

impl<S: TileSource> TiledTree<S> {
    /// Reads the right edge of the tree with this head.
    ///
    /// # Errors
    /// [`TreeFault`], where it does not lead to this root.
    pub fn open(head: &TreeHead, source: S) -> Result<Self, TreeFault<S::Error>> {
        let edge = Edge::read(head.size, |tile| read_hashes(&source, tile))?;
        if edge.head() != *head {
            return Err(TreeFault::Root { checkpoint: *head });
        }
        Ok(Self { edge, source })
    }

    /// The tree with this right edge, which is known to be the right one.
    pub fn with_edge(edge: Edge, source: S) -> Self {
        Self { edge, source }
    }

    /// The right edge.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    /// Where the tiles are.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The tree's size and root.
    pub fn head(&self) -> TreeHead {
        self.edge.head()
    }

    /// The entries of one bundle that are in `range`, which must be within the tree and the bundle.
    ///
    /// # Errors
    /// [`TreeFault`], naming the first entry that is not the one that was logged.
    pub fn entries(&self, range: Range<u64>) -> Result<Vec<Vec<u8>>, TreeFault<S::Error>> {
        let number = range.start / u64::from(WIDTH);
        let size = self.edge.size();
        let Some(tile) = Tile::in_tree(TileKind::Entries, number, size) else {
            return Ok(Vec::new());
        };
        let bundle = self.source.read(tile).map_err(|error| TreeFault::Unread { tile, error })?;
        let entries =
            split_entries(&bundle, tile.width.into()).map_err(|_| TreeFault::Malformed { tile })?;
        let hashes = self.hashes(Tile { kind: TileKind::Hashes(0), ..tile })?;
        let mut read = Vec::new();
        for (index, (entry, hash)) in (tile.entries().start..).zip(entries.iter().zip(hashes)) {
            if range.contains(&index) {
                if Hash::of_leaf(entry) != hash {
                    return Err(TreeFault::Entry { index, tile });
                }
                read.push(entry.to_vec());
            }
        }
        Ok(read)
    }

    /// The root of the tree of the first `size` leaves, which must be within the tree.
    ///
    /// # Errors
    /// [`TreeFault`].
    pub fn root(&self, size: u64) -> Result<Hash, TreeFault<S::Error>> {
        self.subtree(0..size)
    }

    /// The proof that the leaf at `index` is in the tree of the first `size` leaves. `index` must be
    /// less than `size`, and that tree within this one.
    ///
    /// # Errors
    /// [`TreeFault`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, TreeFault<S::Error>> {
        inclusion_subtrees(index, size).into_iter().map(|subtree| self.subtree(subtree)).collect()
    }

    /// The proof that the tree of the first `old` leaves is the beginning of that of the first
    /// `new`, which must be within this one.
    ///
    /// # Errors
    /// [`TreeFault`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, TreeFault<S::Error>> {
        consistency_subtrees(old, new).into_iter().map(|subtree| self.subtree(subtree)).collect()
    }

    /// The Merkle Tree Hash of a subtree: complete ones, each smaller than the one to its left.
    fn subtree(&self, range: Range<u64>) -> Result<Hash, TreeFault<S::Error>> {
        let mut complete = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let height = (range.end - start).ilog2();
            complete.push(self.complete(height, start >> height)?);
            start += 1 << height;
        }
        let folded = complete.into_iter().rev().reduce(|right, left| Hash::of_node(&left, &right));
        Ok(folded.unwrap_or_else(|| TreeHead::empty().root))
    }

    /// The hash of the complete subtree with this place among those of its height.
    fn complete(&self, height: u32, place: u64) -> Result<Hash, TreeFault<S::Error>> {
        let (level, within) = (height / 8, height % 8);
        let first = place << within;
        let number = first / u64::from(WIDTH);
        let tile = Tile::in_tree(TileKind::Hashes(level as u8), number, self.edge.size());
        let hashes = self.hashes(tile.expect("a complete subtree of the tree has its tile"))?;
        let first = (first % u64::from(WIDTH)) as usize;
        Ok(Hash::of_tree(&hashes[first..first + (1 << within)]))
    }

    /// The hashes of a tile, compared with the tile above it; those of a partial tile are in the
    /// edge.
    fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, TreeFault<S::Error>> {
        let size = self.edge.size();
        let Some((parent, place)) = tile.parent(size).filter(|_| tile.is_full()) else {
            let held = self.edge.partial_tiles().find(|(held, _)| *held == tile);
            return Ok(held.expect("a tile that is not full is in the edge").1.to_vec());
        };
        let expected = self.hashes(parent)?[place];
        let hashes = read_hashes(&self.source, tile)?;
        if Hash::of_tree(&hashes) != expected {
            return Err(TreeFault::Hashes { tile });
        }
        Ok(hashes)
    }
}

/// A tile of hashes, not compared with anything.
pub(crate) fn read_hashes<S: TileSource>(
    source: &S,
    tile: Tile,
) -> Result<Vec<Hash>, TreeFault<S::Error>> {
    let bytes = source.read(tile).map_err(|error| TreeFault::Unread { tile, error })?;
    split_hashes(&bytes, tile.width).map_err(|_| TreeFault::Malformed { tile })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;
    use crate::tile::{join_hashes, push_entry};

    type Tiles = HashMap<Tile, Vec<u8>>;

    impl TileSource for &Tiles {
        type Error = &'static str;

        fn read(&self, tile: Tile) -> Result<Vec<u8>, Self::Error> {
            self.get(&tile).cloned().ok_or("it is missing")
        }
    }

    fn entry(index: u64) -> Vec<u8> {
        format!("entry {index}").into_bytes()
    }

    /// The tiles of a tree, and the same tree as `ct_merkle` has it.
    fn grown(size: u64) -> (TreeHead, Tiles, MemoryBackedTree<Sha256, Vec<u8>>) {
        let mut tiles = Tiles::new();
        let (mut edge, mut tree) = (Edge::new(), MemoryBackedTree::new());
        for index in 0..size {
            edge.push(Hash::of_leaf(&entry(index)), &mut |tile, hashes| {
                tiles.insert(tile, join_hashes(hashes));
            });
            tree.push(entry(index));
        }
        tiles.extend(edge.partial_tiles().map(|(tile, hashes)| (tile, join_hashes(hashes))));
        for tile in (0..).map_while(|number| Tile::in_tree(TileKind::Entries, number, size)) {
            let mut bundle = Vec::new();
            for index in tile.entries() {
                push_entry(&mut bundle, &entry(index)).expect("short");
            }
            tiles.insert(tile, bundle);
        }
        (edge.head(), tiles, tree)
    }

    fn bytes(hashes: Vec<Hash>) -> Vec<u8> {
        hashes.into_iter().flat_map(|hash| hash.0).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_proof_from_tiles_is_the_one_that_ct_merkle_makes_in_memory(
            size in 1_u64..1500,
            places in prop::collection::vec((0_u64..1500, 1_u64..1500), 20),
        ) {
            let (head, tiles, tree) = grown(size);
            let root = tree.root();
            prop_assert_eq!(&head.root.0[..], &root.as_bytes()[..]);
            let tiled = TiledTree::open(&head, &tiles).expect("whole");
            for (index, old) in places {
                let (index, old) = (index % size, 1 + old % size);
                let inclusion = tiled.inclusion(index, size).expect("whole");
                prop_assert_eq!(head.verify_inclusion(&entry(index), index, &inclusion), Ok(()));
                let expected = tree.prove_inclusion(index as usize);
                prop_assert_eq!(bytes(inclusion), expected.as_bytes());
                let older = TreeHead { size: old, root: tiled.root(old).expect("whole") };
                let consistency = tiled.consistency(old, size).expect("whole");
                prop_assert_eq!(head.verify_consistency(&older, &consistency), Ok(()));
                let expected = tree.prove_consistency((size - old) as usize);
                prop_assert_eq!(bytes(consistency), expected.as_bytes());
                let end = (index + 1).min(size);
                prop_assert_eq!(tiled.entries(index..end).expect("whole"), vec![entry(index)]);
            }
        }

        #[test]
        fn no_tile_that_was_changed_is_made_anything_of(
            size in 600_u64..1500,
            place in any::<prop::sample::Index>(),
            byte in any::<prop::sample::Index>(),
        ) {
            let (head, mut tiles, _) = grown(size);
            let mut all: Vec<Tile> = tiles.keys().copied().collect();
            all.sort_by_key(Tile::to_string);
            let tile = *place.get(&all);
            let changed = tiles.get_mut(&tile).expect("there");
            let at = byte.index(changed.len());
            changed[at] ^= 1;
            let Ok(tiled) = TiledTree::open(&head, &tiles) else {
                prop_assert!(!tile.is_full(), "only the edge is read at once");
                return Ok(());
            };
            let read = |index: u64| tiled.entries(index..index + 1).map(drop);
            let found = tile.entries().map(read).find_map(Result::err);
            let found = found.expect("found when it is read");
            let named = match found {
                TreeFault::Entry { tile, .. }
                | TreeFault::Malformed { tile }
                | TreeFault::Hashes { tile } => tile,
                other => panic!("{other}"),
            };
            prop_assert_eq!(named, tile);
        }
    }
}
