//! A batch under evaluation, seen by the requester: it blinds, checks every holder's answer, and
//! combines and unblinds them.

use std::{fmt, num::NonZeroU8, sync::Arc};

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    element::{BatchError, check_size, decode_batch, encode_doubled},
    hashing::{HASH_TO_GROUP, hash_to_group, output},
    lagrange::Lagrange,
    proof::Statement,
    share::Evaluation,
    share_keys::ShareKeys,
};

/// The output of the function for one input: 64 bytes, as secret as the input.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Output([u8; 64]);

/// The inputs of one batch with their blinds, and the answers so far.
pub struct Blinding {
    keys: Arc<ShareKeys>,
    inputs: Vec<Zeroizing<Vec<u8>>>,
    blinds: Zeroizing<Vec<Scalar>>,
    elements: Vec<[u8; 32]>,
    // Half of each element: what is at hand after the blinding.
    halves: Vec<RistrettoPoint>,
    answers: Vec<(NonZeroU8, Vec<RistrettoPoint>)>,
}

/// Why a batch cannot be blinded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlindError {
    /// Ours: too many, or none.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random numbers")]
    Random,
}

/// Why an answer is not used, or the outputs cannot be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The manifest has no such holder.
    #[error("the federation manifest has no key holder {0}")]
    UnknownHolder(NonZeroU8),
    /// Each counts once.
    #[error("key holder {0} has answered this batch already")]
    Duplicate(NonZeroU8),
    /// Not an answer to this batch.
    #[error("key holder {holder} answered {got} elements where {expected} were asked")]
    Count {
        /// Who.
        holder: NonZeroU8,
        /// In the batch.
        expected: usize,
        /// In the answer.
        got: usize,
    },
    /// What was answered is no batch of elements.
    #[error("key holder {holder} answered badly: {fault}")]
    Batch {
        /// Who.
        holder: NonZeroU8,
        /// What is wrong.
        fault: BatchError,
    },
    /// Another share than the pinned one, other elements, or altered on the way.
    #[error(
        "key holder {0} did not prove that it used the share whose key is in the federation manifest: \
         its answer is not used; its share may be of another ceremony, or the answer was altered on \
         the way"
    )]
    Proof(NonZeroU8),
    /// Fewer than the threshold.
    #[error("{got} key holders have answered and {threshold} must")]
    TooFew {
        /// So far.
        got: usize,
        /// How many it takes.
        threshold: usize,
    },
}

impl Blinding {
    /// Blinds every input with a fresh random scalar.
    ///
    /// # Errors
    /// [`BlindError`].
    pub fn new(keys: Arc<ShareKeys>, inputs: &[impl AsRef<[u8]>]) -> Result<Self, BlindError> {
        check_size(inputs.len())?;
        let random = SystemRandom::new();
        let blinds = inputs.iter().map(|_| blind(&random)).collect::<Result<_, _>>()?;
        Ok(Self::with(keys, inputs, Zeroizing::new(blinds), HASH_TO_GROUP))
    }

    pub(super) fn with(
        keys: Arc<ShareKeys>,
        inputs: &[impl AsRef<[u8]>],
        blinds: Zeroizing<Vec<Scalar>>,
        dst: &[u8],
    ) -> Self {
        let half = |(input, blind): (_, &Scalar)| {
            let element = Zeroizing::new(hash_to_group(AsRef::as_ref(input), dst));
            &*element * &*Zeroizing::new(blind.div_by_2())
        };
        let halves: Vec<_> = inputs.iter().zip(blinds.iter()).map(half).collect();
        let elements = encode_doubled(&halves);
        let inputs = inputs.iter().map(|input| Zeroizing::new(input.as_ref().to_vec())).collect();
        Self { keys, inputs, blinds, elements, halves, answers: vec![] }
    }

    /// What the holders are to evaluate.
    pub fn elements(&self) -> &[[u8; 32]] {
        &self.elements
    }

    /// Takes a holder's answer in if it proves that the pinned share was used, on all elements.
    ///
    /// # Errors
    /// [`AnswerError`]; the answer is then not used, and another holder's may be.
    pub fn accept(&mut self, holder: NonZeroU8, answer: &Evaluation) -> Result<(), AnswerError> {
        let key = self.keys.get(holder).ok_or(AnswerError::UnknownHolder(holder))?;
        if self.answers.iter().any(|(index, _)| *index == holder) {
            return Err(AnswerError::Duplicate(holder));
        }
        let (expected, got) = (self.elements.len(), answer.elements.len());
        if got != expected {
            return Err(AnswerError::Count { holder, expected, got });
        }
        let evaluated =
            decode_batch(&answer.elements).map_err(|fault| AnswerError::Batch { holder, fault })?;
        let statement = Statement {
            key: &key.to_bytes(),
            blinded: &self.elements,
            evaluated: &answer.elements,
        };
        if !statement.verify(&answer.proof, &key.point, &self.halves, &evaluated) {
            return Err(AnswerError::Proof(holder));
        }
        self.answers.push((holder, evaluated));
        Ok(())
    }

    /// How many more holders must answer.
    pub fn wanted(&self) -> usize {
        self.keys.threshold().saturating_sub(self.answers.len())
    }

    /// The outputs, in the order of the inputs.
    ///
    /// # Errors
    /// [`AnswerError::TooFew`].
    pub fn finalize(mut self) -> Result<Vec<Output>, AnswerError> {
        let (got, threshold) = (self.answers.len(), self.keys.threshold());
        self.answers.truncate(threshold);
        if got < threshold {
            return Err(AnswerError::TooFew { got, threshold });
        }
        let indices: Vec<NonZeroU8> = self.answers.iter().map(|(index, _)| *index).collect();
        let lagrange = Lagrange::new(0, &indices);
        // Undoes the blind, divides by the denominator, and halves for the encoding: all in one.
        let factor = (lagrange.denominator() + lagrange.denominator()).invert();
        Scalar::invert_batch_alloc(&mut self.blinds);
        let halves = self.blinds.iter().enumerate().map(|(place, unblind)| {
            let answers = self.answers.iter().map(|(_, elements)| &elements[place]);
            lagrange.sum(answers) * *Zeroizing::new(unblind * factor)
        });
        let halves: Zeroizing<Vec<RistrettoPoint>> = Zeroizing::new(halves.collect());
        let unblinded = Zeroizing::new(encode_doubled(&halves));
        let outputs = self.inputs.iter().zip(unblinded.iter());
        Ok(outputs.map(|(input, element)| Output(*output(input, element))).collect())
    }
}

/// A random scalar that is not zero.
fn blind(random: &SystemRandom) -> Result<Scalar, BlindError> {
    let mut wide = Zeroizing::new([0; 64]);
    loop {
        random.fill(&mut wide[..]).map_err(|_| BlindError::Random)?;
        let blind = Scalar::from_bytes_mod_order_wide(&wide);
        if blind != Scalar::ZERO {
            return Ok(blind);
        }
    }
}

impl Output {
    /// The bytes, to derive from.
    pub fn expose(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinding")
    }
}
