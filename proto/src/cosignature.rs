//! Witnesses' signatures below a checkpoint (C2SP tlog-cosignature, `cosignature/v1`).
//!
//! A cosignature says that as of its time this was the longest tree of the log that the witness knew,
//! and that it continues every one that it cosigned before. What a witness checks before is its own
//! business.

use jiff::Timestamp;

use crate::{
    checkpoint::Checkpoint,
    note::{KeyName, NoteKey, NoteSignature, key_id},
    signing::SigningKey,
};

/// The signature type of a timestamped Ed25519 cosignature.
pub(crate) const COSIGNATURE: u8 = 0x04;

/// A witness's signature line for `checkpoint`, made at `at`, in whole seconds.
pub fn cosign(
    checkpoint: &Checkpoint,
    (name, key): (&KeyName, &SigningKey),
    at: Timestamp,
) -> NoteSignature {
    let seconds = u64::try_from(at.as_second()).unwrap_or(0);
    let signature = key.sign(message(checkpoint, seconds).as_bytes());
    NoteSignature {
        name: name.clone(),
        key_id: key_id(name, COSIGNATURE, &key.verifying_key()),
        signature: [&seconds.to_be_bytes()[..], &signature].concat(),
    }
}

/// When `witness` cosigned the checkpoint; `None` where it has no line of that witness's, or one
/// that does not verify.
pub fn cosigned_at(checkpoint: &Checkpoint, witness: &NoteKey) -> Option<Timestamp> {
    let id = key_id(&witness.name, COSIGNATURE, &witness.key);
    let mut latest = None;
    for line in checkpoint.note().signatures_of(&witness.name, id) {
        let (seconds, signature) = line.split_first_chunk()?;
        let seconds = u64::from_be_bytes(*seconds);
        witness.key.verify(message(checkpoint, seconds).as_bytes(), signature).ok()?;
        latest = latest.max(Some(Timestamp::from_second(seconds.try_into().ok()?).ok()?));
    }
    latest
}

/// What is signed: the header, the time, the checkpoint's text.
fn message(checkpoint: &Checkpoint, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{}", checkpoint.note().text())
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use zeroize::Zeroizing;

    use super::*;
    use crate::{
        merkle::{Hash, TreeHead},
        verifier_key::{self, Signs},
    };

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&Zeroizing::new([seed; 32]))
    }

    fn checkpoint(size: u64) -> Checkpoint {
        let head = TreeHead { size, root: Hash([7; 32]) };
        Checkpoint::sign(&"demo/log".parse().expect("name"), head, &key(1))
    }

    /// C2SP tlog-cosignature, "Ed25519 signed message".
    #[test]
    fn the_signed_message_has_the_specifications_form() {
        let root = Hash::from_base64("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=").expect("hash");
        let origin = "example.com/behind-the-sofa".parse().expect("name");
        let checkpoint = Checkpoint::sign(&origin, TreeHead { size: 20_852_163, root }, &key(1));
        assert_eq!(
            message(&checkpoint, 1_679_315_147),
            "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n\
             CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
        );
    }

    /// Made from fixed seeds by `github.com/transparency-dev/formats` v0.1.1
    /// (`NewSignerForCosignatureV1`), an independent implementation in Go, with
    /// `golang.org/x/mod/sumdb/note` for the log's line.
    #[test]
    fn a_cosignature_of_another_implementation_verifies_and_is_made_again_bit_by_bit() {
        let log = "example.com/vector-log+4516a1da+ARGkVJ4QEa2MOOLGBO6i7NVSJ1FQ97tIX+w+Ku0RZ6Em";
        let witness =
            "witness.example.com/vector+416f103d+BK/QmJFVP3SKJOqAMhFxBQPtylo3sjwWibyFDAlZKK8B";
        let seed = BASE64_STANDARD.decode("kRffG/zx6hAgpPgT4aTFlxdokJiVB+L8Ync0MWZkhbw=");
        let text = "example.com/vector-log\n1234\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n";
        let own = "\u{2014} example.com/vector-log RRah2qlLrSlk6J8DA1HmNewppUM15Quhs5cAIb1KjBsV3otVirJTW8AFVsQtJkTW1Zny7GuoAxZpI6bUPcpM68QOIgE=";
        let cosigned = "\u{2014} witness.example.com/vector QW8QPQAAAABqwLUbDdj7sDNRIVjmjYgqFI6y4UJhPg/UAA8J8wAdqSd3q4PedRhkgXA4xFN/Jg5uWn7ZkBA+H/UHQs5d9hITdXmQAA==";
        let log = verifier_key::read(log, Signs::Log).expect("a log's key");
        let witness = verifier_key::read(witness, Signs::Witness).expect("a witness's key");
        let note = format!("{text}\n{own}\n{cosigned}\n");
        let checkpoint = Checkpoint::open(&note, &log).expect("the log's");
        let at = Timestamp::from_second(1_791_014_171).expect("a moment");
        assert_eq!(cosigned_at(&checkpoint, &witness), Some(at));
        let seed = Zeroizing::new(seed.expect("base64").try_into().expect("32 bytes"));
        let line = cosign(&checkpoint, (&witness.name, &SigningKey::from_seed(&seed)), at);
        assert_eq!(line.to_string(), cosigned);
    }

    #[test]
    fn a_cosignature_verifies_for_its_witness_checkpoint_and_time_only() {
        let name: KeyName = "demo/police".parse().expect("name");
        let at = Timestamp::from_second(1_679_315_147).expect("time");
        let mut cosigned = checkpoint(3);
        let witness = NoteKey { name: name.clone(), key: key(2).verifying_key() };
        assert_eq!(cosigned_at(&cosigned, &witness), None);
        let line = cosign(&cosigned, (&name, &key(2)), at);
        cosigned.add(line.clone());
        assert_eq!(cosigned_at(&cosigned, &witness), Some(at));

        let stranger = NoteKey { key: key(3).verifying_key(), ..witness.clone() };
        assert_eq!(cosigned_at(&cosigned, &stranger), None);
        let other_name = NoteKey { name: "demo/other".parse().expect("name"), ..witness.clone() };
        assert_eq!(cosigned_at(&cosigned, &other_name), None);
        let mut other_tree = checkpoint(4);
        other_tree.add(line.clone());
        assert_eq!(cosigned_at(&other_tree, &witness), None);
        let mut other_time = line;
        other_time.signature[7] ^= 1;
        let mut cosigned = checkpoint(3);
        cosigned.add(other_time);
        assert_eq!(cosigned_at(&cosigned, &witness), None);
    }

    #[test]
    fn a_plain_signature_of_the_same_key_is_no_cosignature() {
        let name: KeyName = "demo/police".parse().expect("name");
        let mut note = checkpoint(3).note().clone();
        note.sign(&name, &key(2));
        let log = NoteKey { name: "demo/log".parse().expect("name"), key: key(1).verifying_key() };
        let checkpoint = Checkpoint::of_note(note, &log).expect("the log's");
        let witness = NoteKey { name, key: key(2).verifying_key() };
        assert_eq!(cosigned_at(&checkpoint, &witness), None);
        assert!(checkpoint.note().verified_by(&witness));
    }
}
