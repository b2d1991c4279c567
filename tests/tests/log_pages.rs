//! Pages of the access log: a search for any span of time that goes on from any entry.

use std::{collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};
use proto::{
    act::Act,
    checkpoint::Checkpoint,
    entry::{Actor, Entry},
    merkle::{Hash, TreeHead},
    wire,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use tests::{
    deployment::{AUDITOR, CITY_DESK},
    log_reader::{Entries, entries, hashes, log_key, search},
    world::World,
};

use crate::audit::settled;

/// A log that goes on over many seconds, and how far it is whole: what comes later is of a later time.
async fn log_over_time(world: &World) -> Entries {
    let mut desk = world.desk().await.expect("the desk");
    for _ in 0..30 {
        desk.alerts().await.expect("shown");
        world.pass(Duration::from_secs(1));
    }
    let shown = |log: &Entries| {
        let by_desk =
            |entry: &Entry| *entry.by() == Actor::Officer(CITY_DESK.id.parse().expect("a name"));
        log.iter().filter(|(_, entry)| by_desk(entry)).count() >= 30
    };
    let auditor = world.client(&AUDITOR).await.expect("the auditor");
    let manifest = &world.deployment.manifest;
    let read = || {
        let mut auditor = auditor.clone();
        async move { entries(&mut auditor, manifest).await }
    };
    let log = world.until(read, shown).await.expect("what the desk was shown is in the log");
    world.pass(Duration::from_secs(1));
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_goes_on_from_any_entry_and_every_page_is_the_one_asked_for_and_is_proved() {
    let (_, world) = settled(66).await;
    let log = log_over_time(&world).await;
    let manifest = &world.deployment.manifest;
    let mut auditor = world.client(&AUDITOR).await.expect("the auditor");
    let mut random = ChaCha20Rng::seed_from_u64(66);
    let times: BTreeSet<Timestamp> = log.iter().map(|(_, entry)| entry.at()).collect();
    let times = Vec::from_iter(times);
    let before = |time: Timestamp| log.iter().take_while(|(_, entry)| entry.at() < time).count();
    let mut shown = BTreeSet::new();
    for _ in 0..60 {
        let mut at = || {
            let time = times[random.random_range(0..times.len())];
            time + SignedDuration::from_millis(random.random_range(-1..=1))
        };
        // What came after the log was read is none of its entries.
        let (from, until) = (at(), at().min(times[times.len() - 1]));
        let (from, until) = (random.random_bool(0.7).then_some(from), until);
        let first = random.random_range(0..log.len() + 9);
        let known = random.random_range(0..log.len());
        let request = wire::SearchRequest {
            from: from.map(wire_time),
            until: Some(wire_time(until)),
            first: first as u64,
            known_size: known as u64,
        };
        let (span, page) = search(&mut auditor, manifest, request).await.expect("proved");
        // One more on either side shows where the time asked for begins and ends.
        let end = before(until) + 1;
        let start = from.map_or(0, |from| before(from).saturating_sub(1));
        let first = first.max(start).min(end);
        assert_eq!((span.first, span.end), (first as u64, end as u64), "{from:?} {until}");
        assert_eq!(page, log[first..end]);
        shown.insert((span.first, span.end));

        let checkpoint = Checkpoint::open(&span.checkpoint, &log_key(manifest)).expect("signed");
        let leaves: Vec<_> = log[..known].iter().map(|(bytes, _)| Hash::of_leaf(bytes)).collect();
        let old = TreeHead { size: known as u64, root: Hash::of_tree(&leaves) };
        let since = hashes(&span.since_known).expect("hashes");
        checkpoint.head().verify_consistency(&old, &since).expect("it goes on from what is known");
    }
    // An answer that broke off again and again.
    let mut pages = vec![];
    while pages.len() < log.len() {
        let request = wire::SearchRequest { first: pages.len() as u64, ..Default::default() };
        let (span, mut page) = search(&mut auditor, manifest, request).await.expect("proved");
        assert_eq!(span.first, pages.len() as u64);
        shown.insert((span.first, span.end));
        page.truncate(random.random_range(1..40));
        pages.extend(page);
    }
    assert_eq!(pages[..log.len()], log);
    let reads_are_logged = |log: &Entries| {
        let read = |(_, entry): &(_, Entry)| match entry.act() {
            Act::LogRead { first, end } => Some((*first, *end)),
            _ => None,
        };
        shown.is_subset(&log.iter().filter_map(read).collect())
    };
    let read = || {
        let mut auditor = auditor.clone();
        async move { entries(&mut auditor, manifest).await }
    };
    world.until(read, reads_are_logged).await.expect("what an auditor was shown is in the log");
}

fn wire_time(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}
