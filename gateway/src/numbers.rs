//! Dense numbers for pseudonyms, so that what is known of them can stand in columns.

use std::{collections::HashMap, hash::Hash};

/// Gives every key a number: 0, 1, 2 ... in the order met. A number is never given twice.
pub struct Numbers<K> {
    keys: Vec<K>,
    numbers: HashMap<K, u32>,
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self { keys: vec![], numbers: HashMap::new() }
    }
}

impl<K: Copy + Eq + Hash> Numbers<K> {
    /// The key's number, new where it was not met before.
    pub fn intern(&mut self, key: K) -> u32 {
        *self.numbers.entry(key).or_insert_with(|| {
            self.keys.push(key);
            u32::try_from(self.keys.len() - 1).expect("fewer than 2^32 people are watched")
        })
    }

    /// The key's number, where it was met.
    pub fn get(&self, key: &K) -> Option<u32> {
        self.numbers.get(key).copied()
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
