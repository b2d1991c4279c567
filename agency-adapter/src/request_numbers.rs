//! The numbers of this agency's evaluation requests. Each is used for one batch only, also after a crash:
//! a holder refuses a number that comes again with other elements (PROTOCOL.md section 15.7).
//!
//! One row of numbers serves all holders and epochs; numbers may skip. A block of them is on disk as
//! used before the first is. After a crash a batch whose answer was lost is asked for anew under a new
//! number, which counts against the quota once more: to replay it, its blinds would have to be on disk,
//! and they lead from the elements that the gateway saw to the identifiers.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::secret_file::{self, SecretFileError};

/// Numbers that one write to the disk is for.
const BLOCK: u64 = 64;
/// A copied or restored state directory uses numbers again that a holder has seen with other elements.
/// This leads beyond all that were used since.
const LEAP: u64 = 1 << 32;

/// Gives out numbers.
pub struct RequestNumbers {
    path: PathBuf,
    next: Mutex<Next>,
}

struct Next {
    number: u64,
    /// Numbers below this are on disk as used.
    reserved: u64,
}

impl RequestNumbers {
    /// Reads the file in a state directory; without one, numbers begin at 1.
    ///
    /// # Errors
    /// [`SecretFileError`] where it cannot be read or is damaged.
    pub fn open(state_dir: &Path) -> Result<Self, SecretFileError> {
        let path = state_dir.join("evaluation.number");
        let number = match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|_| SecretFileError::Io {
                path: path.clone(),
                source: io::Error::other(
                    "it does not hold one whole number: restore it from a backup, or delete it",
                ),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 1,
            Err(source) => return Err(SecretFileError::Io { path, source }),
        };
        Ok(Self { path, next: Mutex::new(Next { number, reserved: number }) })
    }

    /// The next number.
    ///
    /// # Errors
    /// [`SecretFileError::Io`]: none was given out.
    pub fn next(&self) -> Result<u64, SecretFileError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.number >= next.reserved {
            let reserved = next.number + BLOCK;
            secret_file::replace(&self.path, format!("{reserved}\n").as_bytes())?;
            next.reserved = reserved;
        }
        next.number += 1;
        Ok(next.number - 1)
    }

    /// A holder knows `number` from another batch, or as too old: leaves all such numbers behind.
    pub fn leap_over(&self, number: u64) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        // Requests that were under way together are refused together: one leap is enough.
        if next.number < number + LEAP / 2 {
            next.number = number + LEAP;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::faults;

    #[test]
    fn whatever_the_disk_fails_at_no_number_is_used_twice() {
        let live = |directory: &Path, used: &mut Vec<u64>| {
            for _ in 0..2 {
                let numbers = RequestNumbers::open(directory).expect("read");
                let take = || numbers.next().or_else(|_| numbers.next());
                used.extend((0..=BLOCK).filter_map(|_| take().ok()));
            }
        };
        let open = |directory: &Path| drop(RequestNumbers::open(directory).map(|n| n.next()));
        let check = |directory: &Path, used: &Vec<u64>, what: &str| {
            assert!(used.is_sorted_by(|a, b| a < b), "{what}: {used:?}");
            let next = RequestNumbers::open(directory).expect(what).next().expect(what);
            assert!(used.iter().all(|used| *used < next), "{what}: {next} again");
        };
        faults::everywhere(live, open, check);
    }

    #[test]
    fn no_number_is_used_twice_also_after_a_crash() {
        let state = tempfile::tempdir().expect("a directory");
        let mut last = 0;
        for _ in 0..3 {
            // Dropped without a word: as after kill -9.
            let numbers = RequestNumbers::open(state.path()).expect("read");
            for _ in 0..100 {
                let number = numbers.next().expect("given");
                assert!(number > last);
                last = number;
            }
        }
    }

    #[test]
    fn after_a_restored_copy_the_numbers_that_holders_know_are_left_behind() {
        let state = tempfile::tempdir().expect("a directory");
        let numbers = RequestNumbers::open(state.path()).expect("read");
        let (first, second) = (numbers.next().expect("one"), numbers.next().expect("another"));
        numbers.leap_over(first);
        numbers.leap_over(second);
        let next = numbers.next().expect("given");
        assert_eq!(next, first + LEAP);
        assert!(RequestNumbers::open(state.path()).expect("read").next().expect("given") > next);
        fs::write(state.path().join("evaluation.number"), "many").expect("written");
        assert!(RequestNumbers::open(state.path()).is_err(), "never begins again by itself");
    }
}
