//! Files of the state directory: 32 secret bytes as 64 hex digits, and the atomic writing of those
//! and of other small files.
//!
//! What a file means is the business of `keys`, `salts`, `grants` and `key_holder`.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::disk;

/// Makes the names of temporary files differ, also where two calls write one file at a time.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// What is wrong with a file of the state directory. Ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Others may read it.
    #[error(
        "{} can be read by others than its owner (mode {mode:04o}): run `chmod 600` on it, and if \
         others may have read it, replace it",
        path.display()
    )]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Something else is in it.
    #[error("{} does not hold 64 hex digits: restore it from a backup", path.display())]
    Content {
        /// The file.
        path: PathBuf,
    },
}

/// Reads 64 hex digits; `None` where there is no such file.
///
/// # Errors
/// [`SecretFileError`]; a file that others may read is refused.
pub fn read(path: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, SecretFileError> {
    let Some(text) = read_text(path, 100)? else { return Ok(None) };
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim_ascii(), &mut secret[..])
        .map_err(|_| SecretFileError::Content { path: path.into() })?;
    Ok(Some(secret))
}

/// Reads a text, of which some is secret; `None` where there is no such file. More than `largest`
/// bytes are cut off.
///
/// # Errors
/// [`SecretFileError`]; a file that others may read, or that is no text, is refused.
pub fn read_text(path: &Path, largest: u64) -> Result<Option<Zeroizing<String>>, SecretFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_fault(path)(error)),
    };
    let metadata = file.metadata().map_err(io_fault(path))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::Permissions { path: path.into(), mode });
    }
    // Room for everything: no copy stays behind in a grown buffer.
    let room = metadata.len().min(largest) as usize + 1;
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(largest).read_to_string(&mut text).map_err(io_fault(path))?;
    Ok(Some(text))
}

/// Makes 32 random bytes and keeps them in a new file of mode 0600, unless there is a file already.
/// Returns whether it made one.
///
/// # Errors
/// [`SecretFileError::Io`].
pub fn create(path: &Path) -> Result<bool, SecretFileError> {
    if path.exists() {
        return Ok(false);
    }
    let secret = random()?;
    let mut text = Zeroizing::new(Vec::with_capacity(128));
    text.resize(64, 0);
    hex::encode_to_slice(&secret[..], &mut text[..]).expect("64 digits for 32 bytes");
    text.push(b'\n');
    let temporary = write_beside(path, &text, 0o600)?;
    // A link never replaces a file that another process made in the meantime.
    let linked = disk::link(&temporary, path);
    disk::remove(&temporary).map_err(io_fault(&temporary))?;
    match linked {
        Ok(()) => sync_directory(path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(io_fault(path)(error)),
    }
}

/// Writes a file of mode 0600 in one step: a reader sees the old or the new content.
///
/// # Errors
/// [`SecretFileError::Io`].
pub fn replace(path: &Path, content: &[u8]) -> Result<(), SecretFileError> {
    let temporary = write_beside(path, content, 0o600)?;
    disk::rename(&temporary, path).map_err(io_fault(path))?;
    sync_directory(path)
}

/// 32 bytes from the operating system.
///
/// # Errors
/// [`SecretFileError::Io`] where it has none, which does not happen on a running system.
pub fn random() -> Result<Zeroizing<[u8; 32]>, SecretFileError> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(&mut bytes[..]).map_err(|_| SecretFileError::Io {
        path: "the operating system's random numbers".into(),
        source: io::Error::other("none available"),
    })?;
    Ok(bytes)
}

/// Makes a directory of mode 0700, with its parents, each known to the disk before something is put
/// into it: a salt that was granted must not be gone after a power failure.
///
/// # Errors
/// [`SecretFileError::Io`].
pub fn make_directory(path: &Path) -> Result<(), SecretFileError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_directory(parent)?;
    }
    match disk::create_directory(path) {
        Ok(()) => sync_directory(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io_fault(path)(error)),
    }
}

fn write_beside(path: &Path, content: &[u8], mode: u32) -> Result<PathBuf, SecretFileError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    make_directory(directory)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}.{number}.new", std::process::id()));
    let temporary = directory.join(name);
    // One that a crash left behind may have another mode.
    match disk::remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_fault(&temporary)(error));
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(mode);
    let file = disk::open(options, &temporary).map_err(io_fault(&temporary))?;
    let written = disk::write(&file, content).and_then(|()| disk::sync(&file));
    if written.is_err() {
        // The disk may be full: what was written of a secret does not stay.
        let _ = disk::remove(&temporary);
    }
    written.map_err(io_fault(&temporary))?;
    Ok(temporary)
}

pub(crate) fn sync_directory(path: &Path) -> Result<(), SecretFileError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    disk::sync_directory(directory).map_err(io_fault(directory))
}

fn io_fault(path: &Path) -> impl FnOnce(io::Error) -> SecretFileError {
    let path = path.to_path_buf();
    |source| SecretFileError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::disk::faults;

    #[test]
    fn a_secret_is_made_once_kept_and_readable_by_its_owner_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("keys/signing.key");
        assert!(read(&path).expect("no fault").is_none());
        assert!(create(&path).expect("written"));
        let first = read(&path).expect("readable");
        assert!(first.is_some());
        assert!(!create(&path).expect("left alone"), "never overwritten");
        assert!(read(&path).expect("readable") == first);
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let left = fs::read_dir(path.parent().expect("a parent")).expect("listed").count();
        assert_eq!(left, 1, "no temporary file stays");
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused_and_never_shown() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.salt");
        fs::write(&path, "ab".repeat(32)).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
        let text = read(&path).expect_err("refused").to_string();
        assert!(text.contains("0640") && text.contains("chmod 600"), "{text}");
        assert!(!text.contains("abab"));

        fs::write(&path, "ab".repeat(31)).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
        let text = read(&path).expect_err("refused").to_string();
        assert!(text.contains("64 hex digits") && !text.contains("abab"), "{text}");
    }

    #[test]
    fn whatever_the_disk_fails_at_a_file_is_the_old_one_or_the_new_one() {
        let path = |directory: &Path| directory.join("witness/last.checkpoint");
        let live = |directory: &Path, written: &mut u8| {
            for content in 1..4 {
                if replace(&path(directory), &[content; 90]).is_ok() {
                    *written = content;
                }
            }
        };
        let check = |directory: &Path, written: &u8, what: &str| {
            let found = fs::read(path(directory)).unwrap_or_default();
            let newer = (*written..4).any(|content| found == [content; 90]);
            assert!(newer || *written == 0 && found.is_empty(), "{what}: {found:?}");
            replace(&path(directory), b"another").expect(what);
            assert_eq!(fs::read(path(directory)).expect(what), b"another", "{what}");
        };
        faults::everywhere(live, |directory| drop(replace(&path(directory), &[3; 90])), check);
    }

    #[test]
    fn whatever_the_disk_fails_at_a_secret_is_made_once_and_kept() {
        let path = |directory: &Path| directory.join("keys/signing.key");
        let live = |directory: &Path, secret: &mut Option<[u8; 32]>| {
            for _ in 0..2 {
                if create(&path(directory)).is_ok() {
                    *secret = read(&path(directory)).expect("readable").map(|secret| *secret);
                    assert!(secret.is_some(), "it was made");
                }
            }
        };
        let check = |directory: &Path, secret: &Option<[u8; 32]>, what: &str| {
            create(&path(directory)).expect(what);
            let found = read(&path(directory)).expect(what).map(|secret| *secret);
            assert!(secret.is_none_or(|secret| Some(secret) == found), "{what}: another one");
            assert!(found.is_some(), "{what}");
        };
        faults::everywhere(live, |directory| drop(create(&path(directory))), check);
    }

    #[test]
    fn two_who_replace_a_file_at_once_both_leave_it_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a/b/c.grant");
        let contents = ["x".repeat(5000), "y".repeat(5000)];
        std::thread::scope(|scope| {
            for content in &contents {
                let path = &path;
                scope.spawn(move || {
                    (0..50).for_each(|_| replace(path, content.as_bytes()).expect("written"));
                });
            }
        });
        let left = fs::read_to_string(&path).expect("there");
        assert!(contents.contains(&left));
        assert_eq!(fs::read_dir(path.parent().expect("one")).expect("listed").count(), 1);
    }
}
