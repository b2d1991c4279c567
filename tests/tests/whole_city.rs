//! A city of any size through real files, real adapters and the real gateway, against the oracle, on the
//! day it is first matched and on the day after, and when the gateway starts again.
//!
//! `CITY_POPULATION` says how many residents there are (2,000). One in ten of Nanjing's is 950,000; the
//! programs should then be built to run fast, and there should be 6 GB of memory.

use std::{
    env,
    time::{Duration, Instant},
};

use proto::wire::{self, AlertState};
use tests::{city::City, deployment::ADMINISTRATOR, world::World};

use crate::fixture::{expected_of, ids, settle, today, world_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_city_raises_what_the_oracle_says_on_its_first_day_and_on_the_next() {
    let population = env::var("CITY_POPULATION").ok();
    let population = population.map_or(2000, |text| text.parse().expect("a number"));
    let city = City::generate(population, 5, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    world.arrived(&[]).await.expect("arrived");
    let desk = world.desk().await.expect("connected");
    let first = expected_of(&city, &world.deployment, &[]);
    settle(&world, &desk, &first).await;
    let next = city.next_day(6);
    next.write_sources(&world.deployment.dir).expect("written");
    world.pass(Duration::from_secs(60));
    world.reload_all().expect("told");
    world.arrived(&[]).await.expect("arrived");
    let mut wanted = expected_of(&next, &world.deployment, &[]);
    for (key, state) in &mut wanted {
        // An unknown takes nothing back.
        if first.get(key) == Some(&AlertState::Open) {
            *state = AlertState::Open;
        }
    }
    settle(&world, &desk, &wanted).await;
    restarts(&mut world).await;
}

/// Alerts are there at once and stay; releases are finished behind them. Says how long both took.
async fn restarts(world: &mut World) {
    let before = ids(&mut world.desk().await.expect("connected")).await;
    world.stop_gateway().await.expect("stopped");
    let began = Instant::now();
    world.start_gateway().await.expect("started");
    assert_eq!(ids(&mut world.desk().await.expect("connected")).await, before, "as they stood");
    let served = began.elapsed();
    let admin = world.client(&ADMINISTRATOR).await.expect("connected");
    let lines = || {
        let mut admin = admin.clone();
        async move { admin.datasets().await }
    };
    let whole = |lines: &Vec<wire::DatasetStatus>| {
        lines.iter().all(|line| line.as_of.is_some() && line.arriving.is_none())
    };
    world.until(lines, whole).await.expect("everything is released again");
    let released = began.elapsed();
    eprintln!("restart: alerts after {served:?}, everything released after {released:?}");
    assert_eq!(ids(&mut world.desk().await.expect("connected")).await, before, "the same");
}
