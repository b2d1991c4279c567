//! The conversation with one witness: which checkpoint it cosigned last and which entries it was shown,
//! and the calls that lead on from there (PROTOCOL.md section 18).
//!
//! Nothing of it is kept: after a restart the witness says where it is.

use proto::{
    checkpoint::Checkpoint,
    entry::Entry,
    name::AgencyId,
    note::NoteSignature,
    wire::{self, witness_service_client::WitnessServiceClient},
    witness::{Answer, MAX_SHOWN, Showing, Shown, Submission},
};
use tonic::transport::Channel;

use super::log::{AccessLog, ReadError};
use crate::follow;

/// Entries that are looked through for one showing.
const LOOKED_AT: u64 = 4096;
/// A witness that says something else each time is not asked for ever.
const TRIES: usize = 3;

type Client = WitnessServiceClient<Channel>;

/// What is known of a witness.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    cosigned: u64,
    shown_until: u64,
}

/// Why there is no cosignature.
#[derive(Debug)]
pub enum Failure {
    /// The witness knows a longer log than this one.
    KnowsMore {
        /// The witness's.
        known: u64,
        /// Ours.
        size: u64,
    },
    /// Anything else.
    Problem(String),
}

impl Conversation {
    /// Asks for a cosignature.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn ask(
        &mut self,
        mut client: Client,
        log: &AccessLog,
        checkpoint: &Checkpoint,
    ) -> Result<NoteSignature, Failure> {
        let size = checkpoint.size();
        for _ in 0..TRIES {
            let old_size = self.cosigned.min(size);
            let proof = log.consistency(old_size, size).await.map_err(ours)?;
            let checkpoint = checkpoint.note().clone();
            let submission = Submission { old_size, proof, checkpoint };
            let answer = client.add_checkpoint(wire::AddCheckpointRequest::from(&submission)).await;
            let answer = answer.map_err(|status| Failure::Problem(follow::words(&status)))?;
            let answer = Answer::try_from(answer.into_inner());
            match answer.map_err(|error| Failure::Problem(error.to_string()))? {
                Answer::Cosignature(line) => {
                    self.cosigned = size;
                    return Ok(line);
                }
                Answer::KnownSize(known) if known > size => {
                    return Err(Failure::KnowsMore { known, size });
                }
                Answer::KnownSize(known) => self.cosigned = known,
            }
        }
        Err(Failure::Problem("it names another size each time".into()))
    }

    /// Shows the agency's entries of the tree of `size`, which the witness cosigned.
    ///
    /// # Errors
    /// What went wrong; the next round goes on from there.
    pub async fn show(
        &mut self,
        mut client: Client,
        log: &AccessLog,
        agency: &AgencyId,
        size: u64,
    ) -> Result<(), String> {
        let mut misses = 0;
        while self.shown_until < size {
            let from = self.shown_until;
            let showing = showing(log, agency, (from, size)).await;
            let showing = showing.map_err(|error| error.to_string())?;
            let until = showing.until;
            let answer = client.show_entries(wire::ShowEntriesRequest::from(showing)).await;
            let answer = answer.map_err(|status| follow::words(&status))?.into_inner();
            misses += usize::from(answer.shown_until != until);
            if answer.known_size != size || misses == TRIES {
                return Err("it is elsewhere in the log".into());
            }
            self.shown_until = answer.shown_until;
        }
        Ok(())
    }
}

/// The agency's entries from an index on, as many as one call takes.
async fn showing(
    log: &AccessLog,
    agency: &AgencyId,
    (from, size): (u64, u64),
) -> Result<Showing, ReadError> {
    let mut until = size.min(from.saturating_add(LOOKED_AT));
    let mut entries = vec![];
    for (index, entry) in (from..).zip(log.entries(from..until).await?) {
        let concerns = Entry::parse(&entry).is_ok_and(|e| e.act().agencies().contains(&agency));
        if !concerns {
            continue;
        }
        let proof = log.inclusion(index, size).await?;
        entries.push(Shown { index, entry, proof });
        if entries.len() == MAX_SHOWN {
            until = index + 1;
            break;
        }
    }
    Ok(Showing { size, from, until, entries })
}

fn ours(error: ReadError) -> Failure {
    Failure::Problem(format!("our own log: {error}"))
}
