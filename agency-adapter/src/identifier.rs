//! Stand-in.
use std::fmt;

/// Stand-in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(Vec<u8>);

impl Identifier {
    /// Stand-in.
    pub fn stand_in(text: &str) -> Self {
        Self([&[1], text.as_bytes()].concat())
    }

    /// Stand-in.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identifier")
    }
}
