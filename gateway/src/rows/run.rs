//! A run: rows in tag order in one file that never changes.
//!
//! The file is the rows, one after another and each as wide as the others, and behind them an index: the
//! first tag and a checksum of every block of rows. The index stays in memory, 32 bytes for every
//! [`BLOCK`] bytes of rows, and is checked with the digest that `held` has of it; a block is checked whenever
//! it is read. So a byte that changed is found before anybody believes it. A run of bare tags has no
//! rows: it says that these are not listed any more.

use std::{io, ops::Range, path::Path};

use proto::person_secret::LookupTag;

use crate::disk::{Disk, NewFile, StoredFile};

/// Rows that are checked at once, in bytes: enough for BLAKE3 to hash sixteen chunks side by side.
const BLOCK: usize = if cfg!(test) { 256 } else { 16 << 10 };
/// Blocks that are read at once, at most.
const READ: usize = 16;
/// Bytes of a tag, and of a row of a run of deletions.
pub(super) const TAG: usize = 16;
const CHECKSUM: usize = 16;

/// A run as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its file's name. No other run of the dataset ever had it or will have it.
    pub number: u64,
    /// How many rows.
    pub rows: u64,
    /// Bytes of a row, its tag included.
    pub width: u32,
    /// BLAKE3 of the index.
    pub index: [u8; 32],
}

/// A run that can be read.
pub(super) struct Run {
    pub listed: Listed,
    file: Box<dyn StoredFile>,
    index: Vec<Block>,
}

/// A run that is written and not durable yet.
pub(super) struct Written {
    pub listed: Listed,
    pub(super) file: Box<dyn NewFile>,
}

/// A forward reader of one run: tags that are asked for must ascend.
pub(super) struct Reading<'r> {
    run: &'r Run,
    /// Blocks that are in `bytes`.
    blocks: Range<usize>,
    bytes: Vec<u8>,
    /// The row to go on from, counted in `bytes`.
    at: usize,
    /// How many blocks to read next, where they are the next ones.
    ahead: usize,
}

/// What the index has of a block.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub first: [u8; TAG],
    pub checksum: [u8; CHECKSUM],
}

/// Why a run is not read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The disk failed.
    Disk(io::Error),
    /// The file is not what was written.
    Changed(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Changed("the file is gone".into()),
            io::ErrorKind::UnexpectedEof => Self::Changed("the file is shorter than it was".into()),
            _ => Self::Disk(error),
        }
    }
}

impl Listed {
    fn block_rows(&self) -> usize {
        block_rows(self.width as usize)
    }
}

/// Rows of a block.
pub(super) fn block_rows(width: usize) -> usize {
    (BLOCK / width).max(1)
}

/// A run's file.
pub(super) fn file_name(number: u64) -> String {
    format!("{number}.run")
}

impl Written {
    /// Makes the file durable; its name is durable once the directory is.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

impl Run {
    /// Opens a run and checks its index.
    pub(super) fn open(disk: &dyn Disk, directory: &Path, listed: Listed) -> Result<Self, Fault> {
        let file = disk.open(&directory.join(file_name(listed.number)))?;
        let blocks = usize::try_from(listed.rows).ok().map(|r| r.div_ceil(listed.block_rows()));
        let sizes = blocks.and_then(|blocks| {
            let index = blocks.checked_mul(TAG + CHECKSUM)?;
            Some((listed.rows.checked_mul(listed.width.into())?, index))
        });
        let (rows, index) = sizes.ok_or_else(|| Fault::Changed("it cannot be so long".into()))?;
        if file.length()? != rows + index as u64 {
            return Err(Fault::Changed("the file is not as long as it was".into()));
        }
        let mut bytes = vec![0; index];
        file.read_at(rows, &mut bytes)?;
        if *blake3::hash(&bytes).as_bytes() != listed.index {
            return Err(Fault::Changed("its index has changed".into()));
        }
        Ok(Self { listed, file, index: decode(&bytes) })
    }

    /// Begins at the first row.
    pub(super) fn read(&self) -> Reading<'_> {
        Reading { run: self, blocks: 0..0, bytes: vec![], at: 0, ahead: 1 }
    }

    /// Reads every row: they are there, in order, each once.
    pub(super) fn verify(&self) -> Result<(), Fault> {
        let (mut reading, mut last) = (self.read(), None);
        while let Some(row) = reading.next()? {
            let tag: Option<[u8; TAG]> = row.first_chunk().copied();
            if last.is_some() && last >= tag {
                return Err(Fault::Changed("its rows are not in tag order".into()));
            }
            last = tag;
            reading.pass();
        }
        Ok(())
    }

    fn load(&self, blocks: Range<usize>, bytes: &mut Vec<u8>) -> Result<(), Fault> {
        let width = self.listed.width as usize;
        let size = self.listed.block_rows() * width;
        let all = self.listed.rows as usize * width;
        let (start, end) = (blocks.start * size, (blocks.end * size).min(all));
        bytes.resize(end - start, 0);
        self.file.read_at(start as u64, bytes)?;
        for (number, block) in blocks.zip(bytes.chunks(size)) {
            if checksum(block) != self.index[number].checksum {
                return Err(Fault::Changed(format!("its block {number} has changed")));
            }
        }
        Ok(())
    }
}

impl Reading<'_> {
    /// The row with this tag, tag included.
    pub(super) fn seek(&mut self, tag: LookupTag) -> Result<Option<&[u8]>, Fault> {
        if !self.reach(&tag.0)? {
            return Ok(None);
        }
        self.at += self.before(&tag.0);
        Ok(self.row().filter(|row| row[..TAG] == tag.0))
    }

    /// The row after the last one that was given out or passed.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Fault> {
        if self.row().is_none() && self.blocks.end < self.run.index.len() {
            self.load(self.blocks.end)?;
        }
        Ok(self.row())
    }

    /// Passes the row that was given out.
    pub(super) fn pass(&mut self) {
        self.at += 1;
    }

    /// The row that was given out last.
    pub(super) fn row(&self) -> Option<&[u8]> {
        let width = self.run.listed.width as usize;
        self.bytes.get(self.at * width..)?.get(..width)
    }

    /// Loads the block in which the tag would be; there is none where all rows come after it.
    fn reach(&mut self, tag: &[u8; TAG]) -> Result<bool, Fault> {
        let later = &self.run.index[self.blocks.end..];
        if later.first().is_some_and(|block| block.first <= *tag) {
            let within = later.partition_point(|block| block.first <= *tag) - 1;
            self.load(self.blocks.end + within)?;
        }
        Ok(!self.blocks.is_empty())
    }

    fn load(&mut self, block: usize) -> Result<(), Fault> {
        self.ahead = if block == self.blocks.end { (2 * self.ahead).min(READ) } else { 1 };
        let blocks = block..(block + self.ahead).min(self.run.index.len());
        self.run.load(blocks.clone(), &mut self.bytes)?;
        (self.blocks, self.at) = (blocks, 0);
        Ok(())
    }

    /// How many rows from here on have smaller tags, as far as they are loaded.
    fn before(&self, tag: &[u8; TAG]) -> usize {
        let width = self.run.listed.width as usize;
        let rows = &self.bytes[(self.at * width).min(self.bytes.len())..];
        let wanted = u128::from_be_bytes(*tag);
        let smaller = |row: usize| {
            let found = rows[row * width..].first_chunk().expect("a row begins with its tag");
            u128::from_be_bytes(*found) < wanted
        };
        let count = rows.len() / width;
        let (mut low, mut step) = (0, 1);
        while low + step <= count && smaller(low + step - 1) {
            low += step;
            step *= 2;
        }
        let mut high = (low + step - 1).min(count);
        while low < high {
            let middle = low + (high - low) / 2;
            if smaller(middle) { low = middle + 1 } else { high = middle }
        }
        low
    }
}

/// What the index has of a block's rows.
pub(super) fn checksum(block: &[u8]) -> [u8; CHECKSUM] {
    *blake3::hash(block).as_bytes().first_chunk().expect("a hash has 32 bytes")
}

fn decode(bytes: &[u8]) -> Vec<Block> {
    let block = |[first, checksum]: &[[u8; 16]; 2]| Block { first: *first, checksum: *checksum };
    bytes.as_chunks::<16>().0.as_chunks::<2>().0.iter().map(block).collect()
}
