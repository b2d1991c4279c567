//! What travels between a requester and a key holder (PROTOCOL.md section 15.3): signed batches of
//! blinded elements, and what came of them.
//!
//! Owns their form and the requester's signature. Elements are bytes here: the curve is the
//! adapter's, and the gateway that carries them computes nothing with them.

use tonic::{Code, Status};

use crate::{
    fault::{self, Reason},
    labels,
    lp::LengthPrefixed,
    name::AgencyId,
    scope::Scope,
    signing::{BadSignature, SigningKey, VerifyingKey},
    wire,
};

/// Elements in a request at the most.
pub const MAX_BATCH: usize = 2048;
/// More of a refusal's message is not carried.
const LONGEST_MESSAGE: usize = 1000;

/// The encoding of a group element.
pub type Element = [u8; 32];

/// A batch of blinded elements from one agency for one key holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationRequest {
    /// Under which epoch's key.
    pub scope: Scope,
    /// Who asks and signs.
    pub requester: AgencyId,
    /// Who is asked.
    pub holder: AgencyId,
    /// Which of the requester's batches to this holder in this epoch it is.
    pub number: u64,
    elements: Vec<Element>,
    signature: [u8; 64],
}

/// A holder's answer: every element multiplied by its share, and one proof over all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// In the order of the request.
    pub elements: Vec<Element>,
    /// Challenge and response of the DLEQ proof.
    pub proof: [u8; 64],
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationAnswer {
    /// Whom the request was for.
    pub holder: AgencyId,
    /// The request's number.
    pub number: u64,
    /// The evaluation, or why there is none.
    pub outcome: Result<Evaluation, EvaluationRefusal>,
}

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationRefusal {
    /// The reason.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

/// A message of the wrong form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvaluation {
    /// No programme, epoch and suite.
    #[error("the message names no programme, epoch and suite")]
    Scope,
    /// Not a name.
    #[error("requester and holder must be names of agencies")]
    Name,
    /// Numbers begin at 1.
    #[error("the number of a request is at least 1")]
    Number,
    /// Nothing, too many, or not whole elements.
    #[error("a batch is 1 to {MAX_BATCH} elements of 32 bytes")]
    Elements,
    /// Not 64 bytes.
    #[error("a signature and a proof are 64 bytes")]
    Length,
    /// An answer that is neither an evaluation nor a refusal with a reason of this version.
    #[error("the answer is neither an evaluation nor a refusal of a known reason")]
    Outcome,
}

impl EvaluationRequest {
    /// Signs a batch.
    ///
    /// # Errors
    /// [`InvalidEvaluation`] where it has no elements, too many, or number 0.
    pub fn sign(
        scope: &Scope,
        (requester, key): (&AgencyId, &SigningKey),
        (holder, number): (&AgencyId, u64),
        elements: Vec<Element>,
    ) -> Result<Self, InvalidEvaluation> {
        check_number(number)?;
        if elements.is_empty() || elements.len() > MAX_BATCH {
            return Err(InvalidEvaluation::Elements);
        }
        let mut request = Self {
            scope: scope.clone(),
            requester: requester.clone(),
            holder: holder.clone(),
            number,
            elements,
            signature: [0; 64],
        };
        request.signature = key.sign(&request.signed_bytes());
        Ok(request)
    }

    /// Checks the requester's signature.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, requester_key: &VerifyingKey) -> Result<(), BadSignature> {
        requester_key.verify(&self.signed_bytes(), &self.signature)
    }

    /// The blinded elements, 1 to [`MAX_BATCH`] of them.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// What is signed: everything but the signature. Two requests are the same batch exactly if these
    /// bytes are the same.
    pub fn signed_bytes(&self) -> Vec<u8> {
        LengthPrefixed::new()
            .field(labels::EVALUATION_SIGNATURE.as_bytes())
            .byte(self.scope.suite.to_byte())
            .field(self.scope.programme.as_str().as_bytes())
            .number(self.scope.epoch)
            .field(self.requester.as_str().as_bytes())
            .field(self.holder.as_str().as_bytes())
            .long_number(self.number)
            .field(self.elements.as_flattened())
            .as_bytes()
            .to_vec()
    }
}

impl EvaluationRefusal {
    /// What a holder's status comes to for the requester. A status without a reason is not the
    /// holder's word: it could not be reached, or not in time.
    pub fn of_status(status: &Status) -> Self {
        match fault::reason_of(status).and_then(|reason| Reason::from_name(&reason)) {
            Some(reason) => Self { reason, message: shortened(status.message()) },
            None if status.code() == Code::ResourceExhausted => {
                Self { reason: Reason::Busy, message: "the key holder is busy".to_owned() }
            }
            None => Self {
                reason: Reason::HolderUnavailable,
                message: "the key holder did not answer".to_owned(),
            },
        }
    }
}

fn shortened(message: &str) -> String {
    message.chars().take(LONGEST_MESSAGE).collect()
}

fn check_number(number: u64) -> Result<(), InvalidEvaluation> {
    if number == 0 { Err(InvalidEvaluation::Number) } else { Ok(()) }
}

fn elements(bytes: &[u8]) -> Result<Vec<Element>, InvalidEvaluation> {
    let (elements, rest) = bytes.as_chunks();
    if elements.is_empty() || elements.len() > MAX_BATCH || !rest.is_empty() {
        return Err(InvalidEvaluation::Elements);
    }
    Ok(elements.to_vec())
}

impl TryFrom<wire::EvaluationRequest> for EvaluationRequest {
    type Error = InvalidEvaluation;

    fn try_from(request: wire::EvaluationRequest) -> Result<Self, InvalidEvaluation> {
        let scope = request.scope.ok_or(InvalidEvaluation::Scope)?;
        check_number(request.number)?;
        Ok(Self {
            scope: scope.try_into().map_err(|_| InvalidEvaluation::Scope)?,
            requester: request.requester.parse().map_err(|_| InvalidEvaluation::Name)?,
            holder: request.holder.parse().map_err(|_| InvalidEvaluation::Name)?,
            number: request.number,
            elements: elements(&request.elements)?,
            signature: request.signature.try_into().map_err(|_| InvalidEvaluation::Length)?,
        })
    }
}

impl From<&EvaluationRequest> for wire::EvaluationRequest {
    fn from(request: &EvaluationRequest) -> Self {
        Self {
            scope: Some((&request.scope).into()),
            requester: request.requester.to_string(),
            holder: request.holder.to_string(),
            number: request.number,
            elements: request.elements.as_flattened().to_vec(),
            signature: request.signature.to_vec(),
        }
    }
}

impl TryFrom<wire::Evaluation> for Evaluation {
    type Error = InvalidEvaluation;

    fn try_from(evaluation: wire::Evaluation) -> Result<Self, InvalidEvaluation> {
        Ok(Self {
            elements: elements(&evaluation.elements)?,
            proof: evaluation.proof.try_into().map_err(|_| InvalidEvaluation::Length)?,
        })
    }
}

impl From<&Evaluation> for wire::Evaluation {
    fn from(evaluation: &Evaluation) -> Self {
        Self {
            elements: evaluation.elements.as_flattened().to_vec(),
            proof: evaluation.proof.to_vec(),
        }
    }
}

impl TryFrom<wire::EvaluationAnswer> for EvaluationAnswer {
    type Error = InvalidEvaluation;

    fn try_from(answer: wire::EvaluationAnswer) -> Result<Self, InvalidEvaluation> {
        use wire::evaluation_answer::Outcome;
        check_number(answer.number)?;
        let outcome = match answer.outcome.ok_or(InvalidEvaluation::Outcome)? {
            Outcome::Evaluation(evaluation) => Ok(evaluation.try_into()?),
            Outcome::Refusal(refusal) => Err(EvaluationRefusal {
                reason: Reason::from_name(&refusal.reason).ok_or(InvalidEvaluation::Outcome)?,
                message: shortened(&refusal.message),
            }),
        };
        let holder = answer.holder.parse().map_err(|_| InvalidEvaluation::Name)?;
        Ok(Self { holder, number: answer.number, outcome })
    }
}

impl From<&EvaluationAnswer> for wire::EvaluationAnswer {
    fn from(answer: &EvaluationAnswer) -> Self {
        use wire::evaluation_answer::Outcome;
        let outcome = match &answer.outcome {
            Ok(evaluation) => Outcome::Evaluation(evaluation.into()),
            Err(refusal) => Outcome::Refusal(wire::EvaluationRefusal {
                reason: refusal.reason.as_str().to_owned(),
                message: refusal.message.clone(),
            }),
        };
        Self { holder: answer.holder.to_string(), number: answer.number, outcome: Some(outcome) }
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::scope::Suite;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&Zeroizing::new([seed; 32]))
    }

    fn signed(elements: Vec<Element>) -> Result<EvaluationRequest, InvalidEvaluation> {
        let scope =
            Scope { programme: "demo".parse().expect("name"), epoch: 1, suite: Suite::Oprf };
        let (requester, holder) = ("aid".parse().expect("name"), "tax".parse().expect("name"));
        EvaluationRequest::sign(&scope, (&requester, &key(1)), (&holder, 7), elements)
    }

    #[test]
    fn a_request_verifies_only_as_it_was_signed() {
        let request = signed(vec![[2; 32], [3; 32]]).expect("good");
        let carried = EvaluationRequest::try_from(wire::EvaluationRequest::from(&request));
        assert_eq!(carried, Ok(request.clone()));
        assert!(request.verify(&key(1).verifying_key()).is_ok());
        assert!(request.verify(&key(2).verifying_key()).is_err(), "another agency's");

        type Change = fn(&mut EvaluationRequest);
        let changes: [Change; 7] = [
            |r| r.scope.epoch = 2,
            |r| r.scope.suite = Suite::SaltedHash,
            |r| r.scope.programme = "other".parse().expect("name"),
            |r| r.requester = "police".parse().expect("name"),
            |r| r.holder = "police".parse().expect("name"),
            |r| r.number = 8,
            |r| r.elements.swap(0, 1),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut changed = request.clone();
            change(&mut changed);
            assert!(changed.verify(&key(1).verifying_key()).is_err(), "change {index}");
        }
    }

    #[test]
    fn a_batch_has_1_to_2048_whole_elements_and_a_number() {
        assert_eq!(signed(vec![]).err(), Some(InvalidEvaluation::Elements));
        assert_eq!(signed(vec![[1; 32]; 2049]).err(), Some(InvalidEvaluation::Elements));
        let largest = signed(vec![[1; 32]; 2048]).expect("good");

        let refused = |change: fn(&mut wire::EvaluationRequest)| {
            let mut request = wire::EvaluationRequest::from(&largest);
            change(&mut request);
            EvaluationRequest::try_from(request).err()
        };
        use InvalidEvaluation::{Elements, Length, Name, Number, Scope};
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|r| r.elements.clear()), Some(Elements));
        assert_eq!(refused(|r| r.elements.truncate(33)), Some(Elements));
        assert_eq!(refused(|r| r.elements.extend([0; 32])), Some(Elements));
        assert_eq!(refused(|r| r.number = 0), Some(Number));
        assert_eq!(refused(|r| r.signature.truncate(63)), Some(Length));
        assert_eq!(refused(|r| r.scope = None), Some(Scope));
        assert_eq!(refused(|r| r.holder = "税务".to_owned()), Some(Name));
    }

    #[test]
    fn an_answer_is_an_evaluation_or_a_reason() {
        let holder: AgencyId = "tax".parse().expect("name");
        let answer = |outcome| EvaluationAnswer { holder: holder.clone(), number: 7, outcome };
        let evaluation = Evaluation { elements: vec![[4; 32]], proof: [5; 64] };
        let spent = Reason::QuotaExceeded.status("600000 of 600000 are used");
        let refusal = EvaluationRefusal::of_status(&spent);
        assert_eq!((refusal.reason, refusal.message.len()), (Reason::QuotaExceeded, 25));
        for answer in [answer(Ok(evaluation)), answer(Err(refusal))] {
            let carried = EvaluationAnswer::try_from(wire::EvaluationAnswer::from(&answer));
            assert_eq!(carried, Ok(answer));
        }
        let gone =
            EvaluationRefusal::of_status(&Status::unavailable("connection reset by 10.0.0.1"));
        assert_eq!(gone.reason, Reason::HolderUnavailable);
        assert!(!gone.message.contains("10.0"), "inner words stay inside");
        let mut silent = wire::EvaluationAnswer::from(&answer(Err(gone)));
        silent.outcome = None;
        assert_eq!(EvaluationAnswer::try_from(silent), Err(InvalidEvaluation::Outcome));
    }
}
