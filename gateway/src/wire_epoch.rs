//! Live epochs as messages.

use proto::wire;

use crate::{
    catalogue::{Catalogue, CatalogueDataset},
    epoch::{Epoch, NextEpoch},
    epoch_progress::{DatasetProgress, Gap},
    wire_alert::timestamp,
};

/// The epoch in force.
pub fn in_force(epoch: &Epoch, catalogue: &Catalogue) -> wire::EpochStatus {
    let board = epoch.status.read();
    let dataset = |dataset: &CatalogueDataset| {
        let line = board.datasets.get(&dataset.schema.dataset).cloned().unwrap_or_default();
        wire::EpochDataset {
            dataset: dataset.schema.dataset.to_string(),
            agency: dataset.agency.to_string(),
            rows: line.rows,
            expected: line.rows,
            gap: wire::EpochGap::Unspecified.into(),
            problem: line.problem,
        }
    };
    let datasets = catalogue.datasets.iter().map(dataset).collect();
    wire::EpochStatus { in_force: true, datasets, ..status(epoch) }
}

/// The epoch that follows.
pub fn next(next: &NextEpoch) -> wire::EpochStatus {
    wire::EpochStatus {
        datasets: next.datasets.iter().map(dataset).collect(),
        waiting_for: next.waiting_for.clone(),
        ..status(&next.epoch)
    }
}

fn status(epoch: &Epoch) -> wire::EpochStatus {
    wire::EpochStatus {
        scope: Some((&epoch.manifest.scope).into()),
        ends: Some(timestamp(epoch.manifest.epoch().ends())),
        ..Default::default()
    }
}

fn dataset(progress: &DatasetProgress) -> wire::EpochDataset {
    let gap = match progress.gap {
        None => wire::EpochGap::Unspecified,
        Some(Gap::NotArrived) => wire::EpochGap::NotArrived,
        Some(Gap::Stale) => wire::EpochGap::Stale,
        Some(Gap::NotGranted) => wire::EpochGap::NotGranted,
        Some(Gap::GrantNotUsed) => wire::EpochGap::GrantNotUsed,
    };
    wire::EpochDataset {
        dataset: progress.dataset.to_string(),
        agency: progress.agency.to_string(),
        rows: progress.rows,
        expected: progress.expected,
        gap: gap.into(),
        problem: progress.problem.clone(),
    }
}
