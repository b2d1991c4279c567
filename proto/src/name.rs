//! Names that appear on the wire and in files: agencies, datasets, rules, flags, programmes.
//!
//! Owns their one spelling rule; what each name refers to is the federation manifest's business.

use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a string is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name is 1 to 64 characters from a-z, 0-9, '_' and '-', and starts with a letter; this one is not"
)]
pub struct InvalidName;

fn check(text: &str) -> Result<(), InvalidName> {
    let mut bytes = text.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    let goes_on_well =
        bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
    if starts_well && goes_on_well && text.len() <= 64 { Ok(()) } else { Err(InvalidName) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check(text).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.into()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

name!(
    /// An organisation that runs an adapter, e.g. `civil_affairs`.
    AgencyId
);
name!(
    /// A dataset, unique in the programme, e.g. `vehicle_registration`.
    DatasetId
);
name!(
    /// A rule of the policy, e.g. `illness-uncovered`.
    RuleId
);
name!(
    /// A flag of a dataset, e.g. `over_limit`.
    FlagName
);
name!(
    /// Who is notified, as the gateway's configuration calls it, e.g. `street-desk`.
    TargetId
);
name!(
    /// A programme: the legal purpose under which matching is done.
    ProgrammeId
);

impl DatasetId {
    /// The dataset without rows whose salt all watch agencies share, so that one person has one
    /// subject (PROTOCOL.md section 5).
    pub fn base() -> Self {
        Self("base".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_lower_case_and_starts_with_a_letter() {
        for good in ["a", "civil_affairs", "nanjing-2026", &"a".repeat(64)] {
            assert!(good.parse::<AgencyId>().is_ok(), "{good}");
        }
        for bad in ["", "A", "1a", "民政", "a b", "a/b", "a.b", &"a".repeat(65)] {
            assert!(bad.parse::<AgencyId>().is_err(), "{bad}");
        }
    }
}
