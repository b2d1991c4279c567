//! How far the evaluation of missing roots is, in a file of the state directory: `serve` writes it and
//! `doctor` reads it. Counts, and names of datasets and key holders.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use proto::{manifest::Manifest, name::DatasetId, scope::Suite};
use serde::{Deserialize, Serialize};

use crate::{
    check::Check, clock::Clock, lang::Lang, pinned_holders::PinnedHolders, root_cache,
    root_supply::Wanted, secret_file,
};

/// Writes one epoch's file.
pub struct EvaluationProgress {
    path: PathBuf,
    clock: Clock,
}

#[derive(Serialize, Deserialize)]
struct Progress {
    at: Timestamp,
    datasets: BTreeMap<DatasetId, Waiting>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Waiting {
    missing: usize,
    people: usize,
}

impl EvaluationProgress {
    /// Of an epoch whose state is in a directory.
    pub fn new(state_dir: &Path, epoch: u32, clock: Clock) -> Self {
        Self { path: file(state_dir, epoch), clock }
    }

    /// Writes who waits, and for what. A disk that does not take it is told in the log.
    pub fn write(&self, wanted: &BTreeMap<DatasetId, Wanted>, problem: Option<&str>) {
        let waiting =
            |wanted: &Wanted| Waiting { missing: wanted.missing.len(), people: wanted.people };
        let datasets = wanted.iter().map(|(id, wanted)| (id.clone(), waiting(wanted))).collect();
        let progress =
            Progress { at: self.clock.now(), datasets, problem: problem.map(str::to_owned) };
        let text = serde_json::to_vec(&progress).expect("counts and names have a form in JSON");
        if let Err(error) = secret_file::replace(&self.path, &text) {
            tracing::warn!(problem = %error, "the progress of evaluations was not written");
        }
    }
}

/// `doctor`'s check: the share keys belong to one key, and everybody has a root.
pub fn check_roots(state_dir: &Path, manifest: &Manifest, lang: Lang) -> Vec<Check> {
    if manifest.scope.suite != Suite::Oprf {
        return vec![];
    }
    let mut checks = vec![match PinnedHolders::new(manifest) {
        Ok(_) => Check::ok("share keys", lang.pick("属于同一密钥", "they belong to one key")),
        Err(error) => Check::failure("share keys", error.to_string()),
    }];
    let text = fs::read(file(state_dir, manifest.scope.epoch)).unwrap_or_default();
    // Without a file nothing was ever missing, or `serve` has not run yet.
    let Ok(progress) = serde_json::from_slice::<Progress>(&text) else { return checks };
    let Progress { at, datasets, problem } = progress;
    if datasets.is_empty() {
        checks.push(Check::ok("roots", lang.pick("均已计算", "everybody has one")));
    }
    for (dataset, Waiting { missing, people }) in datasets {
        let problem = problem.as_deref().unwrap_or_default();
        checks.push(Check::warning(
            format!("roots {dataset}"),
            lang.pick(
                format!("{people} 人中尚有 {missing} 人的根值未计算（{at}）。运行 serve 时会经网关向密钥持有方请求。{problem}"),
                format!("{missing} of {people} people have none yet ({at}): `serve` asks the key holders through the gateway. {problem}"),
            ),
        ));
    }
    checks
}

fn file(state_dir: &Path, epoch: u32) -> PathBuf {
    root_cache::directory(state_dir, epoch).join("progress.json")
}
