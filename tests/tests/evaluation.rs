//! Suite `oprf` end to end: adapters ask key holders through the gateway, and publish what comes of it.

use std::{collections::BTreeMap, fs, num::NonZeroU8, sync::Arc};

use agency_adapter::{
    key_holder::{directory, ledger::Ledger},
    oprf::Share,
};
use curve25519_dalek::scalar::Scalar;
use proto::{name::AgencyId, scope::Suite, wire};
use tests::{
    city::City,
    deployment::ADMINISTRATOR,
    tap::{Answering, Tampering, Tap},
    world::World,
};

use crate::fixture::{expected_of, settle, today, world_under};

const POPULATION: usize = 300;

fn city() -> City {
    City::generate(POPULATION, 11, today())
}

fn holders(world: &World) -> Vec<AgencyId> {
    world.deployment.manifest.holders().agencies.clone()
}

/// What the holders have counted, by holder and requester.
fn counted(world: &World) -> BTreeMap<(AgencyId, AgencyId), u64> {
    let mut counted = BTreeMap::new();
    for holder in holders(world) {
        let state = world.deployment.dir.join(holder.as_str()).join("state");
        let (usage, read) = Ledger::usage(&directory(&state));
        read.expect("a good journal");
        counted.extend(usage.into_iter().map(|line| ((holder.clone(), line.requester), line.used)));
    }
    counted
}

/// What an agency's `doctor` would find of its progress.
fn progress(world: &World, agency: &AgencyId) -> String {
    let file = format!("{agency}/state/roots/1/progress.json");
    fs::read_to_string(world.deployment.dir.join(file)).unwrap_or_default()
}

/// An agency that is no holder and has a dataset.
fn another(world: &World) -> AgencyId {
    let holders = holders(world);
    let datasets = world.deployment.manifest.datasets();
    let mut owners = datasets.map(|(_, dataset)| dataset.owner.clone());
    owners.find(|owner| !holders.contains(owner)).expect("most agencies are no holders")
}

async fn waits_for(world: &World, agency: &AgencyId, words: &[&str]) {
    let look = || async { Ok(progress(world, agency)) };
    let all = |text: &String| words.iter().all(|word| text.contains(word));
    world.until(look, all).await.expect("the reason is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn suite_oprf_raises_what_the_oracle_says_and_a_restart_evaluates_nobody_again() {
    let city = city();
    let mut world = world_under(Suite::Oprf, &city);
    world.start().await.expect("started");
    world.arrived(&[]).await.expect("everything is published");
    let desk = world.desk().await.expect("connected");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;

    let before = counted(&world);
    assert!(before.values().sum::<u64>() > POPULATION as u64, "{before:?}");
    let admin = world.client(&ADMINISTRATOR).await.expect("connected");
    let agencies = admin.clone().admin.list_agencies(wire::ListAgenciesRequest {}).await;
    let agencies = agencies.expect("answered").into_inner().agencies;
    let carried: u64 = agencies.iter().map(|agency| agency.evaluations_carried).sum();
    assert_eq!(carried, before.values().sum::<u64>(), "the gateway carried what was counted");

    let agency = another(&world);
    world.stop_adapter(&agency).await.expect("stopped");
    world.pass(std::time::Duration::from_secs(60));
    world.start_adapter(&agency).await.expect("started");
    world.reload_all().expect("told");
    world.arrived(&[]).await.expect("published again");
    assert_eq!(counted(&world), before, "everybody's root was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_holder_down_is_no_outage_and_of_two_down_the_agency_is_told() {
    let mut world = world_under(Suite::Oprf, &city());
    world.start_adapters().await.expect("started");
    let holders = holders(&world);
    for holder in &holders[1..] {
        world.stop_adapter(holder).await.expect("stopped");
    }
    world.start_gateway().await.expect("started");
    let agency = another(&world);
    let named: Vec<&str> = holders[1..].iter().map(AgencyId::as_str).collect();
    waits_for(&world, &agency, &[named[0], named[1], "HOLDER_UNAVAILABLE"]).await;

    world.start_adapter(&holders[1]).await.expect("started");
    let datasets = world.deployment.manifest.datasets();
    let down = datasets.filter(|(_, dataset)| dataset.owner == holders[2]);
    let down: Vec<&str> = down.map(|(id, _)| id.as_str()).collect();
    world.arrived(&down).await.expect("two of three are enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_altered_on_the_way_is_refused_and_the_holder_named() {
    let mut world = world_under(Suite::Oprf, &city());
    world.start_adapters().await.expect("started");
    let holders = holders(&world);
    let swapped: Answering = Arc::new(|_, mut answer| {
        let (first, rest) = answer.elements.split_at_mut(32);
        first.swap_with_slice(&mut rest[..32]);
        answer
    });
    let other_key: Answering = Arc::new(|request, _| {
        let share = Share::new(NonZeroU8::MIN, Scalar::from(7_u8)).expect("not zero");
        let (elements, _) = request.elements.as_chunks();
        let evaluation = share.evaluate(elements).expect("good elements");
        let (elements, proof) = (evaluation.elements.concat(), evaluation.proof.to_vec());
        wire::Evaluation { elements, proof }
    });
    let mut taps = vec![];
    for (holder, evaluate) in holders.iter().zip([swapped, other_key]) {
        let tap = Tap::start(&world.deployment, holder, world.adapter_address(holder));
        let tap = tap.await.expect("a tap");
        tap.tamper(Tampering { evaluate: Some(evaluate), ..Tampering::default() });
        world.reach_through(holder, tap.address);
        taps.push(tap);
    }
    world.start_gateway().await.expect("started");
    let agency = another(&world);
    let named: Vec<&str> = holders.iter().map(AgencyId::as_str).collect();
    waits_for(&world, &agency, &[named[0], named[1], "did not prove"]).await;

    taps[0].tamper(Tampering::default());
    world.arrived(&[]).await.expect("two honest holders are enough");
}
