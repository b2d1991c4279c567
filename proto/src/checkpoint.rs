//! Checkpoints of a log (C2SP tlog-checkpoint): how many entries it has and the root of their tree,
//! signed by the log.
//!
//! A [`Checkpoint`] is verified or does not exist. Witnesses' signatures below it are `cosignature`'s.

use std::fmt;

use crate::{
    merkle::{Hash, MAX_SIZE, TreeHead},
    note::{KeyName, Note, NoteError, NoteKey, NoteSignature},
    signing::SigningKey,
};

/// A tree head that the log signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    head: TreeHead,
    note: Note,
}

/// Why a note is not taken for the log's checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is not a signed note.
    #[error("the checkpoint: {0}")]
    Note(#[from] NoteError),
    /// The text is not a checkpoint's.
    #[error("the checkpoint is not an origin, a size and a root hash, each on its line")]
    Malformed,
    /// It is another log's.
    #[error("the checkpoint is of the log {found}, and not of {expected}")]
    Origin {
        /// What its first line says.
        found: KeyName,
        /// The log that was asked for.
        expected: KeyName,
    },
    /// The log's key did not sign it.
    #[error(
        "the checkpoint is not signed with the log's key: compare it with the key of the log in the federation manifest"
    )]
    Signature,
}

impl Checkpoint {
    /// Signs a tree head. The origin is the name of the log's key.
    pub fn sign(origin: &KeyName, head: TreeHead, key: &SigningKey) -> Self {
        let text = format!("{origin}\n{}\n{}\n", head.size, head.root);
        let mut note = Note::new(text).expect("a key's name has no control characters");
        note.sign(origin, key);
        Self { head, note }
    }

    /// Reads a checkpoint and verifies that it is this log's. Other signatures are kept as they are.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(note: &str, log: &NoteKey) -> Result<Self, CheckpointError> {
        Self::of_note(Note::parse(note)?, log)
    }

    /// Takes a note for a checkpoint, where it is this log's.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn of_note(note: Note, log: &NoteKey) -> Result<Self, CheckpointError> {
        let (origin, head) = parse(note.text()).ok_or(CheckpointError::Malformed)?;
        if origin != log.name {
            return Err(CheckpointError::Origin { found: origin, expected: log.name.clone() });
        }
        if !note.verified_by(log) {
            return Err(CheckpointError::Signature);
        }
        Ok(Self { head, note })
    }

    /// The tree's size and root.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// The tree's size.
    pub fn size(&self) -> u64 {
        self.head.size
    }

    /// The signed note.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Adds a witness's signature line, in place of an earlier one by the same key. It is not
    /// verified here.
    pub fn add(&mut self, signature: NoteSignature) {
        self.note.add(signature);
    }
}

/// The bytes as they are stored and served.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

/// Origin, size, root; then extension lines, which say nothing to us but must not be empty.
fn parse(text: &str) -> Option<(KeyName, TreeHead)> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let origin = lines.next()?.parse().ok()?;
    let digits = lines.next()?;
    let size = digits.parse::<u64>().ok().filter(|size| *size <= MAX_SIZE)?;
    let root = Hash::from_base64(lines.next()?)?;
    let canonical = size.to_string() == digits && lines.all(|line| !line.is_empty());
    canonical.then_some((origin, TreeHead { size, root }))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed(&Zeroizing::new([1; 32]))
    }

    fn log() -> NoteKey {
        NoteKey { name: "demo/log".parse().expect("name"), key: key().verifying_key() }
    }

    fn signed(text: &str) -> String {
        let mut note = Note::new(text).expect("text");
        note.sign(&log().name, &key());
        note.to_string()
    }

    /// C2SP tlog-checkpoint, the example.
    #[test]
    fn the_specifications_example_is_read() {
        let text =
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let (origin, head) = parse(text).expect("a checkpoint");
        assert_eq!((origin.as_str(), head.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(format!("{origin}\n{}\n{}\n", head.size, head.root), text);
    }

    #[test]
    fn a_checkpoint_opens_with_its_logs_key_only() {
        let head = TreeHead { size: 3, root: Hash([7; 32]) };
        let checkpoint = Checkpoint::sign(&log().name, head, &key());
        let bytes = checkpoint.to_string();
        assert_eq!(Checkpoint::open(&bytes, &log()), Ok(checkpoint));
        assert_eq!(Checkpoint::open(&bytes, &log()).map(|c| c.head()), Ok(head));

        let other = NoteKey { name: "demo/other".parse().expect("name"), ..log() };
        let origin = CheckpointError::Origin { found: log().name, expected: other.name.clone() };
        assert_eq!(Checkpoint::open(&bytes, &other), Err(origin));
        let larger = bytes.replace("\n3\n", "\n4\n");
        assert_eq!(Checkpoint::open(&larger, &log()), Err(CheckpointError::Signature));
        let forger = SigningKey::from_seed(&Zeroizing::new([2; 32]));
        let forged = Checkpoint::sign(&log().name, head, &forger).to_string();
        assert_eq!(Checkpoint::open(&forged, &log()), Err(CheckpointError::Signature));
    }

    #[test]
    fn only_the_canonical_form_is_a_checkpoint_even_when_signed() {
        let root = Hash([7; 32]);
        let good = format!("demo/log\n3\n{root}\n");
        assert!(Checkpoint::open(&signed(&good), &log()).is_ok());
        assert!(Checkpoint::open(&signed(&format!("{good}extension\n")), &log()).is_ok());
        let bad = [
            format!("demo/log\n03\n{root}\n"),
            format!("demo/log\n+3\n{root}\n"),
            format!("demo/log\n\n{root}\n"),
            format!("demo/log\n72057594037927937\n{root}\n"),
            format!("demo/log\n18446744073709551616\n{root}\n"),
            format!("demo/log\n3\n{root}=\n"),
            "demo/log\n3\nCsUYapGGPo4dkMgIAUqom\n".to_owned(),
            "demo/log\n3\n".to_owned(),
            format!("\ndemo/log\n3\n{root}\n"),
            format!("{good}\nextension after a blank line\n"),
        ];
        for text in bad {
            let opened = Checkpoint::open(&signed(&text), &log());
            assert_eq!(opened, Err(CheckpointError::Malformed), "{text}");
        }
    }
}
