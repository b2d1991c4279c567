//! What an adapter sends and must not: one refusal for everything that can be wrong with a group.

use gateway::sync::{Refusal, RowGroup, SubjectGroup};
use proto::{
    group::{GroupCheck, GroupError},
    wire,
};

use crate::fixture::{cursor, expecting, now, release, release_header, rows, schema, sync_header};

fn begin(change: impl FnOnce(&mut wire::SyncHeader), from: Option<u32>) -> Option<Refusal> {
    let mut header = sync_header("cars", from, 4);
    change(&mut header);
    expecting("cars", Some(3), |expected| RowGroup::begin(expected, header)).err()
}

#[test]
fn a_header_for_something_else_is_refused() {
    assert!(begin(|_| {}, Some(3)).is_none() && begin(|_| {}, None).is_none());
    let scope = |header: &mut wire::SyncHeader| header.scope.as_mut().expect("there").epoch = 2;
    assert!(matches!(begin(scope, None), Some(Refusal::Scope(_))));
    assert!(matches!(begin(|header| header.scope = None, None), Some(Refusal::Scope(_))));
    let agency = begin(|header| header.agency = "aid".into(), None);
    assert!(matches!(agency, Some(Refusal::Other { .. })));
    let dataset = begin(|header| header.dataset = "register".into(), None);
    assert!(matches!(dataset, Some(Refusal::Other { .. })));
    assert!(matches!(begin(|header| header.row_size = 2, None), Some(Refusal::RowSize { .. })));
}

#[test]
fn a_header_without_place_or_time_is_refused() {
    let field = |refusal| match refusal {
        Some(Refusal::Header(field)) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(begin(|header| header.to = None, None)), "cursor");
    assert_eq!(field(begin(|header| header.from = None, Some(3))), "cursor");
    assert_eq!(field(begin(|header| header.as_of = None, None)), "as_of");
    assert_eq!(field(begin(|header| header.transfer = 0, None)), "kind of transfer");
    let ahead = |seconds: i64| {
        let as_of = prost_types::Timestamp { seconds: now().as_second() + seconds, nanos: 0 };
        begin(|header| header.as_of = Some(as_of), None)
    };
    assert!(ahead(300).is_none(), "a clock may be a little ahead");
    assert!(matches!(ahead(301), Some(Refusal::Future(_))));
}

#[test]
fn a_delta_goes_on_from_what_is_held_and_not_back() {
    assert!(matches!(begin(|_| {}, Some(2)), Some(Refusal::Gap { .. })), "an older version");
    let back = |header: &mut wire::SyncHeader| header.to = Some(cursor(2).into());
    assert!(matches!(begin(back, Some(3)), Some(Refusal::Gap { .. })), "back");
    let log = |header: &mut wire::SyncHeader| header.to.as_mut().expect("there").log = vec![8; 16];
    assert!(matches!(begin(log, Some(3)), Some(Refusal::Gap { .. })), "into another log");
    let header = sync_header("cars", Some(3), 4);
    let nothing = expecting("cars", None, |expected| RowGroup::begin(expected, header)).err();
    assert!(matches!(nothing, Some(Refusal::Gap { .. })), "nothing is held");
}

#[test]
fn a_group_that_is_not_what_its_trailer_says_is_refused() {
    let group = || {
        let header = sync_header("cars", None, 1);
        expecting("cars", None, |expected| RowGroup::begin(expected, header)).expect("good")
    };
    let columns = rows("cars", &[(1, Some(vec![0])), (2, Some(vec![1]))]);
    let mut sent = GroupCheck::default();
    sent.rows(&columns, 1).expect("good");
    let lost = group().end(&sent.trailer()).err();
    assert!(matches!(lost, Some(Refusal::Group(GroupError::Incomplete))));
    let mut twice = group();
    assert!(twice.rows(columns.clone()).expect("good").is_some(), "to be staged");
    let refused = twice.rows(columns).err();
    assert!(matches!(refused, Some(Refusal::Group(GroupError::OutOfOrder))));
    let mut deleting = group();
    let deletion = rows("cars", &[(1, None)]);
    let mut sent = GroupCheck::default();
    sent.rows(&deletion, 1).expect("good");
    deleting.rows(deletion).expect("a shape");
    let refused = deleting.end(&sent.trailer()).err();
    assert!(matches!(refused, Some(Refusal::Group(GroupError::DeletionInSnapshot))));
}

#[test]
fn a_delta_that_memory_should_not_hold_is_refused() {
    let header = sync_header("cars", Some(1), 2);
    let mut group =
        expecting("cars", Some(1), |expected| RowGroup::begin(expected, header)).expect("good");
    let refusal = (0_u64..).find_map(|frame| {
        let keys = (0..200_000_u64).map(|key| u128::from(frame * 200_000 + key));
        let deleted_tags = keys.flat_map(u128::to_be_bytes).collect();
        let columns = wire::SealedRowColumns { deleted_tags, ..Default::default() };
        group.rows(columns).err()
    });
    assert!(matches!(refusal, Some(Refusal::LargeDelta)));
}

#[test]
fn a_release_is_refused_for_flags_and_secrets_that_cannot_be() {
    let flag = release(None, 1, &["cars"], &[(1, Some(77))]).err();
    assert!(matches!(flag, Some(Refusal::Flag(name)) if name.as_str() == "paid"));
    let begin =
        |header| expecting("ill", None, |expected| SubjectGroup::begin(expected, header)).err();
    let secrets = |names: &[&str]| begin(release_header(None, 1, names));
    for names in [&["base"][..], &["cars", "cars"], &["No Name"]] {
        assert!(matches!(secrets(names), Some(Refusal::Header("secrets_for"))), "{names:?}");
    }
    assert!(secrets(&["cars", "register"]).is_none());
    let width = wire::ReleaseHeader { flag_count: 2, ..release_header(None, 1, &[]) };
    assert!(matches!(begin(width), Some(Refusal::RowSize { got: 2, expected: 1 })));
}

#[test]
fn what_was_released_is_never_in_a_debug_text() {
    let released = release(None, 1, &["cars"], &[(0xAB, Some(1))]).expect("good");
    let text = format!("{released:?}");
    assert!(text.contains("ill") && !text.contains("171") && text.len() < 300, "{text}");
    assert_eq!(schema("ill").flags.len(), 1);
}
