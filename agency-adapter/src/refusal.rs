//! The one place where this program's errors become refusals on the wire.

use proto::{fault::Reason, name::DatasetId, scope::ScopeError};
use tonic::Status;

use crate::{
    resume::FromTheFuture,
    version_log::StoreError,
    witness::{acts::ActsError, cosigning::Refused, gate::Stopped},
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
pub fn witness(refused: &Refused) -> Status {
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

/// A defect of ours.
pub fn internal() -> Status {
    Reason::Internal.status("the adapter failed: its IT department finds why in its log")
}
