//! What has killed logs before, one test each.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use jiff::Timestamp;

use super::*;
use crate::{
    audit::{log::AccessLog, log::Draft, tile_files::TileFiles},
    disk::simulated::SimulatedDisk,
};

fn disk() -> Arc<SimulatedDisk> {
    Arc::new(SimulatedDisk::default())
}

fn at(path: &str) -> PathBuf {
    Path::new(DATA_DIR).join(path)
}

fn tiles(disk: &Arc<SimulatedDisk>) -> TileFiles {
    TileFiles::on_disk(disk.clone(), at("log"))
}

/// A log of so many entries, all of them under one checkpoint.
fn sealed(disk: &Arc<SimulatedDisk>, size: u64) -> Log {
    let mut log = Log::open(disk).expect("opens");
    log.append(log.size()..size).expect("durable");
    log.seal().expect("sealed");
    log
}

fn refusal(disk: &Arc<SimulatedDisk>) -> OpenError {
    Log::open(disk).err().expect("refused")
}

#[test]
fn killer_1_a_rollback_from_a_backup_is_not_served() {
    let disk = disk();
    drop(sealed(&disk, 300));
    let whole = disk.copy_of(Path::new(DATA_DIR));
    let (log, signed) = (disk.copy_of(&at("log")), disk.copy_of(&at("log.checkpoint")));
    let newer = sealed(&disk, 310).checkpoint();
    let newest = disk.copy_of(Path::new(DATA_DIR));

    disk.put_back(&at("log"), log);
    let error = refusal(&disk);
    assert!(matches!(error, OpenError::NotAsSigned { size: 310, .. }), "{error}");
    let words = error.to_string();
    assert!(words.contains("backup") && words.contains("Put back the newest copy"), "{words}");

    disk.put_back(Path::new(DATA_DIR), newest);
    disk.put_back(&at("log.checkpoint"), signed);
    let error = refusal(&disk);
    let rolled_back =
        matches!(error, OpenError::SignedRolledBack { signed_size: 300, published_size: 310, .. });
    assert!(rolled_back, "{error}");

    // Where everything is put back together, whoever kept a checkpoint finds it: a witness, an
    // auditor.
    disk.put_back(Path::new(DATA_DIR), whole);
    let mut log = Log::open(&disk).expect("nothing on this disk contradicts it");
    let kept = newer.head();
    let found = verify(&tiles(&disk), &log.checkpoint(), Some(&kept)).expect_err("found");
    assert!(matches!(found, TreeFault::Cut { size: 300, kept: 310 }), "{found}");
    log.append(1000..1020).expect("durable");
    log.seal().expect("sealed");
    let found = verify(&tiles(&disk), &log.checkpoint(), Some(&kept)).expect_err("found");
    assert!(matches!(found, TreeFault::Rewritten { size: 310 }), "{found}");
}

#[test]
fn killer_1_a_log_without_its_last_signed_checkpoint_is_not_served() {
    let disk = disk();
    drop(sealed(&disk, 3));
    disk.remove(&at("log.checkpoint")).expect("removed");
    let error = refusal(&disk);
    assert!(matches!(error, OpenError::Unsigned { .. }), "{error}");
    assert!(error.to_string().contains("put the file back"), "{error}");
}

#[tokio::test]
async fn killer_2_a_second_writer_is_turned_away_while_the_first_one_has_the_log() {
    let disk = disk();
    let log = sealed(&disk, 3);
    let error = refusal(&disk);
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    drop(log);
    assert!(Log::open(&disk).is_ok());

    let dir = tempfile::tempdir().expect("directory");
    let open = || AccessLog::open(dir.path(), origin(), key(), Clock::system());
    let first = open().expect("opens");
    let error = open().err().expect("refused");
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("stop the other gateway first"), "{error}");
    first.close().await;
    open().expect("opens again").close().await;
}

#[test]
fn killer_3_a_bit_flip_is_found_when_it_is_read_and_by_verify_and_is_named() {
    let disk = disk();
    let log = sealed(&disk, 600);
    let tree = log.writer.shared.lock().tree.clone();
    let cases = [
        ("tile/entries/000", 40, "entry 4 was changed"),
        (
            "tile/entries/001",
            0,
            "tile/entries/001 was changed: it is not a bundle of entries 256 to 511",
        ),
        ("tile/entries/002.p/88", 40, "entry 515 was changed"),
        (
            "tile/0/001",
            3210,
            "tile/0/001 was changed: its hashes are not those of entries 256 to 511",
        ),
    ];
    for (path, offset, words) in cases {
        let path = at("log").join(path);
        let flip = || disk.change(&path, |bytes| bytes[offset] ^= 0x10);
        flip();
        let read = (0..3).map(|b| tree.entries(b * 256..((b + 1) * 256).min(600)));
        let fault = read.filter_map(Result::err).next().expect("found when it is read");
        assert!(fault.to_string().contains(words), "{fault}");
        let fault = verify(&tiles(&disk), &log.checkpoint(), None).expect_err("found by verify");
        assert!(fault.to_string().contains("was changed"), "{fault}");
        flip();
        verify(&tiles(&disk), &log.checkpoint(), None).expect("whole again");
    }
    // The right edge is held in memory; a start reads it.
    drop(log);
    for path in ["tile/entries/002.p/88", "tile/0/002.p/88", "tile/1/000.p/2"] {
        let flip = || disk.change(&at("log").join(path), |bytes| bytes[40] ^= 0x10);
        flip();
        let error = refusal(&disk);
        assert!(matches!(error, OpenError::NotAsSigned { size: 600, .. }), "{error}");
        flip();
        drop(Log::open(&disk).expect("whole again"));
    }
    disk.change(&at("log.checkpoint"), |bytes| bytes[20] ^= 1);
    let error = refusal(&disk);
    assert!(matches!(error, OpenError::Checkpoint { .. }), "{error}");
}

#[test]
fn killer_3_a_bit_flip_in_the_journal_names_the_entries_that_are_lost() {
    let disk = disk();
    let mut log = sealed(&disk, 5);
    for batch in [5..8, 8..10, 10..11] {
        log.append(batch).expect("durable");
    }
    drop(log);
    let before = disk.copy_of(Path::new(DATA_DIR));
    let segment = at("log.journal/00000000000000000000");
    let of_batch = |disk: &SimulatedDisk, number: u64| {
        let bytes = disk.read(&segment).expect("the segment");
        let text = entry(number);
        bytes.windows(text.len()).position(|window| window == text).expect("the entry is there")
    };
    let offset = of_batch(&disk, 6);
    disk.change(&segment, |bytes| bytes[offset] ^= 1);
    let error = refusal(&disk);
    assert!(error.to_string().contains("has lost entries 5 to 7"), "{error}");

    // What is under the checkpoint is not needed from the journal any more.
    disk.put_back(Path::new(DATA_DIR), before);
    let offset = of_batch(&disk, 2);
    disk.change(&segment, |bytes| bytes[offset] ^= 1);
    assert_eq!(Log::open(&disk).expect("opens").size(), 11);
}

#[test]
fn killer_4_a_full_disk_is_told_to_the_caller_and_room_is_enough_to_go_on() {
    let disk = disk();
    let mut log = sealed(&disk, 3);
    log.append(3..5).expect("durable");
    disk.fill(true);
    for _ in 0..3 {
        assert!(matches!(log.append(5..6), Err(AppendError::Disk(_))));
        assert!(log.seal().is_err());
    }
    assert_eq!((log.size(), log.checkpoint().size()), (5, 3), "nothing half-written counts");
    disk.fill(false);
    assert_eq!(log.append(5..6), Ok(5..6));
    log.seal().expect("sealed");
    let entries = verify(&tiles(&disk), &log.checkpoint(), None).expect("whole");
    assert_eq!(entries, (0..6).map(entry).collect::<Vec<_>>());
    drop(log);
    assert_eq!(Log::open(&disk).expect("opens").size(), 6);
}

/// An entry that is its time.
struct Now;

impl Draft for Now {
    fn stamped(self: Box<Self>, at: Timestamp) -> Vec<u8> {
        at.to_string().into_bytes()
    }
}

#[tokio::test]
async fn killer_5_a_clock_that_goes_back_does_not_take_the_log_with_it() {
    let dir = tempfile::tempdir().expect("directory");
    let second = |second| Timestamp::from_second(second).expect("a time");
    let mut times = Vec::new();
    for clock in [[100, 50, 101], [20, 30, 102]] {
        let (hand, now) = Clock::manual(second(clock[0]));
        let log = AccessLog::open(dir.path(), origin(), key(), now).expect("opens");
        for shown in clock {
            hand.send_replace(second(shown));
            let range = log.append(vec![Now]).await.expect("durable");
            let bytes = log.entry(range.start).await.expect("read");
            let text = String::from_utf8(bytes).expect("a time");
            times.push(text.parse::<Timestamp>().expect("a time").as_second());
        }
        log.close().await;
    }
    assert_eq!(times, [100, 100, 101, 101, 101, 102]);
}

#[test]
fn killer_6_a_stale_tile_is_not_built_upon_or_handed_out() {
    let disk = disk();
    let log = sealed(&disk, 300);
    let stale = |path: &str| disk.read(&at("log").join(path)).expect("there");
    let (older, older_above) = (stale("tile/0/001.p/44"), stale("tile/1/000.p/1"));
    drop(log);
    let log = sealed(&disk, 600);
    let tree = log.writer.shared.lock().tree.clone();
    // A read of a full tile gives what the partial one was.
    let fresh = stale("tile/0/001");
    disk.change(&at("log/tile/0/001"), |bytes| bytes.clone_from(&older));
    let fault = tree.entries(256..300).expect_err("found");
    assert!(matches!(fault, TreeFault::Malformed { .. }), "{fault}");
    let fault = tree.inclusion(0, 600).map(drop).and(tree.inclusion(300, 600)).expect_err("found");
    assert!(fault.to_string().contains("tile/0/001"), "{fault}");
    disk.change(&at("log/tile/0/001"), |bytes| *bytes = fresh);
    drop(log);
    // A start gives the edge as it was before.
    disk.change(&at("log/tile/1/000.p/2"), |bytes| *bytes = older_above.repeat(2));
    let error = refusal(&disk);
    assert!(matches!(error, OpenError::NotAsSigned { size: 600, .. }), "{error}");
}

#[tokio::test]
async fn a_published_checkpoint_that_is_stale_or_damaged_is_published_anew() {
    let dir = tempfile::tempdir().expect("directory");
    let open = || AccessLog::open(dir.path(), origin(), key(), Clock::system()).expect("opens");
    let published = dir.path().join("log/checkpoint");
    let log = open();
    let older = std::fs::read(&published).expect("there");
    log.append(vec![entry(0)]).await.expect("durable");
    log.close().await;
    let newer = std::fs::read(&published).expect("there");
    for bytes in [older, vec![], b"garbage".to_vec()] {
        std::fs::write(&published, bytes).expect("written");
        open().close().await;
        assert_eq!(std::fs::read(&published).expect("there"), newer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_checkpoints_are_signed_within_a_second_and_none_where_nothing_changed() {
    let dir = tempfile::tempdir().expect("directory");
    let log = AccessLog::open(dir.path(), origin(), key(), Clock::system()).expect("opens");
    let mut checkpoints = log.checkpoints();
    let writer = log.clone();
    let writing = tokio::spawn(async move {
        loop {
            writer.append(vec![entry(0)]).await.expect("durable");
        }
    });
    // When each was written, and not when this test came to see it.
    let published = dir.path().join("log/checkpoint");
    let mut signed = BTreeSet::new();
    while signed.len() < 3 {
        checkpoints.changed().await.expect("the log is open");
        let file = std::fs::metadata(&published).expect("there");
        signed.insert(file.modified().expect("a time"));
    }
    writing.abort();
    for pair in signed.iter().collect::<Vec<_>>().windows(2) {
        let between = pair[1].duration_since(*pair[0]).expect("later");
        assert!(between > Duration::from_millis(900), "{signed:?}");
    }
    let sealed = checkpoints.wait_for(|checkpoint| checkpoint.size() == log.size()).await;
    let bytes = sealed.expect("the log is open").to_string();
    log.close().await;
    assert_eq!(log.checkpoint().to_string(), bytes);
}
