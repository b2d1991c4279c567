//! `returned_orders.csv` in the state directory: work orders that civil affairs' staff gave back, for the
//! hotline's own system to take from there (PROTOCOL.md section 20.5).
//!
//! Lines are only ever added, so the file may be moved away at any time; the next return begins a new one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use proto::{case_event::ReturnReason, name::DatasetId};

use crate::{disk, secret_file};

/// The file's name.
pub const FILE: &str = "returned_orders.csv";
const HEADER: &str = "number,reason,at,dataset,id\n";

/// The file.
pub struct ReturnedOrders {
    path: PathBuf,
    one_at_a_time: Mutex<()>,
}

/// A work order that was given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedOrder {
    /// The same whenever the return is told again.
    pub id: [u8; 16],
    /// The order's number.
    pub number: u64,
    /// Why.
    pub reason: ReturnReason,
    /// When.
    pub at: Timestamp,
}

impl ReturnedOrders {
    /// The file below a state directory, which need not be there yet.
    pub fn new(state_dir: &Path) -> Self {
        Self { path: state_dir.join(FILE), one_at_a_time: Mutex::new(()) }
    }

    /// Adds the returns that are not there yet, all of them or none, and has them on the disk before it
    /// returns. Says how many were new.
    ///
    /// # Errors
    /// The system's. What a write left unfinished is taken away by the next.
    pub fn add(&self, dataset: &DatasetId, returns: &[ReturnedOrder]) -> io::Result<usize> {
        let _guard = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let mut options = OpenOptions::new();
        let options = options.read(true).append(true).create(true).mode(0o600);
        let mut file = disk::open(options, &self.path)?;
        let whole = self.whole_lines(&mut file)?;
        let mut lines = if whole.is_empty() { HEADER.to_owned() } else { String::new() };
        let mut new = 0;
        for order in returns {
            let line = order.line(dataset);
            let id = hex::encode(order.id);
            if !whole.contains(&id) && !lines.contains(&id) {
                lines.push_str(&line);
                new += 1;
            }
        }
        let written = disk::write(&file, lines.as_bytes()).and_then(|()| disk::sync(&file));
        if written.is_err() {
            // A later sync would not say that these were lost.
            disk::cut(&file, whole.len() as u64)?;
        }
        written?;
        secret_file::sync_directory(&self.path).map_err(io::Error::other)?;
        Ok(new)
    }

    /// What is in the file, without a line that a crash or a full disk cut off.
    fn whole_lines(&self, file: &mut File) -> io::Result<String> {
        let mut text = vec![];
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut text)?;
        let end = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        if end < text.len() {
            disk::cut(file, end as u64)?;
            text.truncate(end);
        }
        String::from_utf8(text).map_err(|_| {
            io::Error::other(format!(
                "{} is not as it was written: move it away",
                self.path.display()
            ))
        })
    }
}

impl ReturnedOrder {
    fn line(&self, dataset: &DatasetId) -> String {
        let (number, at, id) = (self.number, self.at, hex::encode(self.id));
        let reason = serde_json::to_value(self.reason).expect("a code is a word");
        let reason = reason.as_str().expect("a code is a word");
        format!("{number},{reason},{at},{dataset},{id}\n")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::disk::faults;

    fn returned(number: u64, id: u8) -> ReturnedOrder {
        let at = "2026-11-27T08:30:00Z".parse().expect("a moment");
        ReturnedOrder { id: [id; 16], number, reason: ReturnReason::NotOurDuty, at }
    }

    fn dataset() -> DatasetId {
        "work_order".parse().expect("a name")
    }

    #[test]
    fn a_return_is_one_line_however_often_it_is_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let orders = ReturnedOrders::new(directory.path());
        let first = [returned(12, 1), returned(13, 2), returned(12, 1)];
        assert_eq!(orders.add(&dataset(), &first).expect("added"), 2);
        let again = ReturnedOrders::new(directory.path());
        let second = [returned(13, 2), returned(12, 3)];
        assert_eq!(again.add(&dataset(), &second).expect("added"), 1);
        let text = fs::read_to_string(directory.path().join(FILE)).expect("there");
        let lines: Vec<&str> = text.lines().collect();
        let id = |byte: &str| byte.repeat(16);
        assert_eq!(
            lines,
            [
                "number,reason,at,dataset,id".to_owned(),
                format!("12,not_our_duty,2026-11-27T08:30:00Z,work_order,{}", id("01")),
                format!("13,not_our_duty,2026-11-27T08:30:00Z,work_order,{}", id("02")),
                format!("12,not_our_duty,2026-11-27T08:30:00Z,work_order,{}", id("03")),
            ]
        );
    }

    #[test]
    fn what_a_crash_cut_off_is_written_again_and_a_file_moved_away_begins_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(FILE);
        let orders = ReturnedOrders::new(directory.path());
        orders.add(&dataset(), &[returned(12, 1), returned(13, 2)]).expect("added");
        let whole = fs::read(&path).expect("there");
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).expect("cut off");
            orders.add(&dataset(), &[returned(12, 1), returned(13, 2)]).expect("added");
            assert_eq!(fs::read(&path).expect("there"), whole, "after {length} bytes");
        }
        fs::rename(&path, directory.path().join("taken.csv")).expect("moved");
        assert_eq!(orders.add(&dataset(), &[returned(14, 3)]).expect("added"), 1);
        assert_eq!(fs::read_to_string(&path).expect("there").lines().count(), 2);
    }

    #[test]
    fn whatever_the_disk_fails_at_what_was_added_is_there_once() {
        let live = |directory: &Path, added: &mut Vec<u8>| {
            let orders = ReturnedOrders::new(directory);
            for id in 1..4 {
                let add = || orders.add(&dataset(), &[returned(12, id)]);
                if add().or_else(|_| add()).is_ok() {
                    added.push(id);
                }
            }
        };
        let check = |directory: &Path, added: &Vec<u8>, what: &str| {
            let text = fs::read_to_string(directory.join(FILE)).unwrap_or_default();
            for id in added {
                let id = hex::encode([*id; 16]);
                assert_eq!(text.matches(&id).count(), 1, "{what}: {id}");
            }
            let all: Vec<ReturnedOrder> = (1..5).map(|id| returned(12, id)).collect();
            ReturnedOrders::new(directory).add(&dataset(), &all).expect(what);
            let text = fs::read_to_string(directory.join(FILE)).expect(what);
            assert_eq!(text.lines().count(), 5, "{what}: {text}");
        };
        let open = |directory: &Path| {
            // As the gateway tells a return again.
            let _ = ReturnedOrders::new(directory).add(&dataset(), &[returned(12, 1)]);
        };
        faults::everywhere(live, open, check);
    }
}
