//! The store against a machine that dies, a disk that fails, and bytes that change.

mod crash;
mod damage;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use jiff::Timestamp;
use proto::{
    cursor::Cursor,
    group::GroupCheck,
    schema::{DatasetKind, FlagKind, FlagSchema},
    scope::Suite,
    wire,
};

use super::*;
use crate::{
    disk::simulated::SimulatedDisk,
    sync::{Expectation, RowGroup},
};

const PLACE: &str = "/data/rows-1";
/// So many different people there are.
const EVERYBODY: u16 = 120;

/// What a dataset lists: a value for each person.
type Listed = BTreeMap<u16, u8>;

/// A version and what it lists.
type State = (u32, Listed);

/// What an adapter sends.
#[derive(Clone)]
enum Step {
    Snapshot(Listed),
    Delta { put: Listed, deleted: Vec<u16> },
}

impl Step {
    fn of(self, before: Option<&State>) -> State {
        let (version, mut listed) = before.cloned().unwrap_or_default();
        match self {
            Self::Snapshot(all) => listed = all,
            Self::Delta { put, deleted } => {
                listed.extend(put);
                listed.retain(|person, _| !deleted.contains(person));
            }
        }
        (version + 1, listed)
    }
}

fn scope() -> Scope {
    Scope { programme: "small".parse().expect("a name"), epoch: 1, suite: Suite::SaltedHash }
}

fn schema() -> DatasetSchema {
    DatasetSchema {
        dataset: "cars".parse().expect("a name"),
        kind: DatasetKind::CrossCheck,
        flags: vec![FlagSchema { name: "over".parse().expect("a name"), kind: FlagKind::Boolean }],
        household: None,
    }
}

fn tag(person: u16) -> LookupTag {
    let spread = u128::from(person).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    LookupTag(spread.to_be_bytes())
}

fn row(person: u16, value: u8) -> Vec<u8> {
    let mut row = vec![value; NONCE_LEN + 1 + SEAL_OVERHEAD];
    row[..2].copy_from_slice(&person.to_be_bytes());
    row
}

fn open(disk: &Arc<SimulatedDisk>) -> Result<Rows> {
    Rows::open_on(disk.clone(), Path::new(PLACE), &scope())
}

/// Frames of three rows each, so that a group has many.
fn frames(put: &Listed, deleted: &[u16]) -> Vec<wire::SealedRowColumns> {
    let mut people: Vec<_> =
        put.iter().map(|(&person, &value)| (tag(person), person, value)).collect();
    people.sort_unstable();
    let mut deleted: Vec<_> = deleted.iter().map(|&person| tag(person)).collect();
    deleted.sort_unstable();
    let mut frames: Vec<_> = people
        .chunks(30)
        .map(|people| {
            let mut columns = wire::SealedRowColumns::default();
            for &(tag, person, value) in people {
                let row = row(person, value);
                columns.tags.extend(tag.0);
                columns.nonces.extend(&row[..NONCE_LEN]);
                columns.ciphertexts.extend(&row[NONCE_LEN..]);
            }
            columns
        })
        .collect();
    let deleted_tags = deleted.iter().flat_map(|tag| tag.0).collect();
    frames.push(wire::SealedRowColumns { deleted_tags, ..Default::default() });
    frames
}

/// Takes a step in, as the gateway does with a group.
fn take(rows: &Rows, step: &Step) -> Result<Held> {
    let held = rows.held(&schema())?.map(|held| held.cursor);
    let (from, put, deleted) = match step {
        Step::Snapshot(listed) => (None, listed, &[][..]),
        Step::Delta { put, deleted } => (held, put, &deleted[..]),
    };
    let frames = frames(put, deleted);
    let mut sent = GroupCheck::default();
    frames.iter().for_each(|frame| sent.rows(frame, 1).expect("good columns"));
    let cursor = |version| Cursor { log: [7; 16], version };
    let transfer = if from.is_some() { wire::Transfer::Delta } else { wire::Transfer::Snapshot };
    let header = wire::SyncHeader {
        scope: Some((&scope()).into()),
        agency: "police".into(),
        dataset: "cars".into(),
        transfer: transfer.into(),
        from: from.map(Into::into),
        to: Some(cursor(held.map_or(1, |held| held.version + 1)).into()),
        as_of: Some(prost_types::Timestamp::default()),
        row_size: 1,
    };
    let (scope, agency, schema) = (scope(), "police".parse().expect("a name"), schema());
    let expected = Expectation {
        scope: &scope,
        agency: &agency,
        schema: &schema,
        held,
        now: Timestamp::now(),
    };
    let mut group = RowGroup::begin(&expected, header).expect("a good header");
    let mut staging = if from.is_none() { Some(rows.stage(&schema)?) } else { None };
    for frame in frames {
        if let (Some(frame), Some(staging)) = (group.rows(frame).expect("good rows"), &mut staging)
        {
            staging.append(&frame)?;
        }
    }
    let batch = group.end(&sent.trailer()).expect("whole");
    let (held, _) = match staging {
        Some(staging) => staging.commit(&batch)?,
        None => rows.apply(&schema, &batch)?,
    };
    Ok(held)
}

/// What the store says that the dataset lists: every look-up in one go, and every one alone.
fn listed(rows: &Rows) -> Result<Option<State>> {
    let Some(held) = rows.held(&schema())? else { return Ok(None) };
    let reader = rows.reader(&schema())?;
    let mut people: Vec<_> = (0..EVERYBODY).map(|person| (tag(person), person)).collect();
    people.sort_unstable();
    let mut lookups = reader.in_tag_order();
    let mut listed = Listed::new();
    for (tag, person) in people {
        let found = lookups.seek(tag)?.map(<[u8]>::to_vec);
        assert_eq!(found, reader.get(tag)?, "person {person}");
        if let Some(found) = found {
            let value = *found.last().expect("a row has bytes");
            assert_eq!(found, row(person, value), "person {person}");
            listed.insert(person, value);
        }
    }
    assert_eq!(held.rows, listed.len() as u64, "the count is what is there");
    Ok(Some((held.cursor.version, listed)))
}

/// Everybody whose number leaves a remainder, with one value.
fn every(step: usize, value: u8) -> Listed {
    (0..EVERYBODY).step_by(step).map(|person| (person, value)).collect()
}
