//! The federation manifest's TOML form (PROTOCOL.md section 14.1): what people write and read, and
//! what the holders sign.
//!
//! Owns the form. What must hold between its parts is checked on the way to a [`Manifest`].

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};

use crate::{
    manifest::{Agency, Epoch, Holders, LogTrust, Manifest, ManifestError},
    name::{AgencyId, DatasetId, ProgrammeId},
    scope::Suite,
};

/// A manifest's text, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Grows with every change.
    pub version: u32,
    /// The legal purpose under which matching is done.
    pub programme: ProgrammeId,
    /// How roots are computed.
    pub suite: Suite,
    /// Who signs the manifest, and with suite oprf holds the key's shares.
    pub holders: Holders,
    /// The present key period, and the next while an epoch change is under way.
    #[serde(rename = "epoch")]
    pub epochs: Vec<Epoch>,
    /// How the gateway's log is checked.
    pub log: LogTrust,
    /// Whom officers' certificates must come from.
    pub officers: Officers,
    /// Every agency.
    #[serde(rename = "agency")]
    pub agencies: Vec<Agency>,
    /// Every dataset, `base` included.
    #[serde(rename = "dataset")]
    pub datasets: Vec<DatasetEntry>,
}

/// Whom officers' certificates must come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Officers {
    /// One or more X.509 certificates, PEM.
    pub authority: String,
}

/// A dataset, its owner and kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetEntry {
    /// The dataset.
    pub id: DatasetId,
    /// Whose it is.
    pub owner: AgencyId,
    /// What it is.
    pub kind: EntryKind,
}

/// What a dataset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// The one whose salt all watch agencies share.
    Base,
    /// A category of the base.
    Watch,
    /// A data line.
    CrossCheck,
}

impl ManifestFile {
    /// Reads TOML text.
    ///
    /// # Errors
    /// [`ManifestError::Form`], with line and column.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        toml::from_str(text).map_err(|error| ManifestError::Form(error.to_string()))
    }

    /// Checks what must hold between the parts.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn check(self) -> Result<Manifest, ManifestError> {
        Manifest::try_from(self)
    }
}

/// TOML text, in the order in which PROTOCOL.md lists the parts.
impl fmt::Display for ManifestFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&toml::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// A day as TOML writes it, without quotation marks.
pub(crate) mod day {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(day: &Date, to: S) -> Result<S::Ok, S::Error> {
        let text = day.to_string();
        text.parse::<toml::value::Datetime>().map_err(S::Error::custom)?.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
        let day = toml::value::Datetime::deserialize(from)?.to_string();
        // A moment of a day would be cut to its day silently.
        let whole = day.len() == "2027-12-31".len();
        let parsed = day.parse().ok().filter(|_| whole);
        parsed.ok_or_else(|| D::Error::custom("a day is written like 2027-12-31"))
    }
}

/// Keys of 32 bytes, 64 hex digits each.
pub(crate) mod hex_keys {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(keys: &[[u8; 32]], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(keys.iter().map(hex::encode))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<[u8; 32]>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let key = |text: &String| <[u8; 32]>::try_from(hex::decode(text).ok()?).ok();
        let keys: Option<Vec<_>> = texts.iter().map(key).collect();
        keys.ok_or_else(|| D::Error::custom("a share key is 64 hex digits"))
    }
}
