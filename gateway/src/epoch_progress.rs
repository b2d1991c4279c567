//! How far the next epoch has come: of every dataset that the present epoch has, whether it is whole
//! in the next, and if not, why (PROTOCOL.md section 16.4).
//!
//! Pure. What follows from it is `epoch_change`'s business.

use jiff::Timestamp;
use proto::{
    name::{AgencyId, DatasetId},
    schema::DatasetKind,
};

use crate::{
    catalogue::{Catalogue, CatalogueDataset},
    clock::later,
    epoch::Epoch,
    filling::{Content, Contents},
    grants::GrantLine,
};

/// A dataset in the next epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetProgress {
    /// The dataset.
    pub dataset: DatasetId,
    /// Whose it is.
    pub agency: AgencyId,
    /// Rows or subjects there are.
    pub rows: u64,
    /// As many as the present epoch has.
    pub expected: u64,
    /// Why it is not whole; absent where it is, and where the present epoch does not have it either.
    pub gap: Option<Gap>,
    /// What was said last of a transfer that failed.
    pub problem: String,
}

/// Why a dataset is not whole in the next epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Nothing arrived.
    NotArrived,
    /// It is stale, and in the present epoch it is fresh.
    Stale,
    /// Its owner has granted nothing yet, and has in the present epoch.
    NotGranted,
    /// A watch agency that was granted its salt does not release secrets for it yet.
    GrantNotUsed,
}

/// An epoch and what its base has.
pub struct Side<'a> {
    /// The epoch.
    pub epoch: &'a Epoch,
    /// Its base, by dataset number.
    pub contents: &'a Contents,
}

/// Every dataset of the catalogue.
pub fn progress(
    catalogue: &Catalogue,
    (present, next): (&Side<'_>, &Side<'_>),
    now: Timestamp,
) -> Vec<DatasetProgress> {
    let boards = (present.epoch.status.read(), next.epoch.status.read());
    let grants = (present.grants(), next.grants());
    let of_dataset = |(number, dataset): (usize, &CatalogueDataset)| {
        let id = &dataset.schema.dataset;
        let line = boards.1.datasets.get(id).cloned().unwrap_or_default();
        let gap = match (present.content(number), next.content(number)) {
            (Some(Content { as_of: Some(before), .. }), content) => {
                let fresh = |as_of: Timestamp| now < later(as_of, dataset.fresh_within);
                match content.and_then(|content| content.as_of) {
                    None => Some(Gap::NotArrived),
                    Some(as_of) if fresh(*before) && !fresh(as_of) => Some(Gap::Stale),
                    Some(_) => grant_gap(catalogue, dataset, (&grants.0, &grants.1), next),
                }
            }
            // What is missing in both is not waited for.
            _ => None,
        };
        DatasetProgress {
            dataset: id.clone(),
            agency: dataset.agency.clone(),
            rows: line.rows,
            expected: boards.0.datasets.get(id).map_or(0, |line| line.rows),
            gap,
            problem: line.problem,
        }
    };
    catalogue.datasets.iter().enumerate().map(of_dataset).collect()
}

/// Grants are renewed by their owners, all at once, and reach releases only after a while. One that
/// is missing among others was revoked; if all of an owner's are, it has not come to it yet.
fn grant_gap(
    catalogue: &Catalogue,
    dataset: &CatalogueDataset,
    (before, granted): (&[GrantLine], &[GrantLine]),
    next: &Side<'_>,
) -> Option<Gap> {
    let any = |grants: &[GrantLine]| grants.iter().any(|line| line.owner == dataset.agency);
    if any(before) && !any(granted) {
        return Some(Gap::NotGranted);
    }
    if dataset.schema.kind == DatasetKind::Watch {
        return None;
    }
    let id = &dataset.schema.dataset;
    let brings = |(number, list): (usize, &CatalogueDataset), grantee: &AgencyId| {
        let content = next.content(number).filter(|content| content.as_of.is_some());
        list.schema.kind != DatasetKind::Watch
            || list.agency != *grantee
            || content.is_none_or(|content| content.secrets_for.contains(id))
    };
    let used = |line: &GrantLine| {
        line.dataset != *id
            || catalogue.datasets.iter().enumerate().all(|list| brings(list, &line.grantee))
    };
    (!granted.iter().all(used)).then_some(Gap::GrantNotUsed)
}

impl Side<'_> {
    fn content(&self, number: usize) -> Option<&Content> {
        self.contents.datasets.get(number)
    }

    /// What is carried.
    fn grants(&self) -> Vec<GrantLine> {
        let lines = self.epoch.grants.list().into_iter();
        lines.filter(|line| line.problem.is_empty()).collect()
    }
}
