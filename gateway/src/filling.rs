//! One epoch's base as what arrives fills it; nothing is evaluated here.
//!
//! The epoch in force is filled by `pipeline`, which evaluates between arrivals. The epoch that
//! follows fills its base on its own ([`Filling::fill`]) until it is handed over.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use proto::{name::DatasetId, scope::Scope, subject::Subject};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::block_in_place,
};

use crate::{
    base::Base,
    bitset::Bitset,
    clock::{Clock, later},
    link::Arrival,
    policy::Policy,
    policy_in_force::PolicyInForce,
    routing::Routing,
    rows::{Rows, RowsError},
    status::StatusBoard,
};

/// How long until a store that failed is tried again.
pub(crate) const RETRY: Duration = Duration::from_secs(5);

/// What a base is filled from.
pub struct Supply {
    /// The epoch's scope.
    pub scope: Scope,
    /// Its sealed rows.
    pub rows: Rows,
    /// What people are shown of it.
    pub status: Arc<StatusBoard>,
    /// The policy.
    pub policy: Arc<PolicyInForce>,
    /// Where subjects are looked for.
    pub routing: Arc<Routing>,
    /// The time.
    pub clock: Clock,
    /// From the epoch's links.
    pub arrivals: mpsc::Receiver<Arrival>,
}

/// What a base has, by dataset number of the catalogue that it was filled under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Under which catalogue.
    pub generation: u64,
    /// Of every dataset.
    pub datasets: Vec<Content>,
}

/// What a base has of one dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// When its source was last read; absent where nothing arrived.
    pub as_of: Option<Timestamp>,
    /// Of a watch dataset: the datasets whose person secrets its people bring.
    pub secrets_for: Vec<DatasetId>,
}

/// A base and what fills it.
pub struct Filling {
    supply: Supply,
    policy: Arc<Policy>,
    generation: u64,
    base: Base,
    /// When the base began to be filled.
    begun: Timestamp,
    /// Whether watch datasets are still to be released since then.
    releasing: bool,
    /// When sealed rows are read again after the store failed.
    read_again_at: Option<Timestamp>,
    contents: watch::Sender<Contents>,
}

impl Filling {
    /// The base with the rows that the store has and without subjects: adapters release them.
    ///
    /// # Errors
    /// [`RowsError`] where the store does not answer.
    pub fn new(supply: Supply) -> Result<Self, RowsError> {
        let (policy, generation) = supply.policy.current_with_generation();
        let mut base = Base::new(&supply.scope, policy.catalogue.clone());
        base.catch_up(&supply.rows)?;
        let begun = supply.clock.now();
        let contents = watch::channel(Contents::default()).0;
        let filling = Self {
            supply,
            policy,
            generation,
            base,
            begun,
            releasing: true,
            read_again_at: None,
            contents,
        };
        filling.show_all();
        Ok(filling)
    }

    /// What it is filled from.
    pub(crate) fn supply(&self) -> &Supply {
        &self.supply
    }

    /// The policy that it was filled under.
    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The generation of that policy's catalogue.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The base.
    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    /// When the base began to be filled.
    pub(crate) fn begun(&self) -> Timestamp {
        self.begun
    }

    /// When sealed rows are read again after the store failed.
    pub(crate) fn read_again_at(&self) -> Option<Timestamp> {
        self.read_again_at
    }

    /// What the base has, and every later change of it.
    pub fn contents(&self) -> watch::Receiver<Contents> {
        self.contents.subscribe()
    }

    /// Subjects of whom anything was learnt since this was last asked.
    pub(crate) fn take_touched(&mut self) -> Bitset {
        self.base.take_touched()
    }

    /// Makes these part of the base before anybody releases them.
    pub(crate) fn meet(&mut self, subjects: impl Iterator<Item = Subject>) {
        for subject in subjects {
            self.base.intern(subject);
        }
    }

    /// The next arrival; nothing where nobody can send any more.
    pub(crate) async fn arrival(&mut self) -> Option<Arrival> {
        self.supply.arrivals.recv().await
    }

    /// An arrival that is there already.
    pub(crate) fn waiting_arrival(&mut self) -> Option<Arrival> {
        self.supply.arrivals.try_recv().ok()
    }

    /// Takes arrivals until `stop` is told, or dropped; then gives itself back.
    pub async fn fill(mut self, mut stop: oneshot::Receiver<()>) -> Self {
        let mut policies = self.supply.policy.subscribe();
        self.adopt_policy();
        loop {
            let read_again_at = self.read_again_at;
            tokio::select! {
                _ = &mut stop => return self,
                arrival = self.supply.arrivals.recv() => match arrival {
                    Some(arrival) => drop(self.take(arrival)),
                    None => return self,
                },
                () = policies.changed() => drop(self.adopt_policy()),
                () = self.supply.clock.reach(read_again_at) => self.catch_up(),
            }
        }
    }

    /// Takes over whatever policy is in force now. Where data means something else the base begins anew,
    /// also where the policy is one that was in force before: links release everything again.
    /// Says whether it began anew.
    pub(crate) fn adopt_policy(&mut self) -> bool {
        let (policy, generation) = self.supply.policy.current_with_generation();
        self.policy = policy;
        if generation == self.generation {
            self.base.rename(self.policy.catalogue.clone());
            return false;
        }
        self.generation = generation;
        self.base = Base::new(&self.supply.scope, self.policy.catalogue.clone());
        (self.begun, self.releasing) = (self.supply.clock.now(), true);
        self.catch_up();
        true
    }

    /// What arrived changes the base. Says whether the base began anew before.
    pub(crate) fn take(&mut self, arrival: Arrival) -> bool {
        // What arrives may belong to a policy that came into force this moment.
        let anew = self.adopt_policy();
        let (base, rows) = (&mut self.base, &self.supply.rows);
        let result = match arrival {
            // A stream that was opened under another catalogue; another follows.
            Arrival::Release { generation, .. } if generation != self.generation => return anew,
            Arrival::Release { release, .. } => {
                let dataset = release.header().dataset.clone();
                let released = block_in_place(|| base.release(release, rows));
                self.supply.status.dataset(&dataset, |line| line.arriving = None);
                released
            }
            Arrival::Rows { dataset, changed } => {
                block_in_place(|| base.rows_changed(&dataset, &changed, rows))
            }
        };
        if result.is_err() || !self.base.is_behind() {
            self.rows_read(result);
        }
        // A release opens rows of every line that it brings secrets for.
        self.show_all();
        self.tell_released();
        anew
    }

    /// Reads sealed rows that the store did not give before.
    pub(crate) fn catch_up(&mut self) {
        let (base, rows) = (&mut self.base, &self.supply.rows);
        let result = block_in_place(|| base.catch_up(rows));
        self.rows_read(result);
        self.show_all();
    }

    /// Says once that people are known again; until then alerts stay as they were.
    fn tell_released(&mut self) {
        let mut lists = self.base.watch_lists();
        if self.releasing && lists.all(|(_, list)| list.as_of.is_some()) {
            let (people, began) = (self.base.met(), self.begun);
            let seconds = self.supply.clock.now().duration_since(began).as_secs();
            tracing::info!(people, seconds, "every watch dataset was released");
            drop(lists);
            self.releasing = false;
        }
    }

    fn rows_read(&mut self, result: Result<(), RowsError>) {
        self.read_again_at = None;
        if let Err(error) = &result {
            tracing::error!(%error, "sealed rows could not be read; trying again");
        }
        if self.base.is_behind() {
            self.read_again_at = Some(later(self.supply.clock.now(), RETRY));
        }
        let result = result.map_err(|error| error.to_string());
        self.supply.status.store("reading sealed rows", result);
    }

    fn show_all(&self) {
        let datasets = &self.base.catalogue().datasets;
        datasets.iter().for_each(|dataset| self.show(&dataset.schema.dataset));
        let content = |number| Content { as_of: self.base.as_of(number), secrets_for: vec![] };
        let mut datasets: Vec<Content> = (0..datasets.len()).map(content).collect();
        for (number, list) in self.base.watch_lists() {
            datasets[number].secrets_for.clone_from(&list.secrets_for);
        }
        let contents = Contents { generation: self.generation, datasets };
        self.contents.send_if_modified(|shown| {
            let other = *shown != contents;
            *shown = contents;
            other
        });
    }

    /// Puts on the board what the base has of a dataset.
    fn show(&self, dataset: &DatasetId) {
        let Some(number) = self.base.catalogue().number(dataset) else { return };
        let (as_of, listed) = (self.base.as_of(number), self.base.listed(dataset));
        let unopenable = self.base.unopenable(dataset);
        self.supply.status.dataset(dataset, |line| {
            line.as_of = as_of;
            line.unopenable = unopenable as u64;
            if let Some(listed) = listed {
                line.rows = listed as u64;
            }
        });
    }
}
