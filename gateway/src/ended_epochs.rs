//! Deletion of the sealed rows of epochs that are over (PROTOCOL.md section 16.5).

use std::{fs, path::Path};

use jiff::Timestamp;
use proto::manifest::Manifest;

/// Deletes what is kept of epochs before the one in force that are over by manifest and clock. A
/// clock that jumped deletes nothing that is still needed: the epoch in force and later ones stay.
/// What cannot be deleted is tried again later.
pub fn delete(data_dir: &Path, manifest: &Manifest, in_force: u32, now: Timestamp) {
    let Ok(entries) = fs::read_dir(data_dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(epoch) = name.to_str().and_then(epoch_of) else { continue };
        if epoch < in_force && manifest.is_over(epoch, now) {
            match fs::remove_dir_all(entry.path()) {
                Ok(()) => tracing::info!(epoch, "sealed rows of the ended epoch were deleted"),
                Err(error) => {
                    tracing::error!(epoch, %error, "sealed rows of the ended epoch are not deleted");
                }
            }
        }
    }
}

fn epoch_of(file: &str) -> Option<u32> {
    file.strip_prefix("rows-")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proto::{manifest::Epoch, manifest_file::ManifestFile};

    use super::*;

    #[test]
    fn nothing_is_deleted_before_its_time_nor_before_a_later_epoch_is_in_force() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = |name: &str| directory.path().join(name);
        for name in ["rows-1", "rows-2"] {
            fs::create_dir_all(file(name).join("cars")).expect("made");
        }
        fs::write(file("alerts.sqlite"), "x").expect("written");
        let example = include_str!("../../proto/vectors/federation.toml");
        let mut manifest = ManifestFile::parse(example).expect("good");
        let until = |year| jiff::civil::date(year, 12, 31);
        manifest.epochs = [(1, 2027), (2, 2028)]
            .map(|(number, year)| Epoch { number, until: until(year), share_keys: vec![] })
            .to_vec();
        let manifest = manifest.check().expect("good");
        let left = |in_force, now: &str| {
            delete(directory.path(), &manifest, in_force, now.parse().expect("a moment"));
            file("rows-1").exists()
        };
        assert!(left(1, "2999-01-01T00:00:00Z"), "in force, whatever the clock shows");
        assert!(left(2, "2028-01-01T12:00:00Z"), "ended, and not over yet");
        assert!(!left(2, "2028-01-02T00:00:00Z"));
        assert!(file("rows-2").exists() && file("alerts.sqlite").exists());
    }
}
