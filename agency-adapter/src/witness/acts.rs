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
use proto::group_fault::GroupFault;
use serde::{Deserialize, Serialize};

use crate::{
    secret_file::{self, SecretFileError},
    witness::own_act::{Accounted, OwnAct},
};

/// Within this time the log must account for an act.
pub const MAXIMUM_DELAY: SignedDuration = SignedDuration::from_mins(10);
/// Batches of evaluations within this time are one line of the file.
const TOGETHER: SignedDuration = SignedDuration::from_mins(1);
/// With more lines than this the oldest are dropped, and that is told.
const MOST: usize = 4096;

const ACTS: &str = "witness/acts.json";
const REPORTED: &str = "witness/reported.json";

/// Acts that no entry accounts for yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outstanding {
    /// When the first of them was noted.
    pub at: Timestamp,
    /// What.
    pub act: OwnAct,
    /// How often; a group is one, however often it is sent.
    pub times: u64,
}

/// A group that the gateway refused, and no later one of its dataset is taken over yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedGroup {
    /// When, by the log.
    pub at: Timestamp,
    /// Which.
    pub act: OwnAct,
    /// Why.
    pub fault: GroupFault,
}

/// The file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The log whose entries were shown, by its key, and up to which index.
    shown: Option<Shown>,
    /// In the order noted.
    outstanding: VecDeque<Outstanding>,
    /// What the gateway refused, one for each dataset.
    #[serde(default)]
    refused: Vec<RefusedGroup>,
    /// Evaluations that the log accounted for before they were noted here.
    ahead: Vec<(OwnAct, u64)>,
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

    /// Notes an act, durably. Says whether it waits only now: a group may wait already.
    ///
    /// # Errors
    /// [`ActsError`]: what the act is about must then not be served.
    pub fn note(&self, act: OwnAct, now: Timestamp) -> Result<bool, ActsError> {
        self.change(|file| file.note(act, now))
    }

    /// Takes back an act that did not come to its end after all.
    ///
    /// # Errors
    /// [`ActsError`].
    pub fn forget(&self, act: &OwnAct) -> Result<(), ActsError> {
        let forget = |file: &mut File| {
            let before = file.outstanding.len();
            file.outstanding.retain(|outstanding| outstanding.act != *act);
            file.outstanding.len() != before
        };
        self.change(forget).map(drop)
    }

    /// Up to which index the entries of this log were shown.
    pub fn shown_until(&self, log: &str) -> u64 {
        self.lock().shown_until(log)
    }

    /// Settles what these entries of a log, the last before `until`, account for. An entry about a
    /// group that was taken over accounts for every earlier one of the dataset: the gateway then says
    /// that it has what they held.
    ///
    /// # Errors
    /// [`ActsError`]: nothing is settled.
    pub fn settle(
        &self,
        (log, until): (&str, u64),
        accounted: &[Accounted],
    ) -> Result<(), ActsError> {
        let settle = |file: &mut File| {
            if accounted.is_empty() && file.shown_until(log) == until {
                return false;
            }
            accounted.iter().for_each(|accounted| file.account(accounted));
            file.shown = Some(Shown { log: log.to_owned(), until });
            true
        };
        self.change(settle).map(drop)
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

    /// What the gateway refused.
    pub fn refused(&self) -> Vec<RefusedGroup> {
        self.lock().refused.clone()
    }

    /// How many acts wait for an entry.
    pub fn waiting(&self) -> usize {
        self.lock().outstanding.len()
    }

    /// Makes a change, durably, where it says that there is one.
    fn change(&self, change: impl FnOnce(&mut File) -> bool) -> Result<bool, ActsError> {
        let mut file = self.lock();
        let mut next = file.clone();
        let changed = change(&mut next);
        if changed {
            let bytes = serde_json::to_vec(&next).expect("names, numbers and moments");
            secret_file::replace(&self.state_dir.join(ACTS), &bytes)?;
            *file = next;
        }
        Ok(changed)
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

    /// Says whether anything changed.
    fn note(&mut self, act: OwnAct, now: Timestamp) -> bool {
        if act.is_counted() {
            if let Some((_, ahead)) = self.ahead.iter_mut().find(|(other, _)| *other == act) {
                *ahead -= 1;
                self.ahead.retain(|(_, ahead)| *ahead > 0);
                return true;
            }
            let last = self.outstanding.iter_mut().rfind(|outstanding| outstanding.act == act);
            if let Some(last) = last.filter(|last| now.duration_since(last.at) <= TOGETHER) {
                last.times += 1;
                return true;
            }
        } else if self.outstanding.iter().any(|outstanding| outstanding.act == act) {
            return false;
        }
        if self.outstanding.len() >= MOST {
            self.outstanding.pop_front();
            self.dropped = Some(now);
        }
        self.outstanding.push_back(Outstanding { at: now, act, times: 1 });
        true
    }

    fn account(&mut self, Accounted { act, times, refused }: &Accounted) {
        self.refused.retain(|refused| !act.covers(&refused.act));
        match *refused {
            None => self.settle(act, *times),
            Some((at, fault)) => {
                self.outstanding.retain(|outstanding| outstanding.act != *act);
                self.refused.push(RefusedGroup { at, act: act.clone(), fault });
            }
        }
    }

    fn settle(&mut self, act: &OwnAct, times: u64) {
        if act.is_counted() {
            let mut left = times;
            for outstanding in self.outstanding.iter_mut().filter(|o| o.act == *act) {
                let settled = left.min(outstanding.times);
                outstanding.times -= settled;
                left -= settled;
            }
            self.outstanding.retain(|outstanding| outstanding.times > 0);
            self.get_ahead(act, left);
        } else if let Some(found) = self.outstanding.iter().position(|o| o.act == *act) {
            let mut at = 0;
            self.outstanding.retain(|outstanding| {
                let settled = at == found || (at < found && act.covers(&outstanding.act));
                at += 1;
                !settled
            });
        }
    }

    /// The gateway may log a batch, and show that, before its answer is here.
    fn get_ahead(&mut self, act: &OwnAct, times: u64) {
        match self.ahead.iter_mut().find(|(other, _)| other == act) {
            _ if times == 0 => {}
            Some((_, ahead)) => *ahead += times,
            None => self.ahead.push((act.clone(), times)),
        }
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

#[cfg(test)]
mod tests;
