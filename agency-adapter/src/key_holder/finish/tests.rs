//! Ceremonies, as they should be and as they should not.

use std::{collections::BTreeSet, sync::Arc};

use proto::manifest::Ceremony as Manner;

use super::*;
use crate::{
    key_holder::fixture::{
        agency, ceremony, contribution, draft, finished, index, keys, manifest, secrets,
    },
    oprf::{Blinding, Share, ShareKeys, ShareKeysError},
};

fn shares(ceremony: &Ceremony, epoch: u32) -> Vec<Share> {
    let holders = 1..=ceremony.sharing.holders();
    holders.map(|holder| finished(ceremony, holder).seeds.share(epoch).expect("a share")).collect()
}

fn share_keys(threshold: u8, shares: &[Share]) -> Result<ShareKeys, ShareKeysError> {
    let keys: Vec<[u8; 32]> = shares.iter().map(|share| share.public().to_bytes()).collect();
    ShareKeys::new(threshold, &keys)
}

/// What these holders make of one input.
fn output<'s>(keys: &Arc<ShareKeys>, holders: impl Iterator<Item = &'s Share>) -> Option<Vec<u8>> {
    let mut blinding = Blinding::new(keys.clone(), &[b"input"]).expect("random numbers");
    for share in holders {
        let answer = share.evaluate(blinding.elements()).expect("good elements");
        blinding.accept(share.index(), &answer).expect("a good proof");
    }
    blinding.finalize().ok().map(|outputs| outputs[0].expose().to_vec())
}

#[test]
fn any_threshold_of_shares_is_one_key_and_one_share_less_is_none() {
    for (threshold, holders) in [(2, 3), (3, 5), (4, 7)] {
        let shares = shares(&ceremony(threshold, holders), 1);
        let keys = Arc::new(share_keys(threshold, &shares).expect("one polynomial"));
        let mut outputs = BTreeSet::new();
        for group in 0..1_u32 << holders {
            let members = shares.iter().filter(|share| group >> (share.index().get() - 1) & 1 == 1);
            match group.count_ones() {
                size if size == u32::from(threshold) => {
                    outputs.insert(output(&keys, members).expect("enough"));
                }
                size if size + 1 == u32::from(threshold) => {
                    assert_eq!(output(&keys, members), None, "{group:b}");
                }
                _ => {}
            }
        }
        assert_eq!(outputs.len(), 1, "{threshold} of {holders}");
        let fewer = share_keys(threshold - 1, &shares).err();
        assert_eq!(fewer, Some(ShareKeysError::NotOneKey((threshold - 1).into())));
    }
}

#[test]
fn every_epoch_has_another_key_and_the_past_ones_cannot_be_computed() {
    let ceremony = ceremony(2, 3);
    let keys = [1, 2, 3].map(|epoch| {
        let shares = shares(&ceremony, epoch);
        let keys = Arc::new(share_keys(2, &shares).expect("one polynomial"));
        output(&keys, shares.iter().take(2)).expect("enough")
    });
    assert_eq!(BTreeSet::from(keys).len(), 3);

    let mut seeds = finished(&ceremony, 2).seeds;
    let later = |seeds: &Seeds| seeds.share(3).expect("a share").public().to_bytes();
    let (before, at_first) = (later(&seeds), seeds.clone());
    seeds.forward(2).expect("forward");
    assert!(later(&seeds) == before && seeds != at_first);
    assert!(seeds.share(1).expect_err("past").to_string().contains("deleted"));
    assert!(seeds.forward(1).is_err(), "no way back");
    assert!(seeds.share(u32::MAX).expect_err("a slip").to_string().contains("too far"));
}

#[test]
fn who_gives_members_different_secrets_is_found() {
    let ceremony = ceremony(2, 3);
    // Holder 1 signs one file for holder 2 and another for holder 3.
    let other: Secrets = ceremony
        .subsets_of(index(1))
        .into_iter()
        .map(|s| (s, Seed::from_bytes([99; 32])))
        .collect();
    let other = Contribution::seal(&ceremony, (index(1), &keys(1).signing), &other).expect("good");
    let own = Some(secrets(&ceremony, 3));
    let files = [other, contribution(&ceremony, 2)];
    let deceived = finish(&ceremony, (index(3), &keys(3).hpke), own, &files).expect("looks right");
    let mut shares = shares(&ceremony, 1);
    shares[2] = deceived.seeds.share(1).expect("a share");
    assert_eq!(share_keys(2, &shares).err(), Some(ShareKeysError::NotOneKey(2)));
    assert_ne!(deceived.transcript, finished(&ceremony, 2).transcript);
    assert_eq!(finished(&ceremony, 1).transcript, finished(&ceremony, 2).transcript);
}

#[test]
fn a_file_that_contradicts_itself_convicts_its_contributor() {
    let ceremony = ceremony(2, 3);
    let mut file = contribution(&ceremony, 1);
    file.parts[0].commitment[0] ^= 1;
    file.sign(&keys(1).signing);
    assert_eq!(refusal(&ceremony, &[file, contribution(&ceremony, 3)]), {
        ContributionError::Commitment(agency(1)).into()
    });
}

/// Why holder 2 does not finish with these files.
fn refusal(ceremony: &Ceremony, files: &[Contribution]) -> FinishError {
    let own = Some(secrets(ceremony, 2));
    finish(ceremony, (index(2), &keys(2).hpke), own, files).expect_err("refused")
}

#[test]
fn a_missing_doubled_foreign_changed_or_mixed_contribution_is_refused() {
    let ours = ceremony(2, 3);
    let [first, third] = [1, 3].map(|holder| contribution(&ours, holder));
    let missing = refusal(&ours, std::slice::from_ref(&first));
    assert_eq!(missing, FinishError::Missing(vec!["holder3".to_owned()]));
    let doubled = refusal(&ours, &[first.clone(), third.clone(), first.clone()]);
    assert_eq!(doubled, FinishError::Twice(agency(1)));

    let larger = ceremony(3, 4);
    let mixed = refusal(&ours, &[first.clone(), contribution(&larger, 3)]);
    assert!(mixed.to_string().contains("another ceremony"), "{mixed}");
    let mut foreign = contribution(&larger, 4);
    foreign.ceremony = ours.id();
    assert_eq!(refusal(&ours, &[foreign]), ContributionError::Foreign(agency(4)).into());

    let mut changed = third.clone();
    changed.parts[0].envelopes[0].1.ciphertext[0] ^= 1;
    let unsigned = refusal(&ours, &[first.clone(), changed.clone()]);
    assert_eq!(unsigned, ContributionError::Signature(agency(3)).into());
    let mut short = third.clone();
    short.parts.pop();
    short.sign(&keys(3).signing);
    assert_eq!(refusal(&ours, &[short]), ContributionError::Parts(agency(3)).into());
    let to_us = changed.parts.iter_mut().flat_map(|part| &mut part.envelopes);
    to_us.for_each(|(_, envelope)| envelope.ciphertext[0] ^= 2);
    changed.sign(&keys(3).signing);
    assert_eq!(refusal(&ours, &[changed]), ContributionError::Envelope(agency(3)).into());

    let mut own = contribution(&ours, 2);
    own.parts[0].commitment[0] ^= 1;
    own.sign(&keys(2).signing);
    assert_eq!(refusal(&ours, &[own, first, third]), FinishError::OwnDiffers);
}

#[test]
fn a_contribution_is_text_that_comes_back_the_same_and_shows_no_secret() {
    let ceremony = ceremony(3, 5);
    let sent = contribution(&ceremony, 4);
    let text = sent.to_text();
    assert_eq!(Contribution::parse(&text, &ceremony), Ok(sent));
    for (_, secret) in secrets(&ceremony, 4) {
        assert!(!text.contains(&hex::encode(secret.expose())));
    }
    let other = crate::key_holder::fixture::ceremony(2, 3);
    let problem = Contribution::parse(&text, &other).expect_err("refused");
    assert!(problem.contains("holder4") && problem.contains("one draft"), "{problem}");
}

#[test]
fn a_dealer_makes_one_key_alone_and_only_the_manifest_can_allow_it() {
    let draft = draft(2, 3, Manner::TrustedDealer);
    let dealt = Ceremony::of_draft(&draft.to_string()).expect("good");
    assert!(share_keys(2, &shares(&dealt, 1)).is_ok());
    let from_others = refusal(
        &dealt,
        &[contribution(&dealt, 1), {
            let mut foreign = contribution(&ceremony(2, 3), 3);
            foreign.ceremony = dealt.id();
            foreign
        }],
    );
    assert_eq!(from_others, ContributionError::Foreign(agency(3)).into());
    assert_ne!(dealt.id(), ceremony(2, 3).id());
    manifest(draft);
}
