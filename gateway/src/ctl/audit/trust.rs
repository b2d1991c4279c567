//! Whom an auditor believes: the federation manifest's keys or those in files, and the last checkpoint that was kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proto::{
    checkpoint::Checkpoint,
    manifest::Manifest,
    merkle::Hash,
    note::NoteKey,
    quorum::{NotCosigned, Quorum},
    signed_manifest::SignedManifest,
    verifier_key::{self, Signs},
};

use super::kept::Kept;
use crate::{arguments::Keys, config::Config, failure::Failure};

/// An auditor: trusts nobody but the agencies whose keys are in the manifest, or were given by file.
pub struct Auditor {
    quorum: Quorum,
    kept: Kept,
}

/// How far the agencies vouch for a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witnessed {
    /// So many witnesses cosigned.
    pub signed: usize,
    /// So many must.
    pub needed: usize,
}

impl Witnessed {
    /// Whether the quorum cosigned.
    pub fn is_enough(self) -> bool {
        self.signed >= self.needed
    }
}

impl Auditor {
    /// Reads the keys and what was kept. The keys are those in the files named, or in the manifest
    /// named, or else in the one that the configuration names; the checkpoint is kept in the state
    /// file named, or else in the home directory.
    ///
    /// # Errors
    /// [`Failure`] with what to mend.
    pub fn find(
        keys: &Keys,
        config: Option<&Config>,
        home: Option<&Path>,
    ) -> Result<Self, Failure> {
        let quorum = match &keys.log_key {
            Some(log) => of_files(log, &keys.witness_key, keys.quorum.unwrap_or_default())?,
            None => {
                let configured = || config.and_then(|config| config.manifest.as_deref());
                let named = keys.manifest.as_deref().or_else(configured);
                quorum(named.ok_or(Failure::NoManifest)?)?
            }
        };
        let path = match (&keys.state, home) {
            (Some(state), _) => state.clone(),
            (None, Some(home)) => kept_below(home, quorum.log()),
            (None, None) => {
                return Err(Failure::Usage("without a home directory --state is needed".into()));
            }
        };
        let kept = Kept::read(path, quorum.log())?;
        Ok(Self { quorum, kept })
    }

    /// The keys.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// The last checkpoint kept.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Takes a checkpoint that goes on from the one that was kept, and keeps it.
    ///
    /// # Errors
    /// [`Failure::Unproven`], or [`Failure::Fork`] where it contradicts what was kept.
    pub fn take(&self, note: &str, since_known: &[Hash]) -> Result<Checkpoint, Failure> {
        let checkpoint = self.open(note)?;
        self.kept.compare(&checkpoint, since_known)?;
        self.kept.keep(&checkpoint)?;
        Ok(checkpoint)
    }

    /// Reads a checkpoint of the log.
    ///
    /// # Errors
    /// [`Failure::Unproven`].
    pub fn open(&self, note: &str) -> Result<Checkpoint, Failure> {
        Checkpoint::open(note, self.quorum.log()).map_err(Failure::unproven)
    }

    /// How many witnesses cosigned.
    pub fn witnessed(&self, checkpoint: &Checkpoint) -> Witnessed {
        let signed = self.quorum.cosigners(checkpoint).len();
        Witnessed { signed, needed: self.quorum.needed() }
    }

    /// Demands that the quorum cosigned.
    ///
    /// # Errors
    /// [`Failure::Unproven`].
    pub fn demand_quorum(&self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        match self.quorum.verify(checkpoint.clone()) {
            Ok(_) => Ok(()),
            Err(error @ NotCosigned::TooFew { .. }) => Err(Failure::unproven(error)),
            Err(NotCosigned::Checkpoint(error)) => Err(Failure::unproven(error)),
        }
    }
}

/// Where the checkpoints of a log are kept.
fn kept_below(home: &Path, log: &NoteKey) -> PathBuf {
    let name = log.name.as_str().replace('/', "-");
    home.join(".local/state/gatewayctl").join(format!("{name}.checkpoint"))
}

/// The keys in files, each a line as C2SP signed-note has it.
fn of_files(log: &Path, witnesses: &[PathBuf], needed: usize) -> Result<Quorum, Failure> {
    let read = |path: &Path, signs| {
        let faulty = |problem: String| Failure::Usage(format!("{}: {problem}", path.display()));
        let line = fs::read_to_string(path).map_err(|error| faulty(error.to_string()))?;
        verifier_key::read(&line, signs).map_err(|error| faulty(error.to_string()))
    };
    let log = read(log, Signs::Log)?;
    let witnesses =
        witnesses.iter().map(|path| read(path, Signs::Witness)).collect::<Result<_, _>>()?;
    Quorum::of_keys(log, witnesses, needed).map_err(|error| Failure::Usage(error.to_string()))
}

/// The keys in a manifest that enough of its own holders signed.
///
/// # Errors
/// [`Failure::Manifest`].
pub fn quorum(path: &Path) -> Result<Quorum, Failure> {
    Ok(Quorum::of_manifest(&manifest(path)?))
}

/// A manifest that enough of its own holders signed.
///
/// # Errors
/// [`Failure::Manifest`].
pub fn manifest(path: &Path) -> Result<Manifest, Failure> {
    let faulty = |problem: String| Failure::Manifest { path: path.into(), problem };
    let text = fs::read_to_string(path).map_err(|error| faulty(error.to_string()))?;
    let signed = SignedManifest::parse(&text).map_err(|error| faulty(error.to_string()))?;
    signed.accept(None).map_err(|error| faulty(error.to_string()))?;
    Ok(signed.manifest().clone())
}
