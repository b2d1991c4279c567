//! The store's own engine beside the one that it could have been built on: redb, an embedded B-tree, with
//! the same sealed rows under the same tags, written in tag order and made durable in one commit.

use std::{hint::black_box, path::Path, time::Instant};

use anyhow::Context;
use proto::{person_secret::LookupTag, wire};
use redb::{Database, ReadableDatabase, TableDefinition};

const ROWS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("rows");

/// What redb takes, in seconds.
pub struct Redb {
    /// For all rows.
    pub ingest: f64,
    /// For all who are looked up, in tag order.
    pub lookups: f64,
}

/// Writes frames of rows that are `nonce || ciphertext` of so many bytes, and looks tags up.
///
/// # Errors
/// The engine's, or a tag without a row.
pub fn measure(
    directory: &Path,
    frames: &[wire::SealedRowColumns],
    tags: &[LookupTag],
) -> anyhow::Result<Redb> {
    let database = Database::create(directory.join("rows.redb"))?;
    let began = Instant::now();
    let write = database.begin_write()?;
    let mut table = write.open_table(ROWS)?;
    for frame in frames {
        let tags = frame.tags.as_chunks::<16>().0;
        let width = frame.ciphertexts.len() / tags.len().max(1);
        let sealed = frame.nonces.chunks(12).zip(frame.ciphertexts.chunks(width.max(1)));
        for (tag, (nonce, ciphertext)) in tags.iter().zip(sealed) {
            table.insert(tag, [nonce, ciphertext].concat().as_slice())?;
        }
    }
    drop(table);
    write.commit()?;
    let ingest = began.elapsed().as_secs_f64();
    let table = database.begin_read()?.open_table(ROWS)?;
    let began = Instant::now();
    for tag in tags {
        black_box(table.get(&tag.0)?.context("everybody has a row")?.value().len());
    }
    Ok(Redb { ingest, lookups: began.elapsed().as_secs_f64() })
}
