//! Why the gateway refuses a group, as the access log says it (PROTOCOL.md section 17.2): a closed set
//! of words. What was found in detail is told on the gateway's board and in its own log.

use serde::{Deserialize, Serialize};

/// Why a group is not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupFault {
    /// Another programme, epoch or suite.
    Scope,
    /// Another agency's or dataset's than was asked for.
    OtherDataset,
    /// A field of the header is missing or out of range.
    Header,
    /// It does not begin where the gateway is.
    Gap,
    /// Its source was read in the future.
    Future,
    /// Too much at once.
    TooLarge,
    /// Rows of another size than the description's.
    RowSize,
    /// A value that a flag cannot have.
    Flag,
    /// Columns that are not whole, in order and as the trailer counts them.
    Columns,
}

/// The word in the log.
impl std::fmt::Display for GroupFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Scope => "scope",
            Self::OtherDataset => "other_dataset",
            Self::Header => "header",
            Self::Gap => "gap",
            Self::Future => "future",
            Self::TooLarge => "too_large",
            Self::RowSize => "row_size",
            Self::Flag => "flag",
            Self::Columns => "columns",
        })
    }
}
