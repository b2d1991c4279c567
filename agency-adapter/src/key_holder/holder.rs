//! Answering requests: what a key holder checks, in which order, and what it writes down before an
//! evaluation leaves (PROTOCOL.md section 15.4).
//!
//! Everything here may take as long as a batch does: call it off the runtime's threads.

use std::{
    collections::BTreeMap,
    num::NonZeroU8,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use proto::{
    evaluation::{Evaluation, EvaluationRequest},
    manifest::Manifest,
    name::AgencyId,
    scope::{Scope, ScopeError, Suite},
};

use super::{
    account::{AccountError, Batch},
    ceremony::Ceremony,
    directory,
    journal::JournalError,
    ledger::{Ledger, LedgerError},
    pending,
    seeds::{Seeds, SeedsError},
};
use crate::{
    clock::Clock,
    oprf::{BatchError, Share},
};

/// This agency's key holder.
pub struct KeyHolder {
    state_dir: PathBuf,
    agency: AgencyId,
    clock: Clock,
    /// Opened by the first request that needs it, and by the next one again where that failed.
    ledger: Mutex<Option<Arc<Ledger>>>,
    shares: Mutex<BTreeMap<u32, Arc<Share>>>,
}

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Another programme, suite, or an epoch that is not live.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// For another holder. The caller's fault.
    #[error("the request is for {0}: the gateway brought it to the wrong agency")]
    OtherHolder(AgencyId),
    /// Not an agency of the manifest.
    #[error("{0} is no agency of the federation manifest")]
    UnknownRequester(AgencyId),
    /// Somebody else's signature.
    #[error(
        "the request is not signed with {0}'s signing key: compare that key in both federation manifests"
    )]
    Signature(AgencyId),
    /// This agency cannot evaluate in this epoch.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// Number or quota.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The elements are none.
    #[error(transparent)]
    Elements(#[from] BatchError),
    /// The journal cannot be written. Ours.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why this agency has no usable share of an epoch's key. Ours to mend, or the manifest's.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// The manifest does not name it.
    #[error("the federation manifest does not name {0} as a key holder")]
    NotHolder(AgencyId),
    /// No ceremony was held.
    #[error(
        "there are no seeds in the state directory: hold the key ceremony (`agency-adapter key-holder \
         contribute`), or restore key-holder/seeds from a backup"
    )]
    NoSeeds,
    /// The seeds.
    #[error(transparent)]
    Seeds(#[from] SeedsError),
    /// Seeds of another place among the holders.
    #[error(
        "the seeds are those of holder {ours} of {programme}, and the federation manifest names this \
         agency as holder {listed}: holders must never be reordered, or the state directory is another one"
    )]
    OtherPlace {
        /// The seeds' programme.
        programme: String,
        /// The seeds'.
        ours: NonZeroU8,
        /// The manifest's.
        listed: NonZeroU8,
    },
    /// Somebody gave this agency another draft than the others.
    #[error(
        "the key ceremony was held with other holders or keys than the federation manifest's: somebody \
         changed the draft on its way, and may know the key. Hold the ceremony again"
    )]
    OtherCeremony,
    /// The manifest pins something else.
    #[error(
        "the federation manifest has another share key for epoch {0} than the one of this agency's \
         seeds: compare it with `agency-adapter key-holder share-keys --epoch {0}`"
    )]
    OtherKey(u32),
}

impl KeyHolder {
    /// The holder whose seeds and journal are in this state directory.
    pub fn new(state_dir: &Path, agency: &AgencyId, clock: Clock) -> Self {
        Self {
            state_dir: state_dir.into(),
            agency: agency.clone(),
            clock,
            ledger: Mutex::default(),
            shares: Mutex::default(),
        }
    }

    /// Checks and evaluates a batch. A new one is in the journal when this returns.
    ///
    /// # Errors
    /// [`Refusal`]; nothing is counted then.
    pub fn answer(
        &self,
        manifest: &Manifest,
        request: &EvaluationRequest,
    ) -> Result<Evaluation, Refusal> {
        let manifest = in_scope(manifest, &request.scope)?;
        if request.holder != self.agency {
            return Err(Refusal::OtherHolder(request.holder.clone()));
        }
        let requester = manifest.agency(&request.requester);
        let requester =
            requester.ok_or_else(|| Refusal::UnknownRequester(request.requester.clone()))?;
        request
            .verify(&requester.signing_key)
            .map_err(|_| Refusal::Signature(request.requester.clone()))?;
        let share = self.share(&manifest)?;
        let (ledger, batch) = (self.ledger()?, Batch::from(request));
        // Before the work, so that a refusal costs none; `book` decides.
        ledger.look(&batch, requester.quota)?;
        let evaluation = share.evaluate(request.elements())?;
        ledger.book(batch, requester.quota, self.clock.now()).map_err(|error| match error {
            LedgerError::Account(error) => Refusal::Account(error),
            LedgerError::Journal(error) => Refusal::Journal(error),
        })?;
        Ok(Evaluation { elements: evaluation.elements, proof: evaluation.proof })
    }

    /// Deletes what epochs before `oldest` were computed from. Their shares cannot be computed again,
    /// by nobody who has not t holders' backups.
    ///
    /// # Errors
    /// [`SeedsError`].
    pub fn forget_before(&self, oldest: u32) -> Result<(), SeedsError> {
        let mut shares = lock(&self.shares);
        *shares = shares.split_off(&oldest);
        let Some(mut seeds) = Seeds::read(&self.state_dir)? else { return Ok(()) };
        if seeds.epoch() < oldest {
            seeds.forward(oldest)?;
            seeds.write(&self.state_dir)?;
            pending::delete(&self.state_dir)?;
        }
        Ok(())
    }

    fn share(&self, manifest: &Manifest) -> Result<Arc<Share>, ShareError> {
        let epoch = manifest.scope.epoch;
        let mut shares = lock(&self.shares);
        let share = match shares.get(&epoch) {
            Some(share) => share.clone(),
            None => Arc::new(own_share(&self.state_dir, &self.agency, manifest)?),
        };
        check_pinned(&share, manifest)?;
        Ok(shares.entry(epoch).or_insert(share).clone())
    }

    fn ledger(&self) -> Result<Arc<Ledger>, JournalError> {
        let mut ledger = lock(&self.ledger);
        if let Some(ledger) = &*ledger {
            return Ok(ledger.clone());
        }
        let opened = Arc::new(Ledger::open(&directory(&self.state_dir))?);
        Ok(ledger.insert(opened).clone())
    }
}

/// This agency's share of the key of the manifest's selected epoch.
///
/// # Errors
/// [`ShareError`].
pub fn own_share(
    state_dir: &Path,
    agency: &AgencyId,
    manifest: &Manifest,
) -> Result<Share, ShareError> {
    let listed = manifest.holder_index(agency);
    let listed = listed.ok_or_else(|| ShareError::NotHolder(agency.clone()))?;
    let seeds = Seeds::read(state_dir)?.ok_or(ShareError::NoSeeds)?;
    let origin = seeds.origin();
    if origin.index != listed || origin.programme != manifest.scope.programme {
        let programme = origin.programme.to_string();
        return Err(ShareError::OtherPlace { programme, ours: origin.index, listed });
    }
    Ok(seeds.share(manifest.scope.epoch)?)
}

/// What a holder looks at before it signs a manifest (PROTOCOL.md section 15.2): that its own share keys
/// are in it, and, the first time, that the ceremony was held by these holders with these keys. Later a
/// holder may have other keys.
///
/// # Errors
/// [`ShareError`].
pub fn may_sign(
    (state_dir, agency): (&Path, &AgencyId),
    manifest: &Manifest,
    first: bool,
) -> Result<(), ShareError> {
    if manifest.scope.suite != Suite::Oprf {
        return Ok(());
    }
    if first && !held_as_listed(&Seeds::read(state_dir)?.ok_or(ShareError::NoSeeds)?, manifest) {
        return Err(ShareError::OtherCeremony);
    }
    let epochs = manifest.epochs().iter().filter_map(|epoch| manifest.in_epoch(epoch.number));
    for manifest in epochs {
        match own_share(state_dir, agency, &manifest) {
            Ok(share) => check_pinned(&share, &manifest)?,
            // An epoch that is over, and still listed: nothing can be compared any more.
            Err(ShareError::Seeds(SeedsError::Past(_))) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the ceremony that the seeds come from is the one of the manifest's holders and keys.
pub fn held_as_listed(seeds: &Seeds, manifest: &Manifest) -> bool {
    let origin = seeds.origin();
    let listed = Ceremony::of_manifest(manifest, origin.first_epoch);
    listed.is_ok_and(|listed| hex::encode(listed.id()) == origin.ceremony)
}

/// The share's public key must be the one that the manifest pins for its selected epoch.
///
/// # Errors
/// [`ShareError::OtherKey`].
pub fn check_pinned(share: &Share, manifest: &Manifest) -> Result<(), ShareError> {
    let place = usize::from(share.index().get()) - 1;
    let pinned = manifest.epoch().share_keys.get(place);
    if pinned == Some(&share.public().to_bytes()) {
        Ok(())
    } else {
        Err(ShareError::OtherKey(manifest.scope.epoch))
    }
}

/// The manifest with the request's epoch selected, if that is live.
fn in_scope(manifest: &Manifest, scope: &Scope) -> Result<Manifest, ScopeError> {
    let selected = manifest.in_epoch(scope.epoch).filter(|selected| selected.scope == *scope);
    selected.filter(|selected| selected.scope.suite == Suite::Oprf).ok_or_else(|| {
        ScopeError::Other { got: scope.to_string(), expected: manifest.scope.to_string() }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside is whole at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
