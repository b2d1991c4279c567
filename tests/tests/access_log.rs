//! A log that the gateway wrote, read by implementations that share no code with it: `tlog_tiles` and
//! `signed_note`.

use std::{collections::BTreeSet, fs, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use gateway::{audit::log::AccessLog, clock::Clock};
use proto::{
    note::{KeyName, Note, NoteKey},
    signing::SigningKey,
};
use signed_note::{StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::{Hash, TileHashReader, TileReader, tlog};

const SIZE: u64 = 70_000;
const OLDER: u64 = 1_234;
const SEED: [u8; 32] = [6; 32];

fn origin() -> KeyName {
    "nanjing-assistance/log".parse().expect("name")
}

fn key() -> SigningKey {
    SigningKey::from_seed(&SEED.into())
}

/// `name+id+key`, with which `signed_note` begins its keys.
fn encoded(material: &[u8]) -> String {
    let id = [&[1], &key().verifying_key().0[..]].concat();
    let id = signed_note::key_id(origin().as_str(), &id);
    format!("{}+{id:08x}+{}", origin(), BASE64_STANDARD.encode([&[1], material].concat()))
}

fn verifiers() -> VerifierList {
    let verifier = StandardVerifier::new(&encoded(&key().verifying_key().0));
    VerifierList::new(vec![Box::new(verifier.expect("a verifier key"))])
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

/// Tiles of hashes, where the paths have no height.
struct Tiles<'a>(&'a Path);

impl TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let path = |tile: &tlog_tiles::Tile| self.0.join(tile.path().replacen("/8/", "/", 1));
        Ok(tiles.iter().map(|tile| fs::read(path(tile)).expect("the tile is there")).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// A log of [`OLDER`] entries under one checkpoint and [`SIZE`] under the next.
async fn written(data_dir: &Path) -> (String, String) {
    let mut checkpoints = Vec::new();
    for range in [0..OLDER, OLDER..SIZE] {
        let log = AccessLog::open(data_dir, origin(), key(), Clock::system()).expect("opens");
        let indices = log.append(range.clone().map(entry).collect()).await.expect("durable");
        assert_eq!(indices, range);
        log.close().await;
        let published = fs::read_to_string(data_dir.join("log/checkpoint")).expect("published");
        checkpoints.push(published);
    }
    let newer = checkpoints.pop().expect("two");
    (checkpoints.pop().expect("two"), newer)
}

fn files(below: &Path, found: &mut BTreeSet<String>, prefix: &str) {
    for file in fs::read_dir(below).expect("a directory") {
        let file = file.expect("an entry");
        let name = format!("{prefix}{}", file.file_name().to_str().expect("a plain name"));
        if file.file_type().expect("a type").is_dir() {
            files(&file.path(), found, &format!("{name}/"));
        } else {
            found.insert(name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_written_here_is_verified_by_tlog_tiles_and_signed_note() {
    let dir = tempfile::tempdir().expect("directory");
    let (older, newer) = written(dir.path()).await;
    let log = dir.path().join("log");
    let heads: Vec<(u64, Hash)> = [older, newer]
        .iter()
        .map(|text| {
            let note = signed_note::Note::from_bytes(text.as_bytes()).expect("a note");
            let (verified, unknown) = note.verify(&verifiers()).expect("the log's");
            assert_eq!((verified.len(), unknown.len()), (1, 0));
            let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).expect("well-formed");
            assert_eq!((checkpoint.origin(), checkpoint.extension()), (origin().as_str(), ""));
            (checkpoint.size(), *checkpoint.hash())
        })
        .collect();
    let ((old, old_root), (size, root)) = (heads[0], heads[1]);
    assert_eq!((old, size), (OLDER, SIZE));

    let tiles = Tiles(&log);
    let reader = TileHashReader::new(size, root, &tiles);
    assert_eq!(tlog::tree_hash(size, &reader).expect("read"), root);
    for index in [0, 1, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999] {
        let hash = tlog::record_hash(&entry(index));
        let proof = tlog::prove_record(size, index, &reader).expect("proved");
        tlog::check_record(&proof, size, root, index, hash).expect("the entry is there");
    }
    let proof = tlog::prove_tree(size, old, &reader).expect("proved");
    tlog::check_tree(&proof, size, root, old, old_root).expect("nothing was rewritten");

    // Every tile that the other implementation would publish, and no partial one that is full by now.
    let mut expected: BTreeSet<String> = tlog_tiles::Tile::new_tiles(8, 0, size)
        .iter()
        .map(|tile| tile.path().replacen("/8/", "/", 1))
        .collect();
    let of_leaves = expected.iter().filter_map(|path| path.strip_prefix("tile/0/"));
    let bundles: Vec<_> = of_leaves.map(|path| format!("tile/entries/{path}")).collect();
    assert_eq!(bundles.len(), 274);
    expected.extend(bundles);
    expected.insert("checkpoint".to_owned());
    let mut found = BTreeSet::new();
    files(&log, &mut found, "");
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_proofs_convince_tlog_tiles() {
    let dir = tempfile::tempdir().expect("directory");
    written(dir.path()).await;
    let log = AccessLog::open(dir.path(), origin(), key(), Clock::system()).expect("opens");
    let head = log.checkpoint().head();
    let theirs = |hashes: Vec<proto::merkle::Hash>| -> Vec<Hash> {
        hashes.into_iter().map(|hash| Hash(hash.0)).collect()
    };
    for index in [0, 1, 255, 256, 65_535, 65_536, 69_999] {
        let proof = theirs(log.inclusion(index, SIZE).await.expect("proved"));
        let hash = tlog::record_hash(&log.entry(index).await.expect("read"));
        tlog::check_record(&proof, SIZE, Hash(head.root.0), index, hash).expect("convinced");
    }
    let tiles = Tiles(&dir.path().join("log"));
    let reader = TileHashReader::new(SIZE, Hash(head.root.0), &tiles);
    for old in [1, 255, 256, 257, OLDER, 65_536, 65_537, SIZE] {
        let root = tlog::tree_hash(old, &reader).expect("read");
        let proof = theirs(log.consistency(old, SIZE).await.expect("proved"));
        tlog::check_tree(&proof, SIZE, Hash(head.root.0), old, root).expect("convinced");
    }
    log.close().await;
}

#[test]
fn a_note_signed_by_signed_note_is_verified_here() {
    let signer = format!("PRIVATE+KEY+{}", encoded(&SEED));
    let signer = StandardSigner::new(&signer).expect("a signer");
    let mut note = signed_note::Note::new(b"text\n", &[]).expect("a note");
    note.add_sigs(&[&signer]).expect("signed");
    let note = String::from_utf8(note.to_bytes()).expect("text");
    let ours = Note::parse(&note).expect("well-formed");
    assert!(ours.verified_by(&NoteKey { name: origin(), key: key().verifying_key() }));
    let mut again = Note::new("text\n").expect("text");
    again.sign(&origin(), &key());
    assert_eq!(again.to_string(), note);
}
