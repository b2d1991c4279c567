//! The key to which an officer has answers encrypted: made at first use beside the configuration, readable
//! by nobody else, and never sent anywhere.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use proto::envelope::EnvelopePrivateKey;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::failure::Failure;

const FILE: &str = "disclosure.key";

/// Reads the key in a directory, and makes it where there is none.
///
/// # Errors
/// [`Failure::AnswerKey`].
pub fn read_or_make(directory: &Path) -> Result<EnvelopePrivateKey, Failure> {
    match read(directory) {
        Err(Failure::AnswerKey { .. }) if !directory.join(FILE).exists() => {
            let path = directory.join(FILE);
            make(&path).map_err(|error| fault(&path)(error.to_string()))?;
            read(directory)
        }
        read => read,
    }
}

/// Reads the key in a directory.
///
/// # Errors
/// [`Failure::AnswerKey`], also where others can read it.
pub fn read(directory: &Path) -> Result<EnvelopePrivateKey, Failure> {
    let path = directory.join(FILE);
    let faulty = fault(&path);
    let mut file = File::open(&path).map_err(|error| faulty(error.to_string()))?;
    let mode = file.metadata().map_err(|error| faulty(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(faulty(format!("others can read it (mode {:04o}): chmod 600", mode & 0o7777)));
    }
    let mut text = Zeroizing::new(String::with_capacity(128));
    file.read_to_string(&mut text).map_err(|error| faulty(error.to_string()))?;
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut *bytes)
        .map_err(|_| faulty("it is not a key of 64 hexadecimal digits".into()))?;
    Ok(EnvelopePrivateKey::from_bytes(&bytes))
}

fn make(path: &PathBuf) -> io::Result<()> {
    let mut bytes = Zeroizing::new([0; 32]);
    SystemRandom::new()
        .fill(&mut *bytes)
        .map_err(|_| io::Error::other("the operating system has no random numbers"))?;
    let mut text = Zeroizing::new(vec![0; 64]);
    hex::encode_to_slice(*bytes, &mut text).expect("twice as many digits as bytes");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(&text).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key is none.
        let _ = fs::remove_file(path);
    }
    written
}

fn fault(path: &Path) -> impl Fn(String) -> Failure {
    let path = path.to_path_buf();
    move |problem| Failure::AnswerKey { path: path.clone(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_the_officers_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(read(directory.path()).is_err(), "nothing is made by reading");
        let first = read_or_make(directory.path()).expect("made").public();
        assert!(read_or_make(directory.path()).expect("read").public() == first);
        let path = directory.path().join(FILE);
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
        assert!(read_or_make(directory.path()).is_err(), "others can read it");
    }
}
