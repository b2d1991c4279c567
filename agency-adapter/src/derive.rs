//! The one door from an identifier to anything that leaves this program: root, then person secret
//! (PROTOCOL.md sections 4.1 to 4.3).
//!
//! Lookup tags, seal keys and pseudonyms follow from a person secret without an identifier, and are
//! `proto`'s. Which salts may be used is `salts`' business.

use proto::{
    labels,
    lp::LengthPrefixed,
    name::DatasetId,
    person_secret::PersonSecret,
    salt::Salt,
    scope::{Scope, Suite},
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::identifier::Identifier;

/// 32 bytes per (person, suite); the same for all datasets.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Root([u8; 32]);

/// Derives within one scope, whose suite is known to be available.
#[derive(Clone)]
pub struct Derivation {
    scope: Scope,
}

/// The manifest names a suite that this version cannot compute. There is no fallback: rows derived
/// under another suite would match nobody, or protect less than was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the federation manifest names suite \"oprf\", which is not available in this version: have the \
     manifest issued with suite = \"salted-hash\", or install a version that has it"
)]
pub struct SuiteUnavailable;

impl Derivation {
    /// For one scope.
    ///
    /// # Errors
    /// [`SuiteUnavailable`] for every suite but `salted-hash`.
    pub fn new(scope: &Scope) -> Result<Self, SuiteUnavailable> {
        match scope.suite {
            Suite::SaltedHash => Ok(Self { scope: scope.clone() }),
            Suite::Oprf => Err(SuiteUnavailable),
        }
    }

    /// The scope that everything is derived in.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// A person's root.
    pub fn root(&self, identifier: &Identifier) -> Root {
        self.root_of(identifier.as_bytes())
    }

    /// A person's secret for the dataset whose salt this is.
    pub fn person_secret(&self, root: &Root, dataset: &DatasetId, salt: &Salt) -> PersonSecret {
        let material = LengthPrefixed::new()
            .field(salt.expose())
            .field(&root.0)
            .field(self.scope.programme.as_str().as_bytes())
            .field(dataset.as_str().as_bytes())
            .number(self.scope.epoch);
        PersonSecret::from_bytes(blake3::derive_key(labels::PERSON_SECRET, material.as_bytes()))
    }

    pub(crate) fn root_of(&self, identifier: &[u8]) -> Root {
        Root(blake3::derive_key(labels::ROOT_SALTED_HASH, identifier))
    }
}

impl Root {
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Root")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oprf_suite_is_refused_and_never_replaced_by_the_weaker_one() {
        let programme = "demo".parse().expect("a name");
        let scope = Scope { programme, epoch: 1, suite: Suite::Oprf };
        let refusal = Derivation::new(&scope).err().expect("refused");
        assert!(refusal.to_string().contains("not available in this version"));
    }
}
