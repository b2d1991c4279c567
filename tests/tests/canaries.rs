//! Promise 1, searched for byte by byte: what passes to the gateway, what it keeps, what it logs, what
//! it answers, and its memory.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

use aho_corasick::AhoCorasick;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use prost::Message;
use proto::wire;
use tests::{
    city::City,
    deployment::{ADMINISTRATOR, CITY_DESK},
    process::{Manner, Process},
    staff_client::StaffClient,
    tap::Tap,
};

use crate::fixture::{system_today, world_now};

/// Shorter byte strings could be met by chance in megabytes of random ones.
const SHORTEST: usize = 9;

/// Every way in which a text might be written down.
pub fn spellings(text: &str) -> Vec<Vec<u8>> {
    let plain = text.as_bytes();
    let utf16 = |swap: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(swap).collect::<Vec<_>>();
    let gb18030 = encoding_rs::GB18030.encode(text).0.into_owned();
    let mut all = vec![
        plain.to_vec(),
        hex::encode(plain).into_bytes(),
        hex::encode_upper(plain).into_bytes(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        gb18030,
    ];
    // Base64 depends on where the text begins in a group of three; the ends depend on neighbours.
    for shift in 0..3 {
        let shifted = [vec![0; shift], plain.to_vec()].concat();
        let encoded = STANDARD_NO_PAD.encode(&shifted).into_bytes();
        let inner = encoded.get(2 * usize::from(shift > 0) + shift..encoded.len() - 2);
        all.extend(inner.map(<[u8]>::to_vec));
    }
    all.retain(|spelling| spelling.len() >= SHORTEST);
    all
}

fn needles(city: &City) -> AhoCorasick {
    let people = city.base().chain(city.residents().step_by(3));
    let texts = people.flat_map(|r| [&*r.id, &*r.name, &*r.phone, &*r.address]);
    let patterns: Vec<Vec<u8>> = texts.flat_map(spellings).collect();
    assert!(patterns.len() > 5_000, "the search is worth the name");
    AhoCorasick::new(patterns).expect("few enough patterns")
}

pub fn assert_clean(needles: &AhoCorasick, place: &str, bytes: &[u8]) {
    let found = needles.find(bytes);
    assert!(found.is_none(), "a canary in {place} at byte {:?}", found.map(|f| f.start()));
}

/// Every file below a directory.
pub fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("one").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Searches what a process has in memory; how many bytes that was.
pub fn search_memory(needles: &AhoCorasick, process: u32) -> usize {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("our own child");
    let memory = File::open(format!("/proc/{process}/mem")).expect("our own child");
    let mut searched = 0;
    for line in
        maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|p| p.starts_with("rw")))
    {
        let (from, to) = line.split(' ').next().and_then(|r| r.split_once('-')).expect("a range");
        let parse = |text| u64::from_str_radix(text, 16).expect("an address");
        let (from, to) = (parse(from), parse(to));
        let mut bytes = vec![0; usize::try_from(to - from).expect("it fits")];
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            searched += bytes.len();
            assert_clean(needles, "the gateway's memory", &bytes);
        }
    }
    searched
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_1_no_identifier_name_phone_or_address_reaches_the_gateway() {
    let city = City::generate(1500, 26, system_today());
    let needles = needles(&city);
    let mut world = world_now(&city);
    world.start_adapters().await.expect("started");
    let mut taps = BTreeMap::new();
    for agency in world.deployment.agencies() {
        let address = world.adapter_address(&agency);
        let tap = Tap::start(&world.deployment, &agency, address).await.expect("tap");
        world.reach_through(&agency, tap.address);
        taps.insert(agency, tap);
    }
    let config = world.gateway_config().expect("written");
    let manner = Manner { log: Some("debug"), ..Manner::default() };
    let gateway = Process::start_as("gateway", &config, manner).await.expect("started");
    let client = |staff| StaffClient::connect(&world.deployment, staff, gateway.address);
    let mut desk = client(&CITY_DESK).await.expect("desk");
    let mut admin = client(&ADMINISTRATOR).await.expect("admin");
    let started = Instant::now();
    while desk.alerts().await.expect("alerts").len() < 3 {
        assert!(started.elapsed() < Duration::from_secs(60), "alerts must come");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    for alert in desk.alerts().await.expect("alerts") {
        let shown = desk.matches.get_alert(wire::GetAlertRequest { id: alert.id }).await;
        assert_clean(&needles, "an answer", &shown.expect("shown").into_inner().encode_to_vec());
    }
    for dataset in admin.datasets().await.expect("datasets") {
        assert_clean(&needles, "an answer", &dataset.encode_to_vec());
    }
    let mut traffic = 0;
    for (agency, tap) in &taps {
        let passed = tap.passed.lock().expect("no panics");
        for message in passed.requests.iter().chain(&passed.responses) {
            traffic += message.len();
            assert_clean(&needles, &format!("traffic with {agency}"), message);
        }
    }
    assert!(traffic > 100_000, "there was traffic: {traffic} bytes");
    let memory = search_memory(&needles, gateway.id().expect("it runs"));
    assert!(memory > 1_000_000, "there was memory: {memory} bytes");
    gateway.kill().await.expect("killed");
    let kept = files(&world.deployment.dir.join("gateway"));
    assert!(kept.len() >= 4, "stores and a log: {kept:?}");
    let log = fs::read_to_string(config.with_extension("log")).expect("a log");
    assert!(log.contains("DEBUG") && log.contains("INFO"), "the log is as talkative as it can be");
    for file in kept {
        assert_clean(&needles, &file.display().to_string(), &fs::read(&file).expect("read"));
    }

    // The search does find what is there: the agencies' own files are full of it.
    let source = world.deployment.dir.join("tax/data/tax_declaration.csv");
    assert!(needles.is_match(&fs::read(source).expect("read")));
}
