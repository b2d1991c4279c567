//! The end of a ceremony: all contributions are checked, and this holder's seeds follow from them
//! (PROTOCOL.md section 15.2).

use std::{collections::BTreeMap, num::NonZeroU8};

use proto::{envelope::EnvelopePrivateKey, labels, lp::LengthPrefixed, name::AgencyId};

use super::{
    ceremony::Ceremony,
    contribution::{Contribution, ContributionError, commitment},
    pending::Secrets,
    seeds::{Origin, Seed, Seeds},
    subset::Subset,
};

/// What a holder has after a ceremony.
#[derive(Debug)]
pub struct Finished {
    /// Its seeds.
    pub seeds: Seeds,
    /// Names what everybody contributed: equal at all holders.
    pub transcript: [u8; 32],
}

/// Why a ceremony does not end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinishError {
    /// A contribution that is refused.
    #[error(transparent)]
    Contribution(#[from] ContributionError),
    /// Two files of one agency.
    #[error("{0}'s contribution was given twice: give the one that {0} says is right")]
    Twice(AgencyId),
    /// Somebody has not contributed.
    #[error("the contribution of {} is missing: ask for it", .0.join(", "))]
    Missing(Vec<String>),
    /// This agency has not contributed itself.
    #[error("this agency has not contributed: run `agency-adapter key-holder contribute` first")]
    NotContributed,
    /// An own file that is not what the state directory has.
    #[error(
        "the file with this agency's own contribution was not made with the secrets in the state \
         directory: write it anew with `agency-adapter key-holder contribute` and send it to everybody"
    )]
    OwnDiffers,
}

/// This holder's seeds from everybody's contributions; its own may be among the files.
///
/// # Errors
/// [`FinishError`].
pub fn finish(
    ceremony: &Ceremony,
    (index, key): (NonZeroU8, &EnvelopePrivateKey),
    own: Option<Secrets>,
    contributions: &[Contribution],
) -> Result<Finished, FinishError> {
    let contributors = ceremony.all_contributors();
    let mut secrets: BTreeMap<(Subset, NonZeroU8), Seed> = BTreeMap::new();
    let mut commitments: BTreeMap<NonZeroU8, Vec<[u8; 32]>> = BTreeMap::new();
    if contributors.contains(&index) {
        let own = own.ok_or(FinishError::NotContributed)?;
        let id = ceremony.id();
        let committed = own.iter().map(|(subset, secret)| commitment(&id, index, *subset, secret));
        commitments.insert(index, committed.collect());
        secrets.extend(own.into_iter().map(|(subset, secret)| ((subset, index), secret)));
    }
    let mut given = vec![];
    for contribution in contributions {
        let from = contribution.verify(ceremony)?;
        if given.contains(&from) {
            return Err(FinishError::Twice(contribution.contributor().clone()));
        }
        given.push(from);
        if from == index {
            if !commitments[&index].iter().copied().eq(contribution.commitments()) {
                return Err(FinishError::OwnDiffers);
            }
            continue;
        }
        commitments.insert(from, contribution.commitments().collect());
        let opened = contribution.open(from, (index, key))?;
        secrets.extend(opened.into_iter().map(|(subset, secret)| ((subset, from), secret)));
    }
    let missing = contributors.iter().filter(|from| !commitments.contains_key(from));
    let missing: Vec<String> = missing.map(|from| ceremony.holder(*from).id.to_string()).collect();
    if !missing.is_empty() {
        return Err(FinishError::Missing(missing));
    }
    let seeds = ceremony.sharing.subsets_with(index);
    let seeds = seeds.map(|subset| (subset, seed(ceremony, subset, &secrets))).collect();
    let origin = Origin {
        programme: ceremony.programme.clone(),
        ceremony: hex::encode(ceremony.id()),
        first_epoch: ceremony.epoch,
        sharing: ceremony.sharing,
        index,
    };
    let transcript = transcript(ceremony, &commitments);
    Ok(Finished { seeds: Seeds::new(origin, seeds), transcript })
}

/// A subset's seed: nobody who leaves a single contribution out can compute it.
fn seed(
    ceremony: &Ceremony,
    subset: Subset,
    secrets: &BTreeMap<(Subset, NonZeroU8), Seed>,
) -> Seed {
    let head = LengthPrefixed::new().field(&ceremony.id()).number(subset.mask());
    let contributors = ceremony.contributors(subset);
    let parts = contributors.iter().map(|from| &secrets[&(subset, *from)]);
    let material = parts.fold(head, |material, secret| material.field(secret.expose()));
    Seed::from_bytes(blake3::derive_key(labels::SEED, material.as_bytes()))
}

fn transcript(ceremony: &Ceremony, commitments: &BTreeMap<NonZeroU8, Vec<[u8; 32]>>) -> [u8; 32] {
    let head = LengthPrefixed::new().field(&ceremony.id());
    let material = commitments.iter().fold(head, |material, (from, commitments)| {
        material.byte(from.get()).field(commitments.as_flattened())
    });
    blake3::derive_key(labels::TRANSCRIPT, material.as_bytes())
}

#[cfg(test)]
mod tests;
