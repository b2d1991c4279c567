//! How a person is recognised in two epochs: a key of this run of the program, under which every
//! identifier has the same short name whatever the epoch.
//!
//! Key and names are in memory only. They are no part of the protocol: nobody else sees them.

use zeroize::Zeroizing;

use crate::{
    identifier::Identifier,
    secret_file::{self, SecretFileError},
};

/// A person's name within this run. No identifier can be told from it without the key.
pub(crate) type Link = [u8; 16];

/// The key.
pub struct LinkKey(Zeroizing<[u8; 32]>);

impl LinkKey {
    /// A new one.
    ///
    /// # Errors
    /// [`SecretFileError`] where the operating system has no random numbers.
    pub fn random() -> Result<Self, SecretFileError> {
        Ok(Self(secret_file::random()?))
    }

    /// A person's name.
    pub(crate) fn link(&self, identifier: &Identifier) -> Link {
        let digest = blake3::keyed_hash(&self.0, identifier.as_bytes());
        *digest.as_bytes().first_chunk().expect("a digest is 32 bytes")
    }
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey")
    }
}
