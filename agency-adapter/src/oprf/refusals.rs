//! What holders and requesters refuse (PROTOCOL.md section 15.1), and what they never tell.

use std::{num::NonZeroU8, sync::Arc};

use curve25519_dalek::{
    constants::RISTRETTO_BASEPOINT_POINT, ristretto::RistrettoPoint, scalar::Scalar,
};

use super::{
    AnswerError, BatchError, BlindError, Blinding, Evaluation, MAX_BATCH, Share, ShareKeys,
    ShareKeysError,
};

const IDENTITY: [u8; 32] = [0; 32];
/// A field element that is not reduced, a negative one, and one that is no element's (RFC 9496
/// appendix A.2).
const NOT_CANONICAL: [&str; 3] = [
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
];

/// The order of the group, little-endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn index(index: u8) -> NonZeroU8 {
    NonZeroU8::new(index).expect("from 1")
}

fn encoding(hex_digits: &str) -> [u8; 32] {
    hex::decode(hex_digits).expect("hex digits").try_into().expect("32 bytes")
}

fn value(x: u8) -> Scalar {
    Scalar::from(41_u8) + Scalar::from(x) * Scalar::from(1_000_003_u32)
}

/// 2 of 3 holders.
fn federation() -> (Vec<Share>, Arc<ShareKeys>) {
    let shares: Vec<Share> = (1..=3).filter_map(|x| Share::new(index(x), value(x))).collect();
    let keys = ShareKeys::new(2, &public(&shares)).expect("of one key");
    (shares, Arc::new(keys))
}

fn public(shares: &[Share]) -> Vec<[u8; 32]> {
    shares.iter().map(|share| share.public().to_bytes()).collect()
}

/// Three inputs blinded, with the answers of all holders.
fn answered() -> (Blinding, Vec<Evaluation>) {
    let (shares, keys) = federation();
    let blinding = Blinding::new(keys, &["a", "b", "c"]).expect("blinded");
    let answers =
        shares.iter().map(|share| share.evaluate(blinding.elements()).expect("evaluated"));
    let answers = answers.collect();
    (blinding, answers)
}

/// What comes of the first holder's answer, changed.
fn accepted(change: impl FnOnce(&mut Evaluation)) -> Result<(), AnswerError> {
    let (mut blinding, mut answers) = answered();
    change(&mut answers[0]);
    let result = blinding.accept(index(1), &answers[0]);
    if result.is_err() {
        assert_eq!(blinding.wanted(), 2, "a refused answer does not count");
    }
    result
}

#[test]
fn an_answer_that_nobody_changed_is_accepted() {
    assert_eq!(accepted(|_| ()), Ok(()));
}

#[test]
fn a_tampered_element_is_refused() {
    let moved = |element: &mut [u8; 32]| {
        let point = super::element::decode(element).expect("an element");
        *element = (point + RISTRETTO_BASEPOINT_POINT).compress().to_bytes();
    };
    assert_eq!(
        accepted(|answer| moved(&mut answer.elements[2])),
        Err(AnswerError::Proof(index(1)))
    );
}

#[test]
fn swapped_elements_are_refused() {
    assert_eq!(accepted(|answer| answer.elements.swap(0, 1)), Err(AnswerError::Proof(index(1))));
}

#[test]
fn the_identity_is_refused_on_both_sides() {
    let fault = BatchError::Element(2);
    let refused = accepted(|answer| answer.elements[1] = IDENTITY);
    assert_eq!(refused, Err(AnswerError::Batch { holder: index(1), fault }));
    let mut asked = answered().0.elements().to_vec();
    asked[1] = IDENTITY;
    assert_eq!(federation().0[0].evaluate(&asked), Err(fault));
}

#[test]
fn encodings_that_are_not_canonical_are_refused_on_both_sides() {
    for bytes in NOT_CANONICAL.map(encoding) {
        let fault = BatchError::Element(1);
        let refused = accepted(|answer| answer.elements[0] = bytes);
        assert_eq!(refused, Err(AnswerError::Batch { holder: index(1), fault }));
        assert_eq!(federation().0[0].evaluate(&[bytes]), Err(fault));
    }
}

#[test]
fn an_answer_of_another_length_is_refused() {
    let count = |got| Err(AnswerError::Count { holder: index(1), expected: 3, got });
    assert_eq!(accepted(|answer| answer.elements.truncate(2)), count(2));
    assert_eq!(accepted(|answer| answer.elements.push(answer.elements[0])), count(4));
}

#[test]
fn a_tampered_proof_is_refused() {
    for byte in 0..64 {
        let refused = accepted(|answer| answer.proof[byte] ^= 1);
        assert_eq!(refused, Err(AnswerError::Proof(index(1))), "byte {byte}");
    }
}

#[test]
fn a_response_that_is_not_reduced_is_refused() {
    let refused = accepted(|answer| {
        // The same scalar in another encoding: only its form is wrong.
        let mut carry = 0;
        for (byte, order) in answer.proof[32..].iter_mut().zip(encoding(ORDER)) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            (*byte, carry) = ((sum & 0xff) as u8, sum >> 8);
        }
        assert_eq!(carry, 0);
    });
    assert_eq!(refused, Err(AnswerError::Proof(index(1))));
}

#[test]
fn an_answer_under_another_share_than_the_pinned_one_is_refused() {
    let (mut blinding, answers) = answered();
    let another_holders = blinding.accept(index(1), &answers[1]);
    assert_eq!(another_holders, Err(AnswerError::Proof(index(1))));
    // What a relay would answer that evaluates with a key of its own.
    let own = Share::new(index(1), Scalar::from(99_u8)).expect("a share");
    let substituted = own.evaluate(blinding.elements()).expect("evaluated");
    assert_eq!(blinding.accept(index(1), &substituted), Err(AnswerError::Proof(index(1))));
}

#[test]
fn an_answer_to_another_batch_is_refused() {
    let ((mut blinding, _), (_, others)) = (answered(), answered());
    assert_eq!(blinding.accept(index(1), &others[0]), Err(AnswerError::Proof(index(1))));
}

#[test]
fn a_holders_second_answer_does_not_count() {
    let (mut blinding, answers) = answered();
    blinding.accept(index(2), &answers[1]).expect("proven");
    assert_eq!(blinding.accept(index(2), &answers[1]), Err(AnswerError::Duplicate(index(2))));
    assert_eq!(blinding.wanted(), 1);
}

#[test]
fn a_holder_that_the_manifest_does_not_list_is_refused() {
    let (mut blinding, answers) = answered();
    assert_eq!(blinding.accept(index(4), &answers[0]), Err(AnswerError::UnknownHolder(index(4))));
    assert!(Share::new(index(17), Scalar::ONE).is_none(), "no more than 16 holders");
}

#[test]
fn fewer_answers_than_the_threshold_give_nothing() {
    let (mut blinding, answers) = answered();
    blinding.accept(index(3), &answers[2]).expect("proven");
    let too_few = AnswerError::TooFew { got: 1, threshold: 2 };
    assert_eq!(blinding.finalize().err(), Some(too_few));
}

#[test]
fn after_a_refused_answer_other_holders_do() {
    let (mut blinding, mut answers) = answered();
    answers[0].elements.swap(0, 1);
    assert!(blinding.accept(index(1), &answers[0]).is_err());
    for holder in [2, 3] {
        blinding.accept(index(holder), &answers[usize::from(holder) - 1]).expect("proven");
    }
    let (mut all, answers) = answered();
    for (holder, answer) in (1..).zip(&answers) {
        all.accept(index(holder), answer).expect("proven");
    }
    assert_eq!(blinding.finalize().expect("two"), all.finalize().expect("three"));
}

#[test]
fn batches_of_none_and_of_too_many_are_refused_on_both_sides() {
    let (shares, keys) = federation();
    let element = RISTRETTO_BASEPOINT_POINT.compress().to_bytes();
    for size in [0, MAX_BATCH + 1] {
        let refused = Blinding::new(keys.clone(), &vec!["x"; size]).err();
        assert_eq!(refused, Some(BlindError::Batch(BatchError::Size(size))));
        assert_eq!(shares[0].evaluate(&vec![element; size]), Err(BatchError::Size(size)));
    }
}

#[test]
fn a_share_of_zero_is_refused() {
    assert!(Share::new(index(1), Scalar::ZERO).is_none());
}

#[test]
fn share_keys_that_are_no_keys_are_refused() {
    for bytes in NOT_CANONICAL.map(encoding).into_iter().chain([IDENTITY]) {
        let mut keys = public(&federation().0);
        keys[1] = bytes;
        assert_eq!(ShareKeys::new(2, &keys), Err(ShareKeysError::Key(2)));
    }
}

#[test]
fn share_keys_that_are_not_on_one_polynomial_are_refused() {
    for place in 0..3 {
        let mut keys = public(&federation().0);
        keys[place] = RistrettoPoint::mul_base(&Scalar::from(5_u8)).compress().to_bytes();
        assert_eq!(ShareKeys::new(2, &keys), Err(ShareKeysError::NotOneKey(2)));
    }
    let mut keys = public(&federation().0);
    keys.swap(0, 1);
    assert_eq!(ShareKeys::new(2, &keys), Err(ShareKeysError::NotOneKey(2)));
    assert!(ShareKeys::new(3, &keys).is_ok(), "three keys are always on a parabola");
}

#[test]
fn share_keys_of_a_key_of_zero_are_refused() {
    let shares = (1..=3).filter_map(|x| Share::new(index(x), Scalar::from(x)));
    let keys = public(&shares.collect::<Vec<_>>());
    assert_eq!(ShareKeys::new(2, &keys), Err(ShareKeysError::NotOneKey(2)));
}

#[test]
fn thresholds_that_mean_nothing_are_refused() {
    let keys = public(&federation().0);
    for threshold in [0, 4] {
        let holders = 3;
        let fault = ShareKeysError::Numbers { threshold: usize::from(threshold), holders };
        assert_eq!(ShareKeys::new(threshold, &keys), Err(fault));
    }
    let many = vec![keys[0]; 17];
    assert!(matches!(ShareKeys::new(1, &many), Err(ShareKeysError::Numbers { .. })));
}

#[test]
fn a_replay_is_answered_identically_and_no_nonce_serves_for_two_batches() {
    let (shares, _) = federation();
    let (blinding, answers) = answered();
    assert_eq!(shares[0].evaluate(blinding.elements()).as_ref(), Ok(&answers[0]));
    let (_, others) = answered();
    // s * G + c * K is the nonce's commitment.
    let commitment = |answer: &Evaluation| {
        let [c, s] = [&answer.proof[..32], &answer.proof[32..]]
            .map(|half| Scalar::from_bytes_mod_order(half.try_into().expect("32 bytes")));
        RistrettoPoint::mul_base(&s) + shares[0].public().point * c
    };
    assert_ne!(commitment(&answers[0]), commitment(&others[0]));
}

#[test]
fn every_element_has_a_blind_of_its_own() {
    let (_, keys) = federation();
    let blinded =
        |inputs| Blinding::new(keys.clone(), inputs).expect("blinded").elements().to_vec();
    let (first, second) = (blinded(&["a", "a"]), blinded(&["a", "a"]));
    let distinct: std::collections::BTreeSet<_> = first.iter().chain(&second).collect();
    assert_eq!(distinct.len(), 4);
}

#[test]
fn nothing_secret_is_printed() {
    let (mut blinding, answers) = answered();
    assert_eq!(format!("{blinding:?}"), "Blinding");
    for holder in [1, 2] {
        blinding.accept(index(holder), &answers[usize::from(holder) - 1]).expect("proven");
    }
    assert_eq!(format!("{:?}", blinding.finalize().expect("two")), "[Output, Output, Output]");
    assert_eq!(format!("{:?}", federation().0[0]), "Share");
}
