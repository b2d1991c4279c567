//! Stand-in.
use crate::lang::Lang;

/// Stand-in.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LoadReport {
    /// Stand-in.
    pub rows: u64,
}

impl LoadReport {
    /// Stand-in.
    pub fn table(&self, _lang: Lang) -> String {
        format!("{} rows", self.rows)
    }
}
