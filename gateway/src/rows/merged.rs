//! Several runs of a dataset read as one, in tag order: what the newest run says of a tag counts.

use std::sync::Arc;

use super::run::{Fault, Reading, Run, TAG};

/// The runs.
pub(super) struct Merged<'r> {
    /// The newest first.
    readings: Vec<Reading<'r>>,
    last: Option<[u8; TAG]>,
}

impl<'r> Merged<'r> {
    pub(super) fn of(runs: &'r [Arc<Run>]) -> Self {
        Self { readings: runs.iter().map(|run| run.read()).collect(), last: None }
    }

    /// The next row; a bare tag where that is not listed any more.
    ///
    /// # Errors
    /// The fault, and which run has it.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, (usize, Fault)> {
        if let Some(last) = self.last {
            let same = |reading: &&mut Reading<'_>| {
                reading.row().is_some_and(|row| row.starts_with(&last))
            };
            self.readings.iter_mut().filter(same).for_each(|reading| reading.pass());
        }
        let mut least: Option<(usize, [u8; TAG])> = None;
        for (at, reading) in self.readings.iter_mut().enumerate() {
            let row = reading.next().map_err(|fault| (at, fault))?;
            let tag = row.and_then(|row| row.first_chunk().copied());
            // Of the same tag the newest run's row counts, and that comes first.
            if let Some(tag) = tag.filter(|tag| least.is_none_or(|(_, least)| *tag < least)) {
                least = Some((at, tag));
            }
        }
        self.last = least.map(|(_, tag)| tag);
        Ok(least.and_then(|(at, _)| self.readings[at].row()))
    }
}
