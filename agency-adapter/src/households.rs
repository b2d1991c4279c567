//! Who lives together, as the rows of one dataset say.

use std::collections::HashMap;

use crate::household_name::household_name;

/// No household was said.
const NONE: u32 = u32::MAX;

/// More people than this under one name are a dormitory or an institution. They are strangers to each
/// other: what one of them has says nothing about the rest. (No row has room for more.)
const LARGEST: usize = 64;

/// The households of the people of a person table, by their places in it.
#[derive(Default)]
pub(crate) struct Households {
    numbers: HashMap<Box<str>, u32>,
    /// By household: somebody in it could not be listed.
    incomplete: Vec<bool>,
    /// By person.
    of: Vec<u32>,
}

impl Households {
    /// Notes that a person's row names this household. The first household named is the person's; if
    /// a later row names another, neither is complete.
    pub(crate) fn add(&mut self, person: usize, name: &str) {
        if self.of.len() <= person {
            self.of.resize(person + 1, NONE);
        }
        let Some(name) = household_name(name) else { return };
        let number = self.number(&name);
        match self.of[person] {
            NONE => self.of[person] = number,
            same if same == number => {}
            other => {
                self.incomplete[other as usize] = true;
                self.incomplete[number as usize] = true;
            }
        }
    }

    /// Notes that somebody in this household could not be listed.
    pub(crate) fn miss(&mut self, name: &str) {
        if let Some(name) = household_name(name) {
            let number = self.number(&name) as usize;
            self.incomplete[number] = true;
        }
    }

    /// For each person: the members, in file order, and whether these are all. Nobody where no
    /// household was said, or one of more than [`LARGEST`].
    pub(crate) fn by_person(self) -> impl Iterator<Item = (Vec<u32>, bool)> {
        let mut members = vec![vec![]; self.incomplete.len()];
        for (person, &household) in (0..).zip(&self.of) {
            if household != NONE {
                members[household as usize].push(person);
            }
        }
        self.of.into_iter().map(move |household| match household {
            NONE => (vec![], false),
            number => match &members[number as usize] {
                strangers if strangers.len() > LARGEST => (vec![], false),
                family => (family.clone(), !self.incomplete[number as usize]),
            },
        })
    }

    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number =
            u32::try_from(self.incomplete.len()).expect("fewer households than memory has");
        self.numbers.insert(name.into(), number);
        self.incomplete.push(false);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_of_one_household_list_each_other_in_file_order() {
        let mut households = Households::default();
        for (person, name) in [(0, "a"), (1, "b"), (2, "a"), (0, "a"), (3, "")] {
            households.add(person, name);
        }
        let listed: Vec<_> = households.by_person().collect();
        assert_eq!(
            listed,
            [(vec![0, 2], true), (vec![1], true), (vec![0, 2], true), (vec![], false)]
        );
    }

    #[test]
    fn a_household_that_misses_somebody_is_not_complete() {
        let mut households = Households::default();
        households.miss("a");
        for (person, name) in [(0, "a"), (1, "b"), (2, "c"), (2, "b"), (3, "d")] {
            households.add(person, name);
        }
        let complete: Vec<_> = households.by_person().map(|(_, complete)| complete).collect();
        assert_eq!(complete, [false, false, false, true]);
    }

    #[test]
    fn people_without_a_name_or_in_a_dormitory_are_nobodys_family() {
        let mut households = Households::default();
        (0..=LARGEST).for_each(|person| households.add(person, "dormitory"));
        let (first, second) = (LARGEST + 1, LARGEST + 2);
        households.add(first, "无");
        households.add(second, "无");
        let listed: Vec<_> = households.by_person().collect();
        assert!(listed.iter().all(|(members, complete)| members.is_empty() && !complete));
        let mut households = Households::default();
        (0..LARGEST).for_each(|person| households.add(person, "large"));
        assert!(households.by_person().all(|(members, complete)| members.len() == 64 && complete));
    }
}
