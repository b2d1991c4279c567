//! Merkle trees as RFC 6962 section 2.1 defines them, with SHA-256.
//!
//! Owns hashes, which subtrees a proof consists of, and the verification of proofs (by `ct_merkle`).
//! Where the hashes of a tree are kept is `tile`'s and `tiled_tree`'s business.

use std::{fmt, ops::Range};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::{Digest, Sha256};

/// No tree has more leaves. Keeps the arithmetic below from overflowing.
pub const MAX_SIZE: u64 = 1 << 56;

/// The hash of a leaf, a node or a tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

/// A tree's size and root: everything that is to be known of it to verify proofs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// How many leaves.
    pub size: u64,
    /// The Merkle Tree Hash.
    pub root: Hash,
}

/// A proof does not show what it was to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// The inclusion proof.
    #[error("the inclusion proof does not lead from the entry to the root of the tree")]
    Inclusion,
    /// The consistency proof.
    #[error("the consistency proof does not show that the older tree is the newer one's beginning")]
    Consistency,
}

impl Hash {
    /// A leaf's: SHA-256(0x00 || entry).
    pub fn of_leaf(entry: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update([0x00]);
        hash.update(entry);
        Self(hash.finalize().into())
    }

    /// A node's: SHA-256(0x01 || left || right).
    pub fn of_node(left: &Self, right: &Self) -> Self {
        let mut node = [0x01; 65];
        node[1..33].copy_from_slice(&left.0);
        node[33..].copy_from_slice(&right.0);
        Self(Sha256::digest(node).into())
    }

    /// The Merkle Tree Hash over the hashes of leaves, or of equally large complete subtrees of
    /// which the last one may be smaller.
    pub fn of_tree(hashes: &[Self]) -> Self {
        match hashes {
            [] => Self(Sha256::digest([]).into()),
            [hash] => *hash,
            _ => {
                let (left, right) = hashes.split_at(hashes.len().next_power_of_two() / 2);
                Self::of_node(&Self::of_tree(left), &Self::of_tree(right))
            }
        }
    }

    /// Reads what `Display` writes: 44 characters of base64, nothing else.
    pub fn from_base64(text: &str) -> Option<Self> {
        BASE64_STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl TreeHead {
    /// Checks that `entry` is the leaf at `index`.
    ///
    /// # Errors
    /// [`BadProof::Inclusion`].
    pub fn verify_inclusion(
        &self,
        entry: &[u8],
        index: u64,
        path: &[Hash],
    ) -> Result<(), BadProof> {
        if self.size > MAX_SIZE {
            return Err(BadProof::Inclusion);
        }
        let path = path.iter().map(|hash| hash.0.into()).collect::<Vec<_>>();
        self.as_root()
            .verify_inclusion(&entry, index, &InclusionProof::from_digests(&path))
            .map_err(|_| BadProof::Inclusion)
    }

    /// Checks that the tree with head `older` is the beginning of this one. The empty tree is the
    /// beginning of every tree, and its proof is empty (C2SP tlog-witness).
    ///
    /// # Errors
    /// [`BadProof::Consistency`].
    pub fn verify_consistency(&self, older: &Self, proof: &[Hash]) -> Result<(), BadProof> {
        let bad = Err(BadProof::Consistency);
        if self.size > MAX_SIZE {
            return bad;
        }
        if older.size == 0 {
            return if *older == Self::empty() && proof.is_empty() { Ok(()) } else { bad };
        }
        let proof = proof.iter().map(|hash| hash.0.into()).collect::<Vec<_>>();
        self.as_root()
            .verify_consistency(&older.as_root(), &ConsistencyProof::from_digests(&proof))
            .map_err(|_| BadProof::Consistency)
    }

    /// The tree without leaves.
    pub fn empty() -> Self {
        Self { size: 0, root: Hash::of_tree(&[]) }
    }

    fn as_root(&self) -> RootHash<Sha256> {
        RootHash::new(self.root.0.into(), self.size)
    }
}

/// The subtrees whose hashes are the inclusion proof of leaf `index` in the tree with `size`
/// leaves: PATH of RFC 6962 section 2.1.1. `index` is less than `size`.
pub fn inclusion_subtrees(index: u64, size: u64) -> Vec<Range<u64>> {
    let mut path = Vec::new();
    let mut within = 0..size;
    while within.end - within.start > 1 {
        let (left, right) = halves(&within);
        let (inside, sibling) = if left.contains(&index) { (left, right) } else { (right, left) };
        path.push(sibling);
        within = inside;
    }
    path.reverse();
    path
}

/// The subtrees whose hashes are the consistency proof from the tree with `old` leaves to that with
/// `new`: PROOF of RFC 6962 section 2.1.2. `old` is not more than `new`.
pub fn consistency_subtrees(old: u64, new: u64) -> Vec<Range<u64>> {
    let mut proof = Vec::new();
    if old == 0 || old == new {
        return proof;
    }
    let mut within = 0..new;
    while within.end != old {
        let (left, right) = halves(&within);
        let (inside, sibling) = if old <= left.end { (left, right) } else { (right, left) };
        proof.push(sibling);
        within = inside;
    }
    // A subtree that begins at the first leaf is the older tree itself, whose hash is known.
    if within.start != 0 {
        proof.push(within);
    }
    proof.reverse();
    proof
}

/// A subtree's two: the left one is the largest complete one that is smaller.
fn halves(within: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let middle = within.start + (within.end - within.start).next_power_of_two() / 2;
    (within.start..middle, middle..within.end)
}

/// Base64, as checkpoints and proofs write it.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves that Certificate Transparency's known answers are of.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    /// The roots of the trees of 0 to 8 of them.
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    const A: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
    const B: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
    const C: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
    const D: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
    const E: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
    const F: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";

    fn hash(text: &str) -> Hash {
        Hash(hex::decode(text).expect("hex").try_into().expect("32 bytes"))
    }

    fn head(size: usize) -> TreeHead {
        TreeHead { size: size as u64, root: hash(ROOTS[size]) }
    }

    fn leaves() -> Vec<Hash> {
        LEAVES.iter().map(|leaf| Hash::of_leaf(leaf)).collect()
    }

    fn resolved(subtrees: Vec<Range<u64>>) -> Vec<Hash> {
        let of =
            |range: Range<u64>| Hash::of_tree(&leaves()[range.start as usize..range.end as usize]);
        subtrees.into_iter().map(of).collect()
    }

    #[test]
    fn the_roots_are_the_known_ones() {
        for size in 0..=8 {
            assert_eq!(Hash::of_tree(&leaves()[..size]), head(size).root, "{size}");
        }
    }

    #[test]
    fn inclusion_proofs_are_the_known_ones_and_verify_for_their_leaf_only() {
        let known: [(usize, usize, &[&str]); 5] = [
            (0, 1, &[]),
            (0, 8, &[A, B, C]),
            (5, 8, &[D, E, ROOTS[4]]),
            (2, 3, &[ROOTS[2]]),
            (1, 5, &[ROOTS[1], B, D]),
        ];
        for (index, size, path) in known {
            let path = path.iter().map(|text| hash(text)).collect::<Vec<_>>();
            assert_eq!(resolved(inclusion_subtrees(index as u64, size as u64)), path);
            let verify = |entry: &[u8], index: usize, size: usize, path: &[Hash]| {
                head(size).verify_inclusion(entry, index as u64, path)
            };
            let entry = LEAVES[index];
            assert_eq!(verify(entry, index, size, &path), Ok(()));
            let bad = Err(BadProof::Inclusion);
            assert_eq!(verify(b"else", index, size, &path), bad);
            assert_eq!(verify(entry, index + 1, size, &path), bad);
            assert_eq!(verify(entry, usize::MAX, size, &path), bad);
            assert_eq!(verify(entry, index, size - 1, &path), bad);
            assert_eq!(verify(entry, index, size, &[&path[..], &[hash(A)]].concat()), bad);
            if !path.is_empty() {
                assert_eq!(verify(entry, index, size, &path[1..]), bad);
            }
        }
    }

    #[test]
    fn consistency_proofs_are_the_known_ones_and_verify_for_their_trees_only() {
        let known: [(usize, usize, &[&str]); 5] = [
            (1, 1, &[]),
            (0, 8, &[]),
            (1, 8, &[A, B, C]),
            (6, 8, &[F, E, ROOTS[4]]),
            (2, 5, &[B, D]),
        ];
        for (old, new, proof) in known {
            let proof = proof.iter().map(|text| hash(text)).collect::<Vec<_>>();
            assert_eq!(resolved(consistency_subtrees(old as u64, new as u64)), proof);
            let verify =
                |old: TreeHead, new: TreeHead, proof: &[Hash]| new.verify_consistency(&old, proof);
            assert_eq!(verify(head(old), head(new), &proof), Ok(()));
            let bad = Err(BadProof::Consistency);
            let other = TreeHead { root: hash(A), ..head(old) };
            assert_eq!(verify(other, head(new), &proof), bad);
            assert_eq!(verify(head(old), head(new), &[&proof[..], &[hash(A)]].concat()), bad);
            if old != 0 {
                let other = TreeHead { root: hash(A), ..head(new) };
                assert_eq!(verify(head(old), other, &proof), bad);
            }
            if old != 0 && old != new {
                assert_eq!(verify(head(new), head(old), &proof), bad);
                assert_eq!(verify(head(old), head(new), &proof[1..]), bad);
            }
        }
    }

    #[test]
    fn a_size_beyond_every_log_is_refused_and_not_computed_with() {
        let vast = TreeHead { size: u64::MAX, root: hash(A) };
        assert_eq!(vast.verify_inclusion(b"", u64::MAX - 1, &[]), Err(BadProof::Inclusion));
        assert_eq!(vast.verify_consistency(&head(8), &[]), Err(BadProof::Consistency));
    }

    #[test]
    fn every_proof_up_to_70_leaves_is_what_ct_merkle_makes() {
        let mut tree = ct_merkle::mem_backed_tree::MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let mut leaves = Vec::new();
        for size in 1..=70_u64 {
            let entry = size.to_be_bytes().to_vec();
            leaves.push(Hash::of_leaf(&entry));
            tree.push(entry);
            let bytes = |subtrees: Vec<Range<u64>>| -> Vec<u8> {
                let of = |range: Range<u64>| {
                    Hash::of_tree(&leaves[range.start as usize..range.end as usize]).0
                };
                subtrees.into_iter().flat_map(of).collect()
            };
            for index in 0..size {
                let expected = tree.prove_inclusion(index as usize);
                assert_eq!(bytes(inclusion_subtrees(index, size)), expected.as_bytes());
            }
            for old in 1..=size {
                let expected = tree.prove_consistency((size - old) as usize);
                assert_eq!(bytes(consistency_subtrees(old, size)), expected.as_bytes());
            }
        }
    }
}
