//! The agencies as witnesses of the gateway's log: what they cosign, what they notice, and what the
//! gateway says while they are away.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use agency_adapter::{
    agency::Agency,
    clock::Clock as AdapterClock,
    config::Config,
    witness::status::{self, WitnessStatus},
};
use axum::body::{Body, to_bytes};
use gateway::{audit::log::AccessLog, clock::Clock};
use proto::{name::AgencyId, quorum::Quorum, signing::SigningKey, wire};
use tests::{
    city::City,
    deployment::{ADMINISTRATOR, AUDITOR, SECURITY, Staff},
    log_reader::{Entries, entries, log_key},
    staff_client::channel,
    world::World,
};
use tower::{Service, ServiceExt};

use crate::fixture::{expected_of, settle, today, world_of};

/// A city that has come to its alerts.
pub async fn settled(seed: u64) -> World {
    let city = City::generate(1500, seed, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    let desk = world.desk().await.expect("desk");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;
    world
}

async fn agencies(world: &World) -> wire::ListAgenciesResponse {
    let mut admin = world.client(&ADMINISTRATOR).await.expect("admin");
    admin.admin.list_agencies(wire::ListAgenciesRequest {}).await.expect("listed").into_inner()
}

/// Waits until what is said of agencies and witnesses is good.
pub async fn until_agencies(world: &World, good: impl Fn(&wire::ListAgenciesResponse) -> bool) {
    let ask = || async { Ok(agencies(world).await) };
    world.until(ask, good).await.expect("the witnesses come to that");
}

/// Enough witnesses cosign.
pub fn is_well(response: &wire::ListAgenciesResponse) -> bool {
    response
        .witnesses
        .as_ref()
        .is_some_and(|witnesses| witnesses.well && witnesses.cosigned_size > 0)
}

/// Waits until everybody's alerts are marked so.
async fn marked(world: &World, witnessed: bool) {
    let desk = world.desk().await.expect("desk");
    let look = || {
        world.pass(Duration::from_secs(6));
        let mut desk = desk.clone();
        async move {
            let alerts = desk.alerts().await?;
            let marks: Vec<bool> = alerts.iter().map(|alert| alert.witnessed).collect();
            Ok(marks)
        }
    };
    let good = |marks: &Vec<bool>| !marks.is_empty() && marks.iter().all(|mark| *mark == witnessed);
    world.until(look, good).await.expect("the marks come to that");
}

/// What an agency's operator sees.
fn seen_by(world: &World, agency: &AgencyId) -> WitnessStatus {
    let config = Config::read(&world.deployment.adapter_config(agency)).expect("a configuration");
    let agency = Agency::open(&config).expect("an agency");
    WitnessStatus::read(&config, &agency, world.now()).expect("a status")
}

async fn until_seen(world: &World, good: impl Fn(&WitnessStatus) -> bool) {
    for agency in world.deployment.agencies() {
        let ask = || async { Ok(seen_by(world, &agency)) };
        world.until(ask, &good).await.unwrap_or_else(|error| panic!("{agency}: {error}"));
    }
}

fn data_dir(world: &World) -> PathBuf {
    world.deployment.dir.join("gateway/data")
}

const LOG_FILES: [&str; 3] = ["log", "log.journal", "log.checkpoint"];

fn open_log(world: &World, data_dir: &Path) -> AccessLog {
    let seed = fs::read_to_string(data_dir.join("log.key")).expect("a key");
    let mut key = [0; 32];
    hex::decode_to_slice(seed.trim(), &mut key).expect("64 digits");
    let name = log_key(&world.deployment.manifest).name;
    AccessLog::open(data_dir, name, SigningKey::from_seed(&key.into()), Clock::system())
        .expect("opened")
}

/// Writes the log anew, as whoever runs the gateway can: it has the log's key.
async fn rewrite(world: &World, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let data_dir = data_dir(world);
    let log = open_log(world, &data_dir);
    let mut entries = log.entries(0..log.size()).await.expect("read");
    log.close().await;
    drop(log);
    change(&mut entries);
    for name in LOG_FILES {
        let path = data_dir.join(name);
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
    let log = open_log(world, &data_dir);
    for batch in entries.chunks(256) {
        log.append(batch.to_vec()).await.expect("appended");
    }
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_6_no_log_entry_can_be_changed_or_hidden_without_the_witnesses_noticing() {
    let mut world = settled(66).await;
    until_agencies(&world, is_well).await;
    marked(&world, true).await;
    // Every adapter finds its own syncs and releases in the log.
    until_seen(&world, |seen| seen.is_well() && seen.waiting == 0).await;
    world.stop_gateway().await.expect("stopped");
    let cosigned = data_dir(&world).join("log.cosigned");
    let kept = fs::read_to_string(&cosigned).expect("a cosigned checkpoint");
    let quorum = Quorum::of_manifest(&world.deployment.manifest);
    assert!(quorum.open(&kept).is_ok(), "the quorum's cosignatures verify");

    // Hidden: the log forgets its second half. The gateway does not even start so,
    let mut hidden = vec![];
    rewrite(&world, |entries| hidden = entries.split_off(entries.len() / 2)).await;
    let refused = world.start_gateway().await.expect_err("not with a log that was cut");
    assert!(refused.to_string().contains("old copy"), "{refused:#}");
    // and one that was made to start is found out by every witness.
    fs::remove_file(&cosigned).expect("removed");
    world.start_gateway().await.expect("started");
    until_agencies(&world, |seen| {
        let problems = seen.agencies.iter().filter(|a| a.witness_problem.contains("old copy"));
        !is_well(seen) && problems.count() > 0
    })
    .await;
    world.stop_gateway().await.expect("stopped");

    // Changed: all entries are there, and one of them says something else.
    rewrite(&world, |entries| {
        entries.extend(hidden);
        let old =
            entries.iter().position(|entry| entry.windows(14).any(|w| w == b"sync_accepted\""));
        let entry = &mut entries[old.expect("a sync is logged")];
        let text = String::from_utf8_lossy(entry).replace("\"rows\":", "\"rows\":1");
        *entry = text.into_bytes();
    })
    .await;
    world.start_gateway().await.expect("started");
    until_seen(&world, |seen| !seen.serving && seen.forks.len() == 1).await;
    let mut admin = world.client(&ADMINISTRATOR).await.expect("admin");
    let refused = || {
        let mut admin = admin.clone();
        async move { admin.datasets().await }
    };
    let forked = |all: &Vec<wire::DatasetStatus>| {
        all.iter().all(|dataset| dataset.problem.contains("log fork"))
    };
    world.until(refused, forked).await.expect("nothing is served any more");

    // Also after a restart; and until an operator has reported it.
    let agency: AgencyId = "tax".parse().expect("a name");
    world.stop_adapter(&agency).await.expect("stopped");
    world.start_adapter(&agency).await.expect("started");
    assert!(!seen_by(&world, &agency).serving);
    let datasets = admin.datasets().await.expect("listed");
    assert!(datasets.iter().any(|dataset| dataset.problem.contains("log fork")));
    let config = Config::read(&world.deployment.adapter_config(&agency)).expect("good");
    let now = AdapterClock::system().now();
    assert_eq!(status::resume(&config, now).expect("reported"), 1);
    // The gateway goes on with its fork, which is found again at once.
    let look = || async { Ok(seen_by(&world, &agency)) };
    let again = |seen: &WitnessStatus| seen.forks.len() > 1 && !seen.serving;
    world.until(look, again).await.expect("stopped again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_on_without_its_witnesses_and_says_so_until_they_are_back() {
    let city = City::generate(1500, 67, today());
    let mut world = world_of(&city);
    world.start_adapters().await.expect("started");
    // The quorum is two: one lists people in difficulty, the other owns the salt of the base.
    let two: [AgencyId; 2] =
        ["healthcare_security", "civil_affairs"].map(|id| id.parse().expect("a name"));
    let mut others = world.deployment.agencies();
    others.retain(|id| !two.contains(id));
    for agency in &others {
        world.stop_adapter(agency).await.expect("stopped");
    }
    world.start_gateway().await.expect("started");
    // What needs other agencies' data is pending, and two have seen the log that says so.
    marked(&world, true).await;
    world.stop_adapter(&two[1]).await.expect("stopped");
    others.push(two[1].clone());
    // Past the policy's deadline every pending alert is incomplete: a change that only one has seen.
    world.pass(Duration::from_secs(15 * 24 * 3600));
    marked(&world, false).await;
    until_agencies(&world, |seen| !is_well(seen)).await;
    world.until(|| health(&world), |health| *health == NOT_SERVING).await.expect("told");
    let alerts = world.desk().await.expect("desk").alerts().await.expect("alerts");
    assert!(alerts.iter().all(|alert| !alert.witnessed), "however long the quorum is away");
    let (auditor, manifest) =
        (world.client(&AUDITOR).await.expect("auditor"), &world.deployment.manifest);
    let read = || {
        let mut auditor = auditor.clone();
        async move { entries(&mut auditor, manifest).await }
    };
    let newest = |log: &Entries| log.last().is_some_and(|(_, entry)| entry.at() >= world.now());
    world.until(read, newest).await.expect("auditors read what nobody cosigned yet");

    for agency in &others {
        world.start_adapter(agency).await.expect("started");
    }
    until_agencies(&world, is_well).await;
    marked(&world, true).await;
    world.until(|| health(&world), |health| *health == SERVING).await.expect("told");
    let (status, note) = get(&world, &AUDITOR, "/log/checkpoint").await;
    let quorum = Quorum::of_manifest(&world.deployment.manifest);
    assert!(status == 200 && quorum.open(&note).is_ok(), "what auditors read is cosigned");

    for agency in &others {
        world.stop_adapter(agency).await.expect("stopped");
    }
    until_agencies(&world, |seen| !is_well(seen)).await;
    let metrics = get(&world, &SECURITY, "/metrics").await.1;
    assert!(metrics.contains("\nmatching_witnesses_well 0"), "{metrics}");
}

const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;

async fn health(world: &World) -> anyhow::Result<i32> {
    let (deployment, address) = (&world.deployment, world.gateway_address());
    let channel = channel(deployment, &ADMINISTRATOR, address).await?;
    let mut client = tonic_health::pb::health_client::HealthClient::new(channel);
    let service = gateway::health::WITNESSES.to_owned();
    let request = tonic_health::pb::HealthCheckRequest { service };
    Ok(client.check(request).await?.into_inner().status)
}

/// What is read at a path by somebody, and its status.
pub async fn get(world: &World, staff: &Staff, path: &str) -> (u16, String) {
    let (deployment, address) = (&world.deployment, world.gateway_address());
    let mut channel = channel(deployment, staff, address).await.expect("connected");
    let request = tonic::codegen::http::Request::get(path).body(tonic::body::Body::empty());
    let ready = channel.ready().await.expect("ready");
    let response = ready.call(request.expect("a request")).await.expect("answered");
    let (parts, body) = response.into_parts();
    let body = to_bytes(Body::new(body), 1 << 25).await.expect("a body").to_vec();
    (parts.status.as_u16(), String::from_utf8(body).expect("text"))
}
