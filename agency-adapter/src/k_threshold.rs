//! Combinations of flags that few people share: made coarser where the dataset says how, and
//! reported. Nobody is ever left out.
//!
//! One sentence, so that everybody can check it: in a combination that fewer than `k` people hold,
//! every flag whose value has a coarser group is replaced by the first such group, once.

use std::collections::HashMap;

use proto::schema::{DatasetSchema, FlagValue};
use serde::Serialize;

use crate::load::Person;

/// What was found and done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KThresholdReport {
    /// The least number of people who should share a combination.
    pub k: u32,
    /// Different combinations in the file.
    pub combinations: u64,
    /// Of these, held by fewer than `k` people.
    pub rare_combinations: u64,
    /// People who held those.
    pub rare_people: u64,
    /// People whose flags were made coarser.
    pub coarsened_people: u64,
    /// Combinations that are still held by fewer than `k` people.
    pub remaining_combinations: u64,
    /// People who hold those.
    pub remaining_people: u64,
}

type Combination = Vec<FlagValue>;

/// Makes rare combinations coarser.
pub fn coarsen_rare(persons: &mut [Person], schema: &DatasetSchema, k: u32) -> KThresholdReport {
    let mut counts: HashMap<Combination, u64> = HashMap::new();
    for person in persons.iter() {
        match counts.get_mut(&person.flags) {
            Some(count) => *count += 1,
            None => {
                counts.insert(person.flags.clone(), 1);
            }
        }
    }
    let combinations = counts.len() as u64;
    let (rare_combinations, rare_people) = rare(&counts, k);
    let replacements = replacements(&mut counts, schema, k);
    let mut coarsened_people = 0;
    if !replacements.is_empty() {
        for person in persons {
            if let Some(coarse) = replacements.get(&person.flags) {
                person.flags.clone_from(coarse);
                coarsened_people += 1;
            }
        }
    }
    let (remaining_combinations, remaining_people) = rare(&counts, k);
    KThresholdReport {
        k,
        combinations,
        rare_combinations,
        rare_people,
        coarsened_people,
        remaining_combinations,
        remaining_people,
    }
}

/// How many combinations fewer than `k` people hold, and how many people do.
fn rare(counts: &HashMap<Combination, u64>, k: u32) -> (u64, u64) {
    let rare = counts.values().filter(|&&count| count < k.into());
    rare.fold((0, 0), |(combinations, people), count| (combinations + 1, people + count))
}

/// What each rare combination becomes. Brings `counts` up to date.
fn replacements(
    counts: &mut HashMap<Combination, u64>,
    schema: &DatasetSchema,
    k: u32,
) -> HashMap<Combination, Combination> {
    let rare = counts.iter().filter(|(_, count)| **count < k.into());
    let replaced: HashMap<Combination, Combination> = rare
        .map(|(combination, _)| (combination.clone(), coarser(combination, schema)))
        .filter(|(combination, coarse)| coarse != combination)
        .collect();
    for (combination, coarse) in &replaced {
        let count = counts.remove(combination).unwrap_or(0);
        *counts.entry(coarse.clone()).or_insert(0) += count;
    }
    replaced
}

fn coarser(combination: &Combination, schema: &DatasetSchema) -> Combination {
    let flags = combination.iter().zip(&schema.flags);
    flags.map(|(value, flag)| flag.kind.coarsen(*value).unwrap_or(*value)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::date;
    use proto::schema::{CoarserGroup, DatasetKind, FlagKind, FlagSchema};

    use super::*;
    use crate::identifier::{IdentifierType, canonicalise};

    /// Two flags of three bands each, of which the upper two may be merged.
    fn schema() -> DatasetSchema {
        let bands = || FlagKind::Bands {
            lower_bounds: vec![0, 1, 2],
            coarser: vec![CoarserGroup(BTreeSet::from([1, 2]))],
        };
        let flag = |name: &str| FlagSchema { name: name.parse().expect("a name"), kind: bands() };
        DatasetSchema {
            dataset: "homes".parse().expect("a name"),
            kind: DatasetKind::CrossCheck,
            flags: vec![flag("a"), flag("b")],
            household: None,
        }
    }

    /// So many people with each pair of flags, and what becomes of them.
    fn coarsened(groups: &[([u8; 2], usize)]) -> (Vec<([u8; 2], usize)>, KThresholdReport) {
        let kind = IdentifierType::ResidentId;
        let somebody = canonicalise(&kind, "320102198001010016", date(2026, 1, 31)).expect("good");
        let person = |flags: [u8; 2]| Person {
            identifier: somebody.identifier.clone(),
            particulars: None,
            flags: flags.map(FlagValue::exact).to_vec(),
            household: vec![],
            household_complete: false,
        };
        let mut persons: Vec<_> =
            groups.iter().flat_map(|&(flags, count)| vec![person(flags); count]).collect();
        let report = coarsen_rare(&mut persons, &schema(), 10);
        assert_eq!(persons.len(), groups.iter().map(|group| group.1).sum::<usize>(), "all kept");
        let mut found = std::collections::BTreeMap::new();
        for person in persons {
            *found.entry([person.flags[0].to_byte(), person.flags[1].to_byte()]).or_insert(0) += 1;
        }
        (found.into_iter().collect(), report)
    }

    #[test]
    fn rare_combinations_that_are_enough_together_are_merged() {
        let (found, report) = coarsened(&[([0, 0], 50), ([1, 0], 6), ([2, 0], 5)]);
        assert_eq!(found, [([0, 0], 50), ([3, 0], 11)]);
        assert_eq!((report.combinations, report.rare_combinations, report.rare_people), (3, 2, 11));
        assert_eq!((report.coarsened_people, report.remaining_combinations), (11, 0));
    }

    #[test]
    fn what_no_group_holds_stays_exact_and_is_reported() {
        let (found, report) = coarsened(&[([0, 0], 3), ([1, 0], 40)]);
        assert_eq!(found, [([0, 0], 3), ([1, 0], 40)]);
        assert_eq!(report.coarsened_people, 0);
        assert_eq!((report.remaining_combinations, report.remaining_people), (1, 3));
    }

    #[test]
    fn every_flag_of_a_rare_combination_is_made_coarser() {
        let (found, report) = coarsened(&[([1, 1], 40), ([1, 2], 6), ([2, 1], 1)]);
        assert_eq!(found, [([1, 1], 40), ([3, 3], 7)]);
        assert_eq!((report.coarsened_people, report.remaining_combinations), (7, 1));
    }
}
