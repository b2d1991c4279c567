//! This agency's two key pairs: one signs grants, to the other salts are encrypted.

use std::path::Path;

use proto::{
    envelope::EnvelopePrivateKey,
    name::AgencyId,
    signing::{SigningKey, VerifyingKey},
};

use crate::secret_file::{self, SecretFileError};

/// Both private keys.
pub struct Keys {
    /// Signs salt grants.
    pub signing: SigningKey,
    /// Opens salt grants.
    pub hpke: EnvelopePrivateKey,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file that cannot be used.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// Never made, or another state directory.
    #[error(
        "keys/{0} is missing in the state directory: run `agency-adapter init`, or restore it from a \
         backup if this agency's keys are already in the federation manifest"
    )]
    Missing(&'static str),
}

const SIGNING: &str = "signing.key";
const HPKE: &str = "hpke.key";

impl Keys {
    /// Reads both from the state directory.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn read(state_dir: &Path) -> Result<Self, KeysError> {
        let read = |name| {
            secret_file::read(&state_dir.join("keys").join(name))?.ok_or(KeysError::Missing(name))
        };
        let (signing, hpke) = (read(SIGNING)?, read(HPKE)?);
        Ok(Self {
            signing: SigningKey::from_seed(&signing),
            hpke: EnvelopePrivateKey::from_bytes(&hpke),
        })
    }

    /// Makes what is missing, then reads both. Says whether it made any.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn create(state_dir: &Path) -> Result<(Self, bool), KeysError> {
        let mut made = false;
        for name in [SIGNING, HPKE] {
            made |= secret_file::create(&state_dir.join("keys").join(name))?;
        }
        Ok((Self::read(state_dir)?, made))
    }

    /// Both public keys: what the federation manifest must say of this agency.
    pub fn public(&self) -> PublicKeys {
        PublicKeys { signing: self.signing.verifying_key(), hpke: self.hpke.public().to_bytes() }
    }
}

/// The public halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKeys {
    /// Ed25519.
    pub signing: VerifyingKey,
    /// X25519.
    pub hpke: [u8; 32],
}

impl PublicKeys {
    /// The block that the federation manifest must hold for `agency`.
    pub fn manifest_block(&self, agency: &AgencyId) -> String {
        format!(
            "[[agency]]\nid = \"{agency}\"\nsigning_key = \"{}\"\nhpke_key = \"{}\"\n",
            hex::encode(self.signing.0),
            hex::encode(self.hpke)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_missing_ones_are_asked_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let text = Keys::read(directory.path()).err().expect("none yet").to_string();
        assert!(text.contains("agency-adapter init"), "{text}");
        let (first, made) = Keys::create(directory.path()).expect("made");
        assert!(made);
        let (again, made) = Keys::create(directory.path()).expect("kept");
        assert!(!made);
        assert_eq!(first.public(), again.public());
    }
}
