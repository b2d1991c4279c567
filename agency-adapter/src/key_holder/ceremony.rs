//! A key ceremony: who makes the shares of which key, and with whose keys (PROTOCOL.md section 15.2).
//!
//! It is held before the manifest is signed that pins its share keys. So it begins from the draft of
//! that manifest; the ceremony's id binds every contribution to the draft, and what is signed later is
//! compared with it.

use std::num::NonZeroU8;

use proto::{
    envelope::EnvelopeKey,
    labels,
    lp::LengthPrefixed,
    manifest::{Ceremony as Manner, Manifest, ManifestError},
    manifest_file::ManifestFile,
    name::{AgencyId, ProgrammeId},
    scope::Suite,
    signing::VerifyingKey,
};

use super::subset::{Sharing, SharingError, Subset};

/// The ceremony, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceremony {
    /// For which programme.
    pub programme: ProgrammeId,
    /// The first epoch that has a key.
    pub epoch: u32,
    /// By all holders, or by a dealer.
    pub manner: Manner,
    /// How many holders, and how many of them make the key.
    pub sharing: Sharing,
    holders: Vec<Holder>,
}

/// A holder and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The agency.
    pub id: AgencyId,
    /// Signs its contribution.
    pub signing_key: VerifyingKey,
    /// Contributions are encrypted to it.
    pub hpke_key: EnvelopeKey,
}

/// Why no ceremony can be held by a draft. The fault of whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// Not the text of a manifest.
    #[error("the draft of the manifest is not usable: {0}")]
    Draft(#[from] ManifestError),
    /// There is no key to share.
    #[error(
        "the draft says suite \"salted-hash\", which has no key: a ceremony is for suite \"oprf\""
    )]
    Suite,
    /// It does not say how.
    #[error("the draft's [holders] have no `ceremony`: write ceremony = \"distributed\"")]
    Manner,
    /// No epoch.
    #[error("the draft has no [[epoch]]")]
    Epoch,
    /// Too many or too few.
    #[error("the draft's [holders] cannot share a key: {0}")]
    Sharing(#[from] SharingError),
    /// Not an agency of the draft, or twice a holder.
    #[error("[holders] names {0}, which the draft does not list as an agency, or lists twice")]
    Holder(AgencyId),
}

impl Ceremony {
    /// Of the draft of a manifest: one that lacks share keys, and nobody has signed it yet.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn of_draft(text: &str) -> Result<Self, CeremonyError> {
        let draft = ManifestFile::parse(text)?;
        if draft.suite != Suite::Oprf {
            return Err(CeremonyError::Suite);
        }
        let epoch = draft.epochs.first().ok_or(CeremonyError::Epoch)?.number;
        let manner = draft.holders.ceremony.ok_or(CeremonyError::Manner)?;
        let listed = &draft.holders.agencies;
        let holder = |id: &AgencyId| {
            let mut found = draft.agencies.iter().filter(|agency| agency.id == *id);
            let twice = listed.iter().filter(|other| *other == id).count() > 1;
            let (agency, another) = (found.next(), found.next());
            let agency = agency.filter(|_| another.is_none() && !twice);
            let agency = agency.ok_or_else(|| CeremonyError::Holder(id.clone()))?;
            let (signing_key, hpke_key) = (agency.signing_key, agency.hpke_key.clone());
            Ok::<_, CeremonyError>(Holder { id: id.clone(), signing_key, hpke_key })
        };
        Ok(Self {
            programme: draft.programme,
            epoch,
            manner,
            sharing: Sharing::new(draft.holders.threshold.get(), listed.len())?,
            holders: listed.iter().map(holder).collect::<Result<_, _>>()?,
        })
    }

    /// Of a manifest in force: the ceremony that its holders would hold for this epoch.
    ///
    /// # Errors
    /// [`CeremonyError`] where it has no key.
    pub fn of_manifest(manifest: &Manifest, epoch: u32) -> Result<Self, CeremonyError> {
        let holders = manifest.holders();
        let manner = holders.ceremony.ok_or(CeremonyError::Manner)?;
        let holder = |id: &AgencyId| {
            let agency = manifest.agency(id).ok_or_else(|| CeremonyError::Holder(id.clone()))?;
            let (signing_key, hpke_key) = (agency.signing_key, agency.hpke_key.clone());
            Ok::<_, CeremonyError>(Holder { id: id.clone(), signing_key, hpke_key })
        };
        Ok(Self {
            programme: manifest.scope.programme.clone(),
            epoch,
            manner,
            sharing: Sharing::new(holders.threshold.get(), holders.agencies.len())?,
            holders: holders.agencies.iter().map(holder).collect::<Result<_, _>>()?,
        })
    }

    /// Names the ceremony: the same for everybody who saw the same draft.
    pub fn id(&self) -> [u8; 32] {
        let manner = match self.manner {
            Manner::Distributed => 1,
            Manner::TrustedDealer => 2,
        };
        let head = LengthPrefixed::new()
            .field(self.programme.as_str().as_bytes())
            .number(self.epoch)
            .byte(manner)
            .byte(self.sharing.threshold())
            .byte(self.sharing.holders());
        let material = self.holders.iter().fold(head, |material, holder| {
            material
                .field(holder.id.as_str().as_bytes())
                .field(&holder.signing_key.0)
                .field(&holder.hpke_key.to_bytes())
        });
        blake3::derive_key(labels::CEREMONY, material.as_bytes())
    }

    /// A holder's index.
    pub fn index_of(&self, agency: &AgencyId) -> Option<NonZeroU8> {
        self.sharing.indices().find(|index| self.holder(*index).id == *agency)
    }

    /// The holder with this index.
    ///
    /// # Panics
    /// If there is none.
    pub fn holder(&self, index: NonZeroU8) -> &Holder {
        &self.holders[usize::from(index.get()) - 1]
    }

    /// Whoever contributes to a subset's seed: its members, or the dealer alone, who is holder 1.
    pub fn contributors(&self, subset: Subset) -> Vec<NonZeroU8> {
        match self.manner {
            Manner::Distributed => subset.members().collect(),
            Manner::TrustedDealer => vec![NonZeroU8::MIN],
        }
    }

    /// Everybody who contributes.
    pub fn all_contributors(&self) -> Vec<NonZeroU8> {
        match self.manner {
            Manner::Distributed => self.sharing.indices().collect(),
            Manner::TrustedDealer => vec![NonZeroU8::MIN],
        }
    }

    /// The subsets to whose seeds this contributor contributes, in their order.
    pub fn subsets_of(&self, contributor: NonZeroU8) -> Vec<Subset> {
        match self.manner {
            Manner::Distributed => self.sharing.subsets_with(contributor).collect(),
            Manner::TrustedDealer => self.sharing.subsets().collect(),
        }
    }
}
