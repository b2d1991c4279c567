//! Sealed rows with their cursors, on disk (redb): one commit moves both.
//!
//! Owns staging of snapshots and application of deltas. Cannot open a row: it holds no secrets.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use proto::{cursor::Cursor, group, name::DatasetId, person_secret::LookupTag, wire};
use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition, TableError};

use crate::sync::VerifiedBatch;

/// Dataset to [`Held`], encoded.
const HELD: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("held");

/// The store.
#[derive(Clone)]
pub struct Rows(Arc<Store>);

/// The engine refuses everything after one write that failed. So that a disk that was full does not
/// need a restart, the file is then let go, and opened again for whoever comes next.
struct Store {
    path: PathBuf,
    database: Mutex<Option<Arc<Database>>>,
}

/// What the store holds of one dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The version.
    pub cursor: Cursor,
    /// When the source was last read without error.
    pub as_of: Timestamp,
    /// How many rows.
    pub rows: u64,
    /// Which table has them: a snapshot is written beside the old rows.
    generation: u64,
}

/// The disk is full or failing. Reads go on.
#[derive(Debug, thiserror::Error)]
#[error("the store of sealed rows: {0}")]
pub struct RowsError(#[from] redb::Error);

/// Which rows a commit changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Possibly any.
    All,
    /// Those with these tags.
    Tags(Vec<LookupTag>),
}

/// A snapshot being written where no reader looks.
pub struct Staging {
    rows: Rows,
    /// The one that was begun with: what was staged is nowhere else.
    database: Arc<Database>,
    dataset: DatasetId,
    generation: u64,
}

/// One dataset's rows at one moment.
pub struct RowReader(Option<ReadOnlyTable<&'static [u8; 16], &'static [u8]>>);

type Result<T> = std::result::Result<T, RowsError>;

fn table(name: &str) -> TableDefinition<'_, &'static [u8; 16], &'static [u8]> {
    TableDefinition::new(name)
}

fn table_name(dataset: &DatasetId, generation: u64) -> String {
    format!("rows {dataset} {generation}")
}

macro_rules! store {
    ($result:expr) => {
        $result.map_err(|error| RowsError(error.into()))
    };
}

impl Rows {
    /// Opens or makes the store, and drops snapshots that a crash left unfinished.
    ///
    /// # Errors
    /// [`RowsError`], also where another process holds the file.
    pub fn open(path: &Path) -> Result<Self> {
        let database = Mutex::new(Some(Arc::new(open(path)?)));
        Ok(Self(Arc::new(Store { path: path.to_owned(), database })))
    }

    /// Works on the open file, or on one that is opened for it.
    fn with<T>(&self, work: impl Fn(&Arc<Database>) -> Result<T>) -> Result<T> {
        let database = self.database()?;
        let result = work(&database).inspect_err(|_| self.let_go(&database));
        match result {
            // Another's failure: nothing was tried yet.
            Err(RowsError(redb::Error::PreviousIo)) => {
                drop(database);
                let database = self.database()?;
                work(&database).inspect_err(|_| self.let_go(&database))
            }
            result => result,
        }
    }

    fn database(&self) -> Result<Arc<Database>> {
        let mut open_file = self.0.database.lock().expect("nobody panics while opening the store");
        match &*open_file {
            Some(database) => Ok(database.clone()),
            None => {
                let database = Arc::new(open(&self.0.path)?);
                tracing::info!("the store of sealed rows was opened again");
                Ok(open_file.insert(database).clone())
            }
        }
    }

    fn let_go(&self, failed: &Arc<Database>) {
        let mut open_file = self.0.database.lock().expect("nobody panics while opening the store");
        if open_file.as_ref().is_some_and(|database| Arc::ptr_eq(database, failed)) {
            *open_file = None;
        }
    }

    /// What is held of a dataset.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn held(&self, dataset: &DatasetId) -> Result<Option<Held>> {
        self.with(|database| held(database, dataset))
    }

    /// A view of a dataset's rows as they are now.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn reader(&self, dataset: &DatasetId) -> Result<RowReader> {
        self.with(|database| reader(database, dataset))
    }

    /// Begins a snapshot.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn stage(&self, dataset: &DatasetId) -> Result<Staging> {
        self.with(|database| {
            let generation = held(database, dataset)?.map_or(1, |held| held.generation + 1);
            let (rows, database, dataset) = (self.clone(), database.clone(), dataset.clone());
            let staging = Staging { rows, database, dataset, generation };
            let write = store!(staging.database.begin_write())?;
            store!(write.delete_table(table(&staging.name())))?;
            store!(write.open_table(table(&staging.name())))?;
            store!(write.commit())?;
            Ok(staging)
        })
    }

    /// Applies a delta and moves the cursor, in one commit.
    ///
    /// # Errors
    /// [`RowsError`]; then nothing changed.
    pub fn apply(&self, delta: &VerifiedBatch) -> Result<(Held, Changed)> {
        self.with(|database| apply(database, delta))
    }
}

/// Opens or makes the file, and drops what nobody refers to.
fn open(path: &Path) -> Result<Database> {
    let database = store!(Database::create(path))?;
    let write = store!(database.begin_write())?;
    {
        let held = store!(write.open_table(HELD))?;
        let mut live = vec!["held".to_owned()];
        for entry in store!(redb::ReadableTable::iter(&held))? {
            let (dataset, bytes) = store!(entry)?;
            let held = Held::decode(bytes.value());
            if let (Ok(dataset), Some(held)) = (dataset.value().parse(), held) {
                live.push(table_name(&dataset, held.generation));
            }
        }
        let tables: Vec<_> = store!(write.list_tables())?.collect();
        for orphan in tables {
            use redb::TableHandle;
            if !live.iter().any(|name| name == orphan.name()) {
                store!(write.delete_table(orphan))?;
            }
        }
    }
    store!(write.commit())?;
    Ok(database)
}

fn held(database: &Database, dataset: &DatasetId) -> Result<Option<Held>> {
    let read = store!(database.begin_read())?;
    let held = store!(read.open_table(HELD))?;
    let bytes = store!(redb::ReadableTable::get(&held, dataset.as_str()))?;
    Ok(bytes.and_then(|bytes| Held::decode(bytes.value())))
}

fn reader(database: &Database, dataset: &DatasetId) -> Result<RowReader> {
    let Some(held) = held(database, dataset)? else { return Ok(RowReader(None)) };
    let read = store!(database.begin_read())?;
    match read.open_table(table(&table_name(dataset, held.generation))) {
        Ok(table) => Ok(RowReader(Some(table))),
        // A snapshot was committed in between: what it holds is newer still.
        Err(TableError::TableDoesNotExist(_)) => reader(database, dataset),
        Err(error) => Err(RowsError(error.into())),
    }
}

/// Applies a delta and moves the cursor, in one commit.
fn apply(database: &Database, delta: &VerifiedBatch) -> Result<(Held, Changed)> {
    let header = delta.header();
    let mut changed = vec![];
    let write = store!(database.begin_write())?;
    let before = {
        let held = store!(write.open_table(HELD))?;
        let bytes = store!(redb::ReadableTable::get(&held, header.dataset.as_str()))?;
        bytes.and_then(|bytes| Held::decode(bytes.value()))
    };
    let before = before.ok_or_else(|| missing(&header.dataset))?;
    let mut held = Held { cursor: header.to, as_of: header.as_of, ..before };
    {
        let name = table_name(&header.dataset, held.generation);
        let mut rows = store!(write.open_table(table(&name)))?;
        for frame in delta.frames() {
            for (tag, row) in sealed_rows(frame) {
                if store!(rows.insert(tag, row.as_slice()))?.is_none() {
                    held.rows += 1;
                }
                changed.push(LookupTag(*tag));
            }
            for tag in group::tags(&frame.deleted_tags) {
                if store!(rows.remove(&tag.0))?.is_some() {
                    held.rows = held.rows.saturating_sub(1);
                }
                changed.push(tag);
            }
        }
        let mut table = store!(write.open_table(HELD))?;
        store!(table.insert(header.dataset.as_str(), held.encode().as_slice()))?;
    }
    store!(write.commit())?;
    Ok((held, Changed::Tags(changed)))
}

fn missing(dataset: &DatasetId) -> RowsError {
    let text = format!("a delta of {dataset} arrived before any snapshot");
    RowsError(redb::Error::Corrupted(text))
}

/// Key and value of every row in a frame of checked shape.
fn sealed_rows(frame: &wire::SealedRowColumns) -> impl Iterator<Item = (&[u8; 16], Vec<u8>)> {
    let tags = frame.tags.as_chunks::<16>().0;
    let nonces = frame.nonces.as_chunks::<12>().0;
    let width = frame.ciphertexts.len().checked_div(tags.len()).unwrap_or(1).max(1);
    let ciphertexts = frame.ciphertexts.chunks_exact(width);
    tags.iter()
        .zip(nonces.iter().zip(ciphertexts))
        .map(|(tag, (nonce, ciphertext))| (tag, [nonce.as_slice(), ciphertext].concat()))
}

impl Staging {
    fn name(&self) -> String {
        table_name(&self.dataset, self.generation)
    }

    /// Writes a checked frame. Not durable on its own: until [`Staging::commit`] nothing counts.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn append(&self, frame: &wire::SealedRowColumns) -> Result<()> {
        let append = || {
            let mut write = store!(self.database.begin_write())?;
            store!(write.set_durability(Durability::None))?;
            {
                let mut rows = store!(write.open_table(table(&self.name())))?;
                for (tag, row) in sealed_rows(frame) {
                    store!(rows.insert(tag, row.as_slice()))?;
                }
            }
            store!(write.commit())
        };
        append().inspect_err(|_| self.rows.let_go(&self.database))
    }

    /// Puts the snapshot in the old rows' place and moves the cursor, in one commit.
    ///
    /// # Errors
    /// [`RowsError`]; then the old rows stay.
    pub fn commit(self, snapshot: &VerifiedBatch) -> Result<(Held, Changed)> {
        let header = snapshot.header();
        let held = Held {
            cursor: header.to,
            as_of: header.as_of,
            rows: snapshot.upserted(),
            generation: self.generation,
        };
        self.replace(&held).inspect_err(|_| self.rows.let_go(&self.database))?;
        Ok((held, Changed::All))
    }

    fn replace(&self, held: &Held) -> Result<()> {
        let write = store!(self.database.begin_write())?;
        {
            let mut table = store!(write.open_table(HELD))?;
            store!(table.insert(self.dataset.as_str(), held.encode().as_slice()))?;
        }
        if let Some(old) = self.generation.checked_sub(1) {
            store!(write.delete_table(table(&table_name(&self.dataset, old))))?;
        }
        store!(write.commit())
    }
}

impl RowReader {
    /// `nonce || ciphertext` of a row, or nothing where the dataset has none under this tag.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn get(&self, tag: LookupTag) -> Result<Option<Vec<u8>>> {
        let Some(table) = &self.0 else { return Ok(None) };
        let row = store!(redb::ReadableTable::get(table, &tag.0))?;
        Ok(row.map(|row| row.value().to_vec()))
    }
}

impl Held {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.cursor.log.to_vec();
        bytes.extend_from_slice(&self.cursor.version.to_be_bytes());
        bytes.extend_from_slice(&self.as_of.as_second().to_be_bytes());
        bytes.extend_from_slice(&self.rows.to_be_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (log, rest) = bytes.split_first_chunk::<16>()?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (numbers, []) = rest.as_chunks::<8>() else { return None };
        let [as_of, rows, generation] = *numbers else { return None };
        Some(Self {
            cursor: Cursor { log: *log, version: u32::from_be_bytes(*version) },
            as_of: Timestamp::from_second(i64::from_be_bytes(as_of)).ok()?,
            rows: u64::from_be_bytes(rows),
            generation: u64::from_be_bytes(generation),
        })
    }
}
