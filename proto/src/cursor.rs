//! A place in a dataset's version log (PROTOCOL.md section 7).

use std::fmt;

use crate::wire;

/// The log and the version reached in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Made at random when the log began; another log has other rows under the same versions.
    pub log: [u8; 16],
    /// 1 after the first load.
    pub version: u32,
}

/// Not a cursor: its log is not 16 bytes, or its version is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cursor is a 16-byte log and a version from 1; this one is not")]
pub struct InvalidCursor;

impl TryFrom<wire::Cursor> for Cursor {
    type Error = InvalidCursor;

    fn try_from(cursor: wire::Cursor) -> Result<Self, InvalidCursor> {
        let log = cursor.log.try_into().map_err(|_| InvalidCursor)?;
        if cursor.version == 0 {
            Err(InvalidCursor)
        } else {
            Ok(Self { log, version: cursor.version })
        }
    }
}

impl From<Cursor> for wire::Cursor {
    fn from(cursor: Cursor) -> Self {
        Self { log: cursor.log.to_vec(), version: cursor.version }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", hex::encode(&self.log[..4]), self.version)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
