//! `AdminService`: what those who run the gateway ask (PROTOCOL.md section 10).

use std::sync::Arc;

use proto::{
    act::Act,
    entry::Actor,
    name::{AgencyId, DatasetId},
    quorum::Quorum,
    schema::DatasetKind,
    wire,
};
use tonic::{Request, Response, Status};
use wire::{admin_service_server::AdminService, refused_calls::Caller};

use crate::{
    audit::{recorder::Recorder, tally::Tally},
    authorise::caller,
    catalogue::{Catalogue, CatalogueDataset},
    clock::{Clock, later},
    epoch::{Live, LiveEpochs},
    manifest_in_force::ManifestInForce,
    notify::deliveries::Deliveries,
    policy_in_force::PolicyInForce,
    refusal::Refusal,
    status::Board,
    wire_alert::timestamp,
    wire_epoch, wire_notification,
};

/// The service.
pub struct Administration {
    /// Agencies, datasets and grants of every live epoch.
    pub epochs: Arc<LiveEpochs>,
    /// The policy.
    pub policy: Arc<PolicyInForce>,
    /// The federation manifest.
    pub manifest: Arc<ManifestInForce>,
    /// The time.
    pub clock: Clock,
    /// Writes down who asks.
    pub recorder: Recorder,
    /// Whose calls were refused.
    pub tally: Arc<Tally>,
    /// What officers were told, or not yet.
    pub deliveries: Deliveries,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl AdminService for Administration {
    async fn list_agencies(
        &self,
        request: Request<wire::ListAgenciesRequest>,
    ) -> Answer<wire::ListAgenciesResponse> {
        let board = self.epochs.present().status.read();
        self.record(&request, Act::AgenciesListed { count: board.agencies.len() as u64 }).await?;
        let witnesses = self.recorder.witnesses().board();
        let agencies = board.agencies.iter().map(|(agency, line)| wire::AgencyStatus {
            agency: agency.to_string(),
            address: line.address.clone(),
            connected: line.connected,
            since: line.since.map(timestamp),
            problem: line.problem.clone(),
            datasets: line.datasets,
            evaluations_carried: line.evaluations_carried,
            evaluations_refused: line.evaluations_refused,
            witness_problem: witnesses.problems.get(agency).cloned().unwrap_or_default(),
        });
        let agencies = agencies.collect();
        let witnesses = Some(self.witnesses());
        Ok(Response::new(wire::ListAgenciesResponse { agencies, witnesses }))
    }

    async fn list_datasets(
        &self,
        request: Request<wire::ListDatasetsRequest>,
    ) -> Answer<wire::ListDatasetsResponse> {
        let (policy, present) = (self.policy.current(), self.epochs.present());
        let board = present.status.read();
        let datasets = policy.catalogue.datasets.iter();
        let datasets = datasets.map(|dataset| self.dataset(dataset, &board));
        let datasets: Vec<_> = datasets.chain(strangers(&policy.catalogue, &board)).collect();
        self.record(&request, Act::DatasetsListed { count: datasets.len() as u64 }).await?;
        let scope = Some((&present.manifest.scope).into());
        Ok(Response::new(wire::ListDatasetsResponse { scope, datasets }))
    }

    async fn list_grants(
        &self,
        request: Request<wire::ListGrantsRequest>,
    ) -> Answer<wire::ListGrantsResponse> {
        let grants = self.epochs.present().grants.list();
        self.record(&request, Act::GrantsListed { count: grants.len() as u64 }).await?;
        let grants = grants.into_iter().map(|line| wire::GrantStatus {
            dataset: line.dataset.to_string(),
            owner: line.owner.to_string(),
            grantee: line.grantee.to_string(),
            problem: line.problem,
        });
        Ok(Response::new(wire::ListGrantsResponse { grants: grants.collect() }))
    }

    async fn list_epochs(
        &self,
        request: Request<wire::ListEpochsRequest>,
    ) -> Answer<wire::ListEpochsResponse> {
        let Live { present, next } = self.epochs.live();
        let catalogue = self.policy.current().catalogue.clone();
        let mut epochs = vec![wire_epoch::in_force(&present, &catalogue)];
        epochs.extend(next.as_ref().map(wire_epoch::next));
        self.record(&request, Act::EpochsListed { count: epochs.len() as u64 }).await?;
        Ok(Response::new(wire::ListEpochsResponse { epochs }))
    }

    async fn list_refusals(
        &self,
        request: Request<wire::ListRefusalsRequest>,
    ) -> Answer<wire::ListRefusalsResponse> {
        let refusals = self.tally.refusals();
        self.record(&request, Act::RefusalsListed { count: refusals.len() as u64 }).await?;
        let refused = refusals.into_iter().map(|(call, seen)| wire::RefusedCalls {
            caller: match call.by {
                Actor::Officer(id) => Some(Caller::Officer(id.to_string())),
                Actor::Agency(id) => Some(Caller::Agency(id.to_string())),
                Actor::Gateway | Actor::Unknown => None,
            },
            method: call.method.map(String::from).unwrap_or_default(),
            reason: call.reason.as_str().to_owned(),
            count: seen.count,
            first_at: Some(timestamp(seen.first)),
            last_at: Some(timestamp(seen.last)),
        });
        Ok(Response::new(wire::ListRefusalsResponse { refused: refused.collect() }))
    }

    async fn reload_policy(
        &self,
        request: Request<wire::ReloadPolicyRequest>,
    ) -> Answer<wire::ReloadPolicyResponse> {
        let by = caller(&request)?.actor();
        let policy = self.policy.reload(&self.recorder, &by).await.map_err(Refusal::from)?;
        if let Err(error) = self.manifest.reload(&self.recorder, &by).await {
            let problem = format!("{error:#}");
            tracing::error!(problem, "manifest refused; the old one stays");
            let text = "the policy is in force; the federation manifest was refused, and the old \
                        one stays: the gateway's log says why";
            return Err(Refusal::Argument(text.into()).into());
        }
        Ok(Response::new(wire::ReloadPolicyResponse {
            policy_version: policy.version.to_vec(),
            rules: u32::try_from(policy.rules.len()).unwrap_or(u32::MAX),
        }))
    }

    async fn list_notifications(
        &self,
        request: Request<wire::ListNotificationsRequest>,
    ) -> Answer<wire::ListNotificationsResponse> {
        let (states, limit) = wire_notification::asked(request.get_ref())?;
        let found = self.deliveries.list(&states, limit + 1).await.map_err(Refusal::from)?;
        let more = found.len() > limit as usize;
        let shown: Vec<_> = found.iter().take(limit as usize).collect();
        self.record(&request, Act::NotificationsListed { count: shown.len() as u64 }).await?;
        let notifications = shown.into_iter().map(wire_notification::notification).collect();
        Ok(Response::new(wire::ListNotificationsResponse { notifications, more }))
    }

    async fn retry_notifications(
        &self,
        request: Request<wire::RetryNotificationsRequest>,
    ) -> Answer<wire::RetryNotificationsResponse> {
        let asked = wire_notification::ids(&request.get_ref().ids)?;
        let parked = self.deliveries.parked(&asked).await.map_err(Refusal::from)?;
        if !asked.is_empty() && parked.is_empty() {
            return Err(Refusal::NotFound("none of these notifications is parked").into());
        }
        let count = parked.len() as u64;
        self.record(&request, Act::NotificationsRetried { count }).await?;
        self.deliveries.retry(&parked, self.clock.now()).await.map_err(Refusal::from)?;
        let retried = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Response::new(wire::RetryNotificationsResponse { retried }))
    }
}

impl Administration {
    async fn record<T: Sync>(&self, request: &Request<T>, act: Act) -> Result<(), Refusal> {
        let by = caller(request)?.actor();
        self.recorder.record(&by, act).await?;
        Ok(())
    }

    fn witnesses(&self) -> wire::LogWitnesses {
        let witnesses = self.recorder.witnesses();
        let cosigned = witnesses.cosigned();
        let needed = Quorum::of_manifest(&self.epochs.present().manifest).needed();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        wire::LogWitnesses {
            log_size: self.recorder.log().size(),
            cosigned_size: cosigned.as_ref().map_or(0, |cosigned| cosigned.size()),
            cosigned_at: cosigned.map(|cosigned| timestamp(cosigned.at())),
            connected: number(witnesses.connected()),
            needed: number(needed),
            well: witnesses.is_well(),
        }
    }

    fn dataset(&self, dataset: &CatalogueDataset, board: &Board) -> wire::DatasetStatus {
        let line = board.datasets.get(&dataset.schema.dataset).cloned().unwrap_or_default();
        let kind = match dataset.schema.kind {
            DatasetKind::Watch => wire::DatasetKind::Watch,
            DatasetKind::CrossCheck => wire::DatasetKind::CrossCheck,
        };
        let freshness = match line.as_of {
            None => wire::Freshness::Missing,
            Some(as_of) if self.clock.now() < later(as_of, dataset.fresh_within) => {
                wire::Freshness::Fresh
            }
            Some(_) => wire::Freshness::Stale,
        };
        wire::DatasetStatus {
            dataset: dataset.schema.dataset.to_string(),
            agency: dataset.agency.to_string(),
            kind: kind.into(),
            freshness: freshness.into(),
            cursor: line.cursor.map(Into::into),
            as_of: line.as_of.map(timestamp),
            rows: line.rows,
            problem: refused(dataset, board).unwrap_or(line.problem),
            unopenable: line.unopenable,
            arriving: line.arriving,
        }
    }
}

/// Why a dataset as its own agency describes it cannot be followed.
fn refused(dataset: &CatalogueDataset, board: &Board) -> Option<String> {
    let mut refused = board.agencies.get(&dataset.agency)?.refused.iter();
    refused.find(|(id, _)| *id == dataset.schema.dataset).map(|(_, problem)| problem.clone())
}

/// What agencies describe although it is not theirs according to the catalogue, or not in it.
fn strangers(catalogue: &Catalogue, board: &Board) -> Vec<wire::DatasetStatus> {
    let owns = |agency: &AgencyId, id: &DatasetId| {
        catalogue.number(id).is_some_and(|number| catalogue.datasets[number].agency == *agency)
    };
    let refused = board.agencies.iter().flat_map(|(agency, line)| {
        line.refused.iter().map(move |(id, problem)| (agency, id, problem))
    });
    refused
        .filter(|(agency, id, _)| !owns(agency, id))
        .map(|(agency, id, problem)| wire::DatasetStatus {
            dataset: id.to_string(),
            agency: agency.to_string(),
            freshness: wire::Freshness::Missing.into(),
            problem: problem.clone(),
            ..Default::default()
        })
        .collect()
}
