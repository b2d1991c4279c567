//! What everything derived is scoped to: programme, epoch and suite (PROTOCOL.md section 2).

use crate::{name::ProgrammeId, wire};

/// How a root is computed from an identifier. Closed: a new suite is a new version of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Suite {
    /// root = BLAKE3 of the identifier. The weaker suite.
    SaltedHash,
    /// root = RFC 9497 VOPRF output under a threshold key.
    Oprf,
}

impl Suite {
    /// The byte that stands for the suite in hashed and signed bytes; equal to its wire number.
    pub fn to_byte(self) -> u8 {
        match self {
            Self::SaltedHash => 1,
            Self::Oprf => 2,
        }
    }
}

/// Programme, key period and suite.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The legal purpose under which matching is done.
    pub programme: ProgrammeId,
    /// The key period.
    pub epoch: u32,
    /// How roots are computed.
    pub suite: Suite,
}

/// Why a message's scope was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The message carries no scope, or one that is not well formed.
    #[error("the message names no programme, epoch and suite")]
    Missing,
    /// It belongs to something else.
    #[error("the message is for {got}, and this is {expected}: compare both federation manifests")]
    Other {
        /// The message's.
        got: String,
        /// The receiver's.
        expected: String,
    },
}

impl std::fmt::Display for Suite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SaltedHash => "salted-hash",
            Self::Oprf => "oprf",
        })
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "programme {} epoch {} suite {}", self.programme, self.epoch, self.suite)
    }
}

impl Scope {
    /// Accepts a message's scope only if it is this one.
    ///
    /// # Errors
    /// [`ScopeError`] where it is missing or another.
    pub fn accept(&self, message: Option<wire::Scope>) -> Result<(), ScopeError> {
        let got = Self::try_from(message.ok_or(ScopeError::Missing)?)?;
        if got == *self {
            Ok(())
        } else {
            Err(ScopeError::Other { got: got.to_string(), expected: self.to_string() })
        }
    }
}

impl TryFrom<wire::Scope> for Scope {
    type Error = ScopeError;

    fn try_from(scope: wire::Scope) -> Result<Self, ScopeError> {
        let suite = match scope.suite() {
            wire::Suite::SaltedHash => Suite::SaltedHash,
            wire::Suite::Oprf => Suite::Oprf,
            wire::Suite::Unspecified => return Err(ScopeError::Missing),
        };
        let programme = scope.programme.parse().map_err(|_| ScopeError::Missing)?;
        Ok(Self { programme, epoch: scope.epoch, suite })
    }
}

impl From<&Scope> for wire::Scope {
    fn from(scope: &Scope) -> Self {
        Self {
            programme: scope.programme.to_string(),
            epoch: scope.epoch,
            suite: i32::from(scope.suite.to_byte()),
        }
    }
}
