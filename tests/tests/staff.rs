//! Who sees what: roles, streets, pages, the watch stream, counts.

use std::time::Duration;

use futures::StreamExt;
use proto::{
    fault::reason_of,
    wire::{self, watch_alerts_response::Event},
};
use tests::{
    city::City,
    deployment::{ADMINISTRATOR, ANALYST, CITY_DESK, STREET_WORKER},
    world::World,
};

use crate::fixture::{expected_of, ids, settle, today, world_of};

async fn settled(seed: u64) -> (City, World) {
    let city = City::generate(3000, seed, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    let desk = world.desk().await.expect("desk");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;
    (city, world)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caseworker_of_one_street_sees_that_streets_alerts_only() {
    let (_, world) = settled(41).await;
    let mut desk = world.desk().await.expect("desk");
    let mut worker = world.client(&STREET_WORKER).await.expect("worker");
    let all = desk.alerts().await.expect("alerts");
    let (inside, outside): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|alert| alert.region.starts_with(STREET_WORKER.region));
    assert!(!outside.is_empty(), "there are alerts elsewhere");
    let seen = worker.alerts().await.expect("alerts");
    let key = |alerts: &[wire::Alert]| alerts.iter().map(|a| a.id.clone()).collect::<Vec<_>>();
    assert_eq!(key(&seen), key(&inside));
    let elsewhere = wire::GetAlertRequest { id: outside[0].id.clone() };
    let refused = worker.matches.get_alert(elsewhere).await.expect_err("not theirs");
    assert_eq!(reason_of(&refused).as_deref(), Some("NOT_FOUND"));
    let wider = wire::AlertFilter { region_prefix: "3201".into(), ..Default::default() };
    let request = wire::ListAlertsRequest { filter: Some(wider), ..Default::default() };
    let narrowed = worker.matches.list_alerts(request).await.expect("asked").into_inner();
    assert_eq!(key(&narrowed.alerts), key(&inside), "asking for more gives no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_call_what_it_is_for_and_nothing_else() {
    let (_, world) = settled(42).await;
    let refused = |status: tonic::Status| reason_of(&status).unwrap_or_default();
    let mut admin = world.client(&ADMINISTRATOR).await.expect("admin");
    let mut analyst = world.client(&ANALYST).await.expect("analyst");
    let mut desk = world.client(&CITY_DESK).await.expect("desk");
    let list = wire::ListAlertsRequest::default;
    assert_eq!(refused(admin.matches.list_alerts(list()).await.expect_err("no")), "NOT_PERMITTED");
    assert_eq!(
        refused(analyst.matches.list_alerts(list()).await.expect_err("no")),
        "NOT_PERMITTED"
    );
    let reload = wire::ReloadPolicyRequest {};
    assert_eq!(refused(desk.admin.reload_policy(reload).await.expect_err("no")), "NOT_PERMITTED");
    admin.admin.reload_policy(reload).await.expect("an administrator may");
    let rules = analyst.matches.list_rules(wire::ListRulesRequest {}).await.expect("all may");
    assert_eq!(rules.into_inner().rules.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_give_every_alert_once_and_filters_narrow_them() {
    let (_, world) = settled(43).await;
    let mut desk = world.desk().await.expect("desk");
    let all = ids(&mut desk).await;
    let (mut seen, mut page_token) = (vec![], String::new());
    loop {
        let request = wire::ListAlertsRequest { page_size: 3, page_token, filter: None };
        let page = desk.matches.list_alerts(request).await.expect("a page").into_inner();
        assert!(page.alerts.len() <= 3);
        seen.extend(page.alerts);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), all.len());
    let rule = seen[0].rule.clone();
    let filter = wire::AlertFilter { rule: rule.clone(), ..Default::default() };
    let request = wire::ListAlertsRequest { filter: Some(filter), ..Default::default() };
    let some = desk.matches.list_alerts(request).await.expect("a page").into_inner().alerts;
    let wanted = seen.iter().filter(|alert| alert.rule == rule).count();
    assert!(some.len() == wanted && some.iter().all(|alert| alert.rule == rule));
    let nonsense = wire::ListAlertsRequest { page_token: "?".into(), ..Default::default() };
    let refused = desk.matches.list_alerts(nonsense).await.expect_err("no token of ours");
    assert_eq!(reason_of(&refused).as_deref(), Some("INVALID_ARGUMENT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_gets_every_change_once_also_after_it_was_away() {
    let (city, world) = settled(44).await;
    let mut desk = world.desk().await.expect("desk");
    let there = ids(&mut desk).await;
    let request = wire::WatchAlertsRequest { filter: None, resume_after: 0 };
    let mut stream = desk.matches.watch_alerts(request).await.expect("watching").into_inner();
    let (mut seen, mut last) = (std::collections::BTreeMap::new(), 0);
    while seen.len() < there.len() {
        let event = stream.next().await.expect("open").expect("good").event.expect("not empty");
        if let Event::Alert(alert) = event {
            assert!(alert.revision > last, "in the order of change");
            last = alert.revision;
            // One that was told while data arrived, and taken back, is not live any more.
            if alert.state() != wire::AlertState::Withdrawn {
                seen.insert((alert.subject, alert.rule), alert.id);
            }
        }
    }
    assert_eq!(seen, there);
    drop(stream);

    let changed = city.next_day(3);
    changed.write_sources(&world.deployment.dir).expect("written");
    world.pass(Duration::from_secs(60));
    world.reload_all().expect("reloading");
    let wanted = expected_of(&changed, &world.deployment, &[]);
    settle(&world, &desk, &wanted).await;
    let request = wire::WatchAlertsRequest { filter: None, resume_after: last };
    let mut stream = desk.matches.watch_alerts(request).await.expect("watching").into_inner();
    let newest = desk.alerts().await.expect("alerts").iter().map(|a| a.revision).max();
    while Some(last) < newest {
        let event = stream.next().await.expect("open").expect("good").event.expect("not empty");
        if let Event::Alert(alert) = event {
            assert!(alert.revision > last, "nothing from before");
            last = alert.revision;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_counts_and_hides_small_ones() {
    use wire::evaluate_rule_request::Rule;
    let (city, world) = settled(45).await;
    let mut analyst = world.client(&ANALYST).await.expect("analyst");
    let rule = r#"
[[rule]]
id = "trial"
zh = "试"
en = "Trial"
situation = "job_loss"
when = "true"
assist = ["home_visit"]
due = "24h"
"#;
    let request = |rule| wire::EvaluateRuleRequest { rule: Some(rule) };
    let everybody = analyst.matches.evaluate_rule(request(Rule::Toml(rule.into()))).await;
    let counts = everybody.expect("evaluated").into_inner();
    let base = city.base().count() as u64;
    assert_eq!(counts.alerts, Some(wire::Count { value: base, suppressed: false }));
    assert_eq!(counts.base, counts.alerts);

    let few = rule.replace("\"true\"", "\"public_security.accident_affected.recent\"");
    let counts = analyst.matches.evaluate_rule(request(Rule::Toml(few))).await;
    let count = counts.expect("evaluated").into_inner().alerts.expect("a count");
    assert!(count.suppressed && count.value == 0, "{count:?}");

    let wrong = rule.replace("\"true\"", "\"tax_declaration.incom < 60000\"");
    let refused = analyst.matches.evaluate_rule(request(Rule::Toml(wrong))).await;
    let status = refused.expect_err("no such flag");
    assert_eq!(reason_of(&status).as_deref(), Some("INVALID_POLICY"));
    assert!(status.message().contains("line 7"), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_policy_is_refused_with_its_place_and_the_old_one_stays() {
    let (_, world) = settled(46).await;
    let mut admin = world.client(&ADMINISTRATOR).await.expect("admin");
    let path = world.deployment.dir.join("policy.toml");
    let good = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, good.replace("homes < 2", "homes < 3")).expect("written");
    let refused = admin.admin.reload_policy(wire::ReloadPolicyRequest {}).await;
    let status = refused.expect_err("3 is no edge of a band");
    assert_eq!(reason_of(&status).as_deref(), Some("INVALID_POLICY"));
    assert!(status.message().contains("line "), "{}", status.message());
    let rules = admin.matches.list_rules(wire::ListRulesRequest {}).await.expect("asked");
    let version = rules.into_inner().policy_version;
    assert_eq!(version, blake3::hash(good.as_bytes()).as_bytes(), "the old one stays");

    let fewer = good.split("[[rule]]\nid = \"sudden-event\"").next().expect("a part").to_owned();
    std::fs::write(&path, &fewer).expect("written");
    let answer = admin.admin.reload_policy(wire::ReloadPolicyRequest {}).await.expect("good");
    assert_eq!(answer.into_inner().rules, 7);
}
