//! What breaks and comes back: restarts, lost connections, adapters down, certificates revoked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use proto::wire::{self, AlertState, sync_frame::Frame};
use tests::{
    city::City,
    deployment::ADMINISTRATOR,
    fault_proxy::{FaultProxy, Weather},
    oracle::random::SMALL_POLICY,
    tap::{Change, Tampering, Tap},
};

use crate::{
    fixture::{expected_of, ids, settle, today, world_of},
    flow::all_poor,
    siege::RULE,
    town::{Town, agency},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_gateway_has_its_alerts_at_once_and_withdraws_none() {
    let city = City::generate(1500, 31, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    let wanted = expected_of(&city, &world.deployment, &[]);
    let mut desk = world.desk().await.expect("desk");
    settle(&world, &desk, &wanted).await;
    let before = ids(&mut desk).await;

    world.stop_gateway().await.expect("stopped");
    let agencies = world.deployment.agencies();
    for id in &agencies {
        world.stop_adapter(id).await.expect("stopped");
    }
    world.start_gateway().await.expect("started again, alone");
    let mut desk = world.desk().await.expect("desk");
    assert_eq!(ids(&mut desk).await, before, "before anybody released anything");
    for id in &agencies {
        world.start_adapter(id).await.expect("started again");
    }
    settle(&world, &desk, &wanted).await;
    assert_eq!(ids(&mut desk).await, before, "the same alerts under the same ids");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_gateway_says_how_far_a_release_is_and_serves_alerts_meanwhile() {
    const PEOPLE: u16 = 900;
    let mut sources = all_poor(PEOPLE);
    let helped = sources.people.iter().skip(9).map(|person| (person.clone(), vec![1]));
    sources.rows.insert("help".into(), helped.collect());
    let mut town = Town::new(&(SMALL_POLICY.to_owned() + RULE), &sources);
    town.world.start_adapters().await.expect("started");
    let door = town.world.adapter_address(&agency("aid"));
    let road = FaultProxy::start(door).await.expect("bound");
    town.world.reach_through(&agency("aid"), road.address);
    town.world.start_gateway().await.expect("started");
    town.come_to(&town.facts(&sources), &[]).await.expect("nine are not helped");
    let before = ids(&mut town.world.desk().await.expect("desk")).await;
    assert_eq!(before.len(), 9);

    town.world.stop_gateway().await.expect("stopped");
    road.turn(Weather::Narrow(20_000));
    town.world.start_gateway().await.expect("started again");
    let admin = town.world.client(&ADMINISTRATOR).await.expect("admin");
    let line = || town.line(&admin, "poor");
    let begun = |line: &wire::DatasetStatus| {
        line.freshness() == wire::Freshness::Missing && line.arriving.is_some()
    };
    town.world.until(line, begun).await.expect("a release that has begun");
    assert_eq!(ids(&mut town.world.desk().await.expect("desk")).await, before, "as they stood");
    road.turn(Weather::Clear);
    let whole = |line: &wire::DatasetStatus| {
        line.freshness() == wire::Freshness::Fresh && line.arriving.is_none()
    };
    let seen = town.world.until(line, whole).await.expect("a release that came to its end");
    assert_eq!(seen.rows, u64::from(PEOPLE));
    assert_eq!(ids(&mut town.world.desk().await.expect("desk")).await, before, "the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_sealed_rows_go_on_from_their_cursors() {
    let mut city = City::generate(1500, 32, today());
    let mut world = world_of(&city);
    let police = agency("public_security");
    world.start_adapters().await.expect("started");
    let address = world.adapter_address(&police);
    let tap = Tap::start(&world.deployment, &police, address).await.expect("tap");
    world.reach_through(&police, tap.address);
    world.start_gateway().await.expect("started");
    let desk = world.desk().await.expect("desk");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;
    world.stop_gateway().await.expect("stopped");
    tap.passed.lock().expect("no panics").responses.clear();

    // One person buys a large car while the gateway is away.
    let buyer = city.base().next().expect("a base").id.clone();
    city.resident_mut(&buyer).expect("a resident").vehicles.push(900_000);
    city.write_sources(&world.deployment.dir).expect("written");
    world.reload(&police).expect("reloading");
    world.pass(Duration::from_secs(60));
    world.reload_all().expect("reloading");
    world.start_gateway().await.expect("started again");
    let desk = world.desk().await.expect("desk");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;

    let passed = tap.passed.lock().expect("no panics");
    let frames = passed.responses.iter().filter_map(|bytes| {
        use prost::Message;
        wire::SyncFrame::decode(bytes.as_slice()).ok().and_then(|frame| frame.frame)
    });
    let snapshots = frames.filter(|frame| match frame {
        Frame::Header(header) => {
            header.dataset == "vehicle_registration"
                && header.transfer() == wire::Transfer::Snapshot
        }
        _ => false,
    });
    assert_eq!(snapshots.count(), 0, "a delta was enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_in_mid_stream_leaves_nothing_half_applied() {
    let city = City::generate(1500, 33, today());
    let mut world = world_of(&city);
    world.start_adapters().await.expect("started");
    let tax = agency("tax");
    let tap = Tap::start(&world.deployment, &tax, world.adapter_address(&tax)).await.expect("tap");
    // The first three transfers end before their trailer.
    let cut = Arc::new(AtomicUsize::new(0));
    let counter = cut.clone();
    let rows: Change<Vec<wire::SyncFrame>> = Arc::new(move |mut group| {
        if counter.fetch_add(1, Ordering::SeqCst) < 3 {
            // What follows is a header where a trailer should be: the gateway must notice.
            group.retain(|frame| !matches!(frame.frame, Some(Frame::Trailer(_))));
        }
        group
    });
    tap.tamper(Tampering { rows: Some(rows), ..Default::default() });
    world.reach_through(&tax, tap.address);
    world.start_gateway().await.expect("started");
    let desk = world.desk().await.expect("desk");
    world.arrived(&["tax_declaration"]).await.expect("the others arrived");
    assert_eq!(rows_of(&world, "tax_declaration").await, 0, "no trailer, no rows");
    // New readings make the adapter send again, until a trailer passes.
    for _ in 0..4 {
        world.pass(Duration::from_secs(60));
        world.reload(&tax).expect("reloading");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    world.reload_all().expect("reloading");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;
    assert!(cut.load(Ordering::SeqCst) >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_is_down_makes_its_dataset_unknown_and_the_gateway_says_why() {
    let city = City::generate(1500, 34, today());
    let mut world = world_of(&city);
    let tax = agency("tax");
    for id in world.deployment.agencies().iter().filter(|id| **id != tax) {
        world.start_adapter(id).await.expect("started");
    }
    world.start_gateway().await.expect("started");
    world.arrived(&["tax_declaration"]).await.expect("the others arrived");
    // After two minutes nobody waits for the first arrival any more.
    world.pass(Duration::from_secs(130));
    let desk = world.desk().await.expect("desk");
    let unknown = expected_of(&city, &world.deployment, &["tax_declaration"]);
    assert!(unknown.values().any(|state| *state == AlertState::Pending));
    settle(&world, &desk, &unknown).await;
    let mut admin = world.client(&ADMINISTRATOR).await.expect("admin");
    let agencies = admin.admin.list_agencies(wire::ListAgenciesRequest {}).await.expect("asked");
    let agencies = agencies.into_inner().agencies;
    let line = agencies.iter().find(|line| line.agency == "tax").expect("listed");
    assert!(!line.connected && line.problem.contains("no connection"), "{}", line.problem);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_adapter_is_refused_and_both_sides_can_say_so() {
    let city = City::generate(1500, 35, today());
    let mut world = world_of(&city);
    let tls = world.deployment.dir.join("tax/tls");
    let stolen = world.deployment.pki.issue("agency", "tax");
    world.deployment.pki.write(&stolen, &[], &tls).expect("written");
    let revoked = world.deployment.pki.revoked_pem(&[stolen.serial]);
    let list = world.deployment.dir.join("gateway/tls/revoked.pem");
    std::fs::write(list, revoked).expect("written");
    world.start().await.expect("started");
    world.arrived(&["tax_declaration"]).await.expect("the others arrived");
    let mut admin = world.client(&ADMINISTRATOR).await.expect("admin");
    let agencies = admin.admin.list_agencies(wire::ListAgenciesRequest {}).await.expect("asked");
    let agencies = agencies.into_inner().agencies;
    let line = agencies.iter().find(|line| line.agency == "tax").expect("listed");
    assert!(!line.connected && line.problem.to_lowercase().contains("revoked"), "{}", line.problem);
}

/// How many rows of a dataset the gateway holds.
async fn rows_of(world: &tests::world::World, dataset: &str) -> u64 {
    let mut admin = world.client(&ADMINISTRATOR).await.expect("admin");
    let datasets = admin.datasets().await.expect("asked");
    datasets.iter().find(|d| d.dataset == dataset).map_or(0, |d| d.rows)
}
