//! Work orders on their way back, in the store until the hotline's adapter has them.
//!
//! Written in the transaction that returns the order; `carrying` brings them away.

use jiff::Timestamp;
use proto::{
    case_event::ReturnReason,
    name::{AgencyId, DatasetId},
};
use ring::{
    error::Unspecified,
    rand::{SecureRandom, SystemRandom},
};
use sqlx::{Row, Sqlite, SqlitePool, Transaction, sqlite::SqliteRow};

/// The table.
pub const SCHEMA: &str = "CREATE TABLE returned_order (
    id TEXT PRIMARY KEY,
    agency TEXT NOT NULL,
    dataset TEXT NOT NULL,
    number BIGINT NOT NULL,
    reason TEXT NOT NULL,
    returned_at BIGINT NOT NULL);";

/// How many go in one call.
const AT_A_TIME: i64 = 256;

/// A work order that was returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedOrder {
    /// Random: what the adapter knows it by says nothing of the case.
    pub id: [u8; 16],
    /// Whose hotline took it.
    pub agency: AgencyId,
    /// The watch dataset that it came with.
    pub dataset: DatasetId,
    /// Its number.
    pub number: u64,
    /// Why.
    pub reason: ReturnReason,
    /// When, to the second.
    pub at: Timestamp,
}

impl ReturnedOrder {
    /// A return under an id of its own.
    ///
    /// # Errors
    /// Where the system gives no random bytes.
    pub fn new(
        (agency, dataset): (AgencyId, DatasetId),
        number: u64,
        reason: ReturnReason,
        at: Timestamp,
    ) -> Result<Self, Unspecified> {
        let mut id = [0; 16];
        SystemRandom::new().fill(&mut id)?;
        Ok(Self { id, agency, dataset, number, reason, at })
    }
}

/// The store failed, or holds a row that we did not write.
#[derive(Debug, thiserror::Error)]
pub enum ReturnsError {
    /// The engine's words.
    #[error("the store of returned work orders: {0}")]
    Store(#[from] sqlx::Error),
    /// Not ours.
    #[error("the store holds a row that is no returned work order")]
    Foreign,
}

/// Has a work order go back, together with whatever else the transaction holds.
///
/// # Errors
/// [`ReturnsError`].
pub async fn put(
    transaction: &mut Transaction<'_, Sqlite>,
    order: &ReturnedOrder,
) -> Result<(), ReturnsError> {
    sqlx::query(
        "INSERT INTO returned_order (id, agency, dataset, number, reason, returned_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(hex::encode(order.id))
    .bind(order.agency.as_str())
    .bind(order.dataset.as_str())
    .bind(order.number.cast_signed())
    .bind(serde_json::to_string(&order.reason).expect("a code is a word"))
    .bind(order.at.as_second())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The hotlines that orders wait for.
///
/// # Errors
/// [`ReturnsError`].
pub async fn waiting(pool: &SqlitePool) -> Result<Vec<(AgencyId, DatasetId)>, ReturnsError> {
    let rows = sqlx::query("SELECT DISTINCT agency, dataset FROM returned_order");
    let hotline = |row: &SqliteRow| {
        let name = |column: &str| row.try_get::<String, _>(column);
        let dataset = name("dataset")?.parse().map_err(|_| ReturnsError::Foreign)?;
        Ok((name("agency")?.parse().map_err(|_| ReturnsError::Foreign)?, dataset))
    };
    rows.fetch_all(pool).await?.iter().map(hotline).collect()
}

/// Orders that wait for one hotline, the oldest first.
///
/// # Errors
/// [`ReturnsError`].
pub async fn of_hotline(
    pool: &SqlitePool,
    (agency, dataset): &(AgencyId, DatasetId),
) -> Result<Vec<ReturnedOrder>, ReturnsError> {
    let rows = sqlx::query(
        "SELECT * FROM returned_order WHERE agency = $1 AND dataset = $2
         ORDER BY returned_at, id LIMIT $3",
    );
    let rows = rows.bind(agency.as_str()).bind(dataset.as_str()).bind(AT_A_TIME);
    rows.fetch_all(pool).await?.iter().map(order).collect()
}

/// Forgets what its adapter has.
///
/// # Errors
/// [`ReturnsError`]: it will be brought again, which its adapter notices.
pub async fn delivered(pool: &SqlitePool, orders: &[ReturnedOrder]) -> Result<(), ReturnsError> {
    let mut transaction = pool.begin().await?;
    for order in orders {
        sqlx::query("DELETE FROM returned_order WHERE id = $1")
            .bind(hex::encode(order.id))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

fn order(row: &SqliteRow) -> Result<ReturnedOrder, ReturnsError> {
    let foreign = || ReturnsError::Foreign;
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| row.try_get::<i64, _>(column);
    let id = hex::decode(text("id")?).ok().and_then(|id| id.try_into().ok());
    Ok(ReturnedOrder {
        id: id.ok_or_else(foreign)?,
        agency: text("agency")?.parse().map_err(|_| foreign())?,
        dataset: text("dataset")?.parse().map_err(|_| foreign())?,
        number: number("number")?.cast_unsigned(),
        reason: serde_json::from_str(&text("reason")?).map_err(|_| foreign())?,
        at: Timestamp::from_second(number("returned_at")?).map_err(|_| foreign())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_return_waits_for_its_hotline_until_it_is_delivered() {
        let directory = tempfile::tempdir().expect("a directory");
        let pool = crate::database::open(&directory.path().join("store")).await.expect("opens");
        let hotline = |agency: &str| -> (AgencyId, DatasetId) {
            (agency.parse().expect("a name"), "work_order".parse().expect("a name"))
        };
        let returned = |agency: &str, number: u64| {
            let at = Timestamp::from_second(1_800_000_000).expect("a moment");
            let reason = ReturnReason::MovedAway;
            ReturnedOrder::new(hotline(agency), number, reason, at).expect("random bytes")
        };
        let orders = [returned("hotline", 12), returned("hotline", u64::MAX), returned("aid", 12)];
        let mut transaction = pool.begin().await.expect("begun");
        for order in &orders {
            put(&mut transaction, order).await.expect("put");
        }
        assert!(waiting(&pool).await.expect("read").is_empty(), "together with the rest, or not");
        transaction.commit().await.expect("committed");
        assert_eq!(waiting(&pool).await.expect("read").len(), 2);
        let mut of = of_hotline(&pool, &hotline("hotline")).await.expect("read");
        of.sort_by_key(|order| order.number);
        assert_eq!(of, orders[..2]);
        delivered(&pool, &of).await.expect("forgotten");
        assert_eq!(waiting(&pool).await.expect("read"), [hotline("aid")]);
    }
}
