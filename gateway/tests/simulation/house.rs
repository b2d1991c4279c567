//! The gateway without its doors: real stores on a disk, the real log, the real pipeline and real
//! groups, under a clock that is turned by hand. It can be left at any moment, as a crash does.

use std::{path::Path, sync::Arc};

use gateway::{
    alert::Alert,
    alerts::Alerts,
    audit::recorder::Recorder,
    clock::Clock,
    filling::{Filling, Supply},
    intake::Share,
    link::Arrival,
    pipeline::{Order, Pipeline},
    policy_in_force::PolicyInForce,
    question::Question,
    rows::{Changed, Rows, Staging},
    status::StatusBoard,
    sync::{Expectation, Refusal, RowGroup, SubjectGroup, VerifiedBatch, VerifiedRelease},
};
use jiff::Timestamp;
use proto::{cursor::Cursor, entry::Actor, group::GroupCheck, household::Household, wire};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{Line, People, Variant};
use crate::{
    access_log::recorder,
    fixture::{agency, cursor, register, release_header, rows, schema, scope, secret, sync_header},
};

/// A running one.
pub struct House {
    policy: Arc<PolicyInForce>,
    pub alerts: Alerts,
    pub recorder: Recorder,
    pub rows: Rows,
    clock: watch::Sender<Timestamp>,
    arrivals: mpsc::Sender<Arrival>,
    _questions: mpsc::Sender<Question>,
    orders: mpsc::Sender<Order>,
    running: JoinHandle<()>,
}

/// From which version to which, and with what in it.
pub struct Sent<'a> {
    pub from: Option<u32>,
    pub to: u32,
    pub people: &'a People,
}

impl House {
    pub async fn open(directory: &Path, now: Timestamp) -> Self {
        let policy = PolicyInForce::read(&directory.join("policy.toml"), &scope().programme);
        let policy = Arc::new(policy.expect("good"));
        let rows = Rows::open(&directory.join("rows"), &scope()).expect("opens");
        let alerts = gateway::database::open(&directory.join("alerts.sqlite")).await;
        let alerts = Alerts::new(alerts.expect("opens"));
        let (clock, shown) = Clock::manual(now);
        let (arrivals, arriving) = mpsc::channel(1);
        let supply = Supply {
            scope: scope(),
            rows: rows.clone(),
            status: Arc::new(StatusBoard::default()),
            policy: policy.clone(),
            clock: shown,
            arrivals: arriving,
            routing: Arc::default(),
        };
        let filling = Filling::new(supply).expect("the store answers");
        let recorder = recorder(directory);
        let pipeline = Pipeline::new(filling, alerts.clone(), recorder.clone()).await;
        let (_questions, asked) = mpsc::channel(1);
        let (orders, ordered) = mpsc::channel(1);
        let running = tokio::spawn(pipeline.expect("starts").run(asked, ordered));
        let house =
            Self { policy, alerts, recorder, rows, clock, arrivals, _questions, orders, running };
        house.settle().await;
        house
    }

    /// Leaves everything as it lies.
    pub async fn crash(self) {
        self.running.abort();
        // Whatever it was told is no more.
        let _ = self.running.await;
        // The lock on the log's files is the process's, which here goes on.
        self.recorder.log().close().await;
    }

    pub fn turn_clock(&self, now: Timestamp) {
        self.clock.send_replace(now);
    }

    /// Has the rules run and waits until that, and all before it, is done.
    pub async fn settle(&self) {
        let (dataset, changed) = ("cars".parse().expect("a name"), Changed::Tags(vec![]));
        self.arrive(Arrival::Rows { dataset, changed }).await;
    }

    async fn arrive(&self, arrival: Arrival) {
        self.arrivals.send(arrival).await.expect("it runs");
        while self.arrivals.capacity() == 0 {
            tokio::task::yield_now().await;
        }
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order::Inquire(answer)).await.expect("it runs");
        answered.await.expect("it runs");
    }

    pub async fn edit(&self, directory: &Path, variant: Variant) {
        std::fs::write(directory.join("policy.toml"), variant.text()).expect("written");
        self.policy.reload(&self.recorder, &Actor::Gateway).await.expect("good");
        self.settle().await;
    }

    /// A group of a line as it is sent; `torn` loses a row on the way.
    pub fn receive(
        &self,
        line: Line,
        sent: &Sent<'_>,
        (held, torn): (Option<u32>, bool),
    ) -> Result<(VerifiedBatch, wire::SealedRowColumns), Refusal> {
        let now = *self.clock.borrow();
        let people: Vec<_> = sent
            .people
            .iter()
            .map(|(person, row)| (*person, row.map(|row| line.row(row))))
            .collect();
        let columns = rows(line.id(), &people);
        let (schema, scope, agency) = (schema(line.id()), scope(), agency(line.id()));
        let mut check = GroupCheck::default();
        check.rows(&columns, schema.row_size()).expect("good");
        let as_of = Some(prost_types::Timestamp { seconds: now.as_second(), nanos: 0 });
        let header = wire::SyncHeader { as_of, ..sync_header(line.id(), sent.from, sent.to) };
        let held = held.map(cursor);
        let expected = Expectation { scope: &scope, agency: &agency, schema: &schema, held, now };
        let mut group = RowGroup::begin(&expected, header)?;
        group.rows(columns.clone())?;
        let mut trailer = check.trailer();
        if torn {
            trailer.upserted += 1;
        }
        Ok((group.end(&trailer)?, columns))
    }

    /// Takes a group over in the store; nobody is told.
    pub fn commit(
        &self,
        line: Line,
        batch: &VerifiedBatch,
        columns: &wire::SealedRowColumns,
    ) -> Changed {
        let committed = match batch.header().snapshot {
            true => self.stage(line, columns).commit(batch),
            false => self.rows.apply(&schema(line.id()), batch),
        };
        committed.expect("committed").1
    }

    /// Writes a snapshot where nobody looks yet.
    pub fn stage(&self, line: Line, columns: &wire::SealedRowColumns) -> Staging {
        let mut staging = self.rows.stage(&schema(line.id())).expect("staged");
        staging.append(columns).expect("taken");
        staging
    }

    pub async fn tell(&self, line: Line, changed: Changed) {
        let dataset = line.id().parse().expect("a name");
        self.arrive(Arrival::Rows { dataset, changed }).await;
    }

    /// The watch agency's group.
    pub async fn release(&self, sent: &Sent<'_>, held: Option<u32>, secrets: &[&str]) {
        let release = self.released(sent, held, secrets).expect("good");
        let generation = self.policy.generation();
        self.arrive(Arrival::Release { release, generation, share: Share::default() }).await;
    }

    fn released(
        &self,
        sent: &Sent<'_>,
        held: Option<u32>,
        secrets: &[&str],
    ) -> Result<VerifiedRelease, Refusal> {
        let now = *self.clock.borrow();
        let mut columns = wire::SubjectColumns::default();
        for (&person, paid) in sent.people {
            match paid {
                Some(paid) => {
                    columns.subjects.extend([person; 16]);
                    columns.residences.push(320_104_002_003);
                    columns.registrations.push(0);
                    columns.order_counts.push(0);
                    columns.flags.push(*paid);
                    secrets.iter().for_each(|_| columns.secrets.extend(secret(person).expose()));
                }
                None => columns.deleted_subjects.extend([person; 16]),
            }
        }
        let mut check = GroupCheck::default();
        check.subjects(&columns, 1, secrets.len()).expect("good");
        let as_of = Some(prost_types::Timestamp { seconds: now.as_second(), nanos: 0 });
        let header = wire::ReleaseHeader { as_of, ..release_header(sent.from, sent.to, secrets) };
        let (schema, scope, agency) = (schema("ill"), scope(), agency("ill"));
        let held = held.map(cursor);
        let expected = Expectation { scope: &scope, agency: &agency, schema: &schema, held, now };
        let mut group = SubjectGroup::begin(&expected, header)?;
        group.subjects(columns)?;
        group.end(&check.trailer())
    }

    pub async fn latest(&self) -> Vec<Alert> {
        self.alerts.latest(1).await.expect("read")
    }

    /// Cursor and number of rows of a line.
    pub fn held(&self, line: Line) -> Option<(Cursor, u64)> {
        let held = self.rows.held(&schema(line.id())).expect("read");
        held.map(|held| (held.cursor, held.rows))
    }
}

impl Line {
    fn row(self, value: u8) -> Vec<u8> {
        match self {
            Self::Register => register(value, &Household::default()),
            Self::Cars => vec![value],
        }
    }
}
