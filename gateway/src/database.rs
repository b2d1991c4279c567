//! The file that holds alerts, cases and whatever must commit together with them; opened here, and
//! brought to the present schema.
//!
//! Every table belongs to the module whose schema is listed here. A new schema goes to the end of the
//! list, and one that was ever released never changes: files have been made by it.

use std::path::Path;

use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    alerts, case::cases, disclosure::disclosures, hotline::returns, notify::outbox,
    statistics::kept,
};

/// The schemas in the order in which files get them.
const SCHEMAS: &[(&str, &str)] = &[
    ("alerts", alerts::SCHEMA),
    ("cases", cases::SCHEMA),
    ("outbox", outbox::SCHEMA),
    ("returned orders", returns::SCHEMA),
    ("disclosures", disclosures::SCHEMA),
    ("statistics", kept::SCHEMA),
    ("approvers of disclosures", disclosures::APPROVERS),
    ("outbox pruning", outbox::PRUNING_SCHEMA),
];

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// A later version wrote it.
    #[error(
        "it was made by a newer gateway, which keeps more in it: run that version, or put back the \
         file from before"
    )]
    Newer,
    /// The disk is full or failing, or the file was changed by something else.
    #[error(transparent)]
    Engine(#[from] sqlx::Error),
    /// The same while a schema was put in.
    #[error(transparent)]
    Schema(MigrateError),
}

/// Opens or makes the file. An older one gets what it lacks, each schema whole or not at all.
///
/// # Errors
/// [`DatabaseError`].
pub async fn open(path: &Path) -> Result<SqlitePool, DatabaseError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
    Migrator::with_migrations(migrations(SCHEMAS)).run(&pool).await.map_err(
        |error| match error {
            MigrateError::VersionMissing(_) => DatabaseError::Newer,
            other => DatabaseError::Schema(other),
        },
    )?;
    Ok(pool)
}

fn migrations(schemas: &[(&'static str, &'static str)]) -> Vec<Migration> {
    let migration = |(version, (name, sql)): (i64, &(&'static str, &'static str))| {
        let kind = MigrationType::Simple;
        Migration::new(version, (*name).into(), kind, sql.into_sql_str(), false)
    };
    (1..).zip(schemas).map(migration).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_from_before_there_were_cases_gets_them_and_keeps_its_alerts() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("alerts.sqlite");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let old = SqlitePool::connect_with(options).await.expect("opens");
        for statement in alerts::SCHEMA.split_inclusive(';').filter(|sql| sql.contains("CREATE")) {
            sqlx::query(statement).execute(&old).await.expect("made as before");
        }
        sqlx::query("INSERT INTO epoch VALUES (3, 0)").execute(&old).await.expect("written");
        old.close().await;
        let new = open(&path).await.expect("opens");
        let epochs = sqlx::query("SELECT * FROM epoch").fetch_all(&new).await.expect("there");
        let cases = sqlx::query("SELECT * FROM cases").fetch_all(&new).await.expect("there");
        assert_eq!((epochs.len(), cases.len()), (1, 0));
        new.close().await;
        open(&path).await.expect("opens again");
    }

    #[tokio::test]
    async fn a_file_of_a_newer_gateway_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("alerts.sqlite");
        let pool = open(&path).await.expect("opens");
        let mut newer = SCHEMAS.to_vec();
        newer.push(("later", "CREATE TABLE later (id TEXT)"));
        Migrator::with_migrations(migrations(&newer)).run(&pool).await.expect("made");
        pool.close().await;
        assert!(matches!(open(&path).await, Err(DatabaseError::Newer)));
    }
}
