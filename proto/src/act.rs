//! The closed set of acts that the access log has entries of (PROTOCOL.md section 17.2).
//!
//! Ids, digests and counts only: no type here can hold a text that somebody typed. Who did it, and
//! when, is `entry`'s.

use serde::{Deserialize, Serialize};

use crate::{
    alert_id::AlertId,
    case_event::CaseEvent,
    fault::Reason,
    group_fault::GroupFault,
    hex_bytes::HexBytes,
    name::{AgencyId, DatasetId, RuleId},
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
    /// The entries from `first` up to `end`, exclusive, are shown.
    LogRead { first: u64, end: u64 },
    /// A proof of one entry is shown, and the entry.
    ReceiptGiven { index: u64 },
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

/// A method of the protocol, `MatchService/ListAlerts`: one that exists, as who writes it makes sure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MethodName(Box<str>);

impl MethodName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MethodName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let word = |text: &str| {
            !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphabetic())
        };
        match text.split_once('/') {
            Some((service, method)) if word(service) && word(method) => Ok(Self(text.into())),
            _ => Err("a method is written Service/Method"),
        }
    }
}

impl From<MethodName> for String {
    fn from(name: MethodName) -> Self {
        name.0.into()
    }
}

/// The words of all acts.
pub const WORDS: [&str; 36] = [
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
    "log_read",
    "receipt_given",
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
            Self::LogRead { .. } => "log_read",
            Self::ReceiptGiven { .. } => "receipt_given",
            Self::CallsRefused { .. } => "calls_refused",
        }
    }

    /// The agencies whose data or keys it touches.
    pub fn agencies(&self) -> Vec<&AgencyId> {
        match self {
            Self::SyncAccepted { agency, .. }
            | Self::SyncRefused { agency, .. }
            | Self::ReleaseRefused { agency, .. }
            | Self::ReleaseUsed { agency, .. }
            | Self::CaseChanged { event: CaseEvent::HelpRequested { agency, .. }, .. } => {
                vec![agency]
            }
            Self::GrantsCarried { grantee, .. } => vec![grantee],
            Self::EvaluationsRelayed { requester, holder, .. } => vec![requester, holder],
            _ => vec![],
        }
    }

    /// The datasets that it touches.
    pub fn datasets(&self) -> &[DatasetId] {
        match self {
            Self::SyncAccepted { dataset, .. }
            | Self::ReleaseUsed { dataset, .. }
            | Self::SyncRefused { dataset, .. }
            | Self::ReleaseRefused { dataset, .. }
            | Self::CaseChanged { event: CaseEvent::HelpRequested { dataset, .. }, .. }
            | Self::CaseChanged { event: CaseEvent::OrderReturned { dataset, .. }, .. } => {
                std::slice::from_ref(dataset)
            }
            Self::GrantsCarried { datasets, .. } => datasets,
            _ => &[],
        }
    }

    /// The alerts that it changes or shows.
    pub fn alerts(&self) -> &[AlertId] {
        match self {
            Self::AlertsListed { alerts }
            | Self::AlertsDelivered { alerts, .. }
            | Self::CasesListed { alerts } => alerts,
            Self::AlertRead { alert }
            | Self::AlertChanged { alert, .. }
            | Self::CaseChanged { alert, .. }
            | Self::CaseRead { alert } => std::slice::from_ref(alert),
            _ => &[],
        }
    }

    /// The rule that it is about.
    pub fn rule(&self) -> Option<&RuleId> {
        match self {
            Self::AlertChanged { rule, .. } => Some(rule),
            Self::DryRun { rule, .. } => rule.as_ref(),
            _ => None,
        }
    }
}
