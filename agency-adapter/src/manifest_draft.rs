//! Drafting a federation manifest: pieces of TOML that agencies and the manifest's keeper wrote are put
//! together to one text that the holders can sign.
//!
//! Owns how pieces are joined. What a whole manifest must hold is `proto::manifest`'s.

use std::{
    num::NonZeroU8,
    path::{Path, PathBuf},
};

use proto::{
    manifest::ManifestError,
    manifest_file::ManifestFile,
    scope::Suite,
    signed_manifest::{self, SignedManifest},
    signing::VerifyingKey,
};
use serde::Deserialize;
use toml::{Table, Value};

use crate::config::{self, ConfigError};

/// Tables that are lists, and what tells their entries apart.
const LISTS: [(&str, &str); 3] = [("agency", "id"), ("dataset", "id"), ("epoch", "number")];

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// A file that cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ConfigError),
    /// Not TOML.
    #[error("{}: {problem}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// The parser's words, with line and column.
        problem: String,
    },
    /// Two pieces do not fit together.
    #[error("{}: {name} is of another form than in the files before it", path.display())]
    Misfit {
        /// The later file.
        path: PathBuf,
        /// The table or value.
        name: String,
    },
    /// An entry of a list that cannot be told from others.
    #[error("{}: an [[{list}]] has no {key}", path.display())]
    Nameless {
        /// The file.
        path: PathBuf,
        /// Which list.
        list: &'static str,
        /// What it lacks.
        key: &'static str,
    },
    /// Some holders' share keys and not those of all.
    #[error(
        "epoch {epoch} has share keys, but not of holder {holder}: add the file with what its \
         `agency-adapter key-holder finish` printed"
    )]
    ShareKey {
        /// Of which epoch.
        epoch: u32,
        /// Whose is missing; counted from 1.
        holder: usize,
    },
    /// The pieces are no manifest.
    #[error("the files together are no manifest yet: {0}")]
    Whole(#[from] ManifestError),
}

/// What `key-holder finish` prints.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareKey {
    epoch: u32,
    holder: NonZeroU8,
    key: VerifyingKey,
}

/// Joins the files, in their order. A later piece replaces single values of an earlier one; entries of
/// lists are joined by their id or number. Where the first file is a signed manifest, the version grows
/// by one unless a later file says another. With suite oprf the share keys of an epoch may all be missing:
/// the key ceremony begins from such a draft.
///
/// # Errors
/// [`DraftError`].
pub fn draft(files: &[PathBuf]) -> Result<ManifestFile, DraftError> {
    let mut whole = Table::from_iter([("version".to_owned(), Value::Integer(1))]);
    let mut share_keys: Vec<ShareKey> = vec![];
    for (at, path) in files.iter().enumerate() {
        let mut piece = read(path, at == 0)?;
        if let Some(keys) = piece.remove("share_key") {
            let keys: Vec<ShareKey> = keys.try_into().map_err(form(path))?;
            share_keys.extend(keys);
        }
        join(&mut whole, piece, path)?;
    }
    let whole: Result<ManifestFile, toml::de::Error> = whole.try_into();
    let mut file = whole.map_err(|error| ManifestError::Form(error.message().to_owned()))?;
    place(&mut file, &share_keys)?;
    let mut checked = file.clone();
    for epoch in checked.epochs.iter_mut().filter(|_| file.suite == Suite::Oprf) {
        if epoch.share_keys.is_empty() {
            epoch.share_keys = vec![[0; 32]; file.holders.agencies.len()];
        }
    }
    checked.check()?;
    Ok(file)
}

/// One piece; the version grows where the first is a signed manifest.
fn read(path: &Path, first: bool) -> Result<Table, DraftError> {
    let text = config::text(path)?;
    let body = signed_manifest::body_of(&text);
    let mut piece: Table = body.parse().map_err(form(path))?;
    if first && body != text {
        let version = SignedManifest::parse(&text).map_err(form(path))?.manifest().version;
        piece.insert("version".to_owned(), Value::Integer(i64::from(version) + 1));
    }
    Ok(piece)
}

fn form<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> DraftError {
    let path = path.to_path_buf();
    |error| DraftError::Form { path, problem: error.to_string() }
}

/// Puts share keys to their epochs, in the order of holders.
fn place(file: &mut ManifestFile, share_keys: &[ShareKey]) -> Result<(), DraftError> {
    for epoch in &mut file.epochs {
        let given = || share_keys.iter().filter(|key| key.epoch == epoch.number);
        if given().next().is_none() {
            continue;
        }
        let of = |holder: usize| {
            let key = given().find(|key| usize::from(key.holder.get()) == holder);
            let key = key.ok_or(DraftError::ShareKey { epoch: epoch.number, holder });
            key.map(|key| key.key.0)
        };
        epoch.share_keys = (1..=file.holders.agencies.len()).map(of).collect::<Result<_, _>>()?;
    }
    Ok(())
}

fn join(whole: &mut Table, piece: Table, path: &Path) -> Result<(), DraftError> {
    for (name, value) in piece {
        let misfit = || DraftError::Misfit { path: path.into(), name: name.clone() };
        let list = LISTS.iter().find(|(list, _)| *list == name);
        match (whole.get_mut(&name), value, list) {
            (present, Value::Array(entries), Some((list, key))) => {
                let mut joined = match present {
                    None => vec![],
                    Some(Value::Array(present)) => std::mem::take(present),
                    Some(_) => return Err(misfit()),
                };
                for entry in entries {
                    let Value::Table(entry) = entry else { return Err(misfit()) };
                    let named = entry.get(*key).cloned();
                    let named =
                        named.ok_or(DraftError::Nameless { path: path.into(), list, key })?;
                    let same = |other: &&mut Value| other.get(*key) == Some(&named);
                    match joined.iter_mut().find(same) {
                        Some(Value::Table(known)) => known.extend(entry),
                        _ => joined.push(Value::Table(entry)),
                    }
                }
                whole.insert(name, Value::Array(joined));
            }
            (_, _, Some(_)) => return Err(misfit()),
            (Some(Value::Table(present)), Value::Table(entries), None) => present.extend(entries),
            (Some(Value::Table(_)), _, None) => return Err(misfit()),
            (_, value, None) => drop(whole.insert(name, value)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::{prelude::*, sample::subsequence};
    use proto::signing::SigningKey;
    use zeroize::Zeroizing;

    use super::*;

    const EXAMPLE: &str = include_str!("../../proto/vectors/federation.toml");

    fn drafted(texts: &[&str]) -> Result<ManifestFile, DraftError> {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |(at, text): (usize, &&str)| {
            let path = directory.path().join(format!("{at}.toml"));
            fs::write(&path, text).expect("written");
            path
        };
        draft(&texts.iter().enumerate().map(write).collect::<Vec<_>>())
    }

    fn signed(text: &str, holders: &[(&str, u8)]) -> SignedManifest {
        let mut signed = SignedManifest::parse(text).expect("good");
        for (holder, seed) in holders {
            let key = SigningKey::from_seed(&Zeroizing::new([*seed; 32]));
            signed.sign(&holder.parse().expect("a name"), &key).expect("a holder");
        }
        signed
    }

    #[test]
    fn what_the_keeper_and_the_agencies_wrote_is_put_together() {
        let begin = EXAMPLE.find("[[agency]]").expect("there");
        let end = EXAMPLE.find("[[dataset]]").expect("there");
        let blocks = &EXAMPLE[begin..end];
        let keeper = format!("{}{}", &EXAMPLE[..begin], &EXAMPLE[end..]);
        let (aid, others) = blocks.split_at(blocks[1..].find("[[agency]]").expect("there") + 1);
        let text = drafted(&[&keeper, aid]).expect_err("refused").to_string();
        assert!(text.contains("no manifest yet") && text.contains("police"), "{text}");
        let whole = drafted(&[&keeper, aid, others]).expect("whole");
        assert_eq!(Ok(whole), ManifestFile::parse(EXAMPLE));
    }

    #[test]
    fn a_change_of_a_signed_manifest_raises_its_version_and_replaces_what_is_new() {
        let first = signed(EXAMPLE, &[("aid", 1), ("tax", 3)]).to_string();
        let key = "07".repeat(32);
        let change = format!(
            "[log]\nquorum = 3\n[[agency]]\nid = \"tax\"\nsigning_key = \"{key}\"\n\
             [[epoch]]\nnumber = 2\nuntil = 2028-12-31\n"
        );
        let second = drafted(&[&first, &change]).expect("good");
        let mut expected = ManifestFile::parse(EXAMPLE).expect("good");
        expected.version = 2;
        expected.log.quorum = 3.try_into().expect("not zero");
        expected.agencies[2].signing_key.0 = [7; 32];
        let until = jiff::civil::date(2028, 12, 31);
        expected.epochs.push(proto::manifest::Epoch { number: 2, until, share_keys: vec![] });
        assert_eq!(second, expected);
        assert_eq!(drafted(&[&first, "version = 9\n"]).expect("good").version, 9);
        assert_eq!(drafted(&[EXAMPLE]).expect("good").version, 1, "nobody signed it yet");
    }

    #[test]
    fn a_piece_that_does_not_fit_is_refused_by_its_file() {
        let cases = [
            ("log = 3\n", "1.toml: log is of another form"),
            ("agency = 3\n", "1.toml: agency is of another form"),
            ("[[agency]]\nhpke_key = \"\"\n", "1.toml: an [[agency]] has no id"),
            ("version = \n", "line 1"),
            ("colour = 1\n", "unknown field `colour`"),
        ];
        for (piece, expected) in cases {
            let text = drafted(&[EXAMPLE, piece]).expect_err("refused").to_string();
            assert!(text.contains(expected), "{piece}: {text}");
        }
    }

    #[test]
    fn share_keys_that_holders_printed_come_to_their_places() {
        let oprf = EXAMPLE
            .replace("\"salted-hash\"", "\"oprf\"")
            .replace("threshold = 2", "threshold = 2\nceremony = \"distributed\"")
            .replace("witness_key", "quota = 1000\nwitness_key");
        let draft = drafted(&[&oprf]).expect("good, and the ceremony may begin");
        assert!(draft.epochs[0].share_keys.is_empty());
        let printed = |holder: u8| {
            let key = hex::encode([holder; 32]);
            format!("[[share_key]]\nepoch = 1\nholder = {holder}\nkey = \"{key}\"\n")
        };
        let (first, second, third) = (printed(1), printed(2), printed(3));
        let text = drafted(&[&oprf, &third, &first]).expect_err("refused").to_string();
        assert!(text.contains("not of holder 2") && text.contains("key-holder finish"), "{text}");
        let whole = drafted(&[&oprf, &third, &first, &second]).expect("whole");
        assert_eq!(whole.epochs[0].share_keys, [[1; 32], [2; 32], [3; 32]]);
    }

    proptest! {
        /// Draft, signatures, and what everybody who gets the file says of it.
        #[test]
        fn what_is_drafted_and_signed_verifies_if_enough_signed(
            version in 1..u32::MAX,
            signers in subsequence(vec![("aid", 1), ("police", 2), ("tax", 3)], 0..=3),
            until in 2026..2100_i16,
        ) {
            let change = format!(
                "version = {version}\n[[epoch]]\nnumber = 1\nuntil = {until}-06-30\n"
            );
            let draft = drafted(&[EXAMPLE, &change]).expect("good");
            let note = signed(&draft.to_string(), &signers).to_string();
            let received = SignedManifest::parse(&note).expect("good");
            prop_assert_eq!(received.to_string(), note);
            prop_assert_eq!(received.accept(None).is_ok(), signers.len() >= 2);
            prop_assert_eq!(received.signers().len(), signers.len());
            let read = ManifestFile::parse(received.body());
            prop_assert_eq!(read, Ok(draft));
        }
    }
}
