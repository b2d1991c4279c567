//! The journal (PROTOCOL.md section 17.7): entries in the order of their indices, durable before their callers are answered.
//!
//! A segment is a file of frames and is named after its first entry's index. A frame is one batch
//! (`frame`) and is written and synced once. What `sealing` has put into tiles is not needed here any more,
//! and such a segment's file becomes the next segment: to write over what is there and to sync it takes half
//! the time of making a file longer. What a file has from its earlier lives does not count, since a frame
//! says of which segment it is.
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

use super::frame::{NewFrame, begins_frame, find_frame};
use crate::disk::{Disk, NewFile};

/// A segment that is longer than this is followed by another one. Tests have many short ones.
const SEGMENT: usize = if cfg!(test) { 1 << 10 } else { 16 << 20 };
/// So many segments that are not needed any more wait to become the next ones, at most: what is written
/// between two checkpoints at full speed.
const SPARE: usize = 8;

/// The journal, for its one writer.
pub(crate) struct Journal {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    segment: Option<Segment>,
}

/// The segment that is written.
struct Segment {
    first: u64,
    file: Box<dyn NewFile>,
    length: usize,
}

/// What a journal has, read after a start.
pub(crate) struct Replayed {
    /// The entries that are not under the checkpoint, in order.
    pub entries: Vec<Vec<u8>>,
    /// The time of the last entry.
    pub latest: Option<Timestamp>,
    /// There is a part of a batch that was never acknowledged.
    pub torn: bool,
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

    /// Writes a batch and returns once it is durable. Entries before `sealed` are under the checkpoint.
    pub(crate) fn append(&mut self, frame: &mut NewFrame, sealed: u64) -> io::Result<()> {
        let mut segment = match self.segment.take() {
            Some(segment) => segment,
            None => self.begin(frame.first(), sealed)?,
        };
        frame.finish(segment.first);
        // Where this fails the segment stays taken.
        segment.file.write(frame.bytes())?;
        segment.file.sync()?;
        segment.length += frame.bytes().len();
        self.segment = Some(segment).filter(|segment| segment.length < SEGMENT);
        Ok(())
    }

    /// Begins a segment in the file of the oldest one that is not needed any more, or in a new file.
    fn begin(&self, first: u64, sealed: u64) -> io::Result<Segment> {
        let path = self.directory.join(name(first));
        let mut spare = self.spare(sealed)?.into_iter();
        let file = match spare.next() {
            Some(old) => {
                self.disk.rename(&self.directory.join(name(old)), &path)?;
                self.disk.sync_directory(&self.directory)?;
                self.disk.write_over(&path)?
            }
            None => {
                let file = self.disk.create(&path)?;
                self.disk.sync_directory(&self.directory)?;
                file
            }
        };
        spare.skip(SPARE).try_for_each(|old| self.disk.remove(&self.directory.join(name(old))))?;
        Ok(Segment { first, file, length: 0 })
    }

    /// The segments of which every entry is under the checkpoint, the oldest first. The last segment is
    /// not among them: it has the time of the last entry.
    fn spare(&self, sealed: u64) -> io::Result<Vec<u64>> {
        let segments = self.segments()?;
        let needed = |pair: &&[u64]| pair[1] <= sealed;
        Ok(segments.windows(2).take_while(needed).map(|pair| pair[0]).collect())
    }

    /// The first entries' indices, in order.
    fn segments(&self) -> io::Result<Vec<u64>> {
        let names = self.disk.names(&self.directory)?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Every whole batch from entry `sealed` on; those before are under the checkpoint.
    pub(crate) fn replay(&self, sealed: u64) -> Result<Replayed, JournalError> {
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |error| JournalError::Unread { path, error }
        };
        let segments = self.segments().map_err(unread(&self.directory))?;
        let mut replayed = Replayed { entries: Vec::new(), latest: None, torn: false };
        for (at, first) in segments.iter().enumerate() {
            let path = self.directory.join(name(*first));
            let bytes = self.disk.read(&path).map_err(unread(&path))?;
            let lost = |lost| JournalError::Lost { path: path.clone(), lost };
            let superseded = segments.get(at + 1).copied();
            replayed.take((*first, &bytes), sealed, superseded).map_err(lost)?;
        }
        Ok(replayed)
    }
}

impl Replayed {
    /// Takes a segment's frames, up to the index with which the next segment begins.
    fn take(
        &mut self,
        (segment, bytes): (u64, &[u8]),
        sealed: u64,
        superseded: Option<u64>,
    ) -> Result<(), Range<u64>> {
        let mut rest = bytes;
        while let Some((skipped, frame)) = find_frame(rest, segment) {
            let next = sealed + self.entries.len() as u64;
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
        self.torn |= begins_frame(rest, segment);
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
