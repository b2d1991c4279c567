//! `audit search`, `show`, `prove` and `export`: entries, once they are proved.

use proto::{entry::Entry, log_proof::LogProof, wire::ProveRequest};
use serde_json::{Value, json};

use super::{
    answer::{Answer, Found, ask, hashes},
    csv,
    filter::{Chosen, Export},
    sentence,
    trust::{Auditor, Witnessed},
};
use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    moment::{clock_face, to_wire},
    output::{Screen, cell, grouped},
    words::Phrase,
};

const PROVED: Phrase = (
    "已核验：该时间范围内共 {} 条记录，无遗漏、无改动。",
    "Proved: the span of time has {} entries; none was left out or changed.",
);
const WITNESSED: Phrase = ("各部门见证：{} 个，需要 {} 个。", "Witnesses: {} of the {} needed.");
const NOT_WITNESSED: Phrase = (
    "尚未见证：只有 {} 个部门见证，需要 {} 个；网关仍可能改动最近的记录，请稍后再查。",
    "Not yet witnessed: {} agencies cosigned and {} must; until then the gateway could still change the newest entries: ask again later.",
);

/// `audit search`.
///
/// # Errors
/// [`Failure`].
pub async fn search(
    gateway: &mut Gateway,
    auditor: &Auditor,
    screen: &Screen,
    chosen: &Chosen,
) -> Result<String, Failure> {
    let answer = ask(gateway, auditor, chosen).await?;
    let witnessed = auditor.witnessed(&answer.checkpoint);
    let people = || {
        let proved = screen.lang.say(PROVED).replacen("{}", &grouped(answer.looked), 1);
        format!("{}\n{proved}\n{}", table(screen, &answer.found), vouched(screen, witnessed))
    };
    Ok(screen.answer(|| listed(&answer, witnessed), people))
}

/// `audit export`: to standard output, whole entries.
///
/// # Errors
/// [`Failure`].
pub async fn export(
    gateway: &mut Gateway,
    auditor: &Auditor,
    chosen: &Chosen,
    form: Export,
) -> Result<String, Failure> {
    let answer = ask(gateway, auditor, chosen).await?;
    Ok(match form {
        Export::Jsonl => answer.found.iter().map(line).collect(),
        Export::Csv => csv::table(&answer.found),
    })
}

/// `audit show`: one entry, proved.
///
/// # Errors
/// [`Failure`].
pub async fn show(
    gateway: &mut Gateway,
    auditor: &Auditor,
    screen: &Screen,
    index: u64,
) -> Result<String, Failure> {
    let (found, _, witnessed) = proved(gateway, auditor, index).await?;
    let people = || {
        let raw = String::from_utf8_lossy(&found.bytes).into_owned();
        let found = std::slice::from_ref(&found);
        format!("{}\n\n{raw}\n{}", table(screen, found), vouched(screen, witnessed))
    };
    Ok(screen.answer(|| object(&found), people))
}

/// `audit prove`: the proof itself, which `receipt verify` checks.
///
/// # Errors
/// [`Failure`].
pub async fn prove(
    gateway: &mut Gateway,
    auditor: &Auditor,
    index: u64,
) -> Result<String, Failure> {
    Ok(proved(gateway, auditor, index).await?.1)
}

async fn proved(
    gateway: &mut Gateway,
    auditor: &Auditor,
    index: u64,
) -> Result<(Found, String, Witnessed), Failure> {
    let request = ProveRequest { index, known_size: auditor.kept().size() };
    let response = answer(gateway.audit.prove(asking(request))).await?;
    let (found, checkpoint) = read(&response.proof, auditor.quorum().log())?;
    if found.index != index {
        return Err(Failure::Unproven("the proof is of another entry".into()));
    }
    let checkpoint = auditor.take(&checkpoint.to_string(), &hashes(&response.since_known)?)?;
    let witnessed = auditor.witnessed(&checkpoint);
    Ok((found, response.proof, witnessed))
}

/// Reads a proof and checks that its entry is in the log.
///
/// # Errors
/// [`Failure::Unproven`].
pub fn read(
    proof: &str,
    log: &proto::note::NoteKey,
) -> Result<(Found, proto::checkpoint::Checkpoint), Failure> {
    let proof: LogProof = proof.parse().map_err(Failure::unproven)?;
    let without = || Failure::Unproven("the proof has no entry with it".into());
    let bytes = proof.extra.clone().ok_or_else(without)?;
    let checkpoint = proof.verify(&bytes, log).map_err(Failure::unproven)?;
    let entry = Entry::parse(&bytes).map_err(Failure::unproven)?;
    Ok((Found { index: proof.index, bytes, entry }, checkpoint))
}

/// How far the agencies vouch for what is shown.
pub fn vouched(screen: &Screen, witnessed: Witnessed) -> String {
    let phrase = if witnessed.is_enough() { WITNESSED } else { NOT_WITNESSED };
    let text = screen.lang.say(phrase).replacen("{}", &witnessed.signed.to_string(), 1);
    text.replacen("{}", &witnessed.needed.to_string(), 1)
}

/// Entries, one a row.
pub fn table(screen: &Screen, found: &[Found]) -> String {
    let mut table = screen.table(&sentence::HEADINGS);
    for Found { index, entry, .. } in found {
        table.add_row([
            cell(&index.to_string()),
            cell(&clock_face(Some(&to_wire(entry.at())))),
            cell(&sentence::who(entry.by(), screen.lang)),
            cell(screen.lang.say(sentence::what(entry.act()))),
            cell(&sentence::about(entry, screen.lang)),
        ]);
    }
    screen.draw(&table)
}

fn listed(answer: &Answer, witnessed: Witnessed) -> Value {
    json!({
        "entries": answer.found.iter().map(object).collect::<Value>(),
        "entries_in_span": answer.looked,
        "checkpoint": answer.checkpoint.to_string(),
        "witnesses": witnessed.signed,
        "quorum": witnessed.needed,
    })
}

/// An entry as JSON.
pub fn object(found: &Found) -> Value {
    let entry: Value = serde_json::from_slice(&found.bytes).unwrap_or(Value::Null);
    json!({ "index": found.index, "entry": entry })
}

/// An entry as a line, its bytes as they were hashed.
fn line(found: &Found) -> String {
    let bytes = String::from_utf8_lossy(&found.bytes);
    format!("{{\"index\":{},\"entry\":{bytes}}}\n", found.index)
}
