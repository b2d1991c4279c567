//! An auditor against a gateway that answers honestly, and against one that lies in every way.

mod search;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use gateway::{audit::log::AccessLog, clock::Clock};
use jiff::SignedDuration;
use proto::{
    act::Act,
    checkpoint::Checkpoint,
    cosignature::cosign,
    entry::{Actor, Entry},
    hex_bytes::HexBytes,
    note::NoteKey,
    quorum::{origin, witness_name},
    signed_manifest::SignedManifest,
    verifier_key::{self, Signs},
};

use super::{
    answer::{Answer, Found, ask},
    csv,
    filter::Chosen,
    liar::{Liar, Lie, at, entries, key, name},
    report::days,
    trust::Auditor,
    *,
};
use crate::{
    arguments::Keys,
    failure::{Failure, UNPROVEN, USAGE},
    output::{Form, tests::screen},
    words::Lang,
};

/// An auditor's desk: a manifest, and what was kept.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a directory"));
        desk.write_manifest(0x21);
        desk
    }

    /// The manifest that names this key of the log.
    fn write_manifest(&self, log: u8) {
        let public = |seed| hex::encode(key(seed).verifying_key().0);
        let example = include_str!("../../../../proto/vectors/federation.toml");
        assert!(example.contains(&public(0x21)), "the log's key");
        let text = example.replace(&public(0x21), &public(log));
        let mut signed = SignedManifest::parse(&text).expect("a manifest");
        for (holder, seed) in [("aid", 1), ("police", 2)] {
            signed.sign(&name(holder), &key(seed)).expect("a holder");
        }
        std::fs::write(self.path("federation.toml"), signed.to_string()).expect("written");
    }

    fn manifest(&self) -> Keys {
        Keys { manifest: Some(self.path("federation.toml")), ..Keys::default() }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn auditor(&self) -> Auditor {
        let auditor = self.with_keys(self.manifest());
        auditor.unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    fn with_keys(&self, keys: Keys) -> Result<Auditor, Failure> {
        Auditor::find(&Keys { state: Some(self.path("kept")), ..keys }, None, None)
    }

    /// The same keys as in the manifest, each in a file.
    fn keys_in_files(&self, log: u8) -> Keys {
        let write = |agency: &str, seed, signs| {
            let (name, key) = (name(&format!("demo/{agency}")), key(seed).verifying_key());
            let path = self.path(&format!("{agency}.vkey"));
            let line = verifier_key::line(&NoteKey { name, key }, signs);
            std::fs::write(&path, format!("{line}\n")).expect("written");
            path
        };
        let witnesses = [("aid", 0x11), ("police", 0x12)];
        Keys {
            log_key: Some(write("log", log, Signs::Log)),
            witness_key: witnesses.map(|(id, seed)| write(id, seed, Signs::Witness)).to_vec(),
            quorum: Some(2),
            ..Keys::default()
        }
    }

    async fn ask(&self, liar: Liar, chosen: &Chosen) -> Result<Answer, Failure> {
        ask(&mut liar.serve().await, &self.auditor(), chosen).await
    }
}

fn middle() -> Chosen {
    Chosen { from: Some(at(10)), until: Some(at(20)), ..Chosen::default() }
}

#[tokio::test]
async fn an_honest_answer_is_taken_and_its_checkpoint_kept() {
    let desk = Desk::new();
    let answer = desk.ask(Liar::with(40, Lie::Nothing), &middle()).await.expect("proved");
    let found: Vec<u64> = answer.found.iter().map(|found| found.index).collect();
    assert_eq!(found, (10..20).collect::<Vec<u64>>());
    assert_eq!((answer.looked, answer.checkpoint.size()), (10, 40));
    assert!(desk.auditor().witnessed(&answer.checkpoint).is_enough());
    assert_eq!(desk.auditor().kept().size(), 40);
    let all = desk.ask(Liar::with(45, Lie::Nothing), &Chosen::default()).await.expect("proved");
    assert_eq!((all.found.len(), desk.auditor().kept().size()), (45, 45));
    let later = Chosen { from: Some(at(9000)), ..Chosen::default() };
    let none = desk.ask(Liar::with(45, Lie::Nothing), &later).await.expect("proved");
    assert_eq!(none.found, []);
}

#[tokio::test]
async fn a_gateway_that_leaves_an_entry_out_or_changes_one_is_not_believed() {
    for lie in [
        Lie::LeavesOut(0),
        Lie::LeavesOut(5),
        Lie::LeavesOut(11),
        Lie::LeavesOutAndMovesTheEnd,
        Lie::Changes(4),
        Lie::BeginsLate,
        Lie::EndsEarly,
        Lie::Swaps(3),
        Lie::AnotherLog,
    ] {
        let desk = Desk::new();
        let refused = desk.ask(Liar::with(40, lie), &middle()).await.err();
        let refused = refused.unwrap_or_else(|| panic!("{lie:?} was believed"));
        assert!(matches!(refused, Failure::Unproven(_)), "{lie:?}: {refused:?}");
        assert_eq!(refused.exit_code(), UNPROVEN);
    }
}

#[tokio::test]
async fn a_log_that_was_rewritten_or_cut_is_a_fork_and_both_checkpoints_are_evidence() {
    let desk = Desk::new();
    desk.ask(Liar::with(40, Lie::Nothing), &middle()).await.expect("proved");
    let kept = std::fs::read_to_string(desk.path("kept")).expect("kept");

    let mut rewritten = entries(45);
    rewritten[3] = Entry::new(at(2), Actor::Gateway, Act::PolicyRead {}).to_bytes();
    let rewritten = Liar { entries: Arc::new(rewritten), lie: Lie::Nothing };
    for other in [rewritten, Liar::with(39, Lie::Nothing)] {
        let size = other.size();
        let failure = desk.ask(other, &middle()).await.err().expect("a fork");
        let Failure::Fork { kept_size: 40, other_size, .. } = &failure else {
            panic!("{failure:?}")
        };
        assert_eq!((*other_size, failure.exit_code()), (size, UNPROVEN));
        for lang in [Lang::Zh, Lang::En] {
            assert!(failure.tell(lang).starts_with("!!!"), "{}", failure.tell(lang));
        }
        let evidence = std::fs::read_to_string(desk.path("kept.contradiction")).expect("kept");
        assert!(evidence.contains(&format!("\n{size}\n")), "{evidence}");
        let still = std::fs::read_to_string(desk.path("kept")).expect("kept");
        assert_eq!(still, kept, "what was verified is not given up");
    }
}

#[tokio::test]
async fn one_entry_is_shown_with_its_proof_and_its_receipt_is_checked_offline() {
    let desk = Desk::new();
    let mut gateway = Liar::with(40, Lie::Nothing).serve().await;
    let zh = screen(Form::Plain, Lang::Zh);
    let shown = show(&mut gateway, &desk.auditor(), &zh, 5).await.expect("shown");
    assert!(shown.contains("查看预警") && shown.contains("AL-0002-0000-0000"), "{shown}");
    assert!(shown.contains("各部门见证：2 个"), "{shown}");

    let receipt = prove(&mut gateway, &desk.auditor(), 5).await.expect("proved");
    let (file, manifest) = (desk.path("receipt"), desk.path("federation.toml"));
    std::fs::write(&file, &receipt).expect("written");
    let json = screen(Form::Json, Lang::En);
    let good = verify_receipt(&json, &file, &manifest).expect("good");
    let good: serde_json::Value = serde_json::from_str(&good).expect("JSON");
    assert_eq!((&good["index"], &good["witnesses"]), (&5.into(), &2.into()));

    for (part, other) in [("index 5", "index 6"), ("demo/log\n40", "demo/log\n41")] {
        std::fs::write(&file, receipt.replace(part, other)).expect("written");
        let failure = verify_receipt(&json, &file, &manifest).expect_err(other);
        assert_eq!(failure.exit_code(), UNPROVEN, "{other}: {failure:?}");
    }
    let alone = receipt.lines().filter(|line| !line.contains("demo/police"));
    let alone = alone.collect::<Vec<_>>().join("\n") + "\n";
    std::fs::write(&file, alone).expect("written");
    let failure = verify_receipt(&json, &file, &manifest).expect_err("one witness is too few");
    assert!(failure.tell(Lang::En).contains("cosigned"), "{}", failure.tell(Lang::En));
    std::fs::write(&file, "shopping list\n").expect("written");
    let failure = verify_receipt(&json, &file, &manifest).expect_err("no receipt");
    assert_eq!(failure.exit_code(), USAGE, "nobody is blamed: {failure:?}");
}

#[test]
fn without_a_manifest_nothing_is_believed() {
    let failure = Auditor::find(&Keys::default(), None, None).err().expect("refused");
    assert_eq!((failure.reason(), failure.exit_code()), ("MANIFEST", 3));
}

#[tokio::test]
async fn keys_in_files_prove_what_a_manifest_proves() {
    let desk = Desk::new();
    let auditor = desk.with_keys(desk.keys_in_files(0x21)).expect("good keys");
    assert_eq!(auditor.quorum().log(), desk.auditor().quorum().log());
    let mut gateway = Liar::with(40, Lie::Nothing).serve().await;
    let answer = ask(&mut gateway, &auditor, &Chosen::default()).await.expect("proved");
    assert!(auditor.witnessed(&answer.checkpoint).is_enough());
    let mut gateway = Liar::with(41, Lie::AnotherLog).serve().await;
    let failure = ask(&mut gateway, &auditor, &Chosen::default()).await.err().expect("refused");
    assert_eq!(failure.reason(), "UNPROVEN");

    let swapped = desk.keys_in_files(0x21);
    let swapped = Keys { log_key: swapped.witness_key.first().cloned(), ..swapped };
    let failure = desk.with_keys(swapped).err().expect("a witness is no log");
    assert!(failure.tell(Lang::En).contains("aid.vkey: it is a key of signature type 0x04"));
    let too_many = Keys { quorum: Some(3), ..desk.keys_in_files(0x21) };
    assert_eq!(desk.with_keys(too_many).err().expect("refused").exit_code(), USAGE);
}

#[tokio::test]
async fn an_auditor_is_told_that_the_logs_key_is_another_than_the_last_time() {
    let desk = Desk::new();
    desk.ask(Liar::with(40, Lie::Nothing), &Chosen::default()).await.expect("proved");
    let kept = std::fs::read(desk.path("kept")).expect("kept");
    let by_file = desk.with_keys(desk.keys_in_files(9));
    desk.write_manifest(9);
    let by_manifest = desk.with_keys(desk.manifest());
    for failure in [by_file, by_manifest].map(|auditor| auditor.err().expect("another key")) {
        assert_eq!((failure.reason(), failure.exit_code()), ("OTHER_LOG", 3));
        let told = failure.tell(Lang::En);
        for words in ["another key", "old manifest", "from the agencies", "keep that file", "kept,"]
        {
            assert!(told.contains(words), "{words}: {told}");
        }
        let told = failure.tell(Lang::Zh);
        for words in ["密钥", "旧清单", "向各部门索取", "妥善保存", "/kept "] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
    assert_eq!(std::fs::read(desk.path("kept")).expect("still there"), kept, "it is evidence");

    // As it says: the old file is moved away, and the new log begins; under the old manifest the old
    // file is as good as ever.
    std::fs::rename(desk.path("kept"), desk.path("old")).expect("moved");
    desk.ask(Liar::with(5, Lie::AnotherLog), &Chosen::default()).await.expect("the new log");
    assert_eq!(desk.auditor().kept().size(), 5);
    desk.write_manifest(0x21);
    let old = Keys { state: Some(desk.path("old")), ..desk.manifest() };
    let old = Auditor::find(&old, None, None).unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(old.kept().size(), 40);
}

#[test]
fn what_is_wrong_with_the_checkpoint_that_was_kept_is_told_as_it_is() {
    let desk = Desk::new();
    let told = || {
        let failure = desk.with_keys(desk.manifest()).err().expect("no checkpoint");
        assert_eq!(failure.exit_code(), 3);
        failure.tell(Lang::En)
    };
    for damaged in [&b"demo/log\n40\n"[..], b"", b"\xff\xfe"] {
        std::fs::write(desk.path("kept"), damaged).expect("written");
        let told = told();
        assert!(told.contains("damaged") && told.contains("from a backup"), "{told}");
        assert!(!told.contains("permissions"), "{told}");
    }
    std::fs::remove_file(desk.path("kept")).expect("removed");
    std::fs::create_dir(desk.path("kept")).expect("in the way");
    let told = told();
    assert!(told.contains("cannot be read") && told.contains("permissions"), "{told}");
}

#[test]
fn a_copy_of_the_log_is_verified_where_it_lies_by_its_last_cosigned_checkpoint() {
    let data = tempfile::tempdir().expect("a directory");
    let (log, served) = (data.path().join("log"), data.path().join("served"));
    for directory in [&log, &served] {
        std::fs::create_dir(directory).expect("made");
        std::fs::write(directory.join("checkpoint"), "newest").expect("written");
    }
    let found = |directory: &Path| {
        Source::Copy(Copied::find(directory.to_owned())).checkpoint(0).expect("read")
    };
    assert_eq!(found(&log), "newest", "nothing was cosigned yet");
    std::fs::write(data.path().join("log.cosigned"), "cosigned").expect("written");
    assert_eq!((found(data.path()), found(&log)), ("cosigned".into(), "cosigned".into()));
    let elsewhere = tempfile::tempdir().expect("a directory");
    std::fs::rename(&served, elsewhere.path().join("served")).expect("moved");
    assert_eq!(found(&elsewhere.path().join("served")), "newest", "as the gateway serves it");
}

#[tokio::test]
async fn a_copy_is_verified_only_where_the_quorum_cosigned_it() {
    let (desk, data) = (Desk::new(), tempfile::tempdir().expect("a directory"));
    let programme = name("demo");
    let log = AccessLog::open(data.path(), origin(&programme), key(0x21), Clock::system());
    let log = log.expect("it opens");
    log.append(entries(40)).await.expect("durable");
    log.close().await;
    let mut checkpoint = Checkpoint::clone(&log.checkpoint());
    let mut cosigned_by = |agency: &str, seed| {
        let witness = witness_name(&programme, &name(agency));
        checkpoint.add(cosign(&checkpoint, (&witness, &key(seed)), at(900)));
        std::fs::write(data.path().join("log.cosigned"), checkpoint.to_string()).expect("written");
        let copy = Source::Copy(Copied::find(data.path().to_owned()));
        verify(&copy, &desk.auditor(), &screen(Form::Plain, Lang::En))
    };
    let failure = cosigned_by("aid", 0x11).expect_err("one witness is too few");
    assert!(failure.tell(Lang::En).contains("1 of the manifest's witnesses"), "{failure:?}");
    assert!(desk.auditor().kept().checkpoint().is_none(), "nothing was verified");
    let good = cosigned_by("police", 0x12).expect("two are enough");
    assert!(good.contains("40 entries"), "{good}");
    assert_eq!(desk.auditor().kept().size(), 40);
}

#[test]
fn an_export_has_a_row_for_every_entry_and_the_columns_of_its_header() {
    let found: Vec<Found> = (0..).zip(entries(40)).map(found).collect();
    let table = csv::table(&found);
    let mut reader = table.lines().map(|line| line.split(',').count());
    assert_eq!(table.lines().count(), 41);
    assert!(reader.all(|cells| cells == 12), "{table}");
    let row = "5,2026-11-24T06:00:04Z,officer,li-na,alert_read,,,AL-0002-0000-0000,,,,";
    assert!(table.contains(row), "{table}");
}

fn found((index, bytes): (u64, Vec<u8>)) -> Found {
    let entry = Entry::parse(&bytes).expect("an entry");
    Found { index, bytes, entry }
}

#[test]
fn a_day_far_beyond_an_officers_own_past_stands_out_and_a_busy_officer_does_not() {
    let day = |officer: &str, day: i64, alerts: usize| {
        let at = at(0) + SignedDuration::from_hours(24 * day);
        let alerts = vec![name("AL-0000-0000-0000"); alerts];
        let act = Act::AlertsListed { alerts };
        Entry::new(at, Actor::Officer(name(officer)), act).to_bytes()
    };
    let quiet = [5, 8, 6, 7, 5, 9, 90].into_iter().zip(0..).map(|(n, d)| day("li-na", d, n));
    let busy = [400, 500, 450, 420, 480, 900].into_iter().zip(0..).map(|(n, d)| day("wang", d, n));
    let new = [2, 2, 80].into_iter().zip(0..).map(|(n, d)| day("new", d, n));
    let entries = (0..).zip(quiet.chain(busy).chain(new)).map(found).collect::<Vec<_>>();
    let days = days(&entries);
    let unusual: Vec<_> = days.iter().filter(|(_, day)| day.unusual).collect();
    assert_eq!(unusual.len(), 1, "{unusual:?}");
    assert_eq!((unusual[0].0.0.as_str(), unusual[0].1.shown), ("li-na", 90));
}

#[test]
fn a_day_with_far_more_peoples_contact_details_than_an_officers_own_past_stands_out() {
    let days_of = |counts: [i64; 7]| {
        let hours = counts.into_iter().zip(0..).flat_map(|(count, day)| {
            (0..count.max(1)).map(move |hour| (24 * day + hour, count > 0))
        });
        let entry = |(hour, collects): (i64, bool)| {
            let alert = name("AL-0000-0000-0000");
            let disclosure = HexBytes([0x5c; 16]);
            let act = match collects {
                true => Act::DisclosureCollected { disclosure, alert },
                false => Act::CaseRead { alert },
            };
            let at = at(0) + SignedDuration::from_hours(hour);
            Entry::new(at, Actor::Officer(name("li-na")), act).to_bytes()
        };
        let entries: Vec<_> = (0..).zip(hours.map(entry)).map(found).collect();
        days(&entries).into_values().map(|day| (day.contacts, day.unusual)).collect::<Vec<_>>()
    };
    let usual = [(1, false), (0, false), (2, false), (1, false), (1, false)];
    let unusual = [&usual[..], &[(6, true), (3, false)]].concat();
    assert_eq!(days_of([1, 0, 2, 1, 1, 6, 3]), unusual);
    let few = [&usual[..], &[(5, false), (0, false)]].concat();
    assert_eq!(days_of([1, 0, 2, 1, 1, 5, 0]), few, "a handful more is no reason to ask");
}
