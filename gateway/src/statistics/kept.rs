//! Statistics that were computed, kept as they were first shown: whoever asks again gets the same bytes.

use prost::Message;
use proto::wire::Statistics;
use sha2::{Digest, Sha256};
use sqlx::{Row, SqlitePool};

use super::records::RecordsError;

/// The table.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE statistics (
        kind TEXT NOT NULL,
        period TEXT NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (kind, period));";

/// Where they are kept.
#[derive(Clone)]
pub struct Kept(SqlitePool);

/// What is kept of one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of a day.
    Screening,
    /// Of a month.
    Report,
}

impl Kept {
    /// In this file.
    pub fn new(pool: SqlitePool) -> Self {
        Self(pool)
    }

    /// The file.
    pub fn pool(&self) -> &SqlitePool {
        &self.0
    }

    /// What was computed for a period, if it was.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn get(&self, kind: Kind, period: &str) -> Result<Option<Statistics>, RecordsError> {
        let row = sqlx::query("SELECT content FROM statistics WHERE kind = $1 AND period = $2")
            .bind(kind.word())
            .bind(period)
            .fetch_optional(&self.0)
            .await?;
        let content = row.map(|row| row.get::<Vec<u8>, _>(0));
        let content = content.map(|content| Statistics::decode(&content[..]));
        content.transpose().map_err(|_| RecordsError::Foreign)
    }

    /// Keeps what was computed, unless somebody did so before; gives what is kept.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn keep(
        &self,
        kind: Kind,
        computed: &Statistics,
    ) -> Result<Statistics, RecordsError> {
        sqlx::query(
            "INSERT INTO statistics (kind, period, content) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(kind.word())
        .bind(&computed.period)
        .bind(computed.encode_to_vec())
        .execute(&self.0)
        .await?;
        self.get(kind, &computed.period).await?.ok_or(RecordsError::Foreign)
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Screening => "screening",
            Self::Report => "report",
        }
    }
}

/// The SHA-256 of statistics as they are encoded.
pub fn digest(statistics: &Statistics) -> [u8; 32] {
    Sha256::digest(statistics.encode_to_vec()).into()
}
