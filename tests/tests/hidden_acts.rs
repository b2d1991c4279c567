//! A gateway that takes what an adapter serves, and whose log does not say so to the adapter.

use std::{sync::Arc, time::Duration};

use proto::wire::ShowEntriesRequest;
use tests::tap::Tampering;

use crate::{
    siege::{Siege, sources},
    split_view::{seen_by, until_seen},
};

#[tokio::test(flavor = "multi_thread")]
async fn promise_6_what_an_adapter_served_and_the_log_does_not_account_for_is_told_after_ten_minutes()
 {
    let hide = |request| ShowEntriesRequest { entries: vec![], ..request };
    let tampering = Tampering { show: Some(Arc::new(hide)), ..Tampering::default() };
    let mut siege = Siege::before("police", tampering).await;
    let facts = siege.town.facts(&sources(false));
    siege.town.come_to(&facts, &[]).await.expect("served all the same");
    let world = &siege.town.world;
    until_seen(world, "police", |seen| seen.cosigned_size.is_some() && seen.waiting > 0).await;
    until_seen(world, "aid", |seen| seen.cosigned_size.is_some() && seen.waiting == 0).await;
    assert!(seen_by(world, "police").is_well(), "it is not late yet");

    world.pass(Duration::from_secs(601));
    let seen = seen_by(world, "police");
    let late: Vec<String> = seen.overdue.acts.iter().map(|late| late.act.to_string()).collect();
    assert!(late.iter().any(|act| act.starts_with("sync cars ")), "{late:?}");
    assert!(!seen.is_well() && seen.serving, "it is told, and people in need are not left alone");
    assert!(seen_by(world, "aid").is_well(), "of whom the log told");
}
