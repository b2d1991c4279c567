//! What something is called for people, in both languages.

use serde::{Deserialize, Serialize};

/// A name for people; ids are for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}
