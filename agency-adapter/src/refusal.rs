//! The one place where this program's errors become refusals on the wire.

use proto::{fault::Reason, name::DatasetId, scope::ScopeError};
use tonic::Status;

use crate::{
    disclosure::refused::Refused,
    key_holder::{account::AccountError, holder::Refusal},
    resume::FromTheFuture,
    version_log::StoreError,
    witness::{acts::ActsError, cosigning, gate::Stopped},
};

/// The caller is not the programme's gateway.
pub fn not_the_gateway() -> Status {
    Reason::NotPermitted.status("only the programme's gateway may call this adapter")
}

/// The message is for another scope, or for the one before a new manifest.
pub fn scope(error: &ScopeError) -> Status {
    Reason::WrongScope.status(error.to_string())
}

/// A field that cannot be used.
pub fn argument(problem: impl std::fmt::Display) -> Status {
    Reason::InvalidArgument.status(problem.to_string())
}

/// Not a dataset of this adapter, or not of the kind that the call is for.
pub fn unknown_dataset(kind: &str) -> Status {
    Reason::UnknownDataset.status(format!(
        "this adapter has no {kind} dataset of that name: compare the gateway's policy with the \
         adapter's configuration"
    ))
}

/// Nothing can be sent yet.
pub fn not_loaded(dataset: &DatasetId, problem: Option<&str>) -> Status {
    let problem = problem.unwrap_or("it is being read for the first time");
    Reason::NotLoaded.status(format!("dataset {dataset} is not published: {problem}"))
}

/// The gateway is ahead of the log.
pub fn from_the_future(error: &FromTheFuture) -> Status {
    Reason::CursorFromTheFuture.status(error.to_string())
}

/// The store failed. Its words go to the log, not to the caller.
pub fn store(error: &StoreError) -> Status {
    tracing::error!(problem = %error, "reading the version store failed");
    Reason::StoreUnavailable
        .status("the adapter's version store failed: its IT department finds why in its log")
}

/// There is evidence of a fork.
pub fn stopped(stopped: &Stopped) -> Status {
    Reason::LogForked.status(stopped.to_string())
}

/// The witness does not cosign, or take in what it is shown.
pub fn witness(refused: &cosigning::Refused) -> Status {
    use cosigning::Refused;
    match refused {
        Refused::Stopped(reason) => stopped(reason),
        Refused::Fault(fault) => {
            tracing::error!(problem = %fault, "the witness's files failed");
            Reason::StoreUnavailable
                .status("the adapter's witness failed: its IT department finds why in its log")
        }
        Refused::Checkpoint(_) | Refused::OldSize | Refused::Proof | Refused::Entry { .. } => {
            tracing::warn!(problem = %refused, "the witness refused");
            argument(refused)
        }
    }
}

/// What is to be served cannot be remembered.
pub fn acts(error: &ActsError) -> Status {
    tracing::error!(problem = %error, "nothing is served that cannot be remembered");
    Reason::StoreUnavailable
        .status("the adapter's state directory failed: its IT department finds why in its log")
}

/// What was given back cannot be kept.
pub fn returns(error: &std::io::Error) -> Status {
    tracing::error!(problem = %error, "returned_orders.csv cannot be written");
    Reason::StoreUnavailable
        .status("the adapter's state directory failed: its IT department finds why in its log")
}

/// As many requests as can be at work are at work.
pub fn busy(what: &str) -> Status {
    Reason::Busy
        .status(format!("the adapter has as many {what} at work as it can take: try again later"))
}

/// A batch that is not evaluated. What only this agency's staff may know goes to the log.
pub fn evaluation(refused: &Refusal) -> Status {
    let reason = match refused {
        Refusal::Scope(_) => Reason::WrongScope,
        Refusal::OtherHolder(_) | Refusal::Elements(_) => Reason::InvalidArgument,
        Refusal::UnknownRequester(_) => Reason::NotPermitted,
        Refusal::Signature(_) => Reason::BadSignature,
        Refusal::Account(AccountError::Quota { .. }) => Reason::QuotaExceeded,
        Refusal::Account(AccountError::OtherBatch(_)) => Reason::ReplayMismatch,
        Refusal::Account(AccountError::TooOld { .. }) => Reason::NumberTooOld,
        Refusal::Share(error) => {
            tracing::error!(problem = %error, "no usable key share");
            return Reason::NoKeyShare.status(
                "the key holder has no usable share of this epoch's key: its IT department runs `doctor`",
            );
        }
        Refusal::Journal(error) => {
            tracing::error!(problem = %error, "an evaluation cannot be written down, so it is not made");
            return Reason::StoreUnavailable.status(
                "the key holder cannot write its journal: its IT department finds why in its log",
            );
        }
    };
    tracing::warn!(problem = %refused, "an evaluation request was refused");
    reason.status(refused.to_string())
}

/// Nothing is disclosed. What only this agency's staff may know goes to the log.
pub fn disclosure(refused: &Refused) -> Status {
    let text = match refused {
        Refused::Journal(_) => {
            "the agency's journal failed: its IT department finds why in its log".into()
        }
        Refused::Source(_) | Refused::TooLong => {
            "the agency's source cannot be read now: its IT department finds why in its log".into()
        }
        Refused::Authority(_) => {
            "the agency cannot check officers' certificates: its IT department runs `doctor`".into()
        }
        told => told.to_string(),
    };
    refused.reason().status(text)
}

/// A defect of ours.
pub fn internal() -> Status {
    Reason::Internal.status("the adapter failed: its IT department finds why in its log")
}
