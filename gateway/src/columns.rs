//! What one dataset says about people, by column: for every flag and every exact value, for whom
//! that value is possible.
//!
//! Owns the step from a row's bytes to sets of people. Whose number is whose, and when a row
//! counts, is others' business.

use proto::{
    name::{DatasetId, FlagName},
    schema::{DatasetKind, DatasetSchema, FlagKind, MAX_FLAGS},
};

use crate::bitset::Bitset;

/// The columns of one dataset. Every person has at least one possible value of every flag.
#[derive(Debug, Clone)]
pub struct DatasetColumns {
    dataset: DatasetId,
    len: usize,
    /// Whom the dataset lists; watch datasets only.
    listed: Option<Bitset>,
    flags: Vec<FlagColumns>,
}

#[derive(Debug, Clone)]
struct FlagColumns {
    name: FlagName,
    kind: FlagKind,
    /// By exact value.
    possible: Vec<Bitset>,
}

/// Flag bytes that the dataset's schema does not allow: the fault of whoever sent the row. Never
/// says which byte or about whom.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFlag {
    /// Too many bytes, or too few.
    #[error("a row of {dataset} has {got} flag bytes instead of {expected}")]
    Width {
        /// Whose row.
        dataset: DatasetId,
        /// How many bytes came.
        got: usize,
        /// How many flags there are.
        expected: usize,
    },
    /// A byte that is no value, no coarser group and not unknown.
    #[error("a row of {dataset} has a value that flag {flag} cannot have")]
    Value {
        /// Whose row.
        dataset: DatasetId,
        /// Which flag.
        flag: FlagName,
    },
}

impl DatasetColumns {
    /// Columns about nobody yet.
    pub fn new(schema: &DatasetSchema) -> Self {
        let flags = schema.flags.iter().map(|flag| FlagColumns {
            name: flag.name.clone(),
            kind: flag.kind.clone(),
            possible: vec![Bitset::new(); flag.kind.value_count()],
        });
        Self {
            dataset: schema.dataset.clone(),
            len: 0,
            listed: (schema.kind == DatasetKind::Watch).then(Bitset::new),
            flags: flags.collect(),
        }
    }

    /// How many people the columns are about.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether they are about nobody.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes room for people below `len`. New ones are not listed, so their values are all 0.
    pub fn grow(&mut self, len: usize) {
        if len <= self.len {
            return;
        }
        self.len = len;
        if let Some(listed) = &mut self.listed {
            listed.grow(len);
        }
        for flag in &mut self.flags {
            for (value, possible) in flag.possible.iter_mut().enumerate() {
                possible.resize(len, value == 0);
            }
        }
    }

    /// Takes a person's row over: its flag bytes, or nothing where the dataset does not list the
    /// person. In a watch dataset this also says whether the person is listed.
    ///
    /// # Errors
    /// [`BadFlag`]; then nothing is changed.
    ///
    /// # Panics
    /// If there is no room for `row`.
    pub fn set_flags(&mut self, row: usize, bytes: Option<&[u8]>) -> Result<(), BadFlag> {
        let mut sets = [1; MAX_FLAGS];
        if let Some(bytes) = bytes {
            self.sets(bytes, &mut sets)?;
        }
        self.put(row, &sets);
        if let Some(listed) = &mut self.listed {
            listed.assign(row, bytes.is_some());
        }
        Ok(())
    }

    /// Notes that nothing is known of a person's flags. Whether a watch dataset lists the person
    /// stays as it was.
    ///
    /// # Panics
    /// If there is no room for `row`.
    pub fn set_unknown(&mut self, row: usize) {
        for flag in &mut self.flags {
            flag.possible.iter_mut().for_each(|people| people.set(row));
        }
    }

    /// Notes whether a watch dataset lists a person; flags stay as they were. Nothing for a
    /// cross-check dataset.
    ///
    /// # Panics
    /// If there is no room for `row`.
    pub fn set_listed(&mut self, row: usize, value: bool) {
        if let Some(listed) = &mut self.listed {
            listed.assign(row, value);
        }
    }

    /// The exact values of a flag that are possible for a person, one bit each.
    pub fn possible(&self, row: usize, flag: usize) -> u32 {
        let columns = self.flags[flag].possible.iter().enumerate();
        columns.fold(0, |set, (value, people)| set | u32::from(people.get(row)) << value)
    }

    /// Whom a watch dataset lists; absent for a cross-check dataset.
    pub fn listed(&self) -> Option<&Bitset> {
        self.listed.as_ref()
    }

    /// For whom each exact value of a flag is possible.
    pub fn values(&self, flag: usize) -> &[Bitset] {
        &self.flags[flag].possible
    }

    fn sets(&self, bytes: &[u8], sets: &mut [u32; MAX_FLAGS]) -> Result<(), BadFlag> {
        let dataset = || self.dataset.clone();
        if bytes.len() != self.flags.len() {
            let (got, expected) = (bytes.len(), self.flags.len());
            return Err(BadFlag::Width { dataset: dataset(), got, expected });
        }
        for (set, (&byte, flag)) in sets.iter_mut().zip(bytes.iter().zip(&self.flags)) {
            let bad = || BadFlag::Value { dataset: dataset(), flag: flag.name.clone() };
            *set = flag.kind.possible(byte).ok_or_else(bad)?;
        }
        Ok(())
    }

    fn put(&mut self, row: usize, sets: &[u32]) {
        for (flag, set) in self.flags.iter_mut().zip(sets) {
            for (value, people) in flag.possible.iter_mut().enumerate() {
                people.assign(row, set >> value & 1 == 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proto::schema::{CoarserGroup, FlagSchema};

    use super::*;

    fn columns(kind: DatasetKind) -> DatasetColumns {
        let homes = FlagKind::Bands {
            lower_bounds: vec![0, 1, 2],
            coarser: vec![CoarserGroup(BTreeSet::from([1, 2]))],
        };
        let flag = |name: &str, kind| FlagSchema { name: name.parse().expect("a name"), kind };
        let schema = DatasetSchema {
            dataset: "estate".parse().expect("a name"),
            kind,
            flags: vec![flag("homes", homes), flag("shop", FlagKind::Boolean)],
            household: None,
        };
        DatasetColumns::new(&schema)
    }

    #[test]
    fn a_new_person_is_not_listed_and_has_every_first_value() {
        let mut columns = columns(DatasetKind::Watch);
        columns.grow(3);
        assert_eq!((columns.possible(2, 0), columns.possible(2, 1)), (0b001, 0b01));
        assert_eq!(columns.listed().map(Bitset::count), Some(0));
    }

    #[test]
    fn a_row_leaves_possible_what_its_bytes_stand_for() {
        let mut columns = columns(DatasetKind::Watch);
        columns.grow(2);
        columns.set_flags(1, Some(&[3, 255])).expect("a group and unknown");
        assert_eq!((columns.possible(1, 0), columns.possible(1, 1)), (0b110, 0b11));
        assert!(columns.listed().expect("a watch dataset").get(1));
        columns.set_flags(1, None).expect("nobody's flags are no bytes");
        assert_eq!((columns.possible(1, 0), columns.possible(1, 1)), (0b001, 0b01));
        assert!(!columns.listed().expect("a watch dataset").get(1));
        columns.set_unknown(1);
        assert_eq!((columns.possible(1, 0), columns.possible(1, 1)), (0b111, 0b11));
    }

    #[test]
    fn a_bad_row_changes_nothing_and_its_bytes_are_not_told() {
        let mut columns = columns(DatasetKind::CrossCheck);
        columns.grow(1);
        let value = columns.set_flags(0, Some(&[2, 77])).expect_err("booleans have no 77");
        assert_eq!(value.to_string(), "a row of estate has a value that flag shop cannot have");
        let width = columns.set_flags(0, Some(&[2])).expect_err("one byte is missing");
        assert_eq!(width.to_string(), "a row of estate has 1 flag bytes instead of 2");
        assert_eq!(columns.possible(0, 0), 0b001);
        assert!(columns.listed().is_none());
    }
}
