//! What the gateway could do with everything it is ever given: asks adapters as the gateway does, and
//! keeps it.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use proto::{
    identity::{Identity, Party},
    name::{AgencyId, DatasetId},
    person_secret::{LookupTag, PersonSecret},
    schema::DatasetKind,
    tls::{Tls, TlsPem},
    transport::{self, Target},
    wire::{
        self, adapter_service_client::AdapterServiceClient, release_frame::Frame as ReleasePart,
        sync_frame::Frame as SyncPart,
    },
};
use tests::world::World;
use tonic::transport::Channel;

/// Lookup tags of every person secret that watch agencies release, by dataset.
pub struct Released(BTreeMap<DatasetId, BTreeSet<LookupTag>>);

impl Released {
    /// Asks every watch agency.
    pub async fn of(world: &World) -> Self {
        let mut tags: BTreeMap<DatasetId, BTreeSet<LookupTag>> = BTreeMap::new();
        let watched = world.deployment.manifest.datasets();
        for (id, dataset) in watched.filter(|(_, d)| d.kind == Some(DatasetKind::Watch)) {
            let mut client = client(world, &dataset.owner).await;
            let scope = Some((&world.deployment.manifest.scope).into());
            let request = wire::ReleaseRequest { scope, dataset: id.to_string(), after: None };
            let mut frames = client.release(request).await.expect("released").into_inner();
            let mut columns: Vec<DatasetId> = vec![];
            while let Some(frame) = frames.next().await {
                match frame.expect("a frame").frame.expect("not empty") {
                    ReleasePart::Header(header) => {
                        let names = header.secrets_for.iter();
                        columns = names.map(|name| name.parse().expect("a name")).collect();
                    }
                    ReleasePart::Subjects(subjects) => {
                        for row in subjects.secrets.chunks_exact(32 * columns.len().max(1)) {
                            for (dataset, secret) in columns.iter().zip(row.as_chunks::<32>().0) {
                                let tag = PersonSecret::from_bytes(*secret).lookup_tag();
                                tags.entry(dataset.clone()).or_default().insert(tag);
                            }
                        }
                    }
                    // The stream stays open; one group is everything there is.
                    ReleasePart::Trailer(_) => break,
                }
            }
        }
        Self(tags)
    }

    /// Whether a row can be found and opened.
    pub fn opens(&self, dataset: &DatasetId, tag: &LookupTag) -> bool {
        self.0.get(dataset).is_some_and(|tags| tags.contains(tag))
    }

    /// Whether anybody's secret was released for a dataset.
    pub fn names(&self, dataset: &DatasetId) -> bool {
        self.0.contains_key(dataset)
    }
}

/// The tags of all rows that an agency sends of one dataset.
pub async fn rows_of(world: &World, dataset: &DatasetId) -> BTreeSet<LookupTag> {
    let owner = &world.deployment.manifest.dataset(dataset).expect("known").owner;
    let mut client = client(world, owner).await;
    let scope = Some((&world.deployment.manifest.scope).into());
    let request = wire::SyncRequest { scope, dataset: dataset.to_string(), after: None };
    let mut frames = client.sync(request).await.expect("synced").into_inner();
    let mut tags = BTreeSet::new();
    while let Some(frame) = frames.next().await {
        match frame.expect("a frame").frame.expect("not empty") {
            SyncPart::Rows(rows) => tags.extend(proto::group::tags(&rows.tags)),
            SyncPart::Header(_) => {}
            SyncPart::Trailer(_) => break,
        }
    }
    tags
}

/// A connection with the gateway's own certificate.
pub async fn client(world: &World, agency: &AgencyId) -> AdapterServiceClient<Channel> {
    let issued = world.deployment.pki.issue("gateway", "gateway");
    let tls = Tls::from_pem(&TlsPem {
        certificate: issued.certificate.as_bytes(),
        key: issued.key.as_bytes(),
        trust: world.deployment.pki.trust_pem().as_bytes(),
        revoked: None,
    })
    .expect("the pki's files are good");
    let programme = world.deployment.manifest.scope.programme.clone();
    let target = Target {
        address: world.adapter_address(agency).to_string(),
        server_name: "localhost".into(),
        identity: Identity { programme, party: Party::Agency(agency.clone()) },
    };
    let channel = transport::connect(target, tls.client).await.expect("connected");
    AdapterServiceClient::new(channel).max_decoding_message_size(transport::MAX_MESSAGE)
}
