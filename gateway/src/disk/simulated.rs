//! A disk in memory that knows what is durable: bytes of a file once it was synced, a name once its
//! directory was. It fails or dies at any operation, and a machine starts again on what is left.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use super::{Disk, NewFile, StoredFile};

/// The disk.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<Sim>>);

#[derive(Default)]
struct Sim {
    files: Vec<File>,
    /// Names as running programs see them.
    names: BTreeMap<PathBuf, Node>,
    /// Names that outlive the machine.
    durable: BTreeMap<PathBuf, Node>,
    locked: bool,
    operations: usize,
    fault: Option<(usize, Fault)>,
    dead: bool,
    full: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Directory,
    File(usize),
}

#[derive(Clone, Default)]
struct File {
    written: Vec<u8>,
    durable: Vec<u8>,
    /// A sync failed: what was written then never becomes durable, whatever a later sync says.
    forgotten: bool,
}

/// What happens at one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The machine dies before, after, or in the middle of it.
    Dies(How),
    /// It fails, half done.
    Fails(io::ErrorKind),
}

/// How far the last operation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    NotDone,
    Done,
    Torn,
}

/// What a dead machine leaves of that which was never synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    Gone,
    Kept,
    Torn,
}

impl SimulatedDisk {
    /// Something happens at the operation with this number, from 0.
    pub fn with_fault(self, at: usize, fault: Fault) -> Self {
        {
            let mut sim = self.lock();
            sim.operations = 0;
            sim.fault = Some((at, fault));
        }
        self
    }

    /// How many operations have been asked for.
    pub fn operations(&self) -> usize {
        self.lock().operations
    }

    /// Whether the machine has died.
    pub fn is_dead(&self) -> bool {
        self.lock().dead
    }

    /// Fills the disk, or makes room.
    pub fn fill(&self, full: bool) {
        self.lock().full = full;
    }

    /// The disk on which the machine starts again.
    pub fn restarted(&self, unsynced: Unsynced) -> Self {
        let sim = self.lock();
        let names = if unsynced == Unsynced::Gone { &sim.durable } else { &sim.names };
        let outlives = |path: &Path| {
            path.ancestors().skip(1).all(|above| {
                above.parent().is_none() || above == Path::new("/data") || names.contains_key(above)
            })
        };
        let names: BTreeMap<_, _> =
            names.iter().filter(|(path, _)| outlives(path)).map(|(p, n)| (p.clone(), *n)).collect();
        let files = sim.files.iter().map(|file| file.after(unsynced)).collect();
        Self(Arc::new(Mutex::new(Sim { files, durable: names.clone(), names, ..Sim::default() })))
    }

    /// Everything below a directory.
    pub fn copy_of(&self, directory: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let sim = self.lock();
        let below = sim.names.iter().filter(|(path, _)| path.starts_with(directory));
        let copy = |node: &Node| match node {
            Node::Directory => None,
            Node::File(file) => Some(sim.files[*file].written.clone()),
        };
        below.map(|(path, node)| (path.clone(), copy(node))).collect()
    }

    /// Puts a copy back in place of what is there.
    pub fn put_back(&self, directory: &Path, copy: BTreeMap<PathBuf, Option<Vec<u8>>>) {
        let mut sim = self.lock();
        sim.names.retain(|path, _| !path.starts_with(directory));
        for (path, bytes) in copy {
            let node = match bytes {
                None => Node::Directory,
                Some(bytes) => {
                    let file = File { durable: bytes.clone(), written: bytes, forgotten: false };
                    sim.files.push(file);
                    Node::File(sim.files.len() - 1)
                }
            };
            sim.names.insert(path, node);
        }
        sim.durable = sim.names.clone();
    }

    /// Changes a file behind the log's back.
    pub fn change(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut sim = self.lock();
        let Some(Node::File(file)) = sim.names.get(path).copied() else {
            panic!("{} is no file", path.display());
        };
        change(&mut sim.files[file].written);
        sim.files[file].durable = sim.files[file].written.clone();
    }

    fn lock(&self) -> MutexGuard<'_, Sim> {
        self.0.lock().expect("nobody panics while holding the disk")
    }
}

impl File {
    fn after(&self, unsynced: Unsynced) -> Self {
        let bytes = match unsynced {
            Unsynced::Gone => self.durable.clone(),
            Unsynced::Kept => self.written.clone(),
            Unsynced::Torn => self.half_synced(),
        };
        Self { written: bytes.clone(), durable: bytes, forgotten: false }
    }

    /// As long as what was written; of that which differs from what was there the first half.
    fn half_synced(&self) -> Vec<u8> {
        let was = |at: usize| self.durable.get(at).copied().unwrap_or(0);
        let differs = |at: &usize| self.written[*at] != was(*at);
        let first = (0..self.written.len()).find(differs).unwrap_or(self.written.len());
        let last = (0..self.written.len()).rfind(differs).map_or(first, |last| last + 1);
        let half = first + (last - first) / 2;
        let there = self.written[..half].iter().copied();
        there.chain((half..self.written.len()).map(was)).collect()
    }
}

impl Sim {
    /// Counts an operation that changes something, and does it as far as it comes. `work` is told
    /// whether to do only a half.
    fn operate(&mut self, needs_room: bool, work: impl FnOnce(&mut Self, bool)) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("the machine is dead"));
        }
        let at = self.operations;
        self.operations += 1;
        let fault = self.fault.filter(|(when, _)| *when == at).map(|(_, fault)| fault);
        match fault {
            None if self.full && needs_room => {
                work(self, true);
                Err(io::ErrorKind::StorageFull.into())
            }
            None => {
                work(self, false);
                Ok(())
            }
            Some(Fault::Fails(kind)) => {
                work(self, true);
                Err(kind.into())
            }
            Some(Fault::Dies(how)) => {
                self.dead = true;
                match how {
                    How::NotDone => {}
                    How::Done => work(self, false),
                    How::Torn => work(self, true),
                }
                Err(io::Error::other("the machine dies"))
            }
        }
    }

    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("the machine is dead")) } else { Ok(()) }
    }
}

impl Disk for SimulatedDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let sim = self.lock();
        sim.alive()?;
        match sim.names.get(path) {
            Some(Node::File(file)) => Ok(sim.files[*file].written.clone()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        let sim = self.lock();
        sim.alive()?;
        match sim.names.get(path) {
            Some(Node::File(file)) => {
                Ok(Box::new(Handle { disk: self.clone(), file: *file, at: 0 }))
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<String>> {
        let sim = self.lock();
        sim.alive()?;
        let inside = sim.names.keys().filter(|path| path.parent() == Some(directory));
        Ok(inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let mut sim = self.lock();
        let mut opened = None;
        sim.operate(true, |sim, half| {
            if half {
                return;
            }
            if let Some(Node::File(file)) = sim.names.get(path) {
                sim.files[*file].written.clear();
                sim.files[*file].forgotten = false;
                opened = Some(*file);
            } else {
                sim.files.push(File::default());
                sim.names.insert(path.to_owned(), Node::File(sim.files.len() - 1));
                opened = Some(sim.files.len() - 1);
            }
        })?;
        drop(sim);
        let file = opened.expect("an operation that did not fail was done");
        Ok(Box::new(Handle { disk: self.clone(), file, at: 0 }))
    }

    fn write_over(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let mut sim = self.lock();
        sim.alive()?;
        let Some(Node::File(file)) = sim.names.get(path).copied() else {
            return Err(io::ErrorKind::NotFound.into());
        };
        // What a failed sync has forgotten is read again from the disk.
        let there = &mut sim.files[file];
        there.written.clone_from(&there.durable);
        there.forgotten = false;
        Ok(Box::new(Handle { disk: self.clone(), file, at: 0 }))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.lock().operate(true, |sim, half| {
            if !half {
                sim.names.entry(path.to_owned()).or_insert(Node::Directory);
            }
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.lock().operate(false, |sim, half| {
            if let (false, Some(node)) = (half, sim.names.remove(from)) {
                sim.names.insert(to.to_owned(), node);
            }
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.lock().operate(false, |sim, half| {
            if !half {
                sim.names.remove(path);
            }
        })
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.lock().operate(false, |sim, half| {
            let inside: Vec<_> =
                sim.names.keys().filter(|name| name.starts_with(path)).cloned().collect();
            let some = if half { inside.len() / 2 } else { inside.len() };
            for name in inside.iter().rev().take(some) {
                sim.names.remove(name);
            }
        })
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.lock().operate(false, |sim, half| {
            if half {
                return;
            }
            let here = |name: &Path| name.parent() == Some(path);
            sim.durable.retain(|name, _| !here(name));
            let names: Vec<_> = sim.names.iter().filter(|(name, _)| here(name)).collect();
            let names: Vec<_> =
                names.into_iter().map(|(name, node)| (name.clone(), *node)).collect();
            sim.durable.extend(names);
        })
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        let mut sim = self.lock();
        sim.alive()?;
        if sim.locked {
            return Ok(None);
        }
        sim.locked = true;
        Ok(Some(Box::new(Lock(self.clone()))))
    }
}

struct Lock(SimulatedDisk);

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.lock().locked = false;
    }
}

struct Handle {
    disk: SimulatedDisk,
    file: usize,
    /// Where the next byte is written.
    at: usize,
}

impl StoredFile for Handle {
    fn length(&self) -> io::Result<u64> {
        let sim = self.disk.lock();
        sim.alive()?;
        Ok(sim.files[self.file].written.len() as u64)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let sim = self.disk.lock();
        sim.alive()?;
        let written = &sim.files[self.file].written;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let piece = written.get(from..).and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(piece.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl NewFile for Handle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self { disk, file, at } = self;
        disk.lock().operate(true, |sim, half| {
            let bytes = if half { &bytes[..bytes.len() / 2] } else { bytes };
            let written = &mut sim.files[*file].written;
            let over = bytes.len().min(written.len() - *at);
            written[*at..*at + over].copy_from_slice(&bytes[..over]);
            written.extend_from_slice(&bytes[over..]);
            *at += bytes.len();
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let file = self.file;
        self.disk.lock().operate(false, |sim, half| {
            let file = &mut sim.files[file];
            if half {
                file.durable = file.half_synced();
                file.forgotten = true;
            } else if !file.forgotten {
                file.durable = file.written.clone();
            }
        })
    }
}
