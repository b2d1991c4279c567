//! What passes between the log and a witness, checked at the door (PROTOCOL.md section 18).
//!
//! Owns the form of both calls. Whether a proof proves anything, and what a witness remembers, is the
//! witness's business; the quorum is `quorum`'s.

use std::fmt;

use crate::{
    merkle::Hash,
    note::{Note, NoteError, NoteSignature},
    wire::{self, add_checkpoint_response::Outcome},
};

/// No tree is so high that a proof has more hashes.
pub const MAX_PROOF: usize = 63;
/// Entries in one showing.
pub const MAX_SHOWN: usize = 256;

/// A checkpoint for which a cosignature is asked, with the proof that it continues the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The size that the proof begins at.
    pub old_size: u64,
    /// RFC 6962 consistency proof.
    pub proof: Vec<Hash>,
    /// A signed note; not verified yet.
    pub checkpoint: Note,
}

/// What a witness answers to a [`Submission`] that it does not refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It cosigned.
    Cosignature(NoteSignature),
    /// The old size was another than this one, which is the witness's.
    KnownSize(u64),
}

/// Log entries that concern the witness's agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Showing {
    /// The size of the checkpoint that the proofs lead to.
    pub size: u64,
    /// The first index that was looked at.
    pub from: u64,
    /// The index after the last.
    pub until: u64,
    /// In ascending order.
    pub entries: Vec<Shown>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its index.
    pub index: u64,
    /// Its bytes, as hashed.
    pub entry: Vec<u8>,
    /// RFC 6962 inclusion proof.
    pub proof: Vec<Hash>,
}

/// A call that is not of its form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedCall {
    /// Too many hashes, or one of another length.
    #[error("a proof is at most 63 hashes of 32 bytes")]
    Proof,
    /// The checkpoint or the cosignature.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Neither a cosignature nor a size.
    #[error("the witness's answer is empty")]
    Empty,
    /// Indices that do not fit each other.
    #[error(
        "the entries shown are at most 256, ascend, and lie within from, until and the size of the \
         checkpoint"
    )]
    Order,
}

impl TryFrom<wire::AddCheckpointRequest> for Submission {
    type Error = MalformedCall;

    fn try_from(request: wire::AddCheckpointRequest) -> Result<Self, MalformedCall> {
        Ok(Self {
            old_size: request.old_size,
            proof: hashes(request.proof)?,
            checkpoint: Note::parse(&request.checkpoint)?,
        })
    }
}

impl From<&Submission> for wire::AddCheckpointRequest {
    fn from(submission: &Submission) -> Self {
        Self {
            old_size: submission.old_size,
            proof: bytes(&submission.proof),
            checkpoint: submission.checkpoint.to_string(),
        }
    }
}

/// The body of add-checkpoint as C2SP tlog-witness writes it: what third parties can read.
impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl From<&Answer> for wire::AddCheckpointResponse {
    fn from(answer: &Answer) -> Self {
        let outcome = match answer {
            Answer::Cosignature(line) => Outcome::Cosignature(line.to_string()),
            Answer::KnownSize(size) => Outcome::KnownSize(*size),
        };
        Self { outcome: Some(outcome) }
    }
}

impl TryFrom<wire::AddCheckpointResponse> for Answer {
    type Error = MalformedCall;

    fn try_from(response: wire::AddCheckpointResponse) -> Result<Self, MalformedCall> {
        match response.outcome.ok_or(MalformedCall::Empty)? {
            Outcome::Cosignature(line) => Ok(Self::Cosignature(line.parse()?)),
            Outcome::KnownSize(size) => Ok(Self::KnownSize(size)),
        }
    }
}

impl TryFrom<wire::ShowEntriesRequest> for Showing {
    type Error = MalformedCall;

    fn try_from(request: wire::ShowEntriesRequest) -> Result<Self, MalformedCall> {
        let wire::ShowEntriesRequest { size, from, until, entries } = request;
        let within = entries.iter().all(|entry| (from..until).contains(&entry.index));
        let ascending = entries.is_sorted_by(|a, b| a.index < b.index);
        if entries.len() > MAX_SHOWN || from > until || until > size || !within || !ascending {
            return Err(MalformedCall::Order);
        }
        let shown = |wire::ShownEntry { index, entry, proof }| {
            Ok(Shown { index, entry, proof: hashes(proof)? })
        };
        let entries = entries.into_iter().map(shown).collect::<Result<_, MalformedCall>>()?;
        Ok(Self { size, from, until, entries })
    }
}

impl From<Showing> for wire::ShowEntriesRequest {
    fn from(showing: Showing) -> Self {
        let entry = |shown: Shown| wire::ShownEntry {
            index: shown.index,
            entry: shown.entry,
            proof: bytes(&shown.proof),
        };
        Self {
            size: showing.size,
            from: showing.from,
            until: showing.until,
            entries: showing.entries.into_iter().map(entry).collect(),
        }
    }
}

fn hashes(proof: Vec<Vec<u8>>) -> Result<Vec<Hash>, MalformedCall> {
    if proof.len() > MAX_PROOF {
        return Err(MalformedCall::Proof);
    }
    let hash = |bytes: Vec<u8>| bytes.try_into().map(Hash).map_err(|_| MalformedCall::Proof);
    proof.into_iter().map(hash).collect()
}

fn bytes(proof: &[Hash]) -> Vec<Vec<u8>> {
    proof.iter().map(|hash| hash.0.to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C2SP tlog-witness, the example of add-checkpoint; its last hash is left out.
    const EXAMPLE: &str = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        \n\
        example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
        \n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

    fn submission() -> Submission {
        let (head, checkpoint) = EXAMPLE.split_once("\n\n").expect("two parts");
        let proof = head.lines().skip(1).map(|line| Hash::from_base64(line).expect("a hash"));
        let checkpoint = Note::parse(checkpoint).expect("a note");
        Submission { old_size: 20_852_014, proof: proof.collect(), checkpoint }
    }

    #[test]
    fn a_submission_reads_as_the_specification_writes_it_and_survives_the_wire() {
        let submission = submission();
        assert_eq!(submission.to_string(), EXAMPLE);
        let message = wire::AddCheckpointRequest::from(&submission);
        assert_eq!(Submission::try_from(message.clone()), Ok(submission));
        let mut long = message.clone();
        long.proof = vec![vec![0; 32]; MAX_PROOF + 1];
        assert_eq!(Submission::try_from(long), Err(MalformedCall::Proof));
        let mut short = message;
        short.proof[0].pop();
        assert_eq!(Submission::try_from(short), Err(MalformedCall::Proof));
    }

    #[test]
    fn an_answer_survives_the_wire_and_an_empty_one_is_none() {
        let line = submission().checkpoint.signatures()[0].clone();
        for answer in [Answer::Cosignature(line), Answer::KnownSize(0)] {
            let message = wire::AddCheckpointResponse::from(&answer);
            assert_eq!(Answer::try_from(message), Ok(answer));
        }
        let empty = wire::AddCheckpointResponse::default();
        assert_eq!(Answer::try_from(empty), Err(MalformedCall::Empty));
    }

    #[test]
    fn entries_are_shown_in_order_and_within_what_was_looked_at() {
        let showing = |indices: &[u64], (from, until, size): (u64, u64, u64)| {
            let shown = |index: &u64| Shown { index: *index, entry: vec![1], proof: vec![] };
            let entries = indices.iter().map(shown).collect();
            let showing = Showing { size, from, until, entries };
            let read = Showing::try_from(wire::ShowEntriesRequest::from(showing.clone()));
            read.map(|read| assert_eq!(read, showing))
        };
        assert_eq!(showing(&[3, 4, 9], (3, 10, 10)), Ok(()));
        assert_eq!(showing(&[], (0, 0, 0)), Ok(()));
        for (indices, span) in [
            (&[4, 3][..], (3, 10, 10)),
            (&[3, 3], (3, 10, 10)),
            (&[2], (3, 10, 10)),
            (&[10], (3, 10, 10)),
            (&[], (4, 3, 10)),
            (&[], (3, 11, 10)),
        ] {
            assert_eq!(showing(indices, span), Err(MalformedCall::Order), "{indices:?} {span:?}");
        }
    }
}
