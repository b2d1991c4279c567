//! A span of a log's entries without a gap: consecutive entries, and what leads from them to a signed
//! tree head (PROTOCOL.md section 17.4).
//!
//! An inclusion proof of the first entry has the hashes of everything before it. With the entries
//! themselves they make the root of the tree that ends with the span; a consistency proof leads on.

use crate::merkle::{BadProof, Hash, TreeHead, inclusion_subtrees};

/// The tree up to some entry: the roots of its complete subtrees, each smaller than the one before.
pub struct LogSpan {
    complete: Vec<(u64, Hash)>,
    size: u64,
    first: u64,
    end: u64,
}

impl LogSpan {
    /// The span [first, end), where `inclusion` is the proof of entry `first` in the tree of `end`
    /// entries; without any entry, and without a proof, where `first` is `end`.
    ///
    /// # Errors
    /// [`BadProof::Inclusion`], where the proof has not the length that it must have.
    pub fn begin(first: u64, end: u64, inclusion: &[Hash]) -> Result<Self, BadProof> {
        let subtrees = if first < end { inclusion_subtrees(first, end) } else { vec![] };
        if first > end || subtrees.len() != inclusion.len() {
            return Err(BadProof::Inclusion);
        }
        let before = subtrees.into_iter().zip(inclusion).rev();
        let before = before.filter(|(subtree, _)| subtree.end <= first);
        let complete = before.map(|(subtree, hash)| (subtree.end - subtree.start, *hash)).collect();
        Ok(Self { complete, size: first, first, end })
    }

    /// Takes the next entry's hash.
    ///
    /// # Errors
    /// [`BadProof::Inclusion`], where the span has no more entries.
    pub fn push(&mut self, leaf: Hash) -> Result<(), BadProof> {
        if self.size == self.end {
            return Err(BadProof::Inclusion);
        }
        let (mut width, mut hash) = (1, leaf);
        while let Some((_, left)) = self.complete.pop_if(|(left, _)| *left == width) {
            (width, hash) = (2 * width, Hash::of_node(&left, &hash));
        }
        self.complete.push((width, hash));
        self.size += 1;
        Ok(())
    }

    /// The index of the next entry.
    pub fn next(&self) -> u64 {
        self.size
    }

    /// Checks that every entry was there and that they lead to `head`.
    ///
    /// # Errors
    /// [`BadProof`], where one is missing, changed or in another place.
    pub fn verify(self, head: &TreeHead, consistency: &[Hash]) -> Result<(), BadProof> {
        if self.first == self.end {
            // Nothing is shown, and so nothing is to be proved.
            return Ok(());
        }
        if self.size != self.end {
            return Err(BadProof::Inclusion);
        }
        let folded = self.complete.into_iter().rev().map(|(_, hash)| hash);
        let root = folded.reduce(|right, left| Hash::of_node(&left, &right));
        let root = root.ok_or(BadProof::Inclusion)?;
        head.verify_consistency(&TreeHead { size: self.end, root }, consistency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::consistency_subtrees;

    fn leaf(index: u64) -> Hash {
        Hash::of_leaf(&index.to_be_bytes())
    }

    fn root(range: std::ops::Range<u64>) -> Hash {
        Hash::of_tree(&range.map(leaf).collect::<Vec<_>>())
    }

    fn head(size: u64) -> TreeHead {
        TreeHead { size, root: root(0..size) }
    }

    /// What an honest log answers.
    fn proofs(first: u64, end: u64, size: u64) -> (Vec<Hash>, Vec<Hash>) {
        let hashes = |subtrees: Vec<_>| subtrees.into_iter().map(root).collect();
        (hashes(inclusion_subtrees(first, end)), hashes(consistency_subtrees(end, size)))
    }

    fn verify(
        (first, end): (u64, u64),
        leaves: &[Hash],
        size: u64,
        (inclusion, consistency): &(Vec<Hash>, Vec<Hash>),
    ) -> Result<(), BadProof> {
        let mut span = LogSpan::begin(first, end, inclusion)?;
        leaves.iter().try_for_each(|leaf| span.push(*leaf))?;
        span.verify(&head(size), consistency)
    }

    #[test]
    fn every_span_of_every_small_log_is_proved() {
        for size in 1..=20 {
            for end in 1..=size {
                for first in 0..end {
                    let leaves: Vec<Hash> = (first..end).map(leaf).collect();
                    let good = verify((first, end), &leaves, size, &proofs(first, end, size));
                    assert_eq!(good, Ok(()), "{first}..{end} of {size}");
                }
            }
        }
    }

    #[test]
    fn an_entry_left_out_added_changed_or_moved_is_found() {
        let (first, end, size) = (5, 13, 19);
        let (span, proofs) = ((first, end), proofs(first, end, size));
        let leaves: Vec<Hash> = (first..end).map(leaf).collect();
        for at in 0..leaves.len() {
            let mut without = leaves.clone();
            without.remove(at);
            assert!(verify(span, &without, size, &proofs).is_err(), "{at} left out");
            let shorter = super::tests::proofs(first, end - 1, size);
            let hidden = verify((first, end - 1), &without, size, &shorter);
            assert_eq!(hidden.is_err(), at + 1 < leaves.len(), "{at} left out, and the end moved");
            let mut more = leaves.clone();
            more.insert(at, leaf(99));
            assert!(verify(span, &more, size, &proofs).is_err(), "one added at {at}");
            let mut other = leaves.clone();
            other[at] = leaf(99);
            assert!(verify(span, &other, size, &proofs).is_err(), "{at} changed");
            let mut moved = leaves.clone();
            moved.swap(at, (at + 1) % leaves.len());
            assert!(verify(span, &moved, size, &proofs).is_err(), "{at} moved");
        }
        let elsewhere = verify((first + 1, end + 1), &leaves, size, &proofs);
        assert!(elsewhere.is_err(), "the span is elsewhere");
    }
}
