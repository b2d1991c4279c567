//! The log's crash table, and what its journal keeps.

use std::time::{Duration, Instant};

use proto::{edge::Edge, merkle::Hash};

use super::*;
use crate::{
    audit::{
        frame::NewFrame,
        journal::Journal,
        state::{AHEAD, Work},
        tile_files::TileFiles,
    },
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

/// What the sealer does after a batch.
#[derive(Clone, Copy)]
enum Then {
    Rests,
    WritesAhead,
    Seals,
}

/// A life of the log: it begins, fills more than a bundle, and stops with entries not sealed.
/// Whatever fails is asked for once more, as callers do.
fn life(disk: &Arc<SimulatedDisk>) -> Seen {
    let mut seen = Seen::default();
    // A start that failed is tried again, by whoever keeps the gateway running.
    let Ok(mut log) = Log::open(disk).or_else(|_| Log::open(disk)) else { return seen };
    for (count, then) in [
        (1, Then::Seals),
        (2, Then::Rests),
        (250, Then::Seals),
        (10, Then::Seals),
        (300, Then::Seals),
        (300, Then::WritesAhead),
        (1, Then::Seals),
        (170, Then::WritesAhead),
        (2, Then::Rests),
    ] {
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
        let _ = match then {
            Then::Rests => Ok(()),
            Then::WritesAhead => log.write_ahead().or_else(|_| log.write_ahead()),
            Then::Seals => log.seal().or_else(|_| log.seal()),
        };
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
fn tiles_that_were_written_ahead_count_once_they_are_under_a_checkpoint() {
    let disk = Arc::new(SimulatedDisk::default());
    let mut log = Log::open(&disk).expect("opens");
    log.append(0..600).expect("durable");
    log.write_ahead().expect("written");
    let names = |path: &str| disk.names(&Path::new("/data/log/tile").join(path)).expect("there");
    assert_eq!(
        (names("entries"), names("0")),
        (vec!["000".into(), "001".into()], names("entries"))
    );
    assert_eq!(log.checkpoint().size(), 0);
    let before = disk.operations();
    log.write_ahead().expect("nothing is to be written");
    assert_eq!(disk.operations(), before);
    log.append(600..768).expect("durable");
    log.seal().expect("sealed");
    assert_eq!(log.checkpoint().size(), 768);
    let tiles = TileFiles::on_disk(disk.clone(), "/data/log".into());
    verify(&tiles, &log.checkpoint(), None).expect("whole");
    drop(log);
    assert_eq!(Log::open(&disk).expect("opens").size(), 768);
}

#[test]
fn the_sealer_writes_tiles_before_a_checkpoint_is_due_and_none_after_a_failure() {
    let disk = Arc::new(SimulatedDisk::default());
    let mut log = Log::open(&disk).expect("opens");
    let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(3600));
    log.append(0..AHEAD).expect("durable");
    let shared = log.writer.shared.clone();
    assert_eq!(shared.wait_for_work(later, true), Some(Work::Tiles));
    assert_eq!(shared.wait_for_work(now, false), Some(Work::Checkpoint));
    log.write_ahead().expect("written");
    assert_eq!(shared.wait_for_work(now, true), Some(Work::Checkpoint));
    shared.close();
    assert_eq!(shared.wait_for_work(later, true), Some(Work::LastCheckpoint));
    log.seal().expect("sealed");
    assert_eq!(shared.wait_for_work(later, true), None);
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

#[test]
fn what_a_segments_file_has_from_before_it_was_one_does_not_count() {
    let disk = Arc::new(SimulatedDisk::default());
    let append = |journal: &mut Journal, indices: Range<u64>, sealed, again| {
        let mut frame = NewFrame::new(indices.start, Timestamp::UNIX_EPOCH, 0);
        indices.for_each(|index| frame.push(&asked(index, again)).expect("short"));
        journal.append(&mut frame, sealed).expect("durable");
    };
    let journal = || Journal::new(disk.clone(), "/data/log.journal".into());
    let mut before = journal();
    append(&mut before, 0..3, 0, false);
    // Its callers were told that it failed, and yet it is whole.
    append(&mut before, 3..103, 0, false);
    let mut after = journal();
    append(&mut after, 3..100, 0, true);
    append(&mut after, 100..101, 100, true);
    let replayed = journal().replay(100).expect("nothing is lost");
    assert_eq!(replayed.entries, [asked(100, true)]);
    assert!(!replayed.torn);
}
