//! The federation manifest of a deployment: made for the agencies and datasets of a policy, with a key for
//! suite `oprf` where that is asked for, and signed by its holders.

use std::{fs, num::NonZeroU8, path::Path};

use agency_adapter::{keys::Keys, secret_file};
use anyhow::Context;
use jiff::civil::date;
use proto::{
    envelope::EnvelopeKey,
    manifest::{Agency, Ceremony, Epoch, Holders, LogTrust},
    manifest_file::{DatasetEntry, EntryKind, ManifestFile, Officers},
    name::DatasetId,
    schema::DatasetKind,
    scope::Suite,
    signed_manifest::SignedManifest,
    signing::{SigningKey, VerifyingKey},
};
use serde::Deserialize;

use crate::{pki::Pki, shared_key};

/// The first agencies hold the manifest: more than half of them sign it.
const HOLDERS: usize = 3;
/// How many evaluations an agency may ask for in an epoch.
const QUOTA: u64 = 600_000;

#[derive(Deserialize)]
pub(crate) struct PolicyIds {
    pub(crate) programme: Id,
    pub(crate) agency: Vec<Id>,
    pub(crate) dataset: Vec<OwnedDataset>,
}

#[derive(Deserialize)]
pub(crate) struct Id {
    pub(crate) id: String,
}

#[derive(Deserialize)]
pub(crate) struct OwnedDataset {
    pub(crate) id: String,
    pub(crate) agency: String,
    pub(crate) kind: DatasetKind,
    pub(crate) household: Option<Household>,
}

#[derive(Deserialize)]
pub(crate) struct Household {
    pub(crate) datasets: Vec<DatasetId>,
}

/// Makes every agency's keys and the manifest that lists them.
pub(crate) fn manifest(dir: &Path, ids: &PolicyIds, pki: &Pki) -> anyhow::Result<ManifestFile> {
    let mut agencies = vec![];
    for Id { id } in &ids.agency {
        let (keys, _) = Keys::create(&dir.join(id).join("state"))?;
        let keys = keys.public();
        agencies.push(Agency {
            id: id.parse()?,
            signing_key: keys.signing,
            hpke_key: EnvelopeKey::from_bytes(&keys.hpke)?,
            witness_key: keys.witness,
            quota: 0,
        });
    }
    let first = agencies.first().context("a policy lists agencies")?.id.clone();
    let base = DatasetEntry { id: DatasetId::base(), owner: first, kind: EntryKind::Base };
    let mut datasets = vec![base];
    for OwnedDataset { id, agency, kind, .. } in &ids.dataset {
        let kind = match kind {
            DatasetKind::Watch => EntryKind::Watch,
            DatasetKind::CrossCheck => EntryKind::CrossCheck,
        };
        datasets.push(DatasetEntry { id: id.parse()?, owner: agency.parse()?, kind });
    }
    let holders: Vec<_> = agencies.iter().take(HOLDERS).map(|agency| agency.id.clone()).collect();
    let threshold = NonZeroU8::MIN.saturating_add(u8::try_from(holders.len() / 2)?);
    Ok(ManifestFile {
        version: 1,
        programme: ids.programme.id.parse()?,
        suite: Suite::SaltedHash,
        holders: Holders { threshold, agencies: holders, ceremony: None },
        epochs: vec![Epoch { number: 1, until: date(2036, 12, 31), share_keys: vec![] }],
        log: LogTrust { key: log_key(&dir.join("gateway/data/log.key"))?, quorum: threshold },
        officers: Officers { authority: pki.trust_pem().to_owned() },
        agencies,
        datasets,
    })
}

/// Makes a manifest of suite `salted-hash` one of suite `oprf`. Whoever makes all the files has all
/// the shares, and the manifest says so.
pub(crate) fn give_key(dir: &Path, manifest: &mut ManifestFile) -> anyhow::Result<()> {
    manifest.suite = Suite::Oprf;
    manifest.holders.ceremony = Some(Ceremony::TrustedDealer);
    for agency in &mut manifest.agencies {
        agency.quota = QUOTA;
    }
    shared_key::hold_ceremony(dir, manifest)?;
    give_share_keys(dir, manifest)
}

/// Writes the share keys of every epoch into a manifest.
pub(crate) fn give_share_keys(dir: &Path, manifest: &mut ManifestFile) -> anyhow::Result<()> {
    for epoch in &mut manifest.epochs {
        epoch.share_keys = shared_key::share_keys(dir, &manifest.holders.agencies, epoch.number)?;
    }
    Ok(())
}

/// Has a manifest signed by all its holders and gives it to everybody.
///
/// # Errors
/// The file system's, or a manifest that is not good.
pub fn publish(dir: &Path, manifest: &ManifestFile) -> anyhow::Result<()> {
    let mut signed = SignedManifest::parse(&manifest.to_string())?;
    for holder in &manifest.holders.agencies {
        let keys = Keys::read(&dir.join(holder.as_str()).join("state"))?;
        signed.sign(holder, &keys.signing)?;
    }
    Ok(fs::write(dir.join("federation.toml"), signed.to_string())?)
}

/// Makes the key of the gateway's log.
fn log_key(path: &Path) -> anyhow::Result<VerifyingKey> {
    secret_file::create(path)?;
    let seed = secret_file::read(path)?.context("it was made")?;
    Ok(SigningKey::from_seed(&seed).verifying_key())
}
