//! Disclosures, on disk (SQL through sqlx): requests, signatures, and answers that nobody here can open.
//!
//! The SQL is plain, so that another engine can take SQLite's place. In which order something is logged and
//! written is decided by who calls.

use futures::future::BoxFuture;
use jiff::Timestamp;
use prost::Message;
use proto::{
    disclosure::Application, disclosure_request::DisclosureId, fault::Reason, name::AgencyId, wire,
};
use sqlx::{QueryBuilder, Row, Sqlite, SqlitePool, Transaction, sqlite::SqliteRow};

use super::stage::{Disclosure, Stage};
use crate::{alerts::AlertsError, case::cases::Alongside};

/// The table. Times are whole seconds since 1970; messages are hexadecimal.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE disclosure (
        id TEXT PRIMARY KEY,
        alert TEXT NOT NULL,
        region TEXT NOT NULL,
        officer TEXT NOT NULL,
        stage INTEGER NOT NULL,
        asked_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        papers TEXT NOT NULL,
        approvers TEXT NOT NULL,
        entry BIGINT,
        reason TEXT NOT NULL,
        answer TEXT NOT NULL,
        review_due_at BIGINT);
    CREATE INDEX disclosure_stage ON disclosure (stage, expires_at);";

/// How many must approve.
pub(crate) const APPROVERS: &str =
    "ALTER TABLE disclosure ADD COLUMN approvers_needed BIGINT NOT NULL DEFAULT 1";

/// A list has so many at most.
const LISTED: u32 = 1000;

type Result<T> = std::result::Result<T, AlertsError>;

/// The store.
#[derive(Clone)]
pub struct Disclosures(SqlitePool);

/// Whose disclosures are listed.
pub struct Asking<'a> {
    /// Those that this officer asked for.
    pub officer: &'a AgencyId,
    /// For an approver: those of regions with this prefix, too.
    pub region: Option<&'a str>,
}

impl Disclosures {
    /// Of this file.
    pub fn new(pool: SqlitePool) -> Self {
        Self(pool)
    }

    /// One disclosure.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn get(&self, id: &DisclosureId) -> Result<Option<Disclosure>> {
        let row = sqlx::query("SELECT * FROM disclosure WHERE id = $1").bind(id.to_string());
        row.fetch_optional(&self.0).await?.as_ref().map(disclosure).transpose()
    }

    /// Writes one, new or changed.
    ///
    /// # Errors
    /// [`AlertsError`]; then nothing is written.
    pub async fn put(&self, disclosure: &Disclosure) -> Result<()> {
        let mut transaction = self.0.begin().await?;
        put(&mut transaction, disclosure).await?;
        Ok(transaction.commit().await?)
    }

    /// Those that somebody may see: what waits for somebody first, then the newest.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn list(&self, asking: &Asking<'_>) -> Result<Vec<Disclosure>> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM disclosure WHERE officer = ");
        query.push_bind(asking.officer.as_str());
        if let Some(region) = asking.region {
            let length = i64::try_from(region.len()).expect("a region has 12 digits at most");
            query.push(" OR substr(region, 1, ").push_bind(length).push(") = ").push_bind(region);
        }
        query.push(" ORDER BY CASE WHEN stage = ").push_bind(Stage::Asked.number());
        query.push(" OR stage = ").push_bind(Stage::Answered.number());
        query.push(" OR review_due_at IS NOT NULL THEN 0 ELSE 1 END, asked_at DESC, id LIMIT ");
        query.push_bind(i64::from(LISTED));
        query.build().fetch_all(&self.0).await?.iter().map(disclosure).collect()
    }

    /// Every one in a stage, the oldest first.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn in_stage(&self, stage: Stage) -> Result<Vec<Disclosure>> {
        let rows = sqlx::query("SELECT * FROM disclosure WHERE stage = $1 ORDER BY asked_at, id");
        rows.bind(stage.number()).fetch_all(&self.0).await?.iter().map(disclosure).collect()
    }
}

impl Alongside for Disclosure {
    fn write<'a>(
        &'a self,
        transaction: &'a mut Transaction<'_, Sqlite>,
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        Box::pin(put(transaction, self))
    }
}

async fn put(
    transaction: &mut Transaction<'_, Sqlite>,
    disclosure: &Disclosure,
) -> sqlx::Result<()> {
    let request = disclosure.request();
    let papers = wire::DiscloseRequest::from(&disclosure.application).encode_to_vec();
    let approvers: Vec<&str> = disclosure.approvers.iter().map(AgencyId::as_str).collect();
    let answer = disclosure.answer.as_ref().map(|answer| hex::encode(answer.encode_to_vec()));
    sqlx::query("DELETE FROM disclosure WHERE id = $1")
        .bind(request.id.to_string())
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "INSERT INTO disclosure (id, alert, region, officer, stage, asked_at, expires_at,
         papers, approvers, entry, reason, answer, review_due_at, approvers_needed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(request.id.to_string())
    .bind(request.alert.as_str())
    .bind(&disclosure.region)
    .bind(request.officer.as_str())
    .bind(disclosure.stage.number())
    .bind(disclosure.asked_at.as_second())
    .bind(request.expires_at.as_second())
    .bind(hex::encode(papers))
    .bind(approvers.join(" "))
    .bind(disclosure.entry.map(u64::cast_signed))
    .bind(disclosure.reason.map_or("", Reason::as_str))
    .bind(answer.unwrap_or_default())
    .bind(disclosure.review_due_at.map(Timestamp::as_second))
    .bind(i64::from(disclosure.approvers_needed))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn disclosure(row: &SqliteRow) -> Result<Disclosure> {
    let parse = || {
        let number = |column: &str| row.try_get::<Option<i64>, _>(column).ok().flatten();
        let text = |column: &str| row.try_get::<String, _>(column).ok();
        let moment = |seconds: i64| Timestamp::from_second(seconds).ok();
        let bytes = |column: &str| text(column).and_then(|text| hex::decode(text).ok());
        let papers = wire::DiscloseRequest::decode(&bytes("papers")?[..]).ok()?;
        let answer = bytes("answer")?;
        let answer = (!answer.is_empty())
            .then(|| wire::DiscloseResponse::decode(&answer[..]).ok())
            .flatten();
        let approvers = text("approvers")?;
        let approvers = approvers.split_whitespace().map(|id| id.parse().ok());
        Some(Disclosure {
            application: Application::try_from(papers).ok()?,
            approvers: approvers.collect::<Option<_>>()?,
            region: text("region")?,
            stage: Stage::from_number(i32::try_from(number("stage")?).ok()?)?,
            asked_at: moment(number("asked_at")?)?,
            entry: number("entry").map(i64::cast_unsigned),
            reason: Reason::from_name(&text("reason")?),
            answer,
            review_due_at: number("review_due_at").and_then(moment),
            approvers_needed: u32::try_from(number("approvers_needed")?).ok()?,
        })
    };
    parse().ok_or(AlertsError::Foreign)
}
