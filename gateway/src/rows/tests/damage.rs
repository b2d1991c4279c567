//! Bytes that changed on the disk are found before anybody believes them, and named; asking anew mends
//! them.

use super::*;

/// A dataset with runs of every kind.
fn filled(disk: &Arc<SimulatedDisk>) -> (Rows, State) {
    let rows = open(disk).expect("opens");
    let steps = [
        Step::Snapshot(every(2, 1)),
        Step::Delta { put: Listed::from([(1, 2), (3, 2)]), deleted: vec![2, 4, 6] },
    ];
    let mut state = None;
    for step in steps {
        take(&rows, &step).expect("taken");
        state = Some(step.of(state.as_ref()));
    }
    (rows, state.expect("two steps"))
}

fn files(disk: &SimulatedDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = disk.copy_of(&Path::new(PLACE).join("cars")).into_iter();
    files.filter_map(|(path, bytes)| Some((path, bytes?))).collect()
}

/// Asks the store for everything; then for a snapshot, as the link does that hears of the damage.
fn is_found_and_mended(rows: &Rows, file: &Path, what: &str) {
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    let told = match listed(rows) {
        Err(RowsError::Damaged { dataset, what }) => {
            assert_eq!(dataset, schema().dataset);
            what
        }
        Ok(None) => rows.damaged().pop().expect("it is told").1,
        other => panic!("{what}: believed: {other:?}"),
    };
    assert!(told.contains(name), "{what}: {told}");
    assert_eq!(rows.held(&schema()).expect("readable"), None, "{what}: it is asked for anew");
    assert_eq!(rows.damaged().len(), 1, "{what}");
    take(rows, &Step::Snapshot(every(4, 3))).expect("a snapshot mends it");
    assert_eq!(listed(rows).expect("readable"), Some((1, every(4, 3))), "{what}");
    assert_eq!(rows.damaged(), vec![], "{what}");
}

#[test]
fn a_byte_that_changed_is_found_and_its_file_named_and_the_dataset_asked_for_anew() {
    let disk = Arc::new(SimulatedDisk::default());
    drop(filled(&disk));
    let count = |name: &str| files(&disk).keys().filter(|path| path.ends_with(name)).count();
    assert_eq!((files(&disk).len(), count("held")), (4, 1), "a long run, and a delta's two");
    for (path, bytes) in files(&disk) {
        for at in (0..bytes.len()).step_by(5) {
            let disk = Arc::new(disk.restarted(crate::disk::simulated::Unsynced::Kept));
            disk.change(&path, |bytes| bytes[at] ^= 1 << (at % 8));
            let what = format!("{} byte {at}", path.display());
            is_found_and_mended(&open(&disk).expect("opens all the same"), &path, &what);
        }
    }
}

#[test]
fn a_file_that_was_cut_or_lost_is_found_too() {
    let disk = Arc::new(SimulatedDisk::default());
    drop(filled(&disk));
    for (path, bytes) in files(&disk) {
        let lost = path.extension().is_some();
        for length in [0, bytes.len() / 2, bytes.len() - 1] {
            let disk = Arc::new(disk.restarted(crate::disk::simulated::Unsynced::Kept));
            disk.change(&path, |bytes| bytes.truncate(length));
            let what = format!("{} cut to {length}", path.display());
            is_found_and_mended(&open(&disk).expect("opens"), &path, &what);
        }
        if lost {
            let disk = Arc::new(disk.restarted(crate::disk::simulated::Unsynced::Kept));
            disk.remove(&path).expect("removed");
            is_found_and_mended(&open(&disk).expect("opens"), &path, "removed");
        }
    }
}

#[test]
fn damage_that_comes_while_the_store_is_open_rings_and_stops_deltas() {
    let disk = Arc::new(SimulatedDisk::default());
    let (rows, state) = filled(&disk);
    let mut damages = rows.damages();
    damages.mark_unchanged();
    assert_eq!(listed(&rows).expect("readable"), Some(state));
    let (path, _) =
        files(&disk).into_iter().find(|(path, _)| path.ends_with("1.run")).expect("there");
    disk.change(&path, |bytes| bytes[100] ^= 1);
    let reader = rows.reader(&schema()).expect("nobody has looked yet");
    assert!(!damages.has_changed().expect("open"));
    let mut lookups = reader.in_tag_order();
    let mut people: Vec<_> = (0..EVERYBODY).map(tag).collect();
    people.sort_unstable();
    let found = people.into_iter().find_map(|tag| lookups.seek(tag).err());
    assert!(matches!(found, Some(RowsError::Damaged { .. })), "{found:?}");
    assert!(damages.has_changed().expect("open"), "whoever follows the dataset is told");
    assert!(matches!(rows.reader(&schema()), Err(RowsError::Damaged { .. })), "until it is mended");
    is_found_and_mended(&rows, &path, "while open");
}

#[test]
fn a_second_process_is_turned_away() {
    let disk = Arc::new(SimulatedDisk::default());
    let rows = open(&disk).expect("opens");
    assert!(matches!(open(&disk), Err(RowsError::Locked(_))));
    drop(rows);
    assert!(open(&disk).is_ok());
}
