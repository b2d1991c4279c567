//! The right edge of a tree: the tiles that are not full yet, from which it grows and which have its
//! root.

use crate::{
    merkle::{Hash, TreeHead},
    tile::{Tile, TileKind, WIDTH},
};

/// The right edge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    size: u64,
    /// By level, the hashes of its tile that is not full: never 256.
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// Of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a tree of `size` leaves, from its partial tiles. Nothing says yet that they are the right
    /// ones: compare [`Edge::head`] with a checkpoint.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read<E>(
        size: u64,
        mut read: impl FnMut(Tile) -> Result<Vec<Hash>, E>,
    ) -> Result<Self, E> {
        let mut levels = Vec::new();
        while size >> (8 * levels.len()) > 0 {
            let level = TileKind::Hashes(levels.len() as u8);
            let number = size >> (8 * (levels.len() + 1));
            let tile = Tile::in_tree(level, number, size);
            levels.push(tile.map(&mut read).transpose()?.unwrap_or_default());
        }
        Ok(Self { size, levels })
    }

    /// Grows by one leaf. `completed` is given every tile that is full by that.
    pub fn push(&mut self, leaf: Hash, completed: &mut impl FnMut(Tile, &[Hash])) {
        self.size += 1;
        self.push_above(0, leaf, completed);
    }

    /// Grows by a full tile of leaves whose Merkle Tree Hash is known. Only where no leaf waits for
    /// its tile to be full: the size is a multiple of 256. `completed` is given the tiles above it
    /// that are full by that.
    pub fn push_tile(&mut self, root: Hash, completed: &mut impl FnMut(Tile, &[Hash])) {
        debug_assert_eq!(self.size % u64::from(WIDTH), 0, "no leaf waits");
        self.size += u64::from(WIDTH);
        self.push_above(1, root, completed);
    }

    fn push_above(
        &mut self,
        level: usize,
        mut hash: Hash,
        completed: &mut impl FnMut(Tile, &[Hash]),
    ) {
        for level in level.. {
            if self.levels.len() <= level {
                self.levels.resize_with(level + 1, || Vec::with_capacity(WIDTH.into()));
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            if hashes.len() < usize::from(WIDTH) {
                return;
            }
            let number = (self.size >> (8 * (level + 1))) - 1;
            let kind = TileKind::Hashes(level as u8);
            completed(Tile { kind, number, width: WIDTH }, hashes);
            hash = Hash::of_tree(hashes);
            hashes.clear();
        }
    }

    /// The tree's size.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree's size and root.
    pub fn head(&self) -> TreeHead {
        let mut rest = None;
        for hashes in &self.levels {
            let hashes: Vec<Hash> = hashes.iter().copied().chain(rest).collect();
            rest = (!hashes.is_empty()).then(|| Hash::of_tree(&hashes));
        }
        TreeHead { size: self.size, root: rest.unwrap_or_else(|| TreeHead::empty().root) }
    }

    /// The partial tiles.
    pub fn partial_tiles(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        self.levels.iter().enumerate().filter_map(|(level, hashes)| {
            let number = self.size >> (8 * (level + 1));
            let tile = Tile::in_tree(TileKind::Hashes(level as u8), number, self.size)?;
            Some((tile, hashes.as_slice()))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn an_edge_grown_leaf_by_leaf_has_the_root_and_is_read_back_from_its_partial_tiles() {
        let leaves: Vec<Hash> = (0..66_000_u32).map(|n| Hash::of_leaf(&n.to_be_bytes())).collect();
        let sizes = [0, 1, 2, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 65_999];
        let mut edge = Edge::new();
        let mut full = HashMap::new();
        for (size, leaf) in leaves.iter().enumerate() {
            if sizes.contains(&size) {
                assert_eq!(edge.head().root, Hash::of_tree(&leaves[..size]), "{size}");
                let partial: HashMap<_, _> = edge.partial_tiles().collect();
                let read = |tile: Tile| partial.get(&tile).map(|h| h.to_vec()).ok_or(tile);
                let mut again = Edge::read(size as u64, read).expect("every tile is there");
                again.levels.resize(edge.levels.len(), Vec::new());
                assert_eq!(again, edge, "{size}");
            }
            edge.push(*leaf, &mut |tile, hashes| {
                full.insert(tile, hashes.to_vec());
            });
        }
        assert_eq!(full.len(), 257 + 1);
        let mut by_tiles = Edge::new();
        for tile in leaves.chunks_exact(256) {
            by_tiles.push_tile(Hash::of_tree(tile), &mut |tile, hashes| {
                assert_eq!(full[&tile], hashes);
            });
        }
        let rest = leaves.chunks_exact(256).remainder();
        rest.iter().for_each(|leaf| by_tiles.push(*leaf, &mut |_, _| ()));
        assert_eq!(by_tiles, edge);
        let tile = |level, number| Tile { kind: TileKind::Hashes(level), number, width: 256 };
        assert_eq!(full[&tile(0, 256)], leaves[65_536..65_792]);
        assert_eq!(Hash::of_tree(&full[&tile(1, 0)]), Hash::of_tree(&leaves[..65_536]));
    }
}
