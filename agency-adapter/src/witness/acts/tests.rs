//! Which acts wait, which entries settle them, and what an operator is told.

use proto::cursor::Cursor;

use super::*;
use crate::disk::faults;

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

fn said(act: OwnAct, times: u64) -> Accounted {
    Accounted { act, times, refused: None }
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
fn whatever_the_disk_fails_at_what_was_noted_is_looked_for() {
    let live = |directory: &Path, noted: &mut Vec<u32>| {
        let acts = OwnActs::open(directory).expect("read");
        for version in 1..4 {
            let note = || acts.note(sync("cars", version), at(0));
            if note().or_else(|_| note()).is_ok() {
                noted.push(version);
            }
        }
        if acts.settle((LOG, 5), &[said(sync("cars", 1), 1)]).is_ok() {
            noted.retain(|version| *version != 1);
        }
    };
    let check = |directory: &Path, noted: &Vec<u32>, what: &str| {
        let acts = OwnActs::open(directory).expect(what);
        let left = left(&acts);
        for version in noted {
            let settled = *version == 1 && acts.shown_until(LOG) == 5;
            assert!(settled || left.contains(&(sync("cars", *version), 1)), "{what}: {version}");
        }
        acts.note(sync("homes", 1), at(0)).expect(what);
    };
    let open = |directory: &Path| {
        let acts = OwnActs::open(directory).expect("read");
        // As the adapter that serves it.
        let _ = acts.note(sync("homes", 1), at(0));
    };
    faults::everywhere(live, open, check);
}

#[test]
fn an_entry_settles_what_was_sent_of_its_dataset_up_to_then_and_nothing_else() {
    let (_directory, acts) = open();
    for act in [sync("cars", 1), sync("homes", 1), sync("cars", 2), sync("cars", 3)] {
        acts.note(act, at(0)).expect("noted");
    }
    let entries = [said(sync("cars", 2), 1), said(sync("boats", 4), 1)];
    acts.settle((LOG, 9), &entries).expect("settled");
    assert_eq!(left(&acts), [(sync("homes", 1), 1), (sync("cars", 3), 1)]);
    assert_eq!((acts.shown_until(LOG), acts.shown_until("another")), (9, 0));
}

#[test]
fn a_refused_group_waits_no_longer_and_is_told_until_a_later_one_is_taken_over() {
    let (directory, acts) = open();
    for act in [sync("cars", 1), sync("cars", 2), sync("homes", 1)] {
        acts.note(act, at(0)).expect("noted");
    }
    let fault = GroupFault::RowSize;
    let refused = Accounted { refused: Some((at(9), fault)), ..said(sync("cars", 2), 1) };
    acts.settle((LOG, 9), std::slice::from_ref(&refused)).expect("settled");
    assert_eq!(left(&acts), [(sync("cars", 1), 1), (sync("homes", 1), 1)], "it alone");
    let told = [RefusedGroup { at: at(9), act: sync("cars", 2), fault }];
    assert_eq!(acts.refused(), told);
    acts.settle((LOG, 10), &[refused, said(sync("homes", 1), 1)]).expect("settled");
    assert_eq!(OwnActs::open(directory.path()).expect("opened").refused(), told);
    acts.settle((LOG, 11), &[said(sync("cars", 3), 1)]).expect("settled");
    assert_eq!(acts.refused(), []);
}

#[test]
fn evaluations_are_counted_and_the_log_must_account_for_as_many() {
    let (_directory, acts) = open();
    for second in [0, 30, 60, 61] {
        acts.note(evaluations("tax"), at(second)).expect("noted");
    }
    acts.note(evaluations("police"), at(61)).expect("noted");
    assert_eq!(acts.waiting(), 3, "those of a minute are one line");
    acts.settle((LOG, 1), &[said(evaluations("tax"), 3)]).expect("settled");
    assert_eq!(left(&acts), [(evaluations("tax"), 1), (evaluations("police"), 1)]);
    // One more is logged before its answer is here.
    acts.settle((LOG, 2), &[said(evaluations("tax"), 2)]).expect("settled");
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
