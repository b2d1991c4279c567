//! The roots of suite `oprf` in one epoch: those that are there, and who still has none.
//!
//! A dataset is derived only once everybody in it has a root; whoever lacks one is noted here, for
//! `evaluating` to fetch while what was published before stays published.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use proto::{name::DatasetId, scope::Scope};

use crate::{
    dataset_state::Problem,
    derive::{Derivation, Root},
    identifier::Identifier,
    load::Person,
    pinned_holders::PinnedHolders,
    root_cache::{Collected, RootCache, RootCacheError},
};

/// Who of a dataset has no root.
#[derive(Clone)]
pub struct Wanted {
    /// In the order in which they are best fetched.
    pub missing: Arc<[Identifier]>,
    /// How many people the dataset has.
    pub people: usize,
}

/// The roots of an epoch.
pub struct RootSupply {
    scope: Scope,
    holders: PinnedHolders,
    cache: RootCache,
    wanted: Mutex<BTreeMap<DatasetId, Wanted>>,
}

impl RootSupply {
    /// The supply of an epoch, kept in a state directory.
    ///
    /// # Errors
    /// [`RootCacheError`].
    pub fn open(
        state_dir: &Path,
        scope: &Scope,
        holders: PinnedHolders,
    ) -> Result<Self, RootCacheError> {
        let cache = RootCache::open(state_dir, scope, holders.fingerprint())?;
        Ok(Self { scope: scope.clone(), holders, cache, wanted: Mutex::default() })
    }

    /// Whether these are the roots of this scope and these holders.
    pub fn is_of(&self, scope: &Scope, holders: &PinnedHolders) -> bool {
        self.scope == *scope && self.holders.fingerprint() == holders.fingerprint()
    }

    /// The key holders whose shares made these roots.
    pub fn holders(&self) -> &PinnedHolders {
        &self.holders
    }

    /// Derivation for a load, if everybody in it has a root; else notes who has none.
    ///
    /// # Errors
    /// [`Problem::Waiting`], or [`Problem::Stale`] where the cache failed.
    pub fn derivation(
        &self,
        dataset: &DatasetId,
        persons: &[Person],
    ) -> Result<Derivation, Problem> {
        // Everybody whom a household lists is a person of the load too.
        let collected = self.cache.collect(persons, |person| &person.identifier);
        match collected.map_err(|error| Problem::Stale(error.to_string()))? {
            Collected::Complete(roots) => {
                self.lock().remove(dataset);
                Ok(Derivation::evaluated(&self.scope, roots))
            }
            Collected::Missing(missing) => {
                let (missing, people) = (missing.into(), persons.len());
                let wanted = Wanted { missing, people };
                let problem = Problem::Waiting(wanted.words());
                self.lock().insert(dataset.clone(), wanted);
                Err(problem)
            }
        }
    }

    /// Everybody who is wanted.
    pub fn wanted(&self) -> BTreeMap<DatasetId, Wanted> {
        self.lock().clone()
    }

    /// Forgets that a dataset wants anybody: until it is read again.
    pub fn fetched(&self, dataset: &DatasetId) {
        self.lock().remove(dataset);
    }

    /// Who of these has no root by now.
    ///
    /// # Errors
    /// [`RootCacheError`].
    pub fn missing(&self, people: &[Identifier]) -> Result<Vec<Identifier>, RootCacheError> {
        Ok(match self.cache.collect(people, |identifier| identifier)? {
            Collected::Complete(_) => vec![],
            Collected::Missing(missing) => missing,
        })
    }

    /// Keeps roots, durably before it returns.
    ///
    /// # Errors
    /// [`RootCacheError`].
    pub fn keep(&self, people: &[Identifier], roots: &[Root]) -> Result<(), RootCacheError> {
        self.cache.put(people.iter().zip(roots))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DatasetId, Wanted>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wanted {
    fn words(&self) -> String {
        format!(
            "{} of its {} people have no root yet: `agency-adapter serve` asks the key holders through \
             the gateway, and `agency-adapter doctor` says how far it is",
            self.missing.len(),
            self.people
        )
    }
}
