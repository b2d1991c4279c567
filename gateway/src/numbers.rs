//! Dense numbers for pseudonyms, so that what is known of them can stand in columns.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// Gives every key a number: 0, 1, 2 ... in the order met. A number is never given twice.
///
/// Each key is kept once; the table has numbers only, since there are millions of keys.
pub struct Numbers<K> {
    keys: Vec<K>,
    numbers: HashTable<u32>,
    hashes: RandomState,
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self { keys: vec![], numbers: HashTable::new(), hashes: RandomState::new() }
    }
}

impl<K: Copy + Eq + Hash> Numbers<K> {
    /// The key's number, new where it was not met before.
    pub fn intern(&mut self, key: K) -> u32 {
        let Self { keys, numbers, hashes } = self;
        let of = |number: &u32| keys[*number as usize];
        let hash = hashes.hash_one(key);
        let entry = numbers.entry(hash, |it| of(it) == key, |it| hashes.hash_one(of(it)));
        let number = entry.or_insert_with(|| {
            u32::try_from(keys.len()).expect("fewer than 2^32 people are watched")
        });
        let number = *number.get();
        if number as usize == keys.len() {
            keys.push(key);
        }
        number
    }

    /// The key's number, where it was met.
    pub fn get(&self, key: &K) -> Option<u32> {
        let is_it = |number: &u32| self.keys[*number as usize] == *key;
        self.numbers.find(self.hashes.hash_one(key), is_it).copied()
    }

    /// The key with this number.
    pub fn key(&self, number: u32) -> K {
        self.keys[number as usize]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
