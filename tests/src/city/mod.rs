//! A synthetic city: residents, what nineteen agencies know about them, and the files they keep.
//!
//! Everything follows from the population, the seed and the day. Nobody in it exists: numbers are of
//! county 320199, phones of a range no operator assigns.

pub mod catalogue;
mod change;
pub mod config;
mod dirt;
mod economy;
mod hardship;
mod lines;
pub mod number;
mod people;
pub mod quarters;
pub mod resident;
pub mod rows;
mod stories;
#[cfg(test)]
mod tests;
pub mod truth;
mod watch;
pub mod write;

use std::collections::BTreeMap;

use jiff::civil::Date;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::oracle::PersonId;
use people::Numbers;
use resident::Resident;

/// The city on one day.
#[derive(Debug, Clone)]
pub struct City {
    residents: Vec<Resident>,
    places: BTreeMap<PersonId, usize>,
    seed: u64,
    today: Date,
    k_threshold: usize,
}

impl City {
    /// A city of `population` residents. All dates keep days away from the edges the flags ask for,
    /// so the files mean the same on the following day.
    pub fn generate(population: usize, seed: u64, today: Date) -> Self {
        Self::part(population, &Numbers::ALL, seed, today)
    }

    fn part(population: usize, numbers: &Numbers, seed: u64, today: Date) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut residents = people::settle(population, numbers, today, &mut rng);
        economy::furnish(&mut residents, today, &mut rng);
        stories::befall(&mut residents, today, &mut rng);
        Self::of(residents, seed, today)
    }

    /// A city in which nothing ever happens: everybody is registered there, on no list, owns nothing and
    /// earns nothing. For stories that are told by hand.
    pub fn quiet(population: usize, seed: u64, today: Date) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut residents = people::settle(population, &Numbers::ALL, today, &mut rng);
        for resident in &mut residents {
            resident.registration = Some("本市");
        }
        Self::of(residents, seed, today)
    }

    fn of(residents: Vec<Resident>, seed: u64, today: Date) -> Self {
        let places = residents.iter().enumerate().map(|(n, r)| (r.id.clone(), n)).collect();
        Self { residents, places, seed, today, k_threshold: 10 }
    }

    /// Everybody, in the order of the files.
    pub fn residents(&self) -> impl Iterator<Item = &Resident> + Clone {
        self.residents.iter()
    }

    /// One resident.
    pub fn resident(&self, id: &str) -> Option<&Resident> {
        self.places.get(id).map(|&place| &self.residents[place])
    }

    /// Residents some watch dataset lists.
    pub fn base(&self) -> impl Iterator<Item = &Resident> {
        self.residents().filter(|resident| !resident.listings.is_empty())
    }

    /// Every number, name, phone and address: what must never reach the gateway.
    pub fn canaries(&self) -> impl Iterator<Item = &str> {
        self.residents().flat_map(|r| [&*r.id, &*r.name, &*r.phone, &*r.address])
    }

    /// What the city was made from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The day on which everything is true.
    pub fn today(&self) -> Date {
        self.today
    }

    /// How many people must share a combination of flags.
    pub fn k_threshold(&self) -> usize {
        self.k_threshold
    }

    /// Changes how many people must share a combination of flags; 1 hides nothing.
    pub fn set_k_threshold(&mut self, k_threshold: usize) {
        self.k_threshold = k_threshold;
    }
}
