//! The log's crash table, and what its journal keeps.

use proto::{edge::Edge, merkle::Hash};

use super::*;
use crate::{
    audit::{frame::NewFrame, journal::Journal, tile_files::TileFiles},
    disk::{crash_table::CrashTable, simulated::SimulatedDisk},
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

const TABLE: CrashTable<Seen> = CrashTable { life, start, starts_whole };

/// What a caller asks to be logged; another one gets the index where the first try failed.
fn asked(index: u64, again: bool) -> Vec<u8> {
    if again { format!("again {index}").into_bytes() } else { entry(index) }
}

/// A life of the log: it begins, fills more than a bundle, and stops with entries not sealed.
/// Whatever fails is asked for once more, as callers do.
fn life(disk: &Arc<SimulatedDisk>) -> Seen {
    let mut seen = Seen::default();
    // A start that failed is tried again, by whoever keeps the gateway running.
    let Ok(mut log) = Log::open(disk).or_else(|_| Log::open(disk)) else { return seen };
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

fn start(disk: &Arc<SimulatedDisk>) -> bool {
    Log::open(disk).is_ok_and(|mut log| log.seal().is_ok())
}

/// Starts on what is left and checks the promises.
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

#[test]
fn whenever_the_machine_dies_nothing_acknowledged_is_lost_and_nothing_forks() {
    let count = TABLE.operations();
    assert!(count > 80, "{count} operations are the whole table");
    TABLE.dies();
}

#[test]
fn a_machine_that_dies_again_while_it_starts_loses_nothing_either() {
    TABLE.dies_again(5);
}

#[test]
fn whatever_fails_once_is_made_good_and_nothing_half_written_counts() {
    TABLE.fails(|seen| seen.acknowledged.len() as u64 == seen.asked && seen.asked > 0);
}

#[test]
fn the_journal_keeps_every_entry_that_is_not_under_a_checkpoint() {
    let disk = Arc::new(SimulatedDisk::default());
    let directory = Path::new("/data/log.journal").to_owned();
    let mut journal = Journal::new(disk.clone(), directory.clone());
    // A segment each.
    let mut append = |first: u64, sealed| {
        let mut frame = NewFrame::new(first, Timestamp::UNIX_EPOCH, 0);
        (first..first + 100).for_each(|index| frame.push(&entry(index)).expect("short"));
        journal.append(&mut frame, sealed).expect("durable");
    };
    (0..4).for_each(|batch| append(batch * 100, 0));
    for (next, sealed, oldest) in [(400, 99, 0), (500, 100, 100), (600, 250, 200), (700, 700, 300)]
    {
        append(next, sealed);
        let names = disk.names(&directory).expect("there");
        let segments: Vec<u64> = names.iter().map(|name| name.parse().expect("an index")).collect();
        assert_eq!(segments, (oldest..=next).step_by(100).collect::<Vec<_>>(), "{sealed}");
        let replayed = Journal::new(disk.clone(), directory.clone()).replay(sealed);
        let entries = replayed.expect("nothing is lost").entries;
        assert_eq!(entries, (sealed..next + 100).map(entry).collect::<Vec<_>>());
    }
    (8..30).for_each(|batch| append(batch * 100, batch * 100));
    let kept = disk.names(&directory).expect("there").len();
    assert!(kept < 12, "{kept} files are more than become the next ones");
}
