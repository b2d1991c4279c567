//! `receipt get` and `receipt verify`: the proof that what one was shown is in the log.

use std::{fs, path::Path};

use proto::{log_proof::HEADER, wire::GetReceiptRequest};
use serde_json::json;

use super::{
    search::{object, read, table},
    trust::quorum,
};
use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    output::Screen,
    words::Phrase,
};

const GOOD: Phrase = (
    "凭证有效：该记录在日志中，且已由 {} 个部门见证。",
    "The receipt is good: the entry is in the log, and {} agencies witnessed that.",
);

/// `receipt get`: the proof of an entry about an own act.
///
/// # Errors
/// [`Failure`].
pub async fn get(gateway: &mut Gateway, index: u64) -> Result<String, Failure> {
    let request = GetReceiptRequest { index };
    Ok(answer(gateway.audit.get_receipt(asking(request))).await?.proof)
}

/// `receipt verify`, without the gateway: the log's key and enough witnesses must have signed.
///
/// # Errors
/// [`Failure::Usage`], where the file is no receipt; [`Failure::Unproven`], where the receipt proves nothing.
pub fn verify(screen: &Screen, receipt: &Path, manifest: &Path) -> Result<String, Failure> {
    let unread = |error| Failure::Usage(format!("{}: {error}", receipt.display()));
    let proof = fs::read_to_string(receipt).map_err(unread)?;
    // Another file proves nothing against anybody.
    if proof.lines().next() != Some(HEADER) {
        let receipt = receipt.display();
        return Err(Failure::Usage(format!(
            "{receipt} is no receipt: its first line is not {HEADER}"
        )));
    }
    let quorum = quorum(manifest)?;
    let (found, checkpoint) = read(&proof, quorum.log())?;
    let witnesses = quorum.cosigners(&checkpoint).len();
    quorum.verify(checkpoint).map_err(Failure::unproven)?;
    let people = || {
        let good = screen.lang.say(GOOD).replace("{}", &witnesses.to_string());
        format!("{}\n{good}", table(screen, std::slice::from_ref(&found)))
    };
    let json = || {
        let mut object = object(&found);
        object["witnesses"] = json!(witnesses);
        object
    };
    Ok(screen.answer(json, people))
}
