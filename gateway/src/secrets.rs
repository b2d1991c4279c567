//! Person secrets by number, in memory only: 32 bytes each.
//!
//! They lie in pieces that never move, so that growing leaves no copies behind, and are wiped when they
//! are taken away and when all is dropped.

use proto::person_secret::PersonSecret;
use zeroize::{Zeroize, Zeroizing};

use crate::bitset::Bitset;

/// Secrets of a piece: a mebibyte, with what the allocator adds.
const PIECE: usize = (1 << 15) - 1;

/// Secrets to fetch at once. They lie anywhere in memory: to wait for one after the other takes longer than
/// what is done with them.
pub(crate) const TOGETHER: usize = 64;

/// The secrets of one data line.
#[derive(Default)]
pub(crate) struct Secrets {
    pieces: Vec<Zeroizing<Box<[[u8; 32]]>>>,
    held: Bitset,
}

impl Secrets {
    /// How many numbers there is room for.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Makes room for numbers below `len`. Of new ones no secret is held.
    pub(crate) fn grow(&mut self, len: usize) {
        self.held.grow(len);
        while self.pieces.len() * PIECE < len {
            self.pieces.push(Zeroizing::new(vec![[0; 32]; PIECE].into_boxed_slice()));
        }
    }

    /// A number's secret.
    pub(crate) fn get(&self, number: u32) -> Option<PersonSecret> {
        let index = number as usize;
        let secret = || PersonSecret::from_bytes(self.pieces[index / PIECE][index % PIECE]);
        self.held.get(index).then(secret)
    }

    /// The secrets of a few people, about [`TOGETHER`].
    pub(crate) fn of(&self, numbers: impl Iterator<Item = u32>) -> Vec<Option<PersonSecret>> {
        numbers.map(|number| self.get(number)).collect()
    }

    /// Puts a secret in, or takes it away.
    pub(crate) fn set(&mut self, number: u32, secret: Option<&[u8; 32]>) {
        let index = number as usize;
        let place = &mut self.pieces[index / PIECE][index % PIECE];
        match secret {
            Some(secret) => *place = *secret,
            None => place.zeroize(),
        }
        self.held.assign(index, secret.is_some());
    }
}
