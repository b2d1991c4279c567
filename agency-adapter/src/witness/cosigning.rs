//! The witness: cosigns a checkpoint of the gateway's log if it continues the last one it cosigned, and
//! takes in the entries about its own acts (PROTOCOL.md section 18, C2SP tlog-witness).
//!
//! Checking against the last checkpoint and keeping the new one is one step under one lock, and the
//! file is on the disk before the cosignature is made. A crash in between leaves a witness that knows
//! more than it said: the gateway asks again, is told the size, and goes on from there.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use proto::{
    checkpoint::{Checkpoint, CheckpointError},
    cosignature::cosign,
    merkle::{BadProof, TreeHead},
    name::AgencyId,
    note::{KeyName, NoteKey},
    quorum::{Quorum, witness_name},
    signing::SigningKey,
    wire,
    witness::{Answer, Showing, Submission},
};
use tokio_util::sync::CancellationToken;

use crate::{
    agency::Agency,
    clock::Clock,
    secret_file::{self, SecretFileError},
    witness::{
        acts::{ActsError, Overdue, OwnActs},
        evidence::Evidence,
        gate::{Gate, Stopped},
        own_act::OwnAct,
    },
};

/// One adapter's witness.
pub struct Witness {
    state_dir: PathBuf,
    clock: Clock,
    checking: Mutex<()>,
    evidence: Evidence,
    /// Whether anything is served.
    pub gate: Gate,
    /// What was served.
    pub acts: OwnActs,
}

/// Whom a witness trusts and as whom it signs, as the present manifest says.
pub struct Standing<'a> {
    /// The log.
    pub log: NoteKey,
    /// Whose witness it is.
    pub agency: &'a AgencyId,
    /// Its name on cosignatures.
    pub name: KeyName,
    /// Its witness key.
    pub key: &'a SigningKey,
}

/// Why the witness's files cannot be used. Ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum WitnessFault {
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// What was served cannot be kept.
    #[error(transparent)]
    Acts(#[from] ActsError),
    /// The last checkpoint is not one of the log's.
    #[error(
        "{} is damaged: restore it from a backup, also an old one. Without it this witness would vouch \
         for a log that forgot what it said",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// Why the witness does not cosign, or take in what it is shown.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nothing is served.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Not the log's checkpoint: nobody but the log's key can accuse the log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The old size is larger than the checkpoint's.
    #[error("the old size is larger than the checkpoint's")]
    OldSize,
    /// Hashes where none belong.
    #[error(
        "the proof from an empty log, or to the same size, has no hashes, and a log of size 0 has the \
         root of the empty tree"
    )]
    Proof,
    /// A proof for an entry that does not lead to the checkpoint.
    #[error("entry {index}: {source}")]
    Entry {
        /// Its index.
        index: u64,
        /// What is wrong.
        source: BadProof,
    },
    /// Our own files.
    #[error(transparent)]
    Fault(#[from] WitnessFault),
}

impl<'a> Standing<'a> {
    /// What an agency's manifest and keys say.
    pub fn of(agency: &'a Agency) -> Self {
        Self {
            log: Quorum::of_manifest(&agency.manifest).log().clone(),
            agency: &agency.id,
            name: witness_name(&agency.manifest.scope.programme, &agency.id),
            key: &agency.keys.witness,
        }
    }

    /// Its own key under its name.
    pub fn note_key(&self) -> NoteKey {
        NoteKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The log's key: what is remembered is remembered of it.
    fn log_id(&self) -> String {
        hex::encode(self.log.key.0)
    }
}

impl Witness {
    /// Opens what the state directory holds. What is served ends with `stop`, or with a fork.
    ///
    /// # Errors
    /// [`WitnessFault`].
    pub fn open(
        state_dir: &Path,
        clock: Clock,
        stop: CancellationToken,
    ) -> Result<Self, WitnessFault> {
        let evidence = Evidence::new(state_dir);
        Ok(Self {
            state_dir: state_dir.into(),
            clock,
            checking: Mutex::default(),
            gate: Gate::new(evidence.clone(), stop)?,
            acts: OwnActs::open(state_dir)?,
            evidence,
        })
    }

    /// Cosigns a checkpoint that continues the last one, which it then is. Blocks on the disk.
    ///
    /// # Errors
    /// [`Refused`]. Of a contradiction the evidence is kept, and nothing is served any more.
    pub fn add_checkpoint(
        &self,
        standing: &Standing<'_>,
        submission: &Submission,
    ) -> Result<Answer, Refused> {
        let _one_at_a_time = self.checking.lock().unwrap_or_else(PoisonError::into_inner);
        self.gate.pass()?;
        let shown = Checkpoint::of_note(submission.checkpoint.clone(), &standing.log)?;
        let last = last_checkpoint(&self.state_dir, &standing.log)?;
        let known = last.as_ref().map_or_else(TreeHead::empty, Checkpoint::head);
        // Two roots of one size are a fork whatever the rest of the call says.
        if let Some(last) = last.as_ref().filter(|last| last.size() == shown.size())
            && last.head() != shown.head()
        {
            return Err(self.forked(last, submission));
        }
        if submission.old_size > shown.size() {
            return Err(Refused::OldSize);
        }
        if submission.old_size != known.size {
            return Ok(Answer::KnownSize(known.size));
        }
        if shown.head().verify_consistency(&known, &submission.proof).is_err() {
            // From nothing, or to the same, every tree is consistent: only the call was wrong.
            return match &last {
                Some(last) if known.size > 0 && shown.head() != known => {
                    Err(self.forked(last, submission))
                }
                _ => Err(Refused::Proof),
            };
        }
        keep_checkpoint(&self.state_dir, &standing.log, &shown)?;
        let signer = (&standing.name, standing.key);
        Ok(Answer::Cosignature(cosign(&shown, signer, self.clock.now())))
    }

    /// Notes something that is about to be served, so that the log must account for it. Says whether
    /// that is new.
    ///
    /// # Errors
    /// [`ActsError`]: it must then not be served.
    pub fn note(&self, act: OwnAct) -> Result<bool, ActsError> {
        self.acts.note(act, self.clock.now())
    }

    /// What the log does not account for in time.
    ///
    /// # Errors
    /// [`ActsError`].
    pub fn overdue(&self) -> Result<Overdue, ActsError> {
        self.acts.overdue(self.clock.now())
    }

    /// Takes in entries about this agency's acts: all of them or, where one is not proven, none.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn show_entries(
        &self,
        standing: &Standing<'_>,
        showing: &Showing,
    ) -> Result<wire::ShowEntriesResponse, Refused> {
        let _one_at_a_time = self.checking.lock().unwrap_or_else(PoisonError::into_inner);
        self.gate.pass()?;
        let last = last_checkpoint(&self.state_dir, &standing.log)?;
        let known = last.as_ref().map_or_else(TreeHead::empty, Checkpoint::head);
        let log = standing.log_id();
        if showing.size == known.size && showing.from == self.acts.shown_until(&log) {
            let mut accounted = vec![];
            for shown in &showing.entries {
                known
                    .verify_inclusion(&shown.entry, shown.index, &shown.proof)
                    .map_err(|source| Refused::Entry { index: shown.index, source })?;
                accounted.extend(OwnAct::accounted(&shown.entry, standing.agency));
            }
            let until = (log.as_str(), showing.until);
            self.acts.settle(until, &accounted).map_err(WitnessFault::from)?;
        }
        let shown_until = self.acts.shown_until(&log);
        Ok(wire::ShowEntriesResponse { shown_until, known_size: known.size })
    }

    fn forked(&self, known: &Checkpoint, submission: &Submission) -> Refused {
        let kept = self.evidence.keep(known, submission);
        match &kept {
            Ok(()) => tracing::error!(
                known = known.size(),
                "THE GATEWAY'S LOG FORKED. Nothing is served any more. Both checkpoints are in the \
                 directory evidence of the state directory: report them to the federation"
            ),
            Err(error) => tracing::error!(
                problem = %error,
                known = %known,
                shown = %submission,
                "THE GATEWAY'S LOG FORKED, and the evidence could not be written. Nothing is served \
                 any more. Keep this line: it is the evidence"
            ),
        }
        self.gate.close(kept.is_ok());
        Stopped.into()
    }
}

/// The last checkpoint of this log that was cosigned.
///
/// # Errors
/// [`WitnessFault`].
pub fn last_checkpoint(
    state_dir: &Path,
    log: &NoteKey,
) -> Result<Option<Checkpoint>, WitnessFault> {
    let path = checkpoint_file(state_dir, log);
    match fs::read_to_string(&path) {
        Ok(note) => {
            Checkpoint::open(&note, log).map(Some).map_err(|_| WitnessFault::Damaged { path })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(WitnessFault::Damaged { path })
        }
        Err(source) => Err(SecretFileError::Io { path, source }.into()),
    }
}

fn keep_checkpoint(
    state_dir: &Path,
    log: &NoteKey,
    checkpoint: &Checkpoint,
) -> Result<(), WitnessFault> {
    let path = checkpoint_file(state_dir, log);
    Ok(secret_file::replace(&path, checkpoint.to_string().as_bytes())?)
}

/// One for each key: a manifest with a new key of the log begins a new log, and one that names the old
/// key again finds what was known of it.
fn checkpoint_file(state_dir: &Path, log: &NoteKey) -> PathBuf {
    state_dir.join("witness").join(format!("{}.checkpoint", hex::encode(&log.key.0[..8])))
}
