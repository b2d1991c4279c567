//! The last checkpoint that this auditor verified, in a file: whatever the log says later must go on
//! from it.
//!
//! The file is the signed note itself. So where the log contradicts it, the two notes together prove to
//! anybody that the log was forked.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use proto::{
    checkpoint::{Checkpoint, CheckpointError},
    merkle::Hash,
    note::NoteKey,
};

use crate::failure::Failure;

/// What was kept.
pub struct Kept {
    path: PathBuf,
    checkpoint: Option<Checkpoint>,
}

impl Kept {
    /// Reads the file; none is as good as one of an empty log.
    ///
    /// # Errors
    /// [`Failure::State`]; [`Failure::Damaged`] where it is no checkpoint; [`Failure::OtherLog`] where another
    /// key signed what was kept.
    pub fn read(path: PathBuf, log: &NoteKey) -> Result<Self, Failure> {
        let damaged = |problem: String| Failure::Damaged { path: path.clone(), problem };
        let checkpoint = match fs::read_to_string(&path) {
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => None,
                io::ErrorKind::InvalidData => return Err(damaged(error.to_string())),
                _ => return Err(Failure::State { path, problem: error.to_string() }),
            },
            Ok(note) => Some(Checkpoint::open(&note, log).map_err(|error| match error {
                CheckpointError::Origin { .. } | CheckpointError::Signature => {
                    Failure::OtherLog { path: path.clone() }
                }
                error => damaged(error.to_string()),
            })?),
        };
        Ok(Self { path, checkpoint })
    }

    /// The checkpoint, where one was kept.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// Its size; 0 where none was kept.
    pub fn size(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, Checkpoint::size)
    }

    /// Demands that a checkpoint goes on from the one that was kept.
    ///
    /// # Errors
    /// [`Failure::Fork`]; both are then kept as evidence.
    pub fn compare(&self, newer: &Checkpoint, proof: &[Hash]) -> Result<(), Failure> {
        let Some(kept) = &self.checkpoint else { return Ok(()) };
        if newer.head().verify_consistency(&kept.head(), proof).is_ok() {
            return Ok(());
        }
        Err(self.contradicted(newer)?)
    }

    /// What is to be told where the log contradicts what was kept.
    ///
    /// # Errors
    /// [`Failure::State`], where the evidence cannot be written.
    pub fn contradicted(&self, other: &Checkpoint) -> Result<Failure, Failure> {
        let evidence = self.path.with_extension("contradiction");
        write(&evidence, &other.to_string())?;
        Ok(Failure::Fork {
            kept: self.path.clone(),
            kept_size: self.size(),
            other: evidence,
            other_size: other.size(),
        })
    }

    /// Keeps a checkpoint in place of a shorter one.
    ///
    /// # Errors
    /// [`Failure::State`].
    pub fn keep(&self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        if self.checkpoint.is_some() && checkpoint.size() <= self.size() {
            return Ok(());
        }
        write(&self.path, &checkpoint.to_string())
    }
}

/// Whole or not at all, and durable: a checkpoint that was seen must not be forgotten.
fn write(path: &Path, note: &str) -> Result<(), Failure> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let new = path.with_extension("new");
    let written = || {
        fs::create_dir_all(directory)?;
        let mut file = File::create(&new)?;
        file.write_all(note.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(directory)?.sync_all()
    };
    let faulty =
        |error: io::Error| Failure::State { path: path.into(), problem: error.to_string() };
    written().map_err(faulty)
}
