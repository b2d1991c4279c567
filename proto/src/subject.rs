//! Pseudonyms: of a person in the base, and of a member of a household.

use std::fmt;

use crate::{labels, person_secret::PersonSecret};

/// A person in the base: the same in every watch dataset of a programme and epoch (PROTOCOL.md
/// section 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(pub [u8; 16]);

/// A member of a household, in the base or not (PROTOCOL.md section 8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(pub [u8; 16]);

fn pseudonym(context: &str, secret: &PersonSecret) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::derive_key(context, secret.expose())[..16]);
    bytes
}

impl Subject {
    /// From the person's secret for the dataset `base`.
    pub fn of(base: &PersonSecret) -> Self {
        Self(pseudonym(labels::SUBJECT, base))
    }
}

impl Member {
    /// From the person's secret for the household dataset.
    pub fn of(household: &PersonSecret) -> Self {
        Self(pseudonym(labels::MEMBER, household))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject")
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Member")
    }
}
