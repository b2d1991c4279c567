//! What the gateway has of a live epoch, and which epochs are live: the one in force, and the one
//! that follows while an epoch change is under way.
//!
//! Read by the services. `epoch_change` decides what stands here.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use proto::manifest::Manifest;

use crate::{
    epoch_progress::DatasetProgress,
    grants::Grants,
    intake::Intake,
    rows::{Rows, RowsError},
    status::StatusBoard,
};

/// One epoch: handles that may be cloned.
#[derive(Clone)]
pub struct Epoch {
    /// The federation, in this epoch.
    pub manifest: Manifest,
    /// Its sealed rows.
    pub rows: Rows,
    /// What people are shown of it.
    pub status: Arc<StatusBoard>,
    /// Its grants on their way.
    pub grants: Arc<Grants>,
    /// How much may be on its way into its base.
    pub intake: Arc<Intake>,
}

/// The live epochs at this moment.
pub struct LiveEpochs(Mutex<Live>);

/// Which they are.
#[derive(Clone)]
pub struct Live {
    /// The one in force.
    pub present: Epoch,
    /// The one that follows.
    pub next: Option<NextEpoch>,
}

/// The epoch that follows, and how far that has come.
#[derive(Clone)]
pub struct NextEpoch {
    /// The epoch.
    pub epoch: Epoch,
    /// Every dataset in it.
    pub datasets: Vec<DatasetProgress>,
    /// Agencies that have not said who their people are in it, and why.
    pub waiting_for: Vec<String>,
}

impl NextEpoch {
    /// Nothing is known of it yet.
    pub fn new(epoch: Epoch) -> Self {
        Self { epoch, datasets: vec![], waiting_for: vec![] }
    }
}

impl Epoch {
    /// Opens or makes the epoch's store of sealed rows.
    ///
    /// # Errors
    /// [`RowsError`], also where another process holds the directory.
    pub fn open(data_dir: &Path, manifest: Manifest) -> Result<Self, RowsError> {
        let rows = Rows::open(&rows_directory(data_dir, manifest.scope.epoch), &manifest.scope)?;
        let status = Arc::<StatusBoard>::default();
        for (dataset, problem) in rows.damaged() {
            status.dataset(&dataset, |line| line.problem = problem);
        }
        let (grants, intake) = (Arc::default(), Arc::default());
        Ok(Self { manifest, rows, status, grants, intake })
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.manifest.scope.epoch
    }
}

/// Where an epoch's sealed rows are.
pub fn rows_directory(data_dir: &Path, epoch: u32) -> PathBuf {
    data_dir.join(format!("rows-{epoch}"))
}

impl LiveEpochs {
    /// With one epoch.
    pub fn new(present: Epoch) -> Self {
        Self(Mutex::new(Live { present, next: None }))
    }

    /// All of them.
    pub fn live(&self) -> Live {
        self.lock().clone()
    }

    /// The one in force.
    pub fn present(&self) -> Epoch {
        self.lock().present.clone()
    }

    /// Replaces all of them.
    pub(crate) fn show(&self, present: Epoch, next: Option<NextEpoch>) {
        *self.lock() = Live { present, next };
    }

    /// Changes what is known of the one that follows.
    pub(crate) fn follow(&self, change: impl FnOnce(&mut NextEpoch)) {
        if let Some(next) = &mut self.lock().next {
            change(next);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.0.lock().expect("nobody panics while reading the live epochs")
    }
}
