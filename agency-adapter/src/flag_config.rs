//! `[[dataset.flag]]` of adapter.toml: how columns become a flag.
//!
//! Owns what can be written there. Its checks, and what rows come to, are `flag_rule`'s.

use std::collections::BTreeMap;

use proto::{
    name::FlagName,
    schema::{CoarserGroup, FlagKind},
};
use serde::Deserialize;

use crate::condition::ConditionConfig;

/// One `[[dataset.flag]]`: exactly one of `when`, `bands`, `values`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagConfig {
    /// Unique in the dataset.
    pub name: FlagName,
    /// Boolean: whether any row of the person satisfies this.
    pub when: Option<ConditionConfig>,
    /// Ranges of a number.
    pub bands: Option<BandsConfig>,
    /// Names without order.
    pub values: Option<ValuesConfig>,
    /// Groups of value indices that may stand in for their members.
    #[serde(default)]
    pub coarser: Vec<Vec<u8>>,
}

/// A number and the ranges it is put into: exactly one of `column`, `count`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandsConfig {
    /// The column with the number.
    pub column: Option<String>,
    /// How the numbers of a person's rows become one.
    pub combine: Option<Combine>,
    /// The number is how many of the person's rows satisfy this.
    pub count: Option<ConditionConfig>,
    /// Where each band begins; a number below the first is in the first.
    pub lower_bounds: Vec<i64>,
}

/// How the numbers of a person's rows become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// The greatest.
    #[default]
    Max,
    /// All together.
    Sum,
}

/// A column with texts, and what each means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValuesConfig {
    /// Its header.
    pub column: String,
    /// The values; the first is that of a person the dataset does not list.
    pub names: Vec<String>,
    /// From texts in the file to names. A text that is a name needs no entry.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
}

impl FlagConfig {
    /// The columns the flag is made from.
    pub(crate) fn columns(&self) -> Vec<&str> {
        let when = self.when.as_ref().and_then(|when| when.column.as_deref());
        let bands = self.bands.as_ref();
        let number = bands.and_then(|bands| bands.column.as_deref());
        let count = bands.and_then(|bands| bands.count.as_ref()?.column.as_deref());
        let values = self.values.as_ref().map(|values| values.column.as_str());
        [when, number, count, values].into_iter().flatten().collect()
    }

    /// The flag's kind, of a flag that passed the checks of [`FlagRule::new`].
    pub(crate) fn kind(&self) -> FlagKind {
        let groups = self.coarser.iter();
        let coarser = groups.map(|group| CoarserGroup(group.iter().copied().collect())).collect();
        if let Some(bands) = &self.bands {
            FlagKind::Bands { lower_bounds: bands.lower_bounds.clone(), coarser }
        } else if let Some(values) = &self.values {
            FlagKind::Category { values: values.names.clone(), coarser }
        } else {
            FlagKind::Boolean
        }
    }
}
