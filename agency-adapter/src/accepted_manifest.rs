//! The manifest that this adapter goes by: the file that its configuration names, signed by enough
//! holders and no step back from the last one that was accepted (PROTOCOL.md section 14.4).
//!
//! Owns `manifest.accepted` in the state directory, so that a step back is refused after a restart too.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use proto::{
    scope::Suite,
    signed_manifest::{NotAccepted, SignedManifest, SignedManifestError},
};

use crate::{
    config::{self, Config, ConfigError},
    oprf::{ShareKeys, ShareKeysError},
    secret_file::{self, SecretFileError},
};

const ACCEPTED: &str = "manifest.accepted";

/// Why there is no manifest to go by.
#[derive(Debug, thiserror::Error)]
pub enum AcceptedManifestError {
    /// No file there, or it cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ConfigError),
    /// Something else is in it.
    #[error("the federation manifest {} is not usable: {source}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SignedManifestError,
    },
    /// Its signatures or its version do not do.
    #[error("the federation manifest {} is not accepted: {source}", path.display())]
    NotAccepted {
        /// The file.
        path: PathBuf,
        /// Why.
        source: NotAccepted,
    },
    /// Share keys that are not shares of one key.
    #[error("the federation manifest {}, epoch {epoch}: {source}", path.display())]
    ShareKeys {
        /// The file.
        path: PathBuf,
        /// Whose keys.
        epoch: u32,
        /// What is wrong with them.
        source: ShareKeysError,
    },
    /// What was accepted before cannot be told.
    #[error(
        "{} is damaged ({problem}), so that a step back of the federation manifest would not be seen: \
         restore it from a backup",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        problem: String,
    },
    /// The state directory.
    #[error(transparent)]
    State(#[from] SecretFileError),
}

/// The configured manifest, which may be gone by. Nothing is written.
///
/// # Errors
/// [`AcceptedManifestError`].
pub fn read(config: &Config) -> Result<SignedManifest, AcceptedManifestError> {
    let signed = parse(&config.manifest)?;
    let previous = last(&config.state_dir)?;
    signed.accept(previous.as_ref()).map_err(|source| AcceptedManifestError::NotAccepted {
        path: config.manifest.clone(),
        source,
    })?;
    Ok(signed)
}

/// A manifest's file, whoever signed it. Its share keys are shares of one key per epoch.
///
/// # Errors
/// [`AcceptedManifestError`], but for signatures and versions.
pub fn parse(path: &Path) -> Result<SignedManifest, AcceptedManifestError> {
    let text = config::text(path)?;
    let signed = SignedManifest::parse(&text)
        .map_err(|source| AcceptedManifestError::Form { path: path.into(), source })?;
    let manifest = signed.manifest();
    let threshold = manifest.holders().threshold.get();
    for epoch in manifest.epochs().iter().filter(|_| manifest.scope.suite == Suite::Oprf) {
        ShareKeys::new(threshold, &epoch.share_keys).map_err(|source| {
            AcceptedManifestError::ShareKeys { path: path.into(), epoch: epoch.number, source }
        })?;
    }
    Ok(signed)
}

/// What was accepted last; nothing on the first day.
///
/// # Errors
/// [`AcceptedManifestError::Damaged`].
pub fn last(state_dir: &Path) -> Result<Option<SignedManifest>, AcceptedManifestError> {
    let path = state_dir.join(ACCEPTED);
    let damaged = |problem| AcceptedManifestError::Damaged { path: path.clone(), problem };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(damaged(error.to_string())),
    };
    let signed = SignedManifest::parse(&text).map_err(|error| damaged(error.to_string()))?;
    signed.accept(None).map_err(|error| damaged(error.to_string()))?;
    Ok(Some(signed))
}

/// Keeps what [`read`] returned as the last one accepted; known to the disk before it is acted upon.
///
/// # Errors
/// [`AcceptedManifestError`].
pub fn remember(signed: &SignedManifest, state_dir: &Path) -> Result<(), AcceptedManifestError> {
    if last(state_dir)?.is_some_and(|last| last.body() == signed.body()) {
        return Ok(());
    }
    Ok(secret_file::replace(&state_dir.join(ACCEPTED), signed.to_string().as_bytes())?)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;

    use curve25519_dalek::Scalar;
    use proto::{manifest::Ceremony, manifest_file::ManifestFile};

    use super::*;
    use crate::{agency::Agency, fixture, oprf::Share};

    fn manifest(config: &Config) -> ManifestFile {
        let signed = parse(&config.manifest).expect("good");
        ManifestFile::parse(signed.body()).expect("good")
    }

    #[test]
    fn a_step_back_of_the_manifest_is_refused_after_a_restart_too() {
        let (_directory, _people, config, _clock) = fixture::agency();
        let first = manifest(&config);
        fixture::sign(&config, &ManifestFile { version: 7, ..first.clone() });
        Agency::open(&config).expect("accepted");
        fixture::sign(&config, &ManifestFile { version: 6, ..first.clone() });
        let text = Agency::open(&config).err().expect("refused").to_string();
        assert!(text.contains("it is version 6, and version 7 was accepted"), "{text}");
        assert!(text.contains("federation.toml"), "{text}");
        fixture::sign(&config, &ManifestFile { version: 8, ..first });
        Agency::open(&config).expect("accepted");
    }

    #[test]
    fn what_is_only_read_is_not_yet_accepted() {
        let (_directory, _people, config, _clock) = fixture::agency();
        let first = manifest(&config);
        fixture::sign(&config, &ManifestFile { version: 7, ..first.clone() });
        read(&config).expect("good");
        fixture::sign(&config, &ManifestFile { version: 6, ..first });
        read(&config).expect("good");
    }

    #[test]
    fn share_keys_that_are_not_of_one_key_are_refused() {
        let (_directory, _people, config, _clock) = fixture::agency();
        let example = include_str!("../../proto/vectors/federation.toml");
        let mut file = ManifestFile::parse(example).expect("good");
        file.suite = Suite::Oprf;
        file.holders.ceremony = Some(Ceremony::Distributed);
        file.agencies.iter_mut().for_each(|agency| agency.quota = 1000);
        // On the line 5 + 7 x: two of three make the key.
        let share_key = |index: u8| {
            let scalar = Scalar::from(5 + 7 * u64::from(index));
            let index = NonZeroU8::new(index).expect("not zero");
            Share::new(index, scalar).expect("a share").public().to_bytes()
        };
        file.epochs[0].share_keys = [1, 2, 3].map(share_key).to_vec();
        fs::write(&config.manifest, file.to_string()).expect("written");
        parse(&config.manifest).expect("good");
        file.epochs[0].share_keys.swap(1, 2);
        fs::write(&config.manifest, file.to_string()).expect("written");
        let text = parse(&config.manifest).expect_err("refused").to_string();
        assert!(text.contains("epoch 1") && text.contains("do not belong to one key"), "{text}");
    }

    #[test]
    fn a_damaged_memory_of_the_manifest_is_told_and_not_taken_for_none() {
        let (_directory, _people, config, _clock) = fixture::agency();
        fs::write(config.state_dir.join(ACCEPTED), "version = 1\n").expect("written");
        let text = read(&config).expect_err("refused").to_string();
        assert!(text.contains("is damaged") && text.contains("backup"), "{text}");
    }

    #[test]
    fn a_manifest_that_nobody_signed_is_refused() {
        let (_directory, _people, config, _clock) = fixture::agency();
        fs::write(&config.manifest, manifest(&config).to_string()).expect("written");
        let text = read(&config).expect_err("refused").to_string();
        assert!(text.contains("needs the signatures of 1 holders and has none"), "{text}");
    }
}
