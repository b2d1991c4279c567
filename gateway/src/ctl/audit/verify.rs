//! `audit verify`: the whole log, every hash and every signature, offline or against a running gateway.

use jiff::Timestamp;
use proto::{checkpoint::Checkpoint, entry::Entry, log_verification, tiled_tree::TreeFault};
use serde_json::json;

use super::{source::Source, trust::Auditor};
use crate::{
    failure::Failure,
    output::{Screen, grouped},
    words::Phrase,
};

const GOOD: Phrase = (
    "日志完整：{} 条记录，每个哈希、签名和见证均已核验，与上次核验的检查点一致。",
    "The log is whole: {} entries; every hash, every signature and the quorum verify, and it goes on from the checkpoint verified last.",
);

const FIRST: Phrase = (
    "日志完整：{} 条记录，每个哈希、签名和见证均已核验。此前没有核验过的检查点；本次的已保存，供下次比对。",
    "The log is whole: {} entries; every hash, every signature and the quorum verify. No checkpoint was kept before; this one is, for the next time.",
);

/// Verifies everything and keeps the checkpoint. Blocks for as long as it takes.
///
/// # Errors
/// [`Failure::Unproven`] naming the first thing that is not as it was logged, or [`Failure::Fork`].
pub fn verify(source: &Source, auditor: &Auditor, screen: &Screen) -> Result<String, Failure> {
    let checkpoint = auditor.open(&source.checkpoint(auditor.kept().size())?)?;
    let kept = auditor.kept().checkpoint().map(Checkpoint::head);
    let mut reading = Entries::default();
    let verified =
        log_verification::verify(source, &checkpoint.head(), kept.as_ref(), |index, bytes| {
            reading.take(index, bytes);
        });
    match verified {
        Ok(()) => {}
        // A copy may just be an old one; a gateway has no excuse.
        Err(TreeFault::Cut { size, kept }) if matches!(source, Source::Copy(_)) => {
            return Err(Failure::Unproven(format!(
                "this copy has {size} entries, and the log that you verified last had {kept}: take \
                 a newer copy"
            )));
        }
        Err(TreeFault::Rewritten { .. } | TreeFault::Cut { .. }) => {
            return Err(auditor.kept().contradicted(&checkpoint)?);
        }
        Err(fault @ TreeFault::Unread { .. }) => {
            return Err(match source {
                Source::Copy(_) => Failure::Unproven(format!(
                    "this copy cannot be read as a whole ({fault}): take another one; if the gateway's own \
                     files are so, too, they are not all there"
                )),
                Source::Gateway(..) => Failure::Unforeseen(fault.to_string()),
            });
        }
        Err(fault) => return Err(Failure::unproven(fault)),
    }
    reading.fault.map_or(Ok(()), |fault| Err(Failure::Unproven(fault)))?;
    auditor.demand_quorum(&checkpoint)?;
    auditor.kept().keep(&checkpoint)?;
    let size = checkpoint.size();
    let witnesses = auditor.witnessed(&checkpoint).signed;
    let json =
        || json!({ "entries": size, "witnesses": witnesses, "checkpoint": checkpoint.to_string() });
    let good = if kept.is_some() { GOOD } else { FIRST };
    Ok(screen.answer(json, || screen.lang.say(good).replace("{}", &grouped(size))))
}

/// What entries must be beyond their hashes: entries, in the order of time.
#[derive(Default)]
struct Entries {
    last: Option<Timestamp>,
    fault: Option<String>,
}

impl Entries {
    fn take(&mut self, index: u64, bytes: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        self.fault = match Entry::parse(bytes) {
            Err(error) => Some(format!("entry {index}: {error}")),
            Ok(entry) if self.last.is_some_and(|last| entry.at() < last) => {
                Some(format!("entry {index} is of an earlier time than the one before it"))
            }
            Ok(entry) => {
                self.last = Some(entry.at());
                None
            }
        };
    }
}
