//! A city of any size through real files, real adapters and the real gateway, against the oracle: on the day
//! it is first matched, when the gateway starts again, and on the day after.
//!
//! `CITY_POPULATION` says how many residents there are (2,000); Nanjing has 9,500,000. Then the programs
//! should be built to run fast. The city is made, written and judged quarter by quarter: what the test needs
//! of memory is one quarter and the alerts, the rest is the gateway's and the adapters'.

use std::{
    collections::BTreeSet,
    env, fs, io,
    path::Path,
    time::{Duration, Instant},
};

use proto::{
    scope::Suite,
    wire::{self, AlertState},
};
use tests::{
    city::{City, quarters::Quarters, truth::Shared, write::Files},
    deployment::{ADMINISTRATOR, Deployment},
    oracle::{self, Policy},
    staff_client::Alerts,
    world::World,
};

use crate::fixture::{default_policy, difference, expected, ids, noon, rank, today};

/// The most residents of a quarter.
const QUARTER: usize = 50_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_city_raises_what_the_oracle_says_on_its_first_day_and_on_the_next() {
    let population = env::var("CITY_POPULATION").ok();
    let population = population.map_or(2000, |text| text.parse().expect("a number"));
    let quarters = Quarters::new(population, QUARTER.min(population.div_ceil(2)), 5, today());
    let (mut world, shared) = world_of(quarters);
    world.patience += Duration::from_micros(200 * u64::try_from(population).expect("a count"));
    let began = Instant::now();
    world.start().await.expect("started");
    let first = comes_true(&world, "first day", began, (quarters.each(), &shared), None).await;
    restarts(&mut world).await;
    let day = || quarters.each().map(|quarter| quarter.next_day(6));
    let shared = written(day(), &world.deployment.dir).expect("written");
    world.pass(Duration::from_secs(60));
    let began = Instant::now();
    world.reload_all().expect("told");
    comes_true(&world, "next day", began, (day(), &shared), Some(&first)).await;
    eprintln!("most memory, of everything together: {}", most_memory());
}

/// Waits for everything to arrive and for the alerts to be what the oracle says of a day; says how long both
/// took.
async fn comes_true(
    world: &World,
    what: &str,
    began: Instant,
    (day, shared): (impl Iterator<Item = City>, &Shared),
    before: Option<&Alerts>,
) -> Alerts {
    world.arrived(&[]).await.expect("arrived");
    eprintln!("{what}: everything there after {:?}", began.elapsed());
    let wanted = expected_of(day, shared, &world.deployment);
    eprintln!("{what}: {} alerts are expected, after {:?}", wanted.len(), began.elapsed());
    let desk = world.desk().await.expect("connected");
    let wrong = || {
        // Unknowns show only when they last: time goes on while we look.
        world.pass(Duration::from_secs(6));
        let mut desk = desk.clone();
        let wanted = &wanted;
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let is = desk.alert_states().await?;
            Ok(difference(&is, &as_it_stands(wanted, before, &is)))
        }
    };
    world.until(wrong, Vec::is_empty).await.expect("the gateway and the oracle agree");
    eprintln!("{what}: all are as expected, after {:?}", began.elapsed());
    wanted
}

/// An unknown takes nothing back: what was open the day before is open, and what was raised while only some of
/// the day's data had come may be.
fn as_it_stands(wanted: &Alerts, before: Option<&Alerts>, is: &Alerts) -> Alerts {
    let Some(before) = before else { return wanted.clone() };
    let open = |alerts: &Alerts, key: &(String, String)| alerts.get(key) == Some(&AlertState::Open);
    let state = |(key, state): (&(String, String), &AlertState)| {
        let stays = open(before, key) || open(is, key);
        (key.clone(), if stays { AlertState::Open } else { *state })
    };
    wanted.iter().map(state).collect()
}

/// The city's world, not started, and what its files came to.
fn world_of(quarters: Quarters) -> (World, Shared) {
    let mut shared = Shared::default();
    let one = quarters.each().next().expect("a quarter");
    let sources = |dir: &Path| {
        shared = written(quarters.each(), dir)?;
        Ok(())
    };
    let sections = |agency: &str| one.dataset_toml(agency);
    let world = World::new(&default_policy(), Suite::SaltedHash, noon(), sources, sections);
    (world.expect("a world"), shared)
}

/// Writes the files of a day.
fn written(day: impl Iterator<Item = City>, dir: &Path) -> io::Result<Shared> {
    let (mut files, mut shared) = (Files::create(dir)?, Shared::default());
    for quarter in day {
        files.append(&quarter)?;
        shared.add(&quarter);
    }
    Ok(shared)
}

/// What the oracle says of a day.
fn expected_of(
    day: impl Iterator<Item = City>,
    shared: &Shared,
    deployment: &Deployment,
) -> Alerts {
    let policy = Policy::read(&default_policy()).expect("a good policy");
    let judged = day.flat_map(|quarter| {
        let truth = quarter.world_in(shared, rank(deployment));
        expected(deployment, &oracle::evaluate(&truth, &policy, &BTreeSet::new()))
    });
    judged.collect()
}

fn most_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "not known".to_owned(), |text| text.trim().to_owned())
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
