//! A base that takes in what adapters would send of a small world, without a wire: groups are made and
//! checked, sealed and opened as everywhere, and time is a number.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use gateway::{
    base::Base,
    policy::Policy,
    rows::Rows,
    sync::{Expectation, RowGroup, SubjectGroup},
};
use jiff::{SignedDuration, Timestamp};
use proto::{
    cursor::Cursor,
    group::GroupCheck,
    household::{Household, MemberEntry},
    name::DatasetId,
    person_secret::PersonSecret,
    schema::{DatasetKind, DatasetSchema},
    scope::{Scope, Suite},
    sealed_row::{RowNonce, RowSealer},
    subject::{Member, Subject},
    wire,
};
use tests::oracle::{self, PersonId, World, random::Sources};

/// How long every dataset of the small policy is fresh.
const FRESH: SignedDuration = SignedDuration::from_hours(48);

/// Plain rows by person: flags, and of the register the household.
type Plain = BTreeMap<PersonId, Vec<u8>>;

/// The base, and what was sent to it.
pub struct Bureau {
    /// What it is.
    pub base: Base,
    /// The time.
    pub now: Timestamp,
    /// What was sent so far says this.
    pub sources: Sources,
    scope: Scope,
    oracle: oracle::Policy,
    rows: Rows,
    sent: BTreeMap<String, Sent>,
    _directory: tempfile::TempDir,
}

/// What was sent of one dataset.
struct Sent {
    version: u32,
    as_of: Timestamp,
    rows: Plain,
    secrets_for: BTreeSet<String>,
}

/// A person's pseudonym in the base.
pub fn subject(person: &PersonId) -> Subject {
    Subject(pseudonym("subject", person))
}

fn pseudonym(what: &str, person: &PersonId) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::derive_key(what, person.as_bytes())[..16]);
    bytes
}

fn secret(person: &PersonId, dataset: &str) -> PersonSecret {
    PersonSecret::from_bytes(blake3::derive_key(dataset, person.as_bytes()))
}

fn cursor(version: u32) -> Cursor {
    Cursor { log: [7; 16], version }
}

impl Bureau {
    /// Nobody yet, of people who are in these sources.
    pub fn new(policy: &Policy, oracle: &oracle::Policy, now: Timestamp) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let programme = policy.programme.clone();
        let scope = Scope { programme, epoch: 1, suite: Suite::SaltedHash };
        let rows = Rows::open(&directory.path().join("rows"), &scope).expect("opens");
        let mut base = Base::new(&scope, policy.catalogue.clone());
        base.catch_up(&rows).expect("read");
        let (oracle, sent, sources) = (oracle.clone(), BTreeMap::new(), Sources::default());
        Self { base, now, sources, scope, oracle, rows, sent, _directory: directory }
    }

    /// Datasets whose word does not count now.
    pub fn stale(&self) -> BTreeSet<String> {
        let fresh =
            |id: &&String| self.sent.get(*id).is_some_and(|sent| self.now < sent.as_of + FRESH);
        self.oracle.datasets.keys().filter(|id| !fresh(id)).cloned().collect()
    }

    /// What was sent, as the oracle reads it.
    pub fn world(&self) -> World {
        let mut sources = self.sources.clone();
        sources.rows.retain(|id, _| self.sent.contains_key(id));
        let mut world = sources.world(&self.oracle, |person| pseudonym("member", person));
        for (id, _) in self.oracle.datasets.iter().filter(|(_, shape)| !shape.watch) {
            let watch = self.sent.iter().filter(|(id, _)| self.oracle.datasets[*id].watch);
            let brings = watch.filter(|(_, sent)| sent.secrets_for.contains(id));
            let released = brings.flat_map(|(_, sent)| sent.rows.keys().cloned()).collect();
            world.released.insert(id.clone(), released);
        }
        world
    }

    /// Sends one dataset as `sources` have it now: what changed, or everything.
    pub fn send(&mut self, id: &str, sources: &Sources, everything: bool) {
        let rows = sources.rows.get(id).cloned().unwrap_or_default();
        self.sources.rows.insert(id.to_owned(), rows);
        if self.oracle.datasets[id].household.is_some() {
            self.sources.people.clone_from(&sources.people);
            self.sources.homes.clone_from(&sources.homes);
            self.sources.torn.clone_from(&sources.torn);
        }
        let secrets_for = self.sent.get(id).map(|sent| sent.secrets_for.clone());
        self.transfer(id, secrets_for.unwrap_or_default(), everything);
    }

    /// Sends a watch dataset with the person secrets for these datasets; everybody anew.
    pub fn grant(&mut self, id: &str, secrets_for: BTreeSet<String>) {
        self.transfer(id, secrets_for, true);
    }

    fn transfer(&mut self, id: &str, secrets_for: BTreeSet<String>, everything: bool) {
        let plain = self.plain(id);
        let before = self.sent.remove(id).filter(|_| !everything);
        let (from, old) = match before {
            Some(sent) => (Some(sent.version), sent.rows),
            None => (None, BTreeMap::new()),
        };
        let to = from.map_or(1, |from| from + 1);
        let put: Plain =
            plain.iter().filter(|(id, row)| old.get(*id) != Some(row)).map(owned).collect();
        let gone: Vec<PersonId> = old.into_keys().filter(|id| !plain.contains_key(id)).collect();
        let schema = self.schema(id);
        match schema.kind {
            DatasetKind::Watch => self.release(&schema, (from, to), &put, &gone, &secrets_for),
            DatasetKind::CrossCheck => self.sync(&schema, (from, to), &put, &gone),
        }
        let sent = Sent { version: to, as_of: self.now, rows: plain, secrets_for };
        self.sent.insert(id.to_owned(), sent);
    }

    fn plain(&self, id: &str) -> Plain {
        let schema = self.schema(id);
        let mut plain: Plain = self.sources.rows.get(id).cloned().unwrap_or_default();
        let Some(household) = &schema.household else { return plain };
        let of = |person: &PersonId| MemberEntry {
            member: Member(pseudonym("member", person)),
            secrets: household.datasets.iter().map(|it| secret(person, it.as_str())).collect(),
        };
        let world = self.sources.world(&self.oracle, |person| pseudonym("member", person));
        for (person, row) in &mut plain {
            let list = &world.households[person];
            let members = list.members.iter().map(of).collect();
            household.encode(&Household { members, overflow: !list.complete }, row);
        }
        plain
    }

    fn schema(&self, id: &str) -> DatasetSchema {
        let catalogue = self.base.catalogue();
        catalogue.datasets[catalogue.dataset(id).expect("listed")].schema.clone()
    }

    fn header(&self, schema: &DatasetSchema, (from, to): (Option<u32>, u32)) -> wire::SyncHeader {
        let transfer =
            if from.is_some() { wire::Transfer::Delta } else { wire::Transfer::Snapshot };
        wire::SyncHeader {
            scope: Some((&self.scope).into()),
            agency: self.oracle.datasets[schema.dataset.as_str()].agency.clone(),
            dataset: schema.dataset.to_string(),
            transfer: transfer.into(),
            from: from.map(|version| cursor(version).into()),
            to: Some(cursor(to).into()),
            as_of: Some(prost_types::Timestamp { seconds: self.now.as_second(), nanos: 0 }),
            row_size: u32::try_from(schema.row_size()).expect("small"),
        }
    }

    fn expecting<T>(
        &self,
        schema: &DatasetSchema,
        held: Option<u32>,
        with: impl FnOnce(&Expectation<'_>) -> T,
    ) -> T {
        let agency = &self.oracle.datasets[schema.dataset.as_str()].agency;
        let agency = agency.parse().expect("a name");
        let (held, now) = (held.map(cursor), self.now);
        with(&Expectation { scope: &self.scope, agency: &agency, schema, held, now })
    }

    fn sync(
        &mut self,
        schema: &DatasetSchema,
        versions: (Option<u32>, u32),
        put: &Plain,
        gone: &[PersonId],
    ) {
        let columns = sealed(&self.scope, schema, versions.1, put, gone);
        let mut check = GroupCheck::default();
        check.rows(&columns, schema.row_size()).expect("good");
        let header = self.header(schema, versions);
        let group =
            self.expecting(schema, versions.0, |expected| RowGroup::begin(expected, header));
        let mut group = group.expect("a good header");
        group.rows(columns.clone()).expect("good rows");
        let batch = group.end(&check.trailer()).expect("whole");
        let (_, changed) = match versions.0 {
            Some(_) => self.rows.apply(schema, &batch).expect("applied"),
            None => {
                let mut staging = self.rows.stage(schema).expect("staged");
                staging.append(&columns).expect("taken");
                staging.commit(&batch).expect("committed")
            }
        };
        self.base.rows_changed(&schema.dataset, &changed, &self.rows).expect("read");
    }

    fn release(
        &mut self,
        schema: &DatasetSchema,
        versions: (Option<u32>, u32),
        put: &Plain,
        gone: &[PersonId],
        secrets_for: &BTreeSet<String>,
    ) {
        let mut people: Vec<_> = put.iter().collect();
        people.sort_by_key(|(person, _)| subject(person));
        let mut columns = wire::SubjectColumns::default();
        for (person, flags) in people {
            columns.subjects.extend(subject(person).0);
            columns.residences.push(320_104_002_003);
            columns.registrations.push(0);
            columns.order_counts.push(0);
            columns.flags.extend(flags);
            for dataset in secrets_for {
                columns.secrets.extend(secret(person, dataset).expose());
            }
        }
        let mut gone: Vec<Subject> = gone.iter().map(subject).collect();
        gone.sort();
        gone.iter().for_each(|subject| columns.deleted_subjects.extend(subject.0));
        let mut check = GroupCheck::default();
        check.subjects(&columns, schema.flags.len(), secrets_for.len()).expect("good");
        let header = self.header(schema, versions);
        let header = wire::ReleaseHeader {
            scope: header.scope,
            agency: header.agency,
            dataset: header.dataset,
            transfer: header.transfer,
            from: header.from,
            to: header.to,
            as_of: header.as_of,
            secrets_for: secrets_for.iter().cloned().collect(),
            flag_count: u32::try_from(schema.flags.len()).expect("few"),
        };
        let begin = |expected: &Expectation<'_>| SubjectGroup::begin(expected, header);
        let mut group = self.expecting(schema, versions.0, begin).expect("a good header");
        group.subjects(columns).expect("good subjects");
        let release = group.end(&check.trailer()).expect("whole");
        self.base.release(release, &self.rows).expect("read");
    }

    /// Time goes on.
    pub fn pass(&mut self, time: Duration) {
        self.now += SignedDuration::try_from(time).expect("a short time");
    }
}

fn owned((person, row): (&PersonId, &Vec<u8>)) -> (PersonId, Vec<u8>) {
    (person.clone(), row.clone())
}

fn sealed(
    scope: &Scope,
    schema: &DatasetSchema,
    version: u32,
    put: &Plain,
    gone: &[PersonId],
) -> wire::SealedRowColumns {
    let dataset: &DatasetId = &schema.dataset;
    let sealer = RowSealer::new(scope, dataset);
    let tag = |person: &PersonId| secret(person, dataset.as_str()).lookup_tag();
    let mut people: Vec<_> = put.iter().collect();
    people.sort_by_key(|(person, _)| tag(person));
    let mut columns = wire::SealedRowColumns::default();
    for (person, row) in people {
        let (secret, tag, mut row) = (secret(person, dataset.as_str()), tag(person), row.clone());
        let nonce = RowNonce::new(version, [5; 8]);
        sealer.seal(&secret.seal_key(), tag, nonce, &mut row);
        columns.tags.extend(tag.0);
        columns.nonces.extend(nonce.0);
        columns.ciphertexts.extend(row);
    }
    let mut gone: Vec<_> = gone.iter().map(tag).collect();
    gone.sort();
    gone.iter().for_each(|tag| columns.deleted_tags.extend(tag.0));
    columns
}
