//! What a crash, a full disk, a copy or a loss does to what was counted.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
};

use proptest::{prelude::*, test_runner::TestCaseError};

use super::*;
use crate::{checked_lines::LinesError, disk::faults, key_holder::journal::FILE};

const QUOTA: u64 = 1000;

fn batch(requester: &str, number: u64, elements: u64, content: u8) -> Batch {
    let requester = requester.parse().expect("a name");
    Batch { epoch: 1, requester, number, elements, digest: [content; 32] }
}

fn begun() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    Journal::begin(directory.path(), Timestamp::UNIX_EPOCH).expect("begun");
    directory
}

fn book(ledger: &Ledger, batch: Batch) -> Result<Standing, LedgerError> {
    ledger.book(batch, QUOTA, Timestamp::UNIX_EPOCH)
}

fn used(directory: &Path) -> u64 {
    let (usage, read) = Ledger::usage(directory);
    read.expect("readable");
    usage.iter().map(|account| account.used).sum()
}

#[test]
fn what_was_counted_is_counted_after_a_restart_and_readable_meanwhile() {
    let directory = begun();
    let ledger = Ledger::open(directory.path()).expect("opened");
    assert_eq!(book(&ledger, batch("aid", 7, 600, 1)).expect("counted"), Standing::New);
    assert!(matches!(
        Ledger::open(directory.path()),
        Err(JournalError::Lines(LinesError::Held(_)))
    ));
    assert_eq!(used(directory.path()), 600, "while it is open");
    drop(ledger);
    let ledger = Ledger::open(directory.path()).expect("opened");
    assert_eq!(book(&ledger, batch("aid", 7, 600, 1)).expect("free"), Standing::Replay);
    let over = book(&ledger, batch("aid", 8, 600, 2)).expect_err("refused").to_string();
    assert!(over.contains("600 of 1000"), "{over}");
    assert_eq!(book(&ledger, batch("tax", 8, 600, 2)).expect("its own"), Standing::New);
}

#[test]
fn a_line_that_was_never_finished_is_cut_off_and_a_changed_one_is_refused() {
    let directory = begun();
    let path = directory.path().join(FILE);
    drop(Ledger::open(directory.path()).map(|ledger| book(&ledger, batch("aid", 1, 5, 1))));
    let whole = fs::read(&path).expect("readable");
    for torn in [&b"2026-11-27T00:00:00Z evalu"[..], b"\0\0\0\0"] {
        let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
        file.write_all(torn).expect("written");
        assert_eq!(used(directory.path()), 5, "shown without it");
        drop(Ledger::open(directory.path()).expect("opened"));
        assert!(fs::read(&path).expect("readable") == whole, "cut off");
    }
    let text = String::from_utf8(whole).expect("text").replace("aid 1 5", "aid 1 4");
    fs::write(&path, text).expect("written");
    let refused = Ledger::open(directory.path()).err().expect("refused").to_string();
    assert!(refused.contains("line 2"), "{refused}");
}

#[test]
fn a_copy_or_a_lost_journal_is_gone_on_with_only_when_somebody_says_so() {
    let directory = begun();
    let (path, copy) = (directory.path().join(FILE), directory.path().join("copy"));
    drop(Ledger::open(directory.path()).map(|ledger| book(&ledger, batch("aid", 1, 5, 1))));
    fs::copy(&path, &copy).expect("copied");
    fs::rename(&copy, &path).expect("restored");
    let refused = Ledger::open(directory.path()).err().expect("refused");
    assert!(matches!(refused, JournalError::Copied(_)), "{refused}");
    assert!(refused.to_string().contains("key-holder resume"), "{refused}");
    Journal::resume(directory.path(), Timestamp::UNIX_EPOCH).expect("resumed");
    let ledger = Ledger::open(directory.path()).expect("opened");
    assert_eq!(book(&ledger, batch("aid", 1, 5, 1)).expect("known"), Standing::Replay);
    let from_the_future = batch("aid", 1_764_230_400_000, 5, 2);
    assert_eq!(book(&ledger, from_the_future).expect("counted"), Standing::New);
    drop(ledger);

    fs::remove_file(&path).expect("lost");
    let refused = Ledger::open(directory.path()).err().expect("refused");
    assert!(matches!(refused, JournalError::Lost(_)), "{refused}");
    Journal::resume(directory.path(), Timestamp::UNIX_EPOCH).expect("resumed");
    assert_eq!(used(directory.path()), 0);
    let text = fs::read_to_string(&path).expect("readable");
    assert!(text.contains(" resumed "), "an auditor sees it: {text}");
}

/// Batches that were counted, and those that were at least asked for.
#[derive(Default)]
struct Asked {
    counted: Vec<u64>,
    all: Vec<u64>,
}

#[test]
fn whatever_the_disk_fails_at_nothing_counted_is_forgotten() {
    let live = |directory: &Path, asked: &mut Asked| {
        let begin = || Journal::begin(directory, Timestamp::UNIX_EPOCH);
        if begin().or_else(|_| begin()).is_err() {
            return;
        }
        let Ok(ledger) = Ledger::open(directory).or_else(|_| Ledger::open(directory)) else {
            return;
        };
        for number in 1..4 {
            asked.all.push(number);
            let again = |_| book(&ledger, batch("aid", number, 10, 1));
            if book(&ledger, batch("aid", number, 10, 1)).or_else(again).is_ok() {
                asked.counted.push(number);
            }
        }
    };
    let open = |directory: &Path| drop(Ledger::open(directory));
    let check = |directory: &Path, asked: &Asked, what: &str| {
        Journal::begin(directory, Timestamp::UNIX_EPOCH).expect(what);
        let ledger = Ledger::open(directory).expect(what);
        let used = used(directory);
        let range = asked.counted.len() as u64 * 10..=asked.all.len() as u64 * 10;
        assert!(range.contains(&used), "{what}: {used} were used, and {range:?} may be");
        for number in &asked.counted {
            let standing = book(&ledger, batch("aid", *number, 10, 1)).expect(what);
            assert_eq!(standing, Standing::Replay, "{what}: batch {number}");
        }
        assert_eq!(book(&ledger, batch("aid", 9, 10, 1)).expect(what), Standing::New, "{what}");
        drop(ledger);
        drop(Ledger::open(directory).expect(what));
    };
    faults::everywhere(live, open, check);
}

/// What the holder is asked to do, or what happens to it.
#[derive(Debug, Clone)]
enum Step {
    Ask {
        agency: usize,
        number: u64,
        elements: u64,
        content: u8,
    },
    /// The line is on the disk; the answer was not sent, since the power went.
    CrashBeforeAnswer {
        agency: usize,
        number: u64,
        elements: u64,
        content: u8,
    },
    /// The power went while the line was written: so much of it is there.
    CrashInTheLine {
        agency: usize,
        number: u64,
        elements: u64,
        content: u8,
        written: u16,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ask = || (0..2_usize, 1..12_u64, 1..200_u64, 0..3_u8);
    let step = prop_oneof![
        4 => ask().prop_map(|(agency, number, elements, content)| Step::Ask { agency, number, elements, content }),
        1 => ask().prop_map(|(agency, number, elements, content)| {
            Step::CrashBeforeAnswer { agency, number, elements, content }
        }),
        1 => (ask(), any::<u16>()).prop_map(|((agency, number, elements, content), written)| {
            Step::CrashInTheLine { agency, number, elements, content, written }
        }),
    ];
    proptest::collection::vec(step, 1..40)
}

/// The whole truth, kept simply: per agency the batches that were counted.
type Model = [BTreeMap<u64, (u64, u8)>; 2];

fn expected(
    model: &Model,
    agency: usize,
    number: u64,
    elements: u64,
    content: u8,
) -> Option<Standing> {
    match model[agency].get(&number) {
        Some((_, same)) if *same == content => Some(Standing::Replay),
        Some(_) => None,
        None => {
            let used: u64 = model[agency].values().map(|(elements, _)| elements).sum();
            (used + elements <= QUOTA).then_some(Standing::New)
        }
    }
}

fn check(directory: &Path, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let path = directory.join(FILE);
    let mut model = Model::default();
    let mut ledger = Ledger::open(directory).expect("opened");
    for step in steps {
        let (agency, number, elements, content) = match step {
            Step::Ask { agency, number, elements, content }
            | Step::CrashBeforeAnswer { agency, number, elements, content }
            | Step::CrashInTheLine { agency, number, elements, content, .. } => {
                (agency, number, elements, content)
            }
        };
        let name = ["aid", "tax"][agency];
        let expected = expected(&model, agency, number, elements, content);
        let asked = batch(name, number, elements, content);
        let before = fs::metadata(&path).expect("there").len();
        let got = book(&ledger, asked).ok();
        prop_assert_eq!(got, expected);
        let after = fs::metadata(&path).expect("there").len();
        prop_assert_eq!(after > before, got == Some(Standing::New), "a line for each new batch");
        let mut counted = got == Some(Standing::New);
        match step {
            Step::Ask { .. } => {}
            Step::CrashBeforeAnswer { .. } => {
                drop(ledger);
                ledger = Ledger::open(directory).expect("opened");
            }
            Step::CrashInTheLine { written, .. } => {
                drop(ledger);
                if counted {
                    let left = before + u64::from(written) % (after - before);
                    let file = OpenOptions::new().write(true).open(&path).expect("opened");
                    file.set_len(left).expect("cut");
                    counted = false;
                }
                ledger = Ledger::open(directory).expect("opened");
            }
        }
        if counted {
            model[agency].insert(number, (elements, content));
        }
        let used: u64 = model.iter().flat_map(BTreeMap::values).map(|(elements, _)| elements).sum();
        let (usage, _) = Ledger::usage(directory);
        prop_assert_eq!(usage.iter().map(|account| account.used).sum::<u64>(), used);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn nothing_counted_is_forgotten_or_counted_twice_wherever_the_power_goes(steps in steps()) {
        let directory = begun();
        check(directory.path(), steps)?;
    }
}
