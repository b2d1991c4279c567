//! Whoever is slow, and whoever sends much, takes a bounded part of the gateway and holds up nobody else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use proto::wire::{self, watch_alerts_response::Event};
use tests::{
    deployment::{ADMINISTRATOR, CITY_DESK},
    oracle::{
        Policy,
        random::{SMALL_POLICY, Sources},
    },
    staff_client::StaffClient,
};
use tokio::time::timeout;
use tonic::Streaming;

use crate::{
    metrics::metrics_of,
    siege::{RULE, person},
    town::{Town, agency},
};

const PEOPLE: u16 = 250;
const RULES: usize = 4;
/// So many measures make an alert larger than 4,000 bytes: connections hold some megabytes for whoever
/// does not read.
const MEASURES: usize = 100;
const ALERTS: usize = PEOPLE as usize * RULES;
/// How often every alert changes while one watcher reads nothing.
const ROUNDS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(120);

/// Everybody is poor, and nobody is helped.
pub fn all_poor(people: u16) -> Sources {
    let people: Vec<String> = (1..=people).map(person).collect();
    let all = |row: &[u8]| -> BTreeMap<String, Vec<u8>> {
        people.iter().map(|person| (person.clone(), row.to_vec())).collect()
    };
    let empty = BTreeMap::new();
    let rows = [
        ("poor", all(&[])),
        ("ill", empty.clone()),
        ("register", all(&[1])),
        ("cars", empty.clone()),
        ("help", empty),
    ];
    Sources {
        rows: rows.into_iter().map(|(id, rows)| (id.to_owned(), rows)).collect(),
        homes: (1..=people.len()).collect(),
        torn: BTreeSet::new(),
        people,
    }
}

/// The rules are called after the round: every alert follows its rule's new text.
fn policy(round: usize) -> String {
    let measure = |number| format!("measure_that_has_a_rather_long_name_{number:02}");
    let measures: Vec<String> = (0..MEASURES).map(measure).collect();
    let mut text = SMALL_POLICY.to_owned();
    for id in &measures {
        text += &format!("\n[[measure]]\nid = \"{id}\"\nzh = \"探访\"\nen = \"Visit\"\n");
    }
    for number in 0..RULES {
        text += &format!(
            "\n[[rule]]\nid = \"needy-{number}\"\nzh = \"困难\"\nen = \"Needy, round {round}\"\n\
             situation = \"any\"\nwhen = \"aid.poor\"\nunless = \"help.any\"\n\
             assist = {measures:?}\ndue = \"72h\"\n"
        );
    }
    text
}

async fn watch(town: &Town) -> (StaffClient, Streaming<wire::WatchAlertsResponse>) {
    let mut desk = town.world.client(&CITY_DESK).await.expect("connected");
    let request = wire::WatchAlertsRequest::default();
    let events = desk.matches.watch_alerts(request).await.expect("watched").into_inner();
    (desk, events)
}

/// Reads changes until every alert is of this version of its rule; how many changes there were.
async fn read(events: &mut Streaming<wire::WatchAlertsResponse>, newest: &[Vec<u8>]) -> usize {
    let (mut count, mut new) = (0, BTreeSet::new());
    while new.len() < ALERTS {
        let event = timeout(PATIENCE, events.message()).await.expect("in time");
        if let Some(Event::Alert(alert)) = event.expect("well").expect("not over").event {
            count += 1;
            if newest.contains(&alert.rule_version) {
                new.insert(alert.id);
            }
        }
    }
    count
}

async fn versions(desk: &mut StaffClient) -> Vec<Vec<u8>> {
    let rules = desk.matches.list_rules(wire::ListRulesRequest {}).await.expect("rules");
    rules.into_inner().rules.into_iter().map(|rule| rule.version).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_reads_nothing_holds_up_nobody_and_is_then_told_how_things_stand() {
    let mut town = Town::new(&policy(0), &all_poor(PEOPLE));
    town.world.start().await.expect("started");
    town.world.arrived(&[]).await.expect("arrived");
    let (mut desk, mut quick) = watch(&town).await;
    let mut read_by_quick = read(&mut quick, &versions(&mut desk).await).await;
    let (_other_desk, mut slow) = watch(&town).await;
    let mut admin = town.world.client(&ADMINISTRATOR).await.expect("connected");
    for round in 1..=ROUNDS {
        std::fs::write(town.world.deployment.dir.join("policy.toml"), policy(round))
            .expect("written");
        admin.admin.reload_policy(wire::ReloadPolicyRequest {}).await.expect("in force");
        read_by_quick += read(&mut quick, &versions(&mut desk).await).await;
    }
    assert!(
        read_by_quick >= (ROUNDS + 1) * ALERTS,
        "{read_by_quick}: nobody waits for the slow one"
    );
    let read_by_slow = read(&mut slow, &versions(&mut desk).await).await;
    // What its connection held before it began to read, and then every alert once.
    assert!(
        read_by_slow < (ROUNDS / 2 + 1) * ALERTS,
        "{read_by_slow} changes were kept for somebody who read nothing"
    );
}

/// The police's two datasets say something else of everybody each time; one more has help each time.
fn flood(round: u8, helped: u16) -> Sources {
    let mut sources = all_poor(PEOPLE);
    let everybody = sources.people.clone();
    let all = |row: Vec<u8>| everybody.iter().map(|person| (person.clone(), row.clone())).collect();
    sources.rows.insert("register".into(), all(vec![1 + round % 2]));
    sources.rows.insert("cars".into(), all(vec![0, round % 2]));
    let help = everybody.iter().take(helped.into());
    sources.rows.insert("help".into(), help.map(|person| (person.clone(), vec![1])).collect());
    sources
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_that_changes_everything_all_the_time_holds_up_nobody_elses_change() {
    let mut town = Town::new(&(SMALL_POLICY.to_owned() + RULE), &flood(0, 0));
    town.world.start().await.expect("started");
    town.come_to(&town.facts(&flood(0, 0)), &[]).await.expect("before the flood");
    let (police, aid) = (agency("police"), agency("aid"));
    let mut floods = Policy::read(SMALL_POLICY).expect("good");
    floods.datasets.retain(|_, dataset| dataset.agency == police.as_str());
    let admin = town.world.client(&ADMINISTRATOR).await.expect("connected");
    let versions = async || {
        let lines = admin.clone().datasets().await.expect("lines");
        let line = lines.into_iter().find(|line| line.dataset == "cars").expect("listed");
        line.cursor.expect("arrived").version
    };
    let (mut desk, before) = (town.world.desk().await.expect("desk"), versions().await);
    let mut round = 0;
    for helped in 1..=5 {
        let (flooded, started, mut begun) = (versions().await, Instant::now(), false);
        while desk.alerts().await.expect("alerts").len() > usize::from(PEOPLE - helped) {
            assert!(started.elapsed() < PATIENCE, "the change of one waits behind the flood");
            round ^= 1;
            // A file that is read at this moment stays as it is.
            let written = if begun { &floods } else { &town.policy };
            flood(round, helped).write(written, &town.world.deployment.dir).expect("written");
            town.world.reload(&police).expect("told");
            // The flood has begun when the other's one change comes.
            if !begun && versions().await > flooded {
                begun = true;
                town.world.reload(&aid).expect("told");
            }
        }
    }
    assert!(versions().await >= before + 10, "that was no flood");
    let metrics = metrics_of(&town.world, &ADMINISTRATOR).await;
    let waited = "matching_intake_waits_total{agency=\"police\",limit=\"turn\"} ";
    assert!(metrics.lines().any(|line| line.starts_with(waited)), "how often it waited is counted");
}
