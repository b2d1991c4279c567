//! The key of suite `oprf` in a federation whose files are all below one directory: its ceremony, and
//! what its holders give together. Only whoever has all their files can do this.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use agency_adapter::{
    derive::Root,
    key_holder::{
        ceremony::Ceremony, contribution::Contribution, directory, finish::finish,
        holder::own_share, journal::Journal, pending, seeds::Seeds,
    },
    keys::Keys,
    oprf::{Blinding, Share, ShareKeys},
};
use anyhow::Context;
use jiff::Timestamp;
use proto::{manifest::Manifest, manifest_file::ManifestFile, name::AgencyId};

/// Roots as enough holders together evaluate them; each is asked for once.
pub struct SharedKey {
    dir: PathBuf,
    epochs: Mutex<BTreeMap<u32, Epoch>>,
}

struct Epoch {
    keys: Arc<ShareKeys>,
    shares: Vec<Share>,
    roots: BTreeMap<Vec<u8>, Root>,
}

impl SharedKey {
    /// Of the holders whose directories are below `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), epochs: Mutex::default() }
    }

    /// The root of an identifier in the manifest's selected epoch.
    ///
    /// # Errors
    /// Where the holders have no shares, or other ones than the manifest says.
    pub fn root(&self, manifest: &Manifest, identifier: &[u8]) -> anyhow::Result<Root> {
        let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = match epochs.entry(manifest.scope.epoch) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Epoch::read(&self.dir, manifest)?),
        };
        if let Some(root) = epoch.roots.get(identifier) {
            return Ok(root.clone());
        }
        let mut blinding = Blinding::new(epoch.keys.clone(), &[identifier])?;
        for share in &epoch.shares {
            blinding.accept(share.index(), &share.evaluate(blinding.elements())?)?;
        }
        let output = blinding.finalize()?.pop().context("one output for one input")?;
        let root = Root::evaluated(output.expose());
        epoch.roots.insert(identifier.to_owned(), root.clone());
        Ok(root)
    }
}

impl Epoch {
    fn read(dir: &Path, manifest: &Manifest) -> anyhow::Result<Self> {
        let holders = manifest.holders();
        let keys = ShareKeys::new(holders.threshold.get(), &manifest.epoch().share_keys)?;
        let answering = holders.agencies.iter().take(keys.threshold());
        let share = |holder| own_share(&state_dir(dir, holder), holder, manifest);
        let shares = answering.map(share).collect::<Result<_, _>>()?;
        Ok(Self { keys: Arc::new(keys), shares, roots: BTreeMap::new() })
    }
}

/// Holds the ceremony of a draft: afterwards every holder has its seeds.
///
/// # Errors
/// The file system's, or a draft that is not good.
pub fn hold_ceremony(dir: &Path, draft: &ManifestFile) -> anyhow::Result<()> {
    let ceremony = Ceremony::of_draft(&draft.to_string())?;
    let place = |index| {
        let state = state_dir(dir, &ceremony.holder(index).id);
        Keys::read(&state).map(|keys| (state, keys))
    };
    let mut contributions = vec![];
    for index in ceremony.all_contributors() {
        let (state, keys) = place(index)?;
        let secrets = pending::create(&state, &ceremony, index)?;
        contributions.push(Contribution::seal(&ceremony, (index, &keys.signing), &secrets)?);
    }
    for index in ceremony.sharing.indices() {
        let (state, keys) = place(index)?;
        let own = pending::read(&state, &ceremony, index)?;
        let finished = finish(&ceremony, (index, &keys.hpke), own, &contributions)?;
        Journal::begin(&directory(&state), Timestamp::now())?;
        finished.seeds.write(&state)?;
    }
    Ok(())
}

/// The share keys of an epoch, in the order of the holders.
///
/// # Errors
/// Where the ceremony was not held.
pub fn share_keys(dir: &Path, holders: &[AgencyId], epoch: u32) -> anyhow::Result<Vec<[u8; 32]>> {
    let key = |holder| {
        let seeds = Seeds::read(&state_dir(dir, holder))?.context("the ceremony was held")?;
        Ok(seeds.share(epoch)?.public().to_bytes())
    };
    holders.iter().map(key).collect()
}

fn state_dir(dir: &Path, agency: &AgencyId) -> PathBuf {
    dir.join(agency.as_str()).join("state")
}
