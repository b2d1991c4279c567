//! The calls that the gateway makes. Nobody else may make them.

use std::sync::Arc;

use proto::{
    cursor::Cursor,
    identity::{Identity, Party},
    name::DatasetId,
    salt::SaltGrant,
    schema::DatasetKind,
    wire::{self, adapter_service_server::AdapterService},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::{Extensions, Request, Response, Status};

use crate::{
    clock,
    dataset_state::{Content, DatasetState},
    epochs::Epochs,
    grants::GrantsError,
    group_source::{ReleasedSource, SealedSource, Source},
    group_stream::{self, GroupStream},
    publication::Publication,
    refusal,
    succession::succeed,
    vectors,
    witness::cosigning::Witness,
};

/// Grants in one delivery; far more than there are datasets.
const MOST_GRANTS: usize = 1000;

/// Answers in every live epoch.
pub struct Adapter {
    /// What is published.
    pub epochs: Arc<Epochs>,
    /// Told when a grant was accepted that was not held before.
    pub granted: Arc<Notify>,
    /// Says whether anything is served, and remembers what was.
    pub witness: Arc<Witness>,
}

#[tonic::async_trait]
impl AdapterService for Adapter {
    async fn describe(
        &self,
        request: Request<wire::DescribeRequest>,
    ) -> Result<Response<wire::DescribeResponse>, Status> {
        let request = self.admit(request)?;
        let publication = self.publication(request.scope)?;
        let response = tokio::task::spawn_blocking(move || describe(&publication)).await;
        response.map_err(|_| refusal::internal())?.map(Response::new)
    }

    async fn deliver_grants(
        &self,
        request: Request<wire::DeliverGrantsRequest>,
    ) -> Result<Response<wire::DeliverGrantsResponse>, Status> {
        let request = self.admit(request)?;
        let publication = self.publication(request.scope)?;
        if request.grants.len() > MOST_GRANTS {
            return Err(refusal::argument(format!("more than {MOST_GRANTS} grants at once")));
        }
        let granted = self.granted.clone();
        // Told by the task that keeps them: a gateway that is gone meanwhile will deliver the same
        // grants again, and then they are no news.
        let accept = move || {
            let (news, refused) = accept_grants(&publication, request.grants);
            if news {
                granted.notify_one();
            }
            refused
        };
        let refused = tokio::task::spawn_blocking(accept).await.map_err(|_| refusal::internal())?;
        Ok(Response::new(wire::DeliverGrantsResponse { refused }))
    }

    type SyncStream = GroupStream<wire::SyncFrame>;

    async fn sync(
        &self,
        request: Request<wire::SyncRequest>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let request = self.admit(request)?;
        let publication = self.publication(request.scope)?;
        let dataset = dataset(&publication, &request.dataset, DatasetKind::CrossCheck)?;
        let after = cursor(request.after)?;
        let signals = (publication.changes(), self.pass()?);
        let source = SealedSource::new(self.source(publication, dataset));
        group_stream::start(source, after, signals).await.map(Response::new)
    }

    type ReleaseStream = GroupStream<wire::ReleaseFrame>;

    async fn release(
        &self,
        request: Request<wire::ReleaseRequest>,
    ) -> Result<Response<Self::ReleaseStream>, Status> {
        let request = self.admit(request)?;
        let publication = self.publication(request.scope)?;
        let dataset = dataset(&publication, &request.dataset, DatasetKind::Watch)?;
        let after = cursor(request.after)?;
        let signals = (publication.changes(), self.pass()?);
        let source = ReleasedSource::new(self.source(publication, dataset));
        group_stream::start(source, after, signals).await.map(Response::new)
    }

    async fn succeed(
        &self,
        request: Request<wire::SucceedRequest>,
    ) -> Result<Response<wire::SucceedResponse>, Status> {
        let request = self.admit(request)?;
        self.pass()?;
        let publication = self.publication(request.scope.clone())?;
        let dataset = dataset(&publication, &request.dataset, DatasetKind::Watch)?;
        let epochs = self.epochs.clone();
        let answer = tokio::task::spawn_blocking(move || succeed(&epochs, &dataset, request));
        let succession = answer.await.map_err(|_| refusal::internal())??;
        Ok(Response::new((&succession).into()))
    }
}

impl Adapter {
    /// Takes the message out of a request whose sender is the programme's gateway.
    fn admit<T>(&self, request: Request<T>) -> Result<T, Status> {
        admit(&self.epochs, request.extensions())?;
        Ok(request.into_inner())
    }

    fn publication(&self, scope: Option<wire::Scope>) -> Result<Arc<Publication>, Status> {
        self.epochs.of(scope).map_err(|error| refusal::scope(&error))
    }

    /// What is being served ends when the token is cancelled.
    fn pass(&self) -> Result<CancellationToken, Status> {
        self.witness.gate.pass().map_err(|stopped| refusal::stopped(&stopped))
    }

    fn source(&self, publication: Arc<Publication>, dataset: DatasetId) -> Source {
        let scope = publication.scope();
        Source { publication, witness: self.witness.clone(), dataset, scope }
    }
}

fn dataset(publication: &Publication, name: &str, kind: DatasetKind) -> Result<DatasetId, Status> {
    let wanted = match kind {
        DatasetKind::Watch => "watch",
        DatasetKind::CrossCheck => "cross-check",
    };
    let unknown = || refusal::unknown_dataset(wanted);
    let dataset: DatasetId = name.parse().map_err(|_| unknown())?;
    let state = publication.state(&dataset).ok_or_else(unknown)?;
    if state.schema.kind == kind { Ok(dataset) } else { Err(unknown()) }
}

/// Lets the programme's gateway call, and nobody else who has a certificate.
///
/// # Errors
/// The refusal.
pub fn admit(epochs: &Epochs, extensions: &Extensions) -> Result<(), Status> {
    let programme = epochs.present().scope().programme;
    match extensions.get::<Identity>() {
        Some(Identity { programme: theirs, party: Party::Gateway(_) }) if *theirs == programme => {
            Ok(())
        }
        other => {
            let peer = other.map(ToString::to_string).unwrap_or_default();
            tracing::warn!(peer, "a call was refused: only the gateway may call");
            Err(refusal::not_the_gateway())
        }
    }
}

fn cursor(cursor: Option<wire::Cursor>) -> Result<Option<Cursor>, Status> {
    cursor.map(Cursor::try_from).transpose().map_err(refusal::argument)
}

fn describe(publication: &Publication) -> Result<wire::DescribeResponse, Status> {
    let agency = publication.agency();
    let log = |error: GrantsError| tracing::error!(problem = %error, "a grant cannot be read");
    let grants = agency.grants.issued().map_err(log).unwrap_or_default();
    // One damaged grant does not keep the others from their grantees.
    let grants = grants.into_iter().filter_map(|grant| grant.map_err(log).ok());
    let states = publication.states();
    let datasets = states.iter().map(|(id, state)| describe_dataset(publication, id, state));
    Ok(wire::DescribeResponse {
        scope: Some((&agency.manifest.scope).into()),
        agency: agency.id.to_string(),
        software: concat!("agency-adapter ", env!("CARGO_PKG_VERSION")).to_owned(),
        vectors_hash: vectors::vectors_hash().to_vec(),
        datasets: datasets.collect::<Result<_, _>>()?,
        grants: grants.map(|grant| (&grant).into()).collect(),
    })
}

fn describe_dataset(
    publication: &Publication,
    id: &DatasetId,
    state: &DatasetState,
) -> Result<wire::DatasetDescription, Status> {
    let head = match &state.content {
        Content::Nothing => None,
        Content::Sealed => {
            let head = publication.store().head(id).map_err(|error| refusal::store(&error))?;
            head.map(|head| (head.cursor(), head.as_of, head.rows))
        }
        Content::Released(released) => {
            Some((released.cursor(), released.as_of, released.subjects().len() as u64))
        }
    };
    let kind = match state.schema.kind {
        DatasetKind::Watch => wire::DatasetKind::Watch,
        DatasetKind::CrossCheck => wire::DatasetKind::CrossCheck,
    };
    let household = state.schema.household.as_ref();
    Ok(wire::DatasetDescription {
        dataset: id.to_string(),
        kind: kind.into(),
        flags: state.schema.flags.iter().map(Into::into).collect(),
        household: household.map(|household| wire::HouseholdDescription {
            max_members: household.max_members.into(),
            datasets: household.datasets.iter().map(ToString::to_string).collect(),
        }),
        head: head.map(|(cursor, _, _)| cursor.into()),
        as_of: head.map(|(_, as_of, _)| clock::to_wire(as_of)),
        rows: head.map_or(0, |(_, _, rows)| rows),
    })
}

/// Keeps the good grants; says whether any of them is news, and why others were refused.
fn accept_grants(
    publication: &Publication,
    grants: Vec<wire::SaltGrant>,
) -> (bool, Vec<wire::RefusedGrant>) {
    let agency = publication.agency();
    let mut news = false;
    let mut refused = vec![];
    for grant in grants {
        let (dataset, owner) = (grant.dataset.clone(), grant.owner.clone());
        let accepted = SaltGrant::try_from(grant)
            .map_err(Into::into)
            .and_then(|grant| agency.grants.accept((&agency.manifest, &agency.keys), &grant));
        match accepted {
            Ok(new) => {
                if new {
                    tracing::info!(dataset, owner, "a salt grant was accepted");
                }
                news |= new;
            }
            Err(error) => {
                tracing::warn!(problem = %error, "a salt grant was refused");
                let reason = error.to_string();
                refused.push(wire::RefusedGrant { dataset, owner, reason });
            }
        }
    }
    (news, refused)
}
