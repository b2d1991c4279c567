//! The numbers at `/metrics`: who may read them, that they name nobody, and that whatever the documents
//! tell people to watch is there.

use std::{collections::BTreeSet, fs, path::Path};

use tests::{
    deployment::{ADMINISTRATOR, AUDITOR, CITY_DESK, SECURITY, Staff},
    world::World,
};

use crate::witnesses::{get, is_well, settled, until_agencies};

/// What somebody who may is shown.
pub async fn metrics_of(world: &World, staff: &Staff) -> String {
    let (status, metrics) = get(world, staff, "/metrics").await;
    assert_eq!(status, 200, "{metrics}");
    metrics
}

/// Every metric that a document names.
fn named(document: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(document);
    let text = fs::read_to_string(path).expect("in the repository");
    let name = |c: char| c.is_ascii_lowercase() || c == '_';
    let names = text.split(|c| !name(c)).filter(|word| word.starts_with("matching_"));
    names.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_documents_tell_people_to_watch_is_there_and_says_what_it_is() {
    let world = settled(70).await;
    until_agencies(&world, is_well).await;
    let metrics = metrics_of(&world, &SECURITY).await;
    let runbook = named("deploy/RUNBOOK.md");
    assert!(runbook.len() > 8, "{runbook:?}");
    for name in runbook.iter().chain(&named("README.md")).chain(&named("README.zh-CN.md")) {
        let help = metrics.lines().find(|line| line.starts_with(&format!("# HELP {name} ")));
        assert!(help.is_some_and(|help| help.len() > name.len() + 20), "{name} in {metrics}");
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{name} in {metrics}");
    }
    let samples = metrics.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    for sample in samples {
        let name = sample.split(['{', ' ']).next().expect("a line begins with a name");
        assert!(metrics.contains(&format!("# HELP {name} ")), "what {name} is");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_those_who_run_the_gateway_and_name_no_person() {
    let world = settled(68).await;
    until_agencies(&world, is_well).await;
    let mut desk = world.desk().await.expect("desk");
    let alerts = desk.alerts().await.expect("alerts");
    let (status, metrics) = get(&world, &ADMINISTRATOR, "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "\nmatching_log_entries ",
        "\nmatching_log_append_failures_total 0",
        "\nmatching_log_unwitnessed_entries ",
        "\nmatching_log_cosigned_age_seconds ",
        "\nmatching_witnesses_well 1",
        "\nmatching_witnesses_needed 2",
        "matching_adapter_connected{agency=\"tax\"} 1",
        "matching_dataset{dataset=\"tax_declaration\",freshness=\"fresh\"} 1",
        "matching_alerts{state=\"open\"} ",
    ] {
        assert!(format!("\n{metrics}").contains(line), "{line} in {metrics}");
    }
    let named = alerts.iter().find(|a| metrics.contains(&a.subject) || metrics.contains(&a.id));
    assert_eq!(named, None, "no subject and no alert is in the metrics");
    assert_eq!(get(&world, &CITY_DESK, "/metrics").await.0, 403);
    assert_eq!(get(&world, &AUDITOR, "/metrics").await.0, 403);
    let metrics = get(&world, &SECURITY, "/metrics").await.1;
    let refused = "matching_calls_refused_total{reason=\"NOT_PERMITTED\"} 2";
    assert!(metrics.contains(refused), "{metrics}");
}
