//! Every agency of the default policy delivers at once, after the gateway was away, while one of them never
//! stops changing everything.

use std::{fs, path::Path, time::Duration};

use tests::{city::City, deployment::ADMINISTRATOR, world::World};

use crate::{
    fixture::{expected_of, settle, today, world_of},
    metrics::metrics_of,
    town::agency,
};

const FLOODING: &str = "public_security";
const VEHICLES: &str = "public_security/data/vehicle_registration.csv";
/// So many versions of one dataset make a flood.
const FLOOD: u32 = 10;

/// Everybody who has vehicles has another number of them, and no rule says that it matters.
fn other_vehicles(city: &City) -> City {
    let mut other = city.clone();
    let everybody: Vec<String> = city.residents().map(|resident| resident.id.clone()).collect();
    for id in everybody {
        let vehicles = &mut other.resident_mut(&id).expect("a resident").vehicles;
        if !vehicles.is_empty() {
            *vehicles = vec![10_000; 1 + vehicles.len() % 2];
        }
    }
    other
}

fn put(text: &[u8], dir: &Path) {
    let (file, beside) = (dir.join(VEHICLES), dir.join("vehicles.new"));
    fs::write(&beside, text).expect("written");
    fs::rename(beside, file).expect("in its place");
}

/// Changes the vehicles of everybody again and again. Never returns.
async fn flood(world: &World, states: [&[u8]; 2]) {
    loop {
        for state in states {
            put(state, &world.deployment.dir);
            world.reload(&agency(FLOODING)).expect("told");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Datasets of the flooding agency, and how many versions of its vehicles have come.
async fn flooded(world: &World) -> (Vec<String>, u32) {
    let mut admin = world.client(&ADMINISTRATOR).await.expect("connected");
    let lines = admin.datasets().await.expect("listed").into_iter();
    let own: Vec<_> = lines.filter(|line| line.agency == FLOODING).collect();
    let vehicles = own.iter().find(|line| line.dataset == "vehicle_registration").expect("listed");
    let version = vehicles.cursor.as_ref().map_or(0, |cursor| cursor.version);
    (own.into_iter().map(|line| line.dataset).collect(), version)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_agencies_come_in_at_once_while_one_of_them_floods() {
    let city = City::generate(1500, 51, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    world.arrived(&[]).await.expect("arrived");
    assert_eq!(world.deployment.agencies().len(), 19);
    let (own, before) = flooded(&world).await;
    world.stop_gateway().await.expect("stopped");

    // Everybody has something new when the gateway is back.
    let next = city.next_day(52);
    next.write_sources(&world.deployment.dir).expect("written");
    let dir = tempfile::tempdir().expect("a directory");
    other_vehicles(&next).write_sources(dir.path()).expect("written");
    let vehicles = fs::read(world.deployment.dir.join(VEHICLES)).expect("written");
    let others = fs::read(dir.path().join(VEHICLES)).expect("written");
    world.pass(Duration::from_secs(60));
    world.reload_all().expect("told");
    world.start_gateway().await.expect("started again");
    let but_own: Vec<&str> = own.iter().map(String::as_str).collect();
    let everybody_else = async {
        world.arrived(&but_own).await.expect("everybody else's data came in");
        world
            .until(async || Ok(flooded(&world).await.1), |now| *now >= before + FLOOD)
            .await
            .expect("a flood");
        // Once more, in the middle of it.
        world.pass(Duration::from_secs(60));
        world.reload_all().expect("told");
        world.arrived(&but_own).await.expect("everybody else's data came in again");
    };
    tokio::select! {
        () = flood(&world, [&others, &vehicles]) => unreachable!("it never ends"),
        () = everybody_else => {}
    }
    let metrics = metrics_of(&world, &ADMINISTRATOR).await;
    for agency in world.deployment.agencies() {
        for limit in ["turn", "room"] {
            let labels = format!("{{agency=\"{agency}\",limit=\"{limit}\"}} ");
            let waits = format!("matching_intake_waits_total{labels}");
            assert!(metrics.lines().any(|line| line.starts_with(&waits)), "{waits} is counted");
        }
    }

    put(&vehicles, &world.deployment.dir);
    world.pass(Duration::from_secs(60));
    world.reload_all().expect("told");
    world.arrived(&[]).await.expect("all is well after the flood");
    let desk = world.desk().await.expect("connected");
    settle(&world, &desk, &expected_of(&next, &world.deployment, &[])).await;
}
