//! The federation manifest: agencies, their keys, who owns which dataset, who holds the key's shares
//! (PROTOCOL.md section 14).
//!
//! Owns its parts. Its text is `manifest_file`'s, what must hold between the parts `manifest_rules`';
//! who must have signed it, and which one may follow which, is `signed_manifest`'s.

use std::{collections::BTreeMap, num::NonZeroU8};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::{
    envelope::EnvelopeKey,
    manifest_file::{ManifestFile, day, hex_keys},
    name::{AgencyId, DatasetId},
    schema::DatasetKind,
    scope::Scope,
    signing::VerifyingKey,
};

/// There are as many seeds as subsets of holders: more holders than these would have too many.
pub const MAX_HOLDERS: usize = 16;

/// The manifest, checked. One of its epochs is the selected one; at first the present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What every message must be scoped to: programme, suite, and the selected epoch.
    pub scope: Scope,
    /// Grows with every change.
    pub version: u32,
    pub(crate) holders: Holders,
    /// The selected one, then all.
    pub(crate) epoch: Epoch,
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) log: LogTrust,
    pub(crate) officers_authority: String,
    pub(crate) agencies: BTreeMap<AgencyId, Agency>,
    pub(crate) datasets: BTreeMap<DatasetId, Dataset>,
}

/// Who signs the manifest; with suite oprf each also holds one share of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holders {
    /// So many must sign, and so many shares make the key: more than half.
    pub threshold: NonZeroU8,
    /// A holder's index is its position, from 1; so they are never reordered.
    pub agencies: Vec<AgencyId>,
    /// How the shares were made; with suite oprf only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceremony: Option<Ceremony>,
}

/// How the shares were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ceremony {
    /// By all holders; nobody ever had the whole key.
    Distributed,
    /// By one party that had the whole key. For a demo.
    TrustedDealer,
}

/// A key period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// Its number; the next has a greater one.
    pub number: u32,
    /// After this day everybody deletes what belongs to the epoch.
    #[serde(with = "day")]
    pub until: Date,
    /// With suite oprf the public key of every holder's share, in the order of holders.
    #[serde(with = "hex_keys", default, skip_serializing_if = "Vec::is_empty")]
    pub share_keys: Vec<[u8; 32]>,
}

/// How the gateway's log is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogTrust {
    /// Signs its checkpoints.
    pub key: VerifyingKey,
    /// So many witnesses must cosign.
    pub quorum: NonZeroU8,
}

/// An agency's keys, and how much it may ask of the key holders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    /// Its name.
    pub id: AgencyId,
    /// Signs grants, evaluation requests and, a holder's, manifests.
    pub signing_key: VerifyingKey,
    /// Salts are granted to it.
    pub hpke_key: EnvelopeKey,
    /// Cosigns the log's checkpoints.
    pub witness_key: VerifyingKey,
    /// So many identifiers a holder evaluates for it in an epoch; with suite oprf only.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub quota: u64,
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
        /// `agency`, `dataset` or `holder`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Two parties with one key: one of them could act for both.
    #[error("the {first} and the {second} are the same key: each must be a key of its own")]
    SameKey {
        /// `signing_key of AGENCY` and so on.
        first: String,
        /// The other.
        second: String,
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
    /// A holder that is no agency of the manifest.
    #[error("[holders] names {0}, which the manifest does not list as an agency")]
    Holder(AgencyId),
    /// Numbers that do not fit each other, or the suite.
    #[error("{0}")]
    Rule(String),
}

impl Manifest {
    /// Reads a manifest's TOML text. Nothing is said about who signed it.
    ///
    /// # Errors
    /// [`ManifestError`], naming what is wrong.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        ManifestFile::parse(text)?.check()
    }

    /// The same manifest with another of its epochs selected.
    pub fn in_epoch(&self, number: u32) -> Option<Self> {
        let epoch = self.epochs.iter().find(|epoch| epoch.number == number)?.clone();
        let scope = Scope { epoch: number, ..self.scope.clone() };
        Some(Self { scope, epoch, ..self.clone() })
    }

    /// The selected epoch.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The present epoch, and the next while an epoch change is under way.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// Who signs, and who holds shares.
    pub fn holders(&self) -> &Holders {
        &self.holders
    }

    /// A holder's index, from 1.
    pub fn holder_index(&self, agency: &AgencyId) -> Option<NonZeroU8> {
        let position = self.holders.agencies.iter().position(|holder| holder == agency)?;
        u8::try_from(position + 1).ok().and_then(NonZeroU8::new)
    }

    /// How the gateway's log is checked.
    pub fn log(&self) -> &LogTrust {
        &self.log
    }

    /// Whom officers' certificates must come from, PEM.
    pub fn officers_authority(&self) -> &str {
        &self.officers_authority
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

fn is_zero(number: &u64) -> bool {
    *number == 0
}
