//! What the store of sealed rows holds of one dataset, what its bytes mean, and in which runs they are.
//!
//! Rows of another epoch or of another schema are as good as none: a tag of this epoch that is not
//! found among them would read as "not listed".

use jiff::Timestamp;
use prost::Message;
use proto::{
    cursor::Cursor,
    lp::LengthPrefixed,
    schema::{DatasetKind, DatasetSchema},
    scope::Scope,
    wire,
};

use super::run::Listed;

/// Bytes of a run in the list.
const RUN: usize = 8 + 8 + 4 + 32;

/// What the store holds of one dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The version.
    pub cursor: Cursor,
    /// When the source was last read without error.
    pub as_of: Timestamp,
    /// How many rows.
    pub rows: u64,
    /// What the rows' bytes mean.
    pub(super) meaning: Meaning,
}

/// What the file `held` of a dataset says: one file, replaced at once, so that cursor and rows move
/// together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    pub held: Held,
    /// The newest first: what it says of a tag counts.
    pub runs: Vec<Listed>,
}

/// BLAKE3 of the scope and the schema under which rows were sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning([u8; 32]);

impl Meaning {
    /// Of a dataset's rows in a scope.
    pub(super) fn of(scope: &Scope, schema: &DatasetSchema) -> Self {
        let kind = match schema.kind {
            DatasetKind::Watch => wire::DatasetKind::Watch,
            DatasetKind::CrossCheck => wire::DatasetKind::CrossCheck,
        };
        let household = schema.household.as_ref().map(|household| wire::HouseholdDescription {
            max_members: household.max_members.into(),
            datasets: household.datasets.iter().map(ToString::to_string).collect(),
        });
        let description = wire::DatasetDescription {
            dataset: schema.dataset.to_string(),
            kind: kind.into(),
            flags: schema.flags.iter().map(Into::into).collect(),
            household,
            ..Default::default()
        };
        let text = LengthPrefixed::new()
            .field(&wire::Scope::from(scope).encode_to_vec())
            .field(&description.encode_to_vec());
        Self(*blake3::hash(text.as_bytes()).as_bytes())
    }
}

impl Contents {
    /// The file's bytes: every field in order, big-endian, and BLAKE3 of them.
    pub(super) fn encode(&self) -> Vec<u8> {
        let held = &self.held;
        let mut bytes = held.cursor.log.to_vec();
        bytes.extend_from_slice(&held.cursor.version.to_be_bytes());
        bytes.extend_from_slice(&held.meaning.0);
        bytes.extend_from_slice(&held.as_of.as_microsecond().to_be_bytes());
        bytes.extend_from_slice(&held.rows.to_be_bytes());
        for run in &self.runs {
            bytes.extend_from_slice(&run.number.to_be_bytes());
            bytes.extend_from_slice(&run.rows.to_be_bytes());
            bytes.extend_from_slice(&run.width.to_be_bytes());
            bytes.extend_from_slice(&run.index);
        }
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());
        bytes
    }

    /// Nothing where these are not bytes that were written.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (bytes, checksum) = bytes.split_last_chunk::<32>()?;
        if *blake3::hash(bytes).as_bytes() != *checksum {
            return None;
        }
        let (log, rest) = bytes.split_first_chunk::<16>()?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (meaning, rest) = rest.split_first_chunk::<32>()?;
        let (as_of, rest) = rest.split_first_chunk::<8>()?;
        let (rows, rest) = rest.split_first_chunk::<8>()?;
        let (runs, []) = rest.as_chunks::<RUN>() else { return None };
        let held = Held {
            cursor: Cursor { log: *log, version: u32::from_be_bytes(*version) },
            as_of: Timestamp::from_microsecond(i64::from_be_bytes(*as_of)).ok()?,
            rows: u64::from_be_bytes(*rows),
            meaning: Meaning(*meaning),
        };
        Some(Self { held, runs: runs.iter().map(run).collect::<Option<_>>()? })
    }
}

fn run(bytes: &[u8; RUN]) -> Option<Listed> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    let (rows, rest) = rest.split_first_chunk::<8>()?;
    let (width, index) = rest.split_first_chunk::<4>()?;
    Some(Listed {
        number: u64::from_be_bytes(*number),
        rows: u64::from_be_bytes(*rows),
        width: u32::from_be_bytes(*width),
        index: index.try_into().ok()?,
    })
}
