//! Where each dataset's version log has got to, as the store keeps it.

use jiff::Timestamp;
use proto::{cursor::Cursor, name::DatasetId};
use redb::{ReadTransaction, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

/// How many versions' changes are kept: a gateway that was away longer gets a snapshot.
pub const KEPT_VERSIONS: u32 = 30;
const HEADS: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("heads");

/// Where a dataset's log has got to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub(crate) fingerprint: [u8; 32],
    pub(crate) log: [u8; 16],
    pub(crate) version: u32,
    /// When the source was last read without error.
    pub as_of: Timestamp,
    /// Bytes of a row before encryption.
    pub row_size: usize,
    /// How many people the dataset lists.
    pub rows: u64,
}

impl Head {
    /// The log and its version.
    pub fn cursor(&self) -> Cursor {
        Cursor { log: self.log, version: self.version }
    }

    /// The oldest version from which the changes are still known.
    pub fn kept_since(&self) -> u32 {
        self.version.saturating_sub(KEPT_VERSIONS).max(1)
    }
}

pub(crate) fn head(
    read: &ReadTransaction,
    dataset: &DatasetId,
) -> Result<Option<Head>, redb::Error> {
    let heads = match read.open_table(HEADS) {
        Ok(heads) => heads,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // A head that this version cannot read is another version's: a new log begins.
    Ok(heads.get(dataset.as_str())?.and_then(|head| serde_json::from_slice(head.value()).ok()))
}

pub(crate) fn put_head(
    write: &WriteTransaction,
    dataset: &DatasetId,
    head: &Head,
) -> Result<(), redb::Error> {
    let bytes = serde_json::to_vec(head).expect("a head is plain data");
    write.open_table(HEADS)?.insert(dataset.as_str(), bytes.as_slice())?;
    Ok(())
}

/// Ends the logs of all datasets; their next loads begin new ones.
pub(crate) fn forget_all(write: &WriteTransaction) -> Result<(), redb::Error> {
    write.delete_table(HEADS)?;
    Ok(())
}
