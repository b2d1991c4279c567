//! A secret file with a header for people and programs, an empty line, and one secret of 64 hex digits
//! a line. What they mean is the business of `seeds` and `pending`.

use std::path::Path;

use zeroize::Zeroizing;

use super::seeds::Seed;
use crate::secret_file::{self, SecretFileError};

/// Far more than the seeds of 16 holders take.
const LARGEST: u64 = 4 << 20;

/// A header, and secrets unless one of them is not 64 hex digits.
type SecretLines = (String, Option<Vec<Seed>>);

/// What the file holds; `None` where there is no file.
///
/// # Errors
/// [`SecretFileError`]; a file that others may read is refused.
pub(super) fn read(path: &Path) -> Result<Option<SecretLines>, SecretFileError> {
    let Some(text) = secret_file::read_text(path, LARGEST)? else { return Ok(None) };
    let (header, lines) = text.split_once("\n\n").unwrap_or((text.as_str(), ""));
    let secrets = lines.lines().map(|line| {
        let mut secret = Zeroizing::new([0; 32]);
        hex::decode_to_slice(line, &mut secret[..]).ok().map(|()| Seed::from_bytes(*secret))
    });
    Ok(Some((header.to_owned(), secrets.collect())))
}

/// Writes the file in one step. The header has no empty line in it that is not of a table.
///
/// # Errors
/// [`SecretFileError::Io`].
pub(super) fn write<'s>(
    path: &Path,
    note: &str,
    header: &str,
    secrets: impl ExactSizeIterator<Item = &'s Seed>,
) -> Result<(), SecretFileError> {
    let header: Vec<&str> = header.lines().filter(|line| !line.is_empty()).collect();
    let header = format!("{note}\n{}\n\n", header.join("\n"));
    // Room for all of it: no copy stays behind in a grown buffer.
    let mut text = Zeroizing::new(Vec::with_capacity(header.len() + 65 * secrets.len()));
    text.extend_from_slice(header.as_bytes());
    let mut digits = Zeroizing::new([0; 64]);
    for secret in secrets {
        hex::encode_to_slice(secret.expose(), &mut digits[..]).expect("64 digits for 32 bytes");
        text.extend_from_slice(&digits[..]);
        text.push(b'\n');
    }
    secret_file::replace(path, &text)
}
