//! What a dataset's rows say: its flags, their values, and the row's size.
//!
//! Owns the meaning of a flag byte. What a flag is computed from is the adapter's business; what it
//! is called for people is the policy's.

use std::collections::BTreeSet;

use crate::{
    name::{DatasetId, FlagName},
    wire,
};

/// The most exact values a flag can have: a set of them fits a `u32`.
pub const MAX_VALUES: usize = 32;
/// The most flags a dataset can have.
pub const MAX_FLAGS: usize = 32;
/// The most coarser groups a flag can declare.
pub const MAX_GROUPS: usize = 32;

/// Whether a dataset is a category of the base or a data line to compare it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetKind {
    /// A category of the base: its people are released to the gateway as subjects.
    Watch,
    /// A data line: its people are sealed rows.
    CrossCheck,
}

/// A dataset's flags and, where its rows hold households, their shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetSchema {
    /// The dataset this describes.
    pub dataset: DatasetId,
    /// Watch or cross-check.
    pub kind: DatasetKind,
    /// In the order of a row's flag bytes.
    pub flags: Vec<FlagSchema>,
    /// Set where each row also lists the person's household.
    pub household: Option<HouseholdSchema>,
}

/// One flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagSchema {
    /// Unique in the dataset.
    pub name: FlagName,
    /// Its values.
    pub kind: FlagKind,
}

/// A flag's values. Exact value 0 is always that of a person the dataset does not list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagKind {
    /// 0 is no, 1 is yes.
    Boolean,
    /// Named values without order.
    Category {
        /// The names; the first is that of a person not listed.
        values: Vec<String>,
        /// Groups of values that may stand in for their members.
        coarser: Vec<CoarserGroup>,
    },
    /// Ranges of whole numbers in ascending order.
    Bands {
        /// Where each band begins, inclusive; it ends where the next begins.
        lower_bounds: Vec<i64>,
        /// Groups of bands that may stand in for their members.
        coarser: Vec<CoarserGroup>,
    },
}

/// Indices of exact values that are merged where too few people share a combination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoarserGroup(pub BTreeSet<u8>);

/// The household part of a row (PROTOCOL.md section 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseholdSchema {
    /// How many members fit a row.
    pub max_members: u8,
    /// The datasets whose person secrets each member entry carries, in order.
    pub datasets: Vec<DatasetId>,
}

/// A flag as it stands in a row: an exact value, a coarser group, or unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlagValue(u8);

impl FlagValue {
    /// The source did not say.
    pub const UNKNOWN: Self = Self(u8::MAX);

    /// Exact value `index`, below [`MAX_VALUES`].
    pub fn exact(index: u8) -> Self {
        debug_assert!(usize::from(index) < MAX_VALUES, "checked where schemas are made");
        Self(index)
    }

    /// The byte in a row.
    pub fn to_byte(self) -> u8 {
        self.0
    }
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("dataset {dataset}: {what}")]
pub struct InvalidSchema {
    dataset: DatasetId,
    what: String,
}

impl FlagKind {
    /// How many exact values there are.
    pub fn value_count(&self) -> usize {
        match self {
            Self::Boolean => 2,
            Self::Category { values, .. } => values.len(),
            Self::Bands { lower_bounds, .. } => lower_bounds.len(),
        }
    }

    /// The declared coarser groups; a group's byte in a row is `value_count() + its index`.
    pub fn coarser(&self) -> &[CoarserGroup] {
        match self {
            Self::Boolean => &[],
            Self::Category { coarser, .. } | Self::Bands { coarser, .. } => coarser,
        }
    }

    /// The first coarser group that holds `value`, if any is declared.
    pub fn coarsen(&self, value: FlagValue) -> Option<FlagValue> {
        let group = self.coarser().iter().position(|group| group.0.contains(&value.0))?;
        u8::try_from(self.value_count() + group).ok().map(FlagValue)
    }

    /// A set of all exact values, one bit each.
    pub fn all_values(&self) -> u32 {
        u32::MAX >> (32 - self.value_count())
    }

    /// Which exact values a row's byte leaves possible, one bit each; none where the byte is not one
    /// this flag can have.
    pub fn possible(&self, byte: u8) -> Option<u32> {
        let count = self.value_count();
        let index = usize::from(byte);
        if byte == FlagValue::UNKNOWN.0 {
            Some(self.all_values())
        } else if index < count {
            Some(1 << index)
        } else {
            let group = self.coarser().get(index - count)?;
            Some(group.0.iter().fold(0, |set, &value| set | 1 << value))
        }
    }

    fn check(&self) -> Result<(), String> {
        let count = self.value_count();
        if !(2..=MAX_VALUES).contains(&count) {
            return Err(format!("needs 2 to {MAX_VALUES} values and has {count}"));
        }
        if let Self::Category { values, .. } = self
            && values.iter().collect::<BTreeSet<_>>().len() != count
        {
            return Err("has a value twice".into());
        }
        if let Self::Bands { lower_bounds, .. } = self
            && !lower_bounds.is_sorted_by(|a, b| a < b)
        {
            return Err("has bands that do not ascend".into());
        }
        if self.coarser().len() > MAX_GROUPS {
            return Err(format!("has more than {MAX_GROUPS} coarser groups"));
        }
        for group in self.coarser() {
            if group.0.len() < 2 || group.0.iter().any(|&v| usize::from(v) >= count) {
                return Err("has a coarser group that is not two or more of its values".into());
            }
        }
        Ok(())
    }
}

impl DatasetSchema {
    /// Checks every limit and returns the schema.
    ///
    /// # Errors
    /// Names the flag that is wrong and what it needs.
    pub fn checked(self) -> Result<Self, InvalidSchema> {
        let fault = |what: String| InvalidSchema { dataset: self.dataset.clone(), what };
        let mut names = BTreeSet::new();
        for flag in &self.flags {
            flag.kind.check().map_err(|what| fault(format!("flag {} {what}", flag.name)))?;
            if !names.insert(&flag.name) {
                return Err(fault(format!("flag {} is declared twice", flag.name)));
            }
        }
        if self.flags.len() > MAX_FLAGS {
            return Err(fault("more than 32 flags".into()));
        }
        if let Some(household) = &self.household {
            if self.kind == DatasetKind::Watch {
                return Err(fault("a watch dataset cannot hold households".into()));
            }
            if !(1..=64).contains(&household.max_members) {
                return Err(fault("household max_members must be 1 to 64".into()));
            }
            if household.datasets.is_empty() || household.datasets.len() > 16 {
                return Err(fault("household datasets must be 1 to 16".into()));
            }
            let different: BTreeSet<_> = household.datasets.iter().collect();
            if different.len() != household.datasets.len() {
                return Err(fault("household names a dataset twice".into()));
            }
        }
        Ok(self)
    }

    /// Bytes of a row before encryption: the flags and, where there is one, the household.
    pub fn row_size(&self) -> usize {
        self.flags.len() + self.household.as_ref().map_or(0, HouseholdSchema::size)
    }

    /// The position of a flag in a row.
    pub fn flag(&self, name: &str) -> Option<(usize, &FlagSchema)> {
        self.flags.iter().enumerate().find(|(_, flag)| flag.name.as_str() == name)
    }
}

impl HouseholdSchema {
    /// Bytes of one member entry: a pseudonym and a person secret for each dataset.
    pub fn member_size(&self) -> usize {
        16 + 32 * self.datasets.len()
    }

    /// Bytes of the household part: a count, an overflow mark, the padded entries.
    pub fn size(&self) -> usize {
        2 + usize::from(self.max_members) * self.member_size()
    }
}

fn group_from_wire(group: wire::CoarserGroup) -> Result<CoarserGroup, String> {
    let values = group.values.into_iter().map(u8::try_from).collect::<Result<_, _>>();
    values.map(CoarserGroup).map_err(|_| "has a coarser group out of range".into())
}

fn groups_from_wire(groups: Vec<wire::CoarserGroup>) -> Result<Vec<CoarserGroup>, String> {
    groups.into_iter().map(group_from_wire).collect()
}

fn groups_to_wire(groups: &[CoarserGroup]) -> Vec<wire::CoarserGroup> {
    let to_wire = |group: &CoarserGroup| wire::CoarserGroup {
        values: group.0.iter().map(|&value| value.into()).collect(),
    };
    groups.iter().map(to_wire).collect()
}

impl TryFrom<wire::FlagDescription> for FlagSchema {
    type Error = String;

    fn try_from(flag: wire::FlagDescription) -> Result<Self, String> {
        use wire::flag_description::Kind;
        let name: FlagName = flag.name.parse().map_err(|_| "has a flag without a proper name")?;
        let fault = |what: String| format!("flag {name} {what}");
        let kind = match flag.kind.ok_or_else(|| fault("has no kind".into()))? {
            Kind::Boolean(_) => FlagKind::Boolean,
            Kind::Category(category) => FlagKind::Category {
                values: category.values,
                coarser: groups_from_wire(category.coarser).map_err(fault)?,
            },
            Kind::Bands(bands) => FlagKind::Bands {
                lower_bounds: bands.lower_bounds,
                coarser: groups_from_wire(bands.coarser).map_err(fault)?,
            },
        };
        Ok(Self { name, kind })
    }
}

impl From<&FlagSchema> for wire::FlagDescription {
    fn from(flag: &FlagSchema) -> Self {
        use wire::flag_description::Kind;
        let kind = match &flag.kind {
            FlagKind::Boolean => Kind::Boolean(wire::BooleanFlag {}),
            FlagKind::Category { values, coarser } => Kind::Category(wire::CategoryFlag {
                values: values.clone(),
                coarser: groups_to_wire(coarser),
            }),
            FlagKind::Bands { lower_bounds, coarser } => Kind::Bands(wire::BandFlag {
                lower_bounds: lower_bounds.clone(),
                coarser: groups_to_wire(coarser),
            }),
        };
        Self { name: flag.name.to_string(), kind: Some(kind) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bands() -> FlagKind {
        FlagKind::Bands {
            lower_bounds: vec![0, 1, 2],
            coarser: vec![CoarserGroup(BTreeSet::from([1, 2]))],
        }
    }

    #[test]
    fn a_byte_leaves_the_values_possible_that_it_stands_for() {
        assert_eq!(bands().possible(0), Some(0b001));
        assert_eq!(bands().possible(2), Some(0b100));
        assert_eq!(bands().possible(3), Some(0b110), "the coarser group");
        assert_eq!(bands().possible(255), Some(0b111), "unknown");
        assert_eq!(bands().possible(4), None, "no such group");
    }

    #[test]
    fn a_household_reads_each_dataset_once() {
        let datasets = ["cars", "homes", "cars"].map(|name| name.parse().expect("a name"));
        let schema = |datasets: &[DatasetId]| DatasetSchema {
            dataset: "residents".parse().expect("a name"),
            kind: DatasetKind::CrossCheck,
            flags: vec![],
            household: Some(HouseholdSchema { max_members: 4, datasets: datasets.to_vec() }),
        };
        assert!(schema(&datasets[..2]).checked().is_ok());
        let text = schema(&datasets).checked().expect_err("refused").to_string();
        assert!(text.contains("twice"), "{text}");
    }

    #[test]
    fn coarsening_takes_the_declared_group_only() {
        assert_eq!(bands().coarsen(FlagValue::exact(2)).map(FlagValue::to_byte), Some(3));
        assert_eq!(bands().coarsen(FlagValue::exact(0)), None);
    }
}
