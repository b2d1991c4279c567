//! Every check of a request, each with what it refuses.

use std::{fs, sync::Arc};

use proto::{manifest::Ceremony as Manner, manifest_file::ManifestFile, name::ProgrammeId};

use super::*;
use crate::{
    key_holder::{
        fixture::{self, agency, finished, index, keys},
        journal::Journal,
        ledger::Ledger,
    },
    oprf::{Blinding, Evaluation as Answer, ShareKeys},
};

/// Holder 2 of 3, and a manifest with epochs 1 and 2.
struct World {
    directory: tempfile::TempDir,
    holder: KeyHolder,
    manifest: Manifest,
}

fn draft() -> ManifestFile {
    fixture::draft(2, 3, Manner::Distributed)
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let ceremony = super::super::ceremony::Ceremony::of_draft(&draft().to_string());
        let seeds = finished(&ceremony.expect("good"), 2).seeds;
        seeds.write(directory.path()).expect("written");
        let home = super::directory(directory.path());
        Journal::begin(&home, jiff::Timestamp::UNIX_EPOCH).expect("begun");
        let holder = open(directory.path());
        Self { directory, holder, manifest: fixture::manifest(draft()) }
    }

    fn answer(&self, request: &EvaluationRequest) -> Result<Evaluation, Refusal> {
        self.holder.answer(&self.manifest, request)
    }

    fn restarted(self) -> Self {
        let Self { directory, holder, manifest } = self;
        drop(holder);
        let holder = open(directory.path());
        Self { directory, holder, manifest }
    }

    fn used(&self) -> u64 {
        let (usage, _) = Ledger::usage(&super::directory(self.directory.path()));
        usage.iter().map(|account| account.used).sum()
    }

    /// What holder 1 asks of holder 2, in epoch 1.
    fn request(&self, number: u64, elements: Vec<[u8; 32]>) -> EvaluationRequest {
        self.request_in(1, number, elements)
    }

    fn request_in(&self, epoch: u32, number: u64, elements: Vec<[u8; 32]>) -> EvaluationRequest {
        let scope = Scope { epoch, ..self.manifest.scope.clone() };
        signed(&scope, 1, number, elements)
    }
}

fn open(state_dir: &Path) -> KeyHolder {
    KeyHolder::new(state_dir, &agency(2), Clock::manual(jiff::Timestamp::UNIX_EPOCH))
}

fn signed(scope: &Scope, from: u8, number: u64, elements: Vec<[u8; 32]>) -> EvaluationRequest {
    let key = keys(from).signing;
    EvaluationRequest::sign(scope, (&agency(from), &key), (&agency(2), number), elements)
        .expect("well formed")
}

/// Good elements, other ones for every content.
fn elements(content: u8, count: usize) -> Vec<[u8; 32]> {
    use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
    let first = Scalar::from(u64::from(content) * 100_000 + 2);
    let point = |offset| RistrettoPoint::mul_base(&(first + Scalar::from(offset)));
    (0..count as u64).map(|offset| point(offset).compress().to_bytes()).collect()
}

#[test]
fn an_answer_proves_that_the_pinned_share_was_used() {
    let world = World::new();
    for epoch in [1, 2] {
        let manifest = world.manifest.in_epoch(epoch).expect("live");
        let keys = ShareKeys::new(2, &manifest.epoch().share_keys).expect("one key");
        let mut blinding = Blinding::new(Arc::new(keys), &[b"a", b"b"]).expect("random numbers");
        let request = world.request_in(epoch, 1, blinding.elements().to_vec());
        let Evaluation { elements, proof } = world.answer(&request).expect("answered");
        blinding.accept(index(2), &Answer { elements, proof }).expect("proven");
    }
    assert_eq!(world.used(), 4);
}

#[test]
fn a_replay_is_free_and_identical_also_after_newer_batches_and_a_restart() {
    let world = World::new();
    let first = world.request(5, elements(1, 3));
    let answer = world.answer(&first).expect("answered");
    world.answer(&world.request(9, elements(2, 4))).expect("answered");
    assert_eq!(world.answer(&first).expect("answered"), answer);
    let world = world.restarted();
    assert_eq!(world.answer(&first).expect("answered"), answer);
    assert_eq!(world.used(), 7);
}

#[test]
fn a_number_that_was_used_for_other_elements_is_refused() {
    let world = World::new();
    world.answer(&world.request(5, elements(1, 3))).expect("answered");
    let refused = world.answer(&world.request(5, elements(2, 3))).expect_err("refused");
    assert!(matches!(refused, Refusal::Account(AccountError::OtherBatch(5))), "{refused}");
}

#[test]
fn over_the_quota_nothing_is_answered_and_nothing_counted() {
    let mut file = draft();
    file.agencies[0].quota = 5;
    let world = World { manifest: fixture::manifest(file), ..World::new() };
    world.answer(&world.request(1, elements(1, 3))).expect("answered");
    let refused = world.answer(&world.request(2, elements(2, 3))).expect_err("refused");
    assert!(matches!(refused, Refusal::Account(AccountError::Quota { .. })), "{refused}");
    let world = world.restarted();
    assert!(world.answer(&world.request(3, elements(3, 3))).is_err(), "after a restart as well");
    assert_eq!(world.used(), 3);
    world.answer(&world.request_in(2, 1, elements(1, 5))).expect("a quota of its own");
}

#[test]
fn another_scope_or_an_epoch_that_is_not_live_is_refused() {
    let world = World::new();
    let scope = &world.manifest.scope;
    let programme: ProgrammeId = "other".parse().expect("a name");
    for scope in [
        Scope { epoch: 3, ..scope.clone() },
        Scope { epoch: 0, ..scope.clone() },
        Scope { programme, ..scope.clone() },
        Scope { suite: Suite::SaltedHash, ..scope.clone() },
    ] {
        let refused = world.answer(&signed(&scope, 1, 1, elements(1, 1))).expect_err("refused");
        assert!(matches!(refused, Refusal::Scope(_)), "{refused}");
    }
}

#[test]
fn a_foreign_signature_a_stranger_and_another_holders_request_are_refused() {
    let world = World::new();
    let (scope, batch) = (&world.manifest.scope, elements(1, 1));
    let mut foreign = signed(scope, 3, 1, batch.clone());
    foreign.requester = agency(1);
    let refused = world.answer(&foreign).expect_err("refused");
    assert!(matches!(refused, Refusal::Signature(_)), "{refused}");
    let mut renumbered = world.request(1, batch.clone());
    renumbered.number = 2;
    let refused = world.answer(&renumbered).expect_err("refused");
    assert!(matches!(refused, Refusal::Signature(_)), "{refused}");
    let refused = world.answer(&signed(scope, 4, 1, batch.clone())).expect_err("refused");
    assert!(matches!(refused, Refusal::UnknownRequester(_)), "{refused}");

    let (to, key) = (agency(3), keys(1).signing);
    let other = EvaluationRequest::sign(scope, (&agency(1), &key), (&to, 1), batch);
    let refused = world.answer(&other.expect("well formed")).expect_err("refused");
    assert!(matches!(refused, Refusal::OtherHolder(_)), "{refused}");
    assert_eq!(world.used(), 0);
}

#[test]
fn the_identity_and_what_is_no_element_are_refused_and_not_counted() {
    let world = World::new();
    let mut not_canonical = elements(1, 1)[0];
    not_canonical[31] |= 0x80;
    for (number, bad) in (1..).zip([[0; 32], [0xff; 32], not_canonical]) {
        let request = world.request(number, vec![elements(1, 1)[0], bad]);
        let refused = world.answer(&request).expect_err("refused");
        assert!(matches!(refused, Refusal::Elements(_)), "{refused}");
    }
    assert_eq!(world.used(), 0);
    world.answer(&world.request(1, elements(1, 1))).expect("its number is free");
}

#[test]
fn without_the_share_that_the_manifest_pins_nothing_is_answered() {
    let world = World::new();
    let request = world.request(1, elements(1, 1));
    let mut other_key = draft();
    other_key.epochs = world.manifest.epochs().to_vec();
    other_key.epochs[0].share_keys.swap(0, 1);
    let other_key = other_key.check().expect("good");
    let refused = world.holder.answer(&other_key, &request).expect_err("refused");
    assert!(matches!(refused, Refusal::Share(ShareError::OtherKey(1))), "{refused}");

    fs::remove_file(super::directory(world.directory.path()).join("seeds")).expect("removed");
    let world = world.restarted();
    let refused = world.answer(&request).expect_err("refused");
    assert!(matches!(refused, Refusal::Share(ShareError::NoSeeds)), "{refused}");
}

#[test]
fn a_manifest_is_signed_only_with_the_own_share_keys_and_first_with_the_ceremonys_holders() {
    let world = World::new();
    let (state, tax) = (world.directory.path(), agency(2));
    let may = |manifest: &Manifest, first| may_sign((state, &tax), manifest, first);
    may(&world.manifest, true).expect("all is right");
    let mut file = draft();
    file.epochs = world.manifest.epochs().to_vec();
    file.epochs[1].share_keys.swap(0, 1);
    let refused = may(&file.clone().check().expect("good"), false).expect_err("refused");
    assert!(matches!(refused, ShareError::OtherKey(2)), "{refused}");
    file.epochs[1].share_keys.swap(0, 1);
    file.agencies[0].hpke_key = keys(9).hpke.public();
    let other_keys = file.check().expect("good");
    let refused = may(&other_keys, true).expect_err("refused");
    assert!(matches!(refused, ShareError::OtherCeremony), "{refused}");
    may(&other_keys, false).expect("holder 1 has a new key since");
    world.holder.forget_before(2).expect("forgotten");
    may(&world.manifest, true).expect("an epoch that is over cannot be compared");
}

#[test]
fn after_an_epoch_is_forgotten_its_share_cannot_be_computed() {
    let world = World::new();
    world.answer(&world.request(1, elements(1, 1))).expect("answered");
    let next = world.request_in(2, 1, elements(1, 1));
    let before = world.answer(&next).expect("answered");
    world.holder.forget_before(2).expect("forgotten");
    let world = world.restarted();
    let refused = world.answer(&world.request(1, elements(1, 1))).expect_err("refused");
    let past = matches!(refused, Refusal::Share(ShareError::Seeds(SeedsError::Past(1))));
    assert!(past, "{refused}");
    assert_eq!(world.answer(&next).expect("answered"), before);
    let state = world.directory.path();
    assert_eq!(Seeds::read(state).expect("readable").map(|seeds| seeds.epoch()), Some(2));
    world.holder.forget_before(1).expect("nothing to do");
}

#[test]
fn with_a_restored_journal_nothing_is_answered_until_somebody_says_so() {
    let world = World::new();
    world.answer(&world.request(1, elements(1, 1))).expect("answered");
    let World { directory, holder, manifest } = world;
    drop(holder);
    let journal = super::directory(directory.path()).join("journal");
    fs::copy(&journal, directory.path().join("backup")).expect("copied");
    fs::rename(directory.path().join("backup"), &journal).expect("restored");
    let world = World { holder: open(directory.path()), directory, manifest };
    let request = world.request(2, elements(2, 1));
    let refused = world.answer(&request).expect_err("refused");
    assert!(matches!(refused, Refusal::Journal(JournalError::Copied(_))), "{refused}");
    let home = super::directory(world.directory.path());
    Journal::resume(&home, jiff::Timestamp::UNIX_EPOCH).expect("resumed");
    world.answer(&request).expect("without a restart");
}
