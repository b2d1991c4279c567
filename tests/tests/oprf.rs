//! The function of suite `oprf` (PROTOCOL.md section 15.1) beside an independent implementation of RFC
//! 9497, the crate `voprf`, on random keys and inputs.

use std::{num::NonZeroU8, sync::Arc};

use agency_adapter::oprf::{Blinding, Evaluation, Share, ShareKeys};
use curve25519_dalek::scalar::Scalar;
use proptest::{collection::vec, prelude::*, sample::subsequence};
use rand_core::OsRng;
use voprf::{BlindedElement, EvaluationElement, Proof, Ristretto255, VoprfClient, VoprfServer};

fn scalar() -> impl Strategy<Value = Scalar> {
    let bytes = (any::<[u8; 32]>(), any::<[u8; 32]>());
    let wide = bytes.prop_map(|(low, high)| [low, high].concat().try_into().expect("64 bytes"));
    wide.prop_map(|wide| Scalar::from_bytes_mod_order_wide(&wide))
        .prop_filter("no key is zero", |scalar| *scalar != Scalar::ZERO)
}

fn inputs() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 1..40), 1..12)
}

fn theirs(key: &Scalar) -> VoprfServer<Ristretto255> {
    VoprfServer::new_with_key(key.as_bytes()).expect("a key")
}

fn share(index: usize, scalar: Scalar) -> Share {
    let index = u8::try_from(index).ok().and_then(NonZeroU8::new).expect("from 1");
    Share::new(index, scalar).expect("not zero")
}

/// One for each index from 1: values of the polynomial with these coefficients, the lowest first.
fn shares(holders: usize, polynomial: &[Scalar]) -> Vec<Share> {
    let value = |x: usize| {
        let highest_first = polynomial.iter().rev();
        highest_first.fold(Scalar::ZERO, |sum, c| sum * Scalar::from(x as u64) + c)
    };
    (1..=holders).map(|x| share(x, value(x))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_three_of_five_holders_give_what_voprf_computes_with_the_whole_key(
        polynomial in vec(scalar(), 3),
        answering in subsequence(vec![0_usize, 1, 2, 3, 4], 3).prop_shuffle(),
        inputs in inputs(),
    ) {
        let shares = shares(5, &polynomial);
        let keys: Vec<_> = shares.iter().map(|share| share.public().to_bytes()).collect();
        let keys = Arc::new(ShareKeys::new(3, &keys).expect("of one key"));
        let mut blinding = Blinding::new(keys, &inputs).expect("blinded");
        for place in answering {
            let answer = shares[place].evaluate(blinding.elements()).expect("evaluated");
            blinding.accept(shares[place].index(), &answer).expect("proven");
        }
        let theirs = theirs(&polynomial[0]);
        for (input, output) in inputs.iter().zip(blinding.finalize().expect("three answered")) {
            let expected = theirs.evaluate(input).expect("computed");
            prop_assert_eq!(&output.expose()[..], &expected[..]);
        }
    }

    #[test]
    fn our_requester_accepts_what_their_server_answers(key in scalar(), inputs in inputs()) {
        let server = theirs(&key);
        let keys = ShareKeys::new(1, &[share(1, key).public().to_bytes()]).expect("one key");
        let mut blinding = Blinding::new(Arc::new(keys), &inputs).expect("blinded");
        let blinded: Vec<BlindedElement<Ristretto255>> = blinding
            .elements()
            .iter()
            .map(|bytes| BlindedElement::deserialize(bytes).expect("an element"))
            .collect();
        let answer = server.batch_blind_evaluate(&mut OsRng, &blinded).expect("evaluated");
        let bytes = |element: &EvaluationElement<_>| element.serialize().into();
        let answer = Evaluation {
            elements: answer.messages.iter().map(bytes).collect(),
            proof: answer.proof.serialize().into(),
        };
        blinding.accept(NonZeroU8::MIN, &answer).expect("proven");
        for (input, output) in inputs.iter().zip(blinding.finalize().expect("answered")) {
            let expected = server.evaluate(input).expect("computed");
            prop_assert_eq!(&output.expose()[..], &expected[..]);
        }
    }

    #[test]
    fn their_client_accepts_what_our_holder_answers(key in scalar(), inputs in inputs()) {
        let server = theirs(&key);
        let (mut clients, mut blinded) = (vec![], vec![]);
        for input in &inputs {
            let started = VoprfClient::<Ristretto255>::blind(input, &mut OsRng).expect("blinded");
            clients.push(started.state);
            blinded.push(<[u8; 32]>::from(started.message.serialize()));
        }
        let answer = share(1, key).evaluate(&blinded).expect("evaluated");
        let messages: Vec<EvaluationElement<Ristretto255>> = answer
            .elements
            .iter()
            .map(|bytes| EvaluationElement::deserialize(bytes).expect("an element"))
            .collect();
        let proof = Proof::deserialize(&answer.proof).expect("a proof");
        let slices: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let outputs =
            VoprfClient::batch_finalize(&slices, &clients, &messages, &proof, server.get_public_key())
                .expect("proven");
        for (input, output) in inputs.iter().zip(outputs) {
            prop_assert_eq!(output.expect("computed"), server.evaluate(input).expect("computed"));
        }
    }
}
