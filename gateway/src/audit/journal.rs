//! The journal (PROTOCOL.md section 17.7): entries in the order of their indices, durable before their callers are answered.
//!
//! A segment is a file of frames and is named after its first entry's index. A frame is one batch
//! (`frame`) and is written and synced once. What `sealing` has put into tiles is not needed here any more.
//!
//! After a write or a sync that failed nothing is known of the segment's end. So nothing is ever
//! appended to it again: the next batch begins a segment of its own, and frames of the old one from
//! that index on do not count. The callers of a batch that failed were told so; after a crash it may
//! yet be found whole and then counts, as an intent without an act.

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::frame::{NewFrame, find_frame};
use crate::disk::{Disk, NewFile};

/// A segment that is longer than this is followed by another one. Tests have many short ones.
const SEGMENT: usize = if cfg!(test) { 1 << 10 } else { 16 << 20 };
/// The journal, for its one writer.
pub(crate) struct Journal {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    segment: Option<(Box<dyn NewFile>, usize)>,
}

/// What a journal has, read after a start.
pub(crate) struct Replayed {
    /// The entries that are not under the checkpoint, in order.
    pub entries: Vec<Vec<u8>>,
    /// The time of the last entry.
    pub latest: Option<Timestamp>,
    /// Bytes of a batch that was never acknowledged.
    pub torn: usize,
}

/// Why the journal is not used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Bytes changed after they were durable.
    #[error("{} has lost entries {} to {}", path.display(), lost.start, lost.end - 1)]
    Lost {
        /// The segment where they should be.
        path: PathBuf,
        /// Their indices.
        lost: Range<u64>,
    },
    /// It cannot be read.
    #[error("{}: {error}", path.display())]
    Unread {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Journal {
    pub(crate) fn new(disk: Arc<dyn Disk>, directory: PathBuf) -> Self {
        Self { disk, directory, segment: None }
    }

    /// Writes a batch and returns once it is durable.
    pub(crate) fn append(&mut self, frame: &NewFrame) -> io::Result<()> {
        let (mut file, length) = match self.segment.take() {
            Some(segment) => segment,
            None => (self.begin(frame.first())?, 0),
        };
        // Where this fails the segment stays taken.
        file.write(frame.bytes())?;
        file.sync()?;
        let length = length + frame.bytes().len();
        self.segment = (length < SEGMENT).then_some((file, length));
        Ok(())
    }

    fn begin(&self, first: u64) -> io::Result<Box<dyn NewFile>> {
        let file = self.disk.create(&self.directory.join(name(first)))?;
        self.disk.sync_directory(&self.directory)?;
        Ok(file)
    }

    /// Every whole batch from entry `sealed` on; those before are under the checkpoint.
    pub(crate) fn replay(&self, sealed: u64) -> Result<Replayed, JournalError> {
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |error| JournalError::Unread { path, error }
        };
        let names = self.disk.names(&self.directory).map_err(unread(&self.directory))?;
        let segments: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let mut replayed = Replayed { entries: Vec::new(), latest: None, torn: 0 };
        for (at, first) in segments.iter().enumerate() {
            let path = self.directory.join(name(*first));
            let bytes = self.disk.read(&path).map_err(unread(&path))?;
            let lost = |lost| JournalError::Lost { path: path.clone(), lost };
            let superseded = segments.get(at + 1).copied();
            replayed.take(&bytes, sealed, superseded).map_err(lost)?;
        }
        Ok(replayed)
    }

    /// Removes segments of which every entry is under the checkpoint. The last segment stays: it
    /// has the time of the last entry.
    pub(crate) fn trim(disk: &dyn Disk, directory: &Path, sealed: u64) -> io::Result<()> {
        let names = disk.names(directory)?;
        let segments: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        for pair in segments.windows(2).filter(|pair| pair[1] <= sealed) {
            disk.remove(&directory.join(name(pair[0])))?;
        }
        Ok(())
    }
}

impl Replayed {
    /// Takes a segment's frames, up to the index with which the next segment begins.
    fn take(
        &mut self,
        segment: &[u8],
        sealed: u64,
        superseded: Option<u64>,
    ) -> Result<(), Range<u64>> {
        let mut rest = segment;
        while !rest.is_empty() {
            let next = sealed + self.entries.len() as u64;
            let Some((skipped, frame)) = find_frame(rest) else {
                self.torn = rest.len();
                break;
            };
            rest = &rest[skipped + frame.length..];
            if superseded.is_some_and(|superseded| frame.first >= superseded) {
                continue;
            }
            if frame.first > next {
                return Err(next..frame.first);
            }
            self.latest = self.latest.max(Some(frame.at));
            let known = usize::try_from(next - frame.first).unwrap_or(usize::MAX);
            self.entries.extend(frame.entries.iter().skip(known).map(|entry| entry.to_vec()));
        }
        let next = sealed + self.entries.len() as u64;
        match superseded {
            Some(superseded) if superseded > next => Err(next..superseded),
            _ => Ok(()),
        }
    }
}

fn name(first: u64) -> String {
    format!("{first:020}")
}
