//! An act of this adapter that the gateway's log must have an entry of, and which entry that is.
//!
//! Which acts wait is `acts`'s business.

use proto::{
    cursor::Cursor,
    name::{AgencyId, DatasetId},
};
use serde::{Deserialize, Serialize};

/// Something that was served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum OwnAct {
    /// A group of sealed rows, sent to its end.
    Sync(Group),
    /// A group of subjects, sent to its end.
    Release(Group),
    /// A batch of evaluations, answered by this agency as holder or received as requester.
    Evaluations {
        /// The key period.
        epoch: u32,
        /// Who asked.
        requester: AgencyId,
        /// Who answered.
        holder: AgencyId,
    },
}

/// A group and the place that it led the gateway to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    epoch: u32,
    dataset: DatasetId,
    #[serde(with = "hex_log")]
    log: [u8; 16],
    version: u32,
}

impl OwnAct {
    /// Sealed rows of `dataset`, up to `cursor`.
    pub fn sync(epoch: u32, dataset: &DatasetId, cursor: Cursor) -> Self {
        Self::Sync(Group::new(epoch, dataset, cursor))
    }

    /// Subjects of `dataset`, up to `cursor`.
    pub fn release(epoch: u32, dataset: &DatasetId, cursor: Cursor) -> Self {
        Self::Release(Group::new(epoch, dataset, cursor))
    }

    /// Whether equal acts are counted, and not one act.
    pub fn is_counted(&self) -> bool {
        matches!(self, Self::Evaluations { .. })
    }

    /// Whether both are about one dataset, so that the later accounts for the earlier.
    pub fn covers(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Sync(a), Self::Sync(b)) | (Self::Release(a), Self::Release(b)) => {
                (a.epoch, &a.dataset) == (b.epoch, &b.dataset)
            }
            _ => false,
        }
    }
}

impl Group {
    fn new(epoch: u32, dataset: &DatasetId, cursor: Cursor) -> Self {
        Self { epoch, dataset: dataset.clone(), log: cursor.log, version: cursor.version }
    }
}

/// What a person reads of an act.
impl std::fmt::Display for OwnAct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sync(group) => write!(f, "sync {group}"),
            Self::Release(group) => write!(f, "release {group}"),
            Self::Evaluations { epoch, requester, holder } => {
                write!(f, "evaluations {requester} -> {holder}, epoch {epoch}")
            }
        }
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cursor = Cursor { log: self.log, version: self.version };
        write!(f, "{} {cursor}, epoch {}", self.dataset, self.epoch)
    }
}

/// 16 bytes as hex digits.
mod hex_log {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(log: &[u8; 16], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(log))
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<[u8; 16], D::Error> {
        let mut log = [0; 16];
        hex::decode_to_slice(String::deserialize(from)?, &mut log).map_err(D::Error::custom)?;
        Ok(log)
    }
}
