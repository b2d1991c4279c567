//! The store's crash table, and a full disk.

use super::*;
use crate::disk::crash_table::CrashTable;

const TABLE: CrashTable<Seen> = CrashTable { life, start, starts_whole };

/// What was acknowledged, and what was on its way when the machine died.
#[derive(Default)]
struct Seen {
    acknowledged: Option<State>,
    on_its_way: Option<State>,
}

/// Snapshots and deltas, large ones and small ones, so that runs are made, merged and replaced.
fn steps() -> Vec<Step> {
    let delta = |put: Listed, deleted: &[u16]| Step::Delta { put, deleted: deleted.to_vec() };
    vec![
        Step::Snapshot(every(2, 1)),
        delta(every(40, 2), &[2, 4, 5]),
        delta(Listed::from([(7, 3)]), &[]),
        delta(Listed::new(), &[7, 80]),
        delta(Listed::from([(4, 4), (9, 4)]), &[6]),
        delta(every(3, 5), &[1, 2, 8, 10]),
        Step::Snapshot(every(5, 6)),
        delta(Listed::from([(1, 7)]), &[0]),
        delta(Listed::new(), &[]),
        Step::Snapshot(Listed::new()),
        delta(Listed::from([(3, 8)]), &[9]),
    ]
}

/// Takes all steps; what fails is tried once more, as links do. Ends with the machine.
fn life(disk: &Arc<SimulatedDisk>) -> Seen {
    let mut seen = Seen::default();
    let Ok(rows) = open(disk).or_else(|_| open(disk)) else { return seen };
    for step in steps() {
        let wanted = step.clone().of(seen.acknowledged.as_ref());
        if take(&rows, &step).is_err() {
            seen.on_its_way = Some(wanted.clone());
            if disk.is_dead() {
                return seen;
            }
            let now = listed(&rows).expect("the disk is well again");
            assert_eq!(now, seen.acknowledged, "what failed changed nothing");
            take(&rows, &step).expect("the second try works");
        }
        seen = Seen { acknowledged: Some(wanted), on_its_way: None };
        if disk.is_dead() {
            return seen;
        }
        assert_eq!(listed(&rows).expect("readable"), seen.acknowledged);
    }
    seen
}

fn start(disk: &Arc<SimulatedDisk>) -> bool {
    open(disk).is_ok()
}

/// Starts on what is left: one state or the other, whole, and everything goes on from there.
fn starts_whole(disk: &Arc<SimulatedDisk>, seen: &Seen, what: &str) {
    let rows = open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(rows.damaged(), vec![], "{what}");
    let found = listed(&rows).unwrap_or_else(|error| panic!("{what}: {error}"));
    let whole = found == seen.acknowledged || (found.is_some() && found == seen.on_its_way);
    assert!(whole, "{what}: neither what was acknowledged nor what was on its way: {found:?}");
    let step = match &found {
        Some(_) => Step::Delta { put: every(7, 9), deleted: vec![1] },
        None => Step::Snapshot(every(7, 9)),
    };
    take(&rows, &step).unwrap_or_else(|error| panic!("{what}: {error}"));
    let then = Some(step.of(found.as_ref()));
    assert_eq!(listed(&rows).expect("readable"), then, "{what}");
    drop(rows);
    let again = listed(&open(disk).expect("opens")).expect("readable");
    assert_eq!(again, then, "{what}, and once more");
}

#[test]
fn whenever_the_machine_dies_rows_and_cursor_are_whole_and_nothing_acknowledged_is_lost() {
    let count = TABLE.operations();
    assert!(count > 100, "{count} operations are the whole table");
    TABLE.dies();
}

#[test]
fn a_machine_that_dies_again_while_it_starts_loses_nothing_either() {
    TABLE.dies_again(1);
}

#[test]
fn whatever_fails_once_changes_nothing_and_is_made_good_by_asking_again() {
    TABLE.fails(|seen| seen.on_its_way.is_none());
}

#[test]
fn on_a_full_disk_nothing_changes_and_nothing_is_left_behind() {
    let disk = Arc::new(SimulatedDisk::default());
    let rows = open(&disk).expect("opens");
    take(&rows, &Step::Snapshot(every(2, 1))).expect("taken");
    let before = disk.copy_of(Path::new(PLACE));
    let state = listed(&rows).expect("readable");
    disk.fill(true);
    for step in &steps()[..6] {
        assert!(take(&rows, step).is_err(), "the disk is full");
    }
    assert_eq!(listed(&rows).expect("readable"), state);
    disk.fill(false);
    let names = |copy: &BTreeMap<PathBuf, Option<Vec<u8>>>| -> Vec<PathBuf> {
        copy.keys().filter(|path| path.extension().is_some_and(|e| e == "run")).cloned().collect()
    };
    assert_eq!(names(&disk.copy_of(Path::new(PLACE))), names(&before), "no half-written run");
    take(&rows, &Step::Snapshot(every(3, 1))).expect("there is room again");
}
