//! The vectors of RFC 9497 appendix A.1.1 and A.1.2, and sharings of their key.

use std::{num::NonZeroU8, sync::Arc};

use curve25519_dalek::scalar::Scalar;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    Evaluation, Share, ShareKeys, blinding::Blinding, element::decode_batch, hashing::HASH_TO_GROUP,
};

const VECTORS: &str = include_str!("../../../proto/vectors/rfc9497-ristretto255-sha512.json");

/// The vectors of one mode.
#[derive(Deserialize)]
struct Mode {
    mode: u8,
    #[serde(rename = "groupDST")]
    group_dst: String,
    #[serde(rename = "skSm")]
    secret: String,
    #[serde(rename = "pkSm")]
    public: Option<String>,
    vectors: Vec<Vector>,
}

/// Fields with several values, one for each input of the batch, have commas between them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Vector {
    batch: usize,
    blind: String,
    blinded_element: String,
    evaluation_element: String,
    input: String,
    output: String,
    proof: Option<VectorProof>,
}

#[derive(Deserialize)]
struct VectorProof {
    proof: String,
    r: String,
}

fn modes() -> Vec<Mode> {
    let all: Vec<Mode> = serde_json::from_str(VECTORS).expect("the vectors of RFC 9497");
    all.into_iter().filter(|mode| mode.mode < 2).collect()
}

fn bytes(hex_digits: &str) -> Vec<u8> {
    hex::decode(hex_digits).expect("hex digits")
}

fn each<const N: usize>(values: &str) -> Vec<[u8; N]> {
    let value = |digits| bytes(digits).try_into().expect("the length of the value");
    values.split(',').map(value).collect()
}

fn scalars(values: &str) -> Vec<Scalar> {
    let scalar = |bytes| Scalar::from_canonical_bytes(bytes).expect("canonical");
    each(values).into_iter().map(scalar).collect()
}

impl Mode {
    fn share(&self, index: u8, scalar: Scalar) -> Share {
        Share::new(NonZeroU8::new(index).expect("from 1"), scalar).expect("not zero")
    }

    fn key(&self) -> Scalar {
        scalars(&self.secret)[0]
    }

    /// `holders` shares of the key, by a polynomial of degree `threshold` - 1.
    fn shares(&self, threshold: u8, holders: u8) -> (Vec<Share>, Arc<ShareKeys>) {
        let coefficients: Vec<Scalar> =
            (1..threshold).map(|n| self.key() * Scalar::from(n) + Scalar::from(77_u8)).collect();
        let value = |x: u8| {
            let highest_first = coefficients.iter().rev();
            highest_first.fold(Scalar::ZERO, |sum, c| (sum + c) * Scalar::from(x)) + self.key()
        };
        let shares: Vec<Share> = (1..=holders).map(|x| self.share(x, value(x))).collect();
        let keys: Vec<[u8; 32]> = shares.iter().map(|s| s.public().to_bytes()).collect();
        (shares, Arc::new(ShareKeys::new(threshold, &keys).expect("of one key")))
    }
}

impl Vector {
    fn inputs(&self) -> Vec<Vec<u8>> {
        self.input.split(',').map(bytes).collect()
    }

    fn blinding(&self, mode: &Mode, keys: Arc<ShareKeys>) -> Blinding {
        let blinds = Zeroizing::new(scalars(&self.blind));
        Blinding::with(keys, &self.inputs(), blinds, &bytes(&mode.group_dst))
    }

    /// With the vector's nonce, which is the RFC's random one; mode 0x00 has none.
    fn evaluate(&self, share: &Share) -> Evaluation {
        let blinded = each(&self.blinded_element);
        let points = decode_batch(&blinded).expect("elements");
        let nonce = self.proof.as_ref().map_or(Scalar::ONE, |proof| scalars(&proof.r)[0]);
        share.answer(&blinded, &points, &nonce)
    }

    fn outputs_of(&self, blinding: Blinding) -> bool {
        let outputs = blinding.finalize().expect("enough answers");
        outputs.iter().map(|output| *output.expose()).collect::<Vec<_>>() == each(&self.output)
    }
}

#[test]
fn every_vector_of_modes_0_and_1_comes_out_proofs_included() {
    let mut seen = 0;
    for mode in modes() {
        let (shares, keys) = mode.shares(1, 1);
        if let Some(public) = &mode.public {
            assert_eq!(hex::encode(shares[0].public().to_bytes()), *public);
            assert_eq!(bytes(&mode.group_dst), HASH_TO_GROUP);
        }
        for vector in &mode.vectors {
            let mut blinding = vector.blinding(&mode, keys.clone());
            assert_eq!(blinding.elements(), each(&vector.blinded_element));
            assert_eq!(blinding.elements().len(), vector.batch);
            let answer = vector.evaluate(&shares[0]);
            assert_eq!(answer.elements, each(&vector.evaluation_element));
            if let Some(golden) = &vector.proof {
                assert_eq!(hex::encode(answer.proof), golden.proof);
            }
            blinding.accept(shares[0].index(), &answer).expect("proven");
            assert!(vector.outputs_of(blinding));
            seen += 1;
        }
    }
    assert_eq!(seen, 5);
}

#[test]
fn every_subset_of_enough_holders_gives_the_vectors_outputs() {
    for (threshold, holders) in [(2, 3), (3, 5), (4, 7)] {
        for mode in modes() {
            let (shares, keys) = mode.shares(threshold, holders);
            for subset in 0_u32..1 << holders {
                if subset.count_ones() != u32::from(threshold) {
                    continue;
                }
                for vector in &mode.vectors {
                    let mut blinding = vector.blinding(&mode, keys.clone());
                    for share in &shares {
                        if subset & 1 << (share.index().get() - 1) != 0 {
                            blinding
                                .accept(share.index(), &vector.evaluate(share))
                                .expect("proven");
                        }
                    }
                    assert_eq!(blinding.wanted(), 0);
                    assert!(vector.outputs_of(blinding), "{threshold}/{holders}, {subset:b}");
                }
            }
        }
    }
}
