//! The store's two files as they lie on the disk, and what is in them.

use std::{collections::BTreeMap, fs, path::Path};

use gateway::database;
use sqlx::{AssertSqlSafe, Row, SqlitePool};
use tokio::sync::OnceCell;

/// The name of the store's file.
pub const STORE: &str = "alerts.sqlite";
const WAL: &str = "alerts.sqlite-wal";
/// The header of a `-wal` file, in bytes.
const HEADER: usize = 32;
/// A frame in it: a page, and what stands before it.
pub const FRAME: usize = 24 + 4096;

/// The files at some moment.
#[derive(Clone)]
pub struct Files {
    pub store: Vec<u8>,
    pub wal: Vec<u8>,
}

impl Files {
    /// As they lie there now.
    pub fn read(directory: &Path) -> Self {
        let read = |name: &str| fs::read(directory.join(name)).unwrap_or_default();
        Self { store: read(STORE), wal: read(WAL) }
    }

    /// A copy of them in a directory of their own.
    pub fn lay(&self) -> tempfile::TempDir {
        let directory = directory();
        let write = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes);
        write(STORE, &self.store).expect("written");
        write(WAL, &self.wal).expect("written");
        directory
    }

    /// With so much of the `-wal` file.
    pub fn until(&self, length: usize) -> Self {
        Self { store: self.store.clone(), wal: self.wal[..length].to_vec() }
    }

    /// Where frames end, from the first beyond `from`.
    pub fn frames(&self, from: usize) -> impl Iterator<Item = usize> {
        let ends = (1..).map(|count| HEADER + count * FRAME);
        let last = self.wal.len();
        ends.skip_while(move |end| *end <= from).take_while(move |end| *end <= last)
    }
}

/// A directory, in memory where that can be: what is tested is what is written, not that it lasts.
pub fn directory() -> tempfile::TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// Whether a transaction ends with the frame that ends there: it says how large the store then is.
pub fn commits(wal: &[u8], end: usize) -> bool {
    let header = end - FRAME;
    wal[header + 4..header + 8] != [0; 4]
}

/// All rows of all tables, as text; without what is random, or only tells where the log was.
pub async fn contents(pool: &SqlitePool) -> Vec<String> {
    static QUERY: OnceCell<String> = OnceCell::const_new();
    let query = QUERY.get_or_init(|| query(pool)).await.clone();
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(pool).await.expect("read");
    rows.iter().map(|row| row.get(0)).collect()
}

async fn query(pool: &SqlitePool) -> String {
    let columns = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c
                   WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'
                   AND substr(m.name, 1, 1) <> '_' ORDER BY m.name, c.cid";
    let columns = sqlx::query(columns).fetch_all(pool).await.expect("read");
    let mut tables: BTreeMap<String, String> = BTreeMap::new();
    for column in &columns {
        let (table, column): (String, String) = (column.get(0), column.get(1));
        if ![("returned_order", "id"), ("desk", "entries")].contains(&(&table, &column)) {
            *tables.entry(table).or_default() += &format!(" || ' ' || quote({column})");
        }
    }
    let rows = tables.iter().map(|(table, row)| format!("SELECT '{table}'{row} FROM {table}"));
    rows.collect::<Vec<_>>().join(" UNION ALL ") + " ORDER BY 1"
}

/// What the gateway finds in files when it opens them, and the files after that.
pub async fn opened(files: &Files) -> (Vec<String>, Files) {
    let directory = files.lay();
    let pool = database::open(&directory.path().join(STORE)).await.expect("opens");
    (contents(&pool).await, Files::read(directory.path()))
}

/// The first lines that differ.
pub fn difference(found: &[String], expected: &[String]) -> String {
    let lacks = |of: &[String], other: &[String]| {
        let lines = of.iter().filter(|line| !other.contains(line)).cloned();
        lines.collect::<Vec<_>>().join("\n  ")
    };
    let (more, less) = (lacks(found, expected), lacks(expected, found));
    format!("\nthere, and should not be:\n  {more}\nnot there, and should be:\n  {less}")
}
