//! What happens to a case, the handling of one alert, as the access log has it (PROTOCOL.md section
//! 19.2).
//!
//! Ids, codes, numbers and times only. Which event may follow which is the gateway's state machine; who
//! did it, and when, is the entry's.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    alert_id::AlertId,
    hex_bytes::HexBytes,
    name::{AgencyId, DatasetId},
    region_code::RegionCode,
};

/// An event. Times are whole seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are what they are called; section 19.2 lists them")]
pub enum CaseEvent {
    /// The alert says that somebody should be visited.
    Opened { due_at: Timestamp },
    /// Something unknown decides whether it does.
    Waiting {},
    /// Another case of the same subject and rule was closed a short time ago.
    Suppressed { until: Timestamp },
    /// It is given to a region.
    Routed { region: RegionCode, tier: Tier, due_at: Timestamp },
    /// It is given to one officer of its region.
    Assigned { officer: AgencyId, due_at: Timestamp },
    /// The officer whose act it is takes it, and visits by then.
    Acknowledged { due_at: Timestamp },
    /// It is not for who had it; the tier decides by then.
    Returned { reason: ReturnReason, tier: Tier, due_at: Timestamp },
    /// A deadline passed: the tier above looks to it.
    Escalated { missed: Deadline, tier: Tier, due_at: Timestamp },
    /// A work order about the same person joins it.
    HelpRequested { agency: AgencyId, dataset: DatasetId, order: u64, urgency: Urgency },
    /// It goes on in another case of the same person.
    JoinedTo { alert: AlertId },
    /// A work order goes back to who sent it.
    OrderReturned { dataset: DatasetId, order: u64, reason: ReturnReason },
    /// The officer asks for the person's contact details.
    DisclosureAsked { disclosure: HexBytes<16> },
    /// They were disclosed to the officer.
    Disclosed { disclosure: HexBytes<16>, emergency: bool },
    /// The person was visited; what is to be done is decided by then.
    Visited { on: Date, due_at: Timestamp },
    /// Relief was given before the papers, which are complete by then.
    ReliefFirst { kind: AssistanceKind, papers_due_at: Timestamp },
    /// They are complete.
    PapersCompleted {},
    /// Assistance was given.
    AssistanceGiven { kind: AssistanceKind },
    /// What came of the visit.
    OutcomeRecorded { outcome: Outcome },
    /// The facts changed: the alert is withdrawn.
    Withdrawn {},
    /// It begins anew.
    Reopened { due_at: Timestamp },
    /// Nothing more is to be done; another case of the same subject and rule is not raised until then.
    Closed { until: Timestamp },
}

impl CaseEvent {
    /// The word for it: its key in an entry.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Waiting {} => "waiting",
            Self::Suppressed { .. } => "suppressed",
            Self::Routed { .. } => "routed",
            Self::Assigned { .. } => "assigned",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Returned { .. } => "returned",
            Self::Escalated { .. } => "escalated",
            Self::HelpRequested { .. } => "help_requested",
            Self::JoinedTo { .. } => "joined_to",
            Self::OrderReturned { .. } => "order_returned",
            Self::DisclosureAsked { .. } => "disclosure_asked",
            Self::Disclosed { .. } => "disclosed",
            Self::Visited { .. } => "visited",
            Self::ReliefFirst { .. } => "relief_first",
            Self::PapersCompleted {} => "papers_completed",
            Self::AssistanceGiven { .. } => "assistance_given",
            Self::OutcomeRecorded { .. } => "outcome_recorded",
            Self::Withdrawn {} => "withdrawn",
            Self::Reopened { .. } => "reopened",
            Self::Closed { .. } => "closed",
        }
    }
}

/// Who looks to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "PROTOCOL.md section 19.5 says what they mean")]
pub enum Tier {
    Worker,
    Street,
    District,
}

/// What is due at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "PROTOCOL.md section 19.5 says what they mean")]
pub enum Deadline {
    Acknowledge,
    Visit,
    Decide,
    Papers,
}

/// Why a case or a work order is not for who has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "codes are what they are called; section 19.2 lists them")]
pub enum ReturnReason {
    WrongRegion,
    MovedAway,
    NotOurDuty,
    Duplicate,
    Unreachable,
}

/// What came of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "codes are what they are called; section 19.2 lists them")]
pub enum Outcome {
    Dibao,
    Marginal,
    RigidExpenditure,
    TemporaryRelief,
    Referral,
    OtherHelp,
    NoNeed,
    NotFound,
}

/// What was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "codes are what they are called; section 19.2 lists them")]
pub enum AssistanceKind {
    Money,
    Goods,
    Service,
    TimeBank,
}

/// How urgent a work order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "codes are what they are called; section 19.2 lists them")]
pub enum Urgency {
    Routine,
    Urgent,
    Emergency,
}
