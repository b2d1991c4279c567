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
use serde::{Deserialize, Serialize};

use crate::{
    secret_file::{self, SecretFileError},
    witness::own_act::OwnAct,
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

/// The file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The log whose entries were shown, by its key, and up to which index.
    shown: Option<Shown>,
    /// In the order noted.
    outstanding: VecDeque<Outstanding>,
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

    /// Settles what these entries of a log, the last before `until`, account for, each so many times.
    /// An entry about a group accounts for every earlier one of the dataset: the gateway then says
    /// that it has what they held.
    ///
    /// # Errors
    /// [`ActsError`]: nothing is settled.
    pub fn settle(
        &self,
        (log, until): (&str, u64),
        accounted: &[(OwnAct, u64)],
    ) -> Result<(), ActsError> {
        let settle = |file: &mut File| {
            if accounted.is_empty() && file.shown_until(log) == until {
                return false;
            }
            accounted.iter().for_each(|(act, times)| file.settle(act, *times));
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
mod tests {
    use proto::cursor::Cursor;

    use super::*;

    const LOG: &str = "a log";

    fn sync(dataset: &str, version: u32) -> OwnAct {
        let dataset = dataset.parse().expect("a name");
        OwnAct::sync(1, &dataset, Cursor { log: [7; 16], version })
    }

    fn evaluations(holder: &str) -> OwnAct {
        let [requester, holder] = ["aid", holder].map(|name| name.parse().expect("a name"));
        OwnAct::Evaluations { epoch: 1, requester, holder }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a moment")
    }

    fn open() -> (tempfile::TempDir, OwnActs) {
        let directory = tempfile::tempdir().expect("a directory");
        let acts = OwnActs::open(directory.path()).expect("opened");
        (directory, acts)
    }

    fn left(acts: &OwnActs) -> Vec<(OwnAct, u64)> {
        let overdue = acts.overdue(at(99_999)).expect("read").acts;
        overdue.into_iter().map(|outstanding| (outstanding.act, outstanding.times)).collect()
    }

    #[test]
    fn an_act_without_an_entry_is_told_after_the_delay_also_after_a_restart() {
        let (directory, acts) = open();
        acts.note(sync("cars", 1), at(0)).expect("noted");
        acts.note(sync("cars", 1), at(500)).expect("noted already");
        assert_eq!(acts.overdue(at(600)).expect("read"), Overdue::default(), "not yet");
        let overdue = acts.overdue(at(601)).expect("read").acts;
        assert_eq!(overdue, [Outstanding { at: at(0), act: sync("cars", 1), times: 1 }]);
        let restarted = OwnActs::open(directory.path()).expect("opened");
        assert_eq!(restarted.overdue(at(601)).expect("read").acts, overdue);

        reported(directory.path(), at(700)).expect("written");
        assert_eq!(restarted.overdue(at(701)).expect("read"), Overdue::default());
        restarted.note(sync("homes", 1), at(701)).expect("noted");
        assert_eq!(restarted.overdue(at(2000)).expect("read").acts.len(), 1, "what came later");
    }

    #[test]
    fn an_entry_settles_what_was_sent_of_its_dataset_up_to_then_and_nothing_else() {
        let (_directory, acts) = open();
        for act in [sync("cars", 1), sync("homes", 1), sync("cars", 2), sync("cars", 3)] {
            acts.note(act, at(0)).expect("noted");
        }
        acts.settle((LOG, 9), &[(sync("cars", 2), 1), (sync("boats", 4), 1)]).expect("settled");
        assert_eq!(left(&acts), [(sync("homes", 1), 1), (sync("cars", 3), 1)]);
        assert_eq!((acts.shown_until(LOG), acts.shown_until("another")), (9, 0));
    }

    #[test]
    fn evaluations_are_counted_and_the_log_must_account_for_as_many() {
        let (_directory, acts) = open();
        for second in [0, 30, 60, 61] {
            acts.note(evaluations("tax"), at(second)).expect("noted");
        }
        acts.note(evaluations("police"), at(61)).expect("noted");
        assert_eq!(acts.waiting(), 3, "those of a minute are one line");
        acts.settle((LOG, 1), &[(evaluations("tax"), 3)]).expect("settled");
        assert_eq!(left(&acts), [(evaluations("tax"), 1), (evaluations("police"), 1)]);
        // One more is logged before its answer is here.
        acts.settle((LOG, 2), &[(evaluations("tax"), 2)]).expect("settled");
        acts.note(evaluations("tax"), at(70)).expect("noted");
        assert_eq!(left(&acts), [(evaluations("police"), 1)]);
        acts.note(evaluations("tax"), at(71)).expect("noted");
        assert_eq!(left(&acts).len(), 2, "the next one waits again");
    }

    #[test]
    fn what_was_broken_off_is_forgotten_and_too_many_acts_are_not_silently_dropped() {
        let (_directory, acts) = open();
        acts.note(sync("cars", 1), at(0)).expect("noted");
        acts.forget(&sync("cars", 1)).expect("forgotten");
        assert_eq!(acts.waiting(), 0);
        let many = (0..MOST as u32).map(|version| sync("cars", version + 1));
        let many = many.map(|act| Outstanding { at: at(0), act, times: 1 });
        acts.lock().outstanding.extend(many);
        acts.note(sync("homes", 1), at(5)).expect("noted");
        assert_eq!(acts.overdue(at(5)).expect("read").dropped, Some(at(5)));
    }
}
