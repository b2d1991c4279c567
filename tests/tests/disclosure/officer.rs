//! An officer who takes cases, asks, approves and opens as `gatewayctl` does.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use proto::{
    contact::{Contact, ContactField},
    disclosure::{DisclosureAnswer, approval_bytes, request_bytes},
    disclosure_request::{DisclosureRequest, LegalBasis, Purpose},
    envelope::EnvelopePrivateKey,
    hex_bytes::HexBytes,
    name::AgencyId,
    officer_key::OfficerKey,
    subject::Subject,
    wire::{self, CaseStage, DisclosureState, step_request::Step},
};
use tests::{
    deployment::{Deployment, Staff},
    staff_client::StaffClient,
};
use tonic::Status;
use zeroize::Zeroizing;

use super::town::Town;

/// Requests of one test differ.
static NUMBER: AtomicU32 = AtomicU32::new(1);

pub struct Officer {
    id: AgencyId,
    key: OfficerKey,
    answers: EnvelopePrivateKey,
    pub client: StaffClient,
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

    /// Takes a case, once there is one.
    pub async fn take(&self, town: &Town, alert: &str) {
        self.sees_it_routed(town, alert).await;
        self.step(alert, Step::Acknowledge(wire::Acknowledge {})).await;
    }

    /// The refusal of who asks in a case that nobody took.
    pub async fn prepare_once_there_is_a_case(&self, town: &Town, alert: &str) -> Status {
        self.sees_it_routed(town, alert).await;
        self.prepare(alert).await.expect_err("nobody has taken it")
    }

    /// A supervisor who has a case given to them, and takes it.
    pub async fn takes_over(&self, alert: &str) {
        let officer = self.id.to_string();
        self.step(alert, Step::Assign(wire::Assign { officer })).await;
        if self.case(alert).await.expect("a case").stage() == CaseStage::Routed {
            self.step(alert, Step::Acknowledge(wire::Acknowledge {})).await;
        }
    }

    /// A step after the last event of a case.
    pub async fn step(&self, alert: &str, step: Step) {
        let after = self.case(alert).await.expect("a case").number;
        let request = wire::StepRequest { alert: alert.to_owned(), after, step: Some(step) };
        self.client.clone().cases.step(request).await.expect("it can be taken");
    }

    async fn sees_it_routed(&self, town: &Town, alert: &str) {
        let look = || async { Ok(self.case(alert).await) };
        let routed = |case: &Option<wire::Case>| {
            case.as_ref().is_some_and(|case| case.stage() == CaseStage::Routed)
        };
        town.world.until(look, routed).await.expect("it is routed");
    }

    async fn case(&self, alert: &str) -> Option<wire::Case> {
        self.file(alert).await.and_then(|file| file.case)
    }

    async fn file(&self, alert: &str) -> Option<wire::GetCaseResponse> {
        let request = wire::GetCaseRequest { alert: alert.to_owned() };
        let answer = self.client.clone().cases.get_case(request).await;
        answer.ok().map(tonic::Response::into_inner)
    }

    /// What the case's history says of a disclosure, and whose doing it was.
    pub async fn told(&self, request: &DisclosureRequest) -> Vec<(wire::CaseEventKind, String)> {
        let file = self.file(request.alert.as_str()).await.expect("a case");
        let id = request.id.to_string();
        let about = file.history.into_iter().filter(|event| event.disclosure == id);
        about.map(|event| (event.kind(), event.officer)).collect()
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
        let mut nonce = [0; 32];
        nonce[..4].copy_from_slice(&NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let id = *nonce.first_chunk().expect("it is longer");
        let raised = alert.raised_at.expect("a time").seconds;
        let from = Timestamp::from_second(raised).expect("a time");
        DisclosureRequest {
            scope: prepared.scope.expect("a scope").try_into().expect("a scope"),
            id: HexBytes(id),
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
            nonce,
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

    pub async fn reason(&self, request: &DisclosureRequest) -> String {
        self.listed(request).await.map(|it| it.reason).unwrap_or_default()
    }
}
