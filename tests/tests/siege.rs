//! A little town with a tap at one agency's door: what is sent there is changed, must be refused, and
//! must come through once it is left alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::civil::date;
use proto::wire;
use tests::{
    city::number::number,
    deployment::ADMINISTRATOR,
    oracle::random::{SMALL_POLICY, Sources},
    staff_client::StaffClient,
    tap::{Tampering, Tap},
};

use crate::town::{Town, agency};

/// Raises an alert for everybody poor whose household has no large car.
pub const RULE: &str = r#"
[[rule]]
id = "needy"
zh = "困难"
en = "Needy"
situation = "any"
when = "aid.poor"
unless = "help.any"
means = "!household.exists(m, m.cars.over) && cars.number < 2"
assist = ["visit"]
due = "72h"
"#;

/// One of the people.
pub fn person(n: u16) -> String {
    number(date(1980, 1, 1), n)
}

/// Six people, five of them poor. On the other day three have large cars, and one is poor no more.
pub fn sources(other_day: bool) -> Sources {
    let people: Vec<String> = (1..=6).map(person).collect();
    let rows = |listed: &[u16], row: &[u8]| -> BTreeMap<String, Vec<u8>> {
        listed.iter().map(|&n| (person(n), row.to_vec())).collect()
    };
    let mut cars = rows(&[4], &[0, 1]);
    cars.extend(rows(&[1, 2, 3], if other_day { &[1, 2] } else { &[0, 0] }));
    let poor: &[u16] = if other_day { &[1, 2, 3, 4] } else { &[1, 2, 3, 4, 5] };
    let rows = [
        ("poor", rows(poor, &[])),
        ("ill", rows(&[6], &[2, 1])),
        ("register", rows(&[1, 2, 3, 4, 5, 6], &[1])),
        ("cars", cars),
        ("help", rows(&[6], &[1])),
    ];
    Sources {
        people,
        rows: rows.into_iter().map(|(id, rows)| (id.to_owned(), rows)).collect(),
        homes: vec![1, 1, 2, 3, 4, 5],
        torn: BTreeSet::new(),
    }
}

/// The town with a tap at one agency's door, all well.
pub struct Siege {
    /// The town.
    pub town: Town,
    /// At the agency's door.
    pub tap: Tap,
    /// Sees alerts.
    pub desk: StaffClient,
    /// Sees datasets.
    pub admin: StaffClient,
    tapped: &'static str,
    other_day: bool,
}

impl Siege {
    /// At the door of this agency, when all is settled.
    pub async fn begin(tapped: &'static str) -> Self {
        let mut siege = Self::before(tapped, Tampering::default()).await;
        let facts = siege.town.facts(&sources(false));
        siege.town.come_to(&facts, &[]).await.expect("all is well");
        assert!(siege.town.live.len() >= 4, "there are alerts to lose");
        siege
    }

    /// The same, tampered with from the first frame on.
    pub async fn before(tapped: &'static str, tampering: Tampering) -> Self {
        let mut town = Town::new(&(SMALL_POLICY.to_owned() + RULE), &sources(false));
        let world = &mut town.world;
        world.start_adapters().await.expect("started");
        let address = world.adapter_address(&agency(tapped));
        let tap = Tap::start(&world.deployment, &agency(tapped), address).await.expect("tap");
        tap.tamper(tampering);
        world.reach_through(&agency(tapped), tap.address);
        world.start_gateway().await.expect("started");
        let desk = world.desk().await.expect("desk");
        let admin = world.client(&ADMINISTRATOR).await.expect("admin");
        Self { town, tap, desk, admin, tapped, other_day: false }
    }

    /// The alerts as they stand, without the marks of the witnesses, who come to them in their own time.
    pub async fn alerts(&mut self) -> Vec<wire::Alert> {
        let alerts = self.desk.alerts().await.expect("alerts");
        alerts.into_iter().map(|alert| wire::Alert { witnessed: false, ..alert }).collect()
    }

    /// Another day comes, under tampering. It must be refused, with these words about this dataset,
    /// and nothing may have changed; without tampering the day must come after all.
    pub async fn refuses(&mut self, id: &str, tampering: Tampering, words: &str) {
        let before = self.town.line(&self.admin, id).await.expect("a line");
        let alerts = self.alerts().await;
        self.tap.tamper(tampering);
        self.another_day();
        let line = self.problem(id, words).await;
        assert_eq!(line.agency, self.tapped);
        let kept = |line: &wire::DatasetStatus| (line.cursor.clone(), line.as_of, line.rows);
        assert_eq!(kept(&line), kept(&before), "{words}: the last good state is kept");
        assert_eq!(self.alerts().await, alerts, "{words}: alerts stay");
        self.recovers(words).await;
    }

    /// The files become the other day's, and the agency reads them.
    pub fn another_day(&mut self) {
        self.other_day = !self.other_day;
        let (town, sources) = (&self.town, sources(self.other_day));
        sources.write(&town.policy, &town.world.deployment.dir).expect("written");
        town.world.pass(Duration::from_secs(60));
        town.world.reload(&agency(self.tapped)).expect("reloading");
    }

    /// Waits until a dataset's line says these words.
    pub async fn problem(&self, id: &str, words: &str) -> wire::DatasetStatus {
        let look = || self.town.line(&self.admin, id);
        let told = self.town.world.until(look, |line| line.problem.contains(words)).await;
        told.unwrap_or_else(|error| panic!("{words:?} was waited for: {error}"))
    }

    /// Waits until everything is as it should be without tampering.
    pub async fn recovers(&mut self, words: &str) {
        self.tap.tamper(Tampering::default());
        self.town.world.pass(Duration::from_secs(60));
        self.town.world.reload_all().expect("reloading");
        self.town.world.arrived(&[]).await.expect(words);
        let facts = self.town.facts(&sources(self.other_day));
        self.town.come_to(&facts, &[]).await.expect(words);
        for line in self.admin.datasets().await.expect("lines") {
            assert_eq!((&*line.problem, line.unopenable), ("", 0), "{}", line.dataset);
        }
    }
    /// A reloaded policy has the gateway ask adapters again at once.
    pub async fn ask_again(&mut self) {
        let request = wire::ReloadPolicyRequest {};
        self.admin.admin.reload_policy(request).await.expect("the policy is good");
    }
}
