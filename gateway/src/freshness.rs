//! Whose answers count now: a dataset's do until its source was read too long ago.
//!
//! Owns the times; what follows for rules is `facts`' business.

use jiff::Timestamp;

use crate::{base::Base, catalogue::DatasetNumber, clock::later};

impl Base {
    /// When the next dataset goes stale if nothing arrives.
    pub fn next_stale(&self, now: Timestamp) -> Option<Timestamp> {
        let fresh =
            (0..self.catalogue().datasets.len()).filter(|&number| self.is_fresh(number, now));
        fresh.filter_map(|number| self.stale_at(number)).min()
    }

    /// Whether every category's list counts now, so that whoever is in none is not in the base.
    pub fn knows_everybody(&self, now: Timestamp) -> bool {
        self.watch_lists().all(|(number, _)| self.is_fresh(number, now))
    }

    /// Whether a dataset's answers count now.
    pub fn is_fresh(&self, number: DatasetNumber, now: Timestamp) -> bool {
        self.stale_at(number).is_some_and(|at| now < at)
    }

    fn stale_at(&self, number: DatasetNumber) -> Option<Timestamp> {
        let within = self.catalogue().datasets[number].fresh_within;
        self.as_of(number).map(|as_of| later(as_of, within))
    }
}
