//! Person secrets, and what follows from one: the lookup tag and the seal key (PROTOCOL.md
//! section 4.4).
//!
//! How a person secret comes from an identifier is not here: only agency-adapter can do that.

use std::{fmt, sync::LazyLock};

use blake3::{
    Hasher,
    hazmat::{ContextKey, HasherExt, hash_derive_key_context},
};

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::labels;

static LOOKUP_TAG: LazyLock<ContextKey> =
    LazyLock::new(|| hash_derive_key_context(labels::LOOKUP_TAG));
static SEAL_KEY: LazyLock<ContextKey> = LazyLock::new(|| hash_derive_key_context(labels::SEAL_KEY));

/// 32 bytes per (person, dataset, programme, epoch): the capability to find and open one sealed row.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PersonSecret([u8; 32]);

/// AES-256 key of one sealed row.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SealKey([u8; 32]);

/// Finds one sealed row; uniform bytes, no secret, and useless without the person secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupTag(pub [u8; 16]);

impl PersonSecret {
    /// Takes over 32 derived or received bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for release to the gateway and for further derivation.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 16 bytes of `dk("lookup tag", P)`.
    pub fn lookup_tag(&self) -> LookupTag {
        let mut tag = [0; 16];
        tag.copy_from_slice(&derive(&LOOKUP_TAG, &self.0)[..16]);
        LookupTag(tag)
    }

    /// `dk("seal key", P)`.
    pub fn seal_key(&self) -> SealKey {
        SealKey(derive(&SEAL_KEY, &self.0))
    }
}

/// `dk` with a context that was hashed before: millions of rows share it.
fn derive(context: &ContextKey, material: &[u8; 32]) -> [u8; 32] {
    Hasher::new_from_context_key(context).update(material).finalize().into()
}

impl SealKey {
    /// The key's bytes, for the cipher.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PersonSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonSecret")
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}

impl fmt::Debug for LookupTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookupTag")
    }
}
