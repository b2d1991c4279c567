//! The crash table: the machine dies at every write and sync of the engine, and again while it starts;
//! or the disk fails once and the store goes on.

use std::{collections::BTreeMap, ops::ControlFlow};

use proto::{person_secret::LookupTag, schema::DatasetKind, sealed_row::RowSealer};

use super::*;
use crate::{
    fixture,
    load::Person,
    resume::Resume,
    store_file::simulated::{Fault, SimulatedFile, Unsynced},
};

const LEFTOVERS: [Unsynced; 3] = [Unsynced::Gone, Unsynced::Kept, Unsynced::Torn];

const PEOPLE: u32 = 40;

/// Version, and flag by person.
type State = Option<(u32, BTreeMap<u32, u8>)>;

/// What was acknowledged, and what was on its way when the machine died.
#[derive(Default)]
struct Seen {
    acknowledged: State,
    on_its_way: State,
}

/// Loads of one dataset: changes, deletions, the same again, nobody.
fn loads() -> Vec<Vec<(u32, u8)>> {
    let all = |flag| (0..PEOPLE).map(|number| (number, flag)).collect::<Vec<_>>();
    vec![all(0), all(1), all(1)[..30].to_vec(), all(1)[..30].to_vec(), vec![], vec![(7, 1)]]
}

fn publish(log: &VersionLog, load: &[(u32, u8)]) -> Result<Head, StoreError> {
    let people: Vec<Person> = load.iter().map(|&(n, flag)| fixture::person(n, flag)).collect();
    let derivation = fixture::derivation(1);
    let schema = fixture::schema("vehicles", DatasetKind::CrossCheck);
    let salt = fixture::salt(7);
    let sealing = Sealing::new(&derivation, &schema, (&salt, vec![]), &people);
    log.publish(&sealing, Timestamp::UNIX_EPOCH)
}

fn after(state: &State, load: &[(u32, u8)]) -> State {
    let rows: BTreeMap<u32, u8> = load.iter().copied().collect();
    Some(match state {
        None => (1, rows),
        Some((version, before)) if *before == rows => (*version, rows),
        Some((version, _)) => (version + 1, rows),
    })
}

/// What a gateway would be sent, opened.
fn listed(log: &VersionLog) -> State {
    let reading = log.reading(&fixture::name("vehicles")).expect("readable")?;
    let mut sealed = BTreeMap::new();
    let each = &mut |tag: LookupTag, row: Option<&[u8]>| {
        sealed.insert(tag, row.expect("a snapshot deletes nobody").to_vec());
        ControlFlow::Continue(())
    };
    let _ = reading.rows(Resume::Snapshot, each).expect("readable");
    let (derivation, dataset) = (fixture::derivation(1), fixture::name("vehicles"));
    let sealer = RowSealer::new(derivation.scope(), &dataset);
    let mut rows = BTreeMap::new();
    for number in 0..PEOPLE {
        let root = derivation.root(&fixture::identifier(number));
        let secret = derivation.person_secret(&root, &dataset, &fixture::salt(7));
        if let Some(mut row) = sealed.remove(&secret.lookup_tag()) {
            let (nonce, flags) = row.split_first_chunk_mut().expect("a nonce comes first");
            let (key, nonce) = (secret.seal_key(), RowNonce(*nonce));
            let flags = sealer.open(&key, secret.lookup_tag(), nonce, flags).expect("opens");
            rows.insert(number, flags[0]);
        }
    }
    assert!(sealed.is_empty(), "a row of nobody");
    assert_eq!(reading.head().rows, rows.len() as u64, "the count is what is there");
    Some((reading.head().version, rows))
}

/// Publishes every load; what fails is tried once more, as the next reload does. Ends with the machine.
fn life(file: &SimulatedFile, dies: bool) -> Seen {
    let mut seen = Seen::default();
    let Ok(file) = file.open().or_else(|_| file.open()) else { return seen };
    let log = VersionLog { file };
    for load in loads() {
        let wanted = after(&seen.acknowledged, &load);
        if publish(&log, &load).is_err() {
            seen.on_its_way = wanted.clone();
            if dies {
                return seen;
            }
            let now = listed(&log);
            assert!(now == seen.acknowledged || now == seen.on_its_way, "half of it: {now:?}");
            publish(&log, &load).expect("the disk is well again");
        }
        seen = Seen { acknowledged: wanted, on_its_way: None };
    }
    seen
}

/// Starts on what is left: one version or the other, whole, and everything goes on from there.
fn starts_whole(file: &SimulatedFile, seen: &Seen, what: &str) {
    let log = file.open().map(|file| VersionLog { file });
    let log = log.unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = listed(&log);
    let whole = found == seen.acknowledged || (found.is_some() && found == seen.on_its_way);
    assert!(whole, "{what}: neither what was acknowledged nor what was on its way: {found:?}");
    let next = [(3, 0), (5, 1)];
    publish(&log, &next).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(listed(&log), after(&found, &next), "{what}");
}

fn operations() -> usize {
    let file = SimulatedFile::with_store();
    life(&file, false);
    file.operations()
}

#[test]
fn whenever_the_machine_dies_version_and_rows_are_whole_and_nothing_published_is_lost() {
    let count = operations();
    assert!(count > 50, "{count} operations are the whole table");
    for at in 0..count {
        let file = SimulatedFile::with_store();
        file.fault(Some((at, Fault::Dies)));
        let seen = life(&file, true);
        for unsynced in LEFTOVERS {
            let what = format!("dies at {at}, unsynced {unsynced:?}");
            starts_whole(&file.restarted(unsynced), &seen, &what);
        }
    }
}

#[test]
fn a_machine_that_dies_again_while_it_starts_loses_nothing_either() {
    for at in (0..operations()).step_by(3) {
        let file = SimulatedFile::with_store();
        file.fault(Some((at, Fault::Dies)));
        let seen = life(&file, true);
        let first = LEFTOVERS[at % 3];
        for again in 0.. {
            let file = file.restarted(first);
            file.fault(Some((again, Fault::Dies)));
            let opened = file.open().is_ok();
            let what = format!("dies at {at}, and at {again} of the start");
            starts_whole(&file.restarted(LEFTOVERS[(at + again) % 3]), &seen, &what);
            if opened && file.operations() <= again {
                break;
            }
        }
    }
}

#[test]
fn whatever_fails_once_leaves_nothing_half_done_and_needs_no_restart() {
    for at in 0..operations() {
        let file = SimulatedFile::with_store();
        file.fault(Some((at, Fault::Fails)));
        let seen = life(&file, false);
        assert!(seen.on_its_way.is_none(), "fails at {at}: everything was published");
        starts_whole(&file.restarted(Unsynced::Gone), &seen, &format!("fails at {at}"));
    }
}
