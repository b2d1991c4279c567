//! What a report counts, read from alerts and the events of cases.

use jiff::Timestamp;
use proto::case_event::CaseEvent;
use sqlx::{Row, SqlitePool, sqlite::SqliteRow};

/// An alert that was raised in the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// Where.
    pub region: String,
    /// By which rule.
    pub rule: String,
    /// For which situation.
    pub situation: String,
}

/// An event that was recorded in the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Whose case.
    pub alert: String,
    /// By which rule the alert was raised.
    pub rule: String,
    /// Where the case is now.
    pub region: String,
    /// When the alert was raised.
    pub raised_at: Timestamp,
    /// When the event was recorded.
    pub at: Timestamp,
    /// The event.
    pub event: CaseEvent,
    /// Whether somebody had been there before.
    pub visited_before: bool,
}

/// The file does not answer, or holds what we did not write.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The engine's words.
    #[error("the store of statistics: {0}")]
    Store(#[from] sqlx::Error),
    /// A row that we did not write.
    #[error("the store of cases holds a row that is no event")]
    Foreign,
}

/// The alerts raised from a time until before another.
///
/// # Errors
/// [`RecordsError`].
pub async fn raised(
    pool: &SqlitePool,
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<Raised>, RecordsError> {
    let rows = sqlx::query(
        "SELECT region, rule, situation FROM alert WHERE raised_at >= $1 AND raised_at < $2",
    );
    let rows = rows.bind(from.as_second()).bind(until.as_second()).fetch_all(pool).await?;
    let raised = |row: &SqliteRow| Raised {
        region: row.get("region"),
        rule: row.get("rule"),
        situation: row.get("situation"),
    };
    Ok(rows.iter().map(raised).collect())
}

/// The events recorded from a time until before another, in their order in each case.
///
/// # Errors
/// [`RecordsError`].
pub async fn happened(
    pool: &SqlitePool,
    (from, until): (Timestamp, Timestamp),
) -> Result<Vec<Happened>, RecordsError> {
    let rows = sqlx::query(
        "SELECT e.alert, a.rule, a.raised_at, e.at, e.event,
                CASE WHEN c.region = '' THEN a.region ELSE c.region END AS region,
                EXISTS (SELECT 1 FROM case_event f WHERE f.alert = e.alert AND f.number < e.number
                        AND substr(f.event, 1, 10) = '{\"visited\"') AS visited_before
         FROM case_event e JOIN alert a ON a.id = e.alert JOIN cases c ON c.alert = e.alert
         WHERE e.at >= $1 AND e.at < $2 ORDER BY e.alert, e.number",
    );
    let rows = rows.bind(from.as_second()).bind(until.as_second()).fetch_all(pool).await?;
    rows.iter().map(event).collect()
}

fn event(row: &SqliteRow) -> Result<Happened, RecordsError> {
    let time =
        |column: &str| Timestamp::from_second(row.get(column)).map_err(|_| RecordsError::Foreign);
    Ok(Happened {
        alert: row.get("alert"),
        rule: row.get("rule"),
        region: row.get("region"),
        raised_at: time("raised_at")?,
        at: time("at")?,
        event: serde_json::from_str(row.get("event")).map_err(|_| RecordsError::Foreign)?,
        visited_before: row.get("visited_before"),
    })
}
