//! The power fails between any two writes, or within one: what was acknowledged is there, nothing is
//! half there, and what the gateway had only begun to do by itself it does when it is started again.

use super::{
    House, Part, World,
    files::{FRAME, Files, commits, difference, opened},
    live,
};

#[tokio::test]
async fn promise_8_a_power_failure_at_any_write_loses_nothing_and_leaves_nothing_half_done() {
    let house = House::new();
    let parts = live(&house).await;
    assert!(parts.len() > 2, "the store is folded on the way, too");
    let mut between = 0;
    for (number, part) in parts.iter().enumerate() {
        if number == 0 {
            begins(part).await;
        }
        for moments in part.moments.windows(2) {
            let [before, after] = moments else { unreachable!("two at a time") };
            let what = format!("{:?}", after.act);
            let mut last = before.contents.clone();
            for end in part.files.frames(before.length).take_while(|end| *end <= after.length) {
                // Before the first frame that is torn there are whole ones of a transaction that
                // does not end.
                cut(&part.files.until(end - FRAME / 2), (&last, &what)).await;
                if !commits(&part.files.wal, end) {
                    continue;
                }
                let mut flipped = part.files.until(end);
                flipped.wal[end - FRAME / 2] ^= 1;
                cut(&flipped, (&last, &what)).await;
                let (found, left) = opened(&part.files.until(end)).await;
                if found != last && end != after.length {
                    between += 1;
                    let again = opened(&left).await.0;
                    assert!(again == found, "{what}: a second death changes nothing");
                    goes_on(&house, (&left, &after.world), (&after.contents, &what)).await;
                }
                last = found;
            }
            let differs = difference(&last, &after.contents);
            assert!(last == after.contents, "{what}: all was acknowledged{differs}");
        }
        folding(part).await;
    }
    assert!(between > 20, "the gateway is met while it does something by itself: {between}");
}

/// While the store is being made.
async fn begins(part: &Part) {
    let first = &part.moments[0];
    for end in part.files.frames(0).take_while(|end| *end <= first.length) {
        let (found, _) = opened(&part.files.until(end)).await;
        assert!(found == first.contents, "a store that is half made is made");
    }
}

/// The last frame is torn, or has a bit that is wrong: its transaction did not happen.
async fn cut(files: &Files, (before, what): (&[String], &str)) {
    let found = opened(files).await.0;
    let differs = difference(&found, before);
    assert!(found == before, "{what}: a frame that is not whole counts{differs}");
}

/// The gateway starts again, and does what it had only begun to do; the power may fail in that, too.
async fn goes_on(
    house: &House,
    (files, world): (&Files, &World),
    (expected, what): (&[String], &str),
) {
    let directory = files.lay();
    let office = house.office(directory.path(), world).await;
    let found = office.contents().await;
    let differs = difference(&found, expected);
    assert!(found == expected, "{what}: a gateway that starts again finishes it{differs}");
    let then = Files::read(directory.path());
    office.leave().await;
    for end in then.frames(files.wal.len()).filter(|end| commits(&then.wal, *end)) {
        let directory = then.until(end).lay();
        let office = house.office(directory.path(), world).await;
        let found = office.contents().await;
        let differs = difference(&found, expected);
        assert!(found == expected, "{what}: also after a second power failure{differs}");
        office.leave().await;
    }
}

/// The store's file has some of its pages from before it was folded.
async fn folding(part: &Part) {
    let expected = &part.moments.last().expect("never empty").contents;
    let (before, after) = (&part.files.store, &part.folded);
    for written in (0..=after.len()).step_by(4096) {
        let mut store = after[..written].to_vec();
        store.extend(before.get(written..).unwrap_or_default());
        let found = opened(&Files { store, wal: part.files.wal.clone() }).await.0;
        assert!(&found == expected, "while the store is folded");
    }
}
