//! `load`: reads the sources once, and publishes them into the version store where asked to.

use std::{collections::BTreeSet, sync::Arc};

use proto::name::DatasetId;
use serde::Serialize;

use crate::{
    agency::{Agency, AgencyError},
    clock::Clock,
    config::Config,
    lang::Lang,
    link_key::LinkKey,
    load::load,
    load_report::LoadReport,
    publication::{Publication, Reload, Reloaded},
    version_log::StoreError,
};

/// What became of one dataset.
#[derive(Serialize)]
pub struct Outcome {
    /// For which epoch it was published; absent where it was only read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u32>,
    /// The dataset.
    pub dataset: DatasetId,
    /// Set where it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<LoadReport>,
    /// Set where it was not, or not published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub enum LoadRunError {
    /// Not in the configuration.
    #[error("{0} is not a dataset of the configuration: check the spelling")]
    UnknownDataset(DatasetId),
    /// Manifest or keys.
    #[error(transparent)]
    Agency(#[from] AgencyError),
    /// Somebody else publishes.
    #[error(
        "`agency-adapter serve` is running and holds the version store: send it SIGHUP to have it read \
         the sources again, or use --dry-run to check them only"
    )]
    ServeIsRunning,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

/// Told how far reading has got: dataset, bytes done, bytes in all.
pub type Progress<'p> = &'p mut dyn FnMut(&DatasetId, u64, u64);

/// Reads the named datasets, or all. Without `dry_run`, cross-check datasets are published into the
/// store for the next `serve`; watch datasets are derived and dropped, since they live in memory.
/// `lang` is for what a dry run finds.
///
/// # Errors
/// [`LoadRunError`].
pub fn run(
    config: &Config,
    clock: &Clock,
    (datasets, dry_run): (&[DatasetId], bool),
    lang: Lang,
    progress: Progress<'_>,
) -> Result<Vec<Outcome>, LoadRunError> {
    if let Some(unknown) = datasets.iter().find(|dataset| config.dataset(dataset).is_none()) {
        return Err(LoadRunError::UnknownDataset(unknown.clone()));
    }
    let wanted: BTreeSet<DatasetId> = if datasets.is_empty() {
        config.datasets.iter().map(|dataset| dataset.id.clone()).collect()
    } else {
        datasets.iter().cloned().collect()
    };
    if dry_run {
        let results = read(config, clock, &wanted, lang, progress).into_iter();
        return Ok(results.map(|result| Outcome::new(None, result)).collect());
    }
    let key = Arc::new(LinkKey::random().map_err(AgencyError::from)?);
    let mut outcomes = vec![];
    for agency in Agency::open_live(config, clock)? {
        let epoch = agency.manifest.scope.epoch;
        let publication = Publication::open(config.clone(), agency, clock.clone(), key.clone());
        let publication = publication.map_err(|error| match error {
            StoreError::Held => LoadRunError::ServeIsRunning,
            error => LoadRunError::Store(error),
        })?;
        let results = publication.reload(&Reload::Only(wanted.clone()), progress)?.into_iter();
        outcomes.extend(results.map(|result| Outcome::new(Some(epoch), result)));
    }
    Ok(outcomes)
}

fn read(
    config: &Config,
    clock: &Clock,
    wanted: &BTreeSet<DatasetId>,
    lang: Lang,
    progress: Progress<'_>,
) -> Vec<Reloaded> {
    let datasets = config.datasets.iter().filter(|dataset| wanted.contains(&dataset.id));
    let read = |dataset: &crate::dataset_config::DatasetConfig| {
        let mut progress = |done, all| progress(&dataset.id, done, all);
        let loaded = load(dataset, &config.directory, clock.today(), &mut progress);
        let report = loaded.map(|load| load.report).map_err(|error| error.text(lang));
        (dataset.id.clone(), report)
    };
    datasets.map(read).collect()
}

impl Outcome {
    fn new(epoch: Option<u32>, (dataset, result): Reloaded) -> Self {
        match result {
            Ok(report) => Self { epoch, dataset, report: Some(report), problem: None },
            Err(problem) => Self { epoch, dataset, report: None, problem: Some(problem) },
        }
    }

    /// For people.
    pub fn text(&self, lang: Lang) -> String {
        let dataset = match self.epoch {
            Some(epoch) => lang.pick(
                format!("{}（第 {epoch} 期）", self.dataset),
                format!("{} (epoch {epoch})", self.dataset),
            ),
            None => self.dataset.to_string(),
        };
        match (&self.report, &self.problem) {
            (Some(report), _) => report.table(lang),
            (None, problem) => {
                let problem = problem.as_deref().unwrap_or_default();
                let word = lang.pick("未能读取或发布", "not read or not published");
                format!("{dataset}: {word}: {problem}")
            }
        }
    }
}
