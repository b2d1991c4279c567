//! Stand-in.
use std::path::PathBuf;

use proto::{
    name::{DatasetId, FlagName},
    schema::{DatasetKind, DatasetSchema, FlagKind, FlagSchema, HouseholdSchema, InvalidSchema},
};
use serde::Deserialize;

/// Stand-in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetConfig {
    /// Stand-in.
    pub id: DatasetId,
    /// Stand-in.
    pub kind: DatasetKind,
    /// Stand-in.
    pub csv: PathBuf,
    /// Stand-in.
    #[serde(default)]
    pub flag: Vec<FlagName>,
    /// Stand-in.
    pub household: Option<HouseholdConfig>,
}

/// Stand-in.
#[derive(Debug, Clone, Deserialize)]
pub struct HouseholdConfig {
    /// Stand-in.
    pub max_members: u8,
    /// Stand-in.
    pub datasets: Vec<DatasetId>,
}

impl DatasetConfig {
    /// Stand-in.
    ///
    /// # Errors
    /// Stand-in.
    pub fn schema(&self) -> Result<DatasetSchema, InvalidSchema> {
        let flag = |name: &FlagName| FlagSchema { name: name.clone(), kind: FlagKind::Boolean };
        DatasetSchema {
            dataset: self.id.clone(),
            kind: self.kind,
            flags: self.flag.iter().map(flag).collect(),
            household: self.household.as_ref().map(|household| HouseholdSchema {
                max_members: household.max_members,
                datasets: household.datasets.clone(),
            }),
        }
        .checked()
    }
}
