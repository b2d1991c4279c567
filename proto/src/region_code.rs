//! A region's code as it is written: up to 12 digits, from the province down to the community. A code of
//! fewer digits is everything below it; the empty one is everywhere, or nowhere known.
//!
//! What a code is called, and who works there, is the gateway's business.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The code.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegionCode(Box<str>);

/// The text is no region's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a region's code is up to 12 digits")]
pub struct InvalidRegionCode;

impl RegionCode {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is within the region of `prefix`.
    pub fn is_within(&self, prefix: &str) -> bool {
        self.0.starts_with(prefix)
    }
}

impl std::str::FromStr for RegionCode {
    type Err = InvalidRegionCode;

    fn from_str(text: &str) -> Result<Self, InvalidRegionCode> {
        let well = text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if well { Ok(Self(text.into())) } else { Err(InvalidRegionCode) }
    }
}

impl TryFrom<String> for RegionCode {
    type Error = InvalidRegionCode;

    fn try_from(text: String) -> Result<Self, InvalidRegionCode> {
        text.parse()
    }
}

impl From<RegionCode> for String {
    fn from(code: RegionCode) -> Self {
        code.0.into()
    }
}

impl fmt::Display for RegionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_up_to_twelve_digits() {
        for good in ["", "320104", "320104002", "320104002003"] {
            assert_eq!(good.parse::<RegionCode>().map(String::from).as_deref(), Ok(good));
        }
        for bad in ["3201040020031", "32010x", "３２", " 32"] {
            assert_eq!(bad.parse::<RegionCode>(), Err(InvalidRegionCode), "{bad}");
        }
    }
}
