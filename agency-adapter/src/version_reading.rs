//! Reading one dataset's rows, or its changes since a version, from one state of the store.

use std::ops::ControlFlow;

use proto::{name::DatasetId, person_secret::LookupTag};
use redb::{ReadOnlyTable, ReadTransaction};

use crate::{
    resume::Resume,
    version_head::{Head, head},
    version_log::{ChangesTable, RowsTable, StoreError, VersionLog, table_names},
};

/// A version of one dataset. Later loads do not disturb it.
pub struct VersionReading {
    head: Head,
    rows: ReadOnlyTable<&'static [u8; 16], &'static [u8]>,
    changes: ReadOnlyTable<(u32, &'static [u8; 16]), ()>,
}

/// A tag, and its row (nonce and ciphertext) or `None` where it was deleted. Breaking off ends the
/// reading.
pub type EachRow<'e> = &'e mut dyn FnMut(LookupTag, Option<&[u8]>) -> ControlFlow<()>;

impl VersionLog {
    /// The present version of a dataset, if it was ever published.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn reading(&self, dataset: &DatasetId) -> Result<Option<VersionReading>, StoreError> {
        let open = |read: ReadTransaction| {
            let Some(head) = head(&read, dataset)? else { return Ok(None) };
            let (rows, changes) = table_names(dataset);
            let rows = read.open_table(RowsTable::new(&rows))?;
            let changes = read.open_table(ChangesTable::new(&changes))?;
            Ok(Some(VersionReading { head, rows, changes }))
        };
        Ok(self.file.read(open)?)
    }
}

impl VersionReading {
    /// Which version this is.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Every row, or every change since a version, in the order of the tags.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rows(&self, resume: Resume, each: EachRow<'_>) -> Result<ControlFlow<()>, StoreError> {
        match resume {
            Resume::Snapshot => Ok(self.all(each)?),
            Resume::After(version) => Ok(self.changed(version, each)?),
        }
    }

    fn all(&self, each: EachRow<'_>) -> Result<ControlFlow<()>, redb::Error> {
        for entry in self.rows.range::<&[u8; 16]>(..)? {
            let (tag, row) = entry?;
            if each(LookupTag(*tag.value()), Some(row.value())).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The changes of several versions are one ascending list each: the smallest tag of all goes
    /// next, once. Whether its row is there now says what came of it.
    fn changed(&self, after: u32, each: EachRow<'_>) -> Result<ControlFlow<()>, redb::Error> {
        let mut lists = vec![];
        for version in after + 1..=self.head.cursor().version {
            let list = self.changes.range((version, &[0; 16])..=(version, &[255; 16]))?;
            let mut tags = list.map(|entry| entry.map(|(key, _)| *key.value().1));
            let first: Option<[u8; 16]> = tags.next().transpose()?;
            lists.push((first, tags));
        }
        while let Some(tag) = lists.iter().filter_map(|&(first, _)| first).min() {
            for (first, tags) in &mut lists {
                if *first == Some(tag) {
                    *first = tags.next().transpose()?;
                }
            }
            let row = self.rows.get(&tag)?;
            if each(LookupTag(tag), row.as_ref().map(redb::AccessGuard::value)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
