//! The tiles in which a log is kept and served (C2SP tlog-tiles): their coordinates, paths and form.
//!
//! Owns no hashing beyond an entry's and no files; `tiled_tree` reads trees from tiles.

use std::{fmt, ops::Range, str::FromStr};

use crate::merkle::Hash;

/// How many hashes or entries a full tile has.
pub const WIDTH: u16 = 256;

/// Levels above this one are not needed for [`crate::merkle::MAX_SIZE`] leaves.
const MAX_LEVEL: u8 = 6;

/// A tile's coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// What it holds.
    pub kind: TileKind,
    /// Its place among the tiles of its kind, from 0.
    pub number: u64,
    /// How many hashes or entries it has, 1 to 256; fewer than 256 is a partial tile.
    pub width: u16,
}

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TileKind {
    /// Entries: an entry bundle.
    Entries,
    /// Hashes of this level: of leaves at 0, of full tiles of the level below otherwise.
    Hashes(u8),
}

/// A tile's bytes are not of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has not the form of a tile of this width")]
pub struct MalformedTile;

/// A path that is no tile's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile")]
pub struct NotATile;

impl Tile {
    /// Tile `number` of `kind` as it is in a tree of `size` leaves; `None` where that tree does not
    /// reach so far.
    pub fn in_tree(kind: TileKind, number: u64, size: u64) -> Option<Self> {
        let nodes = size >> (8 * u32::from(kind.level()));
        let width = nodes.checked_sub(number.checked_mul(u64::from(WIDTH))?)?.min(WIDTH.into());
        let width = u16::try_from(width).expect("not more than 256");
        (width > 0).then_some(Self { kind, number, width })
    }

    /// The full tile with the same number, of which this one is the beginning.
    pub fn full(self) -> Self {
        Self { width: WIDTH, ..self }
    }

    /// Whether it has all its 256 hashes or entries.
    pub fn is_full(self) -> bool {
        self.width == WIDTH
    }

    /// The entries that it holds, or that its hashes are of.
    pub fn entries(self) -> Range<u64> {
        let shift = 8 * u32::from(self.kind.level());
        let first = self.number * u64::from(WIDTH);
        first << shift..(first + u64::from(self.width)) << shift
    }

    /// The tile of hashes in which the hash of this full tile is, and at which place.
    pub(crate) fn parent(self, size: u64) -> Option<(Self, usize)> {
        let TileKind::Hashes(level) = self.kind else { return None };
        let number = self.number / u64::from(WIDTH);
        let parent = Self::in_tree(TileKind::Hashes(level + 1), number, size)?;
        Some((parent, (self.number % u64::from(WIDTH)) as usize))
    }
}

impl TileKind {
    fn level(self) -> u8 {
        match self {
            Self::Entries => 0,
            Self::Hashes(level) => level,
        }
    }
}

/// The path below the log's prefix, e.g. `tile/0/x001/234.p/5`.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Entries => f.write_str("tile/entries/")?,
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let digits = format!("{:03}", self.number);
        let digits = format!("{digits:0>width$}", width = digits.len().next_multiple_of(3));
        for (at, digit) in digits.char_indices() {
            match at {
                0 if digits.len() > 3 => f.write_str("x")?,
                at if at > 0 && at % 3 == 0 && at + 3 < digits.len() => f.write_str("/x")?,
                at if at > 0 && at % 3 == 0 => f.write_str("/")?,
                _ => {}
            }
            write!(f, "{digit}")?;
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Reads a path, in the one spelling that `Display` has.
impl FromStr for Tile {
    type Err = NotATile;

    fn from_str(path: &str) -> Result<Self, NotATile> {
        let parse = || {
            let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
            let kind = match kind {
                "entries" => TileKind::Entries,
                level => TileKind::Hashes(level.parse().ok().filter(|l| *l <= MAX_LEVEL)?),
            };
            let (number, width) = match rest.split_once(".p/") {
                Some((number, width)) => (number, width.parse().ok().filter(|w| *w < WIDTH)?),
                None => (rest, WIDTH),
            };
            let number = number.replace(['x', '/'], "").parse().ok()?;
            let fits = number <= u64::MAX >> 16 >> (8 * u32::from(kind.level()));
            (width > 0 && fits).then_some(Self { kind, number, width })
        };
        parse().filter(|tile: &Self| tile.to_string() == path).ok_or(NotATile)
    }
}

/// Appends `entry` to an entry bundle: its length in two bytes, big-endian, and itself.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntryTooLong> {
    let length = u16::try_from(entry.len()).map_err(|_| EntryTooLong)?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// More than 65,535 bytes: an entry bundle cannot hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry has at most 65535 bytes")]
pub struct EntryTooLong;

/// The entries of an entry bundle, which must be exactly `width`.
///
/// # Errors
/// [`MalformedTile`].
pub fn split_entries(mut bundle: &[u8], width: usize) -> Result<Vec<&[u8]>, MalformedTile> {
    let mut entries = Vec::with_capacity(width);
    while let Some((length, rest)) = bundle.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(MalformedTile)?;
        entries.push(entry);
        bundle = rest;
    }
    let whole = bundle.is_empty() && entries.len() == width;
    whole.then_some(entries).ok_or(MalformedTile)
}

/// The hashes of a tile of hashes, which must be exactly `width`.
///
/// # Errors
/// [`MalformedTile`].
pub fn split_hashes(tile: &[u8], width: u16) -> Result<Vec<Hash>, MalformedTile> {
    let (hashes, rest) = tile.as_chunks::<32>();
    let whole = rest.is_empty() && hashes.len() == usize::from(width);
    whole.then(|| hashes.iter().map(|hash| Hash(*hash)).collect()).ok_or(MalformedTile)
}

/// The bytes of a tile of hashes.
pub fn join_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(level: u8, number: u64, width: u16) -> Tile {
        Tile { kind: TileKind::Hashes(level), number, width }
    }

    #[test]
    fn a_path_is_spelled_as_the_specification_has_it() {
        let bundle = |number, width| Tile { kind: TileKind::Entries, number, width };
        let known = [
            (hashes(0, 1_234_067, 256), "tile/0/x001/x234/067"),
            (hashes(0, 0, 256), "tile/0/000"),
            (hashes(1, 999, 17), "tile/1/999.p/17"),
            (hashes(2, 1000, 1), "tile/2/x001/000.p/1"),
            (bundle(273, 112), "tile/entries/273.p/112"),
            (bundle(1_000_000, 256), "tile/entries/x001/x000/000"),
        ];
        for (tile, path) in known {
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse(), Ok(tile));
        }
        let bad = [
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/7/000",
            "tile/-1/000",
            "tile/0/x000/001",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p/",
            "tile/0/+01",
            "tile/entries/../000",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "/tile/0/000",
            "checkpoint",
        ];
        for path in bad {
            assert_eq!(path.parse::<Tile>(), Err(NotATile), "{path}");
        }
    }

    /// C2SP tlog-tiles, "Partial Tiles".
    #[test]
    fn a_tree_of_70000_leaves_has_the_tiles_of_the_specifications_example() {
        let in_tree = |level, number| Tile::in_tree(TileKind::Hashes(level), number, 70_000);
        assert_eq!(in_tree(0, 272), Some(hashes(0, 272, 256)));
        assert_eq!(in_tree(0, 273), Some(hashes(0, 273, 112)));
        assert_eq!(in_tree(0, 274), None);
        assert_eq!(in_tree(1, 0), Some(hashes(1, 0, 256)));
        assert_eq!(in_tree(1, 1), Some(hashes(1, 1, 17)));
        assert_eq!(in_tree(2, 0), Some(hashes(2, 0, 1)));
        assert_eq!(in_tree(2, 1), None);
        assert_eq!(in_tree(3, 0), None);
        assert_eq!(Tile::in_tree(TileKind::Hashes(0), 1, 256), None);
        assert_eq!(Tile::in_tree(TileKind::Hashes(1), 0, 256), Some(hashes(1, 0, 1)));
        assert_eq!(hashes(1, 1, 17).entries(), 65_536..65_536 + 17 * 256);
    }

    #[test]
    fn a_bundle_is_exactly_as_wide_as_it_is_said_to_be() {
        let mut bundle = Vec::new();
        for entry in [&b"one"[..], b"", &[7; 65_535]] {
            push_entry(&mut bundle, entry).expect("short enough");
        }
        assert_eq!(&bundle[..7], b"\0\x03one\0\0");
        assert_eq!(split_entries(&bundle, 3), Ok(vec![&b"one"[..], b"", &[7; 65_535]]));
        assert_eq!(split_entries(&bundle, 2), Err(MalformedTile));
        assert_eq!(split_entries(&bundle, 4), Err(MalformedTile));
        assert_eq!(split_entries(&bundle[..bundle.len() - 1], 3), Err(MalformedTile));
        assert_eq!(split_entries(&[bundle.as_slice(), &[0]].concat(), 3), Err(MalformedTile));
        assert_eq!(push_entry(&mut bundle, &[7; 65_536]), Err(EntryTooLong));

        let tile = join_hashes(&[Hash([1; 32]), Hash([2; 32])]);
        assert_eq!(split_hashes(&tile, 2), Ok(vec![Hash([1; 32]), Hash([2; 32])]));
        assert_eq!(split_hashes(&tile, 1), Err(MalformedTile));
        assert_eq!(split_hashes(&tile[1..], 2), Err(MalformedTile));
    }
}
