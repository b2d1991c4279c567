//! The one file that turns the gateway's errors into statuses. Inner text stays in the log.

use proto::fault::Reason;
use tonic::Status;

use crate::{
    alerts::AlertsError,
    audit::{log::ReadError, recorder::Unrecorded},
    notify::outbox::OutboxError,
    policy::PolicyError,
    policy_in_force::ReloadError,
    statistics::records::RecordsError,
};

/// A call that cannot be answered.
#[derive(Debug)]
pub enum Refusal {
    /// A field has a value that it cannot have; the caller's fault.
    Argument(String),
    /// Nothing there that the caller may see.
    NotFound(&'static str),
    /// A rule or policy that does not check; the caller's fault.
    Policy(String),
    /// Another was faster: who, and what they did.
    OutOfDate(String),
    /// What is in the way now.
    NotPossible(String),
    /// The caller may not, although the role may.
    NotPermitted(&'static str),
    /// A disclosure that must not go on; the caller's fault.
    Disclosure(Reason, String),
    /// Try again.
    Busy(&'static str),
    /// Our disk.
    Store(String),
    /// Ours.
    Internal(&'static str),
}

impl From<AlertsError> for Refusal {
    fn from(error: AlertsError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<OutboxError> for Refusal {
    fn from(error: OutboxError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<RecordsError> for Refusal {
    fn from(error: RecordsError) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<Unrecorded> for Refusal {
    fn from(error: Unrecorded) -> Self {
        Self::Store(error.to_string())
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Beyond { .. } => Self::Busy(
                "no checkpoint of the log reaches so far yet: try again in a second; an index \
                 beyond the end of the log never gets one",
            ),
            ReadError::Fault(_) => Self::Store(error.to_string()),
        }
    }
}

impl From<PolicyError> for Refusal {
    fn from(error: PolicyError) -> Self {
        Self::Policy(error.to_string())
    }
}

impl From<ReloadError> for Refusal {
    fn from(error: ReloadError) -> Self {
        match error {
            ReloadError::Invalid { error, .. } => {
                Self::Policy(format!("{error}; the policy in force stays"))
            }
            ReloadError::Programme { .. } => {
                Self::Policy("it is for another programme; the policy in force stays".into())
            }
            ReloadError::Unrecorded(error) => error.into(),
            ReloadError::Unreadable { .. } => {
                tracing::error!(%error, "the policy stays as it was");
                Self::Internal("the policy file cannot be read")
            }
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Argument(text) => Reason::InvalidArgument.status(text),
            Refusal::NotFound(text) => Reason::NotFound.status(text),
            Refusal::Policy(text) => Reason::InvalidPolicy.status(text),
            Refusal::OutOfDate(text) => Reason::OutOfDate.status(text),
            Refusal::NotPossible(text) => Reason::NotPossibleNow.status(text),
            Refusal::NotPermitted(text) => Reason::NotPermitted.status(text),
            Refusal::Disclosure(reason, text) => reason.status(text),
            Refusal::Busy(text) => Reason::Busy.status(text),
            Refusal::Store(text) => {
                tracing::error!(problem = text, "a call met a failing store");
                Reason::StoreUnavailable.status(
                    "the gateway's disk does not answer: tell its administrator, and try later",
                )
            }
            Refusal::Internal(text) => {
                tracing::error!(problem = text, "a call met a defect");
                Reason::Internal.status("the gateway failed: tell its administrator")
            }
        }
    }
}
