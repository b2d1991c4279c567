//! The live epochs, each with what is published in it, and which of them a request is for.
//!
//! Follows the manifest: an epoch that it lists anew is opened, one that is over is closed and, once
//! the next one is published whole, what belonged to it is deleted. What an epoch publishes is
//! `publication`'s business.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use proto::{
    scope::{Scope, ScopeError},
    wire,
};

use crate::{
    accepted_manifest,
    agency::{Agency, AgencyError},
    clock::Clock,
    config::Config,
    ended_epochs,
    link_key::LinkKey,
    publication::Publication,
    secret_file::SecretFileError,
    version_log::StoreError,
};

/// What an adapter publishes, by epoch.
pub struct Epochs {
    config: Config,
    clock: Clock,
    key: Arc<LinkKey>,
    live: RwLock<BTreeMap<u32, Arc<Publication>>>,
}

/// Why an epoch is not published. Ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum EpochsError {
    /// Manifest, keys or datasets.
    #[error(transparent)]
    Agency(#[from] AgencyError),
    /// The version store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system.
    #[error(transparent)]
    Random(#[from] SecretFileError),
}

impl Epochs {
    /// Opens every epoch of the manifest that is not over.
    ///
    /// # Errors
    /// [`EpochsError`].
    pub fn open(config: Config, clock: Clock) -> Result<Self, EpochsError> {
        let key = Arc::new(LinkKey::random()?);
        let epochs = Self { config, clock, key, live: RwLock::default() };
        epochs.take_over()?;
        Ok(epochs)
    }

    /// Reads the manifest again; opens what it lists anew and closes what is over.
    ///
    /// # Errors
    /// [`EpochsError`]: every epoch that was open stays so.
    pub fn take_over(&self) -> Result<(), EpochsError> {
        let agencies = Agency::open_live(&self.config, &self.clock)?;
        let listed: Vec<u32> = agencies.iter().map(|agency| agency.manifest.scope.epoch).collect();
        for (epoch, agency) in listed.iter().copied().zip(agencies) {
            if !self.read().contains_key(&epoch) {
                let (config, clock) = (self.config.clone(), self.clock.clone());
                let publication = Publication::open(config, agency, clock, self.key.clone())?;
                let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
                live.insert(epoch, Arc::new(publication));
                tracing::info!(epoch, "the epoch is open");
            }
        }
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        live.retain(|epoch, publication| {
            let stays = listed.contains(epoch);
            if !stays {
                tracing::info!(epoch, "the epoch is closed");
                publication.close();
            }
            stays
        });
        Ok(())
    }

    /// Deletes what belongs to epochs that are over, once the newest epoch is published whole: a
    /// clock that jumped must not leave the agency with nothing.
    ///
    /// # Errors
    /// [`EpochsError`].
    pub fn forget_ended(&self) -> Result<(), EpochsError> {
        if self.read().values().last().is_some_and(|publication| publication.is_whole()) {
            let signed = accepted_manifest::read(&self.config).map_err(AgencyError::from)?;
            ended_epochs::delete(&self.config.state_dir, signed.manifest(), self.clock.now())?;
        }
        Ok(())
    }

    /// The publication of the epoch that a message is for.
    ///
    /// # Errors
    /// [`ScopeError`] where it is for none that is live here.
    pub fn of(&self, scope: Option<wire::Scope>) -> Result<Arc<Publication>, ScopeError> {
        let scope = Scope::try_from(scope.ok_or(ScopeError::Missing)?)?;
        let live = self.read();
        let found = live.get(&scope.epoch).filter(|publication| publication.scope() == scope);
        let expected = || live.values().map(|it| it.scope().to_string()).collect::<Vec<_>>();
        match found {
            Some(publication) => Ok(publication.clone()),
            None => {
                Err(ScopeError::Other { got: scope.to_string(), expected: expected().join(" or ") })
            }
        }
    }

    /// Every live epoch's publication, the present epoch's first.
    pub fn publications(&self) -> Vec<Arc<Publication>> {
        self.read().values().cloned().collect()
    }

    /// The publication of the present epoch.
    ///
    /// # Panics
    /// Never: a manifest has at least one epoch, and its last one is never over.
    pub fn present(&self) -> Arc<Publication> {
        self.publications().into_iter().next().expect("a manifest's last epoch is never over")
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<u32, Arc<Publication>>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }
}
