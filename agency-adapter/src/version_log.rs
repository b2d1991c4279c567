//! The sealed rows of all cross-check datasets and the changes between their last versions, in one
//! redb file.
//!
//! One write transaction a load: a reader sees a whole version, and a crash leaves the last one.
//! Reading for the gateway is in `version_reading`.

use std::path::Path;

use jiff::Timestamp;
use proto::{name::DatasetId, sealed_row::RowNonce};
use redb::{ReadTransaction, Table, TableDefinition, WriteTransaction};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{
    parallel,
    sealing::{Keyed, Sealing},
    store_file::{Lost, StoreFile},
    store_origin::end_copied_logs,
    version_head::{Head, head, put_head},
};

const MEMORY: usize = 256 << 20;
/// Rows in memory at a time, sealed on all processors.
const BATCH: usize = 16 << 10;

/// Tag to nonce and ciphertext.
pub(crate) type RowsTable<'n> = TableDefinition<'n, &'static [u8; 16], &'static [u8]>;
/// Version and tag of every row that was made, changed or deleted in it.
pub(crate) type ChangesTable<'n> = TableDefinition<'n, (u32, &'static [u8; 16]), ()>;

/// The store.
pub struct VersionLog {
    pub(crate) file: StoreFile,
}

/// Why the store cannot be used. Ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("the version store is held by a running `agency-adapter serve`")]
    Held,
    /// A disk is full or failing, or the file is damaged.
    #[error(
        "the version store failed: {0}. If the disk is full, make room; if the file is damaged, stop \
         the adapter, delete versions-*.redb in its state directory and start it again"
    )]
    Failed(Box<redb::Error>),
    /// The operating system gave no random numbers.
    #[error("the operating system has no random numbers")]
    Random,
}

impl VersionLog {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = StoreFile::open(path, MEMORY)?;
        if end_copied_logs(&file, path)? {
            tracing::warn!("the version store was restored from a copy: every log begins anew");
        }
        Ok(Self { file })
    }

    /// A dataset's head, if it was ever published.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn head(&self, dataset: &DatasetId) -> Result<Option<Head>, StoreError> {
        Ok(self.file.read(|read| head(&read, dataset))?)
    }

    /// Takes over a load. Rows that did not change keep their sealing; where none changed, only the
    /// time advances. Rows of another fingerprint are dropped and a new log begins.
    ///
    /// # Errors
    /// [`StoreError`]; the last version stays.
    pub fn publish(&self, sealing: &Sealing<'_>, as_of: Timestamp) -> Result<Head, StoreError> {
        self.file.write(|write| {
            let read = self.file.read(Ok)?;
            take_over((write, &read), sealing, as_of)
        })
    }
}

/// The next version, committed.
fn take_over(
    (write, read): (WriteTransaction, &ReadTransaction),
    sealing: &Sealing<'_>,
    as_of: Timestamp,
) -> Result<Head, StoreError> {
    let old = head(read, sealing.dataset)?;
    let old = old.filter(|old| old.fingerprint == sealing.fingerprint);
    let log = match &old {
        Some(old) => old.log,
        None => {
            drop_tables(&write, sealing.dataset)?;
            random::<16>()?
        }
    };
    let next = old.as_ref().map_or(1, |old| old.version + 1);
    let changed = Update { sealing, write: &write, version: next }.run(read, old.is_some())?;
    let version = match &old {
        Some(old) if !changed => old.version,
        _ => next,
    };
    let head = Head {
        fingerprint: sealing.fingerprint,
        log,
        version,
        as_of,
        row_size: sealing.row_size,
        rows: sealing.keyed.len() as u64,
    };
    if changed {
        forget_changes(&write, sealing.dataset, head.kept_since())?;
    }
    put_head(&write, sealing.dataset, &head)?;
    write.commit().map_err(redb::Error::from)?;
    Ok(head)
}

/// One load on its way into the store.
struct Update<'u> {
    sealing: &'u Sealing<'u>,
    write: &'u WriteTransaction,
    version: u32,
}

impl Update<'_> {
    /// Walks old rows and new ones side by side; says whether anything changed.
    fn run(&self, read: &ReadTransaction, continues: bool) -> Result<bool, StoreError> {
        let (rows_name, changes_name) = table_names(self.sealing.dataset);
        let rows_table = RowsTable::new(&rows_name);
        let mut rows = self.write.open_table(rows_table).map_err(redb::Error::from)?;
        let mut changes =
            self.write.open_table(ChangesTable::new(&changes_name)).map_err(redb::Error::from)?;
        let old = continues
            .then(|| read.open_table(rows_table))
            .transpose()
            .map_err(redb::Error::from)?;
        let mut old = match &old {
            Some(old) => Some(old.range::<&[u8; 16]>(..).map_err(redb::Error::from)?.peekable()),
            None => None,
        };
        let mut changed = false;
        let mut note = |tag: &[u8; 16]| -> Result<(), redb::Error> {
            changed = true;
            if continues {
                changes.insert((self.version, tag), ())?;
            }
            Ok(())
        };
        for batch in self.sealing.keyed.chunks(BATCH) {
            let mut stored = Vec::with_capacity(batch.len());
            for keyed in batch {
                stored.push(match &mut old {
                    Some(old) => take_until(old, keyed, &mut rows, &mut note)?,
                    None => None,
                });
            }
            for (keyed, sealed) in batch.iter().zip(self.seal(batch, &stored)?) {
                if let Some(sealed) = sealed {
                    rows.insert(&keyed.tag.0, sealed.as_slice()).map_err(redb::Error::from)?;
                    note(&keyed.tag.0)?;
                }
            }
        }
        for entry in old.into_iter().flatten() {
            let (tag, _) = entry.map_err(redb::Error::from)?;
            rows.remove(tag.value()).map_err(redb::Error::from)?;
            note(tag.value())?;
        }
        Ok(changed)
    }

    fn seal(
        &self,
        batch: &[Keyed],
        stored: &[Option<Vec<u8>>],
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut random = vec![0; 8 * batch.len()];
        SystemRandom::new().fill(&mut random).map_err(|_| StoreError::Random)?;
        let nonces = random.as_chunks::<8>().0.iter().map(|&r| RowNonce::new(self.version, r));
        let items: Vec<_> = batch.iter().zip(stored).zip(nonces).collect();
        Ok(parallel::map(&items, |((keyed, stored), nonce)| {
            self.sealing.changed(keyed, stored.as_deref(), *nonce)
        }))
    }
}

/// Deletes the old rows before `keyed`, and returns the one of the same tag.
fn take_until(
    old: &mut std::iter::Peekable<redb::Range<'_, &'static [u8; 16], &'static [u8]>>,
    keyed: &Keyed,
    rows: &mut Table<'_, &'static [u8; 16], &'static [u8]>,
    note: &mut dyn FnMut(&[u8; 16]) -> Result<(), redb::Error>,
) -> Result<Option<Vec<u8>>, StoreError> {
    loop {
        let not_after = old.next_if(|entry| match entry {
            Ok((tag, _)) => *tag.value() <= keyed.tag.0,
            Err(_) => true,
        });
        let Some(entry) = not_after else { return Ok(None) };
        let (tag, row) = entry.map_err(redb::Error::from)?;
        if *tag.value() == keyed.tag.0 {
            return Ok(Some(row.value().to_vec()));
        }
        rows.remove(tag.value()).map_err(redb::Error::from)?;
        note(tag.value())?;
    }
}

pub(crate) fn table_names(dataset: &DatasetId) -> (String, String) {
    (format!("rows/{dataset}"), format!("changes/{dataset}"))
}

fn drop_tables(write: &WriteTransaction, dataset: &DatasetId) -> Result<(), redb::Error> {
    let (rows, changes) = table_names(dataset);
    write.delete_table(RowsTable::new(&rows))?;
    write.delete_table(ChangesTable::new(&changes))?;
    Ok(())
}

/// Drops the changes that led to `kept_since` and to versions before it.
fn forget_changes(
    write: &WriteTransaction,
    dataset: &DatasetId,
    kept_since: u32,
) -> Result<(), redb::Error> {
    let (_, changes) = table_names(dataset);
    let mut changes = write.open_table(ChangesTable::new(&changes))?;
    changes.retain_in((0, &[0; 16])..(kept_since + 1, &[0; 16]), |_, ()| false)?;
    Ok(())
}

/// Random bytes from the operating system.
///
/// # Errors
/// [`StoreError::Random`].
pub fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| StoreError::Random)?;
    Ok(bytes)
}

impl Lost for StoreError {
    fn is_lost(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_lost())
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::Held,
            error => Self::Failed(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod crash;
#[cfg(test)]
mod tests;
