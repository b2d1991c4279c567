//! What the gateway could do with everything it is ever given: asks adapters as the gateway does, and
//! keeps it.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use proto::{
    identity::{Identity, Party},
    name::{AgencyId, DatasetId},
    person_secret::{LookupTag, PersonSecret},
    schema::{DatasetKind, HouseholdSchema},
    sealed_row::{RowNonce, RowSealer, SEAL_OVERHEAD},
    subject::Subject,
    tls::{Tls, TlsPem},
    transport::{self, Target},
    wire::{
        self, adapter_service_client::AdapterServiceClient, release_frame::Frame as ReleasePart,
        sync_frame::Frame as SyncPart,
    },
};
use tests::world::World;
use tonic::transport::Channel;

/// What watch agencies release.
pub struct Released {
    /// Everybody in the base.
    pub subjects: BTreeSet<Subject>,
    /// Lookup tags of every person secret, by dataset.
    tags: BTreeMap<DatasetId, BTreeSet<LookupTag>>,
}

impl Released {
    /// Asks every watch agency.
    pub async fn of(world: &World) -> Self {
        let mut tags: BTreeMap<DatasetId, BTreeSet<LookupTag>> = BTreeMap::new();
        let (mut secrets, mut base) = (vec![], BTreeSet::new());
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
                        base.extend(
                            subjects.subjects.as_chunks::<16>().0.iter().map(|s| Subject(*s)),
                        );
                        for row in subjects.secrets.chunks_exact(32 * columns.len().max(1)) {
                            for (dataset, secret) in columns.iter().zip(row.as_chunks::<32>().0) {
                                let secret = PersonSecret::from_bytes(*secret);
                                let tag = secret.lookup_tag();
                                tags.entry(dataset.clone()).or_default().insert(tag);
                                secrets.push((dataset.clone(), secret));
                            }
                        }
                    }
                    // The stream stays open; one group is everything there is.
                    ReleasePart::Trailer(_) => break,
                }
            }
        }
        let mut released = Self { subjects: base, tags };
        for household in world.deployment.households() {
            released.open_households(world, household, &secrets).await;
        }
        released
    }

    /// Adds what released secrets find in the rows that hold households.
    async fn open_households(
        &mut self,
        world: &World,
        dataset: &DatasetId,
        secrets: &[(DatasetId, PersonSecret)],
    ) {
        let owner = &world.deployment.manifest.dataset(dataset).expect("known").owner;
        let scope = &world.deployment.manifest.scope;
        let request = wire::DescribeRequest { scope: Some(scope.into()) };
        let described = client(world, owner).await.describe(request).await.expect("described");
        let mut described = described.into_inner().datasets.into_iter();
        let described = described.find(|d| d.dataset == dataset.as_str()).expect("it is the owner");
        let household = described.household.expect("it holds households");
        let datasets = household.datasets.iter().map(|id| id.parse().expect("a name")).collect();
        let max_members = u8::try_from(household.max_members).expect("few");
        let schema = HouseholdSchema { max_members, datasets };
        let (sealer, rows) = (RowSealer::new(scope, dataset), sealed_rows_of(world, dataset).await);
        for (_, secret) in secrets.iter().filter(|(id, _)| id == dataset) {
            let Some((nonce, sealed)) = rows.get(&secret.lookup_tag()) else { continue };
            let (mut row, tag) = (sealed.clone(), secret.lookup_tag());
            let row = sealer.open(&secret.seal_key(), tag, *nonce, &mut row).expect("it opens");
            let members = schema.decode(&row[described.flags.len()..]).expect("a household");
            for entry in members.members {
                for (dataset, secret) in schema.datasets.iter().zip(entry.secrets) {
                    self.tags.entry(dataset.clone()).or_default().insert(secret.lookup_tag());
                }
            }
        }
    }

    /// Whether a row can be found and opened.
    pub fn opens(&self, dataset: &DatasetId, tag: &LookupTag) -> bool {
        self.tags.get(dataset).is_some_and(|tags| tags.contains(tag))
    }

    /// Whether anybody's secret was released for a dataset.
    pub fn names(&self, dataset: &DatasetId) -> bool {
        self.tags.contains_key(dataset)
    }
}

/// The tags of all rows that an agency sends of one dataset.
pub async fn rows_of(world: &World, dataset: &DatasetId) -> BTreeSet<LookupTag> {
    sealed_rows_of(world, dataset).await.into_keys().collect()
}

async fn sealed_rows_of(
    world: &World,
    dataset: &DatasetId,
) -> BTreeMap<LookupTag, (RowNonce, Vec<u8>)> {
    let owner = &world.deployment.manifest.dataset(dataset).expect("known").owner;
    let mut client = client(world, owner).await;
    let scope = Some((&world.deployment.manifest.scope).into());
    let request = wire::SyncRequest { scope, dataset: dataset.to_string(), after: None };
    let mut frames = client.sync(request).await.expect("synced").into_inner();
    let (mut sealed, mut width) = (BTreeMap::new(), 0);
    while let Some(frame) = frames.next().await {
        match frame.expect("a frame").frame.expect("not empty") {
            SyncPart::Rows(rows) => {
                let ciphertexts = rows.ciphertexts.chunks_exact(width).map(<[u8]>::to_vec);
                let nonces = rows.nonces.as_chunks::<12>().0.iter().map(|&nonce| RowNonce(nonce));
                sealed.extend(proto::group::tags(&rows.tags).zip(nonces.zip(ciphertexts)));
            }
            SyncPart::Header(header) => width = header.row_size as usize + SEAL_OVERHEAD,
            SyncPart::Trailer(_) => break,
        }
    }
    sealed
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
