//! The proof that an entry is in the log, checked offline against the log's key (C2SP tlog-proof).
//!
//! Owns its text form and the way from the entry to the log's signature. Whether enough witnesses
//! cosigned the checkpoint is asked of the [`Checkpoint`] that comes out.

use std::{fmt, str::FromStr};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{
    checkpoint::{Checkpoint, CheckpointError},
    merkle::{BadProof, Hash},
    note::{Note, NoteError, NoteKey},
};

/// The first line of every proof.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// No tree is so high that a path has more hashes.
const MAX_PATH: usize = 63;

/// A proof, well-formed but not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// What the application adds. Nothing authenticates it.
    pub extra: Option<Vec<u8>>,
    /// The entry's index.
    pub index: u64,
    /// The inclusion proof.
    pub path: Vec<Hash>,
    /// The checkpoint that it leads to.
    pub checkpoint: Note,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogProofError {
    /// A line is not what it must be.
    #[error("line {line} of the proof is not of the form c2sp.org/tlog-proof@v1")]
    Malformed {
        /// Counted from 1.
        line: usize,
    },
    /// What follows the proof is no signed note.
    #[error("the checkpoint in the proof: {0}")]
    Note(#[from] NoteError),
    /// The checkpoint is not the log's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the entry to the checkpoint.
    #[error(transparent)]
    Path(#[from] BadProof),
}

impl LogProof {
    /// Checks that `entry` is in the log, and gives the checkpoint by which it is.
    ///
    /// # Errors
    /// [`LogProofError`].
    pub fn verify(&self, entry: &[u8], log: &NoteKey) -> Result<Checkpoint, LogProofError> {
        let checkpoint = Checkpoint::of_note(self.checkpoint.clone(), log)?;
        checkpoint.head().verify_inclusion(entry, self.index, &self.path)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for LogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64_STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for LogProof {
    type Err = LogProofError;

    fn from_str(text: &str) -> Result<Self, LogProofError> {
        let malformed = |line| LogProofError::Malformed { line };
        let (proof, checkpoint) = text.split_once("\n\n").ok_or(malformed(1))?;
        let mut lines = proof.split('\n').zip(1..).peekable();
        if lines.next().map(|(line, _)| line) != Some(HEADER) {
            return Err(malformed(1));
        }
        let extra = lines.next_if(|(line, _)| line.starts_with("extra "));
        let extra = extra
            .map(|(line, at)| BASE64_STANDARD.decode(&line[6..]).map_err(|_| malformed(at)))
            .transpose()?;
        let (line, at) = lines.next().ok_or(malformed(2))?;
        let digits = line.strip_prefix("index ").ok_or(malformed(at))?;
        let index = digits.parse::<u64>().map_err(|_| malformed(at))?;
        if index.to_string() != digits {
            return Err(malformed(at));
        }
        let hash = |(line, at)| Hash::from_base64(line).ok_or(malformed(at));
        let path = lines.map(hash).collect::<Result<Vec<_>, _>>()?;
        if path.len() > MAX_PATH {
            return Err(malformed(at + MAX_PATH + 1));
        }
        Ok(Self { extra, index, path, checkpoint: Note::parse(checkpoint)? })
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::{merkle::TreeHead, signing::SigningKey};

    fn log() -> (SigningKey, NoteKey) {
        let key = SigningKey::from_seed(&Zeroizing::new([1; 32]));
        let name = "example.com/fancylog".parse().expect("name");
        let public = NoteKey { name, key: key.verifying_key() };
        (key, public)
    }

    /// Of entry 1 among three.
    fn proof(extra: Option<Vec<u8>>) -> LogProof {
        let leaves = [&b"zero"[..], b"one", b"two"].map(Hash::of_leaf);
        let head = TreeHead { size: 3, root: Hash::of_tree(&leaves) };
        let (key, log) = log();
        let checkpoint = Checkpoint::sign(&log.name, head, &key).note().clone();
        LogProof { extra, index: 1, path: vec![leaves[0], leaves[2]], checkpoint }
    }

    #[test]
    fn a_proof_keeps_its_bytes_and_verifies_for_its_entry_only() {
        let (_, log) = log();
        for extra in [None, Some(b"more".to_vec())] {
            let text = proof(extra).to_string();
            let read: LogProof = text.parse().expect("well-formed");
            assert_eq!(read.to_string(), text);
            assert_eq!(read.verify(b"one", &log).map(|checkpoint| checkpoint.size()), Ok(3));
            let bad = Err(LogProofError::Path(BadProof::Inclusion));
            assert_eq!(read.verify(b"two", &log), bad);
            assert_eq!(LogProof { index: 2, ..read.clone() }.verify(b"one", &log), bad);
            let other = NoteKey { key: crate::signing::VerifyingKey([9; 32]), ..log.clone() };
            let bad = Err(LogProofError::Checkpoint(CheckpointError::Signature));
            assert_eq!(read.verify(b"one", &other), bad);
        }
        assert!(
            proof(Some(b"more".to_vec()))
                .to_string()
                .starts_with("c2sp.org/tlog-proof@v1\nextra bW9yZQ==\nindex 1\n")
        );
    }

    #[test]
    fn parsing_refuses_every_deviation_and_says_where() {
        let good = proof(Some(b"more".to_vec())).to_string();
        let malformed = |line| LogProofError::Malformed { line };
        let many = format!("index 1\n{}", format!("{}\n", Hash([1; 32])).repeat(MAX_PATH));
        let cases = [
            (good.replace("@v1", "@v2"), malformed(1)),
            (good.replace("bW9yZQ==", "bW9yZQ="), malformed(2)),
            (good.replace("extra ", "extra"), malformed(2)),
            (good.replace("index 1", "index 01"), malformed(3)),
            (good.replace("index 1\n", ""), malformed(3)),
            (good.replace("index 1\n", "index 1\nAAAA\n"), malformed(4)),
            (good.replace("index 1\n", &many), malformed(67)),
            (good.replace("\n\n", "\n"), malformed(1)),
            (
                good.replace('\u{2014}', "-"),
                LogProofError::Note(NoteError::SignatureLine { line: 5 }),
            ),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<LogProof>(), Err(error), "{text}");
        }
    }
}
