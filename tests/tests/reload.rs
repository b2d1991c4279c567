//! What changes while everything runs: sources, policy, catalogue, grants.

use std::time::Duration;

use tests::{
    deployment::Deployment,
    oracle::{Policy, random::SMALL_POLICY},
    process::{Manner, binary},
};

use crate::{fixture::ids, machines::Machines, siege::RULE};

/// Replaces the policy and has the gateway read it.
async fn policy(machines: &mut Machines, text: &str) {
    let path = machines.town.world.deployment.dir.join("policy.toml");
    std::fs::write(path, text).expect("written");
    machines.gateway.signal("HUP").await.expect("it runs");
    machines.town.policy = Policy::read(text).expect("good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_has_adapters_read_their_sources_and_the_gateway_its_policy() {
    let mut machines = Machines::start(Manner::default(), |_| {}).await;
    machines.come_to(false, &[]).await;
    let before = machines.town.line(&machines.admin, "cars").await.expect("a line");
    machines.write(true);
    machines.hang_up().await;
    machines.come_to(true, &[]).await;
    let after = machines.town.line(&machines.admin, "cars").await.expect("a line");
    let (before, after) = (before.cursor.expect("held"), after.cursor.expect("held"));
    assert_eq!(before.log, after.log, "the same log goes on");
    assert_eq!(after.version, before.version + 1);

    machines.write(false);
    machines.hang_up().await;
    machines.come_to(false, &[]).await;

    let strict = SMALL_POLICY.to_owned() + &RULE.replace("cars.number < 2", "cars.number < 1");
    policy(&mut machines, &strict).await;
    let before = machines.town.live.len();
    machines.come_to(false, &[]).await;
    assert_eq!(machines.town.live.len(), before - 1, "whoever has a car");

    // Another catalogue: everything is released and opened again, and alerts keep their ids.
    let kept = ids(&mut machines.desk).await;
    let (head, rest) = strict.split_once("[[dataset]]\nid = \"ill\"").expect("it has one");
    let (_, tail) = rest.split_once("[[dataset]]").expect("others follow");
    policy(&mut machines, &format!("{head}[[dataset]]{tail}")).await;
    let listed = |lines: &[proto::wire::DatasetStatus]| {
        lines.iter().any(|line| line.dataset == "ill" && line.problem.contains("catalogue"))
    };
    while !listed(&machines.admin.datasets().await.expect("lines")) {
        assert_eq!(ids(&mut machines.desk).await, kept);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    machines.come_to(false, &[]).await;
    assert_eq!(ids(&mut machines.desk).await, kept);
    machines.write(true);
    machines.hang_up().await;
    machines.come_to(true, &[]).await;
}

fn config(deployment: &Deployment, agency: &str) -> std::path::PathBuf {
    deployment.adapter_config(&agency.parse().expect("a name"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_given_while_everything_runs_is_carried() {
    let mut machines = Machines::start(Manner::default(), |town| {
        let issued = town.world.deployment.dir.join("police/state/grants/1/issued");
        std::fs::remove_file(issued.join("cars.aid.grant")).expect("taken back");
    })
    .await;
    // Households are asked by police's own secrets; the subject's own cars are not known.
    machines.come_to(false, &["cars"]).await;
    let granted = std::process::Command::new(binary("agency-adapter").expect("built"))
        .arg("--config")
        .arg(config(&machines.town.world.deployment, "police"))
        .args(["grant", "cars", "--to", "aid"])
        .output()
        .expect("run");
    assert!(granted.status.success(), "{}", String::from_utf8_lossy(&granted.stderr));
    machines.come_to(false, &[]).await;
}
