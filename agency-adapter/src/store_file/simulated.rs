//! A redb file in memory that knows what is durable. It fails or dies at any operation, and a machine
//! starts again on what is left.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use redb::{Database, StorageBackend};

use super::StoreFile;

/// What happens at one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, half done.
    Fails,
    /// From it on all fail.
    Dies,
}

/// What a dead machine leaves of what was never synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsynced {
    Gone,
    Kept,
    /// Every other write.
    Torn,
}

/// The file.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedFile(Arc<Mutex<Sim>>);

#[derive(Debug, Default)]
struct Sim {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// Since the last sync.
    writes: Vec<(u64, Vec<u8>)>,
    operations: usize,
    fault: Option<(usize, Fault)>,
}

impl SimulatedFile {
    /// With an empty store on it: how a file is made is `store_file`'s own test.
    pub(crate) fn with_store() -> Self {
        let file = Self::default();
        drop(file.open().expect("nothing fails yet"));
        file.fault(None);
        file
    }

    /// Opens the store on it.
    pub(crate) fn open(&self) -> Result<StoreFile, redb::Error> {
        let file = self.clone();
        StoreFile::new(Box::new(move || {
            Database::builder().set_cache_size(1 << 16).create_with_backend(file.clone())
        }))
    }

    /// Something happens at the operation with this number, from now on.
    pub(crate) fn fault(&self, fault: Option<(usize, Fault)>) {
        let mut sim = self.lock();
        (sim.operations, sim.fault) = (0, fault);
    }

    /// How many operations there were since then.
    pub(crate) fn operations(&self) -> usize {
        self.lock().operations
    }

    /// The file on which the machine starts again.
    pub(crate) fn restarted(&self, unsynced: Unsynced) -> Self {
        let sim = self.lock();
        let bytes = match unsynced {
            Unsynced::Gone => sim.durable.clone(),
            Unsynced::Kept => sim.bytes.clone(),
            Unsynced::Torn => {
                let mut bytes = sim.durable.clone();
                for (offset, written) in sim.writes.iter().step_by(2) {
                    put(&mut bytes, *offset, written);
                }
                bytes
            }
        };
        Self(Arc::new(Mutex::new(Sim { durable: bytes.clone(), bytes, ..Sim::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Sim> {
        self.0.lock().expect("nobody panics while holding the file")
    }
}

impl Sim {
    /// Counts an operation, and fails it where that is planned.
    fn turn(&mut self) -> Result<(), io::Error> {
        let now = self.operations;
        self.operations += 1;
        let fails = self.fault.is_some_and(|(at, fault)| match fault {
            Fault::Fails => at == now,
            Fault::Dies => at <= now,
        });
        if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

fn put(bytes: &mut Vec<u8>, offset: u64, written: &[u8]) {
    let offset = usize::try_from(offset).expect("a small file");
    if bytes.len() < offset + written.len() {
        bytes.resize(offset + written.len(), 0);
    }
    bytes[offset..offset + written.len()].copy_from_slice(written);
}

impl StorageBackend for SimulatedFile {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let offset = usize::try_from(offset).expect("a small file");
        out.copy_from_slice(&self.lock().bytes[offset..offset + out.len()]);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), io::Error> {
        let mut sim = self.lock();
        sim.turn()?;
        sim.bytes.resize(usize::try_from(length).expect("a small file"), 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut sim = self.lock();
        sim.turn()?;
        sim.durable = sim.bytes.clone();
        sim.writes.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut sim = self.lock();
        let turn = sim.turn();
        let data = if turn.is_ok() { data } else { &data[..data.len() / 2] };
        put(&mut sim.bytes, offset, data);
        sim.writes.push((offset, data.to_vec()));
        turn
    }
}
