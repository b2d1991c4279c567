//! The log against a disk that fails, a machine that dies, and everything that has killed logs.

mod behaviour;

use std::path::Path;

use proto::{
    checkpoint::Checkpoint,
    log_verification,
    merkle::TreeHead,
    note::{KeyName, NoteKey},
    signing::SigningKey,
    tiled_tree::{TileSource, TreeFault},
};
use zeroize::Zeroizing;

use super::log::AppendError;
use crate::clock::Clock;

fn origin() -> KeyName {
    "demo/log".parse().expect("name")
}

fn key() -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new([1; 32]))
}

fn log_key() -> NoteKey {
    NoteKey { name: origin(), key: key().verifying_key() }
}

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

/// Verifies every tile against a checkpoint and one that was seen before.
fn verify<S: TileSource>(
    tiles: &S,
    checkpoint: &Checkpoint,
    kept: Option<&TreeHead>,
) -> Result<Vec<Vec<u8>>, TreeFault<S::Error>> {
    let mut entries = Vec::new();
    log_verification::verify(tiles, &checkpoint.head(), kept, |index, bytes| {
        assert_eq!(index, entries.len() as u64);
        entries.push(bytes.to_vec());
    })?;
    Ok(entries)
}
