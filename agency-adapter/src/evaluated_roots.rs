//! The evaluated roots of everybody in one load, in memory for as long as rows are derived from them.
//!
//! Keeping roots from load to load is the business of `root_cache`, which makes this.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{derive::Root, identifier::Identifier};

/// What an identifier is filed under: a keyed hash that says nothing without the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryName(pub [u8; 16]);

/// Makes entry names.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct NameKey([u8; 32]);

/// Roots by entry name.
pub struct EvaluatedRoots {
    key: NameKey,
    /// Ascending by name, no name twice.
    entries: Vec<(EntryName, Root)>,
}

impl NameKey {
    /// From 32 secret bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// An identifier's entry name.
    pub fn name(&self, identifier: &Identifier) -> EntryName {
        let hash = blake3::keyed_hash(&self.0, identifier.as_bytes());
        let (name, _) = hash.as_bytes().split_first_chunk().expect("32 bytes");
        EntryName(*name)
    }
}

impl EvaluatedRoots {
    /// Entries in ascending order of their names, which `key` made.
    pub fn new(key: NameKey, entries: Vec<(EntryName, Root)>) -> Self {
        debug_assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "ascending, no name twice");
        Self { key, entries }
    }

    /// A person's root, if it was collected.
    pub fn get(&self, identifier: &Identifier) -> Option<Root> {
        let name = self.key.name(identifier);
        let place = self.entries.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        Some(self.entries[place].1.clone())
    }
}
