//! What is published now in one epoch: the state of every dataset, and how a reload changes it.
//!
//! A source that fails leaves its dataset's last good state in place, with the time it was read; the
//! gateway sees it grow stale, and the problem is remembered for whoever asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use proto::{name::DatasetId, schema::DatasetKind, scope::Scope};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    agency::{Agency, AgencyError, HeldSalts},
    clock::Clock,
    config::Config,
    dataset_config::DatasetConfig,
    dataset_state::{Content, DatasetState, Problem, sealing_salts, stored},
    derive::Derivation,
    ended_epochs,
    evaluation_progress::EvaluationProgress,
    link_key::LinkKey,
    load::{Load, Person, check_size, load},
    load_report::LoadReport,
    released::Released,
    root_cache::RootCacheError,
    root_supply::RootSupply,
    sealing::Sealing,
    version_log::{StoreError, VersionLog},
};

/// Which datasets a reload is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// Every source is read again.
    All,
    /// These.
    Only(BTreeSet<DatasetId>),
    /// Those only whose content depends on granted salts: watch and household datasets.
    Granted,
}

/// A dataset's report, or why it stays as it was.
pub type Reloaded = (DatasetId, Result<LoadReport, String>);

/// Everything this adapter publishes in an epoch.
pub struct Publication {
    config: Config,
    clock: Clock,
    key: Arc<LinkKey>,
    epoch: u32,
    store: VersionLog,
    agency: RwLock<Arc<Agency>>,
    states: RwLock<BTreeMap<DatasetId, DatasetState>>,
    roots: Mutex<Option<Arc<RootSupply>>>,
    published: watch::Sender<u64>,
    reloading: Mutex<()>,
    over: AtomicBool,
    // Last: dropped after the store was closed.
    closed: DropGuard,
}

impl Publication {
    /// Opens the epoch's store in the state directory. What it holds of the scope, schemas and salts
    /// is published at once, as old as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    ///
    /// # Panics
    /// If the configuration's schemas were not checked.
    pub fn open(
        config: Config,
        agency: Agency,
        clock: Clock,
        key: Arc<LinkKey>,
    ) -> Result<Self, StoreError> {
        let epoch = agency.manifest.scope.epoch;
        let store = VersionLog::open(&ended_epochs::version_store(&config.state_dir, epoch))?;
        let salts = agency.held_salts();
        let mut states = BTreeMap::new();
        for dataset in &config.datasets {
            let schema = Arc::new(dataset.schema().expect("checked with the configuration"));
            let content = stored(&store, &agency, &salts, &schema)?;
            let state = DatasetState { schema, content, problem: None };
            states.insert(dataset.id.clone(), state);
        }
        Ok(Self {
            config,
            clock,
            key,
            epoch,
            store,
            agency: RwLock::new(Arc::new(agency)),
            states: RwLock::new(states),
            roots: Mutex::default(),
            published: watch::Sender::new(0),
            reloading: Mutex::new(()),
            over: AtomicBool::new(false),
            closed: CancellationToken::new().drop_guard(),
        })
    }

    /// Cancelled once nobody uses this any more and the store is closed.
    pub fn closed(&self) -> CancellationToken {
        self.closed.token().clone()
    }

    /// The agency as it was at the last reload.
    pub fn agency(&self) -> Arc<Agency> {
        self.agency.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How people are recognised in this run, whatever the epoch.
    pub(crate) fn link_key(&self) -> &LinkKey {
        &self.key
    }

    /// The version log.
    pub fn store(&self) -> &VersionLog {
        &self.store
    }

    /// A dataset's state, if it is configured.
    pub fn state(&self, dataset: &DatasetId) -> Option<DatasetState> {
        self.states.read().unwrap_or_else(PoisonError::into_inner).get(dataset).cloned()
    }

    /// Ends every stream: the epoch is over.
    pub fn close(&self) {
        self.over.store(true, Ordering::Release);
        self.published.send_modify(|count| *count += 1);
    }

    /// Whether the epoch is over.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Whether every dataset can be sent.
    pub fn is_whole(&self) -> bool {
        self.states().values().all(|state| !matches!(state.content, Content::Nothing))
    }

    /// Every dataset's state.
    pub fn states(&self) -> BTreeMap<DatasetId, DatasetState> {
        self.states.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes whenever something was published or read again.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// Reads manifest, keys, salts and grants again, then the sources, and publishes what it finds.
    /// Returns each dataset's report, or why it stays as it was. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`AgencyError`]: everything stays as it was.
    pub fn reload(
        &self,
        which: &Reload,
        progress: &mut dyn FnMut(&DatasetId, u64, u64),
    ) -> Result<Vec<Reloaded>, AgencyError> {
        let _one_at_a_time: MutexGuard<'_, ()> =
            self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let agency = Arc::new(Agency::open_in(&self.config, self.epoch)?);
        let salts = agency.held_salts();
        let which = if self.take_over(&agency) { &Reload::All } else { which };
        let asked_for = |dataset: &&DatasetConfig| match which {
            Reload::All => true,
            Reload::Only(datasets) => datasets.contains(&dataset.id),
            Reload::Granted => dataset.kind == DatasetKind::Watch || dataset.household.is_some(),
        };
        // The base first: it is small, and everything else is of use only with it.
        let (watch, cross): (Vec<_>, Vec<_>) = self
            .config
            .datasets
            .iter()
            .filter(asked_for)
            .partition(|dataset| dataset.kind == DatasetKind::Watch);
        let mut reports = vec![];
        for dataset in watch.into_iter().chain(cross) {
            let mut progress = |done, all| progress(&dataset.id, done, all);
            let result = self.publish(&agency, &salts, dataset, &mut progress);
            let report = self.settle(&dataset.id, result);
            reports.push((dataset.id.clone(), report));
        }
        Ok(reports)
    }

    /// What was published in another scope is withdrawn: its streams end. Says whether that happened.
    fn take_over(&self, agency: &Arc<Agency>) -> bool {
        let mut present = self.agency.write().unwrap_or_else(PoisonError::into_inner);
        let scope_changed = present.manifest.scope != agency.manifest.scope;
        *present = agency.clone();
        drop(present);
        if scope_changed {
            let mut states = self.states.write().unwrap_or_else(PoisonError::into_inner);
            states.values_mut().for_each(|state| state.content = Content::Nothing);
            drop(states);
            self.published.send_modify(|count| *count += 1);
        }
        scope_changed
    }

    fn publish(
        &self,
        agency: &Agency,
        salts: &HeldSalts,
        dataset: &DatasetConfig,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Content, LoadReport), Problem> {
        let stale = |error: &dyn std::fmt::Display| Problem::Stale(error.to_string());
        // The source is as old as the moment at which reading it began.
        let as_of = self.clock.now();
        let read = |progress: &mut dyn FnMut(u64, u64)| {
            load(dataset, &self.config.directory, self.clock.today(), progress)
                .map_err(|error| stale(&error))
        };
        if dataset.kind == DatasetKind::CrossCheck {
            let schema = dataset.schema().map_err(|error| stale(&error))?;
            let (salt, members) = sealing_salts(salts, &schema).map_err(Problem::Withdrawn)?;
            let Load { schema, persons, report } = read(progress)?;
            let head = self.store.head(&dataset.id).map_err(|error| stale(&error))?;
            check_size(dataset, persons.len() as u64, head.map_or(0, |head| head.rows))
                .map_err(|error| stale(&error))?;
            let salts = (&salt, members);
            let derivation = self.derivation(agency, &dataset.id, &persons)?;
            let sealing = Sealing::new(&derivation, &schema, salts, &persons);
            self.store.publish(&sealing, as_of).map_err(|error| stale(&error))?;
            return Ok((Content::Sealed, report));
        }
        let base = salts.all(&[DatasetId::base()]).map_err(Problem::Withdrawn)?;
        let load = read(progress)?;
        let old = match self.state(&dataset.id).map(|state| state.content) {
            Some(Content::Released(old)) => Some(old),
            _ => None,
        };
        let published = old.as_ref().map_or(0, |old| old.subjects().len() as u64);
        check_size(dataset, load.persons.len() as u64, published).map_err(|error| stale(&error))?;
        let context = (agency, &base[0], salts);
        let derivation = self.derivation(agency, &dataset.id, &load.persons)?;
        let (old, load_and_key) = (old.as_deref(), (&load, &*self.key));
        let released = Released::of_load(old, context, &derivation, load_and_key, as_of);
        let released = released.map_err(|error| stale(&error))?;
        Ok((Content::Released(Arc::new(released)), load.report))
    }

    /// Derivation for a load: of its evaluated roots where the suite has key holders, and of nothing
    /// else then.
    fn derivation(
        &self,
        agency: &Agency,
        dataset: &DatasetId,
        persons: &[Person],
    ) -> Result<Derivation, Problem> {
        let supply = self.supply(agency).map_err(|error| Problem::Stale(error.to_string()))?;
        match supply {
            Some(supply) => supply.derivation(dataset, persons),
            None => Derivation::computed(&agency.manifest.scope)
                .map_err(|error| Problem::Stale(error.to_string())),
        }
    }

    /// The roots that fit the manifest: another supply than before where its share keys are others.
    fn supply(&self, agency: &Agency) -> Result<Option<Arc<RootSupply>>, RootCacheError> {
        let mut present = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(holders) = &agency.key_holders else { return Ok(None) };
        let scope = &agency.manifest.scope;
        if present.as_ref().is_none_or(|supply| !supply.is_of(scope, holders)) {
            let supply = RootSupply::open(&self.config.state_dir, scope, holders.clone())?;
            *present = Some(Arc::new(supply));
        }
        Ok(present.clone())
    }

    /// The evaluated roots, once a load needed them.
    pub fn root_supply(&self) -> Option<Arc<RootSupply>> {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it is told how far the evaluation of missing roots is.
    pub fn evaluation_progress(&self) -> EvaluationProgress {
        let epoch = self.scope().epoch;
        EvaluationProgress::new(&self.config.state_dir, epoch, self.clock.clone())
    }

    /// Says anew for what a dataset waits, if it waits for roots.
    pub fn still_waits(&self, dataset: &DatasetId, text: String) {
        let mut states = self.states.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(problem @ Problem::Waiting(_)) =
            states.get_mut(dataset).and_then(|state| state.problem.as_mut())
        {
            *problem = Problem::Waiting(text);
        }
    }

    fn settle(
        &self,
        dataset: &DatasetId,
        result: Result<(Content, LoadReport), Problem>,
    ) -> Result<LoadReport, String> {
        let mut states = self.states.write().unwrap_or_else(PoisonError::into_inner);
        let state = states.get_mut(dataset).expect("made from the same configuration");
        let outcome = match result {
            Ok((content, report)) => {
                state.content = content;
                state.problem = None;
                Ok(report)
            }
            Err(problem) => {
                if matches!(problem, Problem::Withdrawn(_)) {
                    state.content = Content::Nothing;
                }
                let text = problem.text().to_owned();
                match problem {
                    Problem::Waiting(_) => {
                        tracing::info!(%dataset, problem = text, "the dataset waits")
                    }
                    _ => {
                        tracing::error!(%dataset, problem = text, "the dataset was not published anew");
                    }
                }
                state.problem = Some(problem);
                Err(text)
            }
        };
        drop(states);
        self.published.send_modify(|count| *count += 1);
        outcome
    }

    /// The scope of everything published.
    pub fn scope(&self) -> Scope {
        self.agency().manifest.scope.clone()
    }
}

#[cfg(test)]
mod tests;
