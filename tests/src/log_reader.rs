//! The access log as an auditor reads it who believes nothing but the log's key.

use anyhow::{Context, ensure};
use proto::{
    checkpoint::Checkpoint,
    entry::Entry,
    log_span::LogSpan,
    manifest::Manifest,
    merkle::Hash,
    note::NoteKey,
    quorum::origin,
    wire::{SearchRequest, SearchSpan, search_response::Part},
};

use crate::staff_client::StaffClient;

/// The log's key.
pub fn log_key(manifest: &Manifest) -> NoteKey {
    NoteKey { name: origin(&manifest.scope.programme), key: manifest.log().key }
}

/// Entries: the bytes of each, and what it says.
pub type Entries = Vec<(Vec<u8>, Entry)>;

/// Every entry up to the newest checkpoint.
///
/// # Errors
/// The gateway's refusal, or what does not prove that they are all.
pub async fn entries(auditor: &mut StaffClient, manifest: &Manifest) -> anyhow::Result<Entries> {
    let (span, entries) = search(auditor, manifest, SearchRequest::default()).await?;
    let checkpoint = Checkpoint::open(&span.checkpoint, &log_key(manifest))?;
    ensure!((span.first, span.end) == (0, checkpoint.size()), "it is the whole log");
    Ok(entries)
}

/// The answer to a search: which entries they are, and the entries.
///
/// # Errors
/// The gateway's refusal, or what does not prove that they are those.
pub async fn search(
    auditor: &mut StaffClient,
    manifest: &Manifest,
    request: SearchRequest,
) -> anyhow::Result<(SearchSpan, Entries)> {
    let mut stream = auditor.audit.search(request).await?.into_inner();
    let (mut walk, mut entries) = (None, vec![]);
    while let Some(message) = stream.message().await? {
        match message.part.context("a part")? {
            Part::Span(span) => {
                let inclusion = hashes(&span.inclusion)?;
                walk = Some((LogSpan::begin(span.first, span.end, &inclusion)?, span));
            }
            Part::Entries(run) => {
                let (walk, _) = walk.as_mut().context("the span comes first")?;
                for bytes in run.entries {
                    walk.push(Hash::of_leaf(&bytes))?;
                    entries.push((bytes.clone(), Entry::parse(&bytes)?));
                }
            }
        }
    }
    let (walk, span) = walk.context("a span")?;
    let checkpoint = Checkpoint::open(&span.checkpoint, &log_key(manifest))?;
    walk.verify(&checkpoint.head(), &hashes(&span.consistency)?)?;
    Ok((span, entries))
}

/// Hashes from a message.
///
/// # Errors
/// One that is not of 32 bytes.
pub fn hashes(bytes: &[Vec<u8>]) -> anyhow::Result<Vec<Hash>> {
    bytes.iter().map(|bytes| Ok(Hash(bytes[..].try_into()?))).collect()
}
