//! `DisclosureService`: officers ask, others approve, who asked collects (PROTOCOL.md section 21).
//!
//! What is checked here only spares the agency's adapter and the people the time: the adapter believes none
//! of it. Every step is in the access log before it is taken.

use std::sync::Arc;

use jiff::Timestamp;
use proto::{
    act::{Act, ReviewFinding},
    alert_id::AlertId,
    case_event::CaseEvent,
    disclosure::{Application, OfficerSignature, approval_bytes, request_bytes},
    disclosure_request::{DisclosureId, DisclosureRequest, LONGEST_LIFE, LegalBasis},
    fault::Reason,
    hex_bytes::HexBytes,
    lp::LengthPrefixed,
    name::AgencyId,
    officer_certificate::{NotAnOfficer, OfficersAuthority},
    schema::DatasetKind,
    wire::{self, disclosure_service_server::DisclosureService},
};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};

use super::{
    approvers,
    courier::Courier,
    disclosures::Asking,
    right_to_ask::may_ask,
    stage::{Disclosure, Stage},
};
use crate::{
    alert::Alert,
    alerts::Alerts,
    authorise::{Caller, Role, caller},
    case::{calendar::WorkingTime, case_acts::Handled, step::sees},
    epoch::{Epoch, LiveEpochs},
    explanation::Truth,
    policy_in_force::PolicyInForce,
    question::Question,
    refusal::Refusal,
};

/// An emergency is reviewed within this time.
const REVIEW: WorkingTime = WorkingTime::Days(3);

/// The service.
pub struct Disclosing {
    /// Alerts, to say what a request must name.
    pub alerts: Alerts,
    /// The epoch in force.
    pub epochs: Arc<LiveEpochs>,
    /// Who is vulnerable, and which days are working days.
    pub policy: Arc<PolicyInForce>,
    /// To the pipeline.
    pub questions: mpsc::Sender<Question>,
    /// Has the disclosures, and carries them.
    pub courier: Arc<Courier>,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl DisclosureService for Disclosing {
    async fn prepare_disclosure(
        &self,
        request: Request<wire::PrepareDisclosureRequest>,
    ) -> Answer<wire::PrepareDisclosureResponse> {
        let caller = caller(&request)?;
        let id: AlertId = request.get_ref().alert.parse().map_err(argument)?;
        let handled = self.case(&caller, &id).await?;
        may_ask(&caller.0.id, HexBytes([0; 16]), &handled.case)?;
        // The case may have been given to somebody of another region than the alert's.
        let found = self.alerts.get(id.as_str(), "").await;
        let found = found.map_err(Refusal::from)?.ok_or(Refusal::NotFound(NO_CASE))?;
        let recorder = &self.courier.recorder;
        let found = recorder.open(&caller.actor(), found).await.map_err(Refusal::from)?;
        let (alert, epoch) = (&found.what().0, self.epochs.present());
        let held = alert.findings.iter().filter(|finding| finding.truth == Truth::True);
        let mut datasets: Vec<_> = held.map(|finding| &finding.dataset).collect();
        datasets.sort();
        datasets.dedup();
        let source = |dataset| {
            let listed = epoch.manifest.dataset(dataset)?;
            (listed.kind == Some(DatasetKind::Watch)).then(|| wire::DisclosureSource {
                agency: listed.owner.to_string(),
                dataset: dataset.to_string(),
            })
        };
        Ok(Response::new(wire::PrepareDisclosureResponse {
            scope: Some((&epoch.manifest.scope).into()),
            subject: alert.subject.0.to_vec(),
            sources: datasets.into_iter().filter_map(source).collect(),
            logged: Some(recorder.place(found.index())),
        }))
    }

    async fn request_disclosure(
        &self,
        request: Request<wire::RequestDisclosureRequest>,
    ) -> Answer<wire::RequestDisclosureResponse> {
        let caller = caller(&request)?;
        let wire::RequestDisclosureRequest { request, officer } = request.into_inner();
        let request = DisclosureRequest::parse(&request).map_err(argument)?;
        let officer = signature(officer)?;
        let (epoch, now) = (self.epochs.present(), self.courier.clock.now());
        let signed = request_bytes(&request.digest());
        signed_by(&caller, &epoch, (&officer, &signed), now)?;
        let base = (&*self.policy, &self.questions);
        let needed = approvers::needed(base, request.subject, request.emergency).await;
        let _turn = self.courier.turn().await;
        let handled = self.case(&caller, &request.alert).await?;
        may_ask(&caller.0.id, request.id, &handled.case)?;
        check(&request, &caller, (&handled.alert, &epoch), now)?;
        if self.courier.store.get(&request.id).await.map_err(Refusal::from)?.is_some() {
            return Err(argument("there is a disclosure with this id already").into());
        }
        let act = Act::DisclosureRequested {
            disclosure: request.id,
            alert: request.alert.clone(),
            agency: request.agency.clone(),
            dataset: request.dataset.clone(),
            fields: request.fields.clone(),
            purpose: request.purpose,
            legal_basis: request.legal_basis,
            emergency: request.emergency,
            request: request.digest(),
        };
        if request.emergency {
            let (disclosure, officer) = (request.id, &request.officer);
            tracing::warn!(%disclosure, %officer, approvers = needed, "an EMERGENCY disclosure is asked for");
        }
        let event = CaseEvent::DisclosureAsked { disclosure: request.id };
        let application = Application { request, officer, approvals: vec![], proof: String::new() };
        let review = self.policy.current().cases.due(now, REVIEW);
        let asked = Disclosure::asked(application, needed, handled.region().into(), now, review);
        let index = self.courier.settle_in_case(&caller.actor(), (act, event), asked).await?;
        let logged = Some(self.courier.recorder.place(index));
        let approvers_needed = needed;
        Ok(Response::new(wire::RequestDisclosureResponse { logged, approvers_needed }))
    }

    async fn list_disclosures(
        &self,
        request: Request<wire::ListDisclosuresRequest>,
    ) -> Answer<wire::ListDisclosuresResponse> {
        let caller = caller(&request)?;
        let approves = caller.0.roles.contains(&Role::Approver);
        let asking =
            Asking { officer: &caller.0.id, region: approves.then_some(caller.0.region.as_str()) };
        let found = self.courier.store.list(&asking).await.map_err(Refusal::from)?;
        let act = Act::DisclosuresListed { count: found.len() as u64 };
        let recorder = &self.courier.recorder;
        let index = recorder.record(&caller.actor(), act).await.map_err(Refusal::from)?;
        Ok(Response::new(wire::ListDisclosuresResponse {
            disclosures: found.iter().map(Disclosure::to_wire).collect(),
            logged: Some(recorder.place(index)),
        }))
    }

    async fn approve_disclosure(
        &self,
        request: Request<wire::ApproveDisclosureRequest>,
    ) -> Answer<wire::ApproveDisclosureResponse> {
        let caller = caller(&request)?;
        let wire::ApproveDisclosureRequest { disclosure, approval } = request.into_inner();
        let approval = signature(approval)?;
        let _turn = self.courier.turn().await;
        let mut disclosure = self.others(&caller, &disclosure).await?;
        let now = self.courier.clock.now();
        self.must_wait(&disclosure, now)?;
        let request = disclosure.request();
        if !self.courier.is_theirs(request).await? {
            let text = format!("{} has the case no more: refuse the request", request.officer);
            return Err(Refusal::NotPossible(text).into());
        }
        let digest = request.digest();
        let signed = approval_bytes(&digest);
        signed_by(&caller, &self.epochs.present(), (&approval, &signed), now)?;
        let (id, alert) = (request.id, request.alert.clone());
        let act = Act::DisclosureApproved { disclosure: id, alert, request: digest };
        disclosure.approved(caller.0.id.clone(), approval);
        let index = self.courier.settle(&caller.actor(), act, &disclosure).await?;
        let logged = Some(self.courier.recorder.place(index));
        Ok(Response::new(wire::ApproveDisclosureResponse { logged }))
    }

    async fn refuse_disclosure(
        &self,
        request: Request<wire::RefuseDisclosureRequest>,
    ) -> Answer<wire::RefuseDisclosureResponse> {
        let caller = caller(&request)?;
        let _turn = self.courier.turn().await;
        let mut disclosure = self.others(&caller, &request.get_ref().disclosure).await?;
        self.must_wait(&disclosure, self.courier.clock.now())?;
        let request = disclosure.request();
        let (id, alert) = (request.id, request.alert.clone());
        let act = Act::DisclosureRefused { disclosure: id, alert };
        disclosure.stage = Stage::Refused;
        let index = self.courier.settle(&caller.actor(), act, &disclosure).await?;
        let logged = Some(self.courier.recorder.place(index));
        Ok(Response::new(wire::RefuseDisclosureResponse { logged }))
    }

    async fn collect_disclosure(
        &self,
        request: Request<wire::CollectDisclosureRequest>,
    ) -> Answer<wire::CollectDisclosureResponse> {
        let caller = caller(&request)?;
        let _turn = self.courier.turn().await;
        let disclosure = self.find(&request.get_ref().disclosure).await?;
        let mut disclosure = disclosure
            .filter(|disclosure| disclosure.request().officer == caller.0.id)
            .ok_or(Refusal::NotFound("you asked for no disclosure with this id"))?;
        let nothing = Refusal::NotFound("no answer waits for you: see `disclosure list`");
        let answer = disclosure.answer.take().ok_or(nothing)?;
        disclosure.stage = Stage::Collected;
        let request = disclosure.request();
        let (id, alert) = (request.id, request.alert.clone());
        let (request, act) =
            (request.to_bytes(), Act::DisclosureCollected { disclosure: id, alert });
        let index = self.courier.settle(&caller.actor(), act, &disclosure).await?;
        let logged = Some(self.courier.recorder.place(index));
        Ok(Response::new(wire::CollectDisclosureResponse { request, answer: Some(answer), logged }))
    }

    async fn review_disclosure(
        &self,
        request: Request<wire::ReviewDisclosureRequest>,
    ) -> Answer<wire::ReviewDisclosureResponse> {
        let caller = caller(&request)?;
        let finding = match request.get_ref().finding() {
            wire::ReviewFinding::Justified => ReviewFinding::Justified,
            wire::ReviewFinding::Unjustified => ReviewFinding::Unjustified,
            wire::ReviewFinding::Unspecified => return Err(argument("finding is missing").into()),
        };
        let _turn = self.courier.turn().await;
        let mut disclosure = self.others(&caller, &request.get_ref().disclosure).await?;
        let nothing = "no emergency that waits for a review has this id";
        disclosure.review_due_at.take().ok_or(Refusal::NotFound(nothing))?;
        let request = disclosure.request();
        let (id, alert) = (request.id, request.alert.clone());
        let act = Act::DisclosureReviewed { disclosure: id, alert, finding };
        let index = self.courier.settle(&caller.actor(), act, &disclosure).await?;
        let logged = Some(self.courier.recorder.place(index));
        Ok(Response::new(wire::ReviewDisclosureResponse { logged }))
    }
}

const NO_CASE: &str = "no case of yours has this id";

impl Disclosing {
    /// A case that the caller sees.
    async fn case(&self, caller: &Caller, alert: &AlertId) -> Result<Handled, Refusal> {
        let handled = self.courier.cases.handled(alert.as_str()).await?;
        let seen = handled.filter(|handled| sees(&caller.0, handled));
        seen.ok_or(Refusal::NotFound(NO_CASE))
    }

    async fn find(&self, id: &[u8]) -> Result<Option<Disclosure>, Refusal> {
        let id: [u8; 16] = id.try_into().map_err(|_| argument("a disclosure's id is 16 bytes"))?;
        let id: DisclosureId = HexBytes(id);
        Ok(self.courier.store.get(&id).await?)
    }

    /// A disclosure of the approver's region that somebody else asked for.
    async fn others(&self, caller: &Caller, id: &[u8]) -> Result<Disclosure, Refusal> {
        let found = self.find(id).await?;
        let found = found.filter(|found| found.region.starts_with(&caller.0.region));
        let found = found.ok_or(Refusal::NotFound("no disclosure of your region has this id"))?;
        if found.is_by(&caller.0.id) {
            let text = "you asked for it, or approved it already: somebody else must";
            return Err(Refusal::Disclosure(Reason::SelfApproved, text.into()));
        }
        Ok(found)
    }

    fn must_wait(&self, disclosure: &Disclosure, now: Timestamp) -> Result<(), Refusal> {
        if disclosure.stage != Stage::Asked {
            return Err(Refusal::NotFound("it does not wait for an approver any more"));
        }
        if disclosure.has_expired(now) {
            let text = "the request has expired: the officer asks anew";
            return Err(Refusal::Disclosure(Reason::Expired, text.into()));
        }
        Ok(())
    }
}

/// What the caller's own gateway can tell at once.
fn check(
    request: &DisclosureRequest,
    caller: &Caller,
    (alert, epoch): (&Alert, &Epoch),
    now: Timestamp,
) -> Result<(), Refusal> {
    let refused = |reason, text: &str| Err(Refusal::Disclosure(reason, text.into()));
    if request.officer != caller.0.id {
        return refused(Reason::NotAnOfficer, "the request names another officer than you");
    }
    if request.scope != epoch.manifest.scope {
        return refused(Reason::WrongScope, "the request is for another programme, epoch or suite");
    }
    if request.subject != alert.subject || request.scope.epoch != alert.epoch {
        return Err(argument("the alert is about another subject"));
    }
    let listed = epoch.manifest.dataset(&request.dataset);
    let listed = listed.filter(|it| it.owner == request.agency);
    if listed.is_none_or(|it| it.kind != Some(DatasetKind::Watch)) {
        return refused(Reason::UnknownDataset, "the agency owns no watch dataset of that name");
    }
    if request.emergency && request.legal_basis != LegalBasis::VitalInterest {
        return Err(argument("an emergency has the legal basis vital_interest"));
    }
    let left = request.expires_at.duration_since(now);
    if !left.is_positive() {
        return refused(Reason::Expired, "the request has expired: ask anew");
    }
    if left > LONGEST_LIFE {
        return Err(argument("a request expires within 72 hours"));
    }
    Ok(())
}

fn signature(message: Option<wire::DisclosureSignature>) -> Result<OfficerSignature, Refusal> {
    let message = message.ok_or(argument("the signature is missing"))?;
    OfficerSignature::try_from(message).map_err(argument)
}

/// The caller signed it, with a certificate that agencies will take for an officer's.
fn signed_by(
    caller: &Caller,
    epoch: &Epoch,
    (signature, message): (&OfficerSignature, &LengthPrefixed),
    now: Timestamp,
) -> Result<AgencyId, Refusal> {
    let refused = |error: NotAnOfficer| {
        let reason = match error {
            NotAnOfficer::Signature => Reason::BadSignature,
            _ => Reason::NotAnOfficer,
        };
        Refusal::Disclosure(reason, error.to_string())
    };
    let (programme, authority) =
        (&epoch.manifest.scope.programme, epoch.manifest.officers_authority());
    // Revocation is looked up where it counts: by TLS on the way in, and by the adapter.
    let authority = OfficersAuthority::new(programme, authority, None);
    let authority = authority.map_err(|_| Refusal::Internal("the officers' authority"))?;
    let officer = authority.officer(signature, message, now).map_err(refused)?;
    if officer != caller.0.id {
        let text = "the signature is with another officer's certificate than yours";
        return Err(Refusal::Disclosure(Reason::NotAnOfficer, text.into()));
    }
    Ok(officer)
}

fn argument(problem: impl ToString) -> Refusal {
    Refusal::Argument(problem.to_string())
}
