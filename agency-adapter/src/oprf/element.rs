//! Group elements as 32 bytes: what a peer sent is decoded here, and refused here.

use curve25519_dalek::{
    ristretto::{CompressedRistretto, RistrettoPoint},
    traits::IsIdentity,
};

use super::MAX_BATCH;

/// A batch that cannot be worked on. Who sent it must mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Too many, or none.
    #[error("the batch has {0} elements: send from 1 to {MAX_BATCH}")]
    Size(usize),
    /// Not canonical, not of the group, or its identity.
    #[error(
        "element {0} of the batch is not the canonical form of a ristretto255 element other than the \
         identity"
    )]
    Element(usize),
}

/// The element of 32 bytes; `None` for the identity and for everything that is not canonical.
pub fn decode(bytes: &[u8; 32]) -> Option<RistrettoPoint> {
    CompressedRistretto(*bytes).decompress().filter(|point| !point.is_identity())
}

/// Every element of a batch.
///
/// # Errors
/// [`BatchError`].
pub fn decode_batch(batch: &[[u8; 32]]) -> Result<Vec<RistrettoPoint>, BatchError> {
    check_size(batch.len())?;
    let decoded = batch.iter().enumerate();
    decoded.map(|(place, bytes)| decode(bytes).ok_or(BatchError::Element(place + 1))).collect()
}

/// Refuses a batch of no elements or of too many.
///
/// # Errors
/// [`BatchError::Size`].
pub fn check_size(elements: usize) -> Result<(), BatchError> {
    if (1..=MAX_BATCH).contains(&elements) { Ok(()) } else { Err(BatchError::Size(elements)) }
}

/// The bytes of twice each element. Encoding doubles is cheap for many at once; so multiply by half of
/// the intended scalar first.
pub fn encode_doubled(points: &[RistrettoPoint]) -> Vec<[u8; 32]> {
    let encoded = RistrettoPoint::double_and_compress_batch(points);
    encoded.into_iter().map(|element| element.to_bytes()).collect()
}
