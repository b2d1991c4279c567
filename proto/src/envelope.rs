//! HPKE (RFC 9180) base mode, X25519-HKDF-SHA256 / HKDF-SHA256 / ChaCha20-Poly1305: one message,
//! one recipient.

use std::fmt;

use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::X25519HkdfSha256, single_shot_open, single_shot_seal,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::signing::InvalidKey;

type Kem = X25519HkdfSha256;

/// A recipient's public key, 32 bytes, known to be a point HPKE accepts; in files 64 hex digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvelopeKey(<Kem as hpke::Kem>::PublicKey);

/// A recipient's private key.
#[derive(Clone)]
pub struct EnvelopePrivateKey(<Kem as hpke::Kem>::PrivateKey);

/// An encrypted message and what its recipient needs to open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// 32 bytes.
    pub encapsulated_key: Vec<u8>,
    /// The message's length plus 16 bytes.
    pub ciphertext: Vec<u8>,
}

/// The envelope is not for this key, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the envelope does not open with this key")]
pub struct EnvelopeError;

impl EnvelopeKey {
    /// Checks 32 received bytes.
    ///
    /// # Errors
    /// [`EnvelopeError`] where they are no X25519 public key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Deserializable::from_bytes(bytes).map(Self).map_err(|_| EnvelopeError)
    }

    /// The key's 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    /// Encrypts `message` to this key, bound to `info` and `aad`.
    ///
    /// # Errors
    /// [`EnvelopeError`] for a key of low order.
    pub fn seal(&self, info: &[u8], aad: &[u8], message: &[u8]) -> Result<Envelope, EnvelopeError> {
        let (encapsulated_key, ciphertext) = single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeS::Base,
            &self.0,
            info,
            message,
            aad,
        )
        .map_err(|_| EnvelopeError)?;
        Ok(Envelope { encapsulated_key: encapsulated_key.to_bytes().to_vec(), ciphertext })
    }
}

impl TryFrom<String> for EnvelopeKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        let bytes = hex::decode(text).map_err(|_| InvalidKey)?;
        Self::from_bytes(&bytes).map_err(|_| InvalidKey)
    }
}

impl From<EnvelopeKey> for String {
    fn from(key: EnvelopeKey) -> String {
        hex::encode(key.to_bytes())
    }
}

impl EnvelopePrivateKey {
    /// Takes over 32 random bytes.
    pub fn from_bytes(bytes: &Zeroizing<[u8; 32]>) -> Self {
        Self(Deserializable::from_bytes(&bytes[..]).expect("any 32 bytes are an X25519 key"))
    }

    /// The public half.
    pub fn public(&self) -> EnvelopeKey {
        EnvelopeKey(Kem::sk_to_pk(&self.0))
    }

    /// Decrypts what [`EnvelopeKey::seal`] made with the same `info` and `aad`.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn open(
        &self,
        info: &[u8],
        aad: &[u8],
        envelope: &Envelope,
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let encapsulated_key =
            Deserializable::from_bytes(&envelope.encapsulated_key).map_err(|_| EnvelopeError)?;
        single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeR::Base,
            &self.0,
            &encapsulated_key,
            info,
            &envelope.ciphertext,
            aad,
        )
        .map(Zeroizing::new)
        .map_err(|_| EnvelopeError)
    }
}

impl fmt::Debug for EnvelopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl fmt::Debug for EnvelopePrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnvelopePrivateKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9180 appendix A.2.1 (base mode, ChaCha20-Poly1305), the first encryption.
    #[test]
    fn rfc_9180_a_2_1_opens() {
        let text = include_str!("../vectors/rfc9180-x25519-hkdfsha256.json");
        let vectors: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let case = vectors.as_array().expect("a list").iter().find(|case| {
            let suite = case["suite"].as_str().unwrap_or_default();
            let title = case["title"].as_str().unwrap_or_default();
            suite.ends_with("ChaCha20Poly1305") && title.starts_with("Base")
        });
        let case = case.expect("the RFC has it");
        let bytes = |value: &serde_json::Value| {
            hex::decode(value.as_str().expect("a string")).expect("hex")
        };
        let private: [u8; 32] = bytes(&case["setup"]["skRm"]).try_into().expect("32 bytes");
        let key = EnvelopePrivateKey::from_bytes(&Zeroizing::new(private));
        assert_eq!(key.public().to_bytes().to_vec(), bytes(&case["setup"]["pkRm"]));
        let first = &case["encryptions"][0];
        let envelope = Envelope {
            encapsulated_key: bytes(&case["setup"]["enc"]),
            ciphertext: bytes(&first["ct"]),
        };
        let (info, aad) = (bytes(&case["setup"]["info"]), bytes(&first["aad"]));
        let opened = key.open(&info, &aad, &envelope).expect("it opens");
        assert_eq!(opened.to_vec(), bytes(&first["pt"]));
        assert!(key.open(&info, b"other", &envelope).is_err());
    }
}
