//! The witness against a log that keeps its word, and against one that does not.

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use jiff::Timestamp;
use proto::{
    act::Act,
    checkpoint::{Checkpoint, CheckpointError},
    cosignature::cosigned_at,
    cursor::Cursor,
    entry::{Actor, Entry},
    hex_bytes::HexBytes,
    merkle::{BadProof, Hash, TreeHead, consistency_subtrees, inclusion_subtrees},
    name::AgencyId,
    note::{KeyName, NoteKey},
    signing::SigningKey,
    witness::{Answer, Showing, Shown, Submission},
};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{
    acts::{MAXIMUM_DELAY, Overdue},
    cosigning::{Refused, Standing, Witness, WitnessFault},
    evidence::Evidence,
    gate::Stopped,
    own_act::OwnAct,
};
use crate::clock::Clock;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new([seed; 32]))
}

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

/// A log in memory; whoever has its key can write any number of histories.
struct Log(Vec<Vec<u8>>);

impl Log {
    fn of(entries: &[&str]) -> Self {
        Self(entries.iter().map(|entry| entry.as_bytes().to_vec()).collect())
    }

    fn root(&self, range: std::ops::Range<u64>) -> Hash {
        let leaves = &self.0[range.start as usize..range.end as usize];
        Hash::of_tree(&leaves.iter().map(|entry| Hash::of_leaf(entry)).collect::<Vec<_>>())
    }

    fn checkpoint(&self, size: u64) -> Checkpoint {
        let head = TreeHead { size, root: self.root(0..size) };
        Checkpoint::sign(&name("demo/log"), head, &key(1))
    }

    fn submission(&self, old_size: u64, size: u64) -> Submission {
        let subtrees = consistency_subtrees(old_size.min(size), size);
        Submission {
            old_size,
            proof: subtrees.into_iter().map(|range| self.root(range)).collect(),
            checkpoint: self.checkpoint(size).note().clone(),
        }
    }

    fn shown(&self, index: u64, size: u64) -> Shown {
        let proof = inclusion_subtrees(index, size).into_iter().map(|range| self.root(range));
        Shown { index, entry: self.0[index as usize].clone(), proof: proof.collect() }
    }
}

struct Adapter {
    directory: tempfile::TempDir,
    agency: AgencyId,
    key: SigningKey,
    clock: Clock,
}

impl Adapter {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Clock::manual("2026-11-27T00:00:00Z".parse().expect("a moment"));
        Self { directory, agency: name("aid"), key: key(2), clock }
    }

    /// Starts, also again.
    fn witness(&self) -> Witness {
        let stop = CancellationToken::new();
        Witness::open(self.directory.path(), self.clock.clone(), stop).expect("opened")
    }

    fn standing(&self) -> Standing<'_> {
        let log = NoteKey { name: name("demo/log"), key: key(1).verifying_key() };
        Standing { log, agency: &self.agency, name: self.name(), key: &self.key }
    }

    fn name(&self) -> KeyName {
        name("demo/aid")
    }

    fn add(&self, witness: &Witness, submission: &Submission) -> Result<Answer, Refused> {
        witness.add_checkpoint(&self.standing(), submission)
    }

    /// When the answer says that the checkpoint was cosigned.
    fn cosigned(&self, checkpoint: &Checkpoint, answer: Result<Answer, Refused>) -> Timestamp {
        let Ok(Answer::Cosignature(line)) = answer else { panic!("not cosigned: {answer:?}") };
        let mut checkpoint = checkpoint.clone();
        checkpoint.add(line);
        let witness = NoteKey { name: self.name(), key: self.key.verifying_key() };
        cosigned_at(&checkpoint, &witness).expect("the cosignature verifies")
    }

    fn pass(&self, time: Duration) {
        let time = jiff::SignedDuration::try_from(time).expect("short");
        self.clock.set(self.clock.now() + time);
    }

    fn cases(&self) -> usize {
        Evidence::new(self.directory.path()).cases().expect("read").len()
    }
}

fn known_size(answer: Result<Answer, Refused>) -> u64 {
    match answer {
        Ok(Answer::KnownSize(size)) => size,
        other => panic!("not told a size: {other:?}"),
    }
}

#[test]
fn a_checkpoint_that_continues_the_last_one_is_cosigned_and_becomes_the_last_one() {
    let (adapter, log) = (Adapter::new(), Log::of(&["a", "b", "c", "d", "e"]));
    let witness = adapter.witness();
    let mut last = 0;
    for size in [0, 2, 2, 5] {
        let answer = adapter.add(&witness, &log.submission(last, size));
        assert_eq!(adapter.cosigned(&log.checkpoint(size), answer), adapter.clock.now());
        last = size;
    }
    let stale = adapter.add(&adapter.witness(), &log.submission(2, 5));
    assert_eq!((known_size(stale), adapter.cases()), (5, 0));
}

#[test]
fn the_witness_refuses_what_is_not_the_logs_and_goes_on_serving() {
    let (adapter, log) = (Adapter::new(), Log::of(&["a", "b", "c", "d", "e"]));
    let witness = adapter.witness();
    adapter.add(&witness, &log.submission(0, 3)).expect("cosigned");
    let signed = |origin: &str, seed| {
        let head = TreeHead { size: 4, root: log.root(0..4) };
        let checkpoint = Checkpoint::sign(&name(origin), head, &key(seed)).note().clone();
        adapter.add(&witness, &Submission { checkpoint, ..log.submission(3, 4) })
    };
    let origin = signed("demo/other", 1);
    assert!(matches!(origin, Err(Refused::Checkpoint(CheckpointError::Origin { .. }))));
    let foreign = signed("demo/log", 9);
    assert!(matches!(foreign, Err(Refused::Checkpoint(CheckpointError::Signature))));
    let own = signed("demo/aid", 2);
    assert!(matches!(own, Err(Refused::Checkpoint(CheckpointError::Origin { .. }))));
    let larger = Submission { old_size: 5, ..log.submission(3, 4) };
    assert!(matches!(adapter.add(&witness, &larger), Err(Refused::OldSize)));
    let junk = Submission { proof: vec![Hash([0; 32])], ..log.submission(3, 3) };
    assert!(matches!(adapter.add(&witness, &junk), Err(Refused::Proof)));
    for old in [0, 2, 4] {
        assert_eq!(known_size(adapter.add(&witness, &log.submission(old, 4))), 3, "old {old}");
    }
    assert_eq!(known_size(adapter.add(&witness, &log.submission(1, 2))), 3, "going back");
    assert!(witness.gate.pass().is_ok() && adapter.cases() == 0);
    adapter.cosigned(&log.checkpoint(5), adapter.add(&witness, &log.submission(3, 5)));
}

/// Two histories with one beginning: the second one forgets "d".
fn histories() -> (Log, Log) {
    (Log::of(&["a", "b", "c", "d", "e", "f"]), Log::of(&["a", "b", "c", "x", "e", "f"]))
}

fn assert_stopped(adapter: &Adapter, witness: &Witness, log: &Log) {
    assert_eq!(witness.gate.pass().err(), Some(Stopped));
    let answer = adapter.add(witness, &log.submission(4, 5));
    assert!(matches!(answer, Err(Refused::Stopped(_))), "no cosignature either: {answer:?}");
}

#[test]
fn a_split_view_stops_serving_until_an_operator_has_reported_it() {
    let (one, other) = histories();
    // The same size with another root; and a longer log that does not continue the first.
    for contradiction in [other.submission(0, 4), other.submission(4, 6)] {
        let adapter = Adapter::new();
        let witness = adapter.witness();
        adapter.add(&witness, &one.submission(0, 4)).expect("cosigned");
        let served = witness.gate.pass().expect("open");
        let answer = adapter.add(&witness, &contradiction);
        assert!(matches!(answer, Err(Refused::Stopped(_))), "{answer:?}");
        assert!(served.is_cancelled(), "streams that were open end");
        assert_stopped(&adapter, &witness, &one);
        let restarted = adapter.witness();
        assert_stopped(&adapter, &restarted, &one);

        let cases = Evidence::new(adapter.directory.path()).cases().expect("read");
        assert_eq!(cases.len(), 1);
        let read = |file: &Path| fs::read_to_string(file).expect("there");
        assert_eq!(read(&cases[0].file), contradiction.to_string());
        assert_eq!(read(&cases[0].file.with_extension("known")), one.checkpoint(4).to_string());

        assert_eq!(Evidence::new(adapter.directory.path()).report().expect("written"), 1);
        for witness in [&witness, &restarted, &adapter.witness()] {
            assert!(witness.gate.pass().is_ok(), "serving again, without a restart too");
        }
        adapter.cosigned(&one.checkpoint(6), adapter.add(&witness, &one.submission(4, 6)));
        assert!(adapter.add(&restarted, &other.submission(6, 6)).is_err(), "another fork");
        assert_stopped(&adapter, &restarted, &one);
        assert_eq!(adapter.cases(), 2);
    }
}

#[test]
fn a_fork_whose_evidence_cannot_be_kept_stops_serving_all_the_same() {
    let (one, other) = histories();
    let adapter = Adapter::new();
    let witness = adapter.witness();
    adapter.add(&witness, &one.submission(0, 4)).expect("cosigned");
    let evidence = adapter.directory.path().join("evidence");
    fs::write(&evidence, "in the way").expect("written");
    assert!(adapter.add(&witness, &other.submission(0, 4)).is_err());
    fs::remove_file(&evidence).expect("removed");
    assert_stopped(&adapter, &witness, &one);
    let restarted = adapter.witness();
    assert!(restarted.gate.pass().is_ok());
    assert!(adapter.add(&restarted, &other.submission(4, 5)).is_err());
    assert_stopped(&adapter, &restarted, &one);
}

#[test]
fn a_crash_between_keeping_a_checkpoint_and_answering_does_no_harm() {
    let (adapter, log) = (Adapter::new(), Log::of(&["a", "b", "c"]));
    adapter.add(&adapter.witness(), &log.submission(0, 2)).expect("cosigned");
    // Kept, and the answer lost.
    adapter.add(&adapter.witness(), &log.submission(2, 3)).expect("cosigned");
    let witness = adapter.witness();
    assert_eq!(known_size(adapter.add(&witness, &log.submission(2, 3))), 3);
    adapter.cosigned(&log.checkpoint(3), adapter.add(&witness, &log.submission(3, 3)));
}

#[test]
fn what_cannot_be_kept_is_not_cosigned_and_a_damaged_memory_is_not_taken_for_none() {
    let (adapter, log) = (Adapter::new(), Log::of(&["a", "b", "c"]));
    let directory = adapter.directory.path().join("witness");
    let witness = adapter.witness();
    // Nothing is remembered there, and nothing can be written.
    symlink("nowhere", &directory).expect("linked");
    let refused = adapter.add(&witness, &log.submission(0, 2));
    assert!(matches!(refused, Err(Refused::Fault(_))), "{refused:?}");
    fs::remove_file(&directory).expect("removed");

    let witness = adapter.witness();
    adapter.add(&witness, &log.submission(0, 2)).expect("cosigned");
    let file = fs::read_dir(&directory).expect("listed").next().expect("one").expect("readable");
    fs::write(file.path(), "demo/log\n0\n").expect("written");
    let refused = adapter.add(&witness, &log.submission(0, 2));
    assert!(matches!(refused, Err(Refused::Fault(WitnessFault::Damaged { .. }))), "{refused:?}");
}

fn sync(version: u32) -> OwnAct {
    OwnAct::sync(1, &name("cars"), Cursor { log: [7; 16], version })
}

fn sync_entry(version: u32) -> String {
    let act = Act::SyncAccepted {
        agency: name("aid"),
        dataset: name("cars"),
        epoch: 1,
        log: HexBytes([7; 16]),
        version,
        rows: 1,
        deleted: 0,
    };
    let entry = Entry::new(Timestamp::UNIX_EPOCH, Actor::Gateway, act).to_bytes();
    String::from_utf8(entry).expect("text")
}

#[test]
fn an_own_act_that_is_not_in_the_log_is_told_and_only_a_proven_entry_settles_it() {
    let (adapter, entry) = (Adapter::new(), sync_entry(2));
    let log = Log::of(&["a", "b", &entry, "d", "e"]);
    let witness = adapter.witness();
    witness.note(sync(2)).expect("noted");
    adapter.add(&witness, &log.submission(0, 4)).expect("cosigned");
    adapter.pass(MAXIMUM_DELAY.unsigned_abs() + Duration::from_secs(1));
    assert_eq!(witness.overdue().expect("read").acts.len(), 1);

    let show = |size, from, shown: Vec<Shown>| {
        let showing = Showing { size, from, until: size, entries: shown };
        let shown = witness.show_entries(&adapter.standing(), &showing);
        shown.map(|answer| (answer.shown_until, answer.known_size))
    };
    let good = log.shown(2, 4);
    let elsewhere = Shown { index: 1, ..good.clone() };
    let other = Shown { entry: sync_entry(3).into_bytes(), ..good.clone() };
    for bad in [elsewhere, other, Shown { proof: vec![], ..good.clone() }] {
        let refused = show(4, 0, vec![log.shown(0, 4), bad]);
        let bad = BadProof::Inclusion;
        assert!(matches!(&refused, Err(Refused::Entry { source, .. }) if *source == bad));
    }
    // Of a checkpoint that was not cosigned, or beginning elsewhere: nothing is taken.
    assert_eq!(show(5, 0, vec![log.shown(2, 5)]).expect("told"), (0, 4));
    assert_eq!(show(4, 2, vec![good.clone()]).expect("told"), (0, 4));
    assert_eq!(witness.overdue().expect("read").acts.len(), 1);

    assert_eq!(show(4, 0, vec![good.clone()]).expect("taken"), (4, 4));
    assert_eq!(witness.overdue().expect("read"), Overdue::default());
    // What was shown once cannot account for another sending.
    witness.note(sync(2)).expect("noted");
    assert_eq!(show(4, 0, vec![good]).expect("told"), (4, 4));
    adapter.pass(MAXIMUM_DELAY.unsigned_abs() + Duration::from_secs(1));
    assert_eq!(adapter.witness().overdue().expect("read").acts.len(), 1, "also after a restart");
}
