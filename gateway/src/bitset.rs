//! Sets of dense numbers, one bit each: what the base and its rules are made of.
//!
//! Owns the invariant that bits at and beyond `len` are zero, so that words can be counted and
//! compared as they are. Knows nothing of subjects.

use std::fmt;

const WORD: usize = u64::BITS as usize;

/// A set of numbers below `len`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bitset {
    words: Vec<u64>,
    len: usize,
}

impl Bitset {
    /// The empty set of no numbers.
    pub fn new() -> Self {
        Self::default()
    }

    /// All numbers below `len`, or none of them.
    pub fn filled(len: usize, value: bool) -> Self {
        let mut set = Self::new();
        set.resize(len, value);
        set
    }

    /// How many numbers could be in it.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no number could be in it; [`Bitset::count`] tells how many are.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes room for numbers below `len`; new ones are not in the set. Never shrinks.
    pub fn grow(&mut self, len: usize) {
        if len > self.len {
            self.resize(len, false);
        }
    }

    /// Sets the room; new numbers are in the set where `value` says so.
    pub fn resize(&mut self, len: usize, value: bool) {
        let fill = if value { u64::MAX } else { 0 };
        if value && len > self.len && !self.len.is_multiple_of(WORD) {
            self.words[self.len / WORD] |= u64::MAX << (self.len % WORD);
        }
        self.words.resize(len.div_ceil(WORD), fill);
        self.len = len;
        self.clear_tail();
    }

    /// Whether a number is in the set; one beyond `len` is not.
    pub fn get(&self, index: usize) -> bool {
        self.words.get(index / WORD).is_some_and(|word| word >> (index % WORD) & 1 == 1)
    }

    /// Puts a number in.
    ///
    /// # Panics
    /// If the number is not below `len`.
    pub fn set(&mut self, index: usize) {
        self.assign(index, true);
    }

    /// Puts a number in or takes it out.
    ///
    /// # Panics
    /// If the number is not below `len`.
    pub fn assign(&mut self, index: usize, value: bool) {
        assert!(index < self.len, "number {index} is beyond a set of {}", self.len);
        let bit = 1 << (index % WORD);
        if value {
            self.words[index / WORD] |= bit;
        } else {
            self.words[index / WORD] &= !bit;
        }
    }

    /// Keeps what is also in `other`.
    ///
    /// # Panics
    /// If the sets have different room.
    pub fn and_with(&mut self, other: &Self) {
        self.combine(other, |mine, theirs| mine & theirs);
    }

    /// Adds what is in `other`.
    ///
    /// # Panics
    /// If the sets have different room.
    pub fn or_with(&mut self, other: &Self) {
        self.combine(other, |mine, theirs| mine | theirs);
    }

    /// Takes out what is in `other`.
    ///
    /// # Panics
    /// If the sets have different room.
    pub fn and_not_with(&mut self, other: &Self) {
        self.combine(other, |mine, theirs| mine & !theirs);
    }

    /// Puts in what is not, and takes out what is.
    pub fn invert(&mut self) {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.clear_tail();
    }

    /// How many numbers are in the set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The numbers in the set, ascending.
    pub fn ones(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(place, &word)| {
            let some = |word: u64| (word != 0).then_some(word);
            std::iter::successors(some(word), move |word| some(word & (word - 1)))
                .map(move |word| place * WORD + word.trailing_zeros() as usize)
        })
    }

    /// The set as words, 64 numbers each, the lowest number in the lowest bit.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// Replaces words from the `first` on, as far as there are so many, and adds to `differing` where
    /// they were others.
    pub(crate) fn exchange_words(&mut self, first: usize, words: &[u64], differing: &mut [u64]) {
        let mine = self.words.get_mut(first..).unwrap_or_default();
        for ((mine, &word), differing) in mine.iter_mut().zip(words).zip(differing) {
            *differing |= std::mem::replace(mine, word) ^ word;
        }
        self.clear_tail();
    }

    /// Replaces those bits of words from the `first` on that are set in `mask`, as far as there are so
    /// many words.
    pub(crate) fn merge_words(&mut self, first: usize, mask: &[u64], words: &[u64]) {
        let mine = self.words.get_mut(first..).unwrap_or_default();
        for ((mine, &mask), &word) in mine.iter_mut().zip(mask).zip(words) {
            *mine = *mine & !mask | word & mask;
        }
        self.clear_tail();
    }

    fn combine(&mut self, other: &Self, with: impl Fn(u64, u64) -> u64) {
        assert_eq!(self.len, other.len, "sets about the same people have the same room");
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine = with(*mine, *theirs);
        }
    }

    fn clear_tail(&mut self) {
        if let Some(last) = self.words.last_mut()
            && !self.len.is_multiple_of(WORD)
        {
            *last &= !(u64::MAX << (self.len % WORD));
        }
    }
}

/// Says how many, never who.
impl fmt::Debug for Bitset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.count(), self.len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn set(bits: &[bool]) -> Bitset {
        let mut set = Bitset::filled(bits.len(), false);
        bits.iter().enumerate().for_each(|(index, &bit)| set.assign(index, bit));
        set
    }

    fn bits(set: &Bitset) -> Vec<bool> {
        (0..set.len()).map(|index| set.get(index)).collect()
    }

    fn tail_is_zero(set: &Bitset) -> bool {
        set.words.len() == set.len.div_ceil(WORD)
            && (set.len..set.words.len() * WORD).all(|index| !set.get(index))
    }

    proptest! {
        #[test]
        fn operations_are_those_on_each_number(
            pairs in vec((any::<bool>(), any::<bool>()), 0..200),
        ) {
            let (a, b): (Vec<bool>, Vec<bool>) = pairs.iter().copied().unzip();
            let by_number = |with: fn(bool, bool) -> bool| -> Vec<bool> {
                pairs.iter().map(|&(a, b)| with(a, b)).collect()
            };
            let (mut and, mut or, mut without, mut not) = (set(&a), set(&a), set(&a), set(&a));
            and.and_with(&set(&b));
            or.or_with(&set(&b));
            without.and_not_with(&set(&b));
            not.invert();
            prop_assert_eq!(bits(&and), by_number(|a, b| a && b));
            prop_assert_eq!(bits(&or), by_number(|a, b| a || b));
            prop_assert_eq!(bits(&without), by_number(|a, b| a && !b));
            prop_assert_eq!(bits(&not), by_number(|a, _| !a));
            prop_assert!([&and, &or, &without, &not].into_iter().all(tail_is_zero));
        }

        #[test]
        fn counting_and_listing_agree_with_looking_up(a in vec(any::<bool>(), 0..200)) {
            let set = set(&a);
            let expected: Vec<usize> = (0..a.len()).filter(|&index| a[index]).collect();
            prop_assert_eq!(set.count(), expected.len());
            prop_assert_eq!(set.ones().collect::<Vec<_>>(), expected);
        }

        #[test]
        fn resizing_keeps_what_fits_and_fills_the_rest(
            a in vec(any::<bool>(), 0..200),
            len in 0usize..200,
            value: bool,
        ) {
            let mut resized = set(&a);
            resized.resize(len, value);
            let mut expected = a;
            expected.resize(len, value);
            prop_assert_eq!(bits(&resized), expected);
            prop_assert!(tail_is_zero(&resized));
        }
    }

    #[test]
    fn growing_never_shrinks_and_adds_nobody() {
        let mut set = set(&[true, false, true]);
        set.grow(2);
        assert_eq!(set.len(), 3);
        set.grow(70);
        assert_eq!((set.len(), set.count()), (70, 2));
        assert!(!set.get(1000), "beyond its room");
        assert_eq!(format!("{set:?}"), "2 of 70", "says how many, never who");
    }
}
