//! What can change in the city from one upload to the next.
//!
//! `today` stays: changed files are a later upload of the same day, so that what a test expects does
//! not depend on its clock.

use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::{
    City,
    economy::days_ago,
    resident::{Insurance, Listing, Resident},
};

impl City {
    /// A resident's facts, to be changed at will; `id`, `born` and `household` must stay.
    pub fn resident_mut(&mut self, id: &str) -> Option<&mut Resident> {
        self.places.get(id).map(|&place| &mut self.residents[place])
    }

    /// The facts of everybody who lives in a household.
    pub fn home_mut(&mut self, household: usize) -> &mut [Resident] {
        let mut homes = self.residents.chunk_by_mut(|a, b| a.household == b.household);
        homes.find(|home| home[0].household == household).unwrap_or_default()
    }

    fn change(&mut self, id: &str) -> &mut Resident {
        self.resident_mut(id).expect("tests change residents of their own city")
    }

    /// The resident stops contributing and registers as unemployed.
    ///
    /// # Panics
    /// If nobody has that number; so do the following.
    pub fn lose_job(&mut self, id: &str) {
        let (lapsed, registered) = (days_ago(self.today, 75), days_ago(self.today, 6));
        let resident = self.change(id);
        resident.insurance = Some(Insurance { base: 3_000, last_paid: lapsed });
        resident.list("registered_unemployed", registered);
    }

    /// The resident pays `yuan` for treatment.
    pub fn fall_ill(&mut self, id: &str, yuan: i64) {
        let since = days_ago(self.today, 6);
        let listing = Listing { since, payments: vec![], certificate: (0, 0) };
        let resident = self.change(id);
        let listing = resident.listings.entry("high_out_of_pocket").or_insert(listing);
        listing.payments.push(yuan);
    }

    /// Assistance of a kind the civil affairs file knows (`低保`, `特困`, `低保边缘`,
    /// `刚性支出困难`) is in force.
    pub fn cover(&mut self, id: &str, kind: &'static str) {
        self.change(id).assistance = Some(kind);
    }

    /// Assistance ends.
    pub fn uncover(&mut self, id: &str) {
        self.change(id).assistance = None;
    }

    /// The registration is cancelled by death.
    pub fn die(&mut self, id: &str) {
        let death = days_ago(self.today, 5);
        self.change(id).death = Some(death);
    }

    /// The city at the next upload: of a thousand residents about two lose a job or fall ill; one in
    /// twenty of the base gets covered, loses cover or leaves it.
    pub fn next_day(&self, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut next = self.clone();
        let grown_up = |r: &&Resident| (25..60).contains(&r.age(self.today));
        let workers: Vec<&Resident> = self.residents().filter(grown_up).collect();
        for _ in 0..self.residents.len().div_ceil(1000) {
            if let Some(worker) = workers.choose(&mut rng) {
                next.lose_job(&worker.id);
            }
            if let Some(patient) = workers.choose(&mut rng) {
                next.fall_ill(&patient.id, rng.random_range(3_000..60_000));
            }
        }
        for resident in self.base() {
            match rng.random_range(0..100) {
                0..2 => next.cover(&resident.id, "低保"),
                2..4 => next.uncover(&resident.id),
                4 => next.change(&resident.id).listings.clear(),
                _ => {}
            }
        }
        next
    }
}
