//! Fetches missing roots in the background: batch after batch from the key holders into the cache, and
//! then has the dataset read again, which publishes it.
//!
//! What is evaluated is kept at once, so that a stop or a crash costs the batches under way and no more.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use proto::name::DatasetId;
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::{Instant, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    carrier::Carrier,
    evaluation_progress::EvaluationProgress,
    identifier::Identifier,
    oprf::MAX_BATCH,
    publication::{Publication, Reload},
    request_numbers::RequestNumbers,
    requester::{Requester, Stalled},
    root_supply::{RootSupply, Wanted},
    secret_file::SecretFileError,
    witness::cosigning::Witness,
};

/// Batches under way: while the holders work on some, others are blinded and verified here.
const IN_FLIGHT: usize = 4;
/// How often progress is told, at most.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// After a fault of ours.
const AFTER_OUR_FAULT: Duration = Duration::from_secs(30);

type Batch = Arc<[Identifier]>;

/// Fetches for every live epoch, each on its own. What is asked goes out over one carrier.
pub struct Evaluations {
    carrier: Arc<Carrier>,
    numbers: Arc<RequestNumbers>,
    witness: Arc<Witness>,
    stop: CancellationToken,
    running: Mutex<BTreeMap<u32, CancellationToken>>,
}

impl Evaluations {
    /// Nothing is fetched before [`Evaluations::follow`], nor after `stop`.
    ///
    /// # Errors
    /// [`SecretFileError`] where the numbers of the requests cannot be read.
    pub fn new(
        state_dir: &Path,
        witness: Arc<Witness>,
        stop: CancellationToken,
    ) -> Result<Self, SecretFileError> {
        let (carrier, running) = (Arc::default(), Mutex::default());
        let numbers = Arc::new(RequestNumbers::open(state_dir)?);
        Ok(Self { carrier, numbers, witness, stop, running })
    }

    /// The way to the holders.
    pub fn carrier(&self) -> Arc<Carrier> {
        self.carrier.clone()
    }

    /// Fetches what these lack and nothing else, for the first of them first.
    pub fn follow(&self, publications: &[Arc<Publication>]) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let live = |epoch: &u32| publications.iter().any(|it| it.scope().epoch == *epoch);
        running.retain(|epoch, stop| {
            let stays = live(epoch);
            if !stays {
                stop.cancel();
            }
            stays
        });
        for (place, publication) in publications.iter().enumerate() {
            running.entry(publication.scope().epoch).or_insert_with(|| {
                let evaluating = Evaluating {
                    publication: publication.clone(),
                    before: publications[..place].to_vec(),
                    carrier: self.carrier.clone(),
                    numbers: self.numbers.clone(),
                    witness: self.witness.clone(),
                };
                let stop = self.stop.child_token();
                tokio::spawn(stop.clone().run_until_cancelled_owned(evaluating.run()));
                stop
            });
        }
    }
}

/// Fetches for one epoch.
pub struct Evaluating {
    /// What needs the roots.
    pub publication: Arc<Publication>,
    /// Earlier epochs, whose people come first.
    pub before: Vec<Arc<Publication>>,
    /// The way to the holders.
    pub carrier: Arc<Carrier>,
    /// The numbers of this agency's requests.
    pub numbers: Arc<RequestNumbers>,
    /// Remembers what was evaluated.
    pub witness: Arc<Witness>,
}

/// One dataset's people on their way.
struct Fetch<'f> {
    evaluating: &'f Evaluating,
    supply: Arc<RootSupply>,
    requester: Arc<Requester>,
    progress: EvaluationProgress,
    dataset: DatasetId,
    wanted: Wanted,
    done: usize,
}

impl Evaluating {
    /// Fetches whatever is missing, whenever something is. Never returns.
    pub async fn run(self) {
        let mut changes = self.publication.changes();
        let mut asking: Option<(Arc<RootSupply>, Arc<Requester>)> = None;
        loop {
            self.earlier_epochs().await;
            changes.borrow_and_update();
            let supply = self.publication.root_supply();
            let wanted = supply.as_ref().and_then(|supply| supply.wanted().into_iter().next());
            let (Some(supply), Some((dataset, wanted))) = (supply, wanted) else {
                // The sender lives as long as the publication.
                let _ = changes.changed().await;
                continue;
            };
            let requester = match &asking {
                Some((of, requester)) if Arc::ptr_eq(of, &supply) => requester.clone(),
                _ => self.requester(&supply),
            };
            asking = Some((supply.clone(), requester.clone()));
            let progress = self.publication.evaluation_progress();
            let evaluating = &self;
            let mut fetch =
                Fetch { evaluating, supply, requester, progress, dataset, wanted, done: 0 };
            fetch.run().await;
            self.publish(fetch).await;
        }
    }

    /// Returns once earlier epochs that are not over lack nobody.
    async fn earlier_epochs(&self) {
        for earlier in &self.before {
            let mut changes = earlier.changes();
            let lacks = || earlier.root_supply().is_some_and(|it| !it.wanted().is_empty());
            while !earlier.is_over() && lacks() {
                // The sender lives as long as the publication.
                let _ = changes.changed().await;
            }
        }
    }

    fn requester(&self, supply: &RootSupply) -> Arc<Requester> {
        let ways = (self.carrier.clone(), self.numbers.clone());
        let (agency, holders) = (self.publication.agency(), supply.holders().clone());
        Arc::new(Requester::new(agency, holders, ways, self.witness.clone()))
    }

    async fn publish(&self, fetch: Fetch<'_>) {
        let Fetch { supply, progress, dataset, .. } = fetch;
        supply.fetched(&dataset);
        let publication = self.publication.clone();
        let which = Reload::Only(BTreeSet::from([dataset.clone()]));
        let reload = move || publication.reload(&which, &mut |_, _, _| {});
        match spawn_blocking(reload).await {
            Ok(Ok(_)) => tracing::info!(%dataset, "everybody has a root: read again"),
            Ok(Err(error)) => tracing::error!(problem = %error, "nothing was published anew"),
            Err(_) => tracing::error!("a reload failed; what was published stays"),
        }
        progress.write(&supply.wanted(), None);
    }
}

impl Fetch<'_> {
    async fn run(&mut self) {
        let (dataset, missing) = (&self.dataset, self.wanted.missing.clone());
        tracing::info!(%dataset, missing = missing.len(), people = self.wanted.people, "roots are missing");
        let mut batches = missing.chunks(MAX_BATCH);
        let mut again: Vec<Batch> = vec![];
        let mut under_way = JoinSet::new();
        let mut tell = interval(TELL_EVERY);
        loop {
            while under_way.len() < IN_FLIGHT {
                let next = again.pop().or_else(|| batches.next().map(Arc::from));
                let Some(batch) = next else { break };
                under_way.spawn(fetch(self.supply.clone(), self.requester.clone(), batch));
            }
            let fetched = tokio::select! {
                fetched = under_way.join_next() => fetched,
                _ = tell.tick() => {
                    self.tell();
                    continue;
                }
            };
            match fetched {
                None => return,
                Some(Ok((batch, Ok(())))) => self.done += batch.len(),
                Some(Ok((batch, Err(stalled)))) => {
                    again.push(batch);
                    self.wait(stalled).await;
                }
                // A defect; reading the dataset again finds what is still missing.
                Some(Err(_)) => return,
            }
            // Another manifest with other share keys: these roots are of no more use.
            let present = self.evaluating.publication.root_supply();
            if present.is_none_or(|present| !Arc::ptr_eq(&present, &self.supply)) {
                return;
            }
        }
    }

    /// Tells how far it is.
    fn tell(&self) {
        let problem = (!self.evaluating.carrier.is_open())
            .then(|| "the gateway holds no stream open for them".to_owned());
        let problem = problem.or_else(|| self.holders_problem());
        let (dataset, done, of) = (&self.dataset, self.done, self.wanted.missing.len());
        match &problem {
            None => tracing::info!(%dataset, done, of, "evaluating"),
            Some(problem) => tracing::warn!(%dataset, done, of, problem, "evaluating"),
        }
        let left = of - done;
        let mut text = format!("{left} of its {} people have no root yet", self.wanted.people);
        if let Some(problem) = &problem {
            text = format!("{text}: {problem}");
        }
        self.evaluating.publication.still_waits(&self.dataset, text);
        let mut wanted = self.supply.wanted();
        if let Some(wanted) = wanted.get_mut(&self.dataset) {
            wanted.missing = self.wanted.missing[done..].into();
        }
        self.progress.write(&wanted, problem.as_deref());
    }

    fn holders_problem(&self) -> Option<String> {
        let problems = self.requester.standings().problems();
        let threshold = self.supply.holders().keys().threshold();
        let listed: Vec<String> =
            problems.iter().map(|(holder, problem)| format!("{holder}: {problem}")).collect();
        let text = format!("{threshold} key holders are needed and these do not help: ");
        (!listed.is_empty()).then(|| text + &listed.join("; "))
    }

    async fn wait(&self, stalled: Stalled) {
        let until = match stalled {
            Stalled::Holders { until } => until,
            Stalled::Ours(problem) => {
                tracing::error!(problem, "evaluating failed");
                Instant::now() + AFTER_OUR_FAULT
            }
        };
        self.tell();
        sleep_until(until).await;
    }
}

/// Evaluates a batch and keeps its roots; whoever has one by now is left out.
async fn fetch(
    supply: Arc<RootSupply>,
    requester: Arc<Requester>,
    batch: Batch,
) -> (Batch, Result<(), Stalled>) {
    let (cache, people) = (supply.clone(), batch.clone());
    let fetched = async {
        let missing: Batch = aside(move || cache.missing(&people)).await?.into();
        if missing.is_empty() {
            return Ok(());
        }
        let roots = requester.evaluate(missing.clone()).await?;
        aside(move || supply.keep(&missing, &roots)).await
    };
    let fetched = fetched.await;
    (batch, fetched)
}

async fn aside<T: Send + 'static, E: std::fmt::Display + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Stalled> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| Stalled::Ours(error.to_string())),
        Err(_) => Err(Stalled::Ours("the adapter is stopping".to_owned())),
    }
}
