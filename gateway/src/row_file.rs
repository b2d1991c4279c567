//! The file of sealed rows: opened, and opened again once a disk that failed may be well.
//!
//! An engine that met a failing disk refuses everything from then on, reads included, until its
//! file is closed and opened. What the file holds is `rows`' business.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use proto::name::DatasetId;
use redb::{Database, WriteTransaction};

use crate::rows::RowsError;

type Result<T> = std::result::Result<T, RowsError>;

/// The file.
pub(crate) struct RowFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    database: Option<Arc<Database>>,
    /// The snapshot that may be staged, by dataset.
    staged: HashMap<DatasetId, u64>,
    tickets: u64,
}

impl RowFile {
    /// Opens the file, or makes it.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let database = Some(Arc::new(Database::create(path).map_err(redb::Error::from)?));
        let state = State { database, staged: HashMap::new(), tickets: 0 };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// Works with the open file; closes it where the disk failed, so that the next try opens it.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T>) -> Result<T> {
        let database = self.database()?;
        let result = work(&database);
        if let Err(RowsError::Engine(redb::Error::Io(_) | redb::Error::PreviousIo)) = &result {
            let mut state = self.lock();
            if state.database.as_ref().is_some_and(|open| Arc::ptr_eq(open, &database)) {
                state.database = None;
                // Frames of a snapshot are not durable: some of them may be gone.
                state.staged.clear();
            }
        }
        result
    }

    /// Begins a snapshot of a dataset; any other of the same dataset may not go on.
    pub(crate) fn begin_snapshot(&self, dataset: &DatasetId) -> u64 {
        let mut state = self.lock();
        state.tickets += 1;
        let ticket = state.tickets;
        state.staged.insert(dataset.clone(), ticket);
        ticket
    }

    /// Whether a snapshot may go on.
    pub(crate) fn is_staged(&self, dataset: &DatasetId, ticket: u64) -> bool {
        self.lock().staged.get(dataset) == Some(&ticket)
    }

    fn database(&self) -> Result<Arc<Database>> {
        let mut state = self.lock();
        if let Some(open) = &state.database {
            return Ok(open.clone());
        }
        let database = Arc::new(Database::open(&self.path).map_err(redb::Error::from)?);
        state.database = Some(database.clone());
        Ok(database)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the file")
    }
}

/// A transaction whose commit survives a crash, and after which a crash costs no walk through the
/// whole file.
pub(crate) fn durable(database: &Database) -> Result<WriteTransaction> {
    let mut write = database.begin_write().map_err(redb::Error::from)?;
    write.set_quick_repair(true);
    Ok(write)
}
