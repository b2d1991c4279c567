//! What the store of sealed rows holds of one dataset, and what its bytes mean.
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

/// What the store holds of one dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The version.
    pub cursor: Cursor,
    /// When the source was last read without error.
    pub as_of: Timestamp,
    /// How many rows.
    pub rows: u64,
    /// Which table has them: a snapshot is written beside the old rows.
    pub(crate) generation: u64,
    /// What the rows' bytes mean.
    pub(crate) meaning: Meaning,
}

/// BLAKE3 of the scope and the schema under which rows were sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning([u8; 32]);

impl Meaning {
    /// Of a dataset's rows in a scope.
    pub(crate) fn of(scope: &Scope, schema: &DatasetSchema) -> Self {
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

impl Held {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.cursor.log.to_vec();
        bytes.extend_from_slice(&self.cursor.version.to_be_bytes());
        bytes.extend_from_slice(&self.meaning.0);
        bytes.extend_from_slice(&self.as_of.as_microsecond().to_be_bytes());
        bytes.extend_from_slice(&self.rows.to_be_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (log, rest) = bytes.split_first_chunk::<16>()?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (meaning, rest) = rest.split_first_chunk::<32>()?;
        let (numbers, []) = rest.as_chunks::<8>() else { return None };
        let [as_of, rows, generation] = *numbers else { return None };
        Some(Self {
            cursor: Cursor { log: *log, version: u32::from_be_bytes(*version) },
            as_of: Timestamp::from_microsecond(i64::from_be_bytes(as_of)).ok()?,
            rows: u64::from_be_bytes(rows),
            generation: u64::from_be_bytes(generation),
            meaning: Meaning(*meaning),
        })
    }
}
