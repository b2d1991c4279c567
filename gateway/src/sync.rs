//! Receives groups of columns from adapters and vouches for them: the only maker of
//! [`VerifiedBatch`] and [`VerifiedRelease`] (PROTOCOL.md sections 7 and 9).
//!
//! Owns every check between a frame and its use. Streams and retries are `link`'s; keeping is
//! `rows`'s and `base`'s.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use proto::{
    cursor::Cursor,
    group::{GroupCheck, GroupError},
    name::{AgencyId, DatasetId, FlagName},
    schema::{DatasetSchema, FlagSchema},
    scope::{Scope, ScopeError},
    wire,
};
use zeroize::Zeroize;

/// How far an adapter's clock may be ahead of ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);
/// A larger delta is refused; the link asks for a snapshot instead, which is never held in memory.
const DELTA_BYTES: usize = 256 << 20;
/// A larger release is refused: it is held in memory as a whole. Far above 500,000 subjects with 32
/// secrets each.
const RELEASE_BYTES: usize = 1 << 30;

/// What a group must match.
pub struct Expectation<'a> {
    /// The federation's.
    pub scope: &'a Scope,
    /// Who was asked.
    pub agency: &'a AgencyId,
    /// What was asked for, as the adapter described it and the policy knows it.
    pub schema: &'a DatasetSchema,
    /// Where we are.
    pub held: Option<Cursor>,
    /// The time now.
    pub now: Timestamp,
}

/// Why a group is refused. The adapter is at fault; nothing of the group is kept.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// For something else.
    #[error("{0}")]
    Scope(#[from] ScopeError),
    /// Not what was asked for.
    #[error("the group is of {got}, and {asked} was asked for")]
    Other {
        /// What came.
        got: String,
        /// What should have come.
        asked: String,
    },
    /// A field is missing or out of range.
    #[error("the group's header has no usable {0}")]
    Header(&'static str),
    /// A delta that does not begin where we are.
    #[error("the delta begins at {from}, and we hold {held}")]
    Gap {
        /// Where it begins.
        from: String,
        /// What is held.
        held: String,
    },
    /// A source read in the future.
    #[error("the source was read at {0}, which is in the future: check the adapter's clock")]
    Future(Timestamp),
    /// Too much at once.
    #[error("the delta is larger than {} MiB: a snapshot will be asked for", DELTA_BYTES >> 20)]
    LargeDelta,
    /// Too much at once, and there is no smaller way.
    #[error("the release is larger than {} MiB", RELEASE_BYTES >> 20)]
    LargeRelease,
    /// Rows of another size than the schema's.
    #[error("rows have {got} bytes of flags, and the dataset's description says {expected}")]
    RowSize {
        /// What came.
        got: u32,
        /// What the description says.
        expected: usize,
    },
    /// A byte that the flag cannot have.
    #[error("flag {0} has a value that its description does not allow")]
    Flag(FlagName),
    /// The columns themselves.
    #[error("{0}")]
    Group(#[from] GroupError),
}

/// A checked header.
#[derive(Debug, Clone)]
pub struct Header {
    /// Which dataset.
    pub dataset: DatasetId,
    /// Whether the group replaces everything held.
    pub snapshot: bool,
    /// The version before a delta; absent in a snapshot.
    pub from: Option<Cursor>,
    /// The version after it.
    pub to: Cursor,
    /// When the source was last read without error.
    pub as_of: Timestamp,
}

/// Sealed rows that arrived whole, in order, and as sent.
pub struct VerifiedBatch {
    header: Header,
    counts: (u64, u64),
    frames: Vec<wire::SealedRowColumns>,
}

/// Subjects and their person secrets that arrived whole, in order, and as sent.
pub struct VerifiedRelease {
    header: Header,
    counts: (u64, u64),
    secrets_for: Vec<DatasetId>,
    frames: SecretFrames,
}

/// Frames with person secrets, which do not stay in memory after them.
#[derive(Default)]
pub struct SecretFrames(pub(crate) Vec<wire::SubjectColumns>);

/// A group of sealed rows on its way in.
pub struct RowGroup {
    header: Header,
    row_size: usize,
    check: GroupCheck,
    bytes: usize,
    frames: Vec<wire::SealedRowColumns>,
}

/// A group of subjects on its way in.
pub struct SubjectGroup {
    header: Header,
    secrets_for: Vec<DatasetId>,
    flags: Vec<FlagSchema>,
    check: GroupCheck,
    bytes: usize,
    frames: SecretFrames,
}

impl RowGroup {
    /// Opens a group.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn begin(expected: &Expectation<'_>, header: wire::SyncHeader) -> Result<Self, Refusal> {
        let row_size = expected.schema.row_size();
        if header.row_size as usize != row_size {
            return Err(Refusal::RowSize { got: header.row_size, expected: row_size });
        }
        let header = Received {
            scope: header.scope,
            agency: header.agency,
            dataset: header.dataset,
            transfer: header.transfer,
            from: header.from,
            to: header.to,
            as_of: header.as_of,
        }
        .check(expected)?;
        Ok(Self { header, row_size, check: GroupCheck::default(), bytes: 0, frames: vec![] })
    }

    /// Whether the group replaces everything held.
    pub fn is_snapshot(&self) -> bool {
        self.header.snapshot
    }

    /// Checks a frame. A snapshot's is handed back, to be staged where nobody sees it yet; a
    /// delta's is kept.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn rows(
        &mut self,
        frame: wire::SealedRowColumns,
    ) -> Result<Option<wire::SealedRowColumns>, Refusal> {
        self.check.rows(&frame, self.row_size)?;
        if self.header.snapshot {
            return Ok(Some(frame));
        }
        self.bytes += frame.tags.len() + frame.ciphertexts.len() + frame.deleted_tags.len();
        if self.bytes > DELTA_BYTES {
            return Err(Refusal::LargeDelta);
        }
        self.frames.push(frame);
        Ok(None)
    }

    /// Compares with the trailer.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn end(self, trailer: &wire::Trailer) -> Result<VerifiedBatch, Refusal> {
        self.check.verify(trailer, self.header.snapshot)?;
        let counts = (trailer.upserted, trailer.deleted);
        Ok(VerifiedBatch { header: self.header, counts, frames: self.frames })
    }
}

impl SubjectGroup {
    /// Opens a group.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn begin(expected: &Expectation<'_>, header: wire::ReleaseHeader) -> Result<Self, Refusal> {
        let flags = expected.schema.flags.clone();
        if header.flag_count as usize != flags.len() {
            return Err(Refusal::RowSize { got: header.flag_count, expected: flags.len() });
        }
        let secrets_for = secrets_for(&header.secrets_for)?;
        let header = Received {
            scope: header.scope,
            agency: header.agency,
            dataset: header.dataset,
            transfer: header.transfer,
            from: header.from,
            to: header.to,
            as_of: header.as_of,
        }
        .check(expected)?;
        let (check, frames) = (GroupCheck::default(), SecretFrames::default());
        Ok(Self { header, secrets_for, flags, check, bytes: 0, frames })
    }

    /// Checks and keeps a frame.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn subjects(&mut self, frame: wire::SubjectColumns) -> Result<(), Refusal> {
        // Kept first, so that a refused frame's secrets are wiped, too.
        let frame = self.frames.0.push_mut(frame);
        self.check.subjects(frame, self.flags.len(), self.secrets_for.len())?;
        self.bytes += frame.subjects.len() * 3 + frame.flags.len() + frame.secrets.len();
        self.bytes += 9 * frame.order_numbers.len();
        if self.bytes > RELEASE_BYTES {
            return Err(Refusal::LargeRelease);
        }
        if !self.flags.is_empty() {
            for flags in frame.flags.chunks_exact(self.flags.len()) {
                let wrong =
                    flags.iter().zip(&self.flags).find(|(b, f)| f.kind.possible(**b).is_none());
                if let Some((_, flag)) = wrong {
                    return Err(Refusal::Flag(flag.name.clone()));
                }
            }
        }
        Ok(())
    }

    /// Compares with the trailer.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn end(self, trailer: &wire::Trailer) -> Result<VerifiedRelease, Refusal> {
        self.check.verify(trailer, self.header.snapshot)?;
        Ok(VerifiedRelease {
            header: self.header,
            counts: (trailer.upserted, trailer.deleted),
            secrets_for: self.secrets_for,
            frames: self.frames,
        })
    }
}

impl VerifiedBatch {
    /// What it is.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many rows a snapshot has, or a delta puts in or replaces; and how many it removes.
    pub fn counts(&self) -> (u64, u64) {
        self.counts
    }

    /// A delta's rows; a snapshot's were staged as they came.
    pub fn frames(&self) -> &[wire::SealedRowColumns] {
        &self.frames
    }
}

impl VerifiedRelease {
    /// What it is.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many subjects a snapshot has, or a delta puts in or replaces; and how many it removes.
    pub fn counts(&self) -> (u64, u64) {
        self.counts
    }

    /// The datasets whose person secrets each subject carries, in column order.
    pub fn secrets_for(&self) -> &[DatasetId] {
        &self.secrets_for
    }

    /// The next subjects, at most so many frames of them; nothing once all were given.
    pub fn next_frames(&mut self, most: usize) -> Option<SecretFrames> {
        let frames = &mut self.frames.0;
        let some: Vec<_> = frames.drain(..most.min(frames.len())).collect();
        (!some.is_empty()).then_some(SecretFrames(some))
    }
}

impl Drop for SecretFrames {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|frame| frame.secrets.zeroize());
    }
}

/// Says what it is of, never what is in it.
impl fmt::Debug for VerifiedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifiedBatch").field(&self.header).finish()
    }
}

/// Says what it is of, never what is in it.
impl fmt::Debug for VerifiedRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifiedRelease").field(&self.header).finish()
    }
}

/// `base` has a salt and no rows: its secrets never leave an adapter.
fn secrets_for(names: &[String]) -> Result<Vec<DatasetId>, Refusal> {
    let mut datasets: Vec<DatasetId> = vec![];
    for name in names {
        let dataset = name.parse().map_err(|_| Refusal::Header("secrets_for"))?;
        if dataset == DatasetId::base() || datasets.contains(&dataset) {
            return Err(Refusal::Header("secrets_for"));
        }
        datasets.push(dataset);
    }
    Ok(datasets)
}

/// The fields that both kinds of header share.
struct Received {
    scope: Option<wire::Scope>,
    agency: String,
    dataset: String,
    transfer: i32,
    from: Option<wire::Cursor>,
    to: Option<wire::Cursor>,
    as_of: Option<prost_types::Timestamp>,
}

impl Received {
    fn check(self, expected: &Expectation<'_>) -> Result<Header, Refusal> {
        expected.scope.accept(self.scope)?;
        let dataset = &expected.schema.dataset;
        if self.agency != expected.agency.as_str() || self.dataset != dataset.as_str() {
            return Err(Refusal::Other {
                got: format!("{}'s {}", self.agency, self.dataset),
                asked: format!("{}'s {dataset}", expected.agency),
            });
        }
        let cursor = |cursor: Option<wire::Cursor>| cursor.and_then(|c| Cursor::try_from(c).ok());
        let to = cursor(self.to).ok_or(Refusal::Header("cursor"))?;
        let as_of = self
            .as_of
            .and_then(|at| Timestamp::new(at.seconds, at.nanos).ok())
            .ok_or(Refusal::Header("as_of"))?;
        if as_of > expected.now + CLOCK_SKEW {
            return Err(Refusal::Future(as_of));
        }
        let snapshot = match wire::Transfer::try_from(self.transfer) {
            Ok(wire::Transfer::Snapshot) => true,
            Ok(wire::Transfer::Delta) => false,
            _ => return Err(Refusal::Header("kind of transfer")),
        };
        let from = cursor(self.from).filter(|_| !snapshot);
        if !snapshot {
            continues(from, expected.held, to)?;
        }
        Ok(Header { dataset: dataset.clone(), snapshot, from, to, as_of })
    }
}

/// A delta goes from what is held to a version of the same log that is not older.
fn continues(from: Option<Cursor>, held: Option<Cursor>, to: Cursor) -> Result<(), Refusal> {
    let from = from.ok_or(Refusal::Header("cursor"))?;
    if Some(from) != held || from.log != to.log || to.version < from.version {
        let held = held.map_or_else(|| "nothing".to_owned(), |held| held.to_string());
        return Err(Refusal::Gap { from: from.to_string(), held });
    }
    Ok(())
}
