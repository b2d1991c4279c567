//! A text file of lines that only grows, and that can be read while it is written: what a journal of this
//! agency is kept in. A line is on the disk before what it tells of leaves.
//!
//! Each line ends with a check over itself and the one before. One that a crash left half written is
//! recognised and cut off; any other that does not check was written by nobody here, and is told. What
//! lines mean is the business of whoever keeps a journal.

use std::{
    fs::{File, TryLockError},
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use crate::disk;

/// The open file; nobody else can open it to write.
pub struct CheckedLines {
    path: PathBuf,
    file: File,
    /// Up to where lines are whole.
    length: u64,
    check: Check,
    /// A failed write could not be taken back: nothing may be written after it.
    broken: bool,
}

/// Why the file cannot be used. Ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The disk.
    #[error("{}: {source}. If the disk is full, make room", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Another process writes to it.
    #[error("{} is held by a running `agency-adapter serve`: stop that first", .0.display())]
    Held(PathBuf),
    /// A line that nobody wrote so.
    #[error(
        "{} is damaged in line {line}: stop the adapter and restore the file from the latest backup",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
}

type Check = [u8; 8];

impl CheckedLines {
    /// Takes a file, shows the text of every line to `each`, which says whether it means anything, and
    /// cuts off what a crash left half written.
    ///
    /// # Errors
    /// [`LinesError`].
    pub fn open(
        path: &Path,
        file: File,
        each: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Self, LinesError> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LinesError::Held(path.into())),
            Err(TryLockError::Error(error)) => return Err(io_fault(path)(error)),
        }
        let (length, check) = whole(path, &file, each)?;
        let mut lines = Self { path: path.into(), file, length, check, broken: false };
        lines.cut().map_err(io_fault(path))?;
        Ok(lines)
    }

    /// Shows every line of a file that may be in use. What is just being written is left out.
    ///
    /// # Errors
    /// [`LinesError`].
    pub fn read(
        path: &Path,
        file: &File,
        each: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(), LinesError> {
        whole(path, file, each).map(drop)
    }

    /// Writes a line and waits until the disk has it. Where that fails, the line is taken back.
    ///
    /// # Errors
    /// [`LinesError::Io`].
    pub fn append(&mut self, text: &str) -> Result<(), LinesError> {
        if self.broken {
            let source = io::Error::other("an earlier write failed; restart the adapter");
            return Err(io_fault(&self.path)(source));
        }
        let check = check(self.check, text);
        let line = format!("{text} {}\n", hex::encode(check));
        let written = disk::write(&self.file, line.as_bytes());
        let written = written.and_then(|()| disk::sync(&self.file));
        if let Err(source) = written {
            self.broken = self.cut().is_err();
            return Err(io_fault(&self.path)(source));
        }
        self.length += line.len() as u64;
        self.check = check;
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() > self.length {
            disk::cut(&self.file, self.length)?;
            disk::sync(&self.file)?;
        }
        self.file.seek(SeekFrom::Start(self.length)).map(drop)
    }
}

/// Up to where lines are whole, and the last one's check.
fn whole(
    path: &Path,
    file: &File,
    each: &mut dyn FnMut(&str) -> bool,
) -> Result<(u64, Check), LinesError> {
    let (mut length, mut last) = (0, [0; 8]);
    let (mut lines, mut line) = (BufReader::new(file), vec![]);
    for number in 1.. {
        line.clear();
        let bytes = lines.read_until(b'\n', &mut line).map_err(io_fault(path))?;
        // Only the last line can be one that was never finished.
        if !line.ends_with(b"\n") {
            break;
        }
        let damaged = || LinesError::Damaged { path: path.into(), line: number };
        let (text, next) = parse(&line, last).ok_or_else(damaged)?;
        if !each(text) {
            return Err(damaged());
        }
        length += bytes as u64;
        last = next;
    }
    Ok((length, last))
}

fn parse(line: &[u8], before: Check) -> Option<(&str, Check)> {
    let (text, shown) = str::from_utf8(line).ok()?.strip_suffix('\n')?.rsplit_once(' ')?;
    let check = check(before, text);
    (hex::encode(check) == shown).then_some((text, check))
}

fn check(before: Check, text: &str) -> Check {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&before).update(text.as_bytes());
    *hasher.finalize().as_bytes().first_chunk().expect("a hash is longer")
}

fn io_fault(path: &Path) -> impl FnOnce(io::Error) -> LinesError {
    let path = path.to_path_buf();
    |source| LinesError::Io { path, source }
}
