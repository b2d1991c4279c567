//! The crash table: the machine dies at every operation of a life, in every way, and starts again on what
//! is left; it dies again while it starts; or the disk fails at every operation and the life goes on.
//!
//! What a life is, and what must be whole after it, is the business of whoever stores something.

use std::{io::ErrorKind, sync::Arc};

use super::simulated::{Fault, How, SimulatedDisk, Unsynced};

const HOWS: [How; 3] = [How::NotDone, How::Done, How::Torn];
const LEFTOVERS: [Unsynced; 3] = [Unsynced::Gone, Unsynced::Kept, Unsynced::Torn];

/// A life, and how it is judged.
pub struct CrashTable<S> {
    /// Does everything once, and whatever fails once more; says what was seen of it.
    pub life: fn(&Arc<SimulatedDisk>) -> S,
    /// Starts, and says whether that came to its end.
    pub start: fn(&Arc<SimulatedDisk>) -> bool,
    /// Starts on what is left, and checks that all is whole that was seen. The words say what happened.
    pub starts_whole: fn(&Arc<SimulatedDisk>, &S, &str),
}

impl<S> CrashTable<S> {
    /// How many operations a life has.
    pub fn operations(&self) -> usize {
        let disk = Arc::new(SimulatedDisk::default());
        (self.life)(&disk);
        disk.operations()
    }

    /// The machine dies once.
    pub fn dies(&self) {
        for at in 0..self.operations() {
            for how in HOWS {
                let (disk, seen) = self.life_with(at, Fault::Dies(how));
                self.judge(&disk, &seen, &format!("dies at {at} ({how:?})"));
            }
        }
    }

    /// The machine dies, at every `step`th operation, and again at every operation of the start.
    pub fn dies_again(&self, step: usize) {
        for at in (0..self.operations()).step_by(step) {
            let (disk, seen) = self.life_with(at, Fault::Dies(How::Torn));
            let first = LEFTOVERS[at % 3];
            for again in 0.. {
                let how = HOWS[again % 3];
                let disk = disk.restarted(first).with_fault(again, Fault::Dies(how));
                let disk = Arc::new(disk);
                let started = (self.start)(&disk) && !disk.is_dead();
                let what = format!("dies at {at}, and at {again} ({how:?}) of the start");
                let unsynced = LEFTOVERS[(at + again) % 3];
                (self.starts_whole)(&Arc::new(disk.restarted(unsynced)), &seen, &what);
                if started {
                    break;
                }
            }
        }
    }

    /// The disk fails once, and `good` says whether the second try of what failed worked.
    pub fn fails(&self, good: fn(&S) -> bool) {
        for at in 0..self.operations() {
            let (disk, seen) = self.life_with(at, Fault::Fails(ErrorKind::StorageFull));
            assert!(good(&seen), "fails at {at}: the second try works");
            self.judge(&disk, &seen, &format!("fails at {at}"));
        }
    }

    fn life_with(&self, at: usize, fault: Fault) -> (Arc<SimulatedDisk>, S) {
        let disk = Arc::new(SimulatedDisk::default().with_fault(at, fault));
        let seen = (self.life)(&disk);
        (disk, seen)
    }

    fn judge(&self, disk: &SimulatedDisk, seen: &S, what: &str) {
        for unsynced in LEFTOVERS {
            let what = format!("{what}, unsynced {unsynced:?}");
            (self.starts_whole)(&Arc::new(disk.restarted(unsynced)), seen, &what);
        }
    }
}
