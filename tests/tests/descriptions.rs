//! What an adapter might say of itself that is not so: refused, told, and nothing of it followed.

use std::sync::Arc;

use proto::wire;
use tests::tap::Tampering;

use crate::{capability, siege::Siege, town::agency};

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_differs_from_policy_or_manifest_is_refused() {
    let mut siege = Siege::begin("police").await;
    let alerts = siege.alerts().await;
    let before = siege.town.line(&siege.admin, "cars").await.expect("a line");
    let describe = |change: fn(&mut wire::DescribeResponse)| {
        let describe = move |mut answer| {
            change(&mut answer);
            answer
        };
        Tampering { describe: Some(Arc::new(describe)), ..Default::default() }
    };
    let cars = |change: fn(&mut wire::DatasetDescription)| {
        let describe = move |mut answer: wire::DescribeResponse| {
            let cars = answer.datasets.iter_mut().find(|d| d.dataset == "cars");
            change(cars.expect("described"));
            answer
        };
        Tampering { describe: Some(Arc::new(describe)), ..Default::default() }
    };
    for (tampering, id, words) in [
        (
            cars(|cars| cars.flags[0].name = "under".into()),
            "cars",
            "the adapter's flags are [under, number]",
        ),
        (cars(|cars| cars.flags.swap(0, 1)), "cars", "the policy's are [over, number]"),
        (cars(|cars| cars.kind = wire::DatasetKind::Watch.into()), "cars", "its kind is not"),
        (cars(|cars| cars.dataset = "ghosts".into()), "ghosts", "manifest does not list it"),
        (cars(|cars| cars.dataset = "help".into()), "help", "says it is aid's"),
    ] {
        siege.tap.tamper(tampering);
        siege.ask_again().await;
        let look = || async {
            let lines = siege.admin.clone().datasets().await?.into_iter();
            Ok(lines.filter(|line| line.agency == "police").collect::<Vec<_>>())
        };
        let told = |lines: &Vec<wire::DatasetStatus>| {
            lines.iter().any(|line| line.dataset == id && line.problem.contains(words))
        };
        siege.town.world.until(look, told).await.expect(words);
        let line = siege.town.line(&siege.admin, "cars").await.expect("a line");
        assert_eq!((&line.cursor, line.rows), (&before.cursor, before.rows), "{words}");
        assert_eq!(siege.alerts().await, alerts, "{words}");
    }
    for (tampering, words) in [
        (describe(|answer| answer.scope.as_mut().expect("a scope").epoch = 3), "epoch 3"),
        (describe(|answer| answer.agency = "aid".into()), "the adapter says it is aid's"),
        (describe(|answer| answer.vectors_hash[0] ^= 1), "other derivation vectors"),
    ] {
        siege.tap.tamper(tampering);
        siege.ask_again().await;
        let look = || async {
            let request = wire::ListAgenciesRequest {};
            let answer = siege.admin.admin.clone().list_agencies(request).await?.into_inner();
            Ok(answer.agencies.into_iter().find(|line| line.agency == "police"))
        };
        let told = |line: &Option<wire::AgencyStatus>| {
            line.as_ref().is_some_and(|line| !line.connected && line.problem.contains(words))
        };
        siege.town.world.until(look, told).await.expect(words);
        assert_eq!(siege.alerts().await, alerts, "{words}");
    }
    siege.tap.tamper(Tampering::default());
    siege.ask_again().await;
    siege.recovers("a good description").await;
    let lines = siege.admin.datasets().await.expect("lines");
    assert_eq!(lines.len(), 5, "nothing of the strangers is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_with_a_foreign_signature_goes_nowhere() {
    let mut siege = Siege::begin("police").await;
    let forged = |mut answer: wire::DescribeResponse| {
        answer.grants.iter_mut().filter(|g| g.dataset == "cars").for_each(|g| g.signature[9] ^= 1);
        answer
    };
    siege.tap.tamper(Tampering { describe: Some(Arc::new(forged)), ..Default::default() });
    siege.ask_again().await;
    let look = || async {
        let request = wire::ListGrantsRequest {};
        Ok(siege.admin.admin.clone().list_grants(request).await?.into_inner().grants)
    };
    let told = |grants: &Vec<wire::GrantStatus>| {
        let cars = grants.iter().find(|grant| grant.dataset == "cars");
        cars.is_some_and(|grant| grant.owner == "police" && grant.problem.contains("signature"))
    };
    siege.town.world.until(look, told).await.expect("the refusal is told");

    // A gateway that carried it all the same meets the grantee's own check.
    let mut police = capability::client(&siege.town.world, &agency("police")).await;
    let scope = Some((&siege.town.world.deployment.manifest.scope).into());
    let described = police.describe(wire::DescribeRequest { scope: scope.clone() }).await;
    let mut grants = described.expect("described").into_inner().grants;
    grants.retain(|grant| grant.dataset == "cars" && grant.grantee == "aid");
    grants[0].signature[9] ^= 1;
    let mut aid = capability::client(&siege.town.world, &agency("aid")).await;
    let answer = aid.deliver_grants(wire::DeliverGrantsRequest { scope, grants }).await;
    let refused = answer.expect("answered").into_inner().refused;
    assert_eq!((&*refused[0].dataset, &*refused[0].owner), ("cars", "police"));
    assert!(refused[0].reason.contains("signature"), "{}", refused[0].reason);
    siege.tap.tamper(Tampering::default());
    siege.ask_again().await;
    siege.recovers("a good grant").await;
}
