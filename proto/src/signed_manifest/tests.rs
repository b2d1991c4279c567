//! What is accepted after what, and whose signatures count.

use zeroize::Zeroizing;

use super::*;

const EXAMPLE: &str = include_str!("../../vectors/federation.toml");

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new([seed; 32]))
}

/// The example's holders, and how its header says their keys are made.
fn sign(signed: &mut SignedManifest, holders: &[&str]) {
    for holder in holders {
        let seed = match *holder {
            "aid" => 1,
            "police" => 2,
            _ => 3,
        };
        signed.sign(&holder.parse().expect("a name"), &key(seed)).expect("a holder");
    }
}

/// The example with these changes, signed by these holders, and read again.
fn example(changes: &[(&str, &str)], holders: &[&str]) -> SignedManifest {
    let change = |text: String, (from, to): &(&str, &str)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    let text = changes.iter().fold(EXAMPLE.to_owned(), change);
    let mut signed = SignedManifest::parse(&text).expect("good");
    sign(&mut signed, holders);
    let read = SignedManifest::parse(&signed.to_string()).expect("good");
    assert_eq!(read, signed);
    read
}

const SECOND: (&str, &str) = ("version = 1", "version = 2");
const OPRF: [(&str, &str); 4] = [
    ("\"salted-hash\"", "\"oprf\""),
    ("threshold = 2", "threshold = 2\nceremony = \"distributed\""),
    ("2027-12-31", "2027-12-31\nshare_keys = [\"<1>\", \"<1>\", \"<1>\"]"),
    ("witness_key", "quota = 1000\nwitness_key"),
];

#[test]
fn fewer_signatures_than_the_threshold_are_not_enough() {
    let text = example(&[], &["aid"]).accept(None).expect_err("refused").to_string();
    assert!(text.contains("needs the signatures of 2 holders and has aid"), "{text}");
    assert!(text.contains("have it signed by police, tax"), "{text}");
    let text = example(&[], &[]).accept(None).expect_err("refused").to_string();
    assert!(text.contains("has none"), "{text}");
    let again = example(&[], &["aid", "aid"]);
    assert!(again.accept(None).is_err(), "one holder counts once");
    assert_eq!(example(&[], &["aid", "tax"]).accept(None), Ok(()));
}

#[test]
fn a_foreign_signature_counts_for_nothing() {
    let mut signed = example(&[], &["aid"]);
    let name: KeyName = "demo/police".parse().expect("a name");
    signed.note.sign(&name, &key(9));
    signed.note.sign(&"other/tax".parse().expect("a name"), &key(3));
    assert_eq!(signed.signers().len(), 1);
    assert!(signed.accept(None).is_err());
    let police = "police".parse().expect("a name");
    assert_eq!(signed.sign(&police, &key(9)), Err(CannotSign::OtherKey(police)));
    let fire = "fire".parse().expect("a name");
    assert_eq!(signed.sign(&fire, &key(9)), Err(CannotSign::NoHolder(fire)));

    let other = example(&[SECOND], &["police"]);
    let taken = other.note.signatures()[0].clone();
    let mut signed = example(&[], &["aid"]);
    signed.note.add(taken);
    assert!(signed.accept(None).is_err(), "a signature of another text");
}

#[test]
fn an_older_version_is_refused() {
    let (first, second) = (example(&[], &["aid", "tax"]), example(&[SECOND], &["aid", "tax"]));
    assert_eq!(second.accept(Some(&first)), Ok(()));
    let refused = Err(NotAccepted::Rollback { version: 1, accepted: 2 });
    assert_eq!(first.accept(Some(&second)), refused);
}

#[test]
fn another_text_under_the_same_version_is_refused_and_the_same_text_is_not() {
    let first = example(&[], &["aid", "tax"]);
    let other = example(&[("quorum = 2", "quorum = 3")], &["aid", "police", "tax"]);
    assert_eq!(other.accept(Some(&first)), Err(NotAccepted::OtherText(1)));
    assert_eq!(example(&[], &["police", "tax"]).accept(Some(&first)), Ok(()));
    assert!(example(&[], &["police"]).accept(Some(&first)).is_err(), "still too few");
}

#[test]
fn a_change_that_only_new_holders_signed_is_refused() {
    let first = example(&[("\"police\", \"tax\"]", "\"police\"]")], &["aid", "police"]);
    let holders = ("[\"aid\", \"police\", \"tax\"]", "[\"aid\", \"tax\"]");
    let second = example(&[SECOND, holders], &["aid", "tax"]);
    let text = second.accept(Some(&first)).expect_err("refused").to_string();
    assert!(text.contains("needs the signatures of 2 holders of version 1"), "{text}");
    assert!(text.contains("and has aid: have it signed by police"), "{text}");
    assert_eq!(second.accept(None), Ok(()), "who has accepted none before cannot tell");

    let mut second = second;
    let police = "demo/police".parse().expect("a name");
    second.note.sign(&police, &key(2));
    assert_eq!(second.accept(Some(&first)), Ok(()), "a holder who leaves agrees");
}

#[test]
fn a_key_that_was_replaced_does_not_count_for_the_version_before() {
    let first = example(&[], &["aid", "police"]);
    let old = hex::encode(key(2).verifying_key().0);
    let new = hex::encode(key(7).verifying_key().0);
    let mut second = example(&[SECOND, (&old, &new)], &["aid"]);
    second.sign(&"police".parse().expect("a name"), &key(7)).expect("a holder");
    assert!(second.accept(None).is_ok());
    assert!(matches!(
        second.accept(Some(&first)),
        Err(NotAccepted::PreviousHolders { version: 1, threshold: 2, .. })
    ));
    sign(&mut second, &["tax"]);
    assert_eq!(second.accept(Some(&first)), Ok(()));
}

#[test]
fn programme_suite_and_passed_epochs_never_change() {
    let both = ["aid", "tax"];
    let first = example(&[("number = 1", "number = 5")], &both);
    let later = ("number = 1", "number = 6");
    let programme = example(&[SECOND, later, ("\"demo\"", "\"show\"")], &both);
    let text = programme.accept(Some(&first)).expect_err("refused").to_string();
    assert!(text.contains("programme show suite salted-hash"), "{text}");
    let share_key = "01".repeat(32);
    let oprf = [&[SECOND, later], &OPRF[..], &[("<1>", &share_key)]].concat();
    assert!(matches!(
        example(&oprf, &both).accept(Some(&first)),
        Err(NotAccepted::OtherScope { .. })
    ));
    let back = example(&[SECOND, ("number = 1", "number = 4")], &both);
    let refused = Err(NotAccepted::EpochBack { got: 4, accepted: 5 });
    assert_eq!(back.accept(Some(&first)), refused);
    assert_eq!(example(&[SECOND, later], &both).accept(Some(&first)), Ok(()));
}

#[test]
fn the_share_keys_of_an_epoch_never_change() {
    let both = ["aid", "tax"];
    let with = |more: &[(&str, &str)]| example(&[&OPRF[..], more].concat(), &both);
    let (key, other) = (("<1>", "01".repeat(32)), ("<1>", "02".repeat(32)));
    let first = with(&[(key.0, &key.1)]);
    let refused = Err(NotAccepted::EpochKeys(1));
    assert_eq!(with(&[SECOND, (other.0, &other.1)]).accept(Some(&first)), refused);
    let reordered = ("\"police\", \"tax\"", "\"tax\", \"police\"");
    assert_eq!(with(&[SECOND, (key.0, &key.1), reordered]).accept(Some(&first)), refused);
    let next = with(&[SECOND, (other.0, &other.1), ("number = 1", "number = 2")]);
    assert_eq!(next.accept(Some(&first)), Ok(()), "a new epoch has new keys");
}
