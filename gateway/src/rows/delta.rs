//! A delta becomes part of a dataset: a small run in front of the others, merged with those that are not
//! much longer.
//!
//! So there are never more runs than the logarithm of the rows, and a row is written again no more often
//! than that. A deletion is a bare tag in a run of its own, until there is nothing older that it could
//! hide.

use std::{io, sync::Arc};

use proto::{group, person_secret::LookupTag, wire};

use super::{
    RowsError,
    dataset::{Dataset, Shown, Writing, on},
    lookups::RowReader,
    merged::Merged,
    run::{Listed, Run, TAG, Written},
    run_writer::RunWriter,
};
use crate::sync::VerifiedBatch;

/// A run is merged with newer ones once they together have half of its rows.
const HALF: u64 = 2;

/// What a delta makes of a dataset.
pub(super) struct Applied {
    /// How many rows there are now.
    pub rows: u64,
    /// The list.
    pub runs: Vec<Listed>,
    /// Those in it that are not durable yet.
    pub new: Vec<Written>,
    /// The tags that it concerns.
    pub changed: Vec<LookupTag>,
}

/// A run that begins with its first row, where there is one.
struct Maker<'a> {
    dataset: &'a Dataset,
    width: usize,
    writer: Option<RunWriter>,
}

/// Writes the runs that a delta needs, and nothing that counts before a commit.
pub(super) fn apply(
    (dataset, shown): (&Arc<Dataset>, &Arc<Shown>),
    writing: &mut Writing,
    (delta, width): (&VerifiedBatch, usize),
) -> Result<Applied, RowsError> {
    let before = shown.contents.as_ref().map_or(0, |contents| contents.held.rows);
    let mut applied = Applied { rows: before, runs: vec![], new: vec![], changed: vec![] };
    let reader = RowReader::of(dataset.clone(), shown.clone());
    let mut rows = Maker { dataset, width, writer: None };
    let mut known = reader.in_tag_order();
    for frame in delta.frames() {
        for row @ [tag, ..] in sealed_rows(frame, width) {
            let tag = LookupTag(*tag.first_chunk().expect("a tag of a checked frame"));
            applied.rows += u64::from(known.seek(tag)?.is_none());
            applied.changed.push(tag);
            rows.push(writing, row)?;
        }
    }
    let mut deletions = Maker { dataset, width: TAG, writer: None };
    let mut known = reader.in_tag_order();
    for tag in delta.frames().iter().flat_map(|frame| group::tags(&frame.deleted_tags)) {
        applied.changed.push(tag);
        if known.seek(tag)?.is_some() {
            applied.rows -= 1;
            deletions.push(writing, [&tag.0, &[], &[]])?;
        }
    }
    applied.new = [rows.finish()?, deletions.finish()?].into_iter().flatten().collect();
    merge(dataset, writing, &shown.runs, width, &mut applied)?;
    Ok(applied)
}

/// Lists what is new in front of the old runs; those that are not much longer are merged with it.
fn merge(
    dataset: &Dataset,
    writing: &mut Writing,
    old: &[Arc<Run>],
    width: usize,
    applied: &mut Applied,
) -> Result<(), RowsError> {
    let mut together: u64 = applied.new.iter().map(|run| run.listed.rows).sum();
    let short = |run: &&Arc<Run>| {
        let short = run.listed.rows <= HALF * together;
        together += run.listed.rows;
        short
    };
    let merged = if applied.new.is_empty() { 0 } else { old.iter().take_while(short).count() };
    if merged > 0 {
        let mut runs = vec![];
        for written in &applied.new {
            let run = Run::open(&*dataset.disk, &dataset.directory, written.listed);
            let run = run.map_err(|fault| dataset.fault(written.listed.number, fault))?;
            runs.push(Arc::new(run));
        }
        runs.extend_from_slice(&old[..merged]);
        let all = merged == old.len();
        applied.new = rewrite(dataset, writing, (&runs, all), width)?;
    }
    let listed = applied.new.iter().map(|run| run.listed);
    applied.runs = listed.chain(old[merged..].iter().map(|run| run.listed)).collect();
    Ok(())
}

/// One run of rows, and one of deletions unless these are all runs that there are.
fn rewrite(
    dataset: &Dataset,
    writing: &mut Writing,
    (runs, all): (&[Arc<Run>], bool),
    width: usize,
) -> Result<Vec<Written>, RowsError> {
    let mut rows = Maker { dataset, width, writer: None };
    let mut deletions = Maker { dataset, width: TAG, writer: None };
    let mut merged = Merged::of(runs);
    loop {
        match merged.next() {
            Ok(Some(row)) if row.len() > TAG => rows.push(writing, [row, &[], &[]])?,
            Ok(Some(row)) if !all => deletions.push(writing, [row, &[], &[]])?,
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err((at, fault)) => return Err(dataset.fault(runs[at].listed.number, fault)),
        }
    }
    Ok([rows.finish()?, deletions.finish()?].into_iter().flatten().collect())
}

impl Maker<'_> {
    fn push(&mut self, writing: &mut Writing, row: [&[u8]; 3]) -> Result<(), RowsError> {
        let Dataset { disk, directory, .. } = self.dataset;
        let failed = self.failed();
        let mut create = || RunWriter::create(&**disk, directory, (writing.number(), self.width));
        let pushed = match &mut self.writer {
            Some(writer) => writer.push(row),
            empty => create().and_then(|writer| empty.insert(writer).push(row)),
        };
        pushed.map_err(failed)
    }

    fn finish(self) -> Result<Option<Written>, RowsError> {
        let failed = self.failed();
        self.writer.map(RunWriter::finish).transpose().map_err(failed)
    }

    fn failed(&self) -> impl Fn(io::Error) -> RowsError + use<> {
        on(&self.dataset.directory)
    }
}

/// Tag, nonce and ciphertext of every row in a frame of checked shape.
pub(super) fn sealed_rows(
    frame: &wire::SealedRowColumns,
    width: usize,
) -> impl Iterator<Item = [&[u8]; 3]> {
    let tags = frame.tags.chunks_exact(TAG);
    let nonces = frame.nonces.chunks_exact(NONCE_LEN);
    let ciphertexts = frame.ciphertexts.chunks_exact(width - TAG - NONCE_LEN);
    tags.zip(nonces.zip(ciphertexts)).map(|(tag, (nonce, ciphertext))| [tag, nonce, ciphertext])
}

/// Bytes of a row's nonce.
pub(super) const NONCE_LEN: usize = 12;
