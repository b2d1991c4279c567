//! Holders and their ceremonies in memory, for tests.

use std::num::NonZeroU8;

use proto::{
    envelope::EnvelopePrivateKey,
    manifest::{Agency, Ceremony as Manner, Epoch, Manifest},
    manifest_file::ManifestFile,
    name::AgencyId,
    scope::Suite,
    signing::SigningKey,
};
use zeroize::Zeroizing;

use super::{
    ceremony::Ceremony,
    contribution::Contribution,
    finish::{Finished, finish},
    pending::Secrets,
    seeds::Seed,
};
use crate::keys::Keys;

/// A holder's index.
pub fn index(index: u8) -> NonZeroU8 {
    NonZeroU8::new(index).expect("from 1")
}

/// The name of a holder.
pub fn agency(index: u8) -> AgencyId {
    format!("holder{index}").parse().expect("a name")
}

/// Its keys.
pub fn keys(index: u8) -> Keys {
    let seed = |part: u8| {
        let mut seed = Zeroizing::new([part; 32]);
        seed[0] = index;
        seed
    };
    Keys {
        signing: SigningKey::from_seed(&seed(1)),
        hpke: EnvelopePrivateKey::from_bytes(&seed(2)),
        witness: SigningKey::from_seed(&seed(3)),
    }
}

/// The draft of a manifest with these holders and no other agency, each with a quota of 10,000.
pub fn draft(threshold: u8, holders: u8, manner: Manner) -> ManifestFile {
    let mut file = crate::fixture::manifest(&[], &[]);
    file.suite = Suite::Oprf;
    file.holders.threshold = index(threshold);
    file.holders.agencies = (1..=holders).map(agency).collect();
    file.holders.ceremony = Some(manner);
    file.datasets = crate::fixture::manifest(
        &[],
        &[("base", "holder1", proto::manifest_file::EntryKind::Base)],
    )
    .datasets;
    let listed = |number| Agency {
        id: agency(number),
        signing_key: keys(number).signing.verifying_key(),
        hpke_key: keys(number).hpke.public(),
        witness_key: keys(number).witness.verifying_key(),
        quota: 10_000,
    };
    file.agencies = (1..=holders).map(listed).collect();
    file
}

/// The same as a ceremony.
pub fn ceremony(threshold: u8, holders: u8) -> Ceremony {
    let draft = draft(threshold, holders, Manner::Distributed);
    Ceremony::of_draft(&draft.to_string()).expect("good")
}

/// A contributor's secrets, each of another byte.
pub fn secrets(ceremony: &Ceremony, contributor: u8) -> Secrets {
    let subsets = ceremony.subsets_of(index(contributor)).into_iter().zip(1..);
    subsets
        .map(|(subset, byte): (_, u8)| (subset, Seed::from_bytes([(16 * contributor) ^ byte; 32])))
        .collect()
}

/// What a contributor sends.
pub fn contribution(ceremony: &Ceremony, contributor: u8) -> Contribution {
    let secrets = secrets(ceremony, contributor);
    let key = keys(contributor).signing;
    Contribution::seal(ceremony, (index(contributor), &key), &secrets).expect("good keys")
}

/// What a holder has after a ceremony in which everybody did as they should.
pub fn finished(ceremony: &Ceremony, holder: u8) -> Finished {
    let contributors = ceremony.all_contributors();
    let own = contributors.contains(&index(holder)).then(|| secrets(ceremony, holder));
    let others = contributors.iter().filter(|from| from.get() != holder);
    let files: Vec<Contribution> = others.map(|from| contribution(ceremony, from.get())).collect();
    finish(ceremony, (index(holder), &keys(holder).hpke), own, &files).expect("all is right")
}

/// The manifest after the ceremony, with the share keys of epochs 1 and 2.
pub fn manifest(mut draft: ManifestFile) -> Manifest {
    let ceremony = Ceremony::of_draft(&draft.to_string()).expect("good");
    let all: Vec<Finished> =
        (1..=ceremony.sharing.holders()).map(|holder| finished(&ceremony, holder)).collect();
    let share_key = |finished: &Finished, epoch| {
        finished.seeds.share(epoch).expect("not past").public().to_bytes()
    };
    let first = draft.epochs[0].clone();
    draft.epochs = vec![
        Epoch { share_keys: all.iter().map(|f| share_key(f, 1)).collect(), ..first.clone() },
        Epoch {
            number: 2,
            until: first.until.tomorrow().expect("a day"),
            share_keys: all.iter().map(|f| share_key(f, 2)).collect(),
        },
    ];
    draft.check().expect("good")
}
