//! Sealed rows with their cursors, on disk: immutable runs in tag order, and for every dataset one file
//! that lists them beside the cursor.
//!
//! Rows come in tag order and are looked up in tag order, many at a time: a run is then written once and
//! read from the beginning to the end, which no tree of pages can do for less. `bench store` has both beside
//! redb in one run.
//!
//! Owns staging of snapshots and application of deltas. Cannot open a row: it holds no secrets. Below it
//! are `run` (one file of rows) and `run_writer`, `dataset` (a directory of them and its list), `delta`, `staging`, `lookups`
//! and, for other processes, `looking`.

mod dataset;
mod delta;
mod held;
mod looking;
mod lookups;
mod merged;
mod run;
mod run_writer;
mod staging;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use proto::{
    name::DatasetId, person_secret::LookupTag, schema::DatasetSchema, scope::Scope,
    sealed_row::SEAL_OVERHEAD,
};
use tokio::sync::watch;

use self::{
    dataset::{Dataset, on},
    delta::NONCE_LEN,
    held::{Contents, Meaning},
    run::TAG,
};
use crate::{
    disk::{Disk, LocalDisk},
    sync::VerifiedBatch,
};

pub use self::{
    held::Held,
    looking::{Checked, check, copy},
    lookups::{Lookups, RowReader},
    staging::Staging,
};

/// The store of one epoch.
#[derive(Clone)]
pub struct Rows(Arc<Inner>);

struct Inner {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    scope: Scope,
    datasets: Mutex<HashMap<DatasetId, Arc<Dataset>>>,
    damages: watch::Sender<()>,
    _lock: Box<dyn Send + Sync>,
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The disk is full or failing.
    #[error("the store of sealed rows: {}: {error}", path.display())]
    Disk {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another process has it open.
    #[error("another process holds {}: stop the other gateway first", .0.display())]
    Locked(PathBuf),
    /// Bytes that are not those that were written. Asking again mends it: everything is sent again.
    #[error("the sealed rows of {dataset} are not what was written: {what}")]
    Damaged {
        /// Whose rows.
        dataset: DatasetId,
        /// Which file, and what is wrong.
        what: String,
    },
    /// What arrived does not fit what is held by now; asking again mends it.
    #[error("another transfer of {0} came in between")]
    Overtaken(DatasetId),
}

/// Which rows a commit changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Possibly any.
    All,
    /// Those with these tags.
    Tags(Vec<LookupTag>),
}

type Result<T> = std::result::Result<T, RowsError>;

impl Rows {
    /// Opens or makes the store of one scope, and drops what a crash left unfinished.
    ///
    /// # Errors
    /// [`RowsError`], also where another process holds the directory.
    pub fn open(directory: &Path, scope: &Scope) -> Result<Self> {
        Self::open_on(Arc::new(LocalDisk), directory, scope)
    }

    pub(crate) fn open_on(disk: Arc<dyn Disk>, directory: &Path, scope: &Scope) -> Result<Self> {
        let failed = on(directory);
        disk.create_directory(directory).map_err(&failed)?;
        if let Some(above) = directory.parent() {
            disk.sync_directory(above).map_err(on(above))?;
        }
        let lock = directory.join("rows.lock");
        let held = disk.lock(&lock).map_err(on(&lock))?.ok_or(RowsError::Locked(lock))?;
        let damages = watch::Sender::new(());
        let mut datasets = HashMap::new();
        for name in disk.names(directory).map_err(&failed)? {
            // The lock's name is no dataset's.
            let Ok(id) = name.parse::<DatasetId>() else { continue };
            let place = directory.join(&name);
            let dataset = Dataset::open(disk.clone(), place, id.clone(), damages.clone())?;
            datasets.insert(id, Arc::new(dataset));
        }
        let datasets = Mutex::new(datasets);
        let (directory, scope) = (directory.to_owned(), scope.clone());
        Ok(Self(Arc::new(Inner { disk, directory, scope, datasets, damages, _lock: held })))
    }

    /// What is held of a dataset, as far as it was sealed in this scope and under this schema. Nothing
    /// once it was found to be damaged.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn held(&self, schema: &DatasetSchema) -> Result<Option<Held>> {
        let shown = self.dataset(&schema.dataset)?.shown();
        let undamaged = shown.contents.as_ref().filter(|_| shown.damage.is_none());
        Ok(undamaged.map(|contents| contents.held).filter(|held| self.means(held, schema)))
    }

    /// A view of a dataset's rows as they are now.
    ///
    /// # Errors
    /// [`RowsError::Damaged`] until a snapshot is in the place of what was found to be damaged.
    pub fn reader(&self, schema: &DatasetSchema) -> Result<RowReader> {
        let dataset = self.dataset(&schema.dataset)?;
        let shown = dataset.shown();
        if !shown.contents.as_ref().is_some_and(|contents| self.means(&contents.held, schema)) {
            return Ok(RowReader::nothing());
        }
        match shown.damage.clone() {
            Some(what) => Err(RowsError::Damaged { dataset: dataset.id.clone(), what }),
            None => Ok(RowReader::of(dataset, shown)),
        }
    }

    /// Datasets that were found to be damaged and are not whole again, and what is wrong.
    pub fn damaged(&self) -> Vec<(DatasetId, String)> {
        let datasets = self.0.datasets.lock().expect("nobody panics while holding the datasets");
        let damage = |dataset: &Arc<Dataset>| {
            dataset.shown().damage.clone().map(|what| (dataset.id.clone(), what))
        };
        datasets.values().filter_map(damage).collect()
    }

    /// Rings whenever something is found to be damaged.
    pub fn damages(&self) -> watch::Receiver<()> {
        self.0.damages.subscribe()
    }

    /// Begins a snapshot. One of the same dataset that was begun before can no longer be finished.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn stage(&self, schema: &DatasetSchema) -> Result<Staging> {
        let meaning = Meaning::of(&self.0.scope, schema);
        Staging::begin(self.dataset(&schema.dataset)?, meaning, width(schema))
    }

    /// Applies a delta and moves the cursor, in one commit.
    ///
    /// # Errors
    /// [`RowsError`]; then nothing changed.
    pub fn apply(&self, schema: &DatasetSchema, delta: &VerifiedBatch) -> Result<(Held, Changed)> {
        let header = delta.header();
        let dataset = self.dataset(&header.dataset)?;
        let mut writing = dataset.lock_writing();
        let shown = dataset.shown();
        let before = shown.contents.as_ref().map(|contents| contents.held).filter(|held| {
            let continues = header.from.is_some_and(|from| from == held.cursor);
            continues && shown.damage.is_none() && self.means(held, schema)
        });
        let before = before.ok_or_else(|| RowsError::Overtaken(header.dataset.clone()))?;
        let applied = delta::apply((&dataset, &shown), &mut writing, (delta, width(schema)));
        let applied = applied.map_err(|error| {
            dataset.clear(&writing);
            match error {
                RowsError::Damaged { what, .. } => dataset.damaged(&shown, what),
                error => error,
            }
        })?;
        let held = Held { cursor: header.to, as_of: header.as_of, rows: applied.rows, ..before };
        dataset.commit(&mut writing, Contents { held, runs: applied.runs }, applied.new)?;
        Ok((held, Changed::Tags(applied.changed)))
    }

    fn means(&self, held: &Held, schema: &DatasetSchema) -> bool {
        held.meaning == Meaning::of(&self.0.scope, schema)
    }

    fn dataset(&self, id: &DatasetId) -> Result<Arc<Dataset>> {
        let mut datasets =
            self.0.datasets.lock().expect("nobody panics while holding the datasets");
        if let Some(dataset) = datasets.get(id) {
            return Ok(dataset.clone());
        }
        let place = self.0.directory.join(id.as_str());
        let dataset =
            Dataset::open(self.0.disk.clone(), place, id.clone(), self.0.damages.clone())?;
        let dataset = Arc::new(dataset);
        datasets.insert(id.clone(), dataset.clone());
        Ok(dataset)
    }
}

/// Bytes of a row in a run: tag, nonce and ciphertext.
fn width(schema: &DatasetSchema) -> usize {
    TAG + NONCE_LEN + schema.row_size() + SEAL_OVERHEAD
}
