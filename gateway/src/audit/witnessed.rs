//! Up to which revision the changes of alerts are in a cosigned checkpoint.
//!
//! Revisions grow along the log, so one number says it of every alert.

use proto::{act::Act, entry::Entry};

use super::log::{AccessLog, ReadError};

/// Entries that are read at a time.
const TOGETHER: u64 = 1024;

/// What the cosigned part of the log says.
#[derive(Debug, Default)]
pub struct WitnessedChanges {
    /// The revision, and the size of the log that it was read from; absent before the first time.
    at: Option<(u64, u64)>,
}

impl WitnessedChanges {
    /// Reads on, up to the cosigned size; the revision up to which every change is in it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn advance(&mut self, log: &AccessLog, size: u64) -> Result<u64, ReadError> {
        let (mut revision, mut read) = match self.at {
            Some(at) => at,
            None => Self::last(log, size).await?,
        };
        while read < size {
            let end = size.min(read + TOGETHER);
            for entry in log.entries(read..end).await? {
                revision = after(revision, &entry);
            }
            read = end;
        }
        self.at = Some((revision, read));
        Ok(revision)
    }

    /// Looks backwards, since a start's entry names a revision: only this run is read.
    async fn last(log: &AccessLog, size: u64) -> Result<(u64, u64), ReadError> {
        let mut end = size;
        while end > 0 {
            let start = end.saturating_sub(TOGETHER);
            let entries = log.entries(start..end).await?;
            if let Some(at) = entries.iter().rposition(|entry| started(entry)) {
                // Read again, that entry brings the number down to its own.
                return Ok((u64::MAX, start + at as u64));
            }
            end = start;
        }
        Ok((0, 0))
    }
}

/// The revision after an entry. What was logged before a start and never came about is taken back by
/// the start's entry.
fn after(revision: u64, entry: &[u8]) -> u64 {
    match Entry::parse(entry).ok().map(|entry| entry.act().clone()) {
        Some(Act::AlertChanged { revision: changed, .. }) => revision.max(changed),
        Some(Act::Started { revision: started, .. }) => revision.min(started),
        _ => revision,
    }
}

fn started(entry: &[u8]) -> bool {
    Entry::parse(entry).is_ok_and(|entry| matches!(entry.act(), Act::Started { .. }))
}
