//! What a correct reader makes of the files: a byte per flag, after merging a person's rows and after
//! the rule that hides rare combinations.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;

use super::{
    City,
    catalogue::{Condition, Dataset, MAX_MEMBERS, Rule, datasets},
    rows::{Cell, Row, rows},
};
use crate::oracle::{HouseholdList, PersonId, World};

/// A flag the source did not say.
pub const UNKNOWN: u8 = u8::MAX;

impl City {
    /// The flag bytes of everybody a dataset lists: exact value, `value count + group`, or
    /// [`UNKNOWN`].
    pub fn flag_bytes(&self, dataset: &Dataset) -> BTreeMap<PersonId, Vec<u8>> {
        let mut merged = self.merged(dataset);
        let shared = Combinations::of(&merged);
        shared.hide_rare(dataset, self.k_threshold(), &mut merged);
        merged
    }

    fn merged(&self, dataset: &Dataset) -> BTreeMap<PersonId, Vec<u8>> {
        let mut merged = BTreeMap::new();
        for resident in self.residents() {
            let rows = rows(dataset, resident, self.seed());
            if !rows.is_empty() {
                merged.insert(resident.id.clone(), merge(dataset, &rows, self.today()));
            }
        }
        merged
    }

    /// The truth, as the oracle reads it. Of a household too large for a row it takes the person, and then
    /// others in the order of `rank`.
    pub fn world<R: Ord>(&self, rank: impl Fn(&PersonId) -> R) -> World {
        let mut shared = Shared::default();
        shared.add(self);
        self.world_in(&shared, rank)
    }

    /// The same of a part of a city in which combinations of flags are shared by so many.
    pub fn world_in<R: Ord>(&self, city: &Shared, rank: impl Fn(&PersonId) -> R) -> World {
        let listed = datasets().map(|dataset| {
            let mut people = self.merged(dataset);
            if let Some(shared) = city.0.get(dataset.id) {
                shared.hide_rare(dataset, self.k_threshold(), &mut people);
            }
            let possible = |(id, bytes): (PersonId, Vec<u8>)| (id, possible(dataset, &bytes));
            (dataset.id.to_owned(), people.into_iter().map(possible).collect())
        });
        let (listed, households) = (listed.collect(), self.households(rank));
        World { listed, households, ..World::default() }
    }

    fn households<R: Ord>(
        &self,
        rank: impl Fn(&PersonId) -> R,
    ) -> BTreeMap<PersonId, HouseholdList> {
        let mut homes: BTreeMap<usize, Vec<PersonId>> = BTreeMap::new();
        let registered = self.residents().filter(|resident| resident.registration.is_some());
        for resident in registered.clone() {
            homes.entry(resident.household).or_default().push(resident.id.clone());
        }
        let large = homes.values_mut().filter(|home| home.len() > MAX_MEMBERS);
        large.for_each(|home| home.sort_by_cached_key(&rank));
        let list = |person: &PersonId, home: &[PersonId]| {
            let others = home.iter().filter(|other| *other != person);
            let members = std::iter::once(person).chain(others).take(MAX_MEMBERS);
            let members = members.cloned().collect();
            HouseholdList { members, complete: home.len() <= MAX_MEMBERS }
        };
        registered.map(|r| (r.id.clone(), list(&r.id, &homes[&r.household]))).collect()
    }
}

fn merge(dataset: &Dataset, rows: &[Row], today: Date) -> Vec<u8> {
    // An old number may have been turned into somebody else's: it must exclude nobody.
    if !dataset.is_watch() && rows.iter().all(|row| row.upgraded) {
        return vec![UNKNOWN; dataset.flags.len()];
    }
    let flag = |rule: &Rule| match rule {
        Rule::When(condition) => boolean(dataset, condition, rows, today),
        Rule::Count { column, equals, bands } => {
            let counts = |row: &&Row| row.cells[dataset.column(column)] == Cell::Text(equals);
            let count = i64::try_from(rows.iter().filter(counts).count()).expect("few rows");
            band(bands.lower_bounds, count)
        }
        Rule::Number { column, sum, bands } => {
            let numbers: Option<Vec<i64>> =
                rows.iter().map(|row| as_number(&row.cells[dataset.column(column)])).collect();
            numbers.map_or(UNKNOWN, |numbers| {
                let largest = numbers.iter().copied().max().expect("a person has a row");
                let number = if *sum { numbers.iter().sum() } else { largest };
                band(bands.lower_bounds, number)
            })
        }
        Rule::Values { column, names, map, .. } => {
            let value = |row: &Row| match row.cells[dataset.column(column)] {
                Cell::Text(text) => map.iter().find(|(said, _)| *said == text).map(|(_, v)| *v),
                _ => None,
            };
            let first = value(&rows[0]);
            let agreed = first.filter(|_| rows.iter().all(|row| value(row) == first));
            let index = agreed.and_then(|value| names.iter().position(|name| *name == value));
            index.map_or(UNKNOWN, |index| u8::try_from(index).expect("few values"))
        }
    };
    dataset.flags.iter().map(|f| flag(&f.rule)).collect()
}

fn boolean(dataset: &Dataset, condition: &Condition, rows: &[Row], today: Date) -> u8 {
    let text = |row: &Row, column| match row.cells[dataset.column(column)] {
        Cell::Text(text) => Some(text),
        _ => None,
    };
    let holds = |row: &Row| match condition {
        Condition::Always => Some(true),
        Condition::Equals(column, wanted) => text(row, column).map(|text| text == *wanted),
        Condition::In(column, wanted) => text(row, column).map(|text| wanted.contains(&text)),
        Condition::AtLeast(column, least) => {
            as_number(&row.cells[dataset.column(column)]).map(|number| number >= *least)
        }
        Condition::WithinDays(column, days) => match row.cells[dataset.column(column)] {
            Cell::Date(date) => Some(i64::from((today - date).get_days()) <= *days),
            _ => None,
        },
    };
    let answers: Vec<_> = rows.iter().map(holds).collect();
    if answers.contains(&Some(true)) {
        1
    } else if answers.contains(&None) {
        UNKNOWN
    } else {
        0
    }
}

fn as_number(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Number(number) => Some(*number),
        _ => None,
    }
}

fn band(lower_bounds: &[i64], number: i64) -> u8 {
    let reached = lower_bounds.iter().filter(|&&bound| bound <= number).count();
    u8::try_from(reached.saturating_sub(1)).expect("few bands")
}

/// How many people of a city share each combination of flags, by dataset.
#[derive(Debug, Default)]
pub struct Shared(BTreeMap<&'static str, Combinations>);

impl Shared {
    /// Adds those of a part of the city.
    pub fn add(&mut self, part: &City) {
        for dataset in datasets() {
            let combinations = self.0.entry(dataset.id).or_default();
            combinations.add(&part.merged(dataset));
        }
    }
}

/// How many people share each combination of one dataset's flags.
#[derive(Debug, Default)]
struct Combinations(HashMap<Vec<u8>, usize>);

impl Combinations {
    fn of(people: &BTreeMap<PersonId, Vec<u8>>) -> Self {
        let mut combinations = Self::default();
        combinations.add(people);
        combinations
    }

    fn add(&mut self, people: &BTreeMap<PersonId, Vec<u8>>) {
        for bytes in people.values() {
            match self.0.get_mut(bytes) {
                Some(count) => *count += 1,
                None => _ = self.0.insert(bytes.clone(), 1),
            }
        }
    }

    /// People whose combination of flags is shared by fewer than `k` are generalised, once, where the
    /// dataset declares a group; the others stay as they are.
    fn hide_rare(&self, dataset: &Dataset, k: usize, people: &mut BTreeMap<PersonId, Vec<u8>>) {
        for bytes in people.values_mut().filter(|bytes| self.0[*bytes] < k) {
            for (byte, flag) in bytes.iter_mut().zip(dataset.flags) {
                let group = flag.rule.coarser().iter().position(|group| group.contains(byte));
                if let Some(group) = group {
                    *byte = u8::try_from(flag.rule.value_count() + group).expect("few groups");
                }
            }
        }
    }
}

fn possible(dataset: &Dataset, bytes: &[u8]) -> Vec<u32> {
    let set = |(&byte, rule): (&u8, &Rule)| {
        let count = rule.value_count();
        match usize::from(byte) {
            255 => (1 << count) - 1,
            exact if exact < count => 1 << exact,
            group => rule.coarser()[group - count].iter().fold(0, |set, value| set | 1 << value),
        }
    };
    bytes.iter().zip(dataset.flags.iter().map(|flag| &flag.rule)).map(set).collect()
}
