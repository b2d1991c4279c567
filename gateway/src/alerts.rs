//! Alerts and policy history, on disk (SQL through sqlx).
//!
//! The SQL is plain, so that another engine can take SQLite's place. One transaction per
//! evaluation: what was not committed was never told to anybody. Takes only changes that the access
//! log has, and gives alerts out only sealed, for the log to open.

use jiff::Timestamp;
use proto::{alert_id::AlertId, name::RuleId, subject::Subject};
use sqlx::{QueryBuilder, Row, Sqlite, SqlitePool, Transaction, sqlite::SqliteRow};

use crate::{
    alert::{Alert, State},
    alert_acts::{Delivery, EpochChange, Found, Page, Run},
    audit::logged::{Logged, Unlogged},
};

/// The tables. A file from before files had a version has them already.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS alert (
        id TEXT PRIMARY KEY,
        subject TEXT NOT NULL,
        epoch BIGINT NOT NULL,
        rule TEXT NOT NULL,
        occurrence INTEGER NOT NULL,
        rule_version TEXT NOT NULL,
        situation TEXT NOT NULL,
        state INTEGER NOT NULL,
        region TEXT NOT NULL,
        raised_at INTEGER NOT NULL,
        changed_at INTEGER NOT NULL,
        due_at INTEGER NOT NULL,
        assist TEXT NOT NULL,
        revision BIGINT NOT NULL,
        findings TEXT NOT NULL,
        UNIQUE (subject, rule, occurrence));
    CREATE INDEX IF NOT EXISTS alert_revision ON alert (revision);
    CREATE INDEX IF NOT EXISTS alert_due ON alert (due_at, id);
    CREATE TABLE IF NOT EXISTS policy (
        version TEXT NOT NULL,
        in_force_from INTEGER NOT NULL,
        content TEXT NOT NULL,
        PRIMARY KEY (version, in_force_from));
    CREATE TABLE IF NOT EXISTS epoch (
        number BIGINT PRIMARY KEY,
        in_force_from BIGINT NOT NULL);";

/// The store.
#[derive(Clone)]
pub struct Alerts(SqlitePool);

/// The disk is full or failing, or the file was changed by something else.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// The engine's words.
    #[error("the store of alerts: {0}")]
    Store(#[from] sqlx::Error),
    /// A row that we did not write.
    #[error("the store of alerts holds a row that is no alert")]
    Foreign,
}

/// Which alerts are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Prefixes that an alert's region must have, all of them.
    pub regions: Vec<String>,
    /// The rule's id, or any.
    pub rule: Option<String>,
    /// The situation's id, or any.
    pub situation: Option<String>,
    /// States; empty for any.
    pub states: Vec<State>,
    /// Raised then or later.
    pub raised_from: Option<Timestamp>,
    /// Raised before then.
    pub raised_until: Option<Timestamp>,
}

/// Where a page begins: after this alert, in the order of due time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// Its due time, seconds.
    pub due_at: i64,
    /// Its id.
    pub id: String,
}

type Result<T> = std::result::Result<T, AlertsError>;

impl Alerts {
    /// In the file that [`crate::database::open`] opened.
    pub fn new(database: SqlitePool) -> Self {
        Self(database)
    }

    /// The last alert of every subject and rule of an epoch.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn latest(&self, epoch: u32) -> Result<Vec<Alert>> {
        let rows = sqlx::query(
            "SELECT * FROM alert a WHERE epoch = $1 AND occurrence = (SELECT MAX(occurrence)
             FROM alert b WHERE b.subject = a.subject AND b.rule = a.rule)",
        );
        rows.bind(i64::from(epoch)).fetch_all(&self.0).await?.iter().map(alert).collect()
    }

    /// The highest revision given.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn revision(&self) -> Result<u64> {
        let row = sqlx::query("SELECT COALESCE(MAX(revision), 0) FROM alert");
        let revision: i64 = row.fetch_one(&self.0).await?.get(0);
        Ok(revision.cast_unsigned())
    }

    /// How many alerts of an epoch are in each state.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn count(&self, epoch: u32) -> Result<Vec<(State, u64)>> {
        let rows = sqlx::query("SELECT state, COUNT(*) FROM alert WHERE epoch = $1 GROUP BY state");
        let rows = rows.bind(i64::from(epoch)).fetch_all(&self.0).await?;
        let counted = |row: &SqliteRow| {
            let count: i64 = row.get(1);
            Some((State::from_number(row.get(0))?, count.cast_unsigned()))
        };
        Ok(rows.iter().filter_map(counted).collect())
    }

    /// Writes the alerts that a run changes, all or none.
    ///
    /// # Errors
    /// [`AlertsError`]; then none is written.
    pub async fn write(&self, run: &Logged<Run>) -> Result<()> {
        let alerts = &run.what().changed;
        let mut transaction = self.0.begin().await?;
        put(&mut transaction, alerts).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The epoch in force; nothing in a new store.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn epoch(&self) -> Result<Option<u32>> {
        let row = sqlx::query("SELECT number FROM epoch ORDER BY number DESC LIMIT 1");
        let number = row.fetch_optional(&self.0).await?.map(|row| row.get::<i64, _>(0));
        number.map(|number| u32::try_from(number).map_err(|_| AlertsError::Foreign)).transpose()
    }

    /// Puts the first epoch of a new store into force.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn begin(&self, epoch: u32, from: Timestamp) -> Result<()> {
        sqlx::query("INSERT INTO epoch (number, in_force_from) VALUES ($1, $2)")
            .bind(i64::from(epoch))
            .bind(from.as_second())
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Puts an epoch into force and writes the alerts that change with it, all or nothing.
    ///
    /// # Errors
    /// [`AlertsError`]; then the epoch before stays, with its alerts.
    pub async fn change_epoch(&self, change: &Logged<EpochChange>, from: Timestamp) -> Result<()> {
        let EpochChange { to: epoch, changed, .. } = change.what();
        let mut transaction = self.0.begin().await?;
        put(&mut transaction, changed).await?;
        sqlx::query("INSERT INTO epoch (number, in_force_from) VALUES ($1, $2)")
            .bind(i64::from(*epoch))
            .bind(from.as_second())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// One alert, where it is in a region with this prefix.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn get(&self, id: &str, region: &str) -> Result<Option<Unlogged<Found>>> {
        let row = sqlx::query("SELECT * FROM alert WHERE id = $1").bind(id);
        let found = row.fetch_optional(&self.0).await?.as_ref().map(alert).transpose()?;
        let found = found.filter(|alert| alert.region.starts_with(region));
        Ok(found.map(|alert| Unlogged::seal(Found(alert))))
    }

    /// A page of alerts in the order of due time.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn page(
        &self,
        filter: &Filter,
        after: Option<&After>,
        limit: u32,
    ) -> Result<Unlogged<Page>> {
        let mut query = filter.query();
        if let Some(After { due_at, id }) = after {
            query.push(" AND (due_at > ").push_bind(*due_at);
            query.push(" OR (due_at = ").push_bind(*due_at);
            query.push(" AND id > ").push_bind(id.clone()).push("))");
        }
        query.push(" ORDER BY due_at, id LIMIT ").push_bind(i64::from(limit));
        let page = query.build().fetch_all(&self.0).await?;
        Ok(Unlogged::seal(Page(page.iter().map(alert).collect::<Result<_>>()?)))
    }

    /// Alerts that changed after a revision, in the order of change, where there are any.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn since(
        &self,
        filter: &Filter,
        revision: u64,
        limit: u32,
    ) -> Result<Option<Unlogged<Delivery>>> {
        let mut query = filter.query();
        query.push(" AND revision > ").push_bind(revision.cast_signed());
        query.push(" ORDER BY revision LIMIT ").push_bind(i64::from(limit));
        let changed = query.build().fetch_all(&self.0).await?;
        let changed: Vec<Alert> = changed.iter().map(alert).collect::<Result<_>>()?;
        Ok((!changed.is_empty()).then(|| Unlogged::seal(Delivery(changed))))
    }

    /// The same for the gateway's own use: nobody is shown them.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub(crate) async fn changed(&self, revision: u64, limit: u32) -> Result<Vec<Alert>> {
        let rows =
            sqlx::query("SELECT * FROM alert WHERE revision > $1 ORDER BY revision LIMIT $2")
                .bind(revision.cast_signed())
                .bind(i64::from(limit));
        rows.fetch_all(&self.0).await?.iter().map(alert).collect()
    }

    /// A person's, for the gateway's own use.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub(crate) async fn of(&self, subject: &Subject) -> Result<Vec<Alert>> {
        let rows = sqlx::query("SELECT * FROM alert WHERE subject = $1 ORDER BY raised_at, id");
        rows.bind(subject.to_string()).fetch_all(&self.0).await?.iter().map(alert).collect()
    }

    /// One alert, for the gateway's own use.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub(crate) async fn own(&self, id: &AlertId) -> Result<Option<Alert>> {
        let row = sqlx::query("SELECT * FROM alert WHERE id = $1").bind(id.as_str());
        row.fetch_optional(&self.0).await?.as_ref().map(alert).transpose()
    }

    /// Records that a policy came into force.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn policy_in_force(
        &self,
        version: [u8; 32],
        text: &str,
        from: Timestamp,
    ) -> Result<()> {
        let last = sqlx::query("SELECT version FROM policy ORDER BY in_force_from DESC LIMIT 1");
        let last: Option<String> = last.fetch_optional(&self.0).await?.map(|row| row.get(0));
        let version = hex::encode(version);
        if last.as_ref() == Some(&version) {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO policy (version, in_force_from, content) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(version)
        .bind(from.as_microsecond())
        .bind(text)
        .execute(&self.0)
        .await?;
        Ok(())
    }
}

async fn put(transaction: &mut Transaction<'_, Sqlite>, alerts: &[Alert]) -> Result<()> {
    for alert in alerts {
        sqlx::query("DELETE FROM alert WHERE id = $1")
            .bind(&alert.id)
            .execute(&mut **transaction)
            .await?;
        sqlx::query(
            "INSERT INTO alert (id, subject, epoch, rule, occurrence, rule_version, situation,
             state, region, raised_at, changed_at, due_at, assist, revision, findings)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        )
        .bind(&alert.id)
        .bind(alert.subject.to_string())
        .bind(i64::from(alert.epoch))
        .bind(&alert.rule)
        .bind(i64::from(alert.occurrence))
        .bind(hex::encode(alert.rule_version))
        .bind(&alert.situation)
        .bind(alert.state.number())
        .bind(&alert.region)
        .bind(alert.raised_at.as_second())
        .bind(alert.changed_at.as_second())
        .bind(alert.due_at.as_second())
        .bind(alert.assist.join(" "))
        .bind(alert.revision.cast_signed())
        .bind(serde_json::to_string(&alert.findings).expect("findings are plain data"))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

impl Filter {
    fn query(&self) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new("SELECT * FROM alert WHERE 1 = 1");
        for prefix in self.regions.iter().filter(|prefix| !prefix.is_empty()) {
            // Prefixes are digits; substr spares escaping and is the same in every engine.
            let length = i64::try_from(prefix.len()).expect("a region has 12 digits at most");
            query.push(" AND substr(region, 1, ").push_bind(length);
            query.push(") = ").push_bind(prefix.clone());
        }
        if let Some(rule) = &self.rule {
            query.push(" AND rule = ").push_bind(rule.clone());
        }
        if let Some(situation) = &self.situation {
            query.push(" AND situation = ").push_bind(situation.clone());
        }
        if !self.states.is_empty() {
            query.push(" AND state IN (");
            let mut states = query.separated(", ");
            for state in &self.states {
                states.push_bind(state.number());
            }
            query.push(")");
        }
        if let Some(from) = self.raised_from {
            query.push(" AND raised_at >= ").push_bind(from.as_second());
        }
        if let Some(until) = self.raised_until {
            query.push(" AND raised_at < ").push_bind(until.as_second());
        }
        query
    }

    /// Whether an alert's region is one that may be seen.
    pub fn admits_region(&self, region: &str) -> bool {
        self.regions.iter().all(|prefix| region.starts_with(prefix))
    }
}

/// The alert that a row of all columns of its table is.
pub(crate) fn alert(row: &SqliteRow) -> Result<Alert> {
    let number = |column: &str| row.try_get::<i64, _>(column);
    let text = |column: &str| row.try_get::<String, _>(column);
    let time =
        |column: &str| Timestamp::from_second(number(column)?).map_err(|_| AlertsError::Foreign);
    let bytes = |column: &str| hex::decode(text(column)?).map_err(|_| AlertsError::Foreign);
    let subject = bytes("subject")?.try_into().map_err(|_| AlertsError::Foreign)?;
    let state = i32::try_from(number("state")?).ok().and_then(State::from_number);
    let spelt = text("id")?.parse::<AlertId>().is_ok() && text("rule")?.parse::<RuleId>().is_ok();
    if !spelt {
        return Err(AlertsError::Foreign);
    }
    Ok(Alert {
        id: text("id")?,
        subject: Subject(subject),
        epoch: u32::try_from(number("epoch")?).map_err(|_| AlertsError::Foreign)?,
        rule: text("rule")?,
        occurrence: u32::try_from(number("occurrence")?).map_err(|_| AlertsError::Foreign)?,
        rule_version: bytes("rule_version")?.try_into().map_err(|_| AlertsError::Foreign)?,
        situation: text("situation")?,
        state: state.ok_or(AlertsError::Foreign)?,
        region: text("region")?,
        raised_at: time("raised_at")?,
        changed_at: time("changed_at")?,
        due_at: time("due_at")?,
        assist: text("assist")?.split_whitespace().map(str::to_owned).collect(),
        revision: number("revision")?.cast_unsigned(),
        findings: serde_json::from_str(&text("findings")?).map_err(|_| AlertsError::Foreign)?,
    })
}
