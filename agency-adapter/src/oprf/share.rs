//! One holder's share of the key, and what it answers to a batch.

use std::{fmt, num::NonZeroU8};

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use proto::labels;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    MAX_HOLDERS,
    element::{BatchError, decode_batch, encode_doubled},
    proof::Statement,
    share_keys::ShareKey,
};

/// One holder's share of one epoch's key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Share {
    #[zeroize(skip)]
    index: NonZeroU8,
    scalar: Scalar,
}

/// A holder's answer to a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Each blinded element multiplied by the share, in the order of the batch.
    pub elements: Vec<[u8; 32]>,
    /// Challenge and response.
    pub proof: [u8; 64],
}

impl Share {
    /// The share of the holder with this index. `None` if it is zero, or the index is above
    /// [`MAX_HOLDERS`].
    pub fn new(index: NonZeroU8, scalar: Scalar) -> Option<Self> {
        let share = Self { index, scalar };
        (usize::from(index.get()) <= MAX_HOLDERS && scalar != Scalar::ZERO).then_some(share)
    }

    /// The holder's place in the federation manifest, from 1.
    pub fn index(&self) -> NonZeroU8 {
        self.index
    }

    /// The public key of this share.
    pub fn public(&self) -> ShareKey {
        ShareKey::of(&self.scalar)
    }

    /// Multiplies every element by the share and proves it. The same batch gives the same bytes.
    ///
    /// # Errors
    /// [`BatchError`]: the requester's fault.
    pub fn evaluate(&self, blinded: &[[u8; 32]]) -> Result<Evaluation, BatchError> {
        let points = decode_batch(blinded)?;
        Ok(self.answer(blinded, &points, &self.nonce(blinded)))
    }

    pub(super) fn answer(
        &self,
        blinded: &[[u8; 32]],
        points: &[RistrettoPoint],
        nonce: &Scalar,
    ) -> Evaluation {
        let half = Zeroizing::new(self.scalar.div_by_2());
        let halves: Vec<_> = points.iter().map(|point| point * &*half).collect();
        let elements = encode_doubled(&halves);
        let key = self.public().to_bytes();
        let statement = Statement { key: &key, blinded, evaluated: &elements };
        let proof = statement.prove(&self.scalar, nonce, points);
        Evaluation { elements, proof }
    }

    /// Follows from share and batch alone, so that no nonce serves for two statements, and a replay is
    /// answered identically.
    fn nonce(&self, blinded: &[[u8; 32]]) -> Zeroizing<Scalar> {
        let mut hasher = blake3::Hasher::new_derive_key(labels::PROOF_NONCE);
        hasher.update(self.scalar.as_bytes()).update(blinded.as_flattened());
        let mut wide = Zeroizing::new([0; 64]);
        hasher.finalize_xof().fill(&mut wide[..]);
        hasher.zeroize();
        Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide))
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share")
    }
}
