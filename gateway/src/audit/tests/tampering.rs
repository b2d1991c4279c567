//! Whoever can write the log's directory changes, drops, inserts or reorders entries: `verify` finds
//! it, however much else is made to fit.

use std::path::PathBuf;

use proto::tile::{push_entry, split_entries};

use super::*;
use crate::audit::tile_files::TileFiles;
use crate::disk::simulated::SimulatedDisk;

const SIZE: u64 = 300;

fn disk_with(entries: &[Vec<u8>]) -> (Arc<SimulatedDisk>, Arc<Checkpoint>) {
    let disk = Arc::new(SimulatedDisk::default());
    let mut log = Log::open(&disk).expect("opens");
    log.append_bytes(entries.to_vec()).expect("durable");
    log.seal().expect("sealed");
    let checkpoint = log.checkpoint();
    (disk, checkpoint)
}

fn tiles(disk: &Arc<SimulatedDisk>) -> TileFiles {
    TileFiles::on_disk(disk.clone(), Path::new(DATA_DIR).join("log"))
}

fn bundle(index: u64) -> PathBuf {
    let name = if index < 256 { "000" } else { "001.p/44" };
    Path::new(DATA_DIR).join("log/tile/entries").join(name)
}

/// What is done to the entries of a log or of a bundle, at an index of its own.
type Tampering = (&'static str, fn(&mut Vec<Vec<u8>>, usize));

const TAMPERINGS: [Tampering; 4] = [
    ("changed", |entries, at| entries[at][0] ^= 1),
    ("dropped", |entries, at| drop(entries.remove(at))),
    ("inserted", |entries, at| entries.insert(at, b"inserted".to_vec())),
    ("reordered", |entries, at| {
        let other = if at == 0 { 1 } else { at - 1 };
        entries.swap(at, other);
    }),
];

#[test]
fn every_entry_that_is_changed_dropped_inserted_or_reordered_in_its_bundle_is_found() {
    let entries: Vec<_> = (0..SIZE).map(entry).collect();
    let (disk, checkpoint) = disk_with(&entries);
    verify(&tiles(&disk), &checkpoint, None).expect("whole");
    for index in 0..SIZE {
        for (what, tamper) in TAMPERINGS {
            let whole = disk.read(&bundle(index)).expect("there");
            let width = if index < 256 { 256 } else { 44 };
            let held = split_entries(&whole, width).expect("whole");
            let mut held: Vec<_> = held.into_iter().map(<[u8]>::to_vec).collect();
            tamper(&mut held, (index % 256) as usize);
            let mut bytes = Vec::new();
            held.iter().for_each(|entry| push_entry(&mut bytes, entry).expect("short"));
            disk.change(&bundle(index), |bundle| *bundle = bytes);
            let fault = verify(&tiles(&disk), &checkpoint, None);
            match fault.expect_err("found") {
                TreeFault::Entry { index: named, .. } if what == "changed" => {
                    assert_eq!(named, index);
                }
                TreeFault::Entry { index: named, .. } => assert!(named.abs_diff(index) <= 1),
                TreeFault::Malformed { tile } => assert!(tile.entries().contains(&index)),
                fault => panic!("{what} at {index}: {fault}"),
            }
            disk.change(&bundle(index), |bundle| *bundle = whole);
        }
    }
    verify(&tiles(&disk), &checkpoint, None).expect("whole again");
}

#[test]
fn a_log_whose_tiles_were_all_made_to_fit_is_found_by_its_checkpoint() {
    let entries: Vec<_> = (0..SIZE).map(entry).collect();
    let (_, checkpoint) = disk_with(&entries);
    for (what, tamper) in TAMPERINGS {
        for at in [0, 1, 255, 256, 299] {
            let mut tampered = entries.clone();
            tamper(&mut tampered, at);
            tampered.resize(SIZE as usize, b"made to fit".to_vec());
            let (disk, _) = disk_with(&tampered);
            let fault = verify(&tiles(&disk), &checkpoint, None).expect_err("found");
            assert!(matches!(fault, TreeFault::Root { .. }), "{what} at {at}: {fault}");
        }
    }
}

#[test]
fn a_log_that_was_signed_anew_is_found_by_an_older_checkpoint_that_was_kept() {
    let entries: Vec<_> = (0..SIZE).map(entry).collect();
    let (_, older) = disk_with(&entries[..280]);
    let kept = older.head();
    let (disk, checkpoint) = disk_with(&entries);
    verify(&tiles(&disk), &checkpoint, Some(&kept)).expect("it goes on from there");
    for (what, tamper) in TAMPERINGS {
        for at in [0, 1, 255, 256, 278] {
            let mut tampered = entries.clone();
            tamper(&mut tampered, at);
            let (disk, resigned) = disk_with(&tampered);
            verify(&tiles(&disk), &resigned, None).expect("it is signed");
            let fault = verify(&tiles(&disk), &resigned, Some(&kept)).expect_err("found");
            assert!(matches!(fault, TreeFault::Rewritten { size: 280 }), "{what} at {at}: {fault}");
        }
    }
    let (disk, cut) = disk_with(&entries[..279]);
    let fault = verify(&tiles(&disk), &cut, Some(&kept)).expect_err("found");
    assert!(matches!(fault, TreeFault::Cut { size: 279, kept: 280 }), "{fault}");
}

#[test]
fn a_tile_of_hashes_that_was_changed_is_found_and_named() {
    let entries: Vec<_> = (0..SIZE).map(entry).collect();
    let (disk, checkpoint) = disk_with(&entries);
    for path in ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"] {
        let place = Path::new(DATA_DIR).join("log").join(path);
        for offset in [0, 31] {
            disk.change(&place, |bytes| bytes[offset] ^= 1);
            let fault = verify(&tiles(&disk), &checkpoint, None).expect_err("found");
            let words = fault.to_string();
            let entry = if path == "tile/0/000" { "entry 0 " } else { "entry 256 " };
            let named = words.contains(path) || words.contains(entry);
            assert!(named, "{path}: {words}");
            disk.change(&place, |bytes| bytes[offset] ^= 1);
        }
        disk.change(&place, |bytes| bytes.push(0));
        let fault = verify(&tiles(&disk), &checkpoint, None).expect_err("found");
        assert!(fault.to_string().contains(path), "{fault}");
        disk.change(&place, |bytes| bytes.truncate(bytes.len() - 1));
    }
    verify(&tiles(&disk), &checkpoint, None).expect("whole again");
}
