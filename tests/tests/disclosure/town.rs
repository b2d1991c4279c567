//! A small city with alerts, and officers who ask, approve and open as `gatewayctl` does.

use std::{
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use jiff::SignedDuration;
use proto::{
    contact::{Contact, ContactField},
    disclosure::{DisclosureAnswer, approval_bytes, request_bytes},
    disclosure_request::{DisclosureRequest, LegalBasis, Purpose},
    entry::Entry,
    envelope::EnvelopePrivateKey,
    hex_bytes::HexBytes,
    name::AgencyId,
    officer_key::OfficerKey,
    scope::Suite,
    subject::Subject,
    wire::{self, DisclosureState},
};
use tests::{
    city::{City, resident::Resident},
    deployment::{AUDITOR, CITY_DESK, Deployment, STREET_WORKER, Staff},
    log_reader,
    staff_client::StaffClient,
    tap::Tap,
    world::World,
};
use tonic::Status;
use zeroize::Zeroizing;

use crate::fixture::{default_policy, noon, today};

/// Requests of one test differ.
static NUMBER: AtomicU8 = AtomicU8::new(1);

pub struct Town {
    pub city: City,
    pub world: World,
}

pub struct Officer {
    id: AgencyId,
    key: OfficerKey,
    answers: EnvelopePrivateKey,
    pub client: StaffClient,
}

impl Town {
    pub async fn start(suite: Suite) -> Self {
        Self::start_where(suite, str::to_owned).await
    }

    /// With adapters that are configured in another way.
    pub async fn start_where(suite: Suite, change: fn(&str) -> String) -> Self {
        let city = City::generate(1500, 29, today());
        let sources = |dir: &std::path::Path| Ok(city.write_sources(dir).map(drop)?);
        let toml = |agency: &str| change(&city.dataset_toml(agency));
        let world = World::new(&default_policy(), suite, noon(), sources, toml);
        let mut world = world.expect("a world");
        world.start().await.expect("started");
        Self { city, world }
    }

    /// The first open alert that is not the street worker's, of somebody whom one watch dataset finds.
    pub async fn alert(&self) -> wire::Alert {
        let desk = self.world.client(&CITY_DESK).await.expect("connected");
        let found = || {
            self.world.pass(Duration::from_secs(6));
            let mut desk = desk.clone();
            async move {
                let alerts = desk.alerts().await?.into_iter();
                let mut open: Vec<wire::Alert> = alerts
                    .filter(|alert| alert.state() == wire::AlertState::Open)
                    .filter(|alert| alert.region.starts_with("3201"))
                    .filter(|alert| !alert.region.starts_with(STREET_WORKER.region))
                    .collect();
                open.sort_by(|a, b| a.id.cmp(&b.id));
                for alert in open {
                    let prepare = wire::PrepareDisclosureRequest { alert: alert.id.clone() };
                    let prepared = desk.disclosures.prepare_disclosure(prepare).await?;
                    if !prepared.into_inner().sources.is_empty() {
                        return Ok(Some(alert));
                    }
                }
                Ok(None)
            }
        };
        self.world.until(found, Option::is_some).await.expect("an alert").expect("it is there")
    }

    /// Whom an alert is about: what only the test can know.
    pub fn resident(&self, alert: &wire::Alert) -> &Resident {
        let by_subject: BTreeMap<String, &Resident> = self
            .city
            .base()
            .map(|resident| {
                let subject = self.world.deployment.subject_of(&resident.id, today());
                (subject.expect("a subject").to_string(), resident)
            })
            .collect();
        by_subject[&alert.subject]
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

impl Officer {
    pub fn new(deployment: &Deployment, staff: &Staff, client: StaffClient) -> Self {
        let tls = deployment.dir.join("staff").join(staff.id).join("tls");
        let read = |name: &str| fs::read(tls.join(name)).expect("written");
        let key = OfficerKey::from_pem(&read("certificate.pem"), &read("key.pem"));
        let number = staff.id.bytes().fold(7, u8::wrapping_add);
        Self {
            id: staff.id.parse().expect("a name"),
            key: key.expect("usable"),
            answers: EnvelopePrivateKey::from_bytes(&Zeroizing::new([number; 32])),
            client,
        }
    }

    pub async fn prepare(&self, alert: &str) -> Result<wire::PrepareDisclosureResponse, Status> {
        let request = wire::PrepareDisclosureRequest { alert: alert.to_owned() };
        let answer = self.client.clone().disclosures.prepare_disclosure(request).await;
        answer.map(tonic::Response::into_inner)
    }

    /// A good request for everything about an alert's subject.
    pub async fn request(&self, alert: &wire::Alert) -> DisclosureRequest {
        let prepared = self.prepare(&alert.id).await.expect("prepared");
        let source = prepared.sources.first().expect("a watch dataset has the person");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let raised = alert.raised_at.expect("a time").seconds;
        let from = jiff::Timestamp::from_second(raised).expect("a time");
        DisclosureRequest {
            scope: prepared.scope.expect("a scope").try_into().expect("a scope"),
            id: HexBytes([number; 16]),
            alert: alert.id.parse().expect("an id"),
            subject: Subject(prepared.subject.try_into().expect("16 bytes")),
            agency: source.agency.parse().expect("a name"),
            dataset: source.dataset.parse().expect("a name"),
            fields: ContactField::ALL.to_vec(),
            purpose: Purpose::HomeVisit,
            legal_basis: LegalBasis::StatutoryDuty,
            officer: self.id.clone(),
            officer_key: self.answers.public(),
            expires_at: from + SignedDuration::from_hours(24),
            nonce: [number; 32],
            emergency: false,
        }
    }

    /// The same with a key that the gateway has.
    pub fn with_another_key(&self, request: &DisclosureRequest) -> DisclosureRequest {
        let key = EnvelopePrivateKey::from_bytes(&Zeroizing::new([0xee; 32]));
        DisclosureRequest { officer_key: key.public(), ..request.clone() }
    }

    pub async fn ask(&self, request: &DisclosureRequest) -> Result<(), Status> {
        self.ask_signed(request, request).await
    }

    /// Sends one request with the signature of another.
    pub async fn ask_signed(
        &self,
        request: &DisclosureRequest,
        signed: &DisclosureRequest,
    ) -> Result<(), Status> {
        let officer = self.key.sign(&request_bytes(&signed.digest())).expect("signed");
        let message = wire::RequestDisclosureRequest {
            request: request.to_bytes(),
            officer: Some((&officer).into()),
        };
        self.client.clone().disclosures.request_disclosure(message).await.map(drop)
    }

    pub async fn approve(&self, request: &DisclosureRequest) -> Result<(), Status> {
        let approval = self.key.sign(&approval_bytes(&request.digest())).expect("signed");
        let message = wire::ApproveDisclosureRequest {
            disclosure: request.id.0.to_vec(),
            approval: Some((&approval).into()),
        };
        self.client.clone().disclosures.approve_disclosure(message).await.map(drop)
    }

    pub async fn refuse(&self, request: &DisclosureRequest) -> Result<(), Status> {
        let message = wire::RefuseDisclosureRequest { disclosure: request.id.0.to_vec() };
        self.client.clone().disclosures.refuse_disclosure(message).await.map(drop)
    }

    pub async fn review(
        &self,
        request: &DisclosureRequest,
        finding: wire::ReviewFinding,
    ) -> Result<(), Status> {
        let disclosure = request.id.0.to_vec();
        let message = wire::ReviewDisclosureRequest { disclosure, finding: finding.into() };
        self.client.clone().disclosures.review_disclosure(message).await.map(drop)
    }

    pub async fn collect(
        &self,
        request: &DisclosureRequest,
    ) -> Result<wire::CollectDisclosureResponse, Status> {
        let message = wire::CollectDisclosureRequest { disclosure: request.id.0.to_vec() };
        let answer = self.client.clone().disclosures.collect_disclosure(message).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Collects and opens; with another officer's key it does not open.
    pub async fn open(&self, town: &Town, request: &DisclosureRequest) -> Contact {
        let collected = self.collect(request).await.expect("collected");
        assert_eq!(collected.request, request.to_bytes());
        let answer = DisclosureAnswer::try_from(collected.answer.expect("an answer"));
        let answer = answer.expect("well formed");
        let manifest = &town.world.deployment.manifest;
        let agency = manifest.agency(&request.agency).expect("listed").signing_key;
        let other = EnvelopePrivateKey::from_bytes(&Zeroizing::new([0xee; 32]));
        assert!(answer.open(request, &agency, &other).is_err(), "another officer's key");
        answer.open(request, &agency, &self.answers).expect("it opens")
    }

    pub async fn listed(&self, request: &DisclosureRequest) -> Option<wire::Disclosure> {
        let message = wire::ListDisclosuresRequest {};
        let answer = self.client.clone().disclosures.list_disclosures(message).await;
        let listed = answer.expect("listed").into_inner().disclosures;
        listed.into_iter().find(|disclosure| disclosure.request == request.to_bytes())
    }

    pub async fn state(&self, request: &DisclosureRequest) -> DisclosureState {
        self.listed(request).await.map_or(DisclosureState::Unspecified, |it| it.state())
    }

    async fn reason(&self, request: &DisclosureRequest) -> String {
        self.listed(request).await.map(|it| it.reason).unwrap_or_default()
    }
}
