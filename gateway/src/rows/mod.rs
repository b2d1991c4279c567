//! Sealed rows with their cursors, on disk (redb): one commit moves both.
//!
//! Owns staging of snapshots and application of deltas. Cannot open a row: it holds no secrets.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use proto::{
    group, name::DatasetId, person_secret::LookupTag, schema::DatasetSchema, scope::Scope, wire,
};
use redb::{
    Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition, TableHandle,
};

use crate::{
    held::Meaning,
    row_file::{RowFile, durable},
    sync::VerifiedBatch,
};

pub use crate::held::Held;

/// Dataset to [`Held`], encoded.
const HELD: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("held");

/// The store.
#[derive(Clone)]
pub struct Rows {
    file: Arc<RowFile>,
    scope: Scope,
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The disk is full or failing.
    #[error("the store of sealed rows: {0}")]
    Engine(#[from] redb::Error),
    /// Bytes that we did not write.
    #[error(
        "the store of sealed rows says of {0} what we did not write: move the file away, and \
         everything in it is sent again"
    )]
    Foreign(String),
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

/// A snapshot being written where no reader looks.
pub struct Staging {
    rows: Rows,
    dataset: DatasetId,
    meaning: Meaning,
    generation: u64,
    ticket: u64,
}

/// One dataset's rows at one moment.
pub struct RowReader {
    as_of: Option<Timestamp>,
    table: Option<ReadOnlyTable<&'static [u8; 16], &'static [u8]>>,
}

type Result<T> = std::result::Result<T, RowsError>;

fn table(name: &str) -> TableDefinition<'_, &'static [u8; 16], &'static [u8]> {
    TableDefinition::new(name)
}

fn table_name(dataset: &DatasetId, generation: u64) -> String {
    format!("rows {dataset} {generation}")
}

macro_rules! store {
    ($result:expr) => {
        $result.map_err(|error| RowsError::Engine(error.into()))
    };
}

impl Rows {
    /// Opens or makes the store of one scope, and drops snapshots that a crash left unfinished.
    ///
    /// # Errors
    /// [`RowsError`], also where another process holds the file.
    pub fn open(path: &Path, scope: &Scope) -> Result<Self> {
        let rows = Self { file: Arc::new(RowFile::create(path)?), scope: scope.clone() };
        rows.file.with(|database| {
            let write = durable(database)?;
            let mut live = vec!["held".to_owned()];
            for entry in store!(store!(write.open_table(HELD))?.iter())? {
                let (dataset, bytes) = store!(entry)?;
                let foreign = || RowsError::Foreign(dataset.value().to_owned());
                let held = Held::decode(bytes.value()).ok_or_else(foreign)?;
                let dataset = dataset.value().parse().map_err(|_| foreign())?;
                live.push(table_name(&dataset, held.generation));
            }
            let tables: Vec<_> = store!(write.list_tables())?.collect();
            for orphan in tables {
                if !live.iter().any(|name| name == orphan.name()) {
                    store!(write.delete_table(orphan))?;
                }
            }
            store!(write.commit())
        })?;
        Ok(rows)
    }

    /// What is held of a dataset, as far as it was sealed in this scope and under this schema.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn held(&self, schema: &DatasetSchema) -> Result<Option<Held>> {
        let held = self.file.with(|database| {
            let read = store!(database.begin_read())?;
            look_up(&store!(read.open_table(HELD))?, &schema.dataset)
        })?;
        let meaning = Meaning::of(&self.scope, schema);
        Ok(held.filter(|held| held.meaning == meaning))
    }

    /// A view of a dataset's rows as they are now.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn reader(&self, schema: &DatasetSchema) -> Result<RowReader> {
        let meaning = Meaning::of(&self.scope, schema);
        self.file.with(|database| {
            let read = store!(database.begin_read())?;
            let held = look_up(&store!(read.open_table(HELD))?, &schema.dataset)?;
            let Some(held) = held.filter(|held| held.meaning == meaning) else {
                return Ok(RowReader::nothing());
            };
            let name = table_name(&schema.dataset, held.generation);
            let table = store!(read.open_table(table(&name)))?;
            Ok(RowReader { as_of: Some(held.as_of), table: Some(table) })
        })
    }

    /// Begins a snapshot. One of the same dataset that was begun before can no longer be finished.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn stage(&self, schema: &DatasetSchema) -> Result<Staging> {
        let dataset = schema.dataset.clone();
        self.file.with(|database| {
            let write = durable(database)?;
            let held = look_up(&store!(write.open_table(HELD))?, &dataset)?;
            let generation = held.map_or(1, |held| held.generation + 1);
            let name = table_name(&dataset, generation);
            store!(write.delete_table(table(&name)))?;
            store!(write.open_table(table(&name)))?;
            // Before the commit: an older transfer's frame waits for it, and is then refused.
            let ticket = self.file.begin_snapshot(&dataset);
            store!(write.commit())?;
            let meaning = Meaning::of(&self.scope, schema);
            Ok(Staging { rows: self.clone(), dataset, meaning, generation, ticket })
        })
    }

    /// Applies a delta and moves the cursor, in one commit.
    ///
    /// # Errors
    /// [`RowsError`]; then nothing changed.
    pub fn apply(&self, schema: &DatasetSchema, delta: &VerifiedBatch) -> Result<(Held, Changed)> {
        let meaning = Meaning::of(&self.scope, schema);
        self.file.with(|database| {
            let header = delta.header();
            let write = durable(database)?;
            let before = look_up(&store!(write.open_table(HELD))?, &header.dataset)?;
            let continues = |held: &Held| {
                held.meaning == meaning && header.from.is_some_and(|from| from == held.cursor)
            };
            let before = before.filter(continues);
            let before = before.ok_or_else(|| RowsError::Overtaken(header.dataset.clone()))?;
            let mut held = Held { cursor: header.to, as_of: header.as_of, ..before };
            let mut changed = vec![];
            {
                let name = table_name(&header.dataset, held.generation);
                let mut rows = store!(write.open_table(table(&name)))?;
                for frame in delta.frames() {
                    for (tag, row) in sealed_rows(frame) {
                        store!(rows.insert(tag, row.as_slice()))?;
                        changed.push(LookupTag(*tag));
                    }
                    for tag in group::tags(&frame.deleted_tags) {
                        store!(rows.remove(&tag.0))?;
                        changed.push(tag);
                    }
                }
                held.rows = store!(rows.len())?;
                let mut table = store!(write.open_table(HELD))?;
                store!(table.insert(header.dataset.as_str(), held.encode().as_slice()))?;
            }
            store!(write.commit())?;
            Ok((held, Changed::Tags(changed)))
        })
    }
}

fn look_up(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
    dataset: &DatasetId,
) -> Result<Option<Held>> {
    let bytes = store!(table.get(dataset.as_str()))?;
    let foreign = || RowsError::Foreign(dataset.to_string());
    bytes.map(|bytes| Held::decode(bytes.value()).ok_or_else(foreign)).transpose()
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

    /// Asked inside a transaction, of which there is one at a time.
    fn is_current(&self) -> Result<()> {
        if self.rows.file.is_staged(&self.dataset, self.ticket) {
            Ok(())
        } else {
            Err(RowsError::Overtaken(self.dataset.clone()))
        }
    }

    /// Writes a checked frame. Not durable on its own: until [`Staging::commit`] nothing counts.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn append(&self, frame: &wire::SealedRowColumns) -> Result<()> {
        self.rows.file.with(|database| {
            let mut write = store!(database.begin_write())?;
            store!(write.set_durability(Durability::None))?;
            self.is_current()?;
            {
                let mut rows = store!(write.open_table(table(&self.name())))?;
                for (tag, row) in sealed_rows(frame) {
                    store!(rows.insert(tag, row.as_slice()))?;
                }
            }
            store!(write.commit())
        })
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
            rows: snapshot.counts().0,
            generation: self.generation,
            meaning: self.meaning,
        };
        self.rows.file.with(|database| {
            let write = durable(database)?;
            self.is_current()?;
            // A row that was lost on the way to the disk would read as "not listed".
            if store!(store!(write.open_table(table(&self.name())))?.len())? != held.rows {
                return Err(RowsError::Overtaken(self.dataset.clone()));
            }
            let old = {
                let mut table = store!(write.open_table(HELD))?;
                let old = look_up(&table, &self.dataset)?;
                store!(table.insert(self.dataset.as_str(), held.encode().as_slice()))?;
                old
            };
            if let Some(old) = old {
                store!(write.delete_table(table(&table_name(&self.dataset, old.generation))))?;
            }
            store!(write.commit())
        })?;
        Ok((held, Changed::All))
    }
}

impl RowReader {
    /// A view of no rows.
    pub fn nothing() -> Self {
        Self { as_of: None, table: None }
    }

    /// When the rows' source was last read; absent where none are held.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.as_of
    }

    /// `nonce || ciphertext` of a row, or nothing where the dataset has none under this tag.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn get(&self, tag: LookupTag) -> Result<Option<Vec<u8>>> {
        let Some(table) = &self.table else { return Ok(None) };
        let row = store!(table.get(&tag.0))?;
        Ok(row.map(|row| row.value().to_vec()))
    }
}
