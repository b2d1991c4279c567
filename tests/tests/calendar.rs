//! The policy's calendar of working days ends with a year, and whoever runs the gateway is told in time.

use std::{fmt::Write, fs, time::Duration};

use proto::wire;
use tests::{deployment::ADMINISTRATOR, process::binary, staff_client::channel, world::World};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{fixture::system_today, helpline::helpline};

/// The gateway's policy has this year from the next reload on.
fn add_year(world: &World, year: i16) {
    let path = world.deployment.dir.join("policy.toml");
    let mut policy = fs::read_to_string(&path).expect("read");
    writeln!(policy, "[[cases.year]]\nyear = {year}\noff = []\nwork = []").expect("room");
    fs::write(&path, policy).expect("written");
}

async fn health(world: &World) -> anyhow::Result<ServingStatus> {
    let channel = channel(&world.deployment, &ADMINISTRATOR, world.gateway_address()).await?;
    let request = HealthCheckRequest { service: gateway::health::CALENDAR.into() };
    Ok(HealthClient::new(channel).check(request).await?.into_inner().status())
}

/// Up to when the calendar goes, and whether that is soon, as `ListRules` has it.
async fn told(world: &World) -> (String, bool) {
    let mut admin = world.client(&ADMINISTRATOR).await.expect("connected");
    let rules = admin.matches.list_rules(wire::ListRulesRequest {}).await;
    let rules = rules.expect("listed").into_inner();
    (rules.working_days_until, rules.working_days_end_soon)
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_days_before_the_calendar_ends_the_gateway_says_that_a_year_is_missing() {
    let mut world = helpline(&[], &[]);
    add_year(&world, 2026);
    world.start().await.expect("started");
    let becomes = |wanted: ServingStatus| {
        world.until(|| health(&world), move |is: &ServingStatus| *is == wanted)
    };
    becomes(ServingStatus::Serving).await.expect("all of December is there");
    assert_eq!(told(&world).await, ("2026-12-31".to_owned(), false));

    let first_of_december = Duration::from_secs(7 * 86_400);
    world.pass(first_of_december);
    becomes(ServingStatus::NotServing).await.expect("30 days are left");
    assert_eq!(told(&world).await, ("2026-12-31".to_owned(), true));
    world.pass(Duration::from_secs(31 * 86_400));
    becomes(ServingStatus::NotServing).await.expect("it has ended");
    assert_eq!(told(&world).await, (String::new(), true));

    add_year(&world, 2027);
    let mut admin = world.client(&ADMINISTRATOR).await.expect("connected");
    admin.admin.reload_policy(wire::ReloadPolicyRequest {}).await.expect("in force");
    becomes(ServingStatus::Serving).await.expect("a year is left");
    assert_eq!(told(&world).await, ("2027-12-31".to_owned(), false));
}

#[test]
fn a_check_of_the_configuration_says_that_a_year_is_missing_and_where_to_get_it() {
    let world = helpline(&[], &[]);
    let config = world.gateway_config().expect("written");
    let check = || {
        let mut gateway = std::process::Command::new(binary("gateway").expect("built"));
        let checked = gateway.arg("--config").arg(&config).arg("check").output().expect("run");
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success(), "a city works without it: {said}");
        said
    };
    let year = system_today().year();
    let said = check();
    let missing = [&format!("has no year {year}"), "[[cases.year]]", "gov.cn", "rules reload"];
    assert!(missing.iter().all(|words| said.contains(words)), "{said}");
    add_year(&world, year);
    add_year(&world, year + 1);
    let said = check();
    assert!(!said.contains("calendar") && said.contains("all is well"), "{said}");
}
