//! What the gateway knows about its adapters and their datasets at this moment, for people to read.
//!
//! Written by the links and the pipeline, read by the admin service. Nothing decides by it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use jiff::Timestamp;
use proto::{
    cursor::Cursor,
    name::{AgencyId, DatasetId},
};

/// The board that everybody writes to.
#[derive(Default)]
pub struct StatusBoard(Mutex<Board>);

/// What stands on the board.
#[derive(Default, Clone)]
pub struct Board {
    /// One for every configured adapter.
    pub agencies: BTreeMap<AgencyId, AgencyStatus>,
    /// One for every dataset that an adapter described or that the store holds.
    pub datasets: BTreeMap<DatasetId, DatasetStatus>,
    /// Why a store refused the last write; empty while both are well.
    pub stores: BTreeMap<&'static str, String>,
}

/// An adapter.
#[derive(Default, Clone)]
pub struct AgencyStatus {
    /// Where it is dialled.
    pub address: String,
    /// Whether it answers.
    pub connected: bool,
    /// Since when it does or does not.
    pub since: Option<Timestamp>,
    /// Why it does not.
    pub problem: String,
    /// How many datasets it describes.
    pub datasets: u32,
    /// Identifiers whose evaluations were carried to a key holder and back for it, since the start.
    pub evaluations_carried: u64,
    /// Those for which a key holder or the gateway refused.
    pub evaluations_refused: u64,
    /// Those of them that cannot be followed, and why.
    pub refused: Vec<(DatasetId, String)>,
}

/// A dataset.
#[derive(Default, Clone)]
pub struct DatasetStatus {
    /// The version held.
    pub cursor: Option<Cursor>,
    /// When its source was last read without error.
    pub as_of: Option<Timestamp>,
    /// Rows or subjects held.
    pub rows: u64,
    /// Why the last transfer was refused.
    pub problem: String,
    /// Rows that did not open with the person secret released for them.
    pub unopenable: u64,
    /// Rows or subjects that have arrived of a transfer that has begun and does not count yet.
    pub arriving: Option<u64>,
}

impl StatusBoard {
    /// A copy of everything.
    pub fn read(&self) -> Board {
        self.lock().clone()
    }

    /// Changes an adapter's line.
    pub fn agency(&self, agency: &AgencyId, change: impl FnOnce(&mut AgencyStatus)) {
        change(self.lock().agencies.entry(agency.clone()).or_default());
    }

    /// Changes a dataset's line.
    pub fn dataset(&self, dataset: &DatasetId, change: impl FnOnce(&mut DatasetStatus)) {
        change(self.lock().datasets.entry(dataset.clone()).or_default());
    }

    /// Records whether a store took its last write.
    pub fn store(&self, store: &'static str, result: Result<(), String>) {
        let mut board = self.lock();
        match result {
            Ok(()) => board.stores.remove(store),
            Err(problem) => board.stores.insert(store, problem),
        };
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.0.lock().expect("nobody panics while writing to the board")
    }
}
