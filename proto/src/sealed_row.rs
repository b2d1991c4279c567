//! Sealed rows: coarse flags encrypted under a key that only the person's secret gives
//! (PROTOCOL.md section 7.1).

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::{
    labels,
    lp::LengthPrefixed,
    name::DatasetId,
    person_secret::{LookupTag, SealKey},
    scope::Scope,
};

/// Bytes that encryption adds to a row's flags.
pub const SEAL_OVERHEAD: usize = 16;

/// Room for a row's additional data: label, suite, two names of at most 64 characters, epoch, version,
/// tag, and three lengths.
const ADDITIONAL_DATA: usize = 32 + 1 + 2 * 64 + 4 + 4 + 16 + 3 * 4;

/// The row did not open: another key, another place, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed row does not open with the person secret released for it")]
pub struct Unopenable;

/// Seals and opens the rows of one dataset in one scope.
pub struct RowSealer {
    /// The part of the additional data that all rows of the dataset share.
    prefix: Vec<u8>,
}

/// `u32be(version) || 8 random bytes`. The version makes nonces under one seal key differ from load
/// to load; the random part keeps them apart after an adapter's store was restored from a backup.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RowNonce(pub [u8; NONCE_LEN]);

impl RowNonce {
    /// A nonce for a row sealed in `version`.
    pub fn new(version: u32, random: [u8; 8]) -> Self {
        let mut bytes = [0; NONCE_LEN];
        bytes[..4].copy_from_slice(&version.to_be_bytes());
        bytes[4..].copy_from_slice(&random);
        Self(bytes)
    }

    /// The dataset version in which the row was sealed.
    pub fn version(self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }
}

/// One is made for every row that is opened, so it is not worth an allocation.
struct AdditionalData {
    bytes: [u8; ADDITIONAL_DATA],
    length: usize,
}

impl AsRef<[u8]> for AdditionalData {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl RowSealer {
    /// For one dataset in one scope.
    pub fn new(scope: &Scope, dataset: &DatasetId) -> Self {
        let prefix = LengthPrefixed::new()
            .field(labels::SEALED_ROW.as_bytes())
            .byte(scope.suite.to_byte())
            .field(scope.programme.as_str().as_bytes())
            .number(scope.epoch)
            .field(dataset.as_str().as_bytes());
        Self { prefix: prefix.as_bytes().to_vec() }
    }

    /// Encrypts `row` in place, appending the 16-byte authentication tag.
    pub fn seal(&self, key: &SealKey, tag: LookupTag, nonce: RowNonce, row: &mut Vec<u8>) {
        let aad = self.additional_data(tag, nonce);
        aes(key)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce.0), Aad::from(aad), row)
            .expect("a row is far below AES-GCM's length limit");
    }

    /// Decrypts `row` in place and returns the flags.
    ///
    /// # Errors
    /// [`Unopenable`]; the buffer's content is then of no use.
    pub fn open<'r>(
        &self,
        key: &SealKey,
        tag: LookupTag,
        nonce: RowNonce,
        row: &'r mut [u8],
    ) -> Result<&'r [u8], Unopenable> {
        let aad = self.additional_data(tag, nonce);
        let flags = aes(key)
            .open_in_place(Nonce::assume_unique_for_key(nonce.0), Aad::from(aad), row)
            .map_err(|_| Unopenable)?;
        Ok(flags)
    }

    fn additional_data(&self, tag: LookupTag, nonce: RowNonce) -> AdditionalData {
        let (mut bytes, mut length) = ([0; ADDITIONAL_DATA], 0);
        for part in [&self.prefix[..], &nonce.0[..4], &tag.0] {
            bytes[length..][..part.len()].copy_from_slice(part);
            length += part.len();
        }
        AdditionalData { bytes, length }
    }
}

fn aes(key: &SealKey) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.expose()).expect("a seal key is 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{person_secret::PersonSecret, scope::Suite};

    fn scope(epoch: u32) -> Scope {
        let programme = "demo".parse().expect("a name");
        Scope { programme, epoch, suite: Suite::SaltedHash }
    }

    fn sealer(epoch: u32, dataset: &str) -> RowSealer {
        RowSealer::new(&scope(epoch), &dataset.parse().expect("a name"))
    }

    #[test]
    fn a_row_opens_only_where_it_was_sealed() {
        let secret = PersonSecret::from_bytes([7; 32]);
        let (tag, nonce) = (secret.lookup_tag(), RowNonce::new(3, [9; 8]));
        let mut sealed = vec![1, 0, 2];
        sealer(1, "vehicles").seal(&secret.seal_key(), tag, nonce, &mut sealed);
        assert_eq!(sealed.len(), 3 + SEAL_OVERHEAD);

        let open = |epoch, dataset: &str, secret: &PersonSecret, tag, nonce| {
            let mut copy = sealed.clone();
            sealer(epoch, dataset)
                .open(&secret.seal_key(), tag, nonce, &mut copy)
                .map(<[u8]>::to_vec)
        };
        assert_eq!(open(1, "vehicles", &secret, tag, nonce), Ok(vec![1, 0, 2]));
        let other = PersonSecret::from_bytes([8; 32]);
        assert_eq!(open(2, "vehicles", &secret, tag, nonce), Err(Unopenable), "epoch");
        assert_eq!(open(1, "homes", &secret, tag, nonce), Err(Unopenable), "dataset");
        assert_eq!(open(1, "vehicles", &other, tag, nonce), Err(Unopenable), "key");
        assert_eq!(open(1, "vehicles", &secret, other.lookup_tag(), nonce), Err(Unopenable), "tag");
        let later = RowNonce::new(4, [9; 8]);
        assert_eq!(open(1, "vehicles", &secret, tag, later), Err(Unopenable), "version");
    }
}
