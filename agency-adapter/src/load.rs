//! A dataset's file as people with flags: one person once, whatever the number of rows.
//!
//! Owns what others get from a file. Rows are `csv_source`'s, what is made of each is `loading`'s.

use std::path::Path;

use jiff::civil::Date;
use proto::schema::{DatasetSchema, FlagValue};

use crate::{
    csv_source::{CsvSource, Next},
    dataset_config::DatasetConfig,
    identifier::Identifier,
    load_report::LoadReport,
    loading::Loading,
    particulars::Particulars,
};

pub use crate::load_error::LoadError;

/// Progress is told each time so many rows have been read.
const ROWS_BETWEEN_PROGRESS: u64 = 1 << 15;

/// A dataset of fewer people may lose most of them from one day to the next.
const FEWEST_PUBLISHED: u64 = 100;

/// One person of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub identifier: Identifier,
    /// Regions and work orders; of watch datasets.
    pub particulars: Option<Box<Particulars>>,
    /// In the order of the schema.
    pub flags: Vec<FlagValue>,
    /// All who live with the person, the person included, in file order; may be more than fit a row.
    /// Empty in datasets without households, and where the file does not say or names a household of
    /// more people than live together.
    pub household: Vec<Identifier>,
    /// Nobody is missing from `household`. False where the file does not say who lives with the
    /// person, or where another member's row was refused: then what holds for all members is unknown.
    pub household_complete: bool,
}

/// A dataset as loaded from its file.
#[derive(Debug)]
pub struct Load {
    /// What the flags mean.
    pub schema: DatasetSchema,
    /// Each person once, in the order of their first rows.
    pub persons: Vec<Person>,
    /// What was found.
    pub report: LoadReport,
}

/// Reads the dataset's file, found relative to `directory`, as of `today`. Tells `progress` the bytes
/// read and the file's size from time to time and at the end.
///
/// # Errors
/// What is wrong with the file as a whole and how to mend it. Single rows that cannot be used are
/// counted in the report, and the others are loaded.
pub fn load(
    dataset: &DatasetConfig,
    directory: &Path,
    today: Date,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Load, LoadError> {
    let schema = dataset.schema()?;
    let file = directory.join(&dataset.csv);
    let columns = dataset.columns();
    let mut source = CsvSource::open(&file, dataset.encoding, dataset.delimiter, &columns)?;
    let rules = dataset.rules(today, &mut |name| source.column(name))?;
    let mut loading = Loading::new(dataset, &rules, &source, today);
    loop {
        match source.next()? {
            Next::Row(row) => loading.take(row, &source),
            Next::Refused { first, rows, reject } => {
                loading.miss_households(&source);
                (first..first + rows).for_each(|row| loading.refuse(row, reject));
            }
            Next::End => break,
        }
        if loading.rows().is_multiple_of(ROWS_BETWEEN_PROGRESS) {
            progress(source.bytes_read(), source.size());
        }
    }
    progress(source.size(), source.size());
    source.check_unchanged()?;
    loading.check_rounding(&file)?;
    loading.check_left(&file)?;
    Ok(loading.finish(schema))
}

/// Refuses a dataset with less than half of the people that are published, unless its configuration says how
/// many there must be.
///
/// # Errors
/// [`LoadError::Shrunk`].
pub fn check_size(dataset: &DatasetConfig, people: u64, published: u64) -> Result<(), LoadError> {
    let shrunk = published >= FEWEST_PUBLISHED && people.saturating_mul(2) < published;
    if shrunk && dataset.fewest_people.is_none() {
        return Err(LoadError::Shrunk { file: dataset.csv.clone(), people, published });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
