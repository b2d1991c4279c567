//! Where a stream goes on: what a gateway's cursor means to a log (PROTOCOL.md section 7).

use proto::cursor::Cursor;

/// What the next group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// Everything there is.
    Snapshot,
    /// What changed after a version.
    After(u32),
}

/// The gateway has a version that this log has not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the gateway is at {after} and this adapter's log ends at {head}: the adapter's version store was \
     replaced by an older copy. The adapter's IT department must stop the adapter, delete \
     versions-*.redb in its state directory and start it again; a new log then begins and everything is \
     sent anew"
)]
pub struct FromTheFuture {
    after: Cursor,
    head: Cursor,
}

impl Resume {
    /// For a gateway at `after`, where the log has reached `head` and keeps the changes since
    /// version `kept_since`.
    ///
    /// # Errors
    /// [`FromTheFuture`].
    pub fn new(
        after: Option<Cursor>,
        head: Cursor,
        kept_since: u32,
    ) -> Result<Self, FromTheFuture> {
        match after {
            Some(after) if after.log == head.log && after.version > head.version => {
                Err(FromTheFuture { after, head })
            }
            Some(after) if after.log == head.log && after.version >= kept_since => {
                Ok(Self::After(after.version))
            }
            _ => Ok(Self::Snapshot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_to_a_delta_a_snapshot_or_a_refusal() {
        let at = |log, version| Cursor { log: [log; 16], version };
        let resume = |after| Resume::new(after, at(1, 50), 20);
        assert_eq!(resume(Some(at(1, 20))), Ok(Resume::After(20)));
        assert_eq!(resume(Some(at(1, 50))), Ok(Resume::After(50)), "an empty delta");
        assert_eq!(resume(Some(at(1, 19))), Ok(Resume::Snapshot), "changes no longer kept");
        assert_eq!(resume(Some(at(2, 99))), Ok(Resume::Snapshot), "another log");
        assert_eq!(resume(None), Ok(Resume::Snapshot));
        let text = resume(Some(at(1, 51))).expect_err("refused").to_string();
        assert!(text.contains("delete versions-*.redb"), "{text}");
    }
}
