//! What stays published when a source fails, and what is published once salts are granted.

use std::fs;

use proto::signing::SigningKey;

use super::*;
use crate::fixture::{agency, id, open};

fn released(publication: &Publication) -> Arc<Released> {
    let state = publication.state(&"unemployed".parse().expect("a name"));
    match state.expect("configured").content {
        Content::Released(released) => released,
        _ => panic!("the dataset is not released"),
    }
}

#[test]
fn a_failing_source_keeps_the_last_good_state_and_its_age() {
    let (_directory, people, config, clock) = agency();
    let publication = open(&config, &clock);
    let reload = || publication.reload(&Reload::All, &mut |_, _, _| {}).expect("agency good");
    reload();
    let first = released(&publication);
    assert_eq!(first.subjects().len(), 2);

    clock.set("2026-11-25T00:00:00Z".parse().expect("a moment"));
    fs::remove_file(&people).expect("removed");
    assert!(reload()[0].1.is_err());
    assert_eq!(released(&publication).as_of, first.as_of, "not advanced");
    let state = publication.state(&"unemployed".parse().expect("a name"));
    assert!(state.expect("configured").problem.is_some_and(|p| p.text().contains("people.csv")));

    fs::write(&people, "id,house\n320102198001010016,7\n").expect("written");
    assert!(reload()[0].1.is_ok());
    let later = released(&publication);
    assert!(later.as_of > first.as_of);
    assert_eq!(later.cursor().version, 2, "the log goes on");
}

/// A file of so many people.
fn file_of(people: u32) -> String {
    (1..=people).fold("id,house\n".to_owned(), |text, sequence| text + &id(sequence) + ",7\n")
}

#[test]
fn promise_7_a_file_that_was_cut_short_takes_nobody_away() {
    let (_directory, people, config, clock) = agency();
    let publication = open(&config, &clock);
    let reload = || publication.reload(&Reload::All, &mut |_, _, _| {}).expect("agency good");
    fs::write(&people, file_of(120)).expect("written");
    assert!(reload()[0].1.is_ok());
    fs::write(&people, file_of(0)).expect("written");
    let problem = reload().remove(0).1.expect_err("refused");
    assert!(problem.contains("0 people") && problem.contains("120"), "{problem}");
    assert_eq!(released(&publication).subjects().len(), 120);
}

#[test]
fn households_are_published_once_every_needed_salt_is_granted() {
    let (_directory, _people, config, clock) = agency();
    let publication = open(&config, &clock);
    let residents: DatasetId = "residents".parse().expect("a name");
    let reload = |which| publication.reload(&which, &mut |_, _, _| {}).expect("agency good");
    let reports = reload(Reload::All);
    let problem = reports.into_iter().find(|(id, _)| *id == residents);
    let problem = problem.expect("tried").1.expect_err("no salt of cars");
    assert!(problem.contains("ask police to run `agency-adapter grant cars --to aid`"));
    let state = || publication.state(&residents).expect("configured");
    assert!(matches!(state().content, Content::Nothing));
    let before = released(&publication);

    // Police's signing key in the example of a manifest.
    let police = SigningKey::from_seed(&zeroize::Zeroizing::new([2; 32]));
    let agency = publication.agency();
    let grant = proto::salt::SaltGrant::issue(
        &proto::salt::Salt::from_bytes([9; 32]),
        (&agency.manifest.scope, &"cars".parse().expect("a name")),
        (&"police".parse().expect("a name"), &police),
        (&agency.id, &agency.keys.hpke.public()),
    );
    let context = (&agency.manifest, &agency.keys);
    assert!(agency.grants.accept(context, &grant.expect("made")).expect("good"));
    reload(Reload::Granted);
    assert!(matches!(state().content, Content::Sealed));
    let after = released(&publication);
    assert_ne!(after.cursor().log, before.cursor().log, "more secrets: a new log");
    assert_eq!(after.secrets_for.len(), before.secrets_for.len() + 1);

    let closed = publication.closed();
    drop(publication);
    assert!(closed.is_cancelled());
    let restarted = open(&config, &clock);
    let state = restarted.state(&residents).expect("configured");
    assert!(matches!(state.content, Content::Sealed), "served at once after a restart");
}
