//! The key that signs the log's checkpoints: 64 hex digits in `log.key` in the data directory.
//!
//! Read once, when the log is opened. Everybody else knows its public half from the manifest.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use proto::{manifest::LogTrust, signing::SigningKey};
use zeroize::Zeroizing;

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

/// Reads the key, which must be the one that the manifest names.
///
/// # Errors
/// [`LogKeyError`].
pub fn read(data_dir: &Path, trust: &LogTrust) -> Result<SigningKey, LogKeyError> {
    let path = data_dir.join("log.key");
    let unreadable = |error| LogKeyError::Unreadable { path: path.clone(), error };
    let file = File::open(&path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.permissions().mode() & 0o077 != 0 {
        return Err(LogKeyError::Permissions { path });
    }
    // Room for the digits and a line end: no copy stays behind in a grown buffer.
    let mut text = Zeroizing::new(Vec::with_capacity(128));
    file.take(100).read_to_end(&mut text).map_err(unreadable)?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_ascii(), &mut seed[..])
        .map_err(|_| LogKeyError::Content { path: path.clone() })?;
    let key = SigningKey::from_seed(&seed);
    if key.verifying_key() == trust.key { Ok(key) } else { Err(LogKeyError::Other { path }) }
}
