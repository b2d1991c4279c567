//! The sealed rows of all cross-check datasets and the changes between their last versions, in one
//! redb file.
//!
//! One write transaction a load: a reader sees a whole version, and a crash leaves the last one.
//! Reading for the gateway is in `version_reading`.

use std::path::Path;

use jiff::Timestamp;
use proto::{name::DatasetId, sealed_row::RowNonce};
use redb::{Database, ReadTransaction, ReadableDatabase, Table, TableDefinition, WriteTransaction};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{
    parallel,
    sealing::{Keyed, Sealing},
    store_origin::end_copied_logs,
    version_head::{Head, head, put_head},
};

const CACHE: usize = 256 << 20;
/// Rows in memory at a time, sealed on all processors.
const BATCH: usize = 16 << 10;

/// Tag to nonce and ciphertext.
pub(crate) type RowsTable<'n> = TableDefinition<'n, &'static [u8; 16], &'static [u8]>;
/// Version and tag of every row that was made, changed or deleted in it.
pub(crate) type ChangesTable<'n> = TableDefinition<'n, (u32, &'static [u8; 16]), ()>;

/// The store.
pub struct VersionLog {
    pub(crate) database: Database,
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
        let database = Database::builder().set_cache_size(CACHE).create(path);
        let database = database.map_err(redb::Error::from)?;
        if end_copied_logs(&database, path)? {
            tracing::warn!("the version store was restored from a copy: every log begins anew");
        }
        Ok(Self { database })
    }

    /// A dataset's head, if it was ever published.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn head(&self, dataset: &DatasetId) -> Result<Option<Head>, StoreError> {
        let read = self.database.begin_read().map_err(redb::Error::from)?;
        Ok(head(&read, dataset)?)
    }

    /// Takes over a load. Rows that did not change keep their sealing; where none changed, only the
    /// time advances. Rows of another fingerprint are dropped and a new log begins.
    ///
    /// # Errors
    /// [`StoreError`]; the last version stays.
    pub fn publish(&self, sealing: &Sealing<'_>, as_of: Timestamp) -> Result<Head, StoreError> {
        let write = self.database.begin_write().map_err(redb::Error::from)?;
        let read = self.database.begin_read().map_err(redb::Error::from)?;
        let old = head(&read, sealing.dataset)?;
        let old = old.filter(|old| old.fingerprint == sealing.fingerprint);
        let log = match &old {
            Some(old) => old.log,
            None => {
                drop_tables(&write, sealing.dataset)?;
                random::<16>()?
            }
        };
        let next = old.as_ref().map_or(1, |old| old.version + 1);
        let changed = Update { sealing, write: &write, version: next }.run(&read, old.is_some())?;
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

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::Held,
            error => Self::Failed(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, ops::ControlFlow};

    use proto::{cursor::Cursor, person_secret::LookupTag, schema::DatasetKind};

    use super::*;
    use crate::{fixture, load::Person, resume::Resume};

    struct World {
        log: VersionLog,
        directory: tempfile::TempDir,
    }

    type Rows = BTreeMap<LookupTag, Option<Vec<u8>>>;

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let log = VersionLog::open(&directory.path().join("v.redb")).expect("opened");
            Self { log, directory }
        }

        fn publish_as(&self, persons: &[Person], (epoch, salt, at): (u32, u8, i64)) -> Head {
            let derivation = fixture::derivation(epoch);
            let schema = fixture::schema("vehicles", DatasetKind::CrossCheck);
            let salt = fixture::salt(salt);
            let sealing = Sealing::new(&derivation, &schema, (&salt, vec![]), persons);
            let as_of = Timestamp::from_second(at).expect("a moment");
            self.log.publish(&sealing, as_of).expect("published")
        }

        fn publish(&self, persons: &[(u32, u8)], at: i64) -> Head {
            let persons: Vec<Person> =
                persons.iter().map(|&(number, flag)| fixture::person(number, flag)).collect();
            self.publish_as(&persons, (1, 7, at))
        }

        fn rows(&self, resume: Resume) -> Rows {
            let reading = self.log.reading(&fixture::name("vehicles")).expect("read");
            let mut rows = vec![];
            let each = &mut |tag, row: Option<&[u8]>| {
                rows.push((tag, row.map(<[u8]>::to_vec)));
                ControlFlow::Continue(())
            };
            let _ = reading.expect("published").rows(resume, each).expect("read");
            assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "in the order of the tags");
            rows.into_iter().collect()
        }
    }

    fn tag(number: u32) -> LookupTag {
        let derivation = fixture::derivation(1);
        let root = derivation.root(&fixture::identifier(number));
        let dataset = fixture::name("vehicles");
        derivation.person_secret(&root, &dataset, &fixture::salt(7)).lookup_tag()
    }

    #[test]
    fn a_delta_from_any_kept_version_leads_to_the_present_rows() {
        let world = World::new();
        let loads: [&[(u32, u8)]; 5] = [
            &[(1, 0), (2, 0), (3, 0)],
            &[(1, 1), (2, 0), (3, 0)],
            &[(1, 1), (3, 0), (4, 0)],
            &[(1, 0), (2, 1), (3, 0), (4, 0)],
            &[(2, 1), (4, 1)],
        ];
        let mut known: Vec<Rows> = vec![];
        for (number, load) in loads.iter().enumerate() {
            let head = world.publish(load, 100);
            assert_eq!(head.cursor().version as usize, number + 1);
            known.push(world.rows(Resume::Snapshot));
        }
        let present = known.last().expect("five").clone();
        assert_eq!(present.len(), 2);
        for (version, mut rows) in (1..).zip(known) {
            for (tag, row) in world.rows(Resume::After(version)) {
                match row {
                    Some(row) => drop(rows.insert(tag, Some(row))),
                    None => drop(rows.remove(&tag)),
                }
            }
            assert!(rows == present, "from version {version}");
        }
        assert!(world.rows(Resume::After(5)).is_empty());
    }

    #[test]
    fn an_unchanged_row_keeps_its_sealing_and_an_unchanged_load_its_version() {
        let world = World::new();
        let first = world.publish(&[(1, 0), (2, 0)], 100);
        let before = world.rows(Resume::Snapshot);
        let again = world.publish(&[(2, 0), (1, 0)], 200);
        assert_eq!(again.cursor(), first.cursor());
        assert_eq!(again.as_of.as_second(), 200, "the source was read without error");
        assert!(world.rows(Resume::Snapshot) == before);

        world.publish(&[(1, 1), (2, 0)], 300);
        let after = world.rows(Resume::Snapshot);
        assert!(after[&tag(1)] != before[&tag(1)] && after[&tag(2)] == before[&tag(2)]);
        let changed: Vec<LookupTag> = world.rows(Resume::After(1)).into_keys().collect();
        assert!(changed == [tag(1)], "only the changed row travels");
    }

    #[test]
    fn another_salt_or_epoch_begins_a_new_log() {
        let world = World::new();
        let persons = [fixture::person(1, 1)];
        let first = world.publish_as(&persons, (1, 7, 100));
        let salted = world.publish_as(&persons, (1, 8, 100));
        assert_ne!(salted.cursor().log, first.cursor().log);
        assert_eq!((salted.cursor().version, salted.rows), (1, 1));
        let next_epoch = world.publish_as(&persons, (2, 8, 100));
        assert_ne!(next_epoch.cursor().log, salted.cursor().log);
        assert_eq!(world.rows(Resume::Snapshot).len(), 1, "no row of an old log stays");
    }

    #[test]
    fn old_changes_are_forgotten_and_the_log_survives_a_restart() {
        let world = World::new();
        for version in 0..40_u8 {
            world.publish(&[(1, version % 2), (2, 0)], 100);
        }
        let head = world.log.head(&fixture::name("vehicles")).expect("read").expect("published");
        assert_eq!((head.cursor().version, head.kept_since()), (40, 10));
        assert_eq!(world.rows(Resume::After(10)).len(), 1);
        let resume = Resume::new(Some(Cursor { version: 9, ..head.cursor() }), head.cursor(), 10);
        assert_eq!(resume, Ok(Resume::Snapshot));

        let path = world.directory.path().join("v.redb");
        assert!(matches!(VersionLog::open(&path), Err(StoreError::Held)));
        drop(world.log);
        let log = VersionLog::open(&path).expect("opened");
        assert_eq!(log.head(&fixture::name("vehicles")).expect("read"), Some(head));
    }

    #[test]
    fn a_load_larger_than_a_batch_is_taken_over_whole() {
        let world = World::new();
        let many: Vec<(u32, u8)> = (0..BATCH as u32 + 100).map(|number| (number, 0)).collect();
        assert_eq!(world.publish(&many, 100).rows, many.len() as u64);
        assert_eq!(world.rows(Resume::Snapshot).len(), many.len());
        world.publish(&many[50..], 100);
        let changes = world.rows(Resume::After(1));
        assert_eq!(changes.len(), 50);
        assert!(changes.values().all(Option::is_none), "deleted");
    }
}
