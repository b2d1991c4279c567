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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::tests::{acts, events};

    #[test]
    fn what_an_act_is_about_is_what_its_fields_name() {
        // The alert that a case is joined to has no part in that.
        let joined = |event: &CaseEvent| matches!(event, CaseEvent::JoinedTo { .. });
        let events = events().into_iter().filter(|event| !joined(event));
        let alert: AlertId = "AL-0123-ABCD-XYZ9".parse().expect("an id");
        let of_cases =
            events.map(|event| Act::CaseChanged { alert: alert.clone(), number: 7, event });
        for act in acts().into_iter().chain(of_cases) {
            let json = serde_json::to_value(&act).expect("an act is JSON");
            let named = |keys: &[&str]| {
                let mut found = vec![];
                collect(&json, keys, &mut found);
                found.sort_unstable();
                found
            };
            let agencies = ["agency", "grantee", "requester", "holder"];
            let mut found: Vec<&str> = act.agencies().iter().map(|id| id.as_str()).collect();
            found.sort_unstable();
            assert_eq!(found, named(&agencies), "{json}");
            let found: Vec<&str> = act.datasets().iter().map(|id| id.as_str()).collect();
            assert_eq!(found, named(&["dataset", "datasets"]), "{json}");
            let found: Vec<&str> = act.alerts().iter().map(|id| id.as_str()).collect();
            assert_eq!(found, named(&["alert", "alerts"]), "{json}");
            let found: Vec<String> = act.rule().iter().map(ToString::to_string).collect();
            assert_eq!(found, named(&["rule"]), "{json}");
            let found: Vec<String> = act.disclosure().iter().map(ToString::to_string).collect();
            assert_eq!(found, named(&["disclosure"]), "{json}");
        }
    }

    /// The texts in fields of these names, wherever they are.
    fn collect<'a>(json: &'a serde_json::Value, keys: &[&str], found: &mut Vec<&'a str>) {
        for (key, value) in json.as_object().into_iter().flatten() {
            if keys.contains(&key.as_str()) {
                let several = value.as_array().into_iter().flatten();
                found.extend(several.chain([value]).filter_map(serde_json::Value::as_str));
            } else {
                collect(value, keys, found);
            }
        }
    }
}
