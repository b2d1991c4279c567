//! Versions, deltas and restarts of the store.

use std::{collections::BTreeMap, ops::ControlFlow};

use proto::{cursor::Cursor, person_secret::LookupTag, schema::DatasetKind};

use super::*;
use crate::{fixture, load::Person, resume::Resume};

struct World {
    log: VersionLog,
    directory: tempfile::TempDir,
}

type Rows = BTreeMap<LookupTag, Option<Vec<u8>>>;

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let log = VersionLog::open(&directory.path().join("v.redb")).expect("opened");
        Self { log, directory }
    }

    fn publish_as(&self, persons: &[Person], (epoch, salt, at): (u32, u8, i64)) -> Head {
        let derivation = fixture::derivation(epoch);
        let schema = fixture::schema("vehicles", DatasetKind::CrossCheck);
        let salt = fixture::salt(salt);
        let sealing = Sealing::new(&derivation, &schema, (&salt, vec![]), persons);
        let as_of = Timestamp::from_second(at).expect("a moment");
        self.log.publish(&sealing, as_of).expect("published")
    }

    fn publish(&self, persons: &[(u32, u8)], at: i64) -> Head {
        let persons: Vec<Person> =
            persons.iter().map(|&(number, flag)| fixture::person(number, flag)).collect();
        self.publish_as(&persons, (1, 7, at))
    }

    fn rows(&self, resume: Resume) -> Rows {
        let reading = self.log.reading(&fixture::name("vehicles")).expect("read");
        let mut rows = vec![];
        let each = &mut |tag, row: Option<&[u8]>| {
            rows.push((tag, row.map(<[u8]>::to_vec)));
            ControlFlow::Continue(())
        };
        let _ = reading.expect("published").rows(resume, each).expect("read");
        assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "in the order of the tags");
        rows.into_iter().collect()
    }
}

fn tag(number: u32) -> LookupTag {
    let derivation = fixture::derivation(1);
    let root = derivation.root(&fixture::identifier(number));
    let dataset = fixture::name("vehicles");
    derivation.person_secret(&root, &dataset, &fixture::salt(7)).lookup_tag()
}

#[test]
fn a_delta_from_any_kept_version_leads_to_the_present_rows() {
    let world = World::new();
    let loads: [&[(u32, u8)]; 5] = [
        &[(1, 0), (2, 0), (3, 0)],
        &[(1, 1), (2, 0), (3, 0)],
        &[(1, 1), (3, 0), (4, 0)],
        &[(1, 0), (2, 1), (3, 0), (4, 0)],
        &[(2, 1), (4, 1)],
    ];
    let mut known: Vec<Rows> = vec![];
    for (number, load) in loads.iter().enumerate() {
        let head = world.publish(load, 100);
        assert_eq!(head.cursor().version as usize, number + 1);
        known.push(world.rows(Resume::Snapshot));
    }
    let present = known.last().expect("five").clone();
    assert_eq!(present.len(), 2);
    for (version, mut rows) in (1..).zip(known) {
        for (tag, row) in world.rows(Resume::After(version)) {
            match row {
                Some(row) => drop(rows.insert(tag, Some(row))),
                None => drop(rows.remove(&tag)),
            }
        }
        assert!(rows == present, "from version {version}");
    }
    assert!(world.rows(Resume::After(5)).is_empty());
}

#[test]
fn an_unchanged_row_keeps_its_sealing_and_an_unchanged_load_its_version() {
    let world = World::new();
    let first = world.publish(&[(1, 0), (2, 0)], 100);
    let before = world.rows(Resume::Snapshot);
    let again = world.publish(&[(2, 0), (1, 0)], 200);
    assert_eq!(again.cursor(), first.cursor());
    assert_eq!(again.as_of.as_second(), 200, "the source was read without error");
    assert!(world.rows(Resume::Snapshot) == before);

    world.publish(&[(1, 1), (2, 0)], 300);
    let after = world.rows(Resume::Snapshot);
    assert!(after[&tag(1)] != before[&tag(1)] && after[&tag(2)] == before[&tag(2)]);
    let changed: Vec<LookupTag> = world.rows(Resume::After(1)).into_keys().collect();
    assert!(changed == [tag(1)], "only the changed row travels");
}

#[test]
fn another_salt_or_epoch_begins_a_new_log() {
    let world = World::new();
    let persons = [fixture::person(1, 1)];
    let first = world.publish_as(&persons, (1, 7, 100));
    let salted = world.publish_as(&persons, (1, 8, 100));
    assert_ne!(salted.cursor().log, first.cursor().log);
    assert_eq!((salted.cursor().version, salted.rows), (1, 1));
    let next_epoch = world.publish_as(&persons, (2, 8, 100));
    assert_ne!(next_epoch.cursor().log, salted.cursor().log);
    assert_eq!(world.rows(Resume::Snapshot).len(), 1, "no row of an old log stays");
}

#[test]
fn old_changes_are_forgotten_and_the_log_survives_a_restart() {
    let world = World::new();
    for version in 0..40_u8 {
        world.publish(&[(1, version % 2), (2, 0)], 100);
    }
    let head = world.log.head(&fixture::name("vehicles")).expect("read").expect("published");
    assert_eq!((head.cursor().version, head.kept_since()), (40, 10));
    assert_eq!(world.rows(Resume::After(10)).len(), 1);
    let resume = Resume::new(Some(Cursor { version: 9, ..head.cursor() }), head.cursor(), 10);
    assert_eq!(resume, Ok(Resume::Snapshot));

    let path = world.directory.path().join("v.redb");
    assert!(matches!(VersionLog::open(&path), Err(StoreError::Held)));
    drop(world.log);
    let log = VersionLog::open(&path).expect("opened");
    assert_eq!(log.head(&fixture::name("vehicles")).expect("read"), Some(head));
}

#[test]
fn a_load_larger_than_a_batch_is_taken_over_whole() {
    let world = World::new();
    let many: Vec<(u32, u8)> = (0..BATCH as u32 + 100).map(|number| (number, 0)).collect();
    assert_eq!(world.publish(&many, 100).rows, many.len() as u64);
    assert_eq!(world.rows(Resume::Snapshot).len(), many.len());
    world.publish(&many[50..], 100);
    let changes = world.rows(Resume::After(1));
    assert_eq!(changes.len(), 50);
    assert!(changes.values().all(Option::is_none), "deleted");
}
