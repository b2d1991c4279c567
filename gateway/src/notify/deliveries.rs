//! How notifications fare: waiting for their time, sent, or parked after the last attempt until somebody
//! has them tried again.
//!
//! An attempt is written down before it is made, with the time of the next one: a crash between sending
//! and marking costs a second sending under the same id, and never a notification.

use jiff::Timestamp;
use proto::name::TargetId;
use sqlx::{QueryBuilder, Row, Sqlite, SqlitePool, sqlite::SqliteRow};

use super::{
    backoff,
    channel::Problem,
    notice::NotificationId,
    outbox::{OutboxError, Result, id},
};

/// The store of notifications.
#[derive(Clone)]
pub struct Deliveries(SqlitePool);

/// Where a notification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It will be tried.
    Waiting,
    /// The other side has it.
    Sent,
    /// It was refused, or tried often enough.
    Parked,
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// To whom.
    pub target: TargetId,
    /// Where it is.
    pub state: State,
    /// How often it was tried since it was made or somebody had it tried again.
    pub attempts: u32,
    /// When it is tried next, where it waits.
    pub next_at: Timestamp,
    /// When it was made.
    pub made_at: Timestamp,
    /// What went wrong last; empty where nothing did.
    pub problem: String,
    /// Whose cases it is about.
    pub alerts: Vec<String>,
}

impl State {
    const ALL: [Self; 3] = [Self::Waiting, Self::Sent, Self::Parked];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Parked => "parked",
        }
    }
}

impl Deliveries {
    /// Of this file.
    pub fn new(pool: SqlitePool) -> Self {
        Self(pool)
    }

    /// The file.
    pub fn pool(&self) -> &SqlitePool {
        &self.0
    }

    /// What is to be sent to a target now, the longest due first.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub async fn due(&self, target: &TargetId, now: Timestamp) -> Result<Option<Notification>> {
        let row = sqlx::query(
            "SELECT * FROM notification WHERE target = $1 AND state = 'waiting' AND next_at <= $2
             ORDER BY next_at, id LIMIT 1",
        );
        let row = row.bind(target.as_str()).bind(now.as_second()).fetch_optional(&self.0).await?;
        row.as_ref().map(notification).transpose()
    }

    /// Writes down that an attempt is about to be made.
    ///
    /// # Errors
    /// [`OutboxError`]; then it must not be made.
    pub async fn begin(&self, id: NotificationId, attempt: u32, now: Timestamp) -> Result<()> {
        // After the last one nothing is due but parking it.
        let next = backoff::next(id, attempt, now).unwrap_or(now);
        sqlx::query(
            "UPDATE notification SET attempts = $2, next_at = $3, changed_at = $4 WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(i64::from(attempt))
        .bind(next.as_second())
        .bind(now.as_second())
        .execute(&self.0)
        .await?;
        Ok(())
    }

    /// The other side has it.
    ///
    /// # Errors
    /// [`OutboxError`]; then it is sent again.
    pub async fn sent(&self, id: NotificationId, now: Timestamp) -> Result<()> {
        self.mark(id, (State::Sent, None), now).await
    }

    /// It failed and waits for its next time, which is not before `not_before`.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub async fn failed(
        &self,
        id: NotificationId,
        problem: Problem,
        not_before: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE notification SET problem = $2,
             next_at = CASE WHEN next_at < $3 THEN $3 ELSE next_at END WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(problem.to_string())
        .bind(not_before.as_second())
        .execute(&self.0)
        .await?;
        Ok(())
    }

    /// It is tried no more; `problem` is why, where it is known.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub async fn park(
        &self,
        id: NotificationId,
        problem: Option<Problem>,
        now: Timestamp,
    ) -> Result<()> {
        self.mark(id, (State::Parked, problem), now).await
    }

    async fn mark(
        &self,
        id: NotificationId,
        (state, problem): (State, Option<Problem>),
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE notification SET state = $2, problem = COALESCE($3, problem), changed_at = $4
             WHERE id = $1",
        )
        .bind(id.to_string())
        .bind(state.word())
        .bind(problem.map(|problem| problem.to_string()))
        .bind(now.as_second())
        .execute(&self.0)
        .await?;
        Ok(())
    }

    /// Notifications in these states, the newest first.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub async fn list(&self, states: &[State], limit: u32) -> Result<Vec<Notification>> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM notification WHERE state IN (");
        let mut words = query.separated(", ");
        for state in states {
            words.push_bind(state.word());
        }
        query.push(") ORDER BY made_at DESC, id LIMIT ").push_bind(i64::from(limit));
        let rows = query.build().fetch_all(&self.0).await?;
        let mut found: Vec<Notification> = rows.iter().map(notification).collect::<Result<_>>()?;
        for notification in &mut found {
            let alerts = sqlx::query(
                "SELECT DISTINCT alert FROM addressed WHERE notification = $1 ORDER BY alert",
            );
            let alerts = alerts.bind(notification.id.to_string()).fetch_all(&self.0).await?;
            notification.alerts = alerts.iter().map(|row| row.get(0)).collect();
        }
        Ok(found)
    }

    /// Which of these notifications are parked; all that are, where none is named.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub async fn parked(&self, of: &[NotificationId]) -> Result<Vec<NotificationId>> {
        let rows = sqlx::query("SELECT id FROM notification WHERE state = 'parked' ORDER BY id");
        let rows = rows.fetch_all(&self.0).await?;
        let parked = rows.iter().map(|row| id(&row.get::<String, _>(0)));
        let parked: Vec<NotificationId> = parked.collect::<Result<_>>()?;
        Ok(parked.into_iter().filter(|id| of.is_empty() || of.contains(id)).collect())
    }

    /// Has parked notifications tried again from now on, as if they were new.
    ///
    /// # Errors
    /// [`OutboxError`]; then none is.
    pub async fn retry(&self, parked: &[NotificationId], now: Timestamp) -> Result<()> {
        let mut transaction = self.0.begin().await?;
        for id in parked {
            sqlx::query(
                "UPDATE notification SET state = 'waiting', attempts = 0, next_at = $2, changed_at = $2
                 WHERE id = $1 AND state = 'parked'",
            )
            .bind(id.to_string())
            .bind(now.as_second())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// How many notifications are in each state.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub async fn count(&self) -> Result<Vec<(State, u64)>> {
        let rows = sqlx::query("SELECT state, COUNT(*) FROM notification GROUP BY state");
        let rows = rows.fetch_all(&self.0).await?;
        let count = |state: State| {
            let row = rows.iter().find(|row| row.get::<&str, _>(0) == state.word());
            (state, row.map_or(0, |row| row.get::<i64, _>(1).cast_unsigned()))
        };
        Ok(State::ALL.map(count).to_vec())
    }
}

fn notification(row: &SqliteRow) -> Result<Notification> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| row.try_get::<i64, _>(column);
    let time =
        |column: &str| Timestamp::from_second(number(column)?).map_err(|_| OutboxError::Foreign);
    let word = text("state")?;
    let state = State::ALL.into_iter().find(|state| state.word() == word);
    Ok(Notification {
        id: id(&text("id")?)?,
        target: text("target")?.parse().map_err(|_| OutboxError::Foreign)?,
        state: state.ok_or(OutboxError::Foreign)?,
        attempts: u32::try_from(number("attempts")?).map_err(|_| OutboxError::Foreign)?,
        next_at: time("next_at")?,
        made_at: time("made_at")?,
        problem: text("problem")?,
        alerts: vec![],
    })
}
