//! The holder's journal: one line for every batch that it ever evaluated, on the disk before the answer
//! leaves. It is both what the quota is counted by after a restart and what an auditor reads.
//!
//! `checked_lines` keeps the lines. What they mean for a quota is `ledger`'s business.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::account::Batch;
use crate::{
    checked_lines::{CheckedLines, LinesError},
    secret_file, store_origin,
};

/// The name of the file in the holder's directory.
pub const FILE: &str = "journal";

/// The open journal; nobody else can open it to write.
pub struct Journal(CheckedLines);

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
    /// The file. A copy of it that is restored is told as one, and what to do then.
    #[error(transparent)]
    Lines(#[from] LinesError),
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

impl Journal {
    /// Makes an empty journal, unless there is one.
    ///
    /// # Errors
    /// [`JournalError::Lines`].
    pub fn begin(directory: &Path, at: Timestamp) -> Result<(), JournalError> {
        let path = directory.join(FILE);
        if !path.exists() {
            secret_file::replace(&path, b"")
                .map_err(|error| io_fault(&path)(io::Error::other(error)))?;
        }
        let (mut journal, said) = Self::recover(&path, &mut |_| ())?;
        match said {
            Some(_) => Ok(()),
            None => journal.append(&Entry::Begun { at, origin: origin(&path)? }),
        }
    }

    /// Opens the journal to write, and shows every entry.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(directory: &Path, each: &mut dyn FnMut(Entry)) -> Result<Self, JournalError> {
        let path = directory.join(FILE);
        let (journal, said) = Self::recover(&path, each)?;
        let said = said.ok_or_else(|| JournalError::Lost(path.clone()))?;
        if said == origin(&path)? { Ok(journal) } else { Err(JournalError::Copied(path)) }
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
        let (mut journal, _) = Self::recover(&path, &mut |_| ())?;
        journal.append(&Entry::Resumed { at, origin: origin(&path)? })
    }

    /// Reads a journal that may be in use, to show it. What is just being written is left out.
    ///
    /// # Errors
    /// [`JournalError`]; [`JournalError::Copied`] after everything was shown.
    pub fn read(directory: &Path, each: &mut dyn FnMut(Entry)) -> Result<(), JournalError> {
        let path = directory.join(FILE);
        let file = File::open(&path).map_err(lost_or_unread(&path))?;
        let mut said = None;
        CheckedLines::read(&path, &file, &mut reader(each, &mut said))?;
        let said = said.ok_or_else(|| JournalError::Lost(path.clone()))?;
        if said == origin(&path)? { Ok(()) } else { Err(JournalError::Copied(path)) }
    }

    /// Writes a line and waits until the disk has it. Where that fails, the line is taken back.
    ///
    /// # Errors
    /// [`JournalError::Lines`].
    pub fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        Ok(self.0.append(&entry.text())?)
    }

    /// Takes the file and reads everything. Also the file that the journal says it is; `None` where it
    /// never began.
    fn recover(
        path: &Path,
        each: &mut dyn FnMut(Entry),
    ) -> Result<(Self, Option<String>), JournalError> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let (file, mut said) = (file.map_err(lost_or_unread(path))?, None);
        let lines = CheckedLines::open(path, file, &mut reader(each, &mut said))?;
        Ok((Self(lines), said))
    }
}

/// Reads a line, and takes down which file the journal says it is.
fn reader<'a>(
    each: &'a mut dyn FnMut(Entry),
    said: &'a mut Option<String>,
) -> impl FnMut(&str) -> bool + 'a {
    move |text| {
        let Some(entry) = Entry::parse(text) else { return false };
        if let Entry::Begun { origin, .. } | Entry::Resumed { origin, .. } = &entry {
            *said = Some(origin.clone());
        }
        each(entry);
        true
    }
}

fn origin(path: &Path) -> Result<String, JournalError> {
    Ok(store_origin::origin(path).map_err(io_fault(path))?)
}

impl Entry {
    /// When it was written.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Begun { at, .. } | Self::Resumed { at, .. } | Self::Evaluated { at, .. } => *at,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Begun { at, origin } => format!("{at} begun {origin}"),
            Self::Resumed { at, origin } => format!("{at} resumed {origin}"),
            Self::Evaluated { at, batch } => {
                let Batch { epoch, requester, number, elements, digest } = batch;
                let digest = hex::encode(digest);
                format!("{at} evaluated {epoch} {requester} {number} {elements} {digest}")
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (at, rest) = text.split_once(' ')?;
        let at = at.parse().ok()?;
        let (kind, rest) = rest.split_once(' ')?;
        Some(match kind {
            "begun" => Self::Begun { at, origin: rest.to_owned() },
            "resumed" => Self::Resumed { at, origin: rest.to_owned() },
            "evaluated" => Self::Evaluated { at, batch: batch(rest)? },
            _ => return None,
        })
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

fn lost_or_unread(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_path_buf();
    |error| match error.kind() {
        io::ErrorKind::NotFound => JournalError::Lost(path),
        _ => io_fault(&path)(error).into(),
    }
}

fn io_fault(path: &Path) -> impl FnOnce(io::Error) -> LinesError {
    let path = path.to_path_buf();
    |source| LinesError::Io { path, source }
}
