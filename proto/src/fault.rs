//! Refusals as they cross the wire: a closed set of reasons with whose fault each is (PROTOCOL.md
//! section 12).
//!
//! Each program has one file that turns its own errors into these; inner text never leaves it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

const DOMAIN: &str = "matching.v1";

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// The message is for another programme, epoch or suite.
    WrongScope,
    /// No such dataset here.
    UnknownDataset,
    /// The cursor names a version that the log has not reached.
    CursorFromTheFuture,
    /// The dataset has not been loaded yet.
    NotLoaded,
    /// A field has a value that it cannot have.
    InvalidArgument,
    /// No such alert or rule, or none that the caller may see.
    NotFound,
    /// The caller's certificate names nobody who is registered for this call.
    NotPermitted,
    /// A policy or rule that does not check.
    InvalidPolicy,
    /// A limit was reached; try again later.
    Busy,
    /// The adapter saw the gateway's log fork and serves it no longer.
    LogForked,
    /// A signature is not that of the agency it names.
    BadSignature,
    /// The agency has used the evaluations that the manifest allows it in the epoch.
    QuotaExceeded,
    /// The number of an evaluation request was used for other elements.
    ReplayMismatch,
    /// The number of an evaluation request is below those that the holder still knows.
    NumberTooOld,
    /// The agency that is asked has no key share of the epoch.
    NoKeyShare,
    /// The key holder is not connected, or did not answer in time.
    HolderUnavailable,
    /// A signature on a disclosure is not that of an officer of the programme.
    NotAnOfficer,
    /// Who asks for a disclosure approves it too, or somebody approves it twice.
    SelfApproved,
    /// Fewer people approved than the agency asks for.
    TooFewApprovers,
    /// The request was good until earlier.
    Expired,
    /// The request was answered before.
    Replayed,
    /// No checkpoint that enough witnesses cosigned shows that the log has it.
    NotWitnessed,
    /// The agency's own policy does not allow it.
    AgainstPolicy,
    /// A disk is full or failing; reads go on.
    StoreUnavailable,
    /// The step is based on what was so before another's step.
    OutOfDate,
    /// The case is in a stage, or with somebody, where this cannot be done.
    NotPossibleNow,
    /// A defect or an outage of ours.
    Internal,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 27] = [
        Self::WrongScope,
        Self::UnknownDataset,
        Self::CursorFromTheFuture,
        Self::NotLoaded,
        Self::InvalidArgument,
        Self::NotFound,
        Self::NotPermitted,
        Self::InvalidPolicy,
        Self::Busy,
        Self::LogForked,
        Self::BadSignature,
        Self::QuotaExceeded,
        Self::ReplayMismatch,
        Self::NumberTooOld,
        Self::NoKeyShare,
        Self::HolderUnavailable,
        Self::NotAnOfficer,
        Self::SelfApproved,
        Self::TooFewApprovers,
        Self::Expired,
        Self::Replayed,
        Self::NotWitnessed,
        Self::AgainstPolicy,
        Self::StoreUnavailable,
        Self::OutOfDate,
        Self::NotPossibleNow,
        Self::Internal,
    ];

    /// The reason with this word on the wire.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongScope => "WRONG_SCOPE",
            Self::UnknownDataset => "UNKNOWN_DATASET",
            Self::CursorFromTheFuture => "CURSOR_FROM_THE_FUTURE",
            Self::NotLoaded => "NOT_LOADED",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::NotFound => "NOT_FOUND",
            Self::NotPermitted => "NOT_PERMITTED",
            Self::InvalidPolicy => "INVALID_POLICY",
            Self::Busy => "BUSY",
            Self::LogForked => "LOG_FORKED",
            Self::BadSignature => "BAD_SIGNATURE",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::ReplayMismatch => "REPLAY_MISMATCH",
            Self::NumberTooOld => "NUMBER_TOO_OLD",
            Self::NoKeyShare => "NO_KEY_SHARE",
            Self::HolderUnavailable => "HOLDER_UNAVAILABLE",
            Self::NotAnOfficer => "NOT_AN_OFFICER",
            Self::SelfApproved => "SELF_APPROVED",
            Self::TooFewApprovers => "TOO_FEW_APPROVERS",
            Self::Expired => "EXPIRED",
            Self::Replayed => "REPLAYED",
            Self::NotWitnessed => "NOT_WITNESSED",
            Self::AgainstPolicy => "AGAINST_POLICY",
            Self::StoreUnavailable => "STORE_UNAVAILABLE",
            Self::OutOfDate => "OUT_OF_DATE",
            Self::NotPossibleNow => "NOT_POSSIBLE_NOW",
            Self::Internal => "INTERNAL",
        }
    }

    fn code(self) -> Code {
        match self {
            Self::WrongScope
            | Self::CursorFromTheFuture
            | Self::NotLoaded
            | Self::LogForked
            | Self::ReplayMismatch
            | Self::NumberTooOld
            | Self::OutOfDate
            | Self::NotPossibleNow
            | Self::NoKeyShare
            | Self::TooFewApprovers
            | Self::Expired
            | Self::Replayed
            | Self::NotWitnessed => Code::FailedPrecondition,
            Self::InvalidArgument | Self::InvalidPolicy => Code::InvalidArgument,
            Self::UnknownDataset | Self::NotFound => Code::NotFound,
            Self::NotPermitted
            | Self::BadSignature
            | Self::NotAnOfficer
            | Self::SelfApproved
            | Self::AgainstPolicy => Code::PermissionDenied,
            Self::Busy | Self::QuotaExceeded => Code::ResourceExhausted,
            Self::StoreUnavailable | Self::HolderUnavailable => Code::Unavailable,
            Self::Internal => Code::Internal,
        }
    }

    /// A status with this reason in a google.rpc.ErrorInfo, and `message` for people.
    pub fn status(self, message: impl Into<String>) -> Status {
        let details = ErrorDetails::with_error_info(self.as_str(), DOMAIN, HashMap::new());
        Status::with_error_details(self.code(), message, details)
    }
}

/// The reason in a status that another party of the protocol made.
pub fn reason_of(status: &Status) -> Option<String> {
    status.get_details_error_info().filter(|i| i.domain == DOMAIN).map(|info| info.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_survives_the_wire() {
        let status = Reason::CursorFromTheFuture.status("the store was restored");
        assert_eq!(reason_of(&status).as_deref(), Some("CURSOR_FROM_THE_FUTURE"));
        assert_eq!(reason_of(&Status::internal("other")), None);
    }

    #[test]
    fn every_reason_is_found_by_its_word() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.as_str()), Some(reason));
            let in_json = serde_json::to_string(&reason).expect("plain data");
            assert_eq!(in_json, format!("\"{}\"", reason.as_str()));
        }
        assert_eq!(Reason::from_name("OTHER"), None);
    }
}
