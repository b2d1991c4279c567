//! The promises of the design, each under its name.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proto::{name::DatasetId, person_secret::PersonSecret, wire::AlertState};
use tests::{
    city::City,
    deployment::{CITY_DESK, Deployment},
    tap::Tap,
};

use crate::{
    capability::{Released, rows_of},
    fixture::{
        default_policy, difference, expected_of, ids, settle, system_today, today, world_now,
        world_of,
    },
};

fn agency(id: &str) -> proto::name::AgencyId {
    id.parse().expect("a name")
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_2_outside_the_base_nobody_can_be_linked_or_opened() {
    let city = City::generate(1500, 21, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    settle(&world, &world.desk().await.expect("desk"), &expected_of(&city, &world.deployment, &[]))
        .await;

    let released = Released::of(&world).await;
    let base: BTreeSet<_> = city.base().map(|resident| resident.id.clone()).collect();
    let homes: BTreeSet<_> = city.base().map(|resident| resident.household).collect();
    let outside: Vec<_> = city
        .residents()
        .filter(|r| !base.contains(&r.id) && !homes.contains(&r.household))
        .collect();
    assert!(outside.len() > 500, "most of the city is outside the base");

    let (mut seen, mut opened) = (BTreeMap::new(), 0);
    for dataset in ["vehicle_registration", "tax_declaration", "social_insurance_payment"] {
        let id: DatasetId = dataset.parse().expect("a name");
        let tags = rows_of(&world, &id).await;
        opened += tags.iter().filter(|tag| released.opens(&id, tag)).count();
        for resident in &outside {
            let tag = world.deployment.tag_of(&resident.id, &id, today()).expect("a tag");
            assert!(!released.opens(&id, &tag), "a released secret opens an outsider's row");
            if tags.contains(&tag) {
                let elsewhere = seen.insert(tag, dataset);
                assert_eq!(elsewhere, None, "one tag in two datasets links them");
            }
        }
    }
    assert!(opened > 0, "rows of the base do open, so that the test can see the difference");
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_3_a_cross_check_agency_never_learns_who_is_being_checked() {
    let city = City::generate(1500, 22, today());
    let mut world = world_of(&city);
    let tax = agency("tax");
    world.start_adapters().await.expect("started");
    let tap = Tap::start(&world.deployment, &tax, world.adapter_address(&tax)).await.expect("tap");
    world.reach_through(&tax, tap.address);
    world.start_gateway().await.expect("started");
    let desk = world.desk().await.expect("desk");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;

    let id: DatasetId = "tax_declaration".parse().expect("a name");
    let deployment = &world.deployment;
    let mut needles: Vec<Vec<u8>> = vec![];
    for resident in city.base() {
        let subject = deployment.subject_of(&resident.id, today()).expect("a subject");
        let secret = deployment.secret_of(&resident.id, &id, today()).expect("a secret");
        let tag = secret.lookup_tag().0;
        needles.extend([subject.0.to_vec(), tag.to_vec(), secret.expose().to_vec()]);
        needles.push(hex::encode(subject.0).into_bytes());
    }
    let passed = tap.passed.lock().expect("no panics");
    assert!(passed.requests.len() >= 2, "the gateway did ask");
    let asked = passed.requests.concat();
    let found =
        needles.iter().filter(|n| asked.windows(n.len()).any(|w| w == n.as_slice())).count();
    assert_eq!(found, 0, "what the gateway asks names nobody");
    // The whole of what is asked: a scope, a dataset, a place in its log, grants.
    assert!(asked.len() < 4096, "{} bytes", asked.len());
    let answered = passed.responses.concat();
    let listed = needles.iter().filter(|n| answered.windows(n.len()).any(|w| w == n.as_slice()));
    assert!(listed.count() > 0, "tags do pass the other way, so that the test can see them");
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_4_without_the_owners_grant_nobody_is_checked_against_a_dataset() {
    let city = City::generate(1500, 23, today());
    let mut world = world_of(&city);
    let issued = world.deployment.dir.join("tax/state/grants/1/issued");
    std::fs::remove_dir_all(&issued).expect("the tax bureau takes its grants back");
    world.start().await.expect("started");
    let desk = world.desk().await.expect("desk");
    let without = expected_of(&city, &world.deployment, &["tax_declaration"]);
    let with = expected_of(&city, &world.deployment, &[]);
    assert_ne!(without, with, "the dataset decides something");
    settle(&world, &desk, &without).await;

    let released = Released::of(&world).await;
    assert!(!released.names(&"tax_declaration".parse().expect("a name")));

    world.deployment.grant_everything().expect("the tax bureau grants after all");
    // The gateway asks owners again every ten seconds.
    settle(&world, &desk, &with).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_7_unknown_never_counts_as_no() {
    let city = City::generate(1500, 24, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    let desk = world.desk().await.expect("desk");
    let before = expected_of(&city, &world.deployment, &[]);
    settle(&world, &desk, &before).await;

    // The real estate register goes silent; everybody else goes on, and so does life.
    let silent = agency("planning_resources");
    world.stop_adapter(&silent).await.expect("stopped");
    world.pass(Duration::from_secs(49 * 3600));
    let changed = city.next_day(5);
    changed.write_sources(&world.deployment.dir).expect("written");
    world.reload_all().expect("reloading");
    world.arrived(&["real_estate_registration"]).await.expect("the others arrived");

    let unknown = expected_of(&changed, &world.deployment, &["real_estate_registration"]);
    let pending = unknown.values().filter(|state| **state == AlertState::Pending).count();
    assert!(pending > before.len() / 2, "the register decides much: {pending} of {}", before.len());
    // Nobody's open alert is taken back for want of an answer.
    let mut wanted = unknown.clone();
    for (key, state) in &mut wanted {
        if before.get(key) == Some(&AlertState::Open) {
            *state = AlertState::Open;
        }
    }
    settle(&world, &desk, &wanted).await;

    world.start_adapter(&silent).await.expect("started again");
    let known = expected_of(&changed, &world.deployment, &[]);
    settle(&world, &desk, &known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_8_after_kill_9_nothing_told_is_lost_or_told_again_under_another_id() {
    let city = City::generate(1500, 25, system_today());
    let mut world = world_now(&city);
    world.start_adapters().await.expect("started");
    let config = world.gateway_config().expect("written");
    let mut told: BTreeMap<(String, String), String> = BTreeMap::new();
    // Killed ever later: while rows arrive, while alerts are written, when all is quiet.
    for round in 0..8_u64 {
        let gateway = tests::process::Process::start("gateway", &config).await.expect("started");
        let deadline = tokio::time::Instant::now() + Duration::from_millis(150 * round * round);
        let mut desk = desk_of(&world.deployment, gateway.address).await;
        loop {
            for (key, id) in ids(&mut desk).await {
                let first = told.entry(key.clone()).or_insert_with(|| id.clone());
                assert_eq!(*first, id, "{key:?} was told under another id before");
            }
            if tokio::time::Instant::now() > deadline {
                break;
            }
        }
        let now = ids(&mut desk).await;
        let lost: Vec<_> = told.keys().filter(|key| !now.contains_key(*key)).collect();
        assert!(lost.is_empty(), "told before the kill and gone after it: {lost:?}");
        told.extend(now);
        gateway.kill().await.expect("killed");
    }
    let gateway = tests::process::Process::start("gateway", &config).await.expect("started");
    let desk = desk_of(&world.deployment, gateway.address).await;
    let wanted = &expected_of(&city, &world.deployment, &[]);
    let look = || {
        let mut desk = desk.clone();
        async move { Ok(difference(&desk.alert_states().await?, wanted)) }
    };
    world.until(look, Vec::is_empty).await.expect("all alerts come in the end");
    for (key, id) in ids(&mut desk.clone()).await {
        assert_eq!(*told.entry(key).or_insert_with(|| id.clone()), id);
    }
}

async fn desk_of(
    deployment: &Deployment,
    gateway: std::net::SocketAddr,
) -> tests::staff_client::StaffClient {
    tests::staff_client::StaffClient::connect(deployment, &CITY_DESK, gateway).await.expect("desk")
}

#[test]
fn promise_1_the_default_policy_names_no_identifier() {
    // The policy is the one file that people write and the gateway keeps whole.
    let policy = default_policy();
    let digits = policy.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    assert!(digits < Some(15), "no number in it is long enough to be a person's");
    let secret = PersonSecret::from_bytes([7; 32]);
    assert_eq!(format!("{secret:?}"), "PersonSecret");
}
