//! The manifest that the gateway goes by: the file that its configuration names, signed by enough
//! holders and no step back from the last one that was accepted (PROTOCOL.md section 14.4).
//!
//! Owns `manifest.accepted` in the data directory, so that a step back is refused after a restart too.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use anyhow::Context;
use proto::signed_manifest::SignedManifest;

const ACCEPTED: &str = "manifest.accepted";

/// Reads a manifest that may be gone by. Nothing is written.
///
/// # Errors
/// Names the file, and what is wrong with it and whose fault that is.
pub fn read(path: &Path, data_dir: &Path) -> anyhow::Result<SignedManifest> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let signed = SignedManifest::parse(&text)
        .with_context(|| format!("the federation manifest {} is not usable", path.display()))?;
    signed
        .accept(last(data_dir)?.as_ref())
        .with_context(|| format!("the federation manifest {} is not accepted", path.display()))?;
    Ok(signed)
}

/// Keeps what [`read`] returned as the last one accepted; known to the disk before it is acted upon.
///
/// # Errors
/// The file system's.
pub fn remember(signed: &SignedManifest, data_dir: &Path) -> anyhow::Result<()> {
    if last(data_dir)?.is_some_and(|last| last.body() == signed.body()) {
        return Ok(());
    }
    let (path, new) = (data_dir.join(ACCEPTED), data_dir.join("manifest.accepted.new"));
    let write = || {
        fs::create_dir_all(data_dir)?;
        let mut file = File::create(&new)?;
        file.write_all(signed.to_string().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(data_dir)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

fn last(data_dir: &Path) -> anyhow::Result<Option<SignedManifest>> {
    let path = data_dir.join(ACCEPTED);
    let damaged = || {
        format!(
            "{} is damaged, so that a step back of the federation manifest would not be seen: restore \
             it from a backup",
            path.display()
        )
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(damaged),
    };
    let signed = SignedManifest::parse(&text).with_context(damaged)?;
    signed.accept(None).with_context(damaged)?;
    Ok(Some(signed))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proto::signing::SigningKey;
    use zeroize::Zeroizing;

    use super::*;

    /// The example, changed, in a file, signed by its holders aid and police.
    fn written(directory: &Path, change: (&str, &str)) -> PathBuf {
        let example = include_str!("../../proto/vectors/federation.toml");
        let mut signed = SignedManifest::parse(&example.replace(change.0, change.1)).expect("good");
        for (holder, seed) in [("aid", 1), ("police", 2)] {
            let key = SigningKey::from_seed(&Zeroizing::new([seed; 32]));
            signed.sign(&holder.parse().expect("a name"), &key).expect("a holder");
        }
        let path = directory.join("federation.toml");
        fs::write(&path, signed.to_string()).expect("written");
        path
    }

    #[test]
    fn a_step_back_of_the_manifest_is_refused_after_a_restart_too() {
        let directory = tempfile::tempdir().expect("a directory");
        let data_dir = directory.path().join("data");
        let path = written(directory.path(), ("version = 1", "version = 2"));
        remember(&read(&path, &data_dir).expect("the first"), &data_dir).expect("kept");
        remember(&read(&path, &data_dir).expect("the same"), &data_dir).expect("kept");

        written(directory.path(), ("", ""));
        let text = format!("{:#}", read(&path, &data_dir).expect_err("refused"));
        assert!(text.contains("it is version 1, and version 2 was accepted"), "{text}");
        written(directory.path(), ("version = 1", "version = 3"));
        assert!(read(&path, &data_dir).is_ok());

        fs::write(data_dir.join(ACCEPTED), "version = 2\n").expect("written");
        let text = format!("{:#}", read(&path, &data_dir).expect_err("refused"));
        assert!(text.contains("damaged") && text.contains("backup"), "{text}");
    }

    #[test]
    fn a_manifest_that_nobody_signed_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("federation.toml");
        fs::write(&path, include_str!("../../proto/vectors/federation.toml")).expect("written");
        let text = format!("{:#}", read(&path, directory.path()).expect_err("refused"));
        assert!(text.contains("needs the signatures of 2 holders and has none"), "{text}");
    }
}
