//! A redb file that is opened again once the disk has failed it: redb takes a file for lost after the
//! first error, and an adapter must outlive a full disk.
//!
//! Owns nothing of what is in the file.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, WriteTransaction};

use crate::disk;

#[cfg(test)]
pub(crate) mod simulated;

type Open = dyn Fn() -> Result<Database, DatabaseError> + Send + Sync;

/// The file. Streams that read it when the disk fails end, and are asked for anew.
pub(crate) struct StoreFile {
    open: Box<Open>,
    /// Absent after the disk failed.
    database: Mutex<Option<Arc<Database>>>,
}

impl StoreFile {
    /// Opens a file, or makes it, to be read with so much memory.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn open(path: &Path, memory: usize) -> Result<Self, redb::Error> {
        let path = path.to_owned();
        if !path.exists() {
            create(&path)?;
        }
        Self::new(Box::new(move || Database::builder().set_cache_size(memory).create(&path)))
    }

    fn new(open: Box<Open>) -> Result<Self, redb::Error> {
        let database = Mutex::new(Some(Arc::new(open()?)));
        Ok(Self { open, database })
    }

    /// Reads with `work`.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        let begun = self.database().and_then(|database| Ok(database.begin_read()?));
        self.close_if_lost(begun.and_then(work))
    }

    /// Writes with `work`, which commits.
    ///
    /// # Errors
    /// The engine's, or whatever `work` comes to.
    pub(crate) fn write<T, E: From<redb::Error> + Lost>(
        &self,
        work: impl FnOnce(WriteTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        // A reader may have met an error before, of which nobody was told.
        let begun = self.begin_write().or_else(|_| self.begin_write());
        self.close_if_lost(begun.map_err(E::from).and_then(work))
    }

    fn begin_write(&self) -> Result<WriteTransaction, redb::Error> {
        let begun = self.database().and_then(|database| Ok(database.begin_write()?));
        self.close_if_lost(begun)
    }

    fn database(&self) -> Result<Arc<Database>, redb::Error> {
        let mut present = self.present();
        if let Some(database) = &*present {
            return Ok(database.clone());
        }
        let database = Arc::new((self.open)()?);
        tracing::warn!("a store was opened again after the disk had failed it");
        *present = Some(database.clone());
        Ok(database)
    }

    fn close_if_lost<T, E: Lost>(&self, result: Result<T, E>) -> Result<T, E> {
        if result.as_ref().is_err_and(Lost::is_lost) {
            *self.present() = None;
        }
        result
    }

    fn present(&self) -> MutexGuard<'_, Option<Arc<Database>>> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes an empty file that has its name only when it is whole: the engine takes half of one for
/// another program's.
fn create(path: &Path) -> Result<(), redb::Error> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match disk::remove(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    drop(Database::create(&beside)?);
    disk::rename(&beside, path)?;
    Ok(disk::sync_directory(path.parent().unwrap_or(Path::new(".")))?)
}

/// An error after which the engine does nothing more with a file.
pub(crate) trait Lost {
    /// Whether it is one.
    fn is_lost(&self) -> bool;
}

impl Lost for redb::Error {
    fn is_lost(&self) -> bool {
        matches!(self, Self::Io(_) | Self::PreviousIo | Self::DatabaseClosed | Self::Corrupted(_))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use redb::TableDefinition;

    use super::*;
    use crate::disk::faults;

    const NUMBERS: TableDefinition<'_, u32, u32> = TableDefinition::new("numbers");

    fn put(file: &StoreFile, number: u32) -> Result<(), redb::Error> {
        file.write(|write| {
            write.open_table(NUMBERS)?.insert(number, number)?;
            Ok(write.commit()?)
        })
    }

    fn numbers(file: &StoreFile) -> Result<Vec<u32>, redb::Error> {
        file.read(|read| {
            let table = read.open_table(NUMBERS)?;
            let numbers = table.range::<u32>(..)?.map(|entry| Ok(entry?.0.value()));
            numbers.collect()
        })
    }

    #[test]
    fn whatever_the_disk_fails_at_a_file_that_has_its_name_is_whole() {
        let path = |directory: &Path| directory.join("versions.redb");
        let open = |directory: &Path| StoreFile::open(&path(directory), 1 << 16);
        let live = |directory: &Path, written: &mut Vec<u32>| {
            for number in 0..3 {
                let Ok(file) = open(directory) else { continue };
                if put(&file, number).is_ok() {
                    written.push(number);
                }
            }
        };
        let check = |directory: &Path, written: &Vec<u32>, what: &str| {
            // What a killed process leaves of a file that it was making.
            fs::write(directory.join("versions.redb.new"), [0; 9000]).expect(what);
            let file = open(directory).expect(what);
            put(&file, 9).expect(what);
            let found = numbers(&file).expect(what);
            assert_eq!(found, [&written[..], &[9]].concat(), "{what}");
        };
        faults::everywhere(live, |directory| drop(open(directory)), check);
    }

    #[test]
    fn a_file_that_the_disk_failed_is_opened_again_by_whoever_comes_next() {
        let file = simulated::SimulatedFile::default();
        let store = file.open().expect("opened");
        put(&store, 1).expect("written");
        for reads_first in [true, false] {
            file.fault(Some((0, simulated::Fault::Dies)));
            put(&store, 2).expect_err("the disk is full");
            put(&store, 2).expect_err("it still is");
            file.fault(None);
            if reads_first {
                assert_eq!(numbers(&store).expect("readable"), [1]);
            }
            put(&store, 1).expect("there is room");
        }
    }
}
