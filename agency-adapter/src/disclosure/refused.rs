//! Why nothing is disclosed. None of it holds a value of the source.

use proto::{
    contact::ContactField, fault::Reason, name::AgencyId, officer_certificate::NotAnOfficer,
};

use super::{journal::JournalError, policy::Hours, witnessed::NotWitnessed};
use crate::load_error::LoadError;

/// A refusal, in the order of PROTOCOL.md section 21.4.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A field that does not fit another.
    #[error("{0}")]
    Argument(&'static str),
    /// Not this agency's, or not disclosed from.
    #[error("this agency discloses nothing of such a dataset")]
    Dataset,
    /// Our own manifest or revocation list.
    #[error("officers' certificates cannot be checked: {0}")]
    Authority(String),
    /// Who asks is no officer.
    #[error("who asks: {0}")]
    Officer(NotAnOfficer),
    /// It is somebody else's certificate.
    #[error("the request names {named} as who asks, and {signed} signed it")]
    OtherOfficer {
        /// In the request.
        named: AgencyId,
        /// By the certificate.
        signed: AgencyId,
    },
    /// Who approves is no officer.
    #[error("who approves: {0}")]
    Approver(NotAnOfficer),
    /// One person for two.
    #[error("{0} cannot approve it: whoever asks, or approved already, is not somebody else")]
    SelfApproved(AgencyId),
    /// Too late.
    #[error("the request has expired: ask anew")]
    Expired,
    /// The log.
    #[error("the request is not in the witnessed log: {0}")]
    NotWitnessed(#[from] NotWitnessed),
    /// This agency's policy.
    #[error("this agency does not disclose the field {}", .0.as_str())]
    Field(ContactField),
    /// This agency's policy.
    #[error("this agency discloses from {0} o'clock only, except in an emergency")]
    Hours(Hours),
    /// This agency's policy.
    #[error("this agency discloses nothing without approval, not even in an emergency")]
    NoEmergencies,
    /// Nothing is published of it yet.
    #[error("the dataset is not published yet")]
    NotLoaded,
    /// The source failed.
    #[error("the source cannot be read: {0}")]
    Source(#[from] LoadError),
    /// A text in the source is too long to be one.
    #[error("the source has a text of more than 400 bytes for this person")]
    TooLong,
    /// Somebody else's subject.
    #[error("the dataset does not list this subject")]
    NotListed,
    /// More people must agree.
    #[error("{needed} must approve, and {have} did")]
    TooFewApprovers {
        /// By the agency's policy.
        needed: usize,
        /// Different people.
        have: usize,
    },
    /// The nonce.
    #[error("the request was answered before: ask anew")]
    Replayed,
    /// The rate.
    #[error("{officer} had {had} disclosures of this agency today, and more are not given")]
    TooMany {
        /// Who asks.
        officer: AgencyId,
        /// Today.
        had: u32,
    },
    /// The disk.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The officer's key cannot be encrypted to.
    #[error("the officer's key in the request cannot be used")]
    Key,
}

impl Refused {
    /// The reason on the wire.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Argument(_) | Self::Key => Reason::InvalidArgument,
            Self::Dataset => Reason::UnknownDataset,
            Self::Officer(NotAnOfficer::Signature) | Self::Approver(NotAnOfficer::Signature) => {
                Reason::BadSignature
            }
            Self::Authority(_)
            | Self::Officer(_)
            | Self::OtherOfficer { .. }
            | Self::Approver(_) => Reason::NotAnOfficer,
            Self::SelfApproved(_) => Reason::SelfApproved,
            Self::Expired => Reason::Expired,
            Self::NotWitnessed(_) => Reason::NotWitnessed,
            Self::Field(_) | Self::Hours(_) | Self::NoEmergencies => Reason::AgainstPolicy,
            Self::NotLoaded | Self::Source(_) | Self::TooLong => Reason::NotLoaded,
            Self::NotListed => Reason::NotFound,
            Self::TooFewApprovers { .. } => Reason::TooFewApprovers,
            Self::Replayed => Reason::Replayed,
            Self::TooMany { .. } => Reason::QuotaExceeded,
            Self::Journal(_) => Reason::StoreUnavailable,
        }
    }
}
