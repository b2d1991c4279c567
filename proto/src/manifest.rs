//! The federation manifest: agencies, their keys, and who owns which dataset.
//!
//! It reaches every party as a file; nothing in it is ever learnt from a peer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    envelope::EnvelopeKey,
    name::{AgencyId, DatasetId, ProgrammeId},
    schema::DatasetKind,
    scope::{Scope, Suite},
    signing::VerifyingKey,
};

/// The manifest, checked.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// What every message must be scoped to.
    pub scope: Scope,
    /// Grows with every change.
    pub version: u32,
    agencies: BTreeMap<AgencyId, Agency>,
    datasets: BTreeMap<DatasetId, Dataset>,
}

/// An agency's keys.
#[derive(Debug, Clone)]
pub struct Agency {
    /// Signs grants.
    pub signing_key: VerifyingKey,
    /// Salts are granted to it.
    pub hpke_key: EnvelopeKey,
}

/// A dataset's owner; `kind` is absent for `base`, which has a salt and no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Makes the salt and decides on grants.
    pub owner: AgencyId,
    /// Watch or cross-check.
    pub kind: Option<DatasetKind>,
}

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML, or not of the right form: the parser's words, with line and column.
    #[error("{0}")]
    Form(String),
    /// Something that must be unique occurs twice.
    #[error("{what} {name} occurs twice")]
    Twice {
        /// `agency` or `dataset`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A key is not 64 hex digits or not a usable key.
    #[error("agency {agency}: {field} is not a usable key of 64 hex digits")]
    Key {
        /// Whose.
        agency: AgencyId,
        /// Which.
        field: &'static str,
    },
    /// An owner that is no agency of the manifest.
    #[error("dataset {dataset} belongs to {owner}, which the manifest does not list as an agency")]
    Owner {
        /// The dataset.
        dataset: DatasetId,
        /// The unknown agency.
        owner: AgencyId,
    },
    /// The dataset `base` is missing, or another dataset is of kind base.
    #[error("exactly one dataset must be of kind \"base\", and it must be named \"base\"")]
    Base,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    programme: ProgrammeId,
    epoch: u32,
    suite: Suite,
    #[serde(rename = "agency")]
    agencies: Vec<FileAgency>,
    #[serde(rename = "dataset")]
    datasets: Vec<FileDataset>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAgency {
    id: AgencyId,
    signing_key: String,
    hpke_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDataset {
    id: DatasetId,
    owner: AgencyId,
    kind: FileKind,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum FileKind {
    Base,
    Watch,
    CrossCheck,
}

impl Manifest {
    /// Reads a manifest's TOML text.
    ///
    /// # Errors
    /// [`ManifestError`], naming what is wrong.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let file: File =
            toml::from_str(text).map_err(|error| ManifestError::Form(error.to_string()))?;
        let mut agencies = BTreeMap::new();
        for agency in file.agencies {
            let id = agency.id.clone();
            if agencies.insert(id.clone(), agency.check()?).is_some() {
                return Err(ManifestError::Twice { what: "agency", name: id.to_string() });
            }
        }
        let mut datasets = BTreeMap::new();
        for FileDataset { id, owner, kind } in file.datasets {
            if !agencies.contains_key(&owner) {
                return Err(ManifestError::Owner { dataset: id, owner });
            }
            if (kind == FileKind::Base) != (id == DatasetId::base()) {
                return Err(ManifestError::Base);
            }
            let kind = match kind {
                FileKind::Base => None,
                FileKind::Watch => Some(DatasetKind::Watch),
                FileKind::CrossCheck => Some(DatasetKind::CrossCheck),
            };
            if datasets.insert(id.clone(), Dataset { owner, kind }).is_some() {
                return Err(ManifestError::Twice { what: "dataset", name: id.to_string() });
            }
        }
        if !datasets.contains_key(&DatasetId::base()) {
            return Err(ManifestError::Base);
        }
        let scope = Scope { programme: file.programme, epoch: file.epoch, suite: file.suite };
        Ok(Self { scope, version: file.version, agencies, datasets })
    }

    /// An agency's keys.
    pub fn agency(&self, id: &AgencyId) -> Option<&Agency> {
        self.agencies.get(id)
    }

    /// A dataset's owner and kind.
    pub fn dataset(&self, id: &DatasetId) -> Option<&Dataset> {
        self.datasets.get(id)
    }

    /// Every agency.
    pub fn agencies(&self) -> impl Iterator<Item = (&AgencyId, &Agency)> {
        self.agencies.iter()
    }

    /// Every dataset, `base` included.
    pub fn datasets(&self) -> impl Iterator<Item = (&DatasetId, &Dataset)> {
        self.datasets.iter()
    }
}

impl FileAgency {
    fn check(&self) -> Result<Agency, ManifestError> {
        let fault = |field| ManifestError::Key { agency: self.id.clone(), field };
        let bytes = |text: &str| <[u8; 32]>::try_from(hex::decode(text).ok()?).ok();
        let signing_key = bytes(&self.signing_key).ok_or_else(|| fault("signing_key"))?;
        let hpke_key = bytes(&self.hpke_key)
            .and_then(|bytes| EnvelopeKey::from_bytes(&bytes).ok())
            .ok_or_else(|| fault("hpke_key"))?;
        Ok(Agency { signing_key: VerifyingKey(signing_key), hpke_key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(owner: &str, key: &str, base: &str) -> String {
        format!(
            r#"
version = 1
programme = "demo"
epoch = 1
suite = "salted-hash"
[[agency]]
id = "aid"
signing_key = "{key}"
hpke_key = "{}"
[[dataset]]
id = "{base}"
owner = "{owner}"
kind = "base"
"#,
            "22".repeat(32)
        )
    }

    #[test]
    fn a_manifest_says_what_is_wrong_with_it() {
        let key = "11".repeat(32);
        let good = Manifest::parse(&manifest("aid", &key, "base")).expect("good");
        assert_eq!(good.dataset(&DatasetId::base()).map(|d| d.kind), Some(None));
        let problem = |text: &str| Manifest::parse(text).err().map(|e| e.to_string());
        let text = problem(&manifest("police", &key, "base")).expect("refused");
        assert!(text.contains("base belongs to police"), "{text}");
        let text = problem(&manifest("aid", "11", "base")).expect("refused");
        assert!(text.contains("signing_key"), "{text}");
        assert_eq!(Manifest::parse(&manifest("aid", &key, "b")).err(), Some(ManifestError::Base));
        let text = problem("version = 1\nprogramm = 2").expect("refused");
        assert!(text.contains("line 2"), "{text}");
    }
}
