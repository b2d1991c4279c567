//! The outbox: notices as they were caused, and what they became for each target.
//!
//! A notice is put here in the transaction that causes it, so that neither is without the other. Then it
//! is addressed: every target that wants it gets a notification with it, at once or, for a digest, when
//! the target's period is over. How notifications fare is `deliveries`' business.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::{Row, Sqlite, SqlitePool, Transaction, sqlite::SqliteRow};

use super::{
    notice::{Kind, Notice, NotificationId, notification_id},
    target::Wish,
};
use proto::{case_event::Tier, hex_bytes::HexBytes};

/// The tables.
pub const SCHEMA: &str = "
    CREATE TABLE notice (
        alert TEXT NOT NULL,
        event BIGINT NOT NULL,
        kind TEXT NOT NULL,
        tier TEXT NOT NULL,
        region TEXT NOT NULL,
        due_at BIGINT,
        made_at BIGINT NOT NULL,
        addressed INTEGER NOT NULL,
        PRIMARY KEY (alert, event, kind));
    CREATE INDEX notice_addressed ON notice (addressed);
    CREATE TABLE notification (
        id TEXT PRIMARY KEY,
        target TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        next_at BIGINT NOT NULL,
        made_at BIGINT NOT NULL,
        changed_at BIGINT NOT NULL,
        problem TEXT NOT NULL);
    CREATE INDEX notification_next ON notification (state, target, next_at);
    CREATE TABLE addressed (
        target TEXT NOT NULL,
        alert TEXT NOT NULL,
        event BIGINT NOT NULL,
        kind TEXT NOT NULL,
        notification TEXT,
        PRIMARY KEY (target, alert, event, kind));
    CREATE INDEX addressed_notification ON addressed (notification);
    CREATE INDEX addressed_target ON addressed (target, notification)";

/// What [`prune`] looks things up by.
pub const PRUNING_SCHEMA: &str = "
    CREATE INDEX notification_changed ON notification (state, changed_at);
    CREATE INDEX notice_made ON notice (made_at);
    CREATE INDEX addressed_notice ON addressed (alert, event, kind)";

/// How many notices are addressed at once.
const BATCH: i64 = 200;
/// How many notices a digest has at most; more wait for the next one.
pub const DIGEST: i64 = 200;
/// How long what was sent is kept: somebody may ask what they were told.
pub const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The disk is full or failing, or the file was changed by something else.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The engine's words.
    #[error("the outbox: {0}")]
    Store(#[from] sqlx::Error),
    /// A row that we did not write.
    #[error("the outbox holds a row that is no notice")]
    Foreign,
}

pub(super) type Result<T> = std::result::Result<T, OutboxError>;

/// Puts a notice into the outbox, in the transaction of what causes it. The same one again is the same.
///
/// # Errors
/// [`OutboxError`].
pub async fn put(transaction: &mut Transaction<'_, Sqlite>, notice: &Notice) -> Result<()> {
    sqlx::query(
        "INSERT INTO notice (alert, event, kind, tier, region, due_at, made_at, addressed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT DO NOTHING",
    )
    .bind(notice.alert.as_str())
    .bind(notice.event.cast_signed())
    .bind(notice.kind.word())
    .bind(tier_word(notice.tier))
    .bind(notice.region.as_str())
    .bind(notice.due_at.map(Timestamp::as_second))
    .bind(notice.made_at.as_second())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Gives the notices that were put since the last time to the targets that want them, oldest first.
/// Tells how many there were.
///
/// # Errors
/// [`OutboxError`]; then none was given to anybody.
pub async fn address(pool: &SqlitePool, wishes: &[&Wish], now: Timestamp) -> Result<usize> {
    let mut transaction = pool.begin().await?;
    let rows = sqlx::query(
        "SELECT * FROM notice WHERE addressed = 0 ORDER BY made_at, alert, event, kind LIMIT $1",
    );
    let notices = rows.bind(BATCH).fetch_all(&mut *transaction).await?;
    let notices: Vec<Notice> = notices.iter().map(notice).collect::<Result<_>>()?;
    for notice in &notices {
        for wish in wishes.iter().filter(|wish| wish.wants(notice)) {
            let target = wish.target.as_str();
            let own = match wish.digest {
                Some(_) => None,
                None => {
                    let id = notification_id(target, [notice]);
                    make(&mut transaction, (id, target), now).await?;
                    Some(id)
                }
            };
            sqlx::query(
                "INSERT INTO addressed (target, alert, event, kind, notification)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            )
            .bind(target)
            .bind(notice.alert.as_str())
            .bind(notice.event.cast_signed())
            .bind(notice.kind.word())
            .bind(own.map(|id| id.to_string()))
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query(
            "UPDATE notice SET addressed = 1 WHERE alert = $1 AND event = $2 AND kind = $3",
        )
        .bind(notice.alert.as_str())
        .bind(notice.event.cast_signed())
        .bind(notice.kind.word())
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(notices.len())
}

/// Makes a digest of what waits for a target, unless the one before is younger than the period.
///
/// # Errors
/// [`OutboxError`]; then there is none.
pub async fn gather(
    pool: &SqlitePool,
    target: &str,
    period: Duration,
    now: Timestamp,
) -> Result<()> {
    let mut transaction = pool.begin().await?;
    let last = sqlx::query("SELECT MAX(made_at) FROM notification WHERE target = $1").bind(target);
    let last: Option<i64> = last.fetch_one(&mut *transaction).await?.get(0);
    let period = i64::try_from(period.as_secs()).unwrap_or(i64::MAX);
    if last.is_some_and(|last| now.as_second() < last.saturating_add(period)) {
        return Ok(());
    }
    let rows = sqlx::query(
        "SELECT n.* FROM notice n JOIN addressed a
         ON a.alert = n.alert AND a.event = n.event AND a.kind = n.kind
         WHERE a.target = $1 AND a.notification IS NULL
         ORDER BY n.made_at, n.alert, n.event, n.kind LIMIT $2",
    );
    let waiting = rows.bind(target).bind(DIGEST).fetch_all(&mut *transaction).await?;
    let waiting: Vec<Notice> = waiting.iter().map(notice).collect::<Result<_>>()?;
    if waiting.is_empty() {
        return Ok(());
    }
    let id = notification_id(target, &waiting);
    make(&mut transaction, (id, target), now).await?;
    for notice in &waiting {
        sqlx::query(
            "UPDATE addressed SET notification = $1
             WHERE target = $2 AND alert = $3 AND event = $4 AND kind = $5",
        )
        .bind(id.to_string())
        .bind(target)
        .bind(notice.alert.as_str())
        .bind(notice.event.cast_signed())
        .bind(notice.kind.word())
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The notices in a notification.
///
/// # Errors
/// [`OutboxError`].
pub async fn notices(pool: &SqlitePool, id: NotificationId) -> Result<Vec<Notice>> {
    let rows = sqlx::query(
        "SELECT n.* FROM notice n JOIN addressed a
         ON a.alert = n.alert AND a.event = n.event AND a.kind = n.kind
         WHERE a.notification = $1 ORDER BY n.made_at, n.alert, n.event, n.kind",
    );
    rows.bind(id.to_string()).fetch_all(pool).await?.iter().map(notice).collect()
}

/// Forgets notifications that were sent [`KEPT`] ago or earlier, the oldest first, and notices as old that
/// are in none any more. Tells how many notifications there were: one batch at the most.
///
/// A notice stays while what it tells of is not due yet: until then it may be put again, and must be known.
///
/// # Errors
/// [`OutboxError`]; then nothing is forgotten.
pub async fn prune(pool: &SqlitePool, now: Timestamp) -> Result<u64> {
    let until = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN).as_second();
    let mut transaction = pool.begin().await?;
    // The same ones both times: nothing else changes within the transaction.
    let addressed = sqlx::query(
        "DELETE FROM addressed WHERE notification IN (SELECT id FROM notification
         WHERE state = 'sent' AND changed_at <= $1 ORDER BY changed_at, id LIMIT $2)",
    );
    addressed.bind(until).bind(BATCH).execute(&mut *transaction).await?;
    let notifications = sqlx::query(
        "DELETE FROM notification WHERE id IN (SELECT id FROM notification
         WHERE state = 'sent' AND changed_at <= $1 ORDER BY changed_at, id LIMIT $2)",
    );
    let forgotten = notifications.bind(until).bind(BATCH).execute(&mut *transaction).await?;
    let notices = sqlx::query(
        "DELETE FROM notice WHERE addressed = 1 AND made_at <= $1 AND COALESCE(due_at, 0) <= $2
         AND NOT EXISTS (SELECT 1 FROM addressed a WHERE a.alert = notice.alert
                         AND a.event = notice.event AND a.kind = notice.kind)",
    );
    notices.bind(until).bind(now.as_second()).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(forgotten.rows_affected())
}

async fn make(
    transaction: &mut Transaction<'_, Sqlite>,
    (id, target): (NotificationId, &str),
    now: Timestamp,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO notification (id, target, state, attempts, next_at, made_at, changed_at, problem)
         VALUES ($1, $2, 'waiting', 0, $3, $3, $3, '') ON CONFLICT DO NOTHING",
    )
    .bind(id.to_string())
    .bind(target)
    .bind(now.as_second())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn notice(row: &SqliteRow) -> Result<Notice> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let time = |seconds: i64| Timestamp::from_second(seconds).map_err(|_| OutboxError::Foreign);
    Ok(Notice {
        alert: text("alert")?.parse().map_err(|_| OutboxError::Foreign)?,
        event: row.try_get::<i64, _>("event")?.cast_unsigned(),
        kind: Kind::from_word(&text("kind")?).ok_or(OutboxError::Foreign)?,
        tier: tier(&text("tier")?).ok_or(OutboxError::Foreign)?,
        region: text("region")?.parse().map_err(|_| OutboxError::Foreign)?,
        due_at: row.try_get::<Option<i64>, _>("due_at")?.map(time).transpose()?,
        made_at: time(row.try_get("made_at")?)?,
    })
}

pub(super) fn id(text: &str) -> Result<NotificationId> {
    let mut id = HexBytes([0; 16]);
    hex::decode_to_slice(text, &mut id.0).map_err(|_| OutboxError::Foreign)?;
    Ok(id)
}

const TIERS: [(Tier, &str); 3] =
    [(Tier::Worker, "worker"), (Tier::Street, "street"), (Tier::District, "district")];

fn tier_word(tier: Tier) -> &'static str {
    let found = TIERS.iter().find(|(known, _)| *known == tier);
    found.expect("all tiers are in the table").1
}

fn tier(word: &str) -> Option<Tier> {
    TIERS.iter().find(|(_, known)| *known == word).map(|(tier, _)| *tier)
}
