//! The key that signs the log's checkpoints: 64 hex digits in `log.key` in the data directory.
//!
//! Made once, and read when the log is opened. Everybody else knows its public half from the manifest.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use proto::{
    manifest::LogTrust,
    signing::{SigningKey, VerifyingKey},
};
use rustls::crypto::{GetRandomFailed, ring::default_provider};
use zeroize::Zeroizing;

const FILE: &str = "log.key";

/// What is wrong with the key.
#[derive(Debug, thiserror::Error)]
pub enum LogKeyError {
    /// The file cannot be read.
    #[error("{}: {error}: it is made by `gateway init`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
    /// The file cannot be written.
    #[error("{}: {error}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random(GetRandomFailed),
    /// Others may read it.
    #[error(
        "{} can be read by others than its owner: run `chmod 600` on it, and if others may have \
         read it, begin a new log with a new key",
        path.display()
    )]
    Permissions {
        /// The file.
        path: PathBuf,
    },
    /// Something else is in it.
    #[error("{} does not hold 64 hex digits: restore it from a backup", path.display())]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// The manifest names another key.
    #[error(
        "{} is not the key of the log in the federation manifest: nobody would believe what it signs",
        path.display()
    )]
    Other {
        /// The file.
        path: PathBuf,
    },
}

/// Makes the key, unless there is one; its public half, for the manifest.
///
/// # Errors
/// [`LogKeyError`].
pub fn create(data_dir: &Path) -> Result<VerifyingKey, LogKeyError> {
    let path = data_dir.join(FILE);
    let unwritable = |error| LogKeyError::Unwritable { path: path.clone(), error };
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(unwritable)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    match file {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unwritable(error)),
        Ok(mut file) => {
            let mut seed = Zeroizing::new([0; 32]);
            default_provider().secure_random.fill(&mut seed[..]).map_err(LogKeyError::Random)?;
            let digits = Zeroizing::new(hex::encode(&seed[..]));
            let written = file.write_all(digits.as_bytes()).and_then(|()| file.sync_all());
            written.and_then(|()| File::open(data_dir)?.sync_all()).map_err(unwritable)?;
        }
    }
    Ok(stored(&path)?.verifying_key())
}

/// Reads the key, which must be the one that the manifest names.
///
/// # Errors
/// [`LogKeyError`].
pub fn read(data_dir: &Path, trust: &LogTrust) -> Result<SigningKey, LogKeyError> {
    let path = data_dir.join(FILE);
    let key = stored(&path)?;
    if key.verifying_key() == trust.key { Ok(key) } else { Err(LogKeyError::Other { path }) }
}

fn stored(path: &Path) -> Result<SigningKey, LogKeyError> {
    let unreadable = |error| LogKeyError::Unreadable { path: path.into(), error };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.permissions().mode() & 0o077 != 0 {
        return Err(LogKeyError::Permissions { path: path.into() });
    }
    // Room for the digits and a line end: no copy stays behind in a grown buffer.
    let mut text = Zeroizing::new(Vec::with_capacity(128));
    file.take(100).read_to_end(&mut text).map_err(unreadable)?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_ascii(), &mut seed[..])
        .map_err(|_| LogKeyError::Content { path: path.into() })?;
    Ok(SigningKey::from_seed(&seed))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_only_used_where_the_manifest_names_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let data_dir = directory.path().join("data");
        let one = std::num::NonZeroU8::MIN;
        let key = create(&data_dir).expect("made");
        assert_eq!(create(&data_dir).expect("kept"), key);
        assert!(read(&data_dir, &LogTrust { key, quorum: one }).is_ok());
        let other = LogTrust { key: VerifyingKey([7; 32]), quorum: one };
        assert!(matches!(read(&data_dir, &other), Err(LogKeyError::Other { .. })));
        let path = data_dir.join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        assert!(matches!(create(&data_dir), Err(LogKeyError::Permissions { .. })));
        fs::remove_file(&path).expect("removed");
        let lost = read(&data_dir, &LogTrust { key, quorum: one }).expect_err("lost").to_string();
        assert!(lost.contains("gateway init"), "{lost}");
    }
}
