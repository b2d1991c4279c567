//! The log's witnesses: every connected adapter is asked to cosign each checkpoint, and shown the
//! entries that concern it (PROTOCOL.md section 18).
//!
//! A checkpoint that the quorum cosigned is published, on disk and to whoever waits for it. The log goes
//! on without witnesses; that is told, and decides nothing. Who is connected is `connections`' business;
//! one call to one witness is `witness_call`'s.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    log::AccessLog,
    witness_call::{Conversation, Failure},
    witnessed::WitnessedChanges,
};
use crate::{
    connections::Connections,
    disk::{LocalDisk, replace},
};
use anyhow::{Context, bail};
use proto::{
    checkpoint::Checkpoint,
    name::AgencyId,
    note::NoteSignature,
    quorum::{Cosigned, Quorum},
    wire::witness_service_client::WitnessServiceClient,
};
use tokio::{sync::watch, task::JoinSet, time::timeout_at};

/// How long a round waits for the slowest witness.
const DEADLINE: Duration = Duration::from_secs(3);
/// How long after a round without the quorum the next one begins, where nothing else calls for it.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// For so long entries may be without the quorum before that is told.
const GRACE: Duration = Duration::from_secs(10);
/// The file of the last cosigned checkpoint.
pub(crate) const COSIGNED: &str = "log.cosigned";

/// The way to the witnesses, and the last checkpoint that the quorum cosigned.
pub struct Witnesses {
    file: PathBuf,
    connections: Arc<Connections>,
    cosigned: watch::Sender<Option<Arc<Cosigned>>>,
    witnessed_revision: AtomicU64,
    board: Mutex<Board>,
}

/// How it stands with the witnesses.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// Why a connected witness did not cosign the last checkpoint that it was asked for.
    pub problems: BTreeMap<AgencyId, String>,
    /// Since when there are entries that the quorum has not cosigned.
    behind_since: Option<Instant>,
    /// A witness knows a longer log than this one.
    rolled_back: bool,
}

/// The checkpoint that was cosigned last, in an earlier run.
///
/// # Errors
/// Where the log has lost entries that were cosigned: it was restored from an old copy, and going on from
/// there would be a fork.
pub fn last_cosigned(
    data_dir: &Path,
    log: &AccessLog,
    quorum: &Quorum,
) -> anyhow::Result<Option<Cosigned>> {
    let file = data_dir.join(COSIGNED);
    let note = match std::fs::read_to_string(&file) {
        Ok(note) => note,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context(format!("cannot read {}", file.display())),
    };
    // Under another quorum than then it may not be one any more; of another log it is none.
    let Ok(last) = quorum.open(&note) else { return Ok(None) };
    let size = log.checkpoint().size();
    if last.size() > size {
        bail!(
            "the access log has {size} entries, and its witnesses cosigned {}: it was restored from an old \
             copy. Restore the newest one; if it is lost, report that to the federation and begin a log \
             with a new key (RUNBOOK)",
            last.size()
        );
    }
    Ok(Some(last))
}

impl Witnesses {
    /// Those who are connected; `last` is the checkpoint that was cosigned last.
    pub fn new(data_dir: &Path, last: Option<Cosigned>, connections: Arc<Connections>) -> Self {
        Self {
            file: data_dir.join(COSIGNED),
            connections,
            cosigned: watch::Sender::new(last.map(Arc::new)),
            witnessed_revision: AtomicU64::new(0),
            board: Mutex::default(),
        }
    }

    /// The last checkpoint that the quorum cosigned.
    pub fn cosigned(&self) -> Option<Arc<Cosigned>> {
        self.cosigned.borrow().clone()
    }

    /// A checkpoint over an entry that the quorum cosigned, once there is one.
    ///
    /// # Panics
    /// Never: who tells of checkpoints is this.
    pub async fn cosigned_over(&self, index: u64) -> Arc<Cosigned> {
        let mut cosigned = self.cosigned.subscribe();
        let over = |it: &Option<Arc<Cosigned>>| it.as_ref().is_some_and(|it| index < it.size());
        let found = cosigned.wait_for(over).await.expect("the sender is ours").clone();
        found.expect("it was waited for")
    }

    /// Changes of alerts up to this revision are in a cosigned checkpoint.
    pub fn witnessed_revision(&self) -> u64 {
        self.witnessed_revision.load(Ordering::Relaxed)
    }

    /// How many are connected.
    pub fn connected(&self) -> usize {
        self.connections.all().len()
    }

    /// How it stands with them.
    pub fn board(&self) -> Board {
        self.lock_board().clone()
    }

    /// Whether the quorum keeps up with the log.
    pub fn is_well(&self) -> bool {
        self.lock_board().is_well()
    }

    /// Asks for cosignatures on every checkpoint of `log`, for ever. `quorum` says what the manifest in
    /// force asks for.
    pub async fn collect(&self, log: &AccessLog, quorum: impl Fn() -> Quorum) {
        let (mut checkpoints, mut arrivals) = (log.checkpoints(), self.connections.arrivals());
        let mut conversations: HashMap<AgencyId, Conversation> = HashMap::new();
        let mut changes = WitnessedChanges::default();
        loop {
            let checkpoint = checkpoints.borrow_and_update().clone();
            arrivals.mark_unchanged();
            let enough = self.cosigned().is_some_and(|last| last.size() >= checkpoint.size());
            if !enough {
                self.lock_board().behind_since.get_or_insert_with(Instant::now);
            }
            let round =
                Round { log, quorum: &quorum(), checkpoint: (*checkpoint).clone(), published: 0 };
            let complete = self.ask_all(round, &mut conversations).await;
            if let Some(cosigned) = self.cosigned() {
                match changes.advance(log, cosigned.size()).await {
                    Ok(revision) => self.witnessed_revision.store(revision, Ordering::Relaxed),
                    Err(error) => {
                        tracing::error!(%error, "alerts stay marked as not yet witnessed")
                    }
                }
            }
            let again = async {
                if complete {
                    std::future::pending().await
                } else {
                    tokio::time::sleep(TRY_AGAIN).await
                }
            };
            tokio::select! {
                changed = checkpoints.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                },
                Ok(()) = arrivals.changed() => {}
                () = again => {}
            }
        }
    }

    /// One round: all connected witnesses at once. Says whether every one cosigned.
    async fn ask_all(
        &self,
        mut round: Round<'_>,
        conversations: &mut HashMap<AgencyId, Conversation>,
    ) -> bool {
        if self.lock_board().rolled_back {
            return true;
        }
        let deadline = tokio::time::Instant::now() + DEADLINE;
        let connected = self.connections.all();
        let is_connected = |id: &AgencyId| connected.iter().any(|(connected, _)| connected == id);
        self.lock_board().problems.retain(|agency, _| is_connected(agency));
        let mut asked = JoinSet::new();
        for (agency, channel) in connected {
            let client = WitnessServiceClient::new(channel);
            let conversation = conversations.remove(&agency).unwrap_or_default();
            let (log, checkpoint) = (round.log.clone(), round.checkpoint.clone());
            asked.spawn(async move {
                let mut conversation = conversation;
                let cosign = conversation.ask(client.clone(), &log, &checkpoint);
                let answer = match timeout_at(deadline, cosign).await {
                    Ok(answer) => answer,
                    Err(_) => Err(Failure::Problem("no answer in time".into())),
                };
                (agency, client, conversation, answer)
            });
        }
        let (mut complete, mut showing) = (true, JoinSet::new());
        while let Some(ended) = asked.join_next().await {
            let Ok((agency, client, mut conversation, answer)) = ended else { continue };
            match self.settle(&mut round, &agency, answer).await {
                true => {
                    let (log, size) = (round.log.clone(), round.checkpoint.size());
                    showing.spawn(async move {
                        let shown = conversation.show(client, &log, &agency, size);
                        let shown = timeout_at(deadline, shown).await;
                        (agency, conversation, shown.unwrap_or(Ok(())))
                    });
                }
                false => {
                    complete = false;
                    conversations.insert(agency, conversation);
                }
            }
        }
        self.publish(&mut round).await;
        while let Some(ended) = showing.join_next().await {
            let Ok((agency, conversation, shown)) = ended else { continue };
            if let Err(problem) = shown {
                complete = false;
                tracing::warn!(%agency, %problem, "a witness was not shown its entries");
            }
            conversations.insert(agency, conversation);
        }
        complete
    }

    /// Takes in what a witness answered; says whether it cosigned.
    async fn settle(
        &self,
        round: &mut Round<'_>,
        agency: &AgencyId,
        answer: Result<NoteSignature, Failure>,
    ) -> bool {
        let problem = match answer {
            Ok(line) => {
                round.checkpoint.add(line);
                let cosigners = round.quorum.cosigners(&round.checkpoint);
                if cosigners.iter().any(|(id, _)| *id == agency) {
                    None
                } else {
                    Some("its cosignature does not verify with its key in the manifest".to_owned())
                }
            }
            Err(Failure::Problem(problem)) => Some(problem),
            Err(Failure::KnowsMore { known, size }) => {
                self.lock_board().rolled_back = true;
                Some(format!(
                    "it cosigned {known} entries, and this log has {size}: the log was restored from an \
                     old copy. Stop the gateway and restore the newest copy (RUNBOOK)"
                ))
            }
        };
        let well = problem.is_none();
        let before = match problem.clone() {
            None => self.lock_board().problems.remove(agency),
            Some(problem) => self.lock_board().problems.insert(agency.clone(), problem),
        };
        if let Some(problem) = problem.filter(|problem| before.as_ref() != Some(problem)) {
            tracing::warn!(%agency, %problem, "a witness did not cosign");
        }
        if well && round.published == 0 {
            self.publish(round).await;
        }
        well
    }

    /// Publishes the round's checkpoint, where the quorum has cosigned it: once when it has, and once
    /// with all cosignatures.
    async fn publish(&self, round: &mut Round<'_>) {
        let cosigners = round.quorum.cosigners(&round.checkpoint).len();
        let Ok(cosigned) = round.quorum.verify(round.checkpoint.clone()) else { return };
        if cosigners == round.published {
            return;
        }
        round.published = cosigners;
        let (file, bytes) = (self.file.clone(), cosigned.checkpoint().to_string());
        let write = move || replace(&LocalDisk, &file, bytes.as_bytes());
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return tracing::error!(%error, "no cosigned checkpoint is kept"),
            Err(_) => return tracing::error!("writing the cosigned checkpoint panicked"),
        }
        self.lock_board().behind_since = None;
        self.cosigned.send_replace(Some(Arc::new(cosigned)));
    }

    fn lock_board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().expect("nobody panics while writing to the board")
    }
}

/// One checkpoint and its cosignatures as they come.
struct Round<'a> {
    log: &'a AccessLog,
    quorum: &'a Quorum,
    checkpoint: Checkpoint,
    /// How many cosignatures the published one has.
    published: usize,
}

impl Board {
    /// Whether the quorum keeps up with the log.
    pub fn is_well(&self) -> bool {
        !self.rolled_back && self.behind_since.is_none_or(|since| since.elapsed() < GRACE)
    }
}
