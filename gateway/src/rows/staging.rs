//! A snapshot: written beside the old rows as it comes, where no reader looks, and put in their place at
//! once.

use std::sync::Arc;

use proto::wire;

use super::{
    Changed, RowsError,
    dataset::{Dataset, Writing, on},
    delta::sealed_rows,
    held::{Contents, Held, Meaning},
    run::file_name,
    run_writer::RunWriter,
};
use crate::sync::VerifiedBatch;

/// A snapshot being written. Dropped without a commit, it leaves nothing behind.
pub struct Staging {
    dataset: Arc<Dataset>,
    meaning: Meaning,
    number: u64,
    width: usize,
    writer: Option<RunWriter>,
    /// Whether `held` may list the run.
    may_be_listed: bool,
}

impl Staging {
    pub(super) fn begin(
        dataset: Arc<Dataset>,
        meaning: Meaning,
        width: usize,
    ) -> Result<Self, RowsError> {
        let Dataset { disk, directory, .. } = &*dataset;
        disk.create_directory(directory).map_err(on(directory))?;
        if let Some(above) = directory.parent() {
            disk.sync_directory(above).map_err(on(above))?;
        }
        let mut writing = dataset.lock_writing();
        let number = writing.number();
        let writer = RunWriter::create(&**disk, directory, (number, width));
        let writer = Some(writer.map_err(on(directory))?);
        writing.staged = Some(number);
        drop(writing);
        Ok(Self { dataset, meaning, number, width, writer, may_be_listed: false })
    }

    /// Writes a checked frame. Not durable on its own: until [`Staging::commit`] nothing counts.
    ///
    /// # Errors
    /// [`RowsError`]; then it cannot go on.
    pub fn append(&mut self, frame: &wire::SealedRowColumns) -> Result<(), RowsError> {
        self.is_current(&self.dataset.lock_writing())?;
        let mut writer = self.writer.take().ok_or_else(|| self.overtaken())?;
        let path = self.dataset.directory.join(file_name(self.number));
        for row in sealed_rows(frame, self.width) {
            writer.push(row).map_err(on(&path))?;
        }
        self.writer = Some(writer);
        Ok(())
    }

    /// Puts the snapshot in the old rows' place and moves the cursor, in one commit.
    ///
    /// # Errors
    /// [`RowsError`]; then the old rows stay.
    pub fn commit(mut self, snapshot: &VerifiedBatch) -> Result<(Held, Changed), RowsError> {
        let header = snapshot.header();
        let writer = self.writer.take().ok_or_else(|| self.overtaken())?;
        let held = Held {
            cursor: header.to,
            as_of: header.as_of,
            rows: snapshot.counts().0,
            meaning: self.meaning,
        };
        // A row that was lost on the way to the disk would read as "not listed".
        if writer.rows() != held.rows {
            return Err(self.overtaken());
        }
        let path = self.dataset.directory.join(file_name(self.number));
        let run = writer.finish().map_err(on(&path))?;
        let new: Vec<_> = Some(run).filter(|run| run.listed.rows > 0).into_iter().collect();
        let runs = new.iter().map(|run| run.listed).collect();
        let dataset = self.dataset.clone();
        let mut writing = dataset.lock_writing();
        self.is_current(&writing)?;
        writing.staged = None;
        self.may_be_listed = true;
        dataset.commit(&mut writing, Contents { held, runs }, new)?;
        Ok((held, Changed::All))
    }

    /// One of the same dataset that began later may go on in this one's place.
    fn is_current(&self, writing: &Writing) -> Result<(), RowsError> {
        if writing.staged == Some(self.number) { Ok(()) } else { Err(self.overtaken()) }
    }

    fn overtaken(&self) -> RowsError {
        RowsError::Overtaken(self.dataset.id.clone())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.may_be_listed {
            return;
        }
        let mut writing = self.dataset.lock_writing();
        if writing.staged == Some(self.number) {
            writing.staged = None;
        }
        self.dataset.clear(&writing);
    }
}
