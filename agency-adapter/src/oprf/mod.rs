//! The function of suite `oprf`: RFC 9497 VOPRF (ristretto255-SHA512, mode 0x01) under a key of which
//! every holder has one share (PROTOCOL.md section 15.1).
//!
//! Pure arithmetic. Where shares come from and who may have how much evaluated is `key_holder`'s
//! business; how batches travel is `requester`'s. Everything here works on one batch in one thread and
//! takes up to half a second: call it off the runtime's threads, several batches at once.

#![expect(clippy::op_ref, reason = "by reference no copy of a secret is left on the stack")]

mod blinding;
mod element;
mod hashing;
mod lagrange;
mod proof;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod rfc9497;
mod share;
mod share_keys;

pub use blinding::{AnswerError, BlindError, Blinding, Output};
pub use element::BatchError;
pub use share::{Evaluation, Share};
pub use share_keys::{MAX_HOLDERS, ShareKey, ShareKeys, ShareKeysError};

/// Elements of one batch, at most.
pub const MAX_BATCH: usize = 2048;
