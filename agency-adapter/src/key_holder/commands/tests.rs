//! The ceremony as its operators see it: three state directories and the files between them.

use std::fs;

use proto::manifest_file::ManifestFile;

use super::*;
use crate::{
    check::Verdict,
    key_holder::{
        check::check_key_holder,
        fixture::{self, agency},
    },
    oprf::ShareKeys,
};

struct World {
    directory: tempfile::TempDir,
    configs: Vec<Config>,
    draft: PathBuf,
    file: ManifestFile,
    clock: Clock,
}

impl World {
    /// Three holders that have run `init`.
    fn new(manner: Manner) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = fixture::draft(2, 3, manner);
        let configs: Vec<Config> = (1..=3)
            .map(|number| {
                let home = directory.path().join(agency(number).as_str());
                fs::create_dir(&home).expect("made");
                let text = format!(
                    "agency = \"{}\"\nlisten = \"127.0.0.1:0\"\nstate_dir = \"state\"\n\
                     manifest = \"federation.toml\"\nreload_every = \"15m\"\n[tls]\n\
                     certificate = \"c\"\nkey = \"k\"\ntrust = \"t\"\n",
                    agency(number)
                );
                fs::write(home.join("adapter.toml"), text).expect("written");
                let config = Config::read(&home.join("adapter.toml")).expect("good");
                let (keys, _) = Keys::create(&config.state_dir).expect("made");
                let listed = &mut file.agencies[usize::from(number) - 1];
                listed.signing_key = keys.signing.verifying_key();
                listed.hpke_key = keys.hpke.public();
                config
            })
            .collect();
        let draft = directory.path().join("draft.toml");
        fs::write(&draft, file.to_string()).expect("written");
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH);
        Self { directory, configs, draft, file, clock }
    }

    fn run(&self, holder: usize, command: &KeyHolderCommand) -> Result<Outcome, CommandError> {
        run(command, &self.configs[holder - 1], &self.clock, Lang::En)
    }

    /// Has a holder contribute, and says where the file is.
    fn contribute(&self, holder: usize) -> PathBuf {
        let command = KeyHolderCommand::Contribute { draft: self.draft.clone() };
        let outcome = self.run(holder, &command).expect("contributed");
        let path = self.directory.path().join(format!("{holder}.toml"));
        fs::write(&path, outcome.text).expect("written");
        path
    }

    fn finish(&self, holder: usize, files: &[&PathBuf]) -> Result<Outcome, CommandError> {
        let contributions = files.iter().map(|path| (*path).clone()).collect();
        self.run(holder, &KeyHolderCommand::Finish { draft: self.draft.clone(), contributions })
    }

    fn state(&self, holder: usize) -> Vec<String> {
        let home = directory(&self.configs[holder - 1].state_dir);
        let entries = fs::read_dir(home).expect("listed");
        let names = entries.map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<String> =
            names.map(|name| name.into_string().expect("a plain name")).collect();
        names.sort();
        names
    }
}

fn key(outcome: &Outcome) -> [u8; 32] {
    let digits = outcome.json["key"].as_str().expect("a key");
    hex::decode(digits).expect("hex").try_into().expect("32 bytes")
}

#[test]
fn three_holders_come_to_one_key_and_need_not_meet_for_the_next_epoch() {
    let world = World::new(Manner::Distributed);
    let files = [1, 2, 3].map(|holder| world.contribute(holder));
    let finish = |holder| world.finish(holder, &files.each_ref()).expect("finished");
    let outcomes = [1, 2, 3].map(finish);
    assert!(ShareKeys::new(2, &outcomes.each_ref().map(key)).is_ok());
    let transcripts = outcomes.each_ref().map(|outcome| outcome.json["transcript"].clone());
    assert!(transcripts.iter().all(|transcript| *transcript == transcripts[0]));
    assert!(outcomes[1].text.contains("holder2: holder 2 of 3"), "{}", outcomes[1].text);

    let again = finish(2);
    assert_eq!((key(&again), again.json), (key(&outcomes[1]), outcomes[1].json.clone()));
    let next = [1, 2, 3].map(|holder| {
        let command = KeyHolderCommand::ShareKeys { epoch: Some(2) };
        key(&world.run(holder, &command).expect("computed"))
    });
    assert!(ShareKeys::new(2, &next).is_ok());
    assert_ne!(next, outcomes.each_ref().map(key));
}

#[test]
fn contributing_again_sends_the_same_secrets() {
    let world = World::new(Manner::Distributed);
    let early = world.contribute(1);
    let kept = world.directory.path().join("early.toml");
    fs::rename(early, &kept).expect("kept");
    let files = [1, 2, 3].map(|holder| world.contribute(holder));
    let second = world.finish(2, &[&kept, &files[2]]).expect("finished");
    let third = world.finish(3, &[&files[0], &files[1]]).expect("finished");
    assert_eq!(second.json["transcript"], third.json["transcript"]);
}

#[test]
fn a_refused_file_leaves_no_half_of_a_state() {
    let world = World::new(Manner::Distributed);
    let files = [1, 2, 3].map(|holder| world.contribute(holder));
    let before = world.state(2);
    let problem = |files: &[&PathBuf]| world.finish(2, files).err().expect("refused").to_string();
    let text = problem(&[&files[0]]);
    assert!(text.contains("holder3 is missing"), "{text}");
    let good = fs::read_to_string(&files[2]).expect("readable");
    let changed = world.directory.path().join("changed.toml");
    let digit = good.rfind("ciphertext = \"").expect("there") + 14;
    let mut bytes = good.into_bytes();
    bytes[digit] = if bytes[digit] == b'0' { b'1' } else { b'0' };
    fs::write(&changed, bytes).expect("written");
    let text = problem(&[&files[0], &changed]);
    assert!(text.contains("not as holder3 signed it"), "{text}");
    fs::write(&changed, "ceremony = 1").expect("written");
    let text = problem(&[&files[0], &changed]);
    assert!(text.contains("changed.toml"), "{text}");
    assert_eq!(world.state(2), before);
    assert!(matches!(
        world.run(2, &KeyHolderCommand::ShareKeys { epoch: None }),
        Err(CommandError::NoSeeds)
    ));
}

#[test]
fn another_draft_is_told_and_seeds_are_never_replaced() {
    let world = World::new(Manner::Distributed);
    let files = [1, 2, 3].map(|holder| world.contribute(holder));
    world.finish(2, &files.each_ref()).expect("finished");
    let later = world.draft.with_file_name("later.toml");
    let mut file = world.file.clone();
    file.epochs[0].number = 9;
    fs::write(&later, file.to_string()).expect("written");
    let command = KeyHolderCommand::Contribute { draft: later.clone() };
    let text = world.run(2, &command).err().expect("refused").to_string();
    assert!(text.contains("another ceremony"), "{text}");

    file.agencies[1].hpke_key = file.agencies[0].hpke_key.clone();
    fs::write(&later, file.to_string()).expect("written");
    let text = world.run(2, &command).err().expect("refused").to_string();
    assert!(text.contains("another hpke_key for holder2"), "{text}");
    file.holders.agencies.remove(1);
    fs::write(&later, file.to_string()).expect("written");
    assert!(matches!(world.run(2, &command), Err(CommandError::NotHolder(_))));
    let dealing = KeyHolderCommand::Deal { draft: world.draft.clone() };
    let text = world.run(1, &dealing).err().expect("refused").to_string();
    assert!(text.contains("whole key"), "{text}");
}

#[test]
fn doctor_knows_a_good_share_a_wrong_one_a_dealer_and_a_used_up_quota() {
    let world = World::new(Manner::TrustedDealer);
    let deal = KeyHolderCommand::Deal { draft: world.draft.clone() };
    let dealt = world.directory.path().join("dealt.toml");
    fs::write(&dealt, world.run(1, &deal).expect("dealt").text).expect("written");
    let outcomes = [1, 2, 3].map(|holder| world.finish(holder, &[&dealt]).expect("finished"));
    let mut file = world.file.clone();
    file.epochs[0].share_keys = outcomes.iter().map(key).collect();
    let manifest = file.clone().check().expect("good");
    let config = &world.configs[1];
    let verdicts = |manifest: &proto::manifest::Manifest| -> Vec<(String, Verdict)> {
        let checks = check_key_holder(config, manifest, Lang::En);
        checks.into_iter().map(|check| (check.subject, check.verdict)).collect()
    };
    let expected = |share, usage| {
        let named = |name: &str, verdict| (name.to_owned(), verdict);
        [
            named("key share 1", share),
            named("key ceremony", Verdict::Warning),
            named("key usage", usage),
        ]
    };
    assert_eq!(verdicts(&manifest), expected(Verdict::Ok, Verdict::Ok));
    file.epochs[0].share_keys.swap(0, 1);
    let wrong = file.check().expect("good");
    assert_eq!(verdicts(&wrong), expected(Verdict::Failure, Verdict::Ok));

    let batch = crate::key_holder::account::Batch {
        epoch: 1,
        requester: agency(3),
        number: 1,
        elements: 9500,
        digest: [0; 32],
    };
    let home = directory(&config.state_dir);
    let ledger = Ledger::open(&home).expect("opened");
    ledger.book(batch, 10_000, world.clock.now()).expect("counted");
    assert_eq!(verdicts(&manifest), expected(Verdict::Ok, Verdict::Warning));
    let usage = world.run(2, &KeyHolderCommand::Usage).expect("shown");
    assert_eq!(usage.json[0]["used"], 9500);
    fs::remove_file(home.join("journal")).expect("removed");
    assert_eq!(verdicts(&manifest), expected(Verdict::Ok, Verdict::Failure));
}
