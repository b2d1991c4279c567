//! The disk takes no more at any write: the act that fails says so and leaves nothing behind, and once
//! there is room it works, and happens once.
//!
//! The limit is the system's, for a whole process. So the test runs itself once more, alone in a process
//! that outlives a refused write.

use std::process::Command;

use super::{
    House, Moment, Part,
    files::{FRAME, Files, difference},
    live,
    office::Office,
};

const ALONE: &str = "store_faults::refused::alone_in_a_process";

#[test]
fn a_refused_write_at_any_place_leaves_nothing_behind_and_is_made_up_for() {
    let this = std::env::current_exe().expect("a program");
    let mut shell = Command::new("sh");
    let run = shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(this);
    let run = run.args([ALONE, "--exact", "--ignored", "--nocapture"]).output().expect("runs");
    let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run by the test above: it limits its whole process"]
async fn alone_in_a_process() {
    let parts = live(&House::new()).await;
    let (mut refused, mut put_off) = (0, 0);
    for part in &parts {
        for moments in part.moments.windows(2) {
            let [before, after] = moments else { unreachable!("two at a time") };
            let house = House::new();
            let ends = part.files.frames(before.length).take_while(|end| *end <= after.length);
            for (number, end) in ends.enumerate() {
                // In the middle of a frame, or before it.
                let room = end - before.length - if number % 2 == 0 { FRAME / 2 } else { FRAME };
                match fill(&house, (part, room), (before, after)).await {
                    Ok(()) => put_off += 1,
                    Err(()) => refused += 1,
                }
            }
        }
    }
    assert!(refused > 100 && put_off > 20, "refused {refused}, put off {put_off}");
}

/// Lets an act happen while the `-wal` file can grow by `room` bytes only; whether it said that it did.
async fn fill(
    house: &House,
    (part, room): (&Part, usize),
    (before, after): (&Moment, &Moment),
) -> Result<(), ()> {
    let act = after.act.as_ref().expect("the first moment of a part follows nothing");
    let directory = part.files.until(before.length).lay();
    let office = house.office(directory.path(), &before.world).await;
    let room = Files::read(directory.path()).wal.len() + room;
    limit(&room.to_string());
    let said = act.happen(&office).await;
    limit("unlimited");
    let what = format!("{act:?} with room for {room} bytes");
    if said.is_err() {
        same(&office, (before, &what)).await;
        act.happen(&office).await.unwrap_or_else(|error| panic!("{what}, tried again: {error}"));
    }
    let done = office.contents().await == after.contents;
    office.leave().await;
    if !done {
        // What the gateway does by itself it tries again later, and when it is started again.
        assert!(said.is_ok(), "{what}: it was tried again, and is not done");
        let office = house.office(directory.path(), &after.world).await;
        same(&office, (after, &what)).await;
        office.leave().await;
    }
    said.map_err(drop)
}

async fn same(office: &Office, (moment, what): (&Moment, &str)) {
    let (found, expected) = (office.contents().await, &moment.contents);
    let differs = difference(&found, expected);
    assert!(&found == expected, "{what}{differs}");
}

/// How large files of this process may become.
fn limit(bytes: &str) {
    let process = std::process::id();
    let arguments = [format!("--fsize={bytes}:"), format!("--pid={process}")];
    let done = Command::new("prlimit").args(arguments).status().expect("prlimit runs");
    assert!(done.success(), "prlimit failed");
}
