//! A city of any size, quarter by quarter: each is made alone, from the seed and its number, so that
//! nobody has to hold the whole. A household is in one quarter, and no two give out the same number.

use jiff::civil::Date;
use rand::RngExt;

use super::{
    City,
    people::{BIRTHS, Numbers},
    rows::chance,
};

/// A city that is not held.
#[derive(Debug, Clone, Copy)]
pub struct Quarters {
    population: usize,
    most: usize,
    seed: u64,
    today: Date,
}

impl Quarters {
    /// A city of `population` residents in quarters of at most `most`.
    pub fn new(population: usize, most: usize, seed: u64, today: Date) -> Self {
        Self { population, most, seed, today }
    }

    /// Each quarter, made when its turn comes.
    ///
    /// # Panics
    /// If there are more people than numbers for them, about 24 million.
    pub fn each(self) -> impl Iterator<Item = City> {
        (0..self.count()).map(move |number| self.quarter(number))
    }

    fn count(self) -> usize {
        self.population.div_ceil(self.most)
    }

    fn quarter(self, number: usize) -> City {
        // One birth of a day alone would be all boys or all girls.
        let births = usize::from(BIRTHS) / self.count();
        assert!(births >= 2, "too many people for the numbers there are");
        let small = |number: usize| u16::try_from(number).expect("below BIRTHS");
        let first = number * births + 1;
        let numbers =
            Numbers { first: number * self.most, births: small(first)..=small(first + births - 1) };
        let population = self.most.min(self.population - number * self.most);
        let seed = chance(self.seed, "quarter", &number.to_string(), "").random();
        City::part(population, &numbers, seed, self.today)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::date;

    use super::*;

    const TODAY: Date = date(2026, 3, 1);

    #[test]
    fn nothing_of_one_quarter_is_in_another() {
        let quarters: Vec<City> = Quarters::new(2_300, 500, 7, TODAY).each().collect();
        let all = || quarters.iter().flat_map(City::residents);
        assert_eq!(all().count(), 2_300);
        let different = |of: &dyn Fn(&super::super::resident::Resident) -> String| {
            all().map(of).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(different(&|resident| resident.id.clone()), 2_300);
        assert_eq!(different(&|resident| resident.phone.clone()), 2_300);
        let homes = different(&|resident| resident.household.to_string());
        let homes_of = |quarter: &City| {
            quarter.residents().map(|resident| resident.household).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(homes, quarters.iter().map(homes_of).sum::<usize>());
        let names =
            |quarter: &City| quarter.residents().map(|r| r.name.clone()).collect::<Vec<_>>();
        assert_ne!(names(&quarters[1]), names(&quarters[2]));
    }

    #[test]
    fn a_quarter_is_made_alone() {
        let quarters = Quarters::new(2_000, 500, 7, TODAY);
        let ids = |quarter: &City| quarter.residents().map(|r| r.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&quarters.quarter(3)), ids(&quarters.each().nth(3).expect("four")));
    }

    #[test]
    fn more_births_than_numbers_make_some_a_year_older() {
        let crowded = Quarters::new(450 * 20_000, 20_000, 7, TODAY).quarter(449);
        let ids: BTreeSet<_> = crowded.residents().map(|resident| &resident.id).collect();
        assert_eq!(ids.len(), 20_000);
        let infants = crowded.residents().filter(|resident| resident.age(TODAY) == 0).count();
        assert!(infants <= 2 * 355, "{infants}");
    }
}
