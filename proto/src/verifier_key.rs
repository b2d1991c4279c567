//! Public keys as lines of text (C2SP signed-note, "Verifier keys"): what agencies hand to an auditor
//! who has no federation manifest.
//!
//! `name+id+base64(type || key)`, with the id in eight hexadecimal digits. Which keys are trusted is
//! whoever reads them's business.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    cosignature::COSIGNATURE,
    note::{ED25519, KeyName, NoteKey, key_id},
    signing::VerifyingKey,
};

/// What a key signs, and so the type of its signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    /// Checkpoints, as the log.
    Log,
    /// Cosignatures, as a witness.
    Witness,
}

/// Why a line is not the key that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeyError {
    /// Not of the form.
    #[error(
        "it is not a verifier key: one line with a name, '+', eight hexadecimal digits, '+', and the \
         key in base64"
    )]
    Malformed,
    /// Another type of signature.
    #[error(
        "it is a key of signature type {found:#04x}, and {} has type {:#04x}",
        match expected { Signs::Log => "a log's", Signs::Witness => "a witness's" },
        expected.signature_type()
    )]
    Kind {
        /// The type in the line.
        found: u8,
        /// What was asked for.
        expected: Signs,
    },
    /// The id is not that of name and key: one of them was changed.
    #[error("its name and key do not belong together: the id between them is another's")]
    Id,
}

impl Signs {
    fn signature_type(self) -> u8 {
        match self {
            Self::Log => ED25519,
            Self::Witness => COSIGNATURE,
        }
    }
}

/// Reads a key that signs as `signs` says.
///
/// # Errors
/// [`VerifierKeyError`].
pub fn read(line: &str, signs: Signs) -> Result<NoteKey, VerifierKeyError> {
    let malformed = VerifierKeyError::Malformed;
    let mut parts = line.trim_end_matches(['\r', '\n']).splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed);
    };
    let name: KeyName = name.parse().map_err(|_| malformed)?;
    let bytes = BASE64_STANDARD.decode(key).map_err(|_| malformed)?;
    let (&found, key) = bytes.split_first().ok_or(malformed)?;
    if found != signs.signature_type() {
        return Err(VerifierKeyError::Kind { found, expected: signs });
    }
    let key = VerifyingKey(key.try_into().map_err(|_| malformed)?);
    if id != hex::encode(key_id(&name, found, &key)) {
        return Err(VerifierKeyError::Id);
    }
    Ok(NoteKey { name, key })
}

/// The line of a key, without its newline.
pub fn line(key: &NoteKey, signs: Signs) -> String {
    let kind = signs.signature_type();
    let id = hex::encode(key_id(&key.name, kind, &key.key));
    let bytes = [&[kind][..], &key.key.0].concat();
    format!("{}+{id}+{}", key.name, BASE64_STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C2SP signed-note, "Example".
    const LOG: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    /// The witness of the vector in `cosignature`.
    const WITNESS: &str =
        "witness.example.com/vector+416f103d+BK/QmJFVP3SKJOqAMhFxBQPtylo3sjwWibyFDAlZKK8B";

    #[test]
    fn keys_that_others_wrote_are_read_and_written_as_they_are() {
        for (text, signs) in [(LOG, Signs::Log), (WITNESS, Signs::Witness)] {
            let key = read(text, signs).expect("good");
            assert_eq!(line(&key, signs), text);
            assert_eq!(read(&format!("{text}\n"), signs), Ok(key));
        }
    }

    #[test]
    fn a_key_that_is_cut_changed_or_of_another_kind_is_refused() {
        let malformed = Err(VerifierKeyError::Malformed);
        assert_eq!(read("", Signs::Log), malformed);
        assert_eq!(read(&LOG[..LOG.len() - 4], Signs::Log), malformed);
        assert_eq!(read(&LOG.replace('+', " "), Signs::Log), malformed);
        for changed in
            [LOG.replace("foo", "bar"), LOG.replace("3U2k", "3U2l"), LOG.replace("53", "54")]
        {
            assert_eq!(read(&changed, Signs::Log), Err(VerifierKeyError::Id), "{changed}");
        }
        let kind = VerifierKeyError::Kind { found: 1, expected: Signs::Witness };
        assert_eq!(read(LOG, Signs::Witness), Err(kind));
        assert!(kind.to_string().contains("type 0x01, and a witness's has type 0x04"), "{kind}");
    }
}
