//! A dataset's salt, and the grant by which its owner lets one agency use it (PROTOCOL.md
//! section 6).

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    envelope::{Envelope, EnvelopeKey, EnvelopePrivateKey},
    labels,
    lp::LengthPrefixed,
    name::{AgencyId, DatasetId},
    scope::Scope,
    signing::{SigningKey, VerifyingKey},
    wire,
};

/// 32 random bytes made by a dataset's owner for one epoch.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Salt([u8; 32]);

impl Salt {
    /// Takes over 32 random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for derivation and for keeping in a file.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

/// A salt encrypted to one agency, signed by its owner. Opaque to whoever carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaltGrant {
    /// The scope the salt belongs to.
    pub scope: Scope,
    /// The dataset whose salt this is.
    pub dataset: DatasetId,
    /// Who owns the dataset and signed.
    pub owner: AgencyId,
    /// Who may use it.
    pub grantee: AgencyId,
    envelope: Envelope,
    signature: [u8; 64],
}

/// Why a grant is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// A field is missing or of the wrong length.
    #[error("the grant is malformed")]
    Malformed,
    /// The owner's key did not sign it.
    #[error(
        "the grant's signature is not its owner's: compare the owner's signing key in the federation manifest"
    )]
    Signature,
    /// It does not open with the grantee's key.
    #[error(
        "the grant does not open: it was made for another HPKE key than this agency's; the owner should grant again"
    )]
    Envelope,
}

impl SaltGrant {
    /// Encrypts `salt` to `grantee` and signs.
    ///
    /// # Errors
    /// [`GrantError::Envelope`] where the grantee's key cannot be encrypted to.
    pub fn issue(
        salt: &Salt,
        (scope, dataset): (&Scope, &DatasetId),
        (owner, owner_key): (&AgencyId, &SigningKey),
        (grantee, grantee_key): (&AgencyId, &EnvelopeKey),
    ) -> Result<Self, GrantError> {
        let purpose = purpose(scope, dataset, owner, grantee);
        let envelope = grantee_key
            .seal(labels::SALT_GRANT_INFO.as_bytes(), purpose.as_bytes(), salt.expose())
            .map_err(|_| GrantError::Envelope)?;
        let mut grant = Self {
            scope: scope.clone(),
            dataset: dataset.clone(),
            owner: owner.clone(),
            grantee: grantee.clone(),
            envelope,
            signature: [0; 64],
        };
        grant.signature = owner_key.sign(grant.signed_bytes().as_bytes());
        Ok(grant)
    }

    /// Checks the owner's signature.
    ///
    /// # Errors
    /// [`GrantError::Signature`].
    pub fn verify(&self, owner_key: &VerifyingKey) -> Result<(), GrantError> {
        owner_key
            .verify(self.signed_bytes().as_bytes(), &self.signature)
            .map_err(|_| GrantError::Signature)
    }

    /// Checks the owner's signature and decrypts the salt.
    ///
    /// # Errors
    /// [`GrantError`].
    pub fn open(
        &self,
        owner_key: &VerifyingKey,
        grantee_key: &EnvelopePrivateKey,
    ) -> Result<Salt, GrantError> {
        self.verify(owner_key)?;
        let purpose = purpose(&self.scope, &self.dataset, &self.owner, &self.grantee);
        let salt: Zeroizing<Vec<u8>> = grantee_key
            .open(labels::SALT_GRANT_INFO.as_bytes(), purpose.as_bytes(), &self.envelope)
            .map_err(|_| GrantError::Envelope)?;
        salt.as_slice().try_into().map(Salt).map_err(|_| GrantError::Malformed)
    }

    fn signed_bytes(&self) -> LengthPrefixed {
        purpose(&self.scope, &self.dataset, &self.owner, &self.grantee)
            .field(labels::SALT_GRANT_SIGNATURE.as_bytes())
            .field(&self.envelope.encapsulated_key)
            .field(&self.envelope.ciphertext)
    }
}

/// The additional data of the envelope and the beginning of what is signed.
fn purpose(
    scope: &Scope,
    dataset: &DatasetId,
    owner: &AgencyId,
    grantee: &AgencyId,
) -> LengthPrefixed {
    LengthPrefixed::new()
        .byte(scope.suite.to_byte())
        .field(scope.programme.as_str().as_bytes())
        .number(scope.epoch)
        .field(dataset.as_str().as_bytes())
        .field(owner.as_str().as_bytes())
        .field(grantee.as_str().as_bytes())
}

impl TryFrom<wire::SaltGrant> for SaltGrant {
    type Error = GrantError;

    fn try_from(grant: wire::SaltGrant) -> Result<Self, GrantError> {
        let malformed = GrantError::Malformed;
        if grant.encapsulated_key.len() != 32 || grant.ciphertext.len() != 48 {
            return Err(malformed);
        }
        Ok(Self {
            scope: grant.scope.ok_or(malformed)?.try_into().map_err(|_| malformed)?,
            dataset: grant.dataset.parse().map_err(|_| malformed)?,
            owner: grant.owner.parse().map_err(|_| malformed)?,
            grantee: grant.grantee.parse().map_err(|_| malformed)?,
            envelope: Envelope {
                encapsulated_key: grant.encapsulated_key,
                ciphertext: grant.ciphertext,
            },
            signature: grant.signature.try_into().map_err(|_| malformed)?,
        })
    }
}

impl From<&SaltGrant> for wire::SaltGrant {
    fn from(grant: &SaltGrant) -> Self {
        Self {
            scope: Some((&grant.scope).into()),
            dataset: grant.dataset.to_string(),
            owner: grant.owner.to_string(),
            grantee: grant.grantee.to_string(),
            encapsulated_key: grant.envelope.encapsulated_key.clone(),
            ciphertext: grant.envelope.ciphertext.clone(),
            signature: grant.signature.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope::Suite;

    #[test]
    fn a_grant_opens_for_its_grantee_under_its_owners_signature_only() {
        let scope =
            Scope { programme: "demo".parse().expect("name"), epoch: 1, suite: Suite::SaltedHash };
        let dataset: DatasetId = "vehicles".parse().expect("name");
        let (owner, grantee): (AgencyId, AgencyId) =
            ("police".parse().expect("name"), "aid".parse().expect("name"));
        let owner_key = SigningKey::from_seed(&Zeroizing::new([1; 32]));
        let grantee_key = EnvelopePrivateKey::from_bytes(&Zeroizing::new([2; 32]));
        let salt = Salt::from_bytes([3; 32]);
        let grant = SaltGrant::issue(
            &salt,
            (&scope, &dataset),
            (&owner, &owner_key),
            (&grantee, &grantee_key.public()),
        )
        .expect("the key is good");
        let carried = SaltGrant::try_from(wire::SaltGrant::from(&grant)).expect("well formed");
        assert_eq!(carried.open(&owner_key.verifying_key(), &grantee_key), Ok(salt));

        let other = EnvelopePrivateKey::from_bytes(&Zeroizing::new([4; 32]));
        let opened = carried.open(&owner_key.verifying_key(), &other);
        assert_eq!(opened, Err(GrantError::Envelope));
        let forger = SigningKey::from_seed(&Zeroizing::new([5; 32]));
        let opened = carried.open(&forger.verifying_key(), &grantee_key);
        assert_eq!(opened, Err(GrantError::Signature));
        let elsewhere = SaltGrant { dataset: "homes".parse().expect("name"), ..carried };
        let opened = elsewhere.open(&owner_key.verifying_key(), &grantee_key);
        assert_eq!(opened, Err(GrantError::Signature));
    }
}
