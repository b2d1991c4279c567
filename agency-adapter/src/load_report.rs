//! Stand-in.
use crate::lang::Lang;

/// Stand-in.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LoadReport {
    /// Stand-in.
    pub rows: u64,
    /// Stand-in.
    pub persons: u64,
}

impl LoadReport {
    /// Stand-in.
    pub fn refused_rows(&self) -> u64 {
        0
    }

    /// Stand-in.
    pub fn table(&self, _lang: Lang) -> String {
        format!("{} rows", self.rows)
    }
}
