//! The holder's journal: one line for every batch that it ever evaluated, on the disk before the answer
//! leaves. It is both what the quota is counted by after a restart and what an auditor reads.
//!
//! A text file that only grows. Each line ends with a check over itself and the one before, so a line
//! that a crash left half written is recognised: its batch was never answered, and it is cut off. What
//! the lines mean for a quota is `ledger`'s business.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::account::Batch;
use crate::{disk, secret_file, store_origin};

/// The name of the file in the holder's directory.
pub const FILE: &str = "journal";

/// The open journal; nobody else can open it to write.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Up to where lines are whole.
    length: u64,
    check: Check,
    /// A failed write could not be taken back: nothing may be written after it.
    broken: bool,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The journal began in this file.
    Begun {
        /// When.
        at: Timestamp,
        /// Which file.
        origin: String,
    },
    /// Somebody decided to go on with a copy, or without what was lost.
    Resumed {
        /// When.
        at: Timestamp,
        /// Which file it is now.
        origin: String,
    },
    /// A batch was evaluated.
    Evaluated {
        /// When.
        at: Timestamp,
        /// Which.
        batch: Batch,
    },
}

/// Why the journal cannot be used. Ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk.
    #[error("{}: {source}. If the disk is full, make room", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Another process writes to it.
    #[error(
        "the key holder's journal is held by a running `agency-adapter serve`: stop that first"
    )]
    Held,
    /// A line that nobody wrote so.
    #[error(
        "{} is damaged in line {line}: stop the adapter and restore the file from the latest backup, \
         then run `agency-adapter key-holder resume`",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// Not there, though seeds are.
    #[error(
        "{} is missing, so how much each agency has used is not known: restore it from the latest \
         backup, then run `agency-adapter key-holder resume`",
        .0.display()
    )]
    Lost(PathBuf),
    /// Another file than the one that was written to.
    #[error(
        "{} was restored or copied, so evaluations since then may be missing in it: if no later copy \
         exists, run `agency-adapter key-holder resume`",
        .0.display()
    )]
    Copied(PathBuf),
}

type Check = [u8; 8];

/// What a journal holds, without opening it to write.
struct Reading {
    /// Up to where lines are whole.
    length: u64,
    check: Check,
    /// The file that the journal says it is.
    origin: Option<String>,
}

impl Journal {
    /// Makes an empty journal, unless there is one.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn begin(directory: &Path, at: Timestamp) -> Result<(), JournalError> {
        let path = directory.join(FILE);
        if !path.exists() {
            secret_file::replace(&path, b"")
                .map_err(|error| io_fault(&path)(io::Error::other(error)))?;
        }
        let mut journal = Self::lock(&path)?;
        let origin = store_origin::origin(&path).map_err(io_fault(&path))?;
        match journal.recover(&mut |_| ())? {
            Some(_) => Ok(()),
            None => journal.append(&Entry::Begun { at, origin }),
        }
    }

    /// Opens the journal to write, and shows every entry.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(directory: &Path, each: &mut dyn FnMut(Entry)) -> Result<Self, JournalError> {
        let path = directory.join(FILE);
        let mut journal = Self::lock(&path)?;
        let said = journal.recover(each)?.ok_or_else(|| JournalError::Lost(path.clone()))?;
        let present = store_origin::origin(&path).map_err(io_fault(&path))?;
        if said == present { Ok(journal) } else { Err(JournalError::Copied(path)) }
    }

    /// Says that the journal goes on in the file that is there, or in a new one.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn resume(directory: &Path, at: Timestamp) -> Result<(), JournalError> {
        let path = directory.join(FILE);
        if !path.exists() {
            secret_file::replace(&path, b"")
                .map_err(|error| io_fault(&path)(io::Error::other(error)))?;
        }
        let mut journal = Self::lock(&path)?;
        journal.recover(&mut |_| ())?;
        let origin = store_origin::origin(&path).map_err(io_fault(&path))?;
        journal.append(&Entry::Resumed { at, origin })
    }

    /// Reads a journal that may be in use, to show it. What is just being written is left out.
    ///
    /// # Errors
    /// [`JournalError`]; [`JournalError::Copied`] after everything was shown.
    pub fn read(directory: &Path, each: &mut dyn FnMut(Entry)) -> Result<(), JournalError> {
        let path = directory.join(FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(JournalError::Lost(path));
            }
            Err(error) => return Err(io_fault(&path)(error)),
        };
        let reading = read(&file, &path, each)?;
        let said = reading.origin.ok_or_else(|| JournalError::Lost(path.clone()))?;
        let present = store_origin::origin(&path).map_err(io_fault(&path))?;
        if said == present { Ok(()) } else { Err(JournalError::Copied(path)) }
    }

    /// Writes a line and waits until the disk has it. Where that fails, the line is taken back.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        if self.broken {
            let source = io::Error::other("an earlier write failed; restart the adapter");
            return Err(io_fault(&self.path)(source));
        }
        let (line, check) = entry.line(self.check);
        let written =
            disk::write(&self.file, line.as_bytes()).and_then(|()| disk::sync(&self.file));
        if let Err(source) = written {
            self.broken = self.cut().is_err();
            return Err(io_fault(&self.path)(source));
        }
        self.length += line.len() as u64;
        self.check = check;
        Ok(())
    }

    fn lock(path: &Path) -> Result<Self, JournalError> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(JournalError::Lost(path.into()));
            }
            Err(error) => return Err(io_fault(path)(error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Held),
            Err(TryLockError::Error(error)) => return Err(io_fault(path)(error)),
        }
        Ok(Self { path: path.into(), file, length: 0, check: [0; 8], broken: false })
    }

    /// Reads everything and cuts off what a crash left half written. Returns the file that the journal
    /// says it is; `None` where it never began.
    fn recover(&mut self, each: &mut dyn FnMut(Entry)) -> Result<Option<String>, JournalError> {
        let reading = read(&self.file, &self.path, each)?;
        (self.length, self.check) = (reading.length, reading.check);
        self.cut().map_err(io_fault(&self.path))?;
        Ok(reading.origin)
    }

    fn cut(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() > self.length {
            disk::cut(&self.file, self.length)?;
            disk::sync(&self.file)?;
        }
        self.file.seek(SeekFrom::Start(self.length)).map(drop)
    }
}

fn read(file: &File, path: &Path, each: &mut dyn FnMut(Entry)) -> Result<Reading, JournalError> {
    let mut reading = Reading { length: 0, check: [0; 8], origin: None };
    let mut lines = BufReader::new(file);
    let mut line = vec![];
    for number in 1.. {
        line.clear();
        let length = lines.read_until(b'\n', &mut line).map_err(io_fault(path))?;
        if length == 0 {
            break;
        }
        let Some((entry, check)) = Entry::parse(&line, reading.check) else {
            // Only the last line can be one that was never finished.
            let more = !lines.fill_buf().map_err(io_fault(path))?.is_empty();
            if more {
                return Err(JournalError::Damaged { path: path.into(), line: number });
            }
            break;
        };
        if let Entry::Begun { origin, .. } | Entry::Resumed { origin, .. } = &entry {
            reading.origin = Some(origin.clone());
        }
        reading.length += length as u64;
        reading.check = check;
        each(entry);
    }
    Ok(reading)
}

impl Entry {
    /// When it was written.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Begun { at, .. } | Self::Resumed { at, .. } | Self::Evaluated { at, .. } => *at,
        }
    }

    fn line(&self, before: Check) -> (String, Check) {
        let text = match self {
            Self::Begun { at, origin } => format!("{at} begun {origin}"),
            Self::Resumed { at, origin } => format!("{at} resumed {origin}"),
            Self::Evaluated { at, batch } => {
                let Batch { epoch, requester, number, elements, digest } = batch;
                let digest = hex::encode(digest);
                format!("{at} evaluated {epoch} {requester} {number} {elements} {digest}")
            }
        };
        let check = check(before, &text);
        (format!("{text} {}\n", hex::encode(check)), check)
    }

    fn parse(line: &[u8], before: Check) -> Option<(Self, Check)> {
        let line = str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let (text, shown) = line.rsplit_once(' ')?;
        let check = check(before, text);
        if hex::encode(check) != shown {
            return None;
        }
        let (at, rest) = text.split_once(' ')?;
        let at = at.parse().ok()?;
        let (kind, rest) = rest.split_once(' ')?;
        let entry = match kind {
            "begun" => Self::Begun { at, origin: rest.to_owned() },
            "resumed" => Self::Resumed { at, origin: rest.to_owned() },
            "evaluated" => Self::Evaluated { at, batch: batch(rest)? },
            _ => return None,
        };
        Some((entry, check))
    }
}

fn batch(text: &str) -> Option<Batch> {
    let [epoch, requester, number, elements, digest] =
        <[&str; 5]>::try_from(text.split(' ').collect::<Vec<_>>()).ok()?;
    Some(Batch {
        epoch: epoch.parse().ok()?,
        requester: requester.parse().ok()?,
        number: number.parse().ok()?,
        elements: elements.parse().ok()?,
        digest: hex::decode(digest).ok()?.try_into().ok()?,
    })
}

fn check(before: Check, text: &str) -> Check {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&before).update(text.as_bytes());
    let hash = hasher.finalize();
    *hash.as_bytes().first_chunk().expect("a hash is longer")
}

fn io_fault(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_path_buf();
    |source| JournalError::Io { path, source }
}
