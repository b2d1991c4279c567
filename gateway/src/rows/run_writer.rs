//! Writes a run: rows are collected, and in pieces given their checksums and written by a thread beside.
//!
//! Owns that pieces are written one after the other, and that one that was not is never passed over.

use std::{
    io, mem,
    path::Path,
    thread::{Builder, JoinHandle},
};

use super::run::{Block, Listed, Written, block_rows, checksum, file_name};
use crate::disk::{Disk, NewFile};

/// Blocks of a piece. Tests have many small ones.
const PIECE: usize = if cfg!(test) { 3 } else { 64 };

/// A run being written.
pub(super) struct RunWriter {
    number: u64,
    width: usize,
    rows: u64,
    /// The piece that is being collected.
    collected: Vec<u8>,
    beside: Beside,
}

/// What was written so far.
struct Output {
    file: Box<dyn NewFile>,
    index: Vec<Block>,
    /// Bytes of a block.
    block: usize,
    /// The room of the piece that was written last.
    room: Vec<u8>,
}

/// Whoever writes, one piece at a time. Where both are absent, a piece was not written.
struct Beside {
    idle: Option<Output>,
    busy: Option<JoinHandle<io::Result<Output>>>,
}

impl RunWriter {
    pub(super) fn create(
        disk: &dyn Disk,
        directory: &Path,
        (number, width): (u64, usize),
    ) -> io::Result<Self> {
        let file = disk.create(&directory.join(file_name(number)))?;
        let block = block_rows(width) * width;
        let output = Output { file, index: vec![], block, room: vec![] };
        let beside = Beside { idle: Some(output), busy: None };
        Ok(Self { number, width, rows: 0, collected: vec![], beside })
    }

    /// How many rows have been pushed.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a row, given in parts of which the first is the tag. Rows must come in tag order.
    ///
    /// # Errors
    /// The disk's, of this piece or of the one before it.
    pub(super) fn push(&mut self, parts: [&[u8]; 3]) -> io::Result<()> {
        let before = self.collected.len();
        parts.iter().for_each(|part| self.collected.extend_from_slice(part));
        debug_assert_eq!(self.collected.len() - before, self.width);
        self.rows += 1;
        let full = PIECE * block_rows(self.width) * self.width;
        if self.collected.len() < full {
            return Ok(());
        }
        let mut output = self.beside.wait()?;
        let piece = mem::replace(&mut self.collected, mem::take(&mut output.room));
        let writing = Builder::new().name("run-writer".into());
        let writing = writing.spawn(move || output.write(piece).map(|()| output))?;
        self.beside.busy = Some(writing);
        Ok(())
    }

    /// Writes what is left and the index behind the rows.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn finish(mut self) -> io::Result<Written> {
        let mut output = self.beside.wait()?;
        output.write(mem::take(&mut self.collected))?;
        let blocks = output.index.iter();
        let index: Vec<u8> =
            blocks.flat_map(|block| block.first.into_iter().chain(block.checksum)).collect();
        output.file.write(&index)?;
        let width = u32::try_from(self.width).expect("a row is far below 4 GiB");
        let index = *blake3::hash(&index).as_bytes();
        let listed = Listed { number: self.number, rows: self.rows, width, index };
        Ok(Written { listed, file: output.file })
    }
}

impl Output {
    fn write(&mut self, mut piece: Vec<u8>) -> io::Result<()> {
        for block in piece.chunks(self.block) {
            let first = *block.first_chunk().expect("a row begins with its tag");
            self.index.push(Block { first, checksum: checksum(block) });
        }
        self.file.write(&piece)?;
        piece.clear();
        self.room = piece;
        Ok(())
    }
}

impl Beside {
    /// What was written, once it is. Whoever takes it gives it back, or nothing is written any more.
    fn wait(&mut self) -> io::Result<Output> {
        if let Some(writing) = self.busy.take() {
            return writing.join().expect("writing does not panic");
        }
        let lost = || io::Error::other("what comes before it was not written");
        self.idle.take().ok_or_else(lost)
    }
}

/// Nothing writes to a run that was given up.
impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(writing) = self.busy.take() {
            drop(writing.join());
        }
    }
}
