//! Promise 9, searched for byte by byte, with real processes: the gateway carries a disclosure and at no
//! time has, keeps, logs or passes on what is in it.

use std::{fs, time::Duration};

use aho_corasick::AhoCorasick;
use prost::Message;
use proto::{
    disclosure::DisclosureAnswer, disclosure_request::DisclosureRequest,
    envelope::EnvelopePrivateKey, wire,
};
use serde_json::Value;
use tests::{
    city::City,
    ctl::{Said, ctl},
    deployment::{APPROVER, CITY_DESK, SECOND_APPROVER, Staff},
    process::{Manner, Process},
    running::until,
    staff_client::StaffClient,
    tap::Tap,
    world::World,
};
use zeroize::Zeroizing;

use crate::{
    canaries::{assert_clean, files, search_memory, spellings},
    fixture::{system_today, world_now},
};

/// Of the base: anybody there may be whom the alert is about.
fn needles(city: &City) -> AhoCorasick {
    let texts = city.base().flat_map(|r| [&*r.id, &*r.name, &*r.phone, &*r.address]);
    let patterns: Vec<Vec<u8>> = texts.flat_map(spellings).collect();
    assert!(patterns.len() > 500, "the search is worth the name");
    AhoCorasick::new(patterns).expect("few enough patterns")
}

/// An open alert in the city.
async fn alert(desk: &StaffClient) -> wire::Alert {
    let found = || {
        let mut desk = desk.clone();
        async move {
            let alerts = desk.alerts().await?.into_iter();
            let mut open = alerts.filter(|alert| alert.state() == wire::AlertState::Open);
            Ok(open.find(|alert| alert.region.starts_with("3201")))
        }
    };
    until(found, Option::is_some).await.expect("an alert").expect("it is there")
}

/// Waits until the desk has taken its case.
async fn taken(world: &World, gateway: &Process, alert: &wire::Alert) {
    let take = || async {
        let line = ["cases", "take", &alert.id];
        Ok(ctl(&world.deployment, &CITY_DESK, gateway.address, &line).await?.code)
    };
    until(take, |code| *code == Some(0)).await.expect("the case is routed");
}

async fn done(world: &World, staff: &Staff, gateway: &Process, line: &str) -> Said {
    let arguments: Vec<&str> = line.split(' ').collect();
    let said = ctl(&world.deployment, staff, gateway.address, &arguments).await.expect("it runs");
    assert_eq!(said.code, Some(0), "{line}: {said:?}");
    said
}

/// Waits until the officer's list says so.
async fn answered(world: &World, gateway: &Process) {
    let state = || async {
        let said = done(world, &CITY_DESK, gateway, "disclosure list --json").await.json()?;
        Ok(said["disclosures"][0]["state"].clone())
    };
    let open = Value::from("answered: open it");
    until(state, |state| *state == open).await.expect("the agency answers");
}

/// What the agency answered, as it passed the tap.
fn sealed(taps: &[Tap]) -> DisclosureAnswer {
    let answer = |message: &Vec<u8>| {
        let message = wire::DiscloseResponse::decode(&message[..]).ok()?;
        DisclosureAnswer::try_from(message).ok()
    };
    let passed = taps.iter().flat_map(|tap| {
        let passed = tap.passed.lock().expect("no panics");
        passed.responses.iter().filter_map(answer).collect::<Vec<_>>()
    });
    let all: Vec<_> = passed.collect();
    assert_eq!(all.len(), 1, "one answer passed");
    all[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_9_a_name_and_an_address_reach_one_officers_key_and_the_gateway_opens_nothing() {
    let city = City::generate(600, 29, system_today());
    let needles = needles(&city);
    let mut world = world_now(&city);
    world.start_adapters().await.expect("started");
    let mut taps = vec![];
    for agency in world.deployment.agencies() {
        let address = world.adapter_address(&agency);
        let tap = Tap::start(&world.deployment, &agency, address).await.expect("tap");
        world.reach_through(&agency, tap.address);
        taps.push(tap);
    }
    let config = world.gateway_config().expect("written");
    let manner = Manner { log: Some("debug"), ..Manner::default() };
    let gateway = Process::start_as("gateway", &config, manner).await.expect("started");
    let desk = StaffClient::connect(&world.deployment, &CITY_DESK, gateway.address).await;
    let alert = alert(&desk.expect("desk")).await;
    taken(&world, &gateway, &alert).await;

    let line = format!(
        "disclosure request {} --purpose home-visit --fields name,phone,address --yes --json",
        alert.id
    );
    let asked = done(&world, &CITY_DESK, &gateway, &line).await.json().expect("JSON");
    let id = asked["disclosure"].as_str().expect("an id").to_owned();
    let unsure = ["disclosure", "approve", &id];
    let unsure = ctl(&world.deployment, &APPROVER, gateway.address, &unsure).await.expect("runs");
    assert_eq!(unsure.code, Some(6), "nothing is approved without a yes: {unsure:?}");
    let approve = format!("disclosure approve {id} --yes");
    done(&world, &APPROVER, &gateway, &approve).await;
    if asked["approvers_needed"] == 2 {
        done(&world, &SECOND_APPROVER, &gateway, &approve).await;
    }
    answered(&world, &gateway).await;

    // The answer is in the gateway's hands now, and in its store.
    let process = gateway.id().expect("it runs");
    assert!(search_memory(&needles, process) > 1_000_000, "there was memory");
    let home = world.deployment.dir.join("gateway");
    for file in files(&home) {
        assert_clean(&needles, &file.display().to_string(), &fs::read(&file).expect("read"));
    }

    let opened = done(&world, &CITY_DESK, &gateway, &format!("disclosure open {id} --json")).await;
    let opened = opened.json().expect("JSON");
    let subject = |id: &str| world.deployment.subject_of(id, system_today()).expect("a subject");
    let resident = city.base().find(|r| subject(&r.id).to_string() == alert.subject);
    let resident = resident.expect("somebody of the base");
    assert_eq!(opened["name"][0].as_str(), Some(&*resident.name));
    assert_eq!(opened["address"][0].as_str(), Some(&*resident.address));
    assert_eq!(opened["phone"][0].as_str(), Some(&*resident.phone));
    let again = ["disclosure", "open", &id];
    let again = ctl(&world.deployment, &CITY_DESK, gateway.address, &again).await.expect("runs");
    assert_eq!(again.code, Some(1), "once: {again:?}");

    search_memory(&needles, process);
    for message in taps.iter().flat_map(|tap| {
        let passed = tap.passed.lock().expect("no panics");
        [passed.requests.clone(), passed.responses.clone()].concat()
    }) {
        assert_clean(&needles, "traffic", &message);
    }
    opens_with_the_officers_key_only(&world, &taps);
    tokio::time::timeout(Duration::from_secs(20), gateway.kill()).await.expect("soon").expect("ok");
    for file in files(&home) {
        assert_clean(&needles, &file.display().to_string(), &fs::read(&file).expect("read"));
    }
    let log = fs::read_to_string(config.with_extension("log")).expect("a log");
    assert!(log.contains("DEBUG"), "the log is as talkative as it can be");
    // The search does find what is there: what the officer was shown is full of it.
    assert!(needles.is_match(opened.to_string().as_bytes()));
}

/// What passed is the answer, and opens: but with another officer's key it does not.
fn opens_with_the_officers_key_only(world: &World, taps: &[Tap]) {
    let home = world.deployment.dir.join("staff").join(CITY_DESK.id);
    let text = Zeroizing::new(fs::read_to_string(home.join("disclosure.key")).expect("made"));
    let bytes: [u8; 32] = hex::decode(&*text).expect("hex").try_into().expect("32 bytes");
    let own = EnvelopePrivateKey::from_bytes(&Zeroizing::new(bytes));
    let other = EnvelopePrivateKey::from_bytes(&Zeroizing::new([7; 32]));
    let request = |message: &Vec<u8>| {
        let message = wire::DiscloseRequest::decode(&message[..]).ok()?;
        DisclosureRequest::parse(&message.request).ok()
    };
    let passed = taps
        .iter()
        .find_map(|tap| tap.passed.lock().expect("no panics").requests.iter().find_map(request));
    let (request, sealed) = (passed.expect("a request passed"), sealed(taps));
    let agency = world.deployment.manifest.agency(&request.agency).expect("listed").signing_key;
    assert!(sealed.open(&request, &agency, &other).is_err());
    assert!(sealed.open(&request, &agency, &own).is_ok());
}
