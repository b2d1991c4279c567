//! The store of sealed rows: counts, places, crashes, and what its bytes mean.

use gateway::rows::{Changed, Rows, RowsError};
use proto::scope::Scope;

use crate::fixture::{batch, cursor, schema, scope, secret};

fn car(flag: u8) -> Option<Vec<u8>> {
    Some(vec![flag])
}

fn open(directory: &tempfile::TempDir) -> Rows {
    Rows::open(&directory.path().join("rows"), &scope()).expect("opens")
}

fn snapshot(rows: &Rows, to: u32, people: &[(u8, Option<Vec<u8>>)]) {
    let (batch, columns) = batch("cars", None, to, people);
    let mut staging = rows.stage(&schema("cars")).expect("staged");
    staging.append(&columns).expect("taken");
    let (held, changed) = staging.commit(&batch).expect("committed");
    assert_eq!((held.rows, changed), (people.len() as u64, Changed::All));
}

fn count(rows: &Rows) -> Option<(u32, u64)> {
    let held = rows.held(&schema("cars")).expect("readable")?;
    Some((held.cursor.version, held.rows))
}

fn has(rows: &Rows, person: u8) -> bool {
    let reader = rows.reader(&schema("cars")).expect("readable");
    reader.get(secret(person).lookup_tag()).expect("readable").is_some()
}

#[test]
fn a_delta_counts_what_is_new_and_what_is_gone_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let rows = open(&directory);
    snapshot(&rows, 1, &[(1, car(0)), (2, car(1))]);
    let (delta, _) = batch("cars", Some(1), 2, &[(1, car(1)), (3, car(0)), (2, None), (9, None)]);
    let (held, changed) = rows.apply(&schema("cars"), &delta).expect("applied");
    assert_eq!((held.cursor, held.rows), (cursor(2), 2));
    assert!(matches!(changed, Changed::Tags(tags) if tags.len() == 4));
    assert_eq!([1, 2, 3, 9].map(|person| has(&rows, person)), [true, false, true, false]);
}

#[test]
fn a_snapshot_replaces_everything_and_survives_closing() {
    let directory = tempfile::tempdir().expect("a directory");
    let rows = open(&directory);
    snapshot(&rows, 1, &[(1, car(0)), (2, car(1))]);
    snapshot(&rows, 5, &[(3, car(0))]);
    drop(rows);
    let rows = open(&directory);
    assert_eq!(count(&rows), Some((5, 1)));
    assert_eq!([1, 2, 3].map(|person| has(&rows, person)), [false, false, true]);
}

#[test]
fn a_snapshot_that_was_never_committed_leaves_the_old_rows() {
    let directory = tempfile::tempdir().expect("a directory");
    let rows = open(&directory);
    snapshot(&rows, 1, &[(1, car(0))]);
    let (_, columns) = batch("cars", None, 2, &[(2, car(0))]);
    let mut staging = rows.stage(&schema("cars")).expect("staged");
    staging.append(&columns).expect("taken");
    drop(staging);
    drop(rows);
    let rows = open(&directory);
    assert_eq!((count(&rows), has(&rows, 1), has(&rows, 2)), (Some((1, 1)), true, false));
    snapshot(&rows, 3, &[(3, car(0))]);
    assert_eq!((has(&rows, 2), has(&rows, 3)), (false, true), "nothing of the unfinished one");
}

#[test]
fn a_transfer_that_was_overtaken_can_neither_add_nor_commit() {
    let directory = tempfile::tempdir().expect("a directory");
    let rows = open(&directory);
    let (late, late_columns) = batch("cars", None, 1, &[(1, car(0))]);
    let (batch, columns) = batch("cars", None, 2, &[(2, car(0))]);
    let mut overtaken = rows.stage(&schema("cars")).expect("staged");
    let mut staging = rows.stage(&schema("cars")).expect("staged");
    assert!(matches!(overtaken.append(&late_columns), Err(RowsError::Overtaken(_))));
    staging.append(&columns).expect("taken");
    assert!(matches!(overtaken.commit(&late), Err(RowsError::Overtaken(_))));
    staging.commit(&batch).expect("committed");
    assert_eq!((has(&rows, 1), has(&rows, 2)), (false, true));
}

#[test]
fn a_snapshot_that_lost_rows_on_the_way_to_the_disk_is_not_committed() {
    let directory = tempfile::tempdir().expect("a directory");
    let rows = open(&directory);
    let (batch, _) = batch("cars", None, 1, &[(1, car(0))]);
    let staging = rows.stage(&schema("cars")).expect("staged");
    assert!(matches!(staging.commit(&batch), Err(RowsError::Overtaken(_))));
    assert_eq!(count(&rows), None);
}

#[test]
fn a_delta_from_another_place_than_what_is_held_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let rows = open(&directory);
    let (delta, _) = batch("cars", Some(1), 2, &[(3, car(0))]);
    let applied = rows.apply(&schema("cars"), &delta);
    assert!(matches!(applied, Err(RowsError::Overtaken(_))), "nothing is held");
    snapshot(&rows, 4, &[(1, car(0))]);
    let applied = rows.apply(&schema("cars"), &delta);
    assert!(matches!(applied, Err(RowsError::Overtaken(_))), "another version is held");
    assert_eq!((count(&rows), has(&rows, 3)), (Some((4, 1)), false));
}

#[test]
fn rows_of_another_epoch_or_schema_are_as_good_as_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let rows = open(&directory);
    snapshot(&rows, 1, &[(1, car(0))]);
    let mut other = schema("cars");
    other.flags[0].name = "small".parse().expect("a name");
    assert_eq!(rows.held(&other).expect("readable"), None, "flags may mean something else");
    assert!(rows.reader(&other).expect("readable").as_of().is_none());
    drop(rows);
    let next = Scope { epoch: 2, ..scope() };
    let path = directory.path().join("rows");
    let rows = Rows::open(&path, &next).expect("opens");
    assert_eq!(count(&rows), None, "nobody's tag of this epoch is among them");
    snapshot(&rows, 1, &[(2, car(0))]);
    assert_eq!(count(&rows), Some((1, 1)));
}
