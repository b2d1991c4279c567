//! What an act is about: the agencies, datasets and alerts, the rule and the disclosure that it touches, for
//! whoever searches the log and for the agencies' witnesses.

use crate::{
    act::Act,
    alert_id::AlertId,
    case_event::CaseEvent,
    disclosure_request::DisclosureId,
    name::{AgencyId, DatasetId, RuleId},
};

impl Act {
    /// The agencies whose data or keys it touches.
    pub fn agencies(&self) -> Vec<&AgencyId> {
        match self {
            Self::SyncAccepted { agency, .. }
            | Self::SyncRefused { agency, .. }
            | Self::ReleaseRefused { agency, .. }
            | Self::ReleaseUsed { agency, .. }
            | Self::OrdersReturned { agency, .. }
            | Self::CaseChanged { event: CaseEvent::HelpRequested { agency, .. }, .. }
            | Self::DisclosureRequested { agency, .. }
            | Self::DisclosureCarried { agency, .. }
            | Self::DisclosureAnswered { agency, .. }
            | Self::DisclosureDeclined { agency, .. } => {
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
            | Self::OrdersReturned { dataset, .. }
            | Self::SyncRefused { dataset, .. }
            | Self::ReleaseRefused { dataset, .. }
            | Self::CaseChanged { event: CaseEvent::HelpRequested { dataset, .. }, .. }
            | Self::CaseChanged { event: CaseEvent::OrderReturned { dataset, .. }, .. }
            | Self::DisclosureRequested { dataset, .. }
            | Self::DisclosureCarried { dataset, .. } => std::slice::from_ref(dataset),
            Self::GrantsCarried { datasets, .. } => datasets,
            _ => &[],
        }
    }

    /// The alerts that it changes or shows.
    pub fn alerts(&self) -> &[AlertId] {
        match self {
            Self::AlertsListed { alerts }
            | Self::AlertsDelivered { alerts, .. }
            | Self::CasesListed { alerts }
            | Self::NotificationSent { alerts, .. } => alerts,
            Self::AlertRead { alert }
            | Self::AlertChanged { alert, .. }
            | Self::CaseChanged { alert, .. }
            | Self::CaseRead { alert }
            | Self::DisclosureRequested { alert, .. }
            | Self::DisclosureApproved { alert, .. }
            | Self::DisclosureRefused { alert, .. }
            | Self::DisclosureCarried { alert, .. }
            | Self::DisclosureAnswered { alert, .. }
            | Self::DisclosureDeclined { alert, .. }
            | Self::DisclosureCollected { alert, .. }
            | Self::DisclosureReviewed { alert, .. } => std::slice::from_ref(alert),
            _ => &[],
        }
    }

    /// The disclosure that it is about.
    pub fn disclosure(&self) -> Option<&DisclosureId> {
        match self {
            Self::DisclosureRequested { disclosure, .. }
            | Self::DisclosureApproved { disclosure, .. }
            | Self::DisclosureRefused { disclosure, .. }
            | Self::DisclosureCarried { disclosure, .. }
            | Self::DisclosureAnswered { disclosure, .. }
            | Self::DisclosureDeclined { disclosure, .. }
            | Self::DisclosureCollected { disclosure, .. }
            | Self::DisclosureReviewed { disclosure, .. }
            | Self::CaseChanged { event: CaseEvent::DisclosureAsked { disclosure }, .. }
            | Self::CaseChanged { event: CaseEvent::Disclosed { disclosure, .. }, .. } => {
                Some(disclosure)
            }
            _ => None,
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
