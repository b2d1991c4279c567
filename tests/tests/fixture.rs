//! A city in a world, and waiting for the gateway to agree with the oracle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    time::Duration,
};

use jiff::{Timestamp, civil::Date};
use proto::{scope::Suite, wire::AlertState};
use tests::{
    city::{City, catalogue::HOUSEHOLDS},
    deployment::Deployment,
    oracle::{self, Outcome, Outcomes, PersonId},
    staff_client::{Alerts, StaffClient},
    world::World,
};

/// The policy that ships.
pub fn default_policy() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/policy/default.toml");
    fs::read_to_string(path).expect("the default policy is in the repository")
}

/// Noon of the city's day, in China.
pub fn noon() -> Timestamp {
    "2026-11-24T04:00:00Z".parse().expect("a time")
}

/// The city's day.
pub fn today() -> Date {
    jiff::civil::date(2026, 11, 24)
}

/// The system's day: for cities that real processes look at, under the system's clock.
pub fn system_today() -> Date {
    agency_adapter::clock::Clock::system().today()
}

/// A city's world, not started.
pub fn world_of(city: &City) -> World {
    world_at(noon(), city)
}

/// The same under a suite of one's choice.
pub fn world_under(suite: Suite, city: &City) -> World {
    world(suite, noon(), city)
}

/// The same at the system's time.
pub fn world_now(city: &City) -> World {
    world_at(Timestamp::now(), city)
}

fn world_at(now: Timestamp, city: &City) -> World {
    world(Suite::SaltedHash, now, city)
}

fn world(suite: Suite, now: Timestamp, city: &City) -> World {
    World::new(
        &default_policy(),
        suite,
        now,
        |dir| Ok(city.write_sources(dir).map(drop)?),
        |agency| city.dataset_toml(agency),
    )
    .expect("a world")
}

/// What the oracle says, under pseudonyms: live alerts only.
pub fn expected(deployment: &Deployment, outcomes: &Outcomes) -> Alerts {
    let mut alerts = Alerts::new();
    for ((person, rule), outcome) in outcomes {
        let state = match outcome {
            Outcome::Alert => AlertState::Open,
            Outcome::Pending => AlertState::Pending,
            Outcome::Covered | Outcome::OverMeans | Outcome::Held => continue,
        };
        let subject = deployment.subject_of(person, today()).expect("a city's person");
        alerts.insert((subject.to_string(), rule.clone()), state);
    }
    alerts
}

/// What the oracle says of a city under the default policy.
pub fn expected_of(city: &City, deployment: &Deployment, stale: &[&str]) -> Alerts {
    let stale: BTreeSet<String> = stale.iter().map(|&id| id.to_owned()).collect();
    expected(deployment, &outcomes_of(city, deployment, &stale))
}

/// The same by person.
pub fn outcomes_of(city: &City, deployment: &Deployment, stale: &BTreeSet<String>) -> Outcomes {
    oracle::expected(city, &default_policy(), stale, rank(deployment))
}

/// Who comes first in the row of a household too large for it.
pub fn rank(deployment: &Deployment) -> impl Fn(&PersonId) -> [u8; 16] {
    let register = HOUSEHOLDS.parse().expect("a dataset");
    move |person| deployment.member_of(person, &register, today()).expect("a city's person").0
}

/// Waits until the live alerts are exactly these.
pub async fn settle(world: &World, desk: &StaffClient, wanted: &Alerts) {
    let look = || {
        // Unknowns show only when they last: time goes on while we look.
        world.pass(Duration::from_secs(6));
        let mut desk = desk.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok(difference(&desk.alert_states().await?, wanted))
        }
    };
    world.until(look, Vec::is_empty).await.expect("the gateway and the oracle agree");
}

/// What is in one and not in the other.
pub fn difference(alerts: &Alerts, wanted: &Alerts) -> Vec<String> {
    let mut lines = vec![];
    for (key, state) in wanted {
        if alerts.get(key) != Some(state) {
            lines.push(format!("wanted {key:?} {state:?}, is {:?}", alerts.get(key)));
        }
    }
    let more = alerts.keys().filter(|key| !wanted.contains_key(*key));
    lines.extend(more.map(|key| format!("not wanted: {key:?} {:?}", alerts[key])));
    lines
}

/// Ids of live alerts by subject and rule.
pub async fn ids(desk: &mut StaffClient) -> BTreeMap<(String, String), String> {
    let alerts = desk.alerts().await.expect("alerts");
    alerts.into_iter().map(|a| ((a.subject, a.rule), a.id)).collect()
}
