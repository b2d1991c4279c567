//! What one holder gives to the seeds of the subsets that it is a member of: a random secret for each,
//! encrypted to each other member, with a commitment to it, and all of it signed (PROTOCOL.md section
//! 15.2).
//!
//! It may be sent openly. Its text form is `contribution_file`'s.

use std::num::NonZeroU8;

use proto::{
    envelope::{Envelope, EnvelopePrivateKey},
    labels,
    lp::LengthPrefixed,
    name::AgencyId,
    signing::SigningKey,
};

use super::{ceremony::Ceremony, seeds::Seed, subset::Subset};

/// One contributor's whole contribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution {
    pub(super) ceremony: [u8; 32],
    pub(super) contributor: AgencyId,
    pub(super) parts: Vec<Part>,
    pub(super) signature: [u8; 64],
}

/// The part for one subset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub(super) subset: Subset,
    /// To the secret, for all members the same.
    pub(super) commitment: [u8; 32],
    /// The secret, encrypted to each member but the contributor, in their order.
    pub(super) envelopes: Vec<(NonZeroU8, Envelope)>,
}

/// Why a contribution is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContributionError {
    /// Made by another draft.
    #[error(
        "{contributor}'s contribution is for another ceremony ({theirs} instead of {ours}): it was made \
         from a draft with other holders, keys, epoch or threshold. All holders must use one draft"
    )]
    OtherCeremony {
        /// Who is said to have made it.
        contributor: AgencyId,
        /// The first digits of its ceremony's id.
        theirs: String,
        /// Of ours.
        ours: String,
    },
    /// Not somebody who contributes.
    #[error("{0} does not contribute to this ceremony: leave the file out")]
    Foreign(AgencyId),
    /// Changed on its way, or not the agency's.
    #[error(
        "{0}'s contribution is not as {0} signed it: get it again; if it is refused again, compare {0}'s \
         signing key in the draft with what `agency-adapter public-keys` prints there"
    )]
    Signature(AgencyId),
    /// Well signed, and not what a contribution consists of.
    #[error(
        "{0}'s contribution does not have a part for each subset and member: {0} must mend that"
    )]
    Parts(AgencyId),
    /// Encrypted to another key.
    #[error(
        "{0}'s contribution does not open with this agency's HPKE key: it was made for another key, so \
         the draft has a wrong one; or {0} deviates"
    )]
    Envelope(AgencyId),
    /// Members of a subset were given different secrets.
    #[error(
        "{0}'s contribution contradicts itself: {0} deviates from the ceremony. Keep the file as \
         evidence, and hold the ceremony again"
    )]
    Commitment(AgencyId),
    /// A key of the draft that cannot be encrypted to.
    #[error("the draft's hpke_key of {0} cannot be encrypted to: {0} must send another one")]
    Key(AgencyId),
}

impl ContributionError {
    pub(super) fn other_ceremony(
        contributor: AgencyId,
        theirs: &[u8; 32],
        ours: &Ceremony,
    ) -> Self {
        Self::OtherCeremony { contributor, theirs: short(theirs), ours: short(&ours.id()) }
    }
}

impl Contribution {
    /// Encrypts and signs a contributor's secrets, one for each of its subsets.
    ///
    /// # Errors
    /// [`ContributionError::Key`].
    pub fn seal(
        ceremony: &Ceremony,
        (contributor, key): (NonZeroU8, &SigningKey),
        secrets: &[(Subset, Seed)],
    ) -> Result<Self, ContributionError> {
        let id = ceremony.id();
        let part = |(subset, secret): &(Subset, Seed)| {
            let others = subset.members().filter(|member| *member != contributor);
            let envelopes = others.map(|member| {
                let holder = ceremony.holder(member);
                let aad = purpose(&id, contributor, *subset, member);
                let info = labels::CONTRIBUTION_INFO.as_bytes();
                let sealed = holder.hpke_key.seal(info, aad.as_bytes(), secret.expose());
                let sealed = sealed.map_err(|_| ContributionError::Key(holder.id.clone()))?;
                Ok((member, sealed))
            });
            Ok(Part {
                subset: *subset,
                commitment: commitment(&id, contributor, *subset, secret),
                envelopes: envelopes.collect::<Result<_, _>>()?,
            })
        };
        let mut contribution = Self {
            ceremony: id,
            contributor: ceremony.holder(contributor).id.clone(),
            parts: secrets.iter().map(part).collect::<Result<_, _>>()?,
            signature: [0; 64],
        };
        contribution.sign(key);
        Ok(contribution)
    }

    pub(super) fn sign(&mut self, key: &SigningKey) {
        self.signature = key.sign(&self.signed_bytes());
    }

    /// Checks that it is a whole contribution to this ceremony, signed by its contributor, whose index
    /// it returns.
    ///
    /// # Errors
    /// [`ContributionError`].
    pub fn verify(&self, ceremony: &Ceremony) -> Result<NonZeroU8, ContributionError> {
        let name = || self.contributor.clone();
        if self.ceremony != ceremony.id() {
            return Err(ContributionError::other_ceremony(name(), &self.ceremony, ceremony));
        }
        let index = ceremony.index_of(&self.contributor);
        let index = index.filter(|index| ceremony.all_contributors().contains(index));
        let index = index.ok_or_else(|| ContributionError::Foreign(name()))?;
        let key = ceremony.holder(index).signing_key;
        key.verify(&self.signed_bytes(), &self.signature)
            .map_err(|_| ContributionError::Signature(name()))?;
        let subsets = self.parts.iter().map(|part| part.subset);
        let whole = subsets.eq(ceremony.subsets_of(index))
            && self.parts.iter().all(|part| {
                let members = part.envelopes.iter().map(|(member, _)| *member);
                members.eq(part.subset.members().filter(|member| *member != index))
            });
        if whole { Ok(index) } else { Err(ContributionError::Parts(name())) }
    }

    /// The secrets for the subsets of this member, of a contribution that was verified.
    ///
    /// # Errors
    /// [`ContributionError::Envelope`] and [`ContributionError::Commitment`].
    pub fn open(
        &self,
        contributor: NonZeroU8,
        (member, key): (NonZeroU8, &EnvelopePrivateKey),
    ) -> Result<Vec<(Subset, Seed)>, ContributionError> {
        let mine = self.parts.iter().filter_map(|part| {
            let (_, envelope) = part.envelopes.iter().find(|(to, _)| *to == member)?;
            Some((part, envelope))
        });
        let open = |(part, envelope): (&Part, &Envelope)| {
            let aad = purpose(&self.ceremony, contributor, part.subset, member);
            let info = labels::CONTRIBUTION_INFO.as_bytes();
            let opened = key.open(info, aad.as_bytes(), envelope);
            let opened = opened.ok().and_then(|secret| secret.as_slice().try_into().ok());
            let secret = opened.map(Seed::from_bytes);
            let secret =
                secret.ok_or_else(|| ContributionError::Envelope(self.contributor.clone()))?;
            if commitment(&self.ceremony, contributor, part.subset, &secret) != part.commitment {
                return Err(ContributionError::Commitment(self.contributor.clone()));
            }
            Ok((part.subset, secret))
        };
        mine.map(open).collect()
    }

    /// Who made it.
    pub fn contributor(&self) -> &AgencyId {
        &self.contributor
    }

    /// What it commits to, in the order of its subsets.
    pub(super) fn commitments(&self) -> impl Iterator<Item = [u8; 32]> {
        self.parts.iter().map(|part| part.commitment)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let head = LengthPrefixed::new()
            .field(labels::CONTRIBUTION_SIGNATURE.as_bytes())
            .field(&self.ceremony)
            .field(self.contributor.as_str().as_bytes());
        let signed = self.parts.iter().fold(head, |signed, part| {
            let signed = signed.number(part.subset.mask()).field(&part.commitment);
            part.envelopes.iter().fold(signed, |signed, (member, envelope)| {
                signed
                    .byte(member.get())
                    .field(&envelope.encapsulated_key)
                    .field(&envelope.ciphertext)
            })
        });
        signed.as_bytes().to_vec()
    }
}

/// The first digits of an id, for people to compare.
pub fn short(id: &[u8; 32]) -> String {
    hex::encode(&id[..8])
}

/// The additional data of an envelope.
fn purpose(
    ceremony: &[u8; 32],
    contributor: NonZeroU8,
    subset: Subset,
    member: NonZeroU8,
) -> LengthPrefixed {
    LengthPrefixed::new()
        .field(ceremony)
        .byte(contributor.get())
        .number(subset.mask())
        .byte(member.get())
}

pub(super) fn commitment(
    ceremony: &[u8; 32],
    contributor: NonZeroU8,
    subset: Subset,
    secret: &Seed,
) -> [u8; 32] {
    let material = LengthPrefixed::new()
        .field(ceremony)
        .byte(contributor.get())
        .number(subset.mask())
        .field(secret.expose());
    blake3::derive_key(labels::CONTRIBUTION_COMMITMENT, material.as_bytes())
}
