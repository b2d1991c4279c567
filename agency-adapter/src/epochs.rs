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
use tokio_util::sync::CancellationToken;

use crate::{
    agency::{self, Agency, AgencyError},
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
    stop: CancellationToken,
    live: RwLock<BTreeMap<u32, Live>>,
}

#[derive(Clone)]
struct Live {
    publication: Arc<Publication>,
    /// Ends the epoch's streams.
    stop: CancellationToken,
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
    /// Opens every epoch of the manifest that is not over. `stop` ends all streams.
    ///
    /// # Errors
    /// [`EpochsError`].
    pub fn open(
        config: Config,
        clock: Clock,
        stop: CancellationToken,
    ) -> Result<Self, EpochsError> {
        let key = Arc::new(LinkKey::random()?);
        let epochs = Self { config, clock, key, stop, live: RwLock::default() };
        epochs.take_over()?;
        Ok(epochs)
    }

    /// Reads the manifest again; opens what it lists anew and closes what is over.
    ///
    /// # Errors
    /// [`EpochsError`]: every epoch that was open stays so.
    pub fn take_over(&self) -> Result<(), EpochsError> {
        let manifests =
            agency::read_manifest(&self.config)?.in_live_epochs(self.clock.now()).into_iter();
        let listed: Vec<u32> = manifests.map(|manifest| manifest.scope.epoch).collect();
        for &epoch in &listed {
            if !self.read().contains_key(&epoch) {
                let agency = Agency::open_in(&self.config, epoch)?;
                let (config, clock, key) =
                    (self.config.clone(), self.clock.clone(), self.key.clone());
                let publication = Arc::new(Publication::open(config, agency, clock, key)?);
                let live = Live { publication, stop: self.stop.child_token() };
                self.live.write().unwrap_or_else(PoisonError::into_inner).insert(epoch, live);
                tracing::info!(epoch, "the epoch is open");
            }
        }
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        live.retain(|epoch, live| {
            let stays = listed.contains(epoch);
            if !stays {
                tracing::info!(epoch, "the epoch is closed");
                live.stop.cancel();
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
        let whole = self.read().values().last().is_some_and(|live| live.publication.is_whole());
        if whole {
            let manifest = agency::read_manifest(&self.config)?;
            ended_epochs::delete(&self.config.state_dir, &manifest, self.clock.now())?;
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
        let found = live.get(&scope.epoch).filter(|live| live.publication.scope() == scope);
        let expected =
            || live.values().map(|live| live.publication.scope().to_string()).collect::<Vec<_>>();
        match found {
            Some(live) => Ok(live.publication.clone()),
            None => {
                Err(ScopeError::Other { got: scope.to_string(), expected: expected().join(" or ") })
            }
        }
    }

    /// What ends the streams of an epoch.
    pub fn stop_of(&self, publication: &Publication) -> CancellationToken {
        let epoch = publication.scope().epoch;
        self.read().get(&epoch).map_or_else(|| self.stop.clone(), |live| live.stop.clone())
    }

    /// Every live epoch's publication, the present epoch's first.
    pub fn publications(&self) -> Vec<Arc<Publication>> {
        self.read().values().map(|live| live.publication.clone()).collect()
    }

    /// The publication of the present epoch.
    ///
    /// # Panics
    /// Never: a manifest has at least one epoch, and its last one is never over.
    pub fn present(&self) -> Arc<Publication> {
        self.publications().into_iter().next().expect("a manifest's last epoch is never over")
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<u32, Live>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }
}
