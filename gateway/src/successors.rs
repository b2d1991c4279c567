//! Who is who when an epoch follows another: which agencies must be asked about whom, what they
//! answered, and what becomes of live alerts by it (PROTOCOL.md section 16).
//!
//! Asking itself is `inquiry`'s business, keeping is `alerts`'.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;
use proto::{name::DatasetId, subject::Subject};

use crate::{
    alert::{Alert, State},
    base::Base,
    clock::later,
    inquiry::Inquiry,
    ledger::Ledger,
    policy::Policy,
    watch_list::WatchList,
};

/// What agencies answered so far: by dataset and subject, the successor, or that there is none.
#[derive(Debug, Default)]
pub struct Successors(HashMap<(DatasetId, Subject), Option<Subject>>);

/// Whom live alerts are about, and the watch agency of each. An agency is asked about those only
/// whom it lists itself; about subjects whom no list has, those that released nothing yet.
pub(crate) fn inquiries(base: &Base, ledger: &Ledger) -> Vec<Inquiry> {
    let mut asked: BTreeMap<usize, BTreeSet<Subject>> = BTreeMap::new();
    for subject in ledger.live().map(|alert| alert.subject) {
        let number = base.number(&subject);
        let lists = |list: &WatchList| number.is_some_and(|n| list.lists(n));
        let listed = base.watch_lists().any(|(_, list)| lists(list));
        for (dataset, list) in base.watch_lists() {
            if lists(list) || !listed && list.as_of.is_none() {
                asked.entry(dataset).or_default().insert(subject);
            }
        }
    }
    let inquiry = |(number, subjects): (usize, BTreeSet<Subject>)| {
        let dataset = &base.catalogue().datasets[number];
        let subjects = subjects.into_iter().collect();
        let (agency, dataset) = (dataset.agency.clone(), dataset.schema.dataset.clone());
        Inquiry { agency, dataset, subjects }
    };
    asked.into_iter().map(inquiry).collect()
}

impl Successors {
    /// Takes over what an agency answered: whoever is in no pair has no successor.
    pub fn answered(&mut self, inquiry: &Inquiry, pairs: &[(Subject, Subject)]) {
        for &subject in &inquiry.subjects {
            self.0.insert((inquiry.dataset.clone(), subject), None);
        }
        for &(subject, successor) in pairs {
            if let Some(answer) = self.0.get_mut(&(inquiry.dataset.clone(), subject)) {
                *answer = Some(successor);
            }
        }
    }

    /// What of these inquiries was not answered yet.
    pub fn open(&self, inquiries: Vec<Inquiry>) -> Vec<Inquiry> {
        let open = |mut inquiry: Inquiry| {
            let answered = |subject: &Subject| (inquiry.dataset.clone(), *subject);
            inquiry.subjects.retain(|subject| !self.0.contains_key(&answered(subject)));
            (!inquiry.subjects.is_empty()).then_some(inquiry)
        };
        inquiries.into_iter().filter_map(open).collect()
    }

    /// One successor for everybody about whom nothing contradicts: a dataset's word counts for whom
    /// it lists in the next epoch, agencies must agree, and two people have not the same successor.
    pub(crate) fn settled(&self, ledger: &Ledger, next: &Base) -> HashMap<Subject, Subject> {
        let alerted: BTreeSet<Subject> = ledger.live().map(|alert| alert.subject).collect();
        let mut claims: BTreeMap<Subject, BTreeSet<Subject>> = BTreeMap::new();
        for ((dataset, subject), successor) in &self.0 {
            let Some(successor) = successor.filter(|_| alerted.contains(subject)) else { continue };
            let number = next.number(&successor);
            let vouches = next.watch_lists().any(|(list_number, list)| {
                next.catalogue().datasets[list_number].schema.dataset == *dataset
                    && (list.as_of.is_none() || number.is_some_and(|number| list.lists(number)))
            });
            if vouches {
                claims.entry(*subject).or_default().insert(successor);
            }
        }
        let mut claimed: HashMap<Subject, usize> = HashMap::new();
        for successor in claims.values().flatten() {
            *claimed.entry(*successor).or_default() += 1;
        }
        let only = |(subject, successors): (Subject, BTreeSet<Subject>)| {
            let agreed = successors.len() == 1;
            let successor = successors.into_iter().next().filter(|s| agreed && claimed[s] == 1);
            if successor.is_none() {
                tracing::error!("agencies contradict each other about a subject's successor");
            }
            Some((subject, successor?))
        };
        claims.into_iter().filter_map(only).collect()
    }
}

/// Every live alert as it must be once `epoch` is in force.
pub(crate) fn continued(
    ledger: &Ledger,
    successors: &HashMap<Subject, Subject>,
    (epoch, policy): (u32, &Arc<Policy>),
    now: Timestamp,
) -> Vec<Alert> {
    let next = |alert: &Alert| match successors.get(&alert.subject) {
        Some(successor) => alert.succeeded(*successor, epoch, now),
        None => {
            let rule = policy.rules.iter().find(|rule| rule.id == alert.rule);
            let due_at = match (alert.state, rule) {
                (State::Incomplete, _) | (_, None) => alert.due_at,
                (_, Some(rule)) => later(now, rule.due),
            };
            alert.left_behind(due_at, now)
        }
    };
    let mut alerts: Vec<Alert> = ledger.live().map(next).collect();
    // So that the same change is told in the same order.
    alerts.sort_by(|a, b| a.id.cmp(&b.id));
    alerts
}
