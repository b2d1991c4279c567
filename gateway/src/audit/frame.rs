//! A frame of the journal: one batch of entries in the form of a bundle, with its segment, its place, its
//! time and a checksum. Whether it is durable is `journal`'s business.

use std::ops::Range;

use jiff::Timestamp;
use proto::tile::{EntryTooLong, push_entry, split_entries};

/// Begins every frame.
const MARK: &[u8; 8] = b"\x89LOG\r\n\x1a\n";
/// Mark, segment, first index, time, number of entries, length of the entries.
const HEADER: usize = 8 + 8 + 8 + 8 + 4 + 4;
const CHECKSUM: usize = 32;

/// A batch before it is written. The entries stay where they are in its bytes, also afterwards.
pub(crate) struct NewFrame {
    first: u64,
    bytes: Vec<u8>,
    entries: Vec<Range<usize>>,
}

/// A whole frame that was read.
pub(crate) struct Frame<'a> {
    pub first: u64,
    pub at: Timestamp,
    pub entries: Vec<&'a [u8]>,
    pub length: usize,
}

impl NewFrame {
    /// Without entries as yet, and with room for so many bytes.
    pub(crate) fn new(first: u64, at: Timestamp, room: usize) -> Self {
        let mut bytes = Vec::with_capacity(room);
        bytes.extend_from_slice(MARK);
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&first.to_be_bytes());
        bytes.extend_from_slice(&at.as_microsecond().to_be_bytes());
        bytes.resize(HEADER, 0);
        Self { first, bytes, entries: Vec::new() }
    }

    /// Adds an entry.
    pub(crate) fn push(&mut self, entry: &[u8]) -> Result<(), EntryTooLong> {
        push_entry(&mut self.bytes, entry)?;
        self.entries.push(self.bytes.len() - entry.len()..self.bytes.len());
        Ok(())
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes entries back, but for the first `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.entries.truncate(len);
        self.bytes.truncate(self.entries.last().map_or(HEADER, |last| last.end));
    }

    /// Fills in what is known only at the end: the segment that it is written to is one of it. Nothing may
    /// be added after it.
    pub(crate) fn finish(&mut self, segment: u64) {
        self.bytes[MARK.len()..MARK.len() + 8].copy_from_slice(&segment.to_be_bytes());
        let few = "callers append few entries at a time";
        let count = u32::try_from(self.entries.len()).expect(few);
        let length = u32::try_from(self.bytes.len() - HEADER).expect(few);
        self.bytes[HEADER - 8..HEADER - 4].copy_from_slice(&count.to_be_bytes());
        self.bytes[HEADER - 4..HEADER].copy_from_slice(&length.to_be_bytes());
        let checksum = blake3::hash(&self.bytes);
        self.bytes.extend_from_slice(checksum.as_bytes());
    }

    /// The index of its first entry.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// What is written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is written, and where the entries are in it.
    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<Range<usize>>) {
        (self.bytes, self.entries)
    }
}

/// Whether a frame of this segment begins here, whole or not.
pub(crate) fn begins_frame(bytes: &[u8], segment: u64) -> bool {
    bytes.strip_prefix(MARK).is_some_and(|rest| rest.starts_with(&segment.to_be_bytes()))
}

/// The first whole frame of this segment, and how many bytes before it are none.
pub(crate) fn find_frame(bytes: &[u8], segment: u64) -> Option<(usize, Frame<'_>)> {
    let mut skipped = 0;
    loop {
        if begins_frame(&bytes[skipped..], segment)
            && let Some(frame) = read_frame(&bytes[skipped..])
        {
            return Some((skipped, frame));
        }
        let after = bytes.get(skipped + 1..)?;
        skipped += 1 + after.windows(MARK.len()).position(|window| window == MARK)?;
    }
}

fn read_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let (_, rest) = bytes.split_at_checked(MARK.len() + 8)?;
    let (first, rest) = rest.split_first_chunk()?;
    let (at, rest) = rest.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (bundle, rest) = rest.split_at_checked(length)?;
    let (checksum, _) = rest.split_first_chunk::<CHECKSUM>()?;
    let whole = *blake3::hash(&bytes[..HEADER + length]).as_bytes() == *checksum;
    let count = usize::try_from(u32::from_be_bytes(*count)).ok()?;
    whole.then_some(())?;
    Some(Frame {
        first: u64::from_be_bytes(*first),
        at: Timestamp::from_microsecond(i64::from_be_bytes(*at)).ok()?,
        entries: split_entries(bundle, count).ok()?,
        length: HEADER + length + CHECKSUM,
    })
}
