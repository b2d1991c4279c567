//! The key holders of one epoch as a requester knows them: from the federation manifest, and from
//! nowhere else (PROTOCOL.md section 15.1).

use std::{num::NonZeroU8, sync::Arc};

use proto::{lp::LengthPrefixed, manifest::Manifest, name::AgencyId, scope::Suite};

use crate::oprf::{ShareKeys, ShareKeysError};

/// Who holds which share of an epoch's key.
#[derive(Clone)]
pub struct PinnedHolders {
    keys: Arc<ShareKeys>,
    names: Vec<AgencyId>,
    fingerprint: [u8; 32],
}

impl PinnedHolders {
    /// Those of a manifest's selected epoch; `None` for a suite that computes roots.
    ///
    /// # Errors
    /// [`ShareKeysError`] where the share keys do not belong to one key.
    pub fn new(manifest: &Manifest) -> Result<Option<Self>, ShareKeysError> {
        if manifest.scope.suite != Suite::Oprf {
            return Ok(None);
        }
        let holders = manifest.holders();
        let share_keys = &manifest.epoch().share_keys;
        let keys = Arc::new(ShareKeys::new(holders.threshold.get(), share_keys)?);
        let head = LengthPrefixed::new()
            .field(b"share keys")
            .byte(holders.threshold.get())
            .field(share_keys.as_flattened());
        let fingerprint = *blake3::hash(head.as_bytes()).as_bytes();
        Ok(Some(Self { keys, names: holders.agencies.clone(), fingerprint }))
    }

    /// The share keys.
    pub fn keys(&self) -> &Arc<ShareKeys> {
        &self.keys
    }

    /// Every holder with its index.
    pub fn iter(&self) -> impl Iterator<Item = (NonZeroU8, &AgencyId)> {
        (1..=u8::MAX).filter_map(NonZeroU8::new).zip(&self.names)
    }

    /// Stands for all share keys: roots of other ones cannot be compared.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }
}
