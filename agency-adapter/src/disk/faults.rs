//! Faults of the disk for one thread: an operation fails, or is the last before the process is killed;
//! and what a store must be like whatever the operation was.

use std::{cell::Cell, io, path::Path};

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One operation fails, half done.
    Fails,
    /// From that operation on all fail, as on a full disk.
    FailsOn,
    /// The process is killed before it.
    Killed,
    /// The process is killed in the middle of it.
    KilledAmid,
}

pub(crate) const ALL: [Fault; 4] = [Fault::Fails, Fault::FailsOn, Fault::Killed, Fault::KilledAmid];

thread_local! {
    static PLANNED: Cell<Option<(usize, Fault)>> = const { Cell::new(None) };
    static OPERATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Counts an operation, and fails it where that is planned.
pub(super) fn turn(half: impl FnOnce()) -> io::Result<()> {
    let now = OPERATIONS.get();
    OPERATIONS.set(now + 1);
    let Some((at, fault)) = PLANNED.get().filter(|(at, _)| *at <= now) else { return Ok(()) };
    match fault {
        Fault::Fails if now > at => return Ok(()),
        Fault::Fails | Fault::FailsOn => half(),
        Fault::KilledAmid if now == at => half(),
        // The dead do nothing.
        Fault::Killed | Fault::KilledAmid => {}
    }
    Err(io::ErrorKind::StorageFull.into())
}

/// Does something under a fault at the operation with this number; how many operations there were.
fn under(planned: Option<(usize, Fault)>, work: impl FnOnce()) -> usize {
    PLANNED.set(planned);
    OPERATIONS.set(0);
    work();
    PLANNED.set(None);
    OPERATIONS.get()
}

/// Memory is as good a disk as any where no power fails, and quicker.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a directory")
}

/// Lives a store's life in a new directory under every fault at every operation, and again under a
/// second one while it is opened after the first; `check` must find whole what the life noted.
pub(crate) fn everywhere<Seen: Default>(
    live: impl Fn(&Path, &mut Seen),
    open: impl Fn(&Path),
    check: impl Fn(&Path, &Seen, &str),
) {
    let life = |planned| {
        let (directory, mut seen) = (directory(), Seen::default());
        let operations = under(planned, || live(directory.path(), &mut seen));
        (directory, seen, operations)
    };
    let (directory, seen, operations) = life(None);
    check(directory.path(), &seen, "nothing fails");
    assert!(operations > 1, "{operations} operations are the whole table");
    for at in 0..operations {
        for fault in ALL {
            let (directory, seen, _) = life(Some((at, fault)));
            check(directory.path(), &seen, &format!("{fault:?} at {at}"));
        }
        for second in ALL {
            for again in 0.. {
                let (directory, seen, _) = life(Some((at, Fault::KilledAmid)));
                let took = under(Some((again, second)), || open(directory.path()));
                let what = format!("killed at {at}, {second:?} at {again} of the start");
                check(directory.path(), &seen, &what);
                if took <= again {
                    break;
                }
            }
        }
    }
}
