//! Cases and their events, on disk (SQL through sqlx).
//!
//! The SQL is plain, so that another engine can take SQLite's place. What may happen to a case is
//! `case`'s business, in which order it is logged and written `desk`'s.

/// The tables. Times are whole seconds since 1970.
pub(crate) const SCHEMA: &str = "
    CREATE TABLE cases (
        alert TEXT PRIMARY KEY,
        stage INTEGER NOT NULL,
        tier INTEGER NOT NULL,
        region TEXT NOT NULL,
        officer TEXT NOT NULL,
        urgency INTEGER NOT NULL,
        number BIGINT NOT NULL,
        changed_at BIGINT NOT NULL,
        due_at BIGINT,
        wake_at BIGINT,
        state TEXT NOT NULL);
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
        alert TEXT NOT NULL,
        PRIMARY KEY (dataset, number));
    CREATE TABLE desk (
        id INTEGER PRIMARY KEY,
        revision BIGINT NOT NULL,
        entries BIGINT NOT NULL);";
