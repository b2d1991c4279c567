//! What this adapter served and the gateway's log has not accounted for yet, in one small file.
//!
//! An act is noted, durably, before the gateway gets the last of what it is about. Entries that the
//! gateway shows settle it. One that waits longer than [`MAXIMUM_DELAY`] is told; that a log has
//! forked is `evidence`'s.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use proto::{
    cursor::Cursor,
    name::{AgencyId, DatasetId},
};
use serde::{Deserialize, Serialize};

use crate::secret_file::{self, SecretFileError};

/// Within this time the log must account for an act.
pub const MAXIMUM_DELAY: SignedDuration = SignedDuration::from_mins(10);
/// More acts than this are not told apart; the oldest are then counted only.
const MOST: usize = 4096;

const ACTS: &str = "witness/acts.json";
const REPORTED: &str = "witness/reported.json";

/// Something that was served. Two that are equal are one act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// A group of sealed rows, sent to its end.
    Sync(Group),
    /// A group of subjects, sent to its end.
    Release(Group),
    /// A batch of evaluations, answered by this agency as holder or received as requester.
    Evaluation {
        /// The key period.
        epoch: u32,
        /// Who asked.
        requester: AgencyId,
        /// Who answered.
        holder: AgencyId,
        /// The requester's number.
        number: u64,
    },
}

/// A group and the place that it led the gateway to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The key period.
    pub epoch: u32,
    /// Of which dataset.
    pub dataset: DatasetId,
    /// The log that the group's cursor is in.
    #[serde(with = "hex_log")]
    pub log: [u8; 16],
    /// The version that it led to.
    pub version: u32,
}

/// An act that no entry accounts for yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outstanding {
    /// When it was first noted.
    pub at: Timestamp,
    /// What.
    pub act: Act,
}

/// The file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The log whose entries were shown, by its key, and up to which index.
    shown: Option<Shown>,
    /// In the order noted.
    outstanding: VecDeque<Outstanding>,
    /// The last moment at which an act was dropped because there were too many.
    dropped: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    log: String,
    until: u64,
}

/// The acts of one adapter.
pub struct OwnActs {
    state_dir: PathBuf,
    file: Mutex<File>,
}

/// Why acts cannot be kept. Ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum ActsError {
    /// The operating system refused.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// Something else is in it.
    #[error(
        "{} is damaged: restore it, or delete it and say so in the adapter's records, since acts \
         that it held are then not looked for",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// What an operator is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Overdue {
    /// Not accounted for within the maximum delay, the oldest first.
    pub acts: Vec<Outstanding>,
    /// The last moment at which an act was dropped because there were too many.
    pub dropped: Option<Timestamp>,
}

impl OwnActs {
    /// Reads what was noted before.
    ///
    /// # Errors
    /// [`ActsError`].
    pub fn open(state_dir: &Path) -> Result<Self, ActsError> {
        let file = Mutex::new(read(&state_dir.join(ACTS))?);
        Ok(Self { state_dir: state_dir.into(), file })
    }

    /// Notes an act, durably. One that waits already is not noted again.
    ///
    /// # Errors
    /// [`ActsError`]: what the act is about must then not be served.
    pub fn note(&self, act: Act, now: Timestamp) -> Result<(), ActsError> {
        self.change(|file| {
            if file.outstanding.iter().any(|outstanding| outstanding.act == act) {
                return false;
            }
            if file.outstanding.len() >= MOST {
                file.outstanding.pop_front();
                file.dropped = Some(now);
            }
            file.outstanding.push_back(Outstanding { at: now, act });
            true
        })
    }

    /// Takes back an act that did not come to its end after all.
    ///
    /// # Errors
    /// [`ActsError`].
    pub fn forget(&self, act: &Act) -> Result<(), ActsError> {
        self.change(|file| {
            let before = file.outstanding.len();
            file.outstanding.retain(|outstanding| outstanding.act != *act);
            file.outstanding.len() != before
        })
    }

    /// Up to which index the entries of this log were shown.
    pub fn shown_until(&self, log: &str) -> u64 {
        self.lock().shown_until(log)
    }

    /// Settles what these entries of a log, the last before `until`, account for. An entry about a
    /// group accounts for every earlier one of the dataset: the gateway then says that it has what
    /// they held.
    ///
    /// # Errors
    /// [`ActsError`]: nothing is settled.
    pub fn settle(&self, (log, until): (&str, u64), accounted: &[Act]) -> Result<(), ActsError> {
        self.change(|file| {
            if accounted.is_empty() && file.shown_until(log) == until {
                return false;
            }
            accounted.iter().for_each(|act| file.settle(act));
            file.shown = Some(Shown { log: log.to_owned(), until });
            true
        })
    }

    /// What the log has not accounted for in time and no operator has reported.
    ///
    /// # Errors
    /// [`ActsError`].
    pub fn overdue(&self, now: Timestamp) -> Result<Overdue, ActsError> {
        let reported: Option<Timestamp> = read(&self.state_dir.join(REPORTED))?;
        let unreported = |at: Timestamp| reported.is_none_or(|reported| at > reported);
        let file = self.lock();
        let late = |outstanding: &&Outstanding| {
            now.duration_since(outstanding.at) > MAXIMUM_DELAY && unreported(outstanding.at)
        };
        Ok(Overdue {
            acts: file.outstanding.iter().filter(late).cloned().collect(),
            dropped: file.dropped.filter(|at| unreported(*at)),
        })
    }

    /// How many acts wait for an entry.
    pub fn waiting(&self) -> usize {
        self.lock().outstanding.len()
    }

    fn change(&self, change: impl FnOnce(&mut File) -> bool) -> Result<(), ActsError> {
        let mut file = self.lock();
        let mut next = file.clone();
        if change(&mut next) {
            let bytes = serde_json::to_vec(&next).expect("names, numbers and moments");
            secret_file::replace(&self.state_dir.join(ACTS), &bytes)?;
            *file = next;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Remembers that an operator has reported everything up to `now`.
///
/// # Errors
/// [`SecretFileError`].
pub fn reported(state_dir: &Path, now: Timestamp) -> Result<(), SecretFileError> {
    let bytes = serde_json::to_vec(&now).expect("a moment");
    secret_file::replace(&state_dir.join(REPORTED), &bytes)
}

impl File {
    fn shown_until(&self, log: &str) -> u64 {
        self.shown.as_ref().filter(|shown| shown.log == log).map_or(0, |shown| shown.until)
    }

    fn settle(&mut self, act: &Act) {
        let Some(found) = self.outstanding.iter().position(|outstanding| outstanding.act == *act)
        else {
            return;
        };
        let mut at = 0;
        self.outstanding.retain(|outstanding| {
            let settled = at == found || (at < found && act.covers(&outstanding.act));
            at += 1;
            !settled
        });
    }
}

impl Act {
    /// A group of `dataset` that leads to `cursor`.
    pub fn group(epoch: u32, dataset: &DatasetId, cursor: Cursor) -> Group {
        Group { epoch, dataset: dataset.clone(), log: cursor.log, version: cursor.version }
    }

    /// Whether both are about one dataset, so that the later accounts for the earlier.
    fn covers(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Sync(a), Self::Sync(b)) | (Self::Release(a), Self::Release(b)) => {
                (a.epoch, &a.dataset) == (b.epoch, &b.dataset)
            }
            _ => false,
        }
    }
}

/// What a person reads of an act.
impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sync(group) => write!(f, "sync of {group}"),
            Self::Release(group) => write!(f, "release of {group}"),
            Self::Evaluation { epoch, requester, holder, number } => {
                write!(f, "evaluation {number} of {requester} by {holder}, epoch {epoch}")
            }
        }
    }
}

impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cursor = Cursor { log: self.log, version: self.version };
        write!(f, "{} up to {cursor}, epoch {}", self.dataset, self.epoch)
    }
}

fn read<T: Default + serde::de::DeserializeOwned>(path: &Path) -> Result<T, ActsError> {
    match fs::read(path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|_| ActsError::Damaged { path: path.into() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(source) => Err(SecretFileError::Io { path: path.into(), source }.into()),
    }
}

/// 16 bytes as hex digits.
mod hex_log {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(log: &[u8; 16], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(log))
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<[u8; 16], D::Error> {
        let mut log = [0; 16];
        hex::decode_to_slice(String::deserialize(from)?, &mut log).map_err(D::Error::custom)?;
        Ok(log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "a log";

    fn sync(dataset: &str, version: u32) -> Act {
        let dataset = dataset.parse().expect("a name");
        Act::Sync(Act::group(1, &dataset, Cursor { log: [7; 16], version }))
    }

    fn evaluation(number: u64) -> Act {
        let [requester, holder] = ["aid", "tax"].map(|name| name.parse().expect("a name"));
        Act::Evaluation { epoch: 1, requester, holder, number }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a moment")
    }

    #[test]
    fn an_act_without_an_entry_is_told_after_the_delay_also_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let acts = OwnActs::open(directory.path()).expect("opened");
        acts.note(sync("cars", 1), at(0)).expect("noted");
        acts.note(sync("cars", 1), at(500)).expect("noted already");
        assert_eq!(acts.overdue(at(600)).expect("read"), Overdue::default(), "not yet");
        let overdue = acts.overdue(at(601)).expect("read").acts;
        assert_eq!(overdue, [Outstanding { at: at(0), act: sync("cars", 1) }]);
        let restarted = OwnActs::open(directory.path()).expect("opened");
        assert_eq!(restarted.overdue(at(601)).expect("read").acts, overdue);

        reported(directory.path(), at(700)).expect("written");
        assert_eq!(restarted.overdue(at(701)).expect("read"), Overdue::default());
        restarted.note(sync("homes", 1), at(701)).expect("noted");
        assert_eq!(restarted.overdue(at(2000)).expect("read").acts.len(), 1, "what came later");
    }

    #[test]
    fn an_entry_settles_its_dataset_up_to_its_act_and_an_evaluation_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let acts = OwnActs::open(directory.path()).expect("opened");
        for act in [sync("cars", 1), evaluation(1), sync("homes", 1), sync("cars", 2)] {
            acts.note(act, at(0)).expect("noted");
        }
        acts.note(sync("cars", 3), at(0)).expect("noted");
        acts.note(evaluation(2), at(0)).expect("noted");
        acts.settle((LOG, 9), &[sync("cars", 2), evaluation(2), sync("boats", 4)])
            .expect("settled");
        let left: Vec<_> =
            acts.overdue(at(9999)).expect("read").acts.into_iter().map(|o| o.act).collect();
        assert_eq!(left, [evaluation(1), sync("homes", 1), sync("cars", 3)]);
        assert_eq!((acts.shown_until(LOG), acts.shown_until("another")), (9, 0));
    }

    #[test]
    fn what_was_broken_off_is_forgotten_and_too_many_acts_are_not_silently_dropped() {
        let directory = tempfile::tempdir().expect("a directory");
        let acts = OwnActs::open(directory.path()).expect("opened");
        acts.note(sync("cars", 1), at(0)).expect("noted");
        acts.forget(&sync("cars", 1)).expect("forgotten");
        assert_eq!(acts.waiting(), 0);
        for number in 0..=MOST as u64 {
            acts.lock().outstanding.push_back(Outstanding { at: at(0), act: evaluation(number) });
        }
        acts.note(sync("cars", 1), at(5)).expect("noted");
        assert_eq!(acts.overdue(at(5)).expect("read").dropped, Some(at(5)));
    }
}
