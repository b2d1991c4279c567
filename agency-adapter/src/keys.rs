//! This agency's three key pairs: one signs grants and manifests, to one salts are encrypted, and one
//! cosigns the log.

use std::path::Path;

use proto::{
    envelope::EnvelopePrivateKey,
    name::AgencyId,
    signing::{SigningKey, VerifyingKey},
};

use crate::secret_file::{self, SecretFileError};

/// The private keys.
pub struct Keys {
    /// Signs salt grants, evaluation requests and, a holder's, manifests.
    pub signing: SigningKey,
    /// Opens salt grants.
    pub hpke: EnvelopePrivateKey,
    /// Cosigns the log's checkpoints.
    pub witness: SigningKey,
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
const WITNESS: &str = "witness.key";

impl Keys {
    /// Reads them from the state directory.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn read(state_dir: &Path) -> Result<Self, KeysError> {
        let read = |name| {
            secret_file::read(&state_dir.join("keys").join(name))?.ok_or(KeysError::Missing(name))
        };
        Ok(Self {
            signing: SigningKey::from_seed(&read(SIGNING)?),
            hpke: EnvelopePrivateKey::from_bytes(&read(HPKE)?),
            witness: SigningKey::from_seed(&read(WITNESS)?),
        })
    }

    /// Makes what is missing, then reads all. Says whether it made any.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn create(state_dir: &Path) -> Result<(Self, bool), KeysError> {
        let mut made = false;
        for name in [SIGNING, HPKE, WITNESS] {
            made |= secret_file::create(&state_dir.join("keys").join(name))?;
        }
        Ok((Self::read(state_dir)?, made))
    }

    /// The public keys: what the federation manifest must say of this agency.
    pub fn public(&self) -> PublicKeys {
        PublicKeys {
            signing: self.signing.verifying_key(),
            hpke: self.hpke.public().to_bytes(),
            witness: self.witness.verifying_key(),
        }
    }
}

/// The public halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKeys {
    /// Ed25519.
    pub signing: VerifyingKey,
    /// X25519.
    pub hpke: [u8; 32],
    /// Ed25519.
    pub witness: VerifyingKey,
}

impl PublicKeys {
    /// The block that the federation manifest must hold for `agency`.
    pub fn manifest_block(&self, agency: &AgencyId) -> String {
        let [signing, hpke, witness] = [self.signing.0, self.hpke, self.witness.0].map(hex::encode);
        format!(
            "[[agency]]\nid = \"{agency}\"\nsigning_key = \"{signing}\"\nhpke_key = \"{hpke}\"\n\
             witness_key = \"{witness}\"\n"
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
