//! The self-test: every derivation against golden values that an independent implementation made.
//!
//! An adapter that derives otherwise than its peers finds nobody and says nothing, so it does not
//! start.

use std::{num::NonZeroU8, sync::Arc};

use curve25519_dalek::scalar::Scalar;
use proto::{
    DERIVATION_VECTORS,
    name::DatasetId,
    person_secret::PersonSecret,
    salt::Salt,
    scope::{Scope, Suite},
    sealed_row::{RowNonce, RowSealer},
    subject::{Member, Subject},
};
use serde::Deserialize;

use crate::{
    derive::Root,
    oprf::{Blinding, Output, Share, ShareKeys},
};

/// This build derives something other than the golden value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "self-test: case {case} of the derivation vectors gives another {what}: this build is faulty; \
     install the released program again"
)]
pub struct VectorFailure {
    case: usize,
    what: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    scope: CaseScope,
    identifier_hex: String,
    evaluated: Option<CaseEvaluated>,
    salt_hex: String,
    dataset: DatasetId,
    root_hex: String,
    person_secret_hex: String,
    lookup_tag_hex: String,
    seal_key_hex: String,
    subject_hex: String,
    member_hex: String,
    sealed_row: Option<CaseRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseScope {
    programme: proto::name::ProgrammeId,
    epoch: u32,
    suite: proto::scope::Suite,
}

/// With suite `oprf`: the whole key, and what the function gives under it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseEvaluated {
    key_hex: String,
    output_hex: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseRow {
    version: u32,
    random_hex: String,
    flags_hex: String,
    sealed_hex: String,
}

/// Runs every case and says how many there were.
///
/// # Errors
/// The first case whose values differ.
pub fn run_vectors() -> Result<usize, VectorFailure> {
    let fault = |case, what| VectorFailure { case, what };
    let cases: Vec<Case> =
        serde_json::from_str(DERIVATION_VECTORS).map_err(|_| fault(0, "form"))?;
    if cases.is_empty() {
        return Err(fault(0, "number of cases"));
    }
    for (number, case) in cases.iter().enumerate() {
        case.run().map_err(|what| fault(number + 1, what))?;
    }
    Ok(cases.len())
}

/// BLAKE3 of the vectors this program was built with.
pub fn vectors_hash() -> [u8; 32] {
    *blake3::hash(DERIVATION_VECTORS.as_bytes()).as_bytes()
}

impl Case {
    fn run(&self) -> Result<(), &'static str> {
        let CaseScope { programme, epoch, suite } = &self.scope;
        let scope = Scope { programme: programme.clone(), epoch: *epoch, suite: *suite };
        let salt: [u8; 32] = bytes(&self.salt_hex)?.try_into().map_err(|_| "length of salt")?;
        let identifier = bytes(&self.identifier_hex)?;
        let root = match (scope.suite, &self.evaluated) {
            (Suite::SaltedHash, None) => Root::computed(&identifier),
            (Suite::Oprf, Some(evaluated)) => Root::evaluated(evaluated.run(&identifier)?.expose()),
            _ => return Err("suite"),
        };
        let secret = root.person_secret(&scope, &self.dataset, &Salt::from_bytes(salt));
        for (what, derived, golden) in [
            ("root", root.expose().as_slice(), &self.root_hex),
            ("person secret", secret.expose(), &self.person_secret_hex),
            ("lookup tag", &secret.lookup_tag().0, &self.lookup_tag_hex),
            ("seal key", secret.seal_key().expose(), &self.seal_key_hex),
            ("subject", &Subject::of(&secret).0, &self.subject_hex),
            ("household member", &Member::of(&secret).0, &self.member_hex),
        ] {
            if hex::encode(derived) != *golden {
                return Err(what);
            }
        }
        self.sealed_row.as_ref().map_or(Ok(()), |row| row.run(&scope, &self.dataset, &secret))
    }
}

impl CaseEvaluated {
    /// Evaluates as requester and holder do; one holder has the whole key.
    fn run(&self, identifier: &[u8]) -> Result<Output, &'static str> {
        let key: [u8; 32] = bytes(&self.key_hex)?.try_into().map_err(|_| "length of key")?;
        let key = Option::from(Scalar::from_canonical_bytes(key)).ok_or("key")?;
        let share = Share::new(NonZeroU8::MIN, key).ok_or("key")?;
        let keys = ShareKeys::new(1, &[share.public().to_bytes()]).map_err(|_| "share key")?;
        let mut blinding = Blinding::new(Arc::new(keys), &[identifier]).map_err(|_| "blinding")?;
        let answer = share.evaluate(blinding.elements()).map_err(|_| "evaluation")?;
        blinding.accept(share.index(), &answer).map_err(|_| "proof")?;
        let output = blinding.finalize().map_err(|_| "output")?.pop().ok_or("output")?;
        if hex::encode(output.expose()) == self.output_hex { Ok(output) } else { Err("output") }
    }
}

impl CaseRow {
    fn run(
        &self,
        scope: &Scope,
        dataset: &DatasetId,
        secret: &PersonSecret,
    ) -> Result<(), &'static str> {
        let random = bytes(&self.random_hex)?.try_into().map_err(|_| "length of nonce")?;
        let mut row = bytes(&self.flags_hex)?;
        let nonce = RowNonce::new(self.version, random);
        RowSealer::new(scope, dataset).seal(
            &secret.seal_key(),
            secret.lookup_tag(),
            nonce,
            &mut row,
        );
        if hex::encode(row) == self.sealed_hex { Ok(()) } else { Err("sealed row") }
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, &'static str> {
    hex::decode(text).map_err(|_| "hex digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_derivation_gives_the_golden_values_of_an_independent_implementation() {
        assert_eq!(run_vectors(), Ok(8));
    }
}
