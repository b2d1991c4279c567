//! One dataset's stream: opened where we are, checked group by group, opened again when it ends.
//!
//! Nothing of a group takes effect before its trailer agrees. Connections are `link`'s business.

use std::sync::Arc;

use prost::Message;
use proto::{
    act::Act,
    cursor::Cursor,
    entry::Actor,
    fault,
    group::GroupError,
    group_fault::GroupFault,
    hex_bytes::HexBytes,
    name::AgencyId,
    schema::{DatasetKind, DatasetSchema},
    wire::{
        self, adapter_service_client::AdapterServiceClient, release_frame::Frame as ReleasePart,
        sync_frame::Frame as SyncPart,
    },
};
use tokio::task::spawn_blocking;
use tonic::{Status, transport::Channel};

use crate::{
    audit::recorder::Unrecorded,
    intake::Share,
    link::{Arrival, Backoff, Link},
    rows::{RowsError, Staging},
    sync::{Expectation, Refusal, RowGroup, SubjectGroup, VerifiedBatch, VerifiedRelease},
};

type Client = AdapterServiceClient<Channel>;

/// Why a stream ended.
enum End {
    /// We refused what came.
    Refused(Refusal),
    /// The adapter refused, or the connection broke.
    Status(Status),
    /// Our disk.
    Store(RowsError),
    /// What we held turned out to be damaged.
    Damaged,
    /// The access log was not written, so nothing was taken over.
    Unrecorded,
    /// The adapter ended the stream, as it does when it restarts.
    Closed,
    /// We are stopping.
    Stopping,
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<Unrecorded> for End {
    fn from(_: Unrecorded) -> Self {
        Self::Unrecorded
    }
}

impl From<RowsError> for End {
    fn from(error: RowsError) -> Self {
        Self::Store(error)
    }
}

/// A peer's refusal in words; its reason, where it is one of the protocol's.
pub fn words(status: &Status) -> String {
    match fault::reason_of(status) {
        Some(reason) => format!("the adapter refused ({reason}): {}", status.message()),
        None => format!("the connection failed: {} ({})", status.message(), status.code()),
    }
}

impl End {
    fn words(&self) -> String {
        match self {
            Self::Refused(refusal) => format!("refused: {refusal}"),
            Self::Status(status) => words(status),
            Self::Store(RowsError::Overtaken(_)) => "overtaken by another transfer".into(),
            // The engine's words are for the log; the stores' health says that it is our disk.
            Self::Store(_) | Self::Unrecorded => "our disk did not take it".into(),
            Self::Damaged => "our copy is damaged on the disk: it is asked for anew".into(),
            Self::Closed | Self::Stopping => "the adapter ended the stream".into(),
        }
    }

    /// Whether asking again from the same place would meet the same refusal.
    fn needs_snapshot(&self) -> bool {
        matches!(self, Self::Refused(Refusal::LargeDelta | Refusal::Gap { .. }))
    }
}

/// Follows a dataset for as long as the session lasts.
pub async fn dataset(link: Arc<Link>, mut client: Client, schema: DatasetSchema, generation: u64) {
    let (mut backoff, mut from_scratch) = (Backoff::default(), false);
    loop {
        let mut stream =
            Stream { link: &link, schema: &schema, generation, accepted: false, coming: None };
        let ended = match schema.kind {
            DatasetKind::Watch => stream.releases(&mut client, from_scratch).await,
            DatasetKind::CrossCheck => stream.rows(&mut client, from_scratch).await,
        };
        if stream.accepted {
            backoff = Backoff::default();
        }
        let end = ended.err().unwrap_or(End::Closed);
        if matches!(end, End::Stopping) {
            return;
        }
        if let (End::Refused(refusal), Some(coming)) = (&end, stream.coming) {
            stream.log_refused(refusal, coming).await;
        }
        from_scratch = end.needs_snapshot();
        report(&link, &schema, &end);
        backoff.wait().await;
    }
}

/// Puts the end of a stream on the board.
fn report(link: &Link, schema: &DatasetSchema, end: &End) {
    let problem = end.words();
    let (agency, dataset) = (&link.adapter.agency, &schema.dataset);
    tracing::warn!(%agency, %dataset, %problem, "transfer ended");
    if let End::Store(error @ (RowsError::Disk { .. } | RowsError::Damaged { .. })) = end {
        tracing::error!(%error, "the store of sealed rows failed");
        link.around.status.store("sealed rows", Err(error.to_string()));
    }
    link.around.status.dataset(dataset, |line| {
        line.problem = problem;
        line.arriving = None;
    });
}

/// One opened stream.
struct Stream<'a> {
    link: &'a Arc<Link>,
    schema: &'a DatasetSchema,
    generation: u64,
    /// Whether any group was accepted.
    accepted: bool,
    /// Where the group leads to that has begun and not been taken over.
    coming: Option<Cursor>,
}

impl Stream<'_> {
    fn expectation(&self, held: Option<Cursor>) -> Expectation<'_> {
        Expectation {
            scope: &self.link.around.manifest.scope,
            agency: &self.link.adapter.agency,
            schema: self.schema,
            held,
            now: self.link.around.clock.now(),
        }
    }

    async fn held(&self) -> Result<Option<Cursor>, End> {
        let (rows, schema) = (self.link.around.rows.clone(), self.schema.clone());
        Ok(on_disk(move || rows.held(&schema)).await?.map(|held| held.cursor))
    }

    async fn rows(&mut self, client: &mut Client, from_scratch: bool) -> Result<(), End> {
        let around = &self.link.around;
        // Before the question what is held: damage found from here on is not missed.
        let mut damages = around.rows.damages();
        let mut held = self.held().await?;
        let request = wire::SyncRequest {
            scope: Some((&around.manifest.scope).into()),
            dataset: self.schema.dataset.to_string(),
            after: held.filter(|_| !from_scratch).map(Into::into),
        };
        let mut frames = client.sync(request).await?.into_inner();
        let mut open: Option<(RowGroup, Option<Staging>, Share)> = None;
        loop {
            let frame = tokio::select! {
                frame = frames.message() => frame?,
                _ = damages.changed() => match self.held().await? {
                    None if held.is_some() => return Err(End::Damaged),
                    _ => continue,
                },
            };
            let Some(frame) = frame else { return Ok(()) };
            match (frame.frame, open.take()) {
                (Some(SyncPart::Header(header)), None) => {
                    self.coming = cursor(header.to.as_ref());
                    let group = RowGroup::begin(&self.expectation(held), header)?;
                    self.begins();
                    let staging = if group.is_snapshot() {
                        let (rows, schema) = (around.rows.clone(), self.schema.clone());
                        Some(on_disk(move || rows.stage(&schema)).await?)
                    } else {
                        None
                    };
                    open = Some((group, staging, Share::default()));
                }
                (Some(SyncPart::Rows(columns)), Some((mut group, mut staging, mut share))) => {
                    self.arrives(&columns.tags);
                    if !group.is_snapshot() {
                        self.link.door.admit(&mut share, columns.encoded_len()).await;
                    }
                    if let Some(columns) = group.rows(columns)? {
                        let mut target = staging.take().expect("a snapshot is staged");
                        let append = move || target.append(&columns).map(|()| target);
                        staging = Some(on_disk(append).await?);
                    }
                    open = Some((group, staging, share));
                }
                (Some(SyncPart::Trailer(trailer)), Some((group, staging, _share))) => {
                    let batch = group.end(&trailer)?;
                    held = Some(commit(self.link, self.schema, batch, staging).await?);
                    (self.accepted, self.coming) = (true, None);
                }
                _ => return Err(Refusal::Group(GroupError::WrongFrame).into()),
            }
        }
    }

    async fn releases(&mut self, client: &mut Client, from_scratch: bool) -> Result<(), End> {
        let around = &self.link.around;
        let dataset = &self.schema.dataset;
        let mut held = self.link.released(dataset, self.generation);
        let request = wire::ReleaseRequest {
            scope: Some((&around.manifest.scope).into()),
            dataset: dataset.to_string(),
            after: held.filter(|_| !from_scratch).map(Into::into),
        };
        let mut frames = client.release(request).await?.into_inner();
        let mut open: Option<(SubjectGroup, Share)> = None;
        while let Some(frame) = frames.message().await? {
            match (frame.frame, open.take()) {
                (Some(ReleasePart::Header(header)), None) => {
                    self.coming = cursor(header.to.as_ref());
                    let group = SubjectGroup::begin(&self.expectation(held), header)?;
                    self.begins();
                    open = Some((group, Share::default()));
                }
                (Some(ReleasePart::Subjects(columns)), Some((mut group, mut share))) => {
                    self.arrives(&columns.subjects);
                    let bytes = columns.encoded_len();
                    group.subjects(columns)?;
                    self.link.door.admit(&mut share, bytes).await;
                    open = Some((group, share));
                }
                (Some(ReleasePart::Trailer(trailer)), Some((group, share))) => {
                    held = Some(self.hand_over(group.end(&trailer)?, share).await?);
                    (self.accepted, self.coming) = (true, None);
                }
                _ => return Err(Refusal::Group(GroupError::WrongFrame).into()),
            }
        }
        Ok(())
    }

    /// Tells the log, and so the agency, whose adapter waits for an entry about what it sent.
    async fn log_refused(&self, refusal: &Refusal, to: Cursor) {
        let agency = self.link.adapter.agency.clone();
        let (dataset, epoch) = (self.schema.dataset.clone(), self.link.around.manifest.scope.epoch);
        let (log, version, fault) = (HexBytes(to.log), to.version, fault_of(refusal));
        let act = match self.schema.kind {
            DatasetKind::CrossCheck => {
                Act::SyncRefused { agency, dataset, epoch, log, version, fault }
            }
            DatasetKind::Watch => {
                Act::ReleaseRefused { agency, dataset, epoch, log, version, fault }
            }
        };
        if let Err(error) = self.link.around.recorder.record(&Actor::Gateway, act).await {
            tracing::error!(%error, "a refused group is not logged as refused");
        }
    }

    async fn hand_over(&self, release: VerifiedRelease, share: Share) -> Result<Cursor, End> {
        let header = release.header().clone();
        let (subjects, deleted) = release.counts();
        let used = Act::ReleaseUsed {
            agency: self.link.adapter.agency.clone(),
            dataset: header.dataset.clone(),
            epoch: self.link.around.manifest.scope.epoch,
            log: HexBytes(header.to.log),
            version: header.to.version,
            subjects,
            deleted,
        };
        self.link.around.recorder.record(&Actor::Gateway, used).await?;
        let arrival = Arrival::Release { release, generation: self.generation, share };
        self.link.queue(arrival).await.map_err(|_| End::Stopping)?;
        self.link.advance(&header.dataset, self.generation, header.to);
        self.link.around.status.dataset(&header.dataset, |line| {
            line.cursor = Some(header.to);
            line.problem.clear();
        });
        Ok(header.to)
    }

    /// Puts on the board that a group has begun, and nothing of it has come: what came of an earlier one that a
    /// connection did not outlive is sent again.
    fn begins(&self) {
        self.link.around.status.dataset(&self.schema.dataset, |line| line.arriving = Some(0));
    }

    /// Puts on the board that so many more have come: tags or pseudonyms of 16 bytes.
    fn arrives(&self, more: &[u8]) {
        self.link.around.status.dataset(&self.schema.dataset, |line| {
            *line.arriving.get_or_insert_default() += (more.len() / 16) as u64;
        });
    }
}

fn cursor(cursor: Option<&wire::Cursor>) -> Option<Cursor> {
    cursor.and_then(|cursor| Cursor::try_from(cursor.clone()).ok())
}

/// The log's word for it.
fn fault_of(refusal: &Refusal) -> GroupFault {
    match refusal {
        Refusal::Scope(_) => GroupFault::Scope,
        Refusal::Other { .. } => GroupFault::OtherDataset,
        Refusal::Header(_) => GroupFault::Header,
        Refusal::Gap { .. } => GroupFault::Gap,
        Refusal::Future(_) => GroupFault::Future,
        Refusal::LargeDelta | Refusal::LargeRelease => GroupFault::TooLarge,
        Refusal::RowSize { .. } => GroupFault::RowSize,
        Refusal::Flag(_) => GroupFault::Flag,
        Refusal::Group(_) => GroupFault::Columns,
    }
}

/// Logs, commits and tells the pipeline, in a task of its own: a session that ends meanwhile must not
/// leave rows committed that nobody was told of.
async fn commit(
    link: &Arc<Link>,
    schema: &DatasetSchema,
    batch: VerifiedBatch,
    staging: Option<Staging>,
) -> Result<Cursor, End> {
    let (link, around, schema) = (link.clone(), link.around.clone(), schema.clone());
    let agency = link.adapter.agency.clone();
    let committing = tokio::spawn(async move {
        let rows = around.rows.clone();
        let dataset = batch.header().dataset.clone();
        let accepted = accepted(agency, around.manifest.scope.epoch, &batch);
        let index = around.recorder.record(&Actor::Gateway, accepted).await?;
        let committed = on_disk(move || match staging {
            Some(staging) => staging.commit(&batch),
            None => rows.apply(&schema, &batch),
        });
        let committed = committed.await;
        if committed.is_err() {
            around.recorder.failed(index..index + 1).await;
        }
        let (held, changed) = committed?;
        around.status.store("sealed rows", Ok(()));
        around.status.dataset(&dataset, |line| {
            line.cursor = Some(held.cursor);
            line.as_of = Some(held.as_of);
            line.rows = held.rows;
            line.problem.clear();
            line.arriving = None;
        });
        let arrival = Arrival::Rows { dataset, changed };
        link.queue(arrival).await.map_err(|_| End::Stopping)?;
        Ok(held.cursor)
    });
    committing.await.unwrap_or(Err(End::Stopping))
}

fn accepted(agency: AgencyId, epoch: u32, batch: &VerifiedBatch) -> Act {
    let (header, (rows, deleted)) = (batch.header(), batch.counts());
    Act::SyncAccepted {
        agency,
        dataset: header.dataset.clone(),
        epoch,
        log: HexBytes(header.to.log),
        version: header.to.version,
        rows,
        deleted,
    }
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RowsError> + Send + 'static,
) -> Result<T, End> {
    match spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        // The runtime is shutting down.
        Err(_) => Err(End::Stopping),
    }
}
