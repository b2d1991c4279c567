//! Reading a dataset's rows as they are at one moment, whatever is committed meanwhile.
//!
//! Look-ups go forward through all runs at once, in tag order: whoever looks up a tenth of a dataset reads
//! it once, from the beginning to the end.

use std::sync::Arc;

use jiff::Timestamp;
use proto::person_secret::LookupTag;

use super::{
    RowsError,
    dataset::{Dataset, Shown},
    run::{Fault, Reading, TAG},
};

/// One dataset's rows at one moment.
pub struct RowReader(Option<(Arc<Dataset>, Arc<Shown>)>);

/// Look-ups in tag order.
pub struct Lookups<'r> {
    seen: Option<(&'r Arc<Dataset>, &'r Arc<Shown>)>,
    /// The newest run first.
    runs: Vec<Reading<'r>>,
}

impl RowReader {
    /// A view of no rows.
    pub fn nothing() -> Self {
        Self(None)
    }

    pub(super) fn of(dataset: Arc<Dataset>, shown: Arc<Shown>) -> Self {
        Self(Some((dataset, shown)))
    }

    /// When the rows' source was last read; absent where none are held.
    pub fn as_of(&self) -> Option<Timestamp> {
        let (_, shown) = self.0.as_ref()?;
        shown.contents.as_ref().map(|contents| contents.held.as_of)
    }

    /// Begins to look up. The tags must ascend.
    pub fn in_tag_order(&self) -> Lookups<'_> {
        let seen = self.0.as_ref().map(|(dataset, shown)| (dataset, shown));
        let runs = self.0.iter().flat_map(|(_, shown)| shown.runs.iter().map(|run| run.read()));
        Lookups { seen, runs: runs.collect() }
    }

    /// `nonce || ciphertext` of one row, or nothing where the dataset has none under this tag.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn get(&self, tag: LookupTag) -> Result<Option<Vec<u8>>, RowsError> {
        Ok(self.in_tag_order().seek(tag)?.map(<[u8]>::to_vec))
    }
}

impl Lookups<'_> {
    /// `nonce || ciphertext` of a row, or nothing where the dataset has none under this tag.
    ///
    /// # Errors
    /// [`RowsError`]; where rows are not what was written, the dataset is asked for anew.
    pub fn seek(&mut self, tag: LookupTag) -> Result<Option<&[u8]>, RowsError> {
        for at in 0..self.runs.len() {
            let found = match self.runs[at].seek(tag) {
                Ok(found) => found.is_some(),
                Err(fault) => return Err(self.fault(at, fault)),
            };
            if found {
                // A run of deletions has nothing behind the tag.
                let row = self.runs[at].row().and_then(|row| row.get(TAG..));
                return Ok(row.filter(|row| !row.is_empty()));
            }
        }
        Ok(None)
    }

    fn fault(&self, at: usize, fault: Fault) -> RowsError {
        let (dataset, shown) = self.seen.expect("where there are runs they were seen");
        match dataset.fault(shown.runs[at].listed.number, fault) {
            RowsError::Damaged { what, .. } => dataset.damaged(shown, what),
            error => error,
        }
    }
}
