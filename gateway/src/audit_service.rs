//! `AuditService`: what auditors ask of the access log, and receipts for everybody else (PROTOCOL.md
//! section 17).
//!
//! Chooses nothing: whoever asks is given every entry of a span of time and can prove that it is.

use std::{ops::Range, pin::Pin, sync::Arc};

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use proto::{
    act::Act,
    checkpoint::Checkpoint,
    entry::{Actor, Entry},
    log_proof::LogProof,
    merkle::Hash,
    wire::{self, audit_service_server::AuditService, search_response::Part},
};
use tonic::{Request, Response, Status};

use crate::{
    audit::{log::AccessLog, recorder::Recorder},
    authorise::caller,
    refusal::Refusal,
};

/// How many entries are read from the log at once.
const READ: u64 = 256;
/// A message is closed when its entries reach this size, in bytes.
const MESSAGE: usize = 1 << 20;

/// The service.
pub struct Audit {
    /// The log, and who writes down who reads it.
    pub recorder: Recorder,
}

type Answer<T> = Result<Response<T>, Status>;
type Found = Pin<Box<dyn Stream<Item = Result<wire::SearchResponse, Status>> + Send>>;

#[tonic::async_trait]
impl AuditService for Audit {
    type SearchStream = Found;

    async fn search(&self, request: Request<wire::SearchRequest>) -> Answer<Found> {
        let by = caller(&request)?.actor();
        let request = request.into_inner();
        let checkpoint = self.checkpoint(request.known_size);
        let size = checkpoint.size();
        let asked =
            Range { start: moment(request.from, "from")?, end: moment(request.until, "until")? };
        let Range { start, end } = self.span(asked, size).await?;
        let first = start.max(request.first).min(end);
        self.recorder.record(&by, Act::LogRead { first, end }).await.map_err(Refusal::from)?;
        let log = self.recorder.log();
        let inclusion = match first < end {
            true => log.inclusion(first, end).await.map_err(Refusal::from)?,
            false => vec![],
        };
        let consistency = log.consistency(end, size).await.map_err(Refusal::from)?;
        let since_known = self.since(request.known_size, size).await?;
        let span = wire::SearchSpan {
            checkpoint: checkpoint.to_string(),
            first,
            end,
            inclusion: bytes(&inclusion),
            consistency: bytes(&consistency),
            since_known,
        };
        let span = stream::once(async { Ok(message(Part::Span(span))) });
        Ok(Response::new(Box::pin(span.chain(entries(log.clone(), first..end)))))
    }

    async fn prove(&self, request: Request<wire::ProveRequest>) -> Answer<wire::ProveResponse> {
        let by = caller(&request)?.actor();
        let wire::ProveRequest { index, known_size } = request.into_inner();
        let entry = self.recorder.log().entry(index).await.map_err(Refusal::from)?;
        let (proof, size) = self.proof(&by, (index, known_size), entry).await?;
        let since_known = self.since(known_size, size).await?;
        Ok(Response::new(wire::ProveResponse { proof, since_known }))
    }

    async fn get_receipt(
        &self,
        request: Request<wire::GetReceiptRequest>,
    ) -> Answer<wire::GetReceiptResponse> {
        let by = caller(&request)?.actor();
        let index = request.get_ref().index;
        let nobodys = Refusal::NotFound("no entry about an act of yours has this index");
        if index >= self.recorder.log().size() {
            return Err(nobodys.into());
        }
        let entry = self.recorder.log().entry(index).await.map_err(Refusal::from)?;
        if parsed(&entry)?.by() != &by {
            return Err(nobodys.into());
        }
        let (proof, _) = self.proof(&by, (index, 0), entry).await?;
        Ok(Response::new(wire::GetReceiptResponse { proof }))
    }

    async fn get_checkpoint(
        &self,
        request: Request<wire::GetCheckpointRequest>,
    ) -> Answer<wire::GetCheckpointResponse> {
        let known = request.get_ref().known_size;
        let checkpoint = self.checkpoint(known);
        let since_known = self.since(known, checkpoint.size()).await?;
        let checkpoint = checkpoint.to_string();
        Ok(Response::new(wire::GetCheckpointResponse { checkpoint, since_known }))
    }
}

impl Audit {
    /// The checkpoint to show to somebody who knows one of this size: never a shorter one, which would
    /// look as if the log had been cut.
    fn checkpoint(&self, known: u64) -> Arc<Checkpoint> {
        let shown = self.recorder.checkpoint();
        if shown.size() >= known { shown } else { self.recorder.log().checkpoint() }
    }

    /// How the log goes on from a size that somebody knows.
    async fn since(&self, known: u64, size: u64) -> Result<Vec<Vec<u8>>, Refusal> {
        if known >= size {
            return Ok(vec![]);
        }
        Ok(bytes(&self.recorder.log().consistency(known, size).await?))
    }

    /// The proof of an entry, and the size of the checkpoint in it.
    async fn proof(
        &self,
        by: &Actor,
        (index, known): (u64, u64),
        entry: Vec<u8>,
    ) -> Result<(String, u64), Refusal> {
        let log = self.recorder.log();
        let checkpoint = self.recorder.checkpoint_over(index.max(known.saturating_sub(1)));
        let path = log.inclusion(index, checkpoint.size()).await?;
        self.recorder.record(by, Act::ReceiptGiven { index }).await?;
        let size = checkpoint.size();
        let checkpoint = checkpoint.note().clone();
        Ok((LogProof { extra: Some(entry), index, path, checkpoint }.to_string(), size))
    }

    /// The entries of a span of time among the first `size`, and one more on either side where there
    /// is one. The times of entries never go back.
    async fn span(
        &self,
        asked: Range<Option<Timestamp>>,
        size: u64,
    ) -> Result<Range<u64>, Refusal> {
        let start = match asked.start {
            Some(from) => self.first_at(from, size).await?.saturating_sub(1),
            None => 0,
        };
        let end = match asked.end {
            Some(until) => size.min(self.first_at(until, size).await? + 1),
            None => size,
        };
        Ok(start.min(end)..end)
    }

    /// The first of `size` entries that is of this time or later; `size` where none is.
    async fn first_at(&self, time: Timestamp, size: u64) -> Result<u64, Refusal> {
        let mut within = 0..size;
        while !within.is_empty() {
            let middle = within.start + (within.end - within.start) / 2;
            let entry = parsed(&self.recorder.log().entry(middle).await?)?;
            if entry.at() < time { within.start = middle + 1 } else { within.end = middle }
        }
        Ok(within.start)
    }
}

/// The entries of a range, a message's worth at a time.
fn entries(
    log: AccessLog,
    range: Range<u64>,
) -> impl Stream<Item = Result<wire::SearchResponse, Status>> + Send {
    let read = stream::unfold(range, move |rest| {
        let log = log.clone();
        async move {
            if rest.is_empty() {
                return None;
            }
            let end = (rest.start - rest.start % READ + READ).min(rest.end);
            match log.entries(rest.start..end).await {
                Ok(entries) => Some((Ok(entries), end..rest.end)),
                Err(error) => Some((Err(Status::from(Refusal::from(error))), 0..0)),
            }
        }
    });
    read.flat_map(|read| match read {
        Ok(entries) => stream::iter(messages(entries)).map(Ok).left_stream(),
        Err(status) => stream::iter([Err(status)]).right_stream(),
    })
}

fn messages(entries: Vec<Vec<u8>>) -> Vec<wire::SearchResponse> {
    let (mut runs, mut run, mut size) = (vec![], wire::EntryRun::default(), 0);
    for entry in entries {
        if size + entry.len() > MESSAGE && size > 0 {
            runs.push(std::mem::take(&mut run));
            size = 0;
        }
        size += entry.len();
        run.entries.push(entry);
    }
    runs.push(run);
    runs.into_iter().map(|run| message(Part::Entries(run))).collect()
}

fn message(part: Part) -> wire::SearchResponse {
    wire::SearchResponse { part: Some(part) }
}

fn bytes(hashes: &[Hash]) -> Vec<Vec<u8>> {
    hashes.iter().map(|hash| hash.0.to_vec()).collect()
}

fn parsed(entry: &[u8]) -> Result<Entry, Refusal> {
    Entry::parse(entry).map_err(|_| Refusal::Internal("the log has an entry that is none"))
}

fn moment(at: Option<prost_types::Timestamp>, field: &str) -> Result<Option<Timestamp>, Refusal> {
    at.map(|at| Timestamp::new(at.seconds, at.nanos))
        .transpose()
        .map_err(|_| Refusal::Argument(format!("{field} is out of range")))
}
