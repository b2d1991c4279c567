//! Who a watch agency's people are in the next epoch: pairs of subjects, signed by the agency
//! (PROTOCOL.md section 16.3).
//!
//! Owns form and signature. Who is asked about whom, and what follows, is the gateway's business.

use crate::{
    labels,
    lp::LengthPrefixed,
    name::{AgencyId, DatasetId},
    scope::Scope,
    signing::{BadSignature, SigningKey, VerifyingKey},
    subject::Subject,
    wire,
};

/// Subjects in one request at the most.
pub const MAX_SUBJECTS: usize = 16_384;

/// What pairs are about: an agency's watch dataset, from one epoch to a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The epoch of the subjects that are asked about.
    pub from: Scope,
    /// The epoch of their successors.
    pub to: Scope,
    /// The watch dataset that lists them.
    pub dataset: DatasetId,
    /// Whose it is.
    pub agency: AgencyId,
}

/// An agency's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// A subject and its successor; subjects ascend strictly.
    pub pairs: Vec<(Subject, Subject)>,
    signature: [u8; 64],
}

/// A request or an answer of the wrong form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSuccession {
    /// Not whole subjects, too many, or not ascending.
    #[error("subjects are up to {MAX_SUBJECTS} times 16 bytes, ascending, none twice")]
    Subjects,
    /// Not 64 bytes.
    #[error("a signature is 64 bytes")]
    Signature,
}

impl Passage {
    /// Both scopes are of one programme and suite, and the second epoch is the later one.
    pub fn leads_on(&self) -> bool {
        let Scope { programme, epoch, suite } = &self.from;
        *programme == self.to.programme && *suite == self.to.suite && *epoch < self.to.epoch
    }

    fn signed_bytes(&self, pairs: &[u8]) -> LengthPrefixed {
        LengthPrefixed::new()
            .field(labels::SUCCESSION_SIGNATURE.as_bytes())
            .byte(self.from.suite.to_byte())
            .field(self.from.programme.as_str().as_bytes())
            .number(self.from.epoch)
            .number(self.to.epoch)
            .field(self.dataset.as_str().as_bytes())
            .field(self.agency.as_str().as_bytes())
            .field(pairs)
    }
}

impl Succession {
    /// Signs pairs, which ascend by their subjects.
    pub fn sign(passage: &Passage, key: &SigningKey, pairs: Vec<(Subject, Subject)>) -> Self {
        let signature = key.sign(passage.signed_bytes(&pair_bytes(&pairs)).as_bytes());
        Self { pairs, signature }
    }

    /// Checks that the agency signed these pairs for this passage.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, passage: &Passage, key: &VerifyingKey) -> Result<(), BadSignature> {
        let signed = passage.signed_bytes(&pair_bytes(&self.pairs));
        key.verify(signed.as_bytes(), &self.signature)
    }
}

/// The subjects of a request.
///
/// # Errors
/// [`InvalidSuccession::Subjects`].
pub fn subjects(bytes: &[u8]) -> Result<Vec<Subject>, InvalidSuccession> {
    let (subjects, rest) = bytes.as_chunks::<16>();
    let ascending = subjects.is_sorted_by(|a, b| a < b);
    if !rest.is_empty() || !ascending || subjects.len() > MAX_SUBJECTS {
        return Err(InvalidSuccession::Subjects);
    }
    Ok(subjects.iter().copied().map(Subject).collect())
}

fn pair_bytes(pairs: &[(Subject, Subject)]) -> Vec<u8> {
    pairs.iter().flat_map(|(subject, successor)| [subject.0, successor.0]).flatten().collect()
}

impl From<&Succession> for wire::SucceedResponse {
    fn from(succession: &Succession) -> Self {
        Self { pairs: pair_bytes(&succession.pairs), signature: succession.signature.to_vec() }
    }
}

impl TryFrom<wire::SucceedResponse> for Succession {
    type Error = InvalidSuccession;

    fn try_from(message: wire::SucceedResponse) -> Result<Self, InvalidSuccession> {
        let (pairs, rest) = message.pairs.as_chunks::<32>();
        let half = |pair: &[u8; 32], from: usize| {
            Subject(*pair[from..].first_chunk().expect("a pair is twice 16 bytes"))
        };
        let pairs: Vec<_> = pairs.iter().map(|pair| (half(pair, 0), half(pair, 16))).collect();
        let ascending = pairs.is_sorted_by(|(a, _), (b, _)| a < b);
        if !rest.is_empty() || !ascending || pairs.len() > MAX_SUBJECTS {
            return Err(InvalidSuccession::Subjects);
        }
        let signature = message.signature.try_into().map_err(|_| InvalidSuccession::Signature)?;
        Ok(Self { pairs, signature })
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::scope::Suite;

    fn scope(epoch: u32) -> Scope {
        let programme = "demo".parse().expect("a name");
        Scope { programme, epoch, suite: Suite::SaltedHash }
    }

    fn passage() -> Passage {
        let (dataset, agency) = ("ill".parse().expect("a name"), "aid".parse().expect("a name"));
        Passage { from: scope(1), to: scope(2), dataset, agency }
    }

    #[test]
    fn a_signature_is_good_for_its_pairs_its_dataset_and_its_two_epochs_only() {
        let key = SigningKey::from_seed(&Zeroizing::new([5; 32]));
        let pair = |n: u8| (Subject([n; 16]), Subject([n + 100; 16]));
        let signed = Succession::sign(&passage(), &key, vec![pair(1), pair(2)]);
        let sent = wire::SucceedResponse::from(&signed);
        let got = Succession::try_from(sent.clone()).expect("good");
        assert_eq!(got, signed);
        let public = key.verifying_key();
        assert!(got.verify(&passage(), &public).is_ok());

        let others = [
            Passage { to: scope(3), ..passage() },
            Passage { from: scope(0), ..passage() },
            Passage { dataset: "poor".parse().expect("a name"), ..passage() },
            Passage { agency: "tax".parse().expect("a name"), ..passage() },
        ];
        for other in others {
            assert!(got.verify(&other, &public).is_err(), "{other:?}");
        }
        let mut swapped = sent;
        swapped.pairs.swap(16, 48);
        let swapped = Succession::try_from(swapped).expect("of good form");
        assert!(swapped.verify(&passage(), &public).is_err());
    }

    #[test]
    fn a_passage_leads_to_a_later_epoch_of_the_same_programme_and_suite() {
        assert!(passage().leads_on());
        assert!(!Passage { to: scope(1), ..passage() }.leads_on());
        let other = Scope { programme: "other".parse().expect("a name"), ..scope(2) };
        assert!(!Passage { to: other, ..passage() }.leads_on());
        assert!(!Passage { to: Scope { suite: Suite::Oprf, ..scope(2) }, ..passage() }.leads_on());
    }

    #[test]
    fn what_is_not_ascending_or_not_whole_is_refused() {
        assert_eq!(subjects(&[[1; 16], [2; 16]].concat()).map(|all| all.len()), Ok(2));
        assert_eq!(subjects(&[]).map(|all| all.len()), Ok(0));
        for bad in [vec![1; 15], [[2; 16], [1; 16]].concat(), vec![1; 32]] {
            assert_eq!(subjects(&bad), Err(InvalidSuccession::Subjects));
        }
        let answer = |pairs: Vec<u8>, signature: usize| {
            Succession::try_from(wire::SucceedResponse { pairs, signature: vec![0; signature] })
        };
        assert_eq!(answer(vec![1; 31], 64), Err(InvalidSuccession::Subjects));
        assert_eq!(answer(vec![1; 64], 64), Err(InvalidSuccession::Subjects));
        assert_eq!(answer(vec![1; 32], 63), Err(InvalidSuccession::Signature));
    }
}
