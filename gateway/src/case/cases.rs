//! Cases and their events, on disk (SQL through sqlx).
//!
//! The SQL is plain, so that another engine can take SQLite's place. Takes only changes that the access
//! log has. What may happen to a case is `lifecycle`'s business, showing cases `case_list`'s, work
//! orders `orders`'.

use futures::future::BoxFuture;
use jiff::Timestamp;
use proto::{
    alert_id::AlertId,
    case_event::{CaseEvent, Urgency},
    entry::Actor,
    subject::Subject,
};
use sqlx::{Row, Sqlite, SqlitePool, Transaction, sqlite::SqliteRow};

use super::{
    case_acts::{Change, Changes},
    case_list::tier_number,
    lifecycle::{Case, Stage},
    notices, orders,
};
use crate::{
    alerts::AlertsError,
    audit::logged::Logged,
    notify::{
        notice::Notice,
        outbox::{self, OutboxError},
    },
};

/// The tables. Times are whole seconds since 1970.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE cases (
        alert TEXT PRIMARY KEY,
        stage INTEGER NOT NULL,
        tier INTEGER NOT NULL,
        region TEXT NOT NULL,
        officer TEXT NOT NULL,
        urgency INTEGER NOT NULL,
        changed_at BIGINT NOT NULL,
        due_at BIGINT,
        wake_at BIGINT,
        content TEXT NOT NULL);
    CREATE INDEX cases_wake ON cases (wake_at);
    CREATE TABLE case_event (
        alert TEXT NOT NULL,
        number BIGINT NOT NULL,
        at BIGINT NOT NULL,
        actor TEXT NOT NULL,
        event TEXT NOT NULL,
        PRIMARY KEY (alert, number));
    CREATE TABLE work_order (
        dataset TEXT NOT NULL,
        number BIGINT NOT NULL,
        agency TEXT NOT NULL,
        urgency INTEGER NOT NULL,
        subject TEXT NOT NULL,
        alert TEXT NOT NULL,
        PRIMARY KEY (dataset, number));
    CREATE TABLE desk (
        revision BIGINT NOT NULL,
        entries BIGINT NOT NULL);
    INSERT INTO desk (revision, entries) VALUES (0, 0);";

/// The store.
#[derive(Clone)]
pub struct Cases(pub(super) SqlitePool);

/// How far the desk has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Alerts up to this revision were looked at.
    pub revision: u64,
    /// The entries before this index that tell of cases came about.
    pub entries: u64,
}

/// A case in which nothing happens now.
pub struct Resting {
    /// Which.
    pub alert: AlertId,
    /// When it is looked at again.
    pub wake_at: Option<Timestamp>,
    /// What those concerned are reminded of.
    pub due_soon: Option<Notice>,
}

/// What must be written in the same transaction as an event, or not at all.
pub trait Alongside: Send + Sync {
    /// Writes it.
    fn write<'a>(
        &'a self,
        transaction: &'a mut Transaction<'_, Sqlite>,
    ) -> BoxFuture<'a, sqlx::Result<()>>;
}

pub(super) type Result<T> = std::result::Result<T, AlertsError>;

impl Cases {
    /// The file, for what commits together with cases.
    pub fn database(&self) -> &SqlitePool {
        &self.0
    }

    /// In the file that [`crate::database::open`] opened.
    pub fn new(database: SqlitePool) -> Self {
        Self(database)
    }

    /// How far the desk has come.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn position(&self) -> Result<Position> {
        let row = sqlx::query("SELECT revision, entries FROM desk").fetch_one(&self.0).await?;
        let number = |column: &str| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
        Ok(Position { revision: number("revision")?, entries: number("entries")? })
    }

    /// One case.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn get(&self, alert: &AlertId) -> Result<Option<Case>> {
        let row = sqlx::query("SELECT content FROM cases WHERE alert = $1").bind(alert.as_str());
        row.fetch_optional(&self.0).await?.as_ref().map(case).transpose()
    }

    /// Writes cases that change, all or none, and how far the desk has come with it.
    ///
    /// # Errors
    /// [`AlertsError`]; then nothing is written.
    pub async fn write(
        &self,
        changes: &Logged<Changes>,
        (by, at): (&Actor, Timestamp),
        position: Position,
        alongside: Option<&dyn Alongside>,
    ) -> Result<()> {
        let mut transaction = self.0.begin().await?;
        for change in &changes.what().0 {
            put(&mut transaction, change, at).await?;
            for event in change.numbered() {
                put_event(&mut transaction, change, event, (by, at)).await?;
            }
            for notice in notices::of(change, at) {
                put_notice(&mut transaction, &notice).await?;
            }
        }
        if let Some(alongside) = alongside {
            alongside.write(&mut transaction).await?;
        }
        put_position(&mut transaction, position).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Writes how far the desk has come, and when cases are looked at again in which nothing happened
    /// but that something is due before long.
    ///
    /// # Errors
    /// [`AlertsError`]; then nothing is written.
    pub async fn rest(&self, cases: &[Resting], position: Position) -> Result<()> {
        let mut transaction = self.0.begin().await?;
        for Resting { alert, wake_at, due_soon } in cases {
            sqlx::query("UPDATE cases SET wake_at = $1 WHERE alert = $2")
                .bind(wake_at.map(Timestamp::as_second))
                .bind(alert.as_str())
                .execute(&mut *transaction)
                .await?;
            if let Some(notice) = due_soon {
                put_notice(&mut transaction, notice).await?;
            }
        }
        put_position(&mut transaction, position).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Cases that are to be looked at again by now.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<AlertId>> {
        let rows =
            sqlx::query("SELECT alert FROM cases WHERE wake_at <= $1 ORDER BY wake_at LIMIT $2");
        let rows = rows.bind(now.as_second()).bind(i64::from(limit)).fetch_all(&self.0).await?;
        rows.iter().map(alert).collect()
    }

    /// When the next case is.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn next_wake(&self) -> Result<Option<Timestamp>> {
        let row = sqlx::query("SELECT MIN(wake_at) AS at FROM cases").fetch_one(&self.0).await?;
        let at: Option<i64> = row.try_get("at")?;
        at.map(|at| Timestamp::from_second(at).map_err(|_| AlertsError::Foreign)).transpose()
    }

    /// The person's cases.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn of(&self, subject: &Subject) -> Result<Vec<(AlertId, String, Case)>> {
        let rows = sqlx::query(
            "SELECT c.alert, c.content, a.rule FROM cases c JOIN alert a ON a.id = c.alert
             WHERE a.subject = $1 ORDER BY a.raised_at, c.alert",
        );
        let rows = rows.bind(subject.to_string()).fetch_all(&self.0).await?;
        rows.iter().map(|row| Ok((alert(row)?, row.try_get("rule")?, case(row)?))).collect()
    }
}

async fn put(
    transaction: &mut Transaction<'_, Sqlite>,
    change: &Change,
    at: Timestamp,
) -> Result<()> {
    let case = &change.case;
    let papers = case.relief.as_ref().and_then(|relief| relief.papers_due_at);
    sqlx::query("DELETE FROM cases WHERE alert = $1")
        .bind(change.alert.as_str())
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "INSERT INTO cases (alert, stage, tier, region, officer, urgency, changed_at, due_at,
         wake_at, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(change.alert.as_str())
    .bind(stage_number(case.stage))
    .bind(tier_number(case.tier))
    .bind(case.region.as_str())
    .bind(case.officer.as_ref().map_or("", |officer| officer.as_str()))
    .bind(number_of(case.open_orders().map(|order| order.urgency).max()))
    .bind(at.as_second())
    .bind(case.due_at.into_iter().chain(papers).min().map(Timestamp::as_second))
    .bind(change.wake_at.map(Timestamp::as_second))
    .bind(serde_json::to_string(case).expect("a case is plain data"))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn put_event(
    transaction: &mut Transaction<'_, Sqlite>,
    Change { alert, case, .. }: &Change,
    (number, event): (u64, &CaseEvent),
    (by, at): (&Actor, Timestamp),
) -> Result<()> {
    sqlx::query(
        "INSERT INTO case_event (alert, number, at, actor, event) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(alert.as_str())
    .bind(number.cast_signed())
    .bind(at.as_second())
    .bind(serde_json::to_string(by).expect("an actor is plain data"))
    .bind(serde_json::to_string(event).expect("an event is plain data"))
    .execute(&mut **transaction)
    .await?;
    orders::follow(transaction, (alert, case), event, at).await
}

async fn put_notice(transaction: &mut Transaction<'_, Sqlite>, notice: &Notice) -> Result<()> {
    outbox::put(transaction, notice).await.map_err(|error| match error {
        OutboxError::Store(error) => AlertsError::Store(error),
        OutboxError::Foreign => AlertsError::Foreign,
    })
}

async fn put_position(transaction: &mut Transaction<'_, Sqlite>, position: Position) -> Result<()> {
    sqlx::query("UPDATE desk SET revision = $1, entries = $2")
        .bind(position.revision.cast_signed())
        .bind(position.entries.cast_signed())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The number of a stage in the store and on the wire.
pub(super) fn stage_number(stage: Stage) -> i32 {
    let place = Stage::ALL.iter().position(|it| *it == stage).expect("all are listed");
    i32::try_from(place + 1).expect("there are few")
}

/// Of none, of a routine one, of an urgent one, of an emergency.
pub(super) fn number_of(urgency: Option<Urgency>) -> i32 {
    match urgency {
        None => 0,
        Some(Urgency::Routine) => 1,
        Some(Urgency::Urgent) => 2,
        Some(Urgency::Emergency) => 3,
    }
}

fn alert(row: &SqliteRow) -> Result<AlertId> {
    row.try_get::<String, _>("alert")?.parse().map_err(|_| AlertsError::Foreign)
}

/// The case in a row with its content.
pub(super) fn case(row: &SqliteRow) -> Result<Case> {
    let content: String = row.try_get("content")?;
    serde_json::from_str(&content).map_err(|_| AlertsError::Foreign)
}
