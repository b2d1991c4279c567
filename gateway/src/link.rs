//! One adapter: dialled, described, its grants carried, its datasets followed; for ever.
//!
//! Owns connection, retries and what the status board says about them. What arrives is handed to
//! the pipeline; what it means is decided there.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use proto::{
    act::Act,
    cursor::Cursor,
    entry::Actor,
    manifest::Manifest,
    name::DatasetId,
    schema::DatasetSchema,
    scope::Suite,
    transport::{self, MAX_MESSAGE},
    wire::{self, adapter_service_client::AdapterServiceClient},
};
use rustls::ClientConfig;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, timeout},
};
use tonic::transport::Channel;

use crate::{
    audit::{recorder::Recorder, tally::Tally},
    clock::Clock,
    config::Adapter,
    connections::Connections,
    description::{self, Description},
    follow,
    grants::Grants,
    intake::{Door, Intake, Share},
    policy_in_force::PolicyInForce,
    relay::{self, Relay},
    rows::{Changed, Rows},
    status::StatusBoard,
    sync::VerifiedRelease,
};

/// How often an adapter is asked what it publishes: new datasets and grants show within this time.
const DESCRIBE_EVERY: Duration = Duration::from_secs(10);
/// How often grants are delivered that have not changed, for an adapter that lost them.
const DELIVER_EVERY: Duration = Duration::from_secs(300);
/// Deadline of a call that answers once.
const DEADLINE: Duration = Duration::from_secs(15);
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Something from an adapter that the pipeline must take into account.
#[derive(Debug)]
pub enum Arrival {
    /// Sealed rows were committed to the store.
    Rows {
        /// Whose.
        dataset: DatasetId,
        /// Which.
        changed: Changed,
    },
    /// Subjects of a watch dataset.
    Release {
        /// The subjects.
        release: VerifiedRelease,
        /// The catalogue under which the stream was opened.
        generation: u64,
        /// What it takes of the room until it is taken in.
        share: Share,
    },
}

/// The pipeline takes nothing any more.
#[derive(Debug)]
pub struct Stopping;

/// What all links share.
pub struct Surroundings {
    /// The federation.
    pub manifest: Manifest,
    /// Where sealed rows are kept.
    pub rows: Rows,
    /// What people are shown.
    pub status: Arc<StatusBoard>,
    /// Grants on their way.
    pub grants: Arc<Grants>,
    /// The catalogue that descriptions must agree with.
    pub policy: Arc<PolicyInForce>,
    /// The way to key holders.
    pub relay: Arc<Relay>,
    /// The adapters that are connected.
    pub connections: Arc<Connections>,
    /// The time.
    pub clock: Clock,
    /// Writes down what is taken over and what is carried.
    pub recorder: Recorder,
    /// Counts the batches of evaluations that are carried.
    pub tally: Arc<Tally>,
    /// To the pipeline.
    pub arrivals: mpsc::Sender<Arrival>,
    /// How much may be on its way there.
    pub intake: Arc<Intake>,
}

/// One adapter and how far its releases have come in this run.
pub struct Link {
    /// Whom to dial.
    pub adapter: Adapter,
    /// Our certificate, to dial with.
    tls: watch::Receiver<Arc<ClientConfig>>,
    /// What is shared.
    pub around: Arc<Surroundings>,
    /// The agency's way into the base.
    pub door: Door,
    /// Cursors of watch datasets, each with the catalogue's generation under which the pipeline got
    /// what leads up to it: what was released is in memory only, and so are they.
    released: Mutex<HashMap<DatasetId, (u64, Cursor)>>,
}

/// Doubling waits between attempts.
pub struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST_WAIT)
    }
}

impl Backoff {
    /// Waits, and will wait twice as long the next time.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST_WAIT);
    }
}

impl Link {
    /// A link that has not been dialled yet.
    pub fn new(
        adapter: Adapter,
        tls: watch::Receiver<Arc<ClientConfig>>,
        around: Arc<Surroundings>,
    ) -> Self {
        let door = Door::new(adapter.agency.clone(), around.intake.clone());
        Self { adapter, tls, around, door, released: Mutex::default() }
    }

    /// How far a dataset's releases have come under a catalogue. A stream that was opened under
    /// another may still be ending: its cursors lead to nothing.
    pub fn released(&self, dataset: &DatasetId, generation: u64) -> Option<Cursor> {
        let (under, cursor) = *self.cursors().get(dataset)?;
        (under == generation).then_some(cursor)
    }

    /// Notes that the pipeline was given what leads up to `cursor`.
    pub fn advance(&self, dataset: &DatasetId, generation: u64, cursor: Cursor) {
        let mut cursors = self.cursors();
        let older = cursors.get(dataset).is_none_or(|(under, _)| *under <= generation);
        if older {
            cursors.insert(dataset.clone(), (generation, cursor));
        }
    }

    /// Hands something to the pipeline when it is this agency's turn.
    ///
    /// # Errors
    /// Where the gateway is stopping.
    pub async fn queue(&self, arrival: Arrival) -> Result<(), Stopping> {
        let _turn = self.door.turn().await;
        self.around.arrivals.send(arrival).await.map_err(|_| Stopping)
    }

    fn cursors(&self) -> MutexGuard<'_, HashMap<DatasetId, (u64, Cursor)>> {
        self.released.lock().expect("nobody panics while holding the cursors")
    }

    /// Never returns; dropped when the gateway stops.
    pub async fn run(self: Arc<Self>) {
        let agency = &self.adapter.agency;
        let mut backoff = Backoff::default();
        loop {
            let mut tls = self.tls.clone();
            let current = tls.borrow_and_update().clone();
            let problem = match transport::connect(self.adapter.target.clone(), current).await {
                Ok(channel) => {
                    let (problem, lasted) = tokio::select! {
                        ended = self.session(channel) => ended,
                        () = another(&mut tls) => ("our TLS files changed".into(), true),
                    };
                    if lasted {
                        backoff = Backoff::default();
                    }
                    problem
                }
                Err(problem) => problem,
            };
            tracing::warn!(%agency, %problem, "adapter not connected");
            self.connected(false, &problem);
            backoff.wait().await;
        }
    }

    /// Talks to a connected adapter until it stops answering; says why, and whether it ever did.
    async fn session(self: &Arc<Self>, channel: Channel) -> (String, bool) {
        let _connection = self.around.connections.connect(&self.adapter.agency, channel.clone());
        let mut relaying = JoinSet::new();
        if self.around.manifest.scope.suite == Suite::Oprf {
            relaying.spawn(relay::carry(self.clone(), channel.clone()));
        }
        let mut client = AdapterServiceClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        let mut following = Following::default();
        let mut grants = self.around.grants.subscribe();
        let mut policy = self.around.policy.subscribe();
        let mut lasted = false;
        let mut delivered = Delivered::default();
        loop {
            grants.mark_unchanged();
            policy.mark_unchanged();
            following.adopt(self.around.policy.generation());
            let described = match self.describe(&mut client).await {
                Ok(described) => described,
                Err(problem) => return (problem, lasted),
            };
            lasted = true;
            self.connected(true, "");
            if let Err(problem) = self.deliver(&mut client, &mut delivered).await {
                return (problem, lasted);
            }
            following.reconcile(self, &client, described);
            tokio::select! {
                () = tokio::time::sleep(DESCRIBE_EVERY) => {}
                // Grants change several at a time, and an adapter that never stops changing them
                // must not keep everybody busy.
                _ = grants.changed() => tokio::time::sleep(FIRST_WAIT).await,
                () = policy.changed() => {}
            }
        }
    }

    async fn describe(
        &self,
        client: &mut AdapterServiceClient<Channel>,
    ) -> Result<Description, String> {
        let scope = Some((&self.around.manifest.scope).into());
        let answer = within(client.describe(wire::DescribeRequest { scope })).await?;
        let agency = &self.adapter.agency;
        let policy = self.around.policy.current();
        let description = description::check(&self.around.manifest, &policy, agency, &answer)?;
        for (dataset, problem) in &description.refused {
            tracing::warn!(%agency, %dataset, %problem, "dataset not followed");
        }
        let refused = self.around.grants.replace(&self.around.manifest, agency, answer.grants);
        for problem in refused {
            tracing::warn!(%agency, %problem, "grant not carried");
        }
        let count = u32::try_from(answer.datasets.len()).unwrap_or(u32::MAX);
        self.around.status.agency(agency, |line| {
            line.datasets = count;
            line.refused.clone_from(&description.refused);
        });
        Ok(description)
    }

    async fn deliver(
        &self,
        client: &mut AdapterServiceClient<Channel>,
        delivered: &mut Delivered,
    ) -> Result<(), String> {
        let grants = self.around.grants.for_grantee(&self.adapter.agency);
        let now = Instant::now();
        if grants.is_empty() || !delivered.is_due(&grants, now) {
            return Ok(());
        }
        let carried = Act::GrantsCarried {
            grantee: self.adapter.agency.clone(),
            epoch: self.around.manifest.scope.epoch,
            datasets: grants.iter().filter_map(|grant| grant.dataset.parse().ok()).collect(),
        };
        let index = self.around.recorder.record(&Actor::Gateway, carried).await;
        let index = index.map_err(|error| error.to_string())?;
        let scope = Some((&self.around.manifest.scope).into());
        let request = wire::DeliverGrantsRequest { scope, grants: grants.clone() };
        let answer = within(client.deliver_grants(request)).await;
        if answer.is_err() {
            self.around.recorder.failed(index..index + 1).await;
        }
        let answer = answer?;
        self.around.grants.answered(&self.adapter.agency, &grants, &answer.refused);
        // A refused one is offered again: what the grantee lacked may have come meanwhile.
        let settled = answer.refused.is_empty();
        *delivered = Delivered(settled.then_some((grants, now + DELIVER_EVERY)));
        Ok(())
    }

    fn connected(&self, connected: bool, problem: &str) {
        let now = self.around.clock.now();
        self.around.status.agency(&self.adapter.agency, |line| {
            if line.connected != connected || line.since.is_none() {
                line.since = Some(now);
            }
            line.connected = connected;
            problem.clone_into(&mut line.problem);
        });
    }
}

async fn within<T>(
    call: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
) -> Result<T, String> {
    match timeout(DEADLINE, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(follow::words(&status)),
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}

/// Returns once the TLS configuration is another; never where the gateway stops.
async fn another(tls: &mut watch::Receiver<Arc<ClientConfig>>) {
    if tls.changed().await.is_err() {
        std::future::pending().await
    }
}

/// What an adapter accepted in this session, and until when it need not be told again.
#[derive(Default)]
struct Delivered(Option<(Vec<wire::SaltGrant>, Instant)>);

impl Delivered {
    fn is_due(&self, grants: &[wire::SaltGrant], now: Instant) -> bool {
        self.0.as_ref().is_none_or(|(accepted, until)| accepted != grants || now >= *until)
    }
}

/// The open streams of one session; dropping it ends them.
#[derive(Default)]
struct Following {
    tasks: JoinSet<()>,
    datasets: HashMap<DatasetId, (DatasetSchema, tokio::task::AbortHandle)>,
    generation: u64,
}

impl Following {
    /// Under another catalogue the pipeline begins with an empty base, so everything is released
    /// again.
    fn adopt(&mut self, generation: u64) {
        if self.generation != generation {
            *self = Self { generation, ..Self::default() };
        }
    }

    /// Opens streams for what is agreed on now and ends those for what is not any more.
    fn reconcile(
        &mut self,
        link: &Arc<Link>,
        client: &AdapterServiceClient<Channel>,
        description: Description,
    ) {
        self.datasets.retain(|_, (schema, task)| {
            // A task that ended by itself failed; it gets a successor.
            let stays = description.agreed.contains(schema) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        while self.tasks.try_join_next().is_some() {}
        for schema in description.agreed {
            if self.datasets.contains_key(&schema.dataset) {
                continue;
            }
            let (link, client, followed) = (link.clone(), client.clone(), schema.clone());
            let task = self.tasks.spawn(follow::dataset(link, client, followed, self.generation));
            self.datasets.insert(schema.dataset.clone(), (schema, task));
        }
    }
}
