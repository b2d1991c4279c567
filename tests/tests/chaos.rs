//! Power failures under load: real processes are killed at random instants, also while they recover
//! from the kill before.
//!
//! `CHAOS_KILLS` kills more often (24), `CHAOS_SEED` at other instants (1). A run that fails prints both.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use agency_adapter::{
    agency::Agency, clock::Clock, config::Config, witness::status::WitnessStatus,
};
use jiff::{Timestamp, civil::date};
use proto::{act::Act, alert_id::AlertId, name::AgencyId, wire};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha20Rng;
use tests::{
    deployment::{ADMINISTRATOR, AUDITOR, CITY_DESK, Deployment},
    log_reader,
    oracle::random::{SMALL_POLICY, Sources},
    process::Process,
    running::until,
    staff_client::StaffClient,
};

use crate::{
    fixture::difference,
    siege::{RULE, person},
    town::{Town, subject},
};

const PEOPLE: u16 = 300;
/// Those whose car changes every day.
const CHANGEABLE: u16 = 150;
/// Longest pause before a kill.
const PAUSE: Duration = Duration::from_millis(700);
/// After so many kills everything must come right before the next one.
const REST_AFTER: usize = 6;

/// Everybody is poor. On the other day half of them have a large car, and two are poor no more.
fn day(other: bool) -> Sources {
    let people: Vec<String> = (1..=PEOPLE).map(person).collect();
    let rows = |row: &dyn Fn(u16) -> Option<Vec<u8>>| -> BTreeMap<String, Vec<u8>> {
        (1..=PEOPLE).filter_map(|n| Some((person(n), row(n)?))).collect()
    };
    let cars = |n| match n {
        n if n <= CHANGEABLE => Some(vec![u8::from(other), 0]),
        _ => Some(vec![0, 0]),
    };
    let poor = |n| (!other || n < PEOPLE - 1).then(Vec::new);
    let rows = [
        ("poor", rows(&poor)),
        ("ill", BTreeMap::new()),
        ("register", rows(&|_| Some(vec![1]))),
        ("cars", rows(&cars)),
        ("help", BTreeMap::new()),
    ];
    Sources {
        homes: (1..=people.len()).collect(),
        people,
        rows: rows.into_iter().map(|(id, rows)| (id.to_owned(), rows)).collect(),
        torn: BTreeSet::new(),
    }
}

/// Programs that are killed and started again where they were.
struct Programs {
    town: Arc<Town>,
    adapters: BTreeMap<AgencyId, Option<Process>>,
    gateway: Option<Process>,
    gateway_config: PathBuf,
    /// Where the gateway listens.
    address: SocketAddr,
    other_day: bool,
}

impl Programs {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same after `prepare` changed files.
    async fn start_with(prepare: impl FnOnce(&mut Town)) -> Self {
        let mut town = Town::at(Timestamp::now(), &(SMALL_POLICY.to_owned() + RULE), &day(false));
        prepare(&mut town);
        let deployment = &town.world.deployment;
        let (mut adapters, mut addresses) = (BTreeMap::new(), BTreeMap::new());
        for agency in deployment.agencies() {
            let config = deployment.adapter_config(&agency);
            let process = Process::start("agency-adapter", &config).await.expect("started");
            stay_at(&config, process.address);
            addresses.insert(agency.clone(), process.address);
            adapters.insert(agency, Some(process));
        }
        let gateway_config = deployment.gateway_config(&addresses).expect("written");
        let gateway = Process::start("gateway", &gateway_config).await.expect("started");
        let address = gateway.address;
        stay_at(&gateway_config, address);
        let gateway = Some(gateway);
        let town = Arc::new(town);
        Self { town, adapters, gateway, gateway_config, address, other_day: false }
    }

    /// The files become the other day's, and whoever runs reads them.
    async fn another_day(&mut self) {
        self.other_day = !self.other_day;
        let dir = &self.town.world.deployment.dir;
        day(self.other_day).write(&self.town.policy, dir).expect("written");
        for adapter in self.adapters.values().flatten() {
            adapter.signal("HUP").await.expect("it runs");
        }
    }

    /// Kills one and starts it again.
    async fn kill(&mut self, victim: Option<&AgencyId>) {
        match victim {
            None => {
                self.gateway.take().expect("it runs").kill().await.expect("killed");
                let started = Process::start("gateway", &self.gateway_config).await;
                self.gateway = Some(started.expect("it starts on what was left"));
            }
            Some(agency) => {
                let config = self.town.world.deployment.adapter_config(agency);
                let running = self.adapters.get_mut(agency).expect("an agency of the town");
                running.take().expect("it runs").kill().await.expect("killed");
                let started = Process::start("agency-adapter", &config).await;
                *running = Some(started.expect("it starts on what was left"));
            }
        }
    }

    /// Waits until live alerts are the day's, every dataset is well, and no witness saw a fork.
    async fn come_right(&self) {
        let live = &self.town.next(&self.town.facts(&day(self.other_day)), &[]);
        let (deployment, address) = (&self.town.world.deployment, self.address);
        let ask = || async {
            let Ok(mut desk) = StaffClient::connect(deployment, &CITY_DESK, address).await else {
                return Ok(vec!["not connected".to_owned()]);
            };
            let alerts = desk.alert_states().await;
            Ok(alerts.map_or_else(|error| vec![error.to_string()], |is| difference(&is, live)))
        };
        until(ask, Vec::is_empty).await.expect("alerts are the day's");
        let admin = StaffClient::connect(deployment, &ADMINISTRATOR, address).await;
        let admin = admin.expect("connected");
        let lines = || {
            let mut admin = admin.clone();
            async move { admin.datasets().await }
        };
        let well = |lines: &Vec<wire::DatasetStatus>| {
            lines.iter().all(|line| line.problem.is_empty() && line.unopenable == 0)
        };
        until(lines, well).await.expect("datasets are well");
        for agency in deployment.agencies() {
            let config = Config::read(&deployment.adapter_config(&agency)).expect("good");
            let own = Agency::open(&config).expect("opened");
            let seen = WitnessStatus::read(&config, &own, Clock::system().now()).expect("read");
            assert!(seen.is_well(), "{agency}: {seen:?}");
        }
    }
}

impl Programs {
    /// Waits until the second epoch is in force.
    async fn second_epoch(&self) {
        let deployment = &self.town.world.deployment;
        let admin = StaffClient::connect(deployment, &ADMINISTRATOR, self.address).await;
        let mut admin = admin.expect("connected");
        let started = Instant::now();
        loop {
            let epochs = admin.epochs().await.expect("listed");
            if epochs[0].scope.as_ref().is_some_and(|scope| scope.epoch == 2) {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(300), "the second epoch is in force");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Fixes a program's address, so that it is found after a restart.
fn stay_at(config: &std::path::Path, address: SocketAddr) {
    let text = fs::read_to_string(config).expect("read");
    let fixed = text.replace("listen = \"127.0.0.1:0\"", &format!("listen = \"{address}\""));
    fs::write(config, fixed).expect("written");
}

/// What the gateway told somebody, which it must stand by.
#[derive(Default)]
struct Told {
    /// Entry of the log, and the alerts that it said were shown.
    pages: Vec<(u64, Vec<String>)>,
    /// Whose alert an id is.
    ids: BTreeMap<String, (String, String)>,
    /// The last version of each dataset.
    versions: BTreeMap<String, (Vec<u8>, u32)>,
    problem: Option<String>,
}

impl Told {
    /// Takes a page of all alerts.
    fn page(&mut self, page: &wire::ListAlertsResponse, whole: &BTreeSet<String>) {
        let mut keys = BTreeSet::new();
        for alert in &page.alerts {
            let key = (alert.subject.clone(), alert.rule.clone());
            if !keys.insert(key.clone()) {
                self.fail(format!("{key:?} has two alerts"));
            }
            let known = self.ids.entry(alert.id.clone()).or_insert_with(|| key.clone());
            if *known != key {
                let known = known.clone();
                self.fail(format!("{} was {known:?}'s and is {key:?}'s", alert.id));
            }
        }
        let changeable = keys.iter().filter(|(subject, _)| whole.contains(subject)).count();
        if changeable != 0 && changeable != whole.len() {
            self.fail(format!("{changeable} of {} alerts: half a dataset", whole.len()));
        }
        let index = page.logged.as_ref().map_or(u64::MAX, |place| place.index);
        self.pages.push((index, page.alerts.iter().map(|alert| alert.id.clone()).collect()));
    }

    fn lines(&mut self, lines: &[wire::DatasetStatus]) {
        // Those of watch datasets are in memory only, and begin anew with the gateway.
        for line in lines.iter().filter(|line| line.kind() == wire::DatasetKind::CrossCheck) {
            let Some(cursor) = &line.cursor else { continue };
            let now = (cursor.log.clone(), cursor.version);
            if let Some(before) = self.versions.insert(line.dataset.clone(), now.clone())
                && (before.0 != now.0 || before.1 > now.1)
            {
                self.fail(format!("{} went back from {before:?} to {now:?}", line.dataset));
            }
        }
    }

    fn fail(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }
}

/// Looks at alerts and datasets as fast as it can. Never returns.
async fn looking(town: Arc<Town>, address: SocketAddr, told: Arc<Mutex<Told>>) {
    let deployment = &town.world.deployment;
    let whole = (1..=CHANGEABLE).map(|n| subject(deployment, &person(n))).collect::<BTreeSet<_>>();
    let took = |take: &mut dyn FnMut(&mut Told)| take(&mut told.lock().expect("no panics"));
    loop {
        let desk = StaffClient::connect(deployment, &CITY_DESK, address).await;
        let admin = StaffClient::connect(deployment, &ADMINISTRATOR, address).await;
        let (Ok(mut desk), Ok(mut admin)) = (desk, admin) else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        // Ends with the connection.
        loop {
            let all = wire::ListAlertsRequest { page_size: 1000, ..Default::default() };
            let Ok(page) = desk.matches.list_alerts(all).await else { break };
            let page = page.into_inner();
            took(&mut |told| told.page(&page, &whole));
            let Ok(lines) = admin.datasets().await else { break };
            took(&mut |told| told.lines(&lines));
        }
    }
}

/// Everything that was told is in the log, where it was told to be.
async fn stands_by(deployment: &Deployment, address: SocketAddr, told: &Told) {
    let mut auditor = StaffClient::connect(deployment, &AUDITOR, address).await.expect("auditor");
    let last = told.pages.iter().map(|(index, _)| *index).max().expect("pages were seen");
    let started = Instant::now();
    let log = loop {
        let log = log_reader::entries(&mut auditor, &deployment.manifest).await;
        let log = log.expect("the log verifies");
        if log.len() as u64 > last {
            break log;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "the log ends before {last}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    for (index, shown) in &told.pages {
        let (_, entry) = &log[usize::try_from(*index).expect("small")];
        let Act::AlertsListed { alerts } = entry.act() else {
            panic!("entry {index} is {:?}, and {} alerts were shown", entry.act(), shown.len())
        };
        let logged: Vec<String> = alerts.iter().map(AlertId::to_string).collect();
        assert_eq!(&logged, shown, "entry {index}");
    }
}

/// A number from the environment.
pub fn number(variable: &str, default: u64) -> u64 {
    let set = env::var(variable).ok();
    set.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{variable}: no number")))
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_8_after_kill_9_at_any_instant_nothing_acknowledged_is_lost_or_comes_twice() {
    let (kills, seed) = (number("CHAOS_KILLS", 24), number("CHAOS_SEED", 1));
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let mut programs = Programs::start().await;
    programs.come_right().await;
    let steady = ids(&programs).await;
    let told = Arc::<Mutex<Told>>::default();
    let watcher = tokio::spawn(looking(programs.town.clone(), programs.address, told.clone()));
    let agencies = programs.town.world.deployment.agencies();
    let victims: Vec<Option<&AgencyId>> =
        [None, None].into_iter().chain(agencies.iter().map(Some)).collect();
    for kill in 1..=usize::try_from(kills).expect("not so many") {
        let what = format!("CHAOS_SEED={seed}, kill {kill} of CHAOS_KILLS={kills}");
        if random.random_ratio(2, 3) {
            programs.another_day().await;
        }
        let pause = PAUSE.mul_f64(random.random::<f64>().powi(2));
        tokio::time::sleep(pause).await;
        let victim = *victims.choose(&mut random).expect("there are some");
        eprintln!("{what}: {}", victim.map_or("the gateway", AgencyId::as_str));
        programs.kill(victim).await;
        if kill % REST_AFTER == 0 {
            programs.come_right().await;
        }
    }
    programs.come_right().await;
    watcher.abort();
    let told = std::mem::take(&mut *told.lock().expect("no panics"));
    assert_eq!(told.problem, None, "CHAOS_SEED={seed} CHAOS_KILLS={kills}");
    assert!(told.pages.len() as u64 > kills, "{} pages were seen", told.pages.len());
    let again = ids(&programs).await;
    for n in CHANGEABLE + 1..PEOPLE - 1 {
        let subject = subject(&programs.town.world.deployment, &person(n));
        assert_eq!(again.get(&subject), steady.get(&subject), "person {n} was never helped");
    }
    stands_by(&programs.town.world.deployment, programs.address, &told).await;
}

/// Two minutes must pass before epochs may follow each other, so this kills once, right after the change;
/// `EPOCH_KILLS` kills more often before, each time around the moment at which it is due.
#[tokio::test(flavor = "multi_thread")]
async fn promise_8_a_kill_during_a_change_of_epoch_loses_no_alert() {
    let (kills, seed) = (number("EPOCH_KILLS", 1), number("CHAOS_SEED", 1));
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let mut programs = Programs::start_with(|town| {
        let epochs = [(1, date(2036, 12, 30)), (2, date(2036, 12, 31))];
        town.world.deployment.list_epochs(&epochs).expect("issued");
        for agency in town.world.deployment.agencies() {
            town.world.prepare_next_epoch(&agency, &[]).expect("prepared");
        }
    })
    .await;
    programs.come_right().await;
    let steady: BTreeSet<String> = ids(&programs).await.into_values().collect();
    for kill in 1..=kills {
        if kill == kills {
            programs.second_epoch().await;
        } else {
            // The next epoch is whole some seconds after the start, and then for two minutes.
            let due = 120.0 + 12.0 * random.random::<f64>();
            tokio::time::sleep(Duration::from_secs_f64(due)).await;
        }
        programs.kill(None).await;
        let now: BTreeSet<String> = ids(&programs).await.into_values().collect();
        assert_eq!(now, steady, "CHAOS_SEED={seed}, kill {kill}: each goes on under its id");
    }
    programs.second_epoch().await;
}

/// Ids of live alerts by subject.
async fn ids(programs: &Programs) -> BTreeMap<String, String> {
    let deployment = &programs.town.world.deployment;
    let desk = StaffClient::connect(deployment, &CITY_DESK, programs.address).await;
    let alerts = desk.expect("desk").alerts().await.expect("alerts");
    alerts.into_iter().map(|alert| (alert.subject, alert.id)).collect()
}
