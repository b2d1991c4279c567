//! Groups as an adapter sends them, for the small policy: what the gateway takes in, without a wire.

use gateway::{
    policy::Policy,
    sync::{Expectation, Refusal, RowGroup, SubjectGroup, VerifiedBatch, VerifiedRelease},
};
use jiff::Timestamp;
use proto::{
    cursor::Cursor,
    group::GroupCheck,
    household::Household,
    name::AgencyId,
    person_secret::PersonSecret,
    schema::DatasetSchema,
    scope::{Scope, Suite},
    sealed_row::{RowNonce, RowSealer},
    subject::Subject,
    wire,
};

pub const SMALL: &str = include_str!("small_policy.toml");

pub fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

pub fn scope() -> Scope {
    Scope { programme: "small".parse().expect("a name"), epoch: 1, suite: Suite::SaltedHash }
}

pub fn schema(dataset: &str) -> DatasetSchema {
    let policy = Policy::parse(SMALL).expect("the small policy is good");
    let number = policy.catalogue.dataset(dataset).expect("listed");
    policy.catalogue.datasets[number].schema.clone()
}

pub fn agency(dataset: &str) -> AgencyId {
    let agency = if dataset == "ill" { "aid" } else { "police" };
    agency.parse().expect("a name")
}

pub fn cursor(version: u32) -> Cursor {
    Cursor { log: [7; 16], version }
}

pub fn secret(person: u8) -> PersonSecret {
    PersonSecret::from_bytes([person; 32])
}

/// A row's plain bytes of the register: its status, and the household.
pub fn register(status: u8, household: &Household) -> Vec<u8> {
    let mut row = vec![status];
    schema("register").household.expect("it has one").encode(household, &mut row);
    row
}

/// Columns of sealed rows: `None` deletes.
pub fn rows(dataset: &str, people: &[(u8, Option<Vec<u8>>)]) -> wire::SealedRowColumns {
    let sealer = RowSealer::new(&scope(), &dataset.parse().expect("a name"));
    let mut people: Vec<_> = people.iter().map(|(p, row)| (secret(*p), row.clone())).collect();
    people.sort_by_key(|(secret, _)| secret.lookup_tag());
    let mut columns = wire::SealedRowColumns::default();
    for (secret, row) in people {
        let (tag, nonce) = (secret.lookup_tag(), RowNonce::new(1, [5; 8]));
        match row {
            Some(mut row) => {
                sealer.seal(&secret.seal_key(), tag, nonce, &mut row);
                columns.tags.extend(tag.0);
                columns.nonces.extend(nonce.0);
                columns.ciphertexts.extend(row);
            }
            None => columns.deleted_tags.extend(tag.0),
        }
    }
    columns
}

pub fn sync_header(dataset: &str, from: Option<u32>, to: u32) -> wire::SyncHeader {
    let transfer = if from.is_some() { wire::Transfer::Delta } else { wire::Transfer::Snapshot };
    wire::SyncHeader {
        scope: Some((&scope()).into()),
        agency: agency(dataset).to_string(),
        dataset: dataset.into(),
        transfer: transfer.into(),
        from: from.map(|version| cursor(version).into()),
        to: Some(cursor(to).into()),
        as_of: Some(prost_types::Timestamp { seconds: now().as_second() - 60, nanos: 0 }),
        row_size: u32::try_from(schema(dataset).row_size()).expect("small"),
    }
}

pub fn release_header(from: Option<u32>, to: u32, secrets_for: &[&str]) -> wire::ReleaseHeader {
    let header = sync_header("ill", from, to);
    wire::ReleaseHeader {
        scope: header.scope,
        agency: header.agency,
        dataset: header.dataset,
        transfer: header.transfer,
        from: header.from,
        to: header.to,
        as_of: header.as_of,
        secrets_for: secrets_for.iter().map(|&name| name.into()).collect(),
        flag_count: 1,
    }
}

/// Calls `with` with what a group of the dataset must match.
pub fn expecting<T>(
    dataset: &str,
    held: Option<u32>,
    with: impl FnOnce(&Expectation<'_>) -> T,
) -> T {
    let (scope, agency, schema) = (scope(), agency(dataset), schema(dataset));
    let held = held.map(cursor);
    with(&Expectation { scope: &scope, agency: &agency, schema: &schema, held, now: now() })
}

/// A checked group of sealed rows, and its columns for staging.
pub fn batch(
    dataset: &str,
    from: Option<u32>,
    to: u32,
    people: &[(u8, Option<Vec<u8>>)],
) -> (VerifiedBatch, wire::SealedRowColumns) {
    let columns = rows(dataset, people);
    let mut sent = GroupCheck::default();
    sent.rows(&columns, schema(dataset).row_size()).expect("good");
    let header = sync_header(dataset, from, to);
    let begun = expecting(dataset, from, |expected| RowGroup::begin(expected, header));
    let mut group = begun.expect("a good header");
    group.rows(columns.clone()).expect("good rows");
    (group.end(&sent.trailer()).expect("whole"), columns)
}

/// A person of the watch dataset: subject, flag byte, and whose secrets come along; `None` where
/// the list no longer has the person.
pub type Listed = (u8, Option<u8>);

/// A checked release, in which person `p` is subject `p` and `p`'s secrets are `secret(p)`.
pub fn release(
    from: Option<u32>,
    to: u32,
    secrets_for: &[&str],
    people: &[Listed],
) -> Result<VerifiedRelease, Refusal> {
    let mut columns = wire::SubjectColumns::default();
    for &(person, flag) in people {
        match flag {
            Some(flag) => {
                columns.subjects.extend([person; 16]);
                columns.residences.push(320_104_002_003);
                columns.registrations.push(0);
                columns.order_counts.push(0);
                columns.flags.push(flag);
                for _ in secrets_for {
                    columns.secrets.extend(secret(person).expose());
                }
            }
            None => columns.deleted_subjects.extend([person; 16]),
        }
    }
    let mut sent = GroupCheck::default();
    sent.subjects(&columns, 1, secrets_for.len()).expect("good");
    let header = release_header(from, to, secrets_for);
    let mut group = expecting("ill", from, |expected| SubjectGroup::begin(expected, header))?;
    group.subjects(columns)?;
    group.end(&sent.trailer())
}

pub fn subject(person: u8) -> Subject {
    Subject([person; 16])
}
