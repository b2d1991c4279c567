//! A small city with alerts, some of people who are vulnerable.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use jiff::{civil::Date, tz::Offset};
use proto::{
    disclosure_request::{DisclosureRequest, LegalBasis},
    entry::Entry,
    name::AgencyId,
    scope::Suite,
    wire::{self, DisclosureState},
};
use tests::{
    city::{City, resident::Resident},
    deployment::{AUDITOR, CITY_DESK, STREET_WORKER, Staff},
    log_reader,
    tap::Tap,
    world::World,
};

use super::officer::Officer;
use crate::fixture::{default_policy, today};

/// Watch datasets of whose people the default policy says that they are vulnerable.
const OF_VULNERABLE: [&str; 7] = [
    "severe_disability",
    "certified_disability",
    "severe_mental_disorder",
    "orphan",
    "de_facto_unattended_child",
    "destitute_support",
    "dropout_risk",
];

pub struct Town {
    pub city: City,
    pub world: World,
}

impl Town {
    pub async fn start(suite: Suite) -> Self {
        Self::start_where(suite, str::to_owned).await
    }

    /// With adapters that are configured in another way.
    pub async fn start_where(suite: Suite, change: fn(&str) -> String) -> Self {
        Self::begin(suite, today(), change).await
    }

    /// At noon of a day in China.
    pub async fn start_on(day: Date) -> Self {
        Self::begin(Suite::SaltedHash, day, str::to_owned).await
    }

    async fn begin(suite: Suite, day: Date, change: fn(&str) -> String) -> Self {
        let city = City::generate(1500, 29, day);
        let sources = |dir: &std::path::Path| Ok(city.write_sources(dir).map(drop)?);
        let toml = |agency: &str| change(&city.dataset_toml(agency));
        let noon = Offset::constant(8).to_timestamp(day.at(12, 0, 0, 0)).expect("a time");
        let world = World::new(&default_policy(), suite, noon, sources, toml);
        let mut world = world.expect("a world");
        world.start().await.expect("started");
        world.arrived(&[]).await.expect("every list arrives");
        Self { city, world }
    }

    /// An alert that the city's desk has taken, of somebody who is not vulnerable.
    pub async fn alert(&self) -> wire::Alert {
        let alert = self.open_alert(false).await;
        self.officer(&CITY_DESK).await.take(self, &alert.id).await;
        alert
    }

    /// The same of somebody who is, for all that the other lists say of them.
    pub async fn alert_of_a_vulnerable_person(&self) -> wire::Alert {
        let alert = self.open_alert(true).await;
        self.officer(&CITY_DESK).await.take(self, &alert.id).await;
        alert
    }

    /// The first open alert that is not the street worker's, of somebody whom a watch dataset finds.
    pub async fn open_alert(&self, vulnerable: bool) -> wire::Alert {
        let desk = self.world.client(&CITY_DESK).await.expect("connected");
        let people = self.people();
        let listed = |alert: &wire::Alert| {
            let resident = people[&alert.subject];
            OF_VULNERABLE.iter().any(|dataset| resident.listings.contains_key(dataset))
        };
        let found = || {
            self.world.pass(Duration::from_secs(6));
            let mut desk = desk.clone();
            async move {
                let alerts = desk.alerts().await?.into_iter();
                let open = alerts
                    .filter(|alert| alert.state() == wire::AlertState::Open)
                    .filter(|alert| alert.region.starts_with("3201"))
                    .filter(|alert| !alert.region.starts_with(STREET_WORKER.region));
                Ok(open.collect::<Vec<_>>())
            }
        };
        let suits = |alert: &wire::Alert| listed(alert) == vulnerable;
        let some = |open: &Vec<wire::Alert>| open.iter().any(suits);
        let open = self.world.until(found, some).await.expect("an alert");
        let suitable = open.into_iter().filter(suits);
        suitable.min_by(|a, b| a.id.cmp(&b.id)).expect("it is there")
    }

    /// Whom an alert is about: what only the test can know.
    pub fn resident(&self, alert: &wire::Alert) -> &Resident {
        self.people()[&alert.subject]
    }

    fn people(&self) -> BTreeMap<String, &Resident> {
        let named = |resident: &Resident| {
            let subject = self.world.deployment.subject_of(&resident.id, self.city.today());
            subject.expect("a subject").to_string()
        };
        self.city.base().map(|resident| (named(resident), resident)).collect()
    }

    /// A request for everything about an alert's subject that so many must approve, nobody in an emergency.
    /// Asks anew for as long as that is more, since the gateway has not heard all lists yet.
    pub async fn asked(
        &self,
        officer: &Officer,
        alert: &wire::Alert,
        approvers: u32,
    ) -> DisclosureRequest {
        let ask = || async {
            let mut request = officer.request(alert).await;
            if approvers == 0 {
                (request.emergency, request.legal_basis) = (true, LegalBasis::VitalInterest);
            }
            officer.ask(&request).await?;
            let listed = officer.listed(&request).await.context("it is listed")?;
            Ok((listed.approvers_needed, request))
        };
        let asked = self.world.until(ask, |(needed, _)| *needed == approvers).await;
        asked.expect("every list is heard before long").1
    }

    pub async fn officer(&self, staff: &Staff) -> Officer {
        let client = self.world.client(staff).await.expect("connected");
        Officer::new(&self.world.deployment, staff, client)
    }

    /// Waits until a disclosure has come so far.
    pub async fn until(
        &self,
        officer: &Officer,
        request: &DisclosureRequest,
        state: DisclosureState,
    ) {
        let look =
            || async move { Ok((officer.state(request).await, officer.reason(request).await)) };
        // One that was only just approved is not back yet.
        let reached = |(now, reason): &(DisclosureState, String)| {
            *now == state && (state != DisclosureState::Asked || !reason.is_empty())
        };
        self.world.until(look, reached).await.expect("it comes so far");
    }

    /// Waits until the log, as far as checkpoints go, is as it should be.
    pub async fn log_shows(&self, what: &str, good: impl Fn(&[Entry]) -> bool) {
        let auditor = self.world.client(&AUDITOR).await.expect("connected");
        let manifest = &self.world.deployment.manifest;
        let entries = || {
            let mut auditor = auditor.clone();
            async move {
                let entries = log_reader::entries(&mut auditor, manifest).await?;
                Ok(entries.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>())
            }
        };
        self.world.until(entries, |entries| good(entries)).await.expect(what);
    }

    /// Waits until this, in this order, is all that the log says of one disclosure. What a gateway
    /// announced and had not written when it stopped, it announces again.
    pub async fn logged(&self, request: &DisclosureRequest, course: &[&str]) {
        let id = format!("\"disclosure\":\"{}\"", request.id);
        let about = |entry: &&Entry| String::from_utf8_lossy(&entry.to_bytes()).contains(&id);
        self.log_shows("the disclosure's course", |entries| {
            let about = entries.iter().filter(about);
            let mut words: Vec<&str> = about.map(|entry| entry.act().word()).collect();
            words.dedup();
            words == course
        })
        .await;
    }

    /// Has the gateway dial an agency through a tap from now on.
    pub async fn tap(&mut self, agency: &AgencyId) -> Tap {
        let address = self.world.adapter_address(agency);
        let tap = Tap::start(&self.world.deployment, agency, address).await.expect("tap");
        self.world.stop_gateway().await.expect("stopped");
        self.world.reach_through(agency, tap.address);
        self.world.start_gateway().await.expect("started");
        tap
    }
}
