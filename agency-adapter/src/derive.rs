//! The one door from an identifier to anything that leaves this program: root, then person secret
//! (PROTOCOL.md sections 4.1 to 4.3).
//!
//! Lookup tags, seal keys and pseudonyms follow from a person secret without an identifier, and are
//! `proto`'s. Which salts may be used is `salts`' business; where evaluated roots are kept, and how
//! missing ones are come by, is `root_cache`'s and `requester`'s.

use proto::{
    labels,
    lp::LengthPrefixed,
    name::DatasetId,
    person_secret::PersonSecret,
    salt::Salt,
    scope::{Scope, Suite},
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{evaluated_roots::EvaluatedRoots, identifier::Identifier};

/// 32 bytes per person and suite, with suite `oprf` per programme and epoch too; the same for all
/// datasets.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Root([u8; 32]);

/// Derives the secrets of the people of one load, within one scope.
pub struct Derivation {
    scope: Scope,
    source: Source,
}

/// Where roots come from. Neither stands in for the other: rows derived under another suite would
/// match nobody, or protect less than was agreed.
enum Source {
    Computed,
    Evaluated(EvaluatedRoots),
}

/// The suite does not compute roots from identifiers alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("suite \"oprf\" needs the roots that the key holders evaluated")]
pub struct NotComputable;

impl Derivation {
    /// Computes roots from identifiers.
    ///
    /// # Errors
    /// [`NotComputable`] for every suite but `salted-hash`.
    pub fn computed(scope: &Scope) -> Result<Self, NotComputable> {
        match scope.suite {
            Suite::SaltedHash => Ok(Self { scope: scope.clone(), source: Source::Computed }),
            Suite::Oprf => Err(NotComputable),
        }
    }

    /// Looks roots up among those that the key holders evaluated in this scope.
    ///
    /// # Panics
    /// If the scope's suite computes roots.
    pub fn evaluated(scope: &Scope, roots: EvaluatedRoots) -> Self {
        assert_eq!(scope.suite, Suite::Oprf, "no other suite evaluates roots");
        Self { scope: scope.clone(), source: Source::Evaluated(roots) }
    }

    /// The scope that everything is derived in.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// A person's root.
    ///
    /// # Panics
    /// With suite `oprf`, if the person is not of the load that the roots were collected for.
    pub fn root(&self, identifier: &Identifier) -> Root {
        match &self.source {
            Source::Computed => Root::computed(identifier.as_bytes()),
            Source::Evaluated(roots) => {
                roots.get(identifier).expect("collected for everybody in the load")
            }
        }
    }

    /// A person's secret for the dataset whose salt this is.
    pub fn person_secret(&self, root: &Root, dataset: &DatasetId, salt: &Salt) -> PersonSecret {
        root.person_secret(&self.scope, dataset, salt)
    }
}

impl Root {
    /// Suite `salted-hash` (PROTOCOL.md section 4.1).
    pub(crate) fn computed(identifier: &[u8]) -> Self {
        Self(blake3::derive_key(labels::ROOT_SALTED_HASH, identifier))
    }

    /// Suite `oprf` (PROTOCOL.md section 4.2), from the output of the VOPRF.
    pub fn evaluated(output: &[u8; 64]) -> Self {
        Self(blake3::derive_key(labels::ROOT_OPRF, output))
    }

    /// The secret of the person whose root this is, for the dataset whose salt this is.
    pub fn person_secret(&self, scope: &Scope, dataset: &DatasetId, salt: &Salt) -> PersonSecret {
        let material = LengthPrefixed::new()
            .field(salt.expose())
            .field(&self.0)
            .field(scope.programme.as_str().as_bytes())
            .field(dataset.as_str().as_bytes())
            .number(scope.epoch);
        PersonSecret::from_bytes(blake3::derive_key(labels::PERSON_SECRET, material.as_bytes()))
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

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
    fn the_oprf_suite_is_never_replaced_by_the_weaker_one() {
        let programme = "demo".parse().expect("a name");
        let scope = Scope { programme, epoch: 1, suite: Suite::Oprf };
        assert!(Derivation::computed(&scope).is_err());
    }
}
