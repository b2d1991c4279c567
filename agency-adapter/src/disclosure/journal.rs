//! What this agency disclosed: one line for every disclosure, on the disk before the answer leaves. It is
//! what nonces and rates are judged by after a restart, and what the agency's own staff are shown.
//!
//! Each line is JSON (`checked_lines` keeps them). It holds ids and codes, and nothing that was disclosed. A
//! file put back from a copy has forgotten nonces: whoever brings such a request again gets it answered
//! once more, to the same officer's key.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use jiff::{Timestamp, civil::Date};
use proto::{
    alert_id::AlertId,
    contact::ContactField,
    disclosure_request::{DisclosureId, DisclosureRequest, LegalBasis, Purpose},
    hex_bytes::HexBytes,
    name::{AgencyId, DatasetId},
};
use serde::{Deserialize, Serialize};

use super::refused::Refused;
use crate::{
    checked_lines::{CheckedLines, LinesError},
    clock::day_in_china,
    disk,
    secret_file::{self, SecretFileError},
};

/// The file in the state directory.
const FILE: &str = "disclosures.journal";

/// One disclosure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub disclosure: DisclosureId,
    /// For which alert.
    pub alert: AlertId,
    /// The epoch of the subject.
    pub epoch: u32,
    /// Whose details: a pseudonym.
    pub subject: HexBytes<16>,
    /// From which dataset.
    pub dataset: DatasetId,
    /// To whom.
    pub officer: AgencyId,
    /// Who approved; nobody, perhaps, in an emergency.
    pub approvers: Vec<AgencyId>,
    /// What.
    pub fields: Vec<ContactField>,
    /// What for.
    pub purpose: Purpose,
    /// By what law.
    pub legal_basis: LegalBasis,
    /// Whether it was disclosed before it was approved.
    pub emergency: bool,
    /// Good for this disclosure only.
    pub nonce: HexBytes<32>,
    /// The request's digest.
    pub request: HexBytes<32>,
}

/// The open journal; nobody else can open it to write.
pub struct Journal {
    lines: CheckedLines,
    nonces: HashSet<HexBytes<32>>,
    /// Who got how much, in order.
    given: Vec<(Date, AgencyId)>,
}

/// Why the journal cannot be used. Ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// The directory.
    #[error(transparent)]
    Directory(#[from] SecretFileError),
}

impl Record {
    /// Of a request that is about to be answered.
    pub fn new(request: &DisclosureRequest, approvers: &[AgencyId], at: Timestamp) -> Self {
        Self {
            at,
            disclosure: request.id,
            alert: request.alert.clone(),
            epoch: request.scope.epoch,
            subject: HexBytes(request.subject.0),
            dataset: request.dataset.clone(),
            officer: request.officer.clone(),
            approvers: approvers.to_vec(),
            fields: request.fields.clone(),
            purpose: request.purpose,
            legal_basis: request.legal_basis,
            emergency: request.emergency,
            nonce: HexBytes(request.nonce),
            request: request.digest(),
        }
    }
}

impl Journal {
    /// Opens or makes the journal of a state directory.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(state_dir: &Path) -> Result<Self, JournalError> {
        secret_file::make_directory(state_dir)?;
        let path = state_dir.join(FILE);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = disk::open(file, &path).map_err(|source| io_fault(&path, source))?;
        let (mut nonces, mut given) = (HashSet::new(), vec![]);
        let lines = CheckedLines::open(
            &path,
            file,
            &mut each(|record| {
                nonces.insert(record.nonce);
                given.push((day_in_china(record.at), record.officer));
            }),
        )?;
        Ok(Self { lines, nonces, given })
    }

    /// Every disclosure there ever was, also while a running `serve` writes.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn records(state_dir: &Path) -> Result<Vec<Record>, JournalError> {
        let path = state_dir.join(FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            Err(source) => return Err(io_fault(&path, source).into()),
        };
        let mut records = vec![];
        CheckedLines::read(&path, &file, &mut each(|record| records.push(record)))?;
        Ok(records)
    }

    /// Writes a disclosure down and waits until the disk has it, where its nonce is new and its officer
    /// had fewer than `most` on that day. Only then may it be answered.
    ///
    /// # Errors
    /// [`Refused::Replayed`], [`Refused::TooMany`], or [`Refused::Journal`]: then nothing is written.
    pub fn enter(&mut self, record: &Record, most: u32) -> Result<(), Refused> {
        if self.nonces.contains(&record.nonce) {
            return Err(Refused::Replayed);
        }
        let (day, officer) = (day_in_china(record.at), &record.officer);
        let today = self.given.iter().filter(|(on, to)| *on == day && to == officer).count();
        let had = u32::try_from(today).unwrap_or(u32::MAX);
        if had >= most {
            return Err(Refused::TooMany { officer: officer.clone(), had });
        }
        let text = serde_json::to_string(record).expect("plain data with text keys");
        self.lines.append(&text).map_err(JournalError::from)?;
        self.nonces.insert(record.nonce);
        self.given.push((day, officer.clone()));
        Ok(())
    }
}

/// Reads a line; it means something if it is a record.
fn each(mut take: impl FnMut(Record)) -> impl FnMut(&str) -> bool {
    move |text| serde_json::from_str(text).map(&mut take).is_ok()
}

fn io_fault(path: &Path, source: io::Error) -> LinesError {
    LinesError::Io { path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::disk::faults;

    fn record(nonce: u8, officer: &str, at: &str) -> Record {
        Record {
            at: at.parse().expect("a time"),
            disclosure: HexBytes([nonce; 16]),
            alert: "AL-0123-ABCD-XYZ9".parse().expect("an id"),
            epoch: 1,
            subject: HexBytes([7; 16]),
            dataset: "unemployed".parse().expect("a name"),
            officer: officer.parse().expect("a name"),
            approvers: vec!["zhao".parse().expect("a name")],
            fields: vec![ContactField::Name],
            purpose: Purpose::HomeVisit,
            legal_basis: LegalBasis::StatutoryDuty,
            emergency: false,
            nonce: HexBytes([nonce; 32]),
            request: HexBytes([nonce; 32]),
        }
    }

    const NOON: &str = "2026-11-27T04:00:00Z";

    #[test]
    fn a_nonce_is_good_once_also_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = || Journal::open(directory.path()).expect("opened");
        let mut journal = open();
        journal.enter(&record(1, "li", NOON), 9).expect("entered");
        for _ in 0..2 {
            assert!(matches!(journal.enter(&record(1, "wu", NOON), 9), Err(Refused::Replayed)));
            drop(journal);
            journal = open();
        }
        assert!(matches!(
            Journal::open(directory.path()),
            Err(JournalError::Lines(LinesError::Held(_)))
        ));
        let records = Journal::records(directory.path()).expect("readable beside it");
        assert_eq!(records, [record(1, "li", NOON)]);
    }

    #[test]
    fn whatever_the_disk_fails_at_nothing_that_may_be_answered_is_forgotten() {
        let live = |directory: &Path, entered: &mut Vec<Record>| {
            let open = || Journal::open(directory);
            let Ok(mut journal) = open().or_else(|_| open()) else { return };
            for nonce in 1..4 {
                let record = record(nonce, "li", NOON);
                if journal.enter(&record, 9).is_ok() || journal.enter(&record, 9).is_ok() {
                    entered.push(record);
                }
            }
        };
        let check = |directory: &Path, entered: &Vec<Record>, what: &str| {
            let mut journal = Journal::open(directory).expect(what);
            for record in entered {
                let again = journal.enter(record, 9);
                assert!(matches!(again, Err(Refused::Replayed)), "{what}: {again:?}");
            }
            journal.enter(&record(7, "wu", NOON), 9).expect(what);
            drop(journal);
            let records = Journal::records(directory).expect(what);
            let known = records.iter().filter(|record| entered.contains(record)).count();
            assert_eq!(known, entered.len(), "{what}: each is shown once");
        };
        let open = |directory: &Path| drop(Journal::open(directory));
        faults::everywhere(live, open, check);
    }

    #[test]
    fn an_officer_gets_so_many_in_a_day_of_china_also_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut journal = Journal::open(directory.path()).expect("opened");
        for nonce in 1..3 {
            journal.enter(&record(nonce, "li", NOON), 2).expect("entered");
        }
        drop(journal);
        let mut journal = Journal::open(directory.path()).expect("opened");
        let late = "2026-11-27T15:59:59Z";
        let refused = journal.enter(&record(3, "li", late), 2);
        assert!(matches!(refused, Err(Refused::TooMany { had: 2, .. })), "{refused:?}");
        journal.enter(&record(4, "wu", late), 2).expect("somebody else");
        journal.enter(&record(5, "li", "2026-11-27T16:00:00Z"), 2).expect("the next day");
    }

    #[test]
    fn a_line_half_written_is_cut_off_and_a_changed_one_is_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(FILE);
        let mut journal = Journal::open(directory.path()).expect("opened");
        journal.enter(&record(1, "li", NOON), 9).expect("entered");
        journal.enter(&record(2, "li", NOON), 9).expect("entered");
        drop(journal);
        let whole = fs::read(&path).expect("read");
        fs::write(&path, &whole[..whole.len() - 3]).expect("written");
        let mut journal = Journal::open(directory.path()).expect("opened");
        journal.enter(&record(2, "li", NOON), 9).expect("it was never answered");
        drop(journal);
        assert_eq!(fs::read(&path).expect("read"), whole);
        let changed = String::from_utf8(whole).expect("text").replacen("\"li\"", "\"wu\"", 1);
        fs::write(&path, changed).expect("written");
        let opened = Journal::open(directory.path()).err();
        let damaged =
            |error| matches!(error, JournalError::Lines(LinesError::Damaged { line: 1, .. }));
        assert!(opened.is_some_and(damaged));
    }
}
