//! The proof that all elements of a batch were multiplied by one and the same share: RFC 9497 section
//! 2.2, batched.

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::VartimeMultiscalarMul};
use sha2::{Digest, Sha512};

use super::hashing::{hash_to_scalar, prefix};

const SEED_DST: &[u8] = b"Seed-OPRFV1-\x01-ristretto255-SHA512";

/// What is proven: that `evaluated` is `blinded` multiplied by the secret of `key`, element by element.
pub struct Statement<'a> {
    /// The share key.
    pub key: &'a [u8; 32],
    /// As the holder got them.
    pub blinded: &'a [[u8; 32]],
    /// As the holder answers.
    pub evaluated: &'a [[u8; 32]],
}

impl Statement<'_> {
    /// `GenerateProof`. A nonce MUST NOT serve for two statements: two proofs with it give the secret
    /// away.
    pub fn prove(&self, secret: &Scalar, nonce: &Scalar, blinded: &[RistrettoPoint]) -> [u8; 64] {
        // Variable time: weights and elements are known to everybody who sees the batch.
        let m = RistrettoPoint::vartime_multiscalar_mul(self.weights(), blinded);
        let z = m * secret;
        let challenge = self.challenge(&[m, z, RistrettoPoint::mul_base(nonce), m * nonce]);
        let response = nonce - challenge * secret;
        let mut proof = [0; 64];
        proof[..32].copy_from_slice(challenge.as_bytes());
        proof[32..].copy_from_slice(response.as_bytes());
        proof
    }

    /// `VerifyProof`, given all the elements decoded; those of `half_blinded` as half of what they are
    /// in the statement. In variable time, since nothing here is secret.
    pub fn verify(
        &self,
        proof: &[u8; 64],
        key: &RistrettoPoint,
        half_blinded: &[RistrettoPoint],
        evaluated: &[RistrettoPoint],
    ) -> bool {
        let (Some(challenge), Some(response)) = (scalar(&proof[..32]), scalar(&proof[32..])) else {
            return false;
        };
        let weights = self.weights();
        let half_m = RistrettoPoint::vartime_multiscalar_mul(&weights, half_blinded);
        let m = half_m + half_m;
        let z = RistrettoPoint::vartime_multiscalar_mul(&weights, evaluated);
        let t2 = RistrettoPoint::vartime_double_scalar_mul_basepoint(&challenge, key, &response);
        let t3 = RistrettoPoint::vartime_multiscalar_mul([&response, &challenge], [m, z]);
        self.challenge(&[m, z, t2, t3]) == challenge
    }

    /// The `d_i` of `ComputeComposites`.
    fn weights(&self) -> Vec<Scalar> {
        let seed = Sha512::new()
            .chain_update(prefix(self.key))
            .chain_update(self.key)
            .chain_update(prefix(SEED_DST))
            .chain_update(SEED_DST)
            .finalize();
        let weight = |(place, (blinded, evaluated)): (usize, (&[u8; 32], &[u8; 32]))| {
            let place = u16::try_from(place).expect("a batch has at most 2048 elements");
            hash_to_scalar(&[
                &prefix(&seed),
                &seed,
                &place.to_be_bytes(),
                &prefix(blinded),
                blinded,
                &prefix(evaluated),
                evaluated,
                b"Composite",
            ])
        };
        self.blinded.iter().zip(self.evaluated).enumerate().map(weight).collect()
    }

    fn challenge(&self, elements: &[RistrettoPoint; 4]) -> Scalar {
        let [a0, a1, a2, a3] = elements.map(|element| element.compress().to_bytes());
        let length = &prefix(self.key);
        hash_to_scalar(&[
            length,
            self.key,
            length,
            &a0,
            length,
            &a1,
            length,
            &a2,
            length,
            &a3,
            b"Challenge",
        ])
    }
}

/// A canonical scalar.
fn scalar(bytes: &[u8]) -> Option<Scalar> {
    Scalar::from_canonical_bytes(bytes.try_into().ok()?).into()
}
