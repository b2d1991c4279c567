//! The hash functions of RFC 9497 sections 3.3.1 and 4.1 for ristretto255-SHA512.

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

/// Separates hashing to the group from everything else, in mode 0x01.
pub const HASH_TO_GROUP: &[u8] = b"HashToGroup-OPRFV1-\x01-ristretto255-SHA512";
const HASH_TO_SCALAR: &[u8] = b"HashToScalar-OPRFV1-\x01-ristretto255-SHA512";

/// `HashToGroup`; `dst` is [`HASH_TO_GROUP`] save in the tests of mode 0x00.
pub fn hash_to_group(input: &[u8], dst: &[u8]) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&expand(&[input], dst))
}

/// `HashToScalar` of the parts together.
pub fn hash_to_scalar(parts: &[&[u8]]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&expand(parts, HASH_TO_SCALAR))
}

/// The last step of `Finalize`: the output for an input and its unblinded element.
pub fn output(input: &[u8], unblinded: &[u8; 32]) -> Zeroizing<[u8; 64]> {
    let hash = Sha512::new()
        .chain_update(prefix(input))
        .chain_update(input)
        .chain_update(prefix(unblinded))
        .chain_update(unblinded)
        .chain_update("Finalize");
    Zeroizing::new(hash.finalize().into())
}

/// `I2OSP(len(bytes), 2)`.
pub fn prefix(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len())
        .expect("nothing hashed here is longer than 65535 bytes")
        .to_be_bytes()
}

/// `expand_message_xmd` with SHA-512 (RFC 9380 section 5.3.1), of one hash's length: 64 bytes.
fn expand(message: &[&[u8]], dst: &[u8]) -> Zeroizing<[u8; 64]> {
    const BLOCK: [u8; 128] = [0; 128];
    const LENGTH: [u8; 2] = [0, 64];
    let dst_length = [u8::try_from(dst.len()).expect("every tag here is shorter than 256 bytes")];
    let mut first = Sha512::new().chain_update(BLOCK);
    for part in message {
        first.update(part);
    }
    let first = first.chain_update(LENGTH).chain_update([0]).chain_update(dst);
    let first = Zeroizing::new(<[u8; 64]>::from(first.chain_update(dst_length).finalize()));
    let second = Sha512::new().chain_update(first.as_slice()).chain_update([1]).chain_update(dst);
    Zeroizing::new(second.chain_update(dst_length).finalize().into())
}
