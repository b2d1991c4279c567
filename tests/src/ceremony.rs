//! The key ceremony of a federation's holders, held in one process: what `agency-adapter key-holder`
//! does on their machines, without the files between them.

use std::path::{Path, PathBuf};

use agency_adapter::{
    key_holder::{
        ceremony::Ceremony, contribution::Contribution, directory, finish::finish,
        journal::Journal, pending, seeds::Seeds,
    },
    keys::Keys,
};
use anyhow::Context;
use jiff::Timestamp;
use proto::{manifest_file::ManifestFile, name::AgencyId};

/// Makes every holder's seeds for the draft's first epoch, and puts the share keys of all its epochs
/// into the draft. `state_dir` says where a holder keeps its keys.
///
/// # Errors
/// The file system's, or a draft that no ceremony can be held by.
pub fn hold(
    draft: &mut ManifestFile,
    state_dir: impl Fn(&AgencyId) -> PathBuf,
    now: Timestamp,
) -> anyhow::Result<()> {
    let ceremony = Ceremony::of_draft(&draft.to_string())?;
    let mut contributions = vec![];
    for index in ceremony.all_contributors() {
        let home = state_dir(&ceremony.holder(index).id);
        let secrets = pending::create(&home, &ceremony, index)?;
        let key = Keys::read(&home)?.signing;
        contributions.push(Contribution::seal(&ceremony, (index, &key), &secrets)?);
    }
    for index in ceremony.sharing.indices() {
        let home = state_dir(&ceremony.holder(index).id);
        let own = pending::read(&home, &ceremony, index)?;
        let key = Keys::read(&home)?.hpke;
        let finished = finish(&ceremony, (index, &key), own, &contributions)?;
        Journal::begin(&directory(&home), now)?;
        finished.seeds.write(&home)?;
    }
    pin_share_keys(draft, state_dir)
}

/// Puts the share keys of all epochs into a draft whose holders have seeds.
///
/// # Errors
/// Where seeds are missing, or an epoch is past.
pub fn pin_share_keys(
    draft: &mut ManifestFile,
    state_dir: impl Fn(&AgencyId) -> PathBuf,
) -> anyhow::Result<()> {
    let seeds = |agency: &AgencyId| seeds(&state_dir(agency));
    let seeds = draft.holders.agencies.iter().map(seeds).collect::<Result<Vec<_>, _>>()?;
    for epoch in &mut draft.epochs {
        let key = |seeds: &Seeds| Ok(seeds.share(epoch.number)?.public().to_bytes());
        epoch.share_keys = seeds.iter().map(key).collect::<anyhow::Result<_>>()?;
    }
    Ok(())
}

fn seeds(state_dir: &Path) -> anyhow::Result<Seeds> {
    Seeds::read(state_dir)?.context("the ceremony was held")
}
