//! The crash table: the machine dies at every operation, in every way, and starts again, and dies
//! again while it starts; or the disk fails at every operation and the log goes on.

use std::io::ErrorKind;

use proto::{edge::Edge, merkle::Hash};

use super::*;
use crate::{
    audit::{journal::Journal, tile_files::TileFiles},
    disk::simulated::{Fault, How, SimulatedDisk, Unsynced},
};

/// What callers were told and what readers saw before the machine died.
#[derive(Default)]
struct Seen {
    /// The entries that were acknowledged.
    acknowledged: Vec<Vec<u8>>,
    /// How many were asked for.
    asked: u64,
    /// Checkpoints that were published.
    checkpoints: Vec<Checkpoint>,
}

const HOWS: [How; 3] = [How::NotDone, How::Done, How::Torn];
const LEFTOVERS: [Unsynced; 3] = [Unsynced::Gone, Unsynced::Kept, Unsynced::Torn];

/// What a caller asks to be logged; another one gets the index where the first try failed.
fn asked(index: u64, again: bool) -> Vec<u8> {
    if again { format!("again {index}").into_bytes() } else { entry(index) }
}

/// A life of the log: it begins, fills more than a bundle, and stops with entries not sealed.
/// Whatever fails is asked for once more, as callers do.
fn life(disk: &Arc<SimulatedDisk>) -> Seen {
    let mut seen = Seen::default();
    let Ok(mut log) = Log::open(disk) else { return seen };
    for (count, seal) in
        [(1, true), (2, false), (250, true), (10, true), (300, true), (1, false), (2, false)]
    {
        for again in [false, true] {
            let indices = log.size()..log.size() + count;
            seen.asked = seen.asked.max(indices.end);
            let entries: Vec<_> = indices.clone().map(|index| asked(index, again)).collect();
            if let Ok(range) = log.append_bytes(entries.clone()) {
                assert_eq!(range, indices);
                seen.acknowledged.truncate(range.start as usize);
                seen.acknowledged.extend(entries);
                break;
            }
        }
        if seal && log.seal().is_err() {
            let _ = log.seal();
        }
        let published = disk.read(Path::new("/data/log/checkpoint"));
        if let Ok(bytes) = published
            && let Ok(text) = String::from_utf8(bytes)
            && let Ok(checkpoint) = Checkpoint::open(&text, &log_key())
        {
            seen.checkpoints.push(checkpoint);
        }
        seen.checkpoints.push(Checkpoint::clone(&log.checkpoint()));
    }
    seen
}

/// Starts on what is left and checks the promises; returns the log for what comes next.
fn starts_whole(disk: &Arc<SimulatedDisk>, seen: &Seen, what: &str) {
    let mut log = Log::open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    let size = log.size();
    assert!(size <= seen.asked, "{what}: nothing is made up");
    log.append(size..size + 1).unwrap_or_else(|error| panic!("{what}: {error}"));
    log.seal().unwrap_or_else(|error| panic!("{what}: {error}"));
    let checkpoint = log.checkpoint();
    assert_eq!(checkpoint.size(), size + 1, "{what}");
    let tiles = TileFiles::on_disk(disk.clone(), "/data/log".into());
    let entries = verify(&tiles, &checkpoint, None).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(entries.starts_with(&seen.acknowledged), "{what}: acknowledged entries are lost");
    for (index, entry) in (0..).zip(&entries) {
        assert!([asked(index, false), asked(index, true)].contains(entry), "{what}: {index}");
    }
    let mut edge = Edge::new();
    for entry in &entries {
        for seen in seen.checkpoints.iter().filter(|seen| seen.size() == edge.size()) {
            assert_eq!(seen.head(), edge.head(), "{what}: a fork");
        }
        edge.push(Hash::of_leaf(entry), &mut |_, _| ());
    }
    assert!(seen.checkpoints.iter().all(|seen| seen.size() <= size), "{what}: cut");
}

fn operations(of: impl FnOnce(&Arc<SimulatedDisk>)) -> usize {
    let disk = Arc::new(SimulatedDisk::default());
    of(&disk);
    disk.operations()
}

#[test]
fn whenever_the_machine_dies_nothing_acknowledged_is_lost_and_nothing_forks() {
    let count = operations(|disk| drop(life(disk)));
    assert!(count > 80, "{count} operations are the whole table");
    for at in 0..count {
        for how in HOWS {
            let disk = Arc::new(SimulatedDisk::default().with_fault(at, Fault::Dies(how)));
            let seen = life(&disk);
            for unsynced in LEFTOVERS {
                let what = format!("dies at {at} ({how:?}), unsynced {unsynced:?}");
                starts_whole(&Arc::new(disk.restarted(unsynced)), &seen, &what);
            }
        }
    }
}

#[test]
fn a_machine_that_dies_again_while_it_starts_loses_nothing_either() {
    let count = operations(|disk| drop(life(disk)));
    for at in (0..count).step_by(5) {
        let disk = Arc::new(SimulatedDisk::default().with_fault(at, Fault::Dies(How::Torn)));
        let seen = life(&disk);
        let first = [Unsynced::Gone, Unsynced::Torn][at % 2];
        for again in 0.. {
            let how = HOWS[again % 3];
            let disk = disk.restarted(first).with_fault(again, Fault::Dies(how));
            let disk = Arc::new(disk);
            let sealed = Log::open(&disk).and_then(|mut log| {
                log.seal().map_err(|error| OpenError::Disk { path: "tiles".into(), error })
            });
            let what = format!("dies at {at}, and at {again} ({how:?}) of the start");
            let unsynced = LEFTOVERS[(at + again) % 3];
            starts_whole(&Arc::new(disk.restarted(unsynced)), &seen, &what);
            if sealed.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn whatever_fails_once_is_made_good_and_nothing_half_written_counts() {
    let count = operations(|disk| drop(life(disk)));
    for at in 0..count {
        let fails = Fault::Fails(ErrorKind::StorageFull);
        let disk = Arc::new(SimulatedDisk::default().with_fault(at, fails));
        let mut seen = life(&disk);
        // A start that failed is tried again, by whoever keeps the gateway running.
        if seen.asked == 0 {
            seen = life(&disk);
        }
        let acknowledged = seen.acknowledged.len() as u64;
        assert_eq!(acknowledged, seen.asked, "fails at {at}: the second try works");
        for unsynced in LEFTOVERS {
            let what = format!("fails at {at}, then unsynced {unsynced:?}");
            starts_whole(&Arc::new(disk.restarted(unsynced)), &seen, &what);
        }
    }
}

#[test]
fn the_journal_keeps_every_entry_that_is_not_under_a_checkpoint() {
    let disk = Arc::new(SimulatedDisk::default());
    let mut log = Log::open(&disk).expect("opens");
    let directory = Path::new("/data/log.journal").to_owned();
    for batch in [0..100, 100..200, 200..300, 300..400] {
        log.append(batch).expect("durable");
    }
    assert_eq!(disk.names(&directory).expect("there").len(), 4, "a segment each");
    for (sealed, segments) in [(99, 4), (100, 3), (250, 2), (400, 1)] {
        Journal::trim(&*disk, &directory, sealed).expect("trimmed");
        assert_eq!(disk.names(&directory).expect("there").len(), segments, "{sealed}");
        let replayed = Journal::new(disk.clone(), directory.clone()).replay(sealed);
        let entries = replayed.expect("nothing is lost").entries;
        assert_eq!(entries, (sealed..400).map(entry).collect::<Vec<_>>());
    }
}
