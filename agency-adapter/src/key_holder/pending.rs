//! This holder's own secrets in a ceremony that is under way, until its seeds are deleted.
//!
//! They are made once, so that everybody who is sent this holder's contribution is sent the same
//! secrets, however often it is written.

use std::{fs, io, num::NonZeroU8, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    ceremony::Ceremony, contribution::short, directory, secret_lines, seeds::Seed, subset::Subset,
};
use crate::secret_file::{self, SecretFileError};

const FILE: &str = "contribution";
const NOTE: &str =
    "# This agency's part in a key ceremony. Secret. 本部门在密钥仪式中的秘密，须保密。";

/// One secret for each subset to whose seed this holder contributes.
pub type Secrets = Vec<(Subset, Seed)>;

/// Why there are no secrets.
#[derive(Debug, thiserror::Error)]
pub enum PendingError {
    /// The file.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// Something else is in the file.
    #[error(
        "key-holder/{FILE} is damaged: remove it, contribute again and send the new file to everybody"
    )]
    Content,
    /// Of another ceremony.
    #[error(
        "this agency has contributed to another ceremony ({theirs} instead of {ours}): use the draft of \
         then, or remove key-holder/{FILE} from the state directory if that ceremony was given up"
    )]
    OtherCeremony {
        /// The one in the state directory.
        theirs: String,
        /// The one of the draft.
        ours: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    ceremony: String,
}

/// The secrets of this ceremony; made where there are none.
///
/// # Errors
/// [`PendingError`].
pub fn create(
    state_dir: &Path,
    ceremony: &Ceremony,
    index: NonZeroU8,
) -> Result<Secrets, PendingError> {
    if let Some(secrets) = read(state_dir, ceremony, index)? {
        return Ok(secrets);
    }
    let secret = |subset| Ok((subset, Seed::from_bytes(*secret_file::random()?)));
    let subsets = ceremony.subsets_of(index).into_iter();
    let secrets = subsets.map(secret).collect::<Result<Secrets, SecretFileError>>()?;
    let header = Header { ceremony: hex::encode(ceremony.id()) };
    let header = toml::to_string(&header).expect("plain data");
    let lines = secrets.iter().map(|(_, secret)| secret);
    secret_lines::write(&directory(state_dir).join(FILE), NOTE, &header, lines)?;
    Ok(secrets)
}

/// The secrets of this ceremony, if this holder has contributed to it.
///
/// # Errors
/// [`PendingError`].
pub fn read(
    state_dir: &Path,
    ceremony: &Ceremony,
    index: NonZeroU8,
) -> Result<Option<Secrets>, PendingError> {
    let file = secret_lines::read(&directory(state_dir).join(FILE))?;
    let Some((header, secrets)) = file else { return Ok(None) };
    let Header { ceremony: theirs } = toml::from_str(&header).map_err(|_| PendingError::Content)?;
    if theirs != hex::encode(ceremony.id()) {
        let theirs = theirs.chars().take(16).collect();
        return Err(PendingError::OtherCeremony { theirs, ours: short(&ceremony.id()) });
    }
    let subsets = ceremony.subsets_of(index);
    let secrets = secrets.filter(|secrets| secrets.len() == subsets.len());
    Ok(Some(subsets.into_iter().zip(secrets.ok_or(PendingError::Content)?).collect()))
}

/// Deletes them: whoever has them can compute the first epoch's seeds.
///
/// # Errors
/// [`SecretFileError::Io`].
pub fn delete(state_dir: &Path) -> Result<(), SecretFileError> {
    let path = directory(state_dir).join(FILE);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(SecretFileError::Io { path, source })
        }
        _ => Ok(()),
    }
}
