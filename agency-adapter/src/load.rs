//! Stand-in.
use std::path::Path;

use proto::schema::{DatasetSchema, FlagValue};

use crate::{dataset_config::DatasetConfig, identifier::Identifier, load_report::LoadReport};

/// Stand-in.
pub struct Person {
    /// Stand-in.
    pub identifier: Identifier,
    /// Stand-in.
    pub region: u64,
    /// Stand-in.
    pub flags: Vec<FlagValue>,
    /// Stand-in.
    pub household: Vec<Identifier>,
    /// Stand-in.
    pub household_complete: bool,
}

/// Stand-in.
pub struct Load {
    /// Stand-in.
    pub schema: DatasetSchema,
    /// Stand-in.
    pub persons: Vec<Person>,
    /// Stand-in.
    pub report: LoadReport,
}

/// Stand-in.
#[derive(Debug, thiserror::Error)]
#[error("stand-in")]
pub struct LoadError;

/// Stand-in.
///
/// # Errors
/// Stand-in.
pub fn load(
    dataset: &DatasetConfig,
    directory: &Path,
    _today: jiff::civil::Date,
    _progress: &mut dyn FnMut(u64, u64),
) -> Result<Load, LoadError> {
    let text = std::fs::read_to_string(directory.join(&dataset.csv)).map_err(|_| LoadError)?;
    let person = |line: &str| Person {
        identifier: Identifier::stand_in(line.split(',').next().unwrap_or_default()),
        region: 0,
        flags: line.split(',').skip(1).map(|f| FlagValue::exact(u8::from(f == "1"))).collect(),
        household: vec![],
        household_complete: true,
    };
    let persons: Vec<Person> = text.lines().map(person).collect();
    let report = LoadReport { rows: persons.len() as u64, persons: persons.len() as u64 };
    Ok(Load { schema: dataset.schema().map_err(|_| LoadError)?, persons, report })
}
