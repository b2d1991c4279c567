//! The answer to a search, checked while it is read: that no entry of the span was left out, changed or
//! moved (PROTOCOL.md section 17.4).

use jiff::Timestamp;
use proto::{
    checkpoint::Checkpoint,
    entry::Entry,
    log_span::LogSpan,
    merkle::Hash,
    wire::{SearchRequest, SearchResponse, SearchSpan, search_response::Part},
};
use tonic::Streaming;

use super::{filter::Chosen, trust::Auditor};
use crate::{connection::Gateway, failure::Failure, moment::to_wire};

/// An entry, its place and its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its index.
    pub index: u64,
    /// As the log has it.
    pub bytes: Vec<u8>,
    /// What it says.
    pub entry: Entry,
}

/// What a search came to.
pub struct Answer {
    /// The entries looked for, in the order of the log.
    pub found: Vec<Found>,
    /// How many entries there were in the span of time.
    pub looked: u64,
    /// The checkpoint that proves it.
    pub checkpoint: Checkpoint,
}

/// Searches the log. Nothing is given back before everything is proved.
///
/// # Errors
/// [`Failure`]; [`Failure::Unproven`] where the gateway left something out or changed it.
pub async fn ask(
    gateway: &mut Gateway,
    auditor: &Auditor,
    chosen: &Chosen,
) -> Result<Answer, Failure> {
    chosen.check()?;
    let request = SearchRequest {
        from: chosen.from.map(to_wire),
        until: chosen.until.map(to_wire),
        first: 0,
        known_size: auditor.kept().size(),
    };
    let mut stream = gateway.audit.search(request).await?.into_inner();
    let Some(Part::Span(span)) = part(&mut stream).await? else {
        return Err(Failure::Unproven("the answer does not begin with its span".into()));
    };
    let (mut reading, checkpoint, consistency) = Reading::begin(auditor, chosen, &span)?;
    while let Some(part) = part(&mut stream).await? {
        let Part::Entries(run) = part else {
            return Err(Failure::Unproven("the answer has two spans".into()));
        };
        run.entries.into_iter().try_for_each(|bytes| reading.take(bytes))?;
    }
    reading.end(&span, checkpoint, &consistency)
}

async fn part(stream: &mut Streaming<SearchResponse>) -> Result<Option<Part>, Failure> {
    let message = stream.message().await?;
    match message.map(|message| message.part) {
        None => Ok(None),
        Some(Some(part)) => Ok(Some(part)),
        Some(None) => Err(Failure::Unproven("a part of the answer is empty".into())),
    }
}

/// A span on its way in.
struct Reading<'a> {
    chosen: &'a Chosen,
    span: LogSpan,
    found: Vec<Found>,
    looked: u64,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
}

impl<'a> Reading<'a> {
    fn begin(
        auditor: &Auditor,
        chosen: &'a Chosen,
        message: &SearchSpan,
    ) -> Result<(Self, Checkpoint, Vec<Hash>), Failure> {
        let checkpoint = auditor.take(&message.checkpoint, &hashes(&message.since_known)?)?;
        let inclusion = hashes(&message.inclusion)?;
        let span = LogSpan::begin(message.first, message.end, &inclusion);
        let span = span.map_err(Failure::unproven)?;
        let (first_at, last_at) = (None, None);
        let reading = Self { chosen, span, found: vec![], looked: 0, first_at, last_at };
        Ok((reading, checkpoint, hashes(&message.consistency)?))
    }

    fn take(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        let index = self.span.next();
        self.span.push(Hash::of_leaf(&bytes)).map_err(Failure::unproven)?;
        let entry = Entry::parse(&bytes)
            .map_err(|error| Failure::Unproven(format!("entry {index}: {error}")))?;
        if self.last_at.is_some_and(|last| entry.at() < last) {
            return Err(Failure::Unproven(format!(
                "entry {index} is of an earlier time than the one before it"
            )));
        }
        self.last_at = Some(entry.at());
        self.first_at.get_or_insert(entry.at());
        self.looked += u64::from(self.chosen.is_within(entry.at()));
        if self.chosen.takes(&entry) {
            self.found.push(Found { index, bytes, entry });
        }
        Ok(())
    }

    /// The span must begin before the time asked for and end after it, or where the log does.
    fn end(
        self,
        message: &SearchSpan,
        checkpoint: Checkpoint,
        consistency: &[Hash],
    ) -> Result<Answer, Failure> {
        self.span.verify(&checkpoint.head(), consistency).map_err(Failure::unproven)?;
        let before = |at: Option<Timestamp>| {
            at.is_some_and(|at| self.chosen.from.is_some_and(|from| at < from))
        };
        let after = |at: Option<Timestamp>| {
            at.is_some_and(|at| self.chosen.until.is_some_and(|until| at >= until))
        };
        if message.first > 0 && !before(self.first_at) {
            return Err(Failure::Unproven("the answer does not begin where it must".into()));
        }
        if message.end < checkpoint.size() && !after(self.last_at) {
            return Err(Failure::Unproven("the answer ends before it must".into()));
        }
        Ok(Answer { found: self.found, looked: self.looked, checkpoint })
    }
}

/// Hashes from a message.
///
/// # Errors
/// [`Failure::Unproven`].
pub fn hashes(bytes: &[Vec<u8>]) -> Result<Vec<Hash>, Failure> {
    let hash = |bytes: &Vec<u8>| bytes.as_slice().try_into().map(Hash);
    let hashes: Result<Vec<Hash>, _> = bytes.iter().map(hash).collect();
    hashes.map_err(|_| Failure::Unproven("a hash is not of 32 bytes".into()))
}
