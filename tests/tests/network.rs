//! Real processes with a bad network between them: nothing that is not known counts as "no" meanwhile,
//! and everything comes right when the weather clears.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use jiff::Timestamp;
use proto::wire::{self, AlertState};
use tests::{
    deployment::{ADMINISTRATOR, CITY_DESK},
    fault_proxy::{FaultProxy, Weather},
    oracle::random::{SMALL_POLICY, Sources},
    process::Process,
    running::until,
    staff_client::{Alerts, StaffClient},
};

use crate::{
    fixture::{difference, ids},
    siege::{RULE, person},
    town::{Town, agency},
};

/// Datasets are stale after so long here, since real clocks cannot be turned on.
const FRESH: &str = "fresh_within = \"20s\"";
const PEOPLE: u16 = 8;

/// So many are poor, and nobody has anything. `wealthy` have large cars.
fn day(poor: u16, wealthy: u16) -> Sources {
    let people: Vec<String> = (1..=PEOPLE).map(person).collect();
    let rows = |count: u16, row: &[u8]| -> BTreeMap<String, Vec<u8>> {
        (1..=count).map(|n| (person(n), row.to_vec())).collect()
    };
    let rows = [
        ("poor", rows(poor, &[])),
        ("ill", BTreeMap::new()),
        ("register", rows(PEOPLE, &[1])),
        ("cars", rows(wealthy, &[1, 2])),
        ("help", BTreeMap::new()),
    ];
    Sources {
        homes: (1..=people.len()).collect(),
        people,
        rows: rows.into_iter().map(|(id, rows)| (id.to_owned(), rows)).collect(),
        torn: BTreeSet::new(),
    }
}

/// A town of processes; the police is reached through the weather.
struct Coast {
    town: Town,
    proxy: FaultProxy,
    gateway: Process,
    _adapters: Vec<Process>,
}

impl Coast {
    async fn start(day: &Sources, weather: Weather) -> Self {
        let policy = SMALL_POLICY.replace("fresh_within = \"48h\"", FRESH) + RULE;
        let town = Town::at(Timestamp::now(), &policy, day);
        let deployment = &town.world.deployment;
        let (mut adapters, mut addresses) = (vec![], BTreeMap::new());
        for id in deployment.agencies() {
            let config = deployment.adapter_config(&id);
            let text = fs::read_to_string(&config).expect("read");
            let text = text.replace("reload_every = \"15m\"", "reload_every = \"1s\"");
            fs::write(&config, text).expect("written");
            let process = Process::start("agency-adapter", &config).await.expect("started");
            addresses.insert(id, process.address);
            adapters.push(process);
        }
        let proxy = FaultProxy::start(addresses[&agency("police")]).await.expect("bound");
        proxy.turn(weather);
        addresses.insert(agency("police"), proxy.address);
        let config = deployment.gateway_config(&addresses).expect("written");
        let gateway = Process::start("gateway", &config).await.expect("started");
        Self { town, proxy, gateway, _adapters: adapters }
    }

    fn write(&self, day: &Sources) {
        day.write(&self.town.policy, &self.town.world.deployment.dir).expect("written");
    }

    async fn desk(&self) -> StaffClient {
        let (deployment, address) = (&self.town.world.deployment, self.gateway.address);
        StaffClient::connect(deployment, &CITY_DESK, address).await.expect("desk")
    }

    /// Waits until live alerts are these; `never` must not hold of any that are seen until then.
    async fn come_to(&self, wanted: &Alerts, never: impl Fn(&Alerts) -> bool) {
        let desk = self.desk().await;
        let look = || {
            let mut desk = desk.clone();
            async move { desk.alert_states().await }
        };
        let seen = until(look, |alerts| {
            assert!(!never(alerts), "{alerts:?}");
            difference(alerts, wanted).is_empty()
        });
        seen.await.unwrap_or_else(|error| panic!("{wanted:?} was waited for: {error}"));
    }

    /// The police's datasets are stale, and the gateway says so.
    async fn is_stale(&self) {
        let (deployment, address) = (&self.town.world.deployment, self.gateway.address);
        let admin = StaffClient::connect(deployment, &ADMINISTRATOR, address).await.expect("admin");
        let lines = || {
            let mut admin = admin.clone();
            async move { admin.datasets().await }
        };
        let stale = |lines: &Vec<wire::DatasetStatus>| {
            let cars = lines.iter().find(|line| line.dataset == "cars");
            cars.is_some_and(|line| line.freshness() == wire::Freshness::Stale)
        };
        until(lines, stale).await.expect("stale");
    }
}

async fn through(weather: Weather) {
    let mut coast = Coast::start(&day(5, 1), Weather::Clear).await;
    let facts = |coast: &Coast, poor, wealthy| coast.town.facts(&day(poor, wealthy));
    let calm = coast.town.next(&facts(&coast, 5, 1), &[]);
    assert_eq!(calm.len(), 4, "four of the five poor have no car");
    coast.come_to(&calm, |_| false).await;
    let before = ids(&mut coast.desk().await).await;

    coast.proxy.turn(weather);
    coast.is_stale().await;
    // Now two more become poor, and the police, whom nobody hears, lists the cars of two.
    coast.write(&day(7, 2));
    coast.town.live.clone_from(&calm);
    let doubtful = coast.town.next(&facts(&coast, 7, 1), &["register", "cars"]);
    let pending = doubtful.values().filter(|state| **state == AlertState::Pending).count();
    assert_eq!(pending, 3, "the two new ones, and whoever had a car when last heard of");
    // Neither is an alert withdrawn for want of an answer, nor one raised.
    let lost = |alerts: &Alerts| calm.iter().any(|(key, state)| alerts.get(key) != Some(state));
    let raised = |alerts: &Alerts| {
        alerts.iter().any(|(key, state)| *state == AlertState::Open && !calm.contains_key(key))
    };
    coast.come_to(&doubtful, |alerts| lost(alerts) || raised(alerts)).await;
    let unsure = ids(&mut coast.desk().await).await;

    coast.proxy.turn(Weather::Clear);
    let cleared = coast.town.next(&facts(&coast, 7, 2), &[]);
    assert_eq!(cleared.len(), 5, "the second has a car by now");
    coast.come_to(&cleared, |_| false).await;
    for (key, id) in ids(&mut coast.desk().await).await {
        let known = before.get(&key).or(unsure.get(&key));
        assert_eq!(known, Some(&id), "{key:?} is the alert that it was");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_7_nothing_is_taken_for_no_while_an_agency_is_cut_off() {
    through(Weather::Parted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_7_nothing_is_taken_for_no_while_connections_are_half_open() {
    through(Weather::Swallowing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_is_slow_and_nothing_else() {
    let coast = Coast::start(&day(5, 1), Weather::Late(Duration::from_millis(150))).await;
    let alerts = |poor, wealthy| coast.town.next(&coast.town.facts(&day(poor, wealthy)), &[]);
    coast.come_to(&alerts(5, 1), |_| false).await;
    coast.proxy.turn(Weather::Narrow(16 << 10));
    coast.write(&day(7, 2));
    coast.come_to(&alerts(7, 2), |_| false).await;
}
