//! The closed set of acts that the access log has entries of (PROTOCOL.md section 17.2).
//!
//! Ids, digests and counts only: no type here can hold a text that somebody typed. Who did it, and
//! when, is `entry`'s.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    alert_id::AlertId,
    case_event::CaseEvent,
    contact::ContactField,
    disclosure_request::{DisclosureId, LegalBasis, Purpose},
    fault::Reason,
    group_fault::GroupFault,
    hex_bytes::HexBytes,
    method_name::MethodName,
    name::{AgencyId, DatasetId, RuleId, TargetId},
};

/// What was about to be done, or what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are what they are called; section 17.2 lists them")]
pub enum Act {
    /// The gateway started. Alert changes above `revision` that were logged before never came about.
    Started {
        /// BLAKE3 of gateway.toml: officers and roles are in it.
        configuration: HexBytes<32>,
        /// SHA-256 of the federation manifest's text: its fingerprint.
        manifest: HexBytes<32>,
        manifest_version: u32,
        policy: HexBytes<32>,
        epoch: u32,
        revision: u64,
    },
    /// The gateway was told to stop.
    Stopping {},
    /// The acts of the entries from `first` up to `end`, exclusive, did not come about.
    Failed { first: u64, end: u64 },
    /// The log can be written again; so many acts did not happen because it could not.
    LogResumed { acts: u64 },
    /// Another federation manifest is in force.
    ManifestAccepted { manifest: HexBytes<32>, manifest_version: u32 },
    /// Alerts belong to another epoch from now on.
    EpochChanged { from: u32, to: u32 },
    /// The TLS files are read again.
    TlsFilesRead {},
    /// The policy file is read again; what came of it follows.
    PolicyRead {},
    /// A policy is in force.
    PolicyInForce { policy: HexBytes<32>, rules: u32 },
    /// The policy file did not check; the policy in force stays.
    PolicyRefused {},
    /// A group of sealed rows is taken over.
    SyncAccepted {
        agency: AgencyId,
        dataset: DatasetId,
        epoch: u32,
        /// The cursor after it.
        log: HexBytes<16>,
        version: u32,
        rows: u64,
        deleted: u64,
    },
    /// A group of released subjects is taken over.
    ReleaseUsed {
        agency: AgencyId,
        dataset: DatasetId,
        epoch: u32,
        /// The cursor after it.
        log: HexBytes<16>,
        version: u32,
        subjects: u64,
        deleted: u64,
    },
    /// A group of sealed rows was not taken over.
    SyncRefused {
        agency: AgencyId,
        dataset: DatasetId,
        epoch: u32,
        /// The cursor to which it leads.
        log: HexBytes<16>,
        version: u32,
        fault: GroupFault,
    },
    /// A group of released subjects was not taken over.
    ReleaseRefused {
        agency: AgencyId,
        dataset: DatasetId,
        epoch: u32,
        /// The cursor to which it leads.
        log: HexBytes<16>,
        version: u32,
        fault: GroupFault,
    },
    /// Salt grants are delivered to an agency.
    GrantsCarried { grantee: AgencyId, epoch: u32, datasets: Vec<DatasetId> },
    /// Batches of blinded elements were carried to a key holder since the last such entry.
    EvaluationsRelayed {
        requester: AgencyId,
        holder: AgencyId,
        epoch: u32,
        batches: u64,
        elements: u64,
        /// Batches that the holder refused, or that did not reach it.
        refused: u64,
    },
    /// Work orders are brought back to the agency whose hotline took them.
    OrdersReturned { agency: AgencyId, dataset: DatasetId, orders: Vec<u64> },
    /// The rules were run over the base; `changed` alerts change, told by the entries that follow.
    RulesRun { policy: HexBytes<32>, epoch: u32, subjects: u64, changed: u64 },
    /// An alert is made or changes its state.
    AlertChanged {
        alert: AlertId,
        rule: RuleId,
        rule_version: HexBytes<32>,
        state: AlertState,
        revision: u64,
    },
    /// An event of a case, the `number`th since it began.
    CaseChanged { alert: AlertId, number: u64, event: CaseEvent },
    /// Cases are followed from here on. Their events that entries from `after` up to this one told of,
    /// `after` included, never came about.
    CasesFollowed { after: u64 },
    /// A page of cases is shown.
    CasesListed { alerts: Vec<AlertId> },
    /// One case is shown with its history.
    CaseRead { alert: AlertId },
    /// A page of alerts is shown.
    AlertsListed { alerts: Vec<AlertId> },
    /// One alert is shown with its explanation.
    AlertRead { alert: AlertId },
    /// Changes of alerts are watched from now on.
    WatchOpened { after: u64 },
    /// Changed alerts are shown to who watches.
    AlertsDelivered { alerts: Vec<AlertId>, revision: u64 },
    /// A rule is tried out; `rule` is absent where it is not one of the policy's.
    DryRun { rule: Option<RuleId>, rule_version: HexBytes<32> },
    /// The rules are shown.
    RulesListed { count: u64 },
    /// The agencies and their connections are shown.
    AgenciesListed { count: u64 },
    /// The datasets are shown.
    DatasetsListed { count: u64 },
    /// The salt grants are shown.
    GrantsListed { count: u64 },
    /// The epochs are shown.
    EpochsListed { count: u64 },
    /// The callers whose calls were refused are shown.
    RefusalsListed { count: u64 },
    /// Notices about cases go to a target, for the `attempt`th time.
    NotificationSent {
        notification: HexBytes<16>,
        target: TargetId,
        alerts: Vec<AlertId>,
        attempt: u32,
    },
    /// They are tried no more until somebody says so.
    NotificationParked { notification: HexBytes<16>, target: TargetId },
    /// Notifications are shown.
    NotificationsListed { count: u64 },
    /// Parked notifications are tried again.
    NotificationsRetried { count: u64 },
    /// The counts of a day are shown; `digest` is the SHA-256 of the content.
    ScreeningRead { date: Date, digest: HexBytes<32> },
    /// The report of the month that begins on `month` is shown.
    StatisticsRead { month: Date, digest: HexBytes<32> },
    /// The entries from `first` up to `end`, exclusive, are shown.
    LogRead { first: u64, end: u64 },
    /// A proof of one entry is shown, and the entry.
    ReceiptGiven { index: u64 },
    /// An officer asks for the contact details of an alert's subject.
    DisclosureRequested {
        disclosure: DisclosureId,
        alert: AlertId,
        agency: AgencyId,
        dataset: DatasetId,
        fields: Vec<ContactField>,
        purpose: Purpose,
        legal_basis: LegalBasis,
        /// It is carried without an approver, and reviewed afterwards.
        emergency: bool,
        /// The request's digest.
        request: HexBytes<32>,
    },
    /// Somebody else approves it.
    DisclosureApproved { disclosure: DisclosureId, alert: AlertId, request: HexBytes<32> },
    /// Somebody else refuses it.
    DisclosureRefused { disclosure: DisclosureId, alert: AlertId },
    /// It goes to the agency, which answers only where the witnessed log says this.
    DisclosureCarried {
        disclosure: DisclosureId,
        alert: AlertId,
        agency: AgencyId,
        dataset: DatasetId,
        emergency: bool,
        request: HexBytes<32>,
        approvers: Vec<AgencyId>,
    },
    /// The agency answered; only the officer can open it.
    DisclosureAnswered { disclosure: DisclosureId, alert: AlertId, agency: AgencyId },
    /// The agency refused, or could not be asked in time.
    DisclosureDeclined {
        disclosure: DisclosureId,
        alert: AlertId,
        agency: AgencyId,
        reason: Reason,
    },
    /// The officer fetches the answer.
    DisclosureCollected { disclosure: DisclosureId, alert: AlertId },
    /// Somebody else reviewed an emergency.
    DisclosureReviewed { disclosure: DisclosureId, alert: AlertId, finding: ReviewFinding },
    /// Disclosures are shown.
    DisclosuresListed { count: u64 },
    /// Calls were refused.
    CallsRefused { method: Option<MethodName>, reason: Reason, count: u64 },
}

/// Where an alert is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "PROTOCOL.md section 10.4 says what they mean")]
pub enum AlertState {
    Open,
    Pending,
    Incomplete,
    Withdrawn,
}

/// What the review of an emergency came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewFinding {
    /// It was one.
    Justified,
    /// It was none.
    Unjustified,
}

/// The words of all acts.
pub const WORDS: [&str; 52] = [
    "started",
    "stopping",
    "failed",
    "log_resumed",
    "manifest_accepted",
    "epoch_changed",
    "tls_files_read",
    "policy_read",
    "policy_in_force",
    "policy_refused",
    "sync_accepted",
    "release_used",
    "sync_refused",
    "release_refused",
    "grants_carried",
    "evaluations_relayed",
    "orders_returned",
    "rules_run",
    "alert_changed",
    "case_changed",
    "cases_followed",
    "cases_listed",
    "case_read",
    "alerts_listed",
    "alert_read",
    "watch_opened",
    "alerts_delivered",
    "dry_run",
    "rules_listed",
    "agencies_listed",
    "datasets_listed",
    "grants_listed",
    "epochs_listed",
    "refusals_listed",
    "notification_sent",
    "notification_parked",
    "notifications_listed",
    "notifications_retried",
    "screening_read",
    "statistics_read",
    "log_read",
    "receipt_given",
    "disclosure_requested",
    "disclosure_approved",
    "disclosure_refused",
    "disclosure_carried",
    "disclosure_answered",
    "disclosure_declined",
    "disclosure_collected",
    "disclosure_reviewed",
    "disclosures_listed",
    "calls_refused",
];

impl Act {
    /// The word for it, one of [`WORDS`]: its key in an entry.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Stopping {} => "stopping",
            Self::Failed { .. } => "failed",
            Self::LogResumed { .. } => "log_resumed",
            Self::ManifestAccepted { .. } => "manifest_accepted",
            Self::EpochChanged { .. } => "epoch_changed",
            Self::TlsFilesRead {} => "tls_files_read",
            Self::PolicyRead {} => "policy_read",
            Self::PolicyInForce { .. } => "policy_in_force",
            Self::PolicyRefused {} => "policy_refused",
            Self::SyncAccepted { .. } => "sync_accepted",
            Self::ReleaseUsed { .. } => "release_used",
            Self::SyncRefused { .. } => "sync_refused",
            Self::ReleaseRefused { .. } => "release_refused",
            Self::GrantsCarried { .. } => "grants_carried",
            Self::EvaluationsRelayed { .. } => "evaluations_relayed",
            Self::OrdersReturned { .. } => "orders_returned",
            Self::RulesRun { .. } => "rules_run",
            Self::AlertChanged { .. } => "alert_changed",
            Self::CaseChanged { .. } => "case_changed",
            Self::CasesFollowed { .. } => "cases_followed",
            Self::CasesListed { .. } => "cases_listed",
            Self::CaseRead { .. } => "case_read",
            Self::AlertsListed { .. } => "alerts_listed",
            Self::AlertRead { .. } => "alert_read",
            Self::WatchOpened { .. } => "watch_opened",
            Self::AlertsDelivered { .. } => "alerts_delivered",
            Self::DryRun { .. } => "dry_run",
            Self::RulesListed { .. } => "rules_listed",
            Self::AgenciesListed { .. } => "agencies_listed",
            Self::DatasetsListed { .. } => "datasets_listed",
            Self::GrantsListed { .. } => "grants_listed",
            Self::EpochsListed { .. } => "epochs_listed",
            Self::RefusalsListed { .. } => "refusals_listed",
            Self::NotificationSent { .. } => "notification_sent",
            Self::NotificationParked { .. } => "notification_parked",
            Self::NotificationsListed { .. } => "notifications_listed",
            Self::NotificationsRetried { .. } => "notifications_retried",
            Self::ScreeningRead { .. } => "screening_read",
            Self::StatisticsRead { .. } => "statistics_read",
            Self::LogRead { .. } => "log_read",
            Self::ReceiptGiven { .. } => "receipt_given",
            Self::DisclosureRequested { .. } => "disclosure_requested",
            Self::DisclosureApproved { .. } => "disclosure_approved",
            Self::DisclosureRefused { .. } => "disclosure_refused",
            Self::DisclosureCarried { .. } => "disclosure_carried",
            Self::DisclosureAnswered { .. } => "disclosure_answered",
            Self::DisclosureDeclined { .. } => "disclosure_declined",
            Self::DisclosureCollected { .. } => "disclosure_collected",
            Self::DisclosureReviewed { .. } => "disclosure_reviewed",
            Self::DisclosuresListed { .. } => "disclosures_listed",
            Self::CallsRefused { .. } => "calls_refused",
        }
    }
}
