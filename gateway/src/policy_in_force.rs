//! The policy that is in force, and how another takes its place without a restart.
//!
//! A policy that does not check is refused and the old one stays. History is kept by `alerts`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use proto::{act::Act, entry::Actor, hex_bytes::HexBytes, name::ProgrammeId};
use tokio::sync::watch;

use crate::{
    audit::recorder::{Recorder, Unrecorded},
    policy::{Policy, PolicyError},
};

/// The current policy and where to read the next.
pub struct PolicyInForce {
    path: PathBuf,
    programme: ProgrammeId,
    current: watch::Sender<InForce>,
}

#[derive(Clone)]
struct InForce {
    policy: Arc<Policy>,
    /// Grows whenever what data means changes: everything received must then be read anew.
    generation: u64,
}

/// Why a policy is not taken into force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file cannot be read.
    #[error("cannot read the policy {path}: {error}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// It does not check.
    #[error("{path}: {error}")]
    Invalid {
        /// Which file.
        path: String,
        /// Line, column, and what was expected.
        error: PolicyError,
    },
    /// Not in the access log, and so not in force.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// For another programme.
    #[error("{path} is for programme {got}, and the federation manifest is for {expected}")]
    Programme {
        /// Which file.
        path: String,
        /// The policy's.
        got: ProgrammeId,
        /// The manifest's.
        expected: ProgrammeId,
    },
}

impl PolicyInForce {
    /// Reads the first policy.
    ///
    /// # Errors
    /// [`ReloadError`].
    pub fn read(path: &Path, programme: &ProgrammeId) -> Result<Self, ReloadError> {
        let policy = Arc::new(read(path, programme)?);
        let current = watch::channel(InForce { policy, generation: 1 }).0;
        Ok(Self { path: path.to_owned(), programme: programme.clone(), current })
    }

    /// Reads the file again. What comes of it is logged before it is in force.
    ///
    /// # Errors
    /// [`ReloadError`]; then the old policy stays.
    pub async fn reload(
        &self,
        recorder: &Recorder,
        by: &Actor,
    ) -> Result<Arc<Policy>, ReloadError> {
        recorder.record(by, Act::PolicyRead {}).await?;
        let policy = match read(&self.path, &self.programme) {
            Ok(policy) => Arc::new(policy),
            Err(error) => {
                recorder.record(by, Act::PolicyRefused {}).await?;
                return Err(error);
            }
        };
        let rules = u32::try_from(policy.rules.len()).unwrap_or(u32::MAX);
        let policy_version = HexBytes(policy.version);
        recorder.record(by, Act::PolicyInForce { policy: policy_version, rules }).await?;
        self.current.send_modify(|current| {
            if !current.policy.catalogue.means_the_same(&policy.catalogue) {
                current.generation += 1;
            }
            current.policy = policy.clone();
        });
        Ok(policy)
    }

    /// The policy now.
    pub fn current(&self) -> Arc<Policy> {
        self.current.borrow().policy.clone()
    }

    /// The catalogue's generation now.
    pub fn generation(&self) -> u64 {
        self.current.borrow().generation
    }

    /// Both at one moment.
    pub fn current_with_generation(&self) -> (Arc<Policy>, u64) {
        let current = self.current.borrow();
        (current.policy.clone(), current.generation)
    }

    /// Tells when another policy came into force.
    pub fn subscribe(&self) -> PolicyChanges {
        PolicyChanges(self.current.subscribe())
    }
}

/// Tells of changes only.
pub struct PolicyChanges(watch::Receiver<InForce>);

impl PolicyChanges {
    /// Waits for the next change; for ever where the gateway is stopping.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// Takes everything up to now for known.
    pub fn mark_unchanged(&mut self) {
        self.0.mark_unchanged();
    }
}

fn read(path: &Path, programme: &ProgrammeId) -> Result<Policy, ReloadError> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| ReloadError::Unreadable { path: name(), error })?;
    let policy =
        Policy::parse(&text).map_err(|error| ReloadError::Invalid { path: name(), error })?;
    if policy.programme == *programme {
        Ok(policy)
    } else {
        let (got, expected) = (policy.programme, programme.clone());
        Err(ReloadError::Programme { path: name(), got, expected })
    }
}
