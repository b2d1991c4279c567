//! Whether this adapter serves the gateway: not while it holds evidence of a fork that no operator has
//! reported (PROTOCOL.md section 18.3).
//!
//! `agency-adapter witness resume` opens the gate from another process, so a closed one looks again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::{secret_file::SecretFileError, witness::evidence::Evidence};

/// The gate before everything that is served.
pub struct Gate {
    evidence: Evidence,
    stop: CancellationToken,
    state: Mutex<State>,
}

enum State {
    /// What is served ends when the token is cancelled.
    Open(CancellationToken),
    /// Until the evidence is reported.
    Closed,
    /// The evidence could not be kept: until a restart, after which the same fork is seen again.
    Stuck,
}

/// Nothing is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this adapter saw the gateway's log fork and keeps the evidence: its operator reports it and then \
     runs `agency-adapter witness resume`"
)]
pub struct Stopped;

impl Gate {
    /// Open, unless there is evidence that was not reported. Everything that was let through ends with
    /// `stop`.
    ///
    /// # Errors
    /// [`SecretFileError`].
    pub fn new(evidence: Evidence, stop: CancellationToken) -> Result<Self, SecretFileError> {
        let state = if is_reported(&evidence)? {
            State::Open(stop.child_token())
        } else {
            tracing::error!("nothing is served: there is evidence of a fork that was not reported");
            State::Closed
        };
        Ok(Self { evidence, stop, state: Mutex::new(state) })
    }

    /// Lets something be served until the token is cancelled.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn pass(&self) -> Result<CancellationToken, Stopped> {
        let mut state = self.lock();
        // A directory that cannot be read is no reason to serve again.
        if matches!(*state, State::Closed) && is_reported(&self.evidence).unwrap_or(false) {
            tracing::warn!("serving again: an operator says that the fork was reported");
            *state = State::Open(self.stop.child_token());
        }
        match &*state {
            State::Open(token) => Ok(token.clone()),
            State::Closed | State::Stuck => Err(Stopped),
        }
    }

    /// Ends everything that is being served. `kept` says whether the evidence is on the disk.
    pub fn close(&self, kept: bool) {
        let mut state = self.lock();
        if let State::Open(token) = &*state {
            token.cancel();
        }
        *state = if kept { State::Closed } else { State::Stuck };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_reported(evidence: &Evidence) -> Result<bool, SecretFileError> {
    Ok(evidence.cases()?.iter().all(|case| case.reported))
}
