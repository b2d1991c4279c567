//! What files of the state directory do to the disk: a narrow layer, so that a test can fail or kill at
//! every operation.
//!
//! Owns no order of operations: that is `secret_file`'s and the journals' business. Files of redb are
//! `store_file`'s.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

#[cfg(test)]
pub(crate) mod faults;

/// Opens a file, or makes it.
pub(crate) fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    turn(|| ())?;
    options.open(path)
}

/// Writes all of `bytes` where the file stands.
pub(crate) fn write(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    turn(|| drop(file.write_all(&bytes[..bytes.len() / 2])))?;
    file.write_all(bytes)
}

/// Makes what was written durable.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    turn(|| ())?;
    file.sync_all()
}

/// Cuts a file off.
pub(crate) fn cut(file: &File, length: u64) -> io::Result<()> {
    turn(|| ())?;
    file.set_len(length)
}

/// Gives a file another name, in place of the file that has it.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    turn(|| ())?;
    fs::rename(from, to)
}

/// Gives a file a second name that no file has.
pub(crate) fn link(from: &Path, to: &Path) -> io::Result<()> {
    turn(|| ())?;
    fs::hard_link(from, to)
}

/// Removes a file.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    turn(|| ())?;
    fs::remove_file(path)
}

/// Makes a directory that only its owner may look into.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    turn(|| ())?;
    DirBuilder::new().mode(0o700).create(path)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    turn(|| ())?;
    File::open(path)?.sync_all()
}

/// Every operation begins here. In a test it may fail, after `half` of it was done.
#[cfg_attr(not(test), expect(unused_variables, reason = "nothing is done by halves outside tests"))]
fn turn(half: impl FnOnce()) -> io::Result<()> {
    #[cfg(test)]
    faults::turn(half)?;
    Ok(())
}
