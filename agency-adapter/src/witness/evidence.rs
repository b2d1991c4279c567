//! Evidence that the gateway's log forked: both checkpoints, in a directory of their own, for ever.
//!
//! Owns the files. A case that no operator has reported keeps the adapter from serving; that is
//! `gate`'s business.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use proto::{checkpoint::Checkpoint, witness::Submission};

use crate::secret_file::{self, SecretFileError};

/// The checkpoint that this witness cosigned last.
const KNOWN: &str = "known";
/// What was shown later: the body of an add-checkpoint call of C2SP tlog-witness.
const SHOWN: &str = "shown";
/// There once an operator says that the case was reported.
const REPORTED: &str = "reported";

/// The directory `evidence` of the state directory.
#[derive(Debug, Clone)]
pub struct Evidence(PathBuf);

/// One fork.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Case {
    /// The file with the later checkpoint and the proof that does not hold; beside it `.known`, the
    /// earlier checkpoint.
    pub file: PathBuf,
    /// Whether an operator says that it was reported.
    pub reported: bool,
}

impl Evidence {
    /// The evidence in this state directory.
    pub fn new(state_dir: &Path) -> Self {
        Self(state_dir.join("evidence"))
    }

    /// Keeps a contradiction, durably. The same one again is no further case.
    ///
    /// # Errors
    /// [`SecretFileError`].
    pub fn keep(&self, known: &Checkpoint, submission: &Submission) -> Result<(), SecretFileError> {
        let digest = blake3::hash(submission.checkpoint.text().as_bytes()).to_hex();
        let case = self.0.join(format!("{}-{}", known.size(), &digest[..16]));
        secret_file::replace(&case.with_extension(KNOWN), known.to_string().as_bytes())?;
        // Last: a case is there with both of its files or not at all.
        secret_file::replace(&case.with_extension(SHOWN), submission.to_string().as_bytes())
    }

    /// All cases.
    ///
    /// # Errors
    /// [`SecretFileError`].
    pub fn cases(&self) -> Result<Vec<Case>, SecretFileError> {
        let fault = |source| SecretFileError::Io { path: self.0.clone(), source };
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(fault(error)),
        };
        let mut cases = BTreeMap::new();
        for entry in entries {
            let file = entry.map_err(fault)?.path();
            if file.extension().is_some_and(|extension| extension == SHOWN) {
                let reported = file.with_extension(REPORTED).exists();
                cases.insert(file.clone(), Case { file, reported });
            }
        }
        Ok(cases.into_values().collect())
    }

    /// Remembers that an operator has reported every case there is; how many that were not before.
    ///
    /// # Errors
    /// [`SecretFileError`].
    pub fn report(&self) -> Result<usize, SecretFileError> {
        let open: Vec<Case> = self.cases()?.into_iter().filter(|case| !case.reported).collect();
        for case in &open {
            secret_file::replace(&case.file.with_extension(REPORTED), b"")?;
        }
        Ok(open.len())
    }
}
