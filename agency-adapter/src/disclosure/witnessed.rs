//! Whether the gateway's log says what is about to happen, so that it cannot be denied afterwards
//! (PROTOCOL.md section 21.4): nothing is disclosed on the word of a gateway alone.

use proto::{
    act::Act,
    disclosure::Application,
    entry::{Actor, Entry, EntryError},
    log_proof::{LogProof, LogProofError},
    manifest::Manifest,
    name::AgencyId,
    quorum::{NotCosigned, Quorum},
};

/// Why the log's word is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWitnessed {
    /// The proof, or the log's signature.
    #[error(transparent)]
    Proof(#[from] LogProofError),
    /// The witnesses' signatures.
    #[error(transparent)]
    Quorum(#[from] NotCosigned),
    /// There is no entry with it, or none that can be read.
    #[error("the proof comes without its entry")]
    NoEntry,
    /// The same.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// It is the proof of something else.
    #[error("the entry does not say that this request is carried with these approvers")]
    OtherEntry,
}

/// Checks the proof that comes with an application, whose approvers these are.
pub(super) fn check(
    application: &Application,
    approvers: &[AgencyId],
    manifest: &Manifest,
) -> Result<(), NotWitnessed> {
    let proof: LogProof = application.proof.parse()?;
    let bytes = proof.extra.as_deref().ok_or(NotWitnessed::NoEntry)?;
    let quorum = Quorum::of_manifest(manifest);
    quorum.verify(proof.verify(bytes, quorum.log())?)?;
    let (entry, request) = (Entry::parse(bytes)?, &application.request);
    let expected = Act::DisclosureCarried {
        disclosure: request.id,
        alert: request.alert.clone(),
        agency: request.agency.clone(),
        dataset: request.dataset.clone(),
        emergency: request.emergency,
        request: request.digest(),
        approvers: approvers.to_vec(),
    };
    let same = *entry.by() == Actor::Gateway && *entry.act() == expected;
    if same { Ok(()) } else { Err(NotWitnessed::OtherEntry) }
}
