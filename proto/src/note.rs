//! Signed notes: text with Ed25519 signatures below it (C2SP signed-note).
//!
//! Owns the form, the key identifiers and the plain Ed25519 signature. What a text means is its
//! reader's business (`manifest`, `checkpoint`); a witness's signature is `cosignature`'s.

use std::{fmt, str::FromStr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

use crate::signing::{SigningKey, VerifyingKey};

/// More signatures than this and the note is refused.
pub const MAX_SIGNATURES: usize = 256;

/// The signature type of plain Ed25519.
pub(crate) const ED25519: u8 = 0x01;

/// Begins every signature line.
const DASH: &str = "\u{2014} ";

/// A text and the signatures below it, well-formed but not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line: whose it claims to be, and the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: KeyName,
    /// Tells the keys of one name apart: the first four bytes of a hash over name, type and key.
    pub key_id: [u8; 4],
    /// What the key's signature type says; 64 bytes with plain Ed25519.
    pub signature: Vec<u8>,
}

/// The name of a key in notes, e.g. `demo/civil_affairs`: not empty, without spaces and `+`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(Box<str>);

/// A key that is trusted to sign notes, under the name it signs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    /// The name on its signature lines.
    pub name: KeyName,
    /// The public key.
    pub key: VerifyingKey,
}

/// What is wrong with a note's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// A control character: a tab, or the line ends of another system.
    #[error(
        "line {line} of the note has a control character: a note has plain spaces, and lines end in a newline only"
    )]
    ControlCharacter {
        /// Counted from 1.
        line: usize,
    },
    /// The text does not end where a note's text must.
    #[error("the text of a note ends in a newline")]
    Text,
    /// There is no blank line with signature lines after it.
    #[error("the note has no signatures: they follow the text after one blank line")]
    NoSignatures,
    /// A line after the blank line is no signature line.
    #[error(
        "line {line} of the note is not a signature line: a dash (U+2014), the key's name, and the signature in base64, one space between them"
    )]
    SignatureLine {
        /// Counted from 1.
        line: usize,
    },
    /// More than [`MAX_SIGNATURES`].
    #[error("the note has more than 256 signatures")]
    TooManySignatures,
    /// A key's name that notes cannot carry.
    #[error("a key's name is not empty and has no spaces and no '+'")]
    KeyName,
}

impl Note {
    /// A note without signatures as yet.
    ///
    /// # Errors
    /// [`NoteError::Text`] and [`NoteError::ControlCharacter`].
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        refuse_control_characters(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Text);
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Reads a signed note. Every signature is kept, those of unknown keys included.
    ///
    /// # Errors
    /// [`NoteError`], where the form is not exactly the one that C2SP signed-note fixes.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        refuse_control_characters(note)?;
        let end = note.rfind("\n\n").ok_or(NoteError::NoSignatures)? + 1;
        let (text, lines) = (&note[..end], &note[end + 1..]);
        let before = text.lines().count() + 1;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (at, line) in lines.split('\n').enumerate() {
            let line = line.parse().map_err(|_| NoteError::SignatureLine { line: before + at + 1 });
            signatures.push(line?);
            if signatures.len() > MAX_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text that is signed, its last newline included. Means nothing until a signature of a
    /// trusted key is verified.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, verified or not, in the order of the note.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Signs the text, in place of an earlier signature by the same key.
    pub fn sign(&mut self, name: &KeyName, key: &SigningKey) {
        self.add(NoteSignature {
            name: name.clone(),
            key_id: key_id(name, ED25519, &key.verifying_key()),
            signature: key.sign(self.text.as_bytes()).to_vec(),
        });
    }

    /// Adds somebody else's signature, in place of an earlier one by the same key. It is not
    /// verified.
    pub fn add(&mut self, signature: NoteSignature) {
        self.signatures.retain(|s| (&s.name, s.key_id) != (&signature.name, signature.key_id));
        self.signatures.push(signature);
    }

    /// Whether `key` signed the text: a signature line bears its name and identifier, and every
    /// such line verifies.
    pub fn verified_by(&self, key: &NoteKey) -> bool {
        let id = key_id(&key.name, ED25519, &key.key);
        let mut found = false;
        for signature in self.signatures_of(&key.name, id) {
            if key.key.verify(self.text.as_bytes(), signature).is_err() {
                return false;
            }
            found = true;
        }
        found
    }

    /// The signatures on lines with this name and key identifier.
    pub(crate) fn signatures_of<'a>(
        &'a self,
        name: &'a KeyName,
        id: [u8; 4],
    ) -> impl Iterator<Item = &'a [u8]> {
        self.signatures
            .iter()
            .filter(move |line| line.name == *name && line.key_id == id)
            .map(|line| line.signature.as_slice())
    }
}

/// The note's bytes: text, blank line, signature lines.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// The signature line, without its newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id[..], &self.signature].concat();
        write!(f, "{DASH}{} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}

/// Reads one signature line, without its newline.
impl FromStr for NoteSignature {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::SignatureLine { line: 1 };
        let (name, signature) =
            line.strip_prefix(DASH).and_then(|line| line.split_once(' ')).ok_or(malformed)?;
        let name = name.parse().map_err(|_| malformed)?;
        let bytes = BASE64_STANDARD.decode(signature).map_err(|_| malformed)?;
        let (key_id, signature) = bytes.split_first_chunk().ok_or(malformed)?;
        if signature.is_empty() {
            return Err(malformed);
        }
        Ok(Self { name, key_id: *key_id, signature: signature.to_vec() })
    }
}

impl KeyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NoteError;

    fn from_str(name: &str) -> Result<Self, NoteError> {
        let refused = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.chars().any(refused) {
            return Err(NoteError::KeyName);
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256(name || 0x0A || signature type || public key), its first four bytes.
pub(crate) fn key_id(name: &KeyName, signature_type: u8, key: &VerifyingKey) -> [u8; 4] {
    let mut hash = Sha256::new();
    hash.update(name.as_str());
    hash.update([b'\n', signature_type]);
    hash.update(key.0);
    let hash: [u8; 32] = hash.finalize().into();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn refuse_control_characters(note: &str) -> Result<(), NoteError> {
    let Some(at) = note.bytes().position(|byte| byte < b' ' && byte != b'\n') else {
        return Ok(());
    };
    let line = note.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    Err(NoteError::ControlCharacter { line })
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    /// C2SP signed-note, "Example".
    const EXAMPLE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

    /// Its verifier key, `example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k`.
    fn example_key() -> NoteKey {
        let bytes = BASE64_STANDARD.decode("AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
        let bytes = bytes.expect("base64");
        assert_eq!(bytes[0], ED25519);
        let key = VerifyingKey(bytes[1..].try_into().expect("32 bytes"));
        NoteKey { name: "example.com/foo".parse().expect("name"), key }
    }

    #[test]
    fn the_specifications_example_verifies_and_keeps_its_bytes() {
        let key = example_key();
        assert_eq!(hex::encode(key_id(&key.name, ED25519, &key.key)), "530d903a");
        let note = Note::parse(EXAMPLE).expect("well-formed");
        assert_eq!(note.text(), "This is an example message.\n");
        assert!(note.verified_by(&key));
        assert_eq!(note.to_string(), EXAMPLE);

        let changed = Note::parse(&EXAMPLE.replace("example message", "other message"));
        assert!(!changed.expect("well-formed").verified_by(&key));
        let other_name = NoteKey { name: "example.com/bar".parse().expect("name"), ..key.clone() };
        assert!(!note.verified_by(&other_name));
        let other_key = NoteKey { key: VerifyingKey([7; 32]), ..key };
        assert!(!note.verified_by(&other_key));
    }

    #[test]
    fn the_text_ends_at_the_last_blank_line() {
        let text = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned \u{e8} subito sera.\n";
        let signature = "\u{2014} quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
        let note = Note::parse(&format!("{text}\n{signature}")).expect("well-formed");
        assert_eq!(note.text(), text);
        assert_eq!(note.signatures()[0].key_id, [0x36, 0x7b, 0xa0, 0x4b]);
        assert_eq!(note.signatures()[0].signature.len(), 64);
    }

    #[test]
    fn a_signature_of_an_unknown_key_is_kept_and_ignored() {
        let own = SigningKey::from_seed(&Zeroizing::new([1; 32]));
        let name: KeyName = "demo/civil_affairs".parse().expect("name");
        let mut note = Note::parse(EXAMPLE).expect("well-formed");
        note.sign(&name, &own);
        let read = Note::parse(&note.to_string()).expect("well-formed");
        assert_eq!(read, note);
        assert!(read.verified_by(&NoteKey { name: name.clone(), key: own.verifying_key() }));
        assert!(read.verified_by(&example_key()));
        note.sign(&name, &own);
        assert_eq!(note.signatures().len(), 2, "a second signature replaces the first");
    }

    #[test]
    fn a_wrong_signature_line_of_a_known_key_is_not_made_good_by_a_right_one() {
        let mut note = Note::parse(EXAMPLE).expect("well-formed");
        let mut wrong = note.signatures()[0].clone();
        wrong.signature[0] ^= 1;
        note.signatures.push(wrong);
        assert!(!note.verified_by(&example_key()));
    }

    #[test]
    fn parsing_refuses_every_deviation_and_says_where() {
        let line = |error| NoteError::SignatureLine { line: error };
        let cases = [
            ("text\n".to_owned(), NoteError::NoSignatures),
            ("text\n\n".to_owned(), NoteError::NoSignatures),
            (EXAMPLE.trim_end().to_owned(), NoteError::NoSignatures),
            (EXAMPLE.replace('\n', "\r\n"), NoteError::ControlCharacter { line: 1 }),
            (EXAMPLE.replace("\n\n", "\n\t\n\n"), NoteError::ControlCharacter { line: 2 }),
            (EXAMPLE.replace('\u{2014}', "-"), line(3)),
            (EXAMPLE.replace("foo ", "foo  "), line(3)),
            (EXAMPLE.replace("com/foo", "com+foo"), line(3)),
            (EXAMPLE.replace("com/foo", "com\u{3000}foo"), line(3)),
            (EXAMPLE.replace("example.com/foo", ""), line(3)),
            (EXAMPLE.replace("aQM=", "aQM"), line(3)),
            (EXAMPLE.replace("aQM=", "aQN="), line(3)),
            (EXAMPLE.replace("aQM=\n", "aQM= \n"), line(3)),
            (format!("{EXAMPLE}x\n"), line(4)),
            ("text\n\n\u{2014} a AAAAAA==\n".to_owned(), line(3)),
        ];
        for (note, error) in cases {
            assert_eq!(Note::parse(&note), Err(error), "{note:?}");
        }
        let signature = EXAMPLE.split_once("\n\n").expect("two parts").1;
        let many = format!("text\n\n{}", signature.repeat(MAX_SIGNATURES + 1));
        assert_eq!(Note::parse(&many), Err(NoteError::TooManySignatures));
        assert!(Note::parse(&format!("text\n\n{}", signature.repeat(MAX_SIGNATURES))).is_ok());
        assert_eq!(Note::new("text"), Err(NoteError::Text));
    }
}
