//! Deletion of what an adapter keeps of epochs that are over: salts, grants, evaluated
//! roots, sealed rows (PROTOCOL.md section 16.5).
//!
//! When it is time is decided here only as far as the manifest and the clock say so.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use proto::manifest::Manifest;

use crate::secret_file::SecretFileError;

/// Where an epoch's sealed rows are.
pub fn version_store(state_dir: &Path, epoch: u32) -> PathBuf {
    state_dir.join(format!("versions-{epoch}.redb"))
}

/// Deletes everything of epochs that are over by the manifest and the clock.
///
/// # Errors
/// [`SecretFileError::Io`] naming what could not be deleted.
pub fn delete(
    state_dir: &Path,
    manifest: &Manifest,
    now: Timestamp,
) -> Result<(), SecretFileError> {
    for epoch in kept(state_dir)? {
        if manifest.is_over(epoch, now) {
            for kind in DIRECTORIES {
                gone(&state_dir.join(kind).join(epoch.to_string()), |path| {
                    fs::remove_dir_all(path)
                })?;
            }
            gone(&version_store(state_dir, epoch), |path| fs::remove_file(path))?;
            tracing::info!(epoch, "salts, grants, roots and rows of the ended epoch were deleted");
        }
    }
    Ok(())
}

/// What has a directory for each epoch.
const DIRECTORIES: [&str; 3] = ["salts", "grants", "roots"];

/// The epochs of which there is anything.
fn kept(state_dir: &Path) -> Result<Vec<u32>, SecretFileError> {
    let mut epochs: Vec<u32> = vec![];
    for kind in DIRECTORIES {
        epochs.extend(
            names(&state_dir.join(kind))?.iter().filter_map(|name| name.parse::<u32>().ok()),
        );
    }
    let store =
        |name: &String| name.strip_prefix("versions-")?.strip_suffix(".redb")?.parse::<u32>().ok();
    epochs.extend(names(state_dir)?.iter().filter_map(store));
    epochs.sort_unstable();
    epochs.dedup();
    Ok(epochs)
}

fn names(directory: &Path) -> Result<Vec<String>, SecretFileError> {
    let fault = |source| SecretFileError::Io { path: directory.into(), source };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(fault(error)),
    };
    let mut names = vec![];
    for entry in entries {
        names.extend(entry.map_err(fault)?.file_name().into_string());
    }
    Ok(names)
}

fn gone(path: &Path, delete: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), SecretFileError> {
    match delete(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SecretFileError::Io { path: path.into(), source: error })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proto::manifest_file::EntryKind;

    use super::*;
    use crate::fixture;

    #[test]
    fn only_epochs_that_are_over_are_deleted_and_nothing_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = directory.path();
        for path in ["salts/1", "salts/2", "grants/1/issued", "keys"] {
            fs::create_dir_all(state.join(path)).expect("made");
        }
        for path in ["salts/1/cars.salt", "keys/signing.key", "versions-1.redb", "versions-2.redb"]
        {
            fs::write(state.join(path), "x").expect("written");
        }
        let mut file = fixture::manifest(&[], &[("base", "aid", EntryKind::Base)]);
        file.epochs = fixture::epochs(&[1, 2]);
        let ends = file.epochs[0].ends();
        let manifest = file.check().expect("good");
        let there = |path: &str| state.join(path).exists();

        delete(state, &manifest, ends).expect("deleted");
        assert!(there("salts/1/cars.salt") && there("versions-1.redb"), "not before its time");
        let day_after = ends + jiff::SignedDuration::from_hours(24);
        delete(state, &manifest, day_after).expect("deleted");
        assert!(!there("salts/1") && !there("grants/1") && !there("versions-1.redb"));
        assert!(there("salts/2") && there("versions-2.redb") && there("keys/signing.key"));
        delete(state, &manifest, Timestamp::MAX).expect("nothing left to do");
        assert!(there("salts/2") && there("versions-2.redb"), "the last epoch is never over");
    }
}
