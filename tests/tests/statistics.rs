//! Statistics against an oracle that shares no code with them, over a whole city.

use std::{collections::BTreeMap, time::Duration};

use proto::{
    fault::reason_of,
    wire::{
        self, AssistanceKind, CaseOutcome, CaseStage, Count, ReportRequest, ScreeningRequest,
        StatisticsTable,
    },
};
use sha2::{Digest, Sha256};
use tests::{
    city::City,
    deployment::{ADMINISTRATOR, ANALYST, CITY_DESK, Deployment, STREET_WORKER},
    oracle::{self, Outcome},
};

use crate::{
    cases::office::{Office, acknowledge, assist, outcome, visit},
    fixture::{default_policy, expected_of, outcomes_of, settle, today, world_of},
    helpline::{Ill, helpline},
};

/// Everybody whom a watch dataset lists, by district and street, class and rule.
fn classes(
    city: &City,
    deployment: &Deployment,
) -> BTreeMap<(String, String, &'static str, String), u64> {
    let policy = default_policy();
    let outcomes = outcomes_of(city, deployment, &Default::default());
    let rules = oracle::Policy::read(&policy).expect("the policy").rules;
    let mut classes = BTreeMap::new();
    for resident in city.residents().filter(|resident| !resident.listings.is_empty()) {
        let first = |wanted: Outcome| {
            let rules = rules.iter().map(|rule| rule.id.clone());
            let of = |rule: &String| outcomes.get(&(resident.id.clone(), rule.clone()));
            rules.into_iter().find(|rule| of(rule) == Some(&wanted))
        };
        let (class, rule) =
            match (first(Outcome::Alert), first(Outcome::Pending), first(Outcome::Covered)) {
                (Some(rule), _, _) | (None, Some(rule), _) => ("b", rule),
                (None, None, Some(rule)) => ("a", rule),
                (None, None, None) => ("neither", String::new()),
            };
        let (district, street) = (&resident.region[..6], &resident.region[..9]);
        *classes.entry((district.into(), street.into(), class, rule)).or_default() += 1;
    }
    classes
}

/// Compares every shown cell with the oracle; tells how many are hidden.
fn compare(table: &StatisticsTable, city: &City, deployment: &Deployment) -> usize {
    let classes = classes(city, deployment);
    let cells =
        table.rows.iter().flat_map(|row| table.columns.iter().map(move |column| (row, column)));
    let mut hidden = 0;
    for ((row, column), cell) in cells.zip(&table.cells) {
        let place = |(district, street, _, _): &(String, String, &str, String)| {
            [&"total".to_owned(), district, street].contains(&&row.id)
        };
        let parts: Vec<&str> = column.id.split('/').collect();
        let kind = |(_, _, class, rule): &(String, String, &str, String)| match parts[..] {
            ["total"] => true,
            [of] => of == *class,
            [of, _, by] => of == *class && by == rule,
            _ => false,
        };
        let counted = classes.iter().filter(|(key, _)| place(key) && kind(key));
        let count: u64 = counted.map(|(_, count)| count).sum();
        if parts.len() == 2 {
            continue;
        }
        match cell.suppressed {
            true => hidden += 1,
            false => assert_eq!(cell.value, count, "{} {}", row.id, column.id),
        }
        assert!(!(1..10).contains(&count) || cell.suppressed, "{} {}", row.id, column.id);
    }
    hidden
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screening_counts_everybody_once_and_is_the_same_for_all_who_ask_that_day() {
    let city = City::generate(3000, 46, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    let desk = world.desk().await.expect("desk");
    // Not whoever has an alert alone is counted.
    world.arrived(&[]).await.expect("everything is there");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;
    world.pass(Duration::from_secs(120));
    let mut analyst = world.client(&ANALYST).await.expect("analyst");
    let ask = |date: &str| ScreeningRequest { date: date.into() };
    let first = analyst.statistics.screening(ask("")).await.expect("computed").into_inner();
    let statistics = first.statistics.expect("statistics");
    assert_eq!(first.digest, Sha256::digest(prost::Message::encode_to_vec(&statistics)).to_vec());
    assert_eq!(statistics.period, "2026-11-24");
    let hidden = compare(&statistics.tables[0], &city, &world.deployment);
    assert!(hidden > 0, "a small city has small counts");
    world.pass(Duration::from_secs(3600));
    let again = analyst.statistics.screening(ask("2026-11-24")).await.expect("kept").into_inner();
    assert_eq!((again.statistics.as_ref(), &again.digest), (Some(&statistics), &first.digest));
    assert_ne!(again.logged, first.logged, "both are in the log");

    let refused = |status: tonic::Status| reason_of(&status).unwrap_or_default();
    let yesterday = analyst.statistics.screening(ask("2026-11-23")).await;
    assert_eq!(refused(yesterday.expect_err("nobody asked")), "NOT_FOUND");
    for staff in [ADMINISTRATOR, CITY_DESK] {
        let mut other = world.client(&staff).await.expect("connected");
        let screening = other.statistics.screening(ask("")).await.expect_err("no");
        assert_eq!(refused(screening), "NOT_PERMITTED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_computed_after_the_month_and_then_stays_as_it_is() {
    let city = City::generate(600, 47, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    let mut desk = world.desk().await.expect("desk");
    let wanted = expected_of(&city, &world.deployment, &[]);
    settle(&world, &desk, &wanted).await;
    let mut analyst = world.client(&ANALYST).await.expect("analyst");
    let ask = |month: &str| ReportRequest { month: month.into() };
    let refused = |status: tonic::Status| reason_of(&status).unwrap_or_default();
    for month in ["2026-11", "2026-13", "", "2027-01"] {
        let early = analyst.statistics.report(ask(month)).await.expect_err(month);
        assert_eq!(refused(early), "INVALID_ARGUMENT", "{month}");
    }
    world.pass(Duration::from_secs(8 * 24 * 3600));
    let raised = desk.alerts().await.expect("alerts").len() as u64;
    let first = analyst.statistics.report(ask("2026-11")).await.expect("computed").into_inner();
    let statistics = first.statistics.expect("statistics");
    let total = table(&statistics, "raised").cells[0];
    assert!(total.suppressed && raised < 10 || total.value >= raised, "{total:?} of {raised}");
    let again = analyst.statistics.report(ask("2026-11")).await.expect("kept").into_inner();
    assert_eq!((again.statistics, again.digest), (Some(statistics), first.digest));
}

fn table<'a>(statistics: &'a wire::Statistics, id: &str) -> &'a StatisticsTable {
    statistics.tables.iter().find(|table| table.id == id).expect(id)
}

/// A shown count.
fn shown(statistics: &wire::Statistics, (id, row, column): (&str, &str, &str)) -> u64 {
    let table = table(statistics, id);
    let place = |lines: &[wire::StatisticsLine], id: &str| {
        lines.iter().position(|line| line.id == id).unwrap_or_else(|| panic!("{id}: {lines:?}"))
    };
    let (row, column) = (place(&table.rows, row), place(&table.columns, column));
    let Count { value, suppressed } = table.cells[row * table.columns.len() + column];
    assert!(!suppressed, "{id}");
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_a_month_counts_what_officers_did_and_how_soon() {
    let ill: Vec<Ill<'_>> = (1..=24).map(|person| (person, "320104002003", "")).collect();
    let mut world = helpline(&ill, &[]);
    world.start().await.expect("started");
    let li = Office::of(&world, &STREET_WORKER).await;
    let routed = |cases: &Vec<wire::Case>| {
        cases.len() == 24 && cases.iter().all(|case| case.stage() == CaseStage::Routed)
    };
    let cases = li.until_all(routed).await;
    for case in &cases {
        li.step(&case.alert, acknowledge()).await.expect("taken");
    }
    world.pass(Duration::from_secs(2 * 3600));
    let (soon, late) = cases.split_at(12);
    for case in soon {
        for step in [visit(), assist(AssistanceKind::Money), outcome(CaseOutcome::Dibao)] {
            li.step(&case.alert, step).await.expect("it follows");
        }
    }
    world.pass(Duration::from_secs(24 * 3600));
    for case in late {
        for step in [visit(), outcome(CaseOutcome::NoNeed)] {
            li.step(&case.alert, step).await.expect("it follows");
        }
    }
    world.pass(Duration::from_secs(7 * 24 * 3600));
    let mut analyst = world.client(&ANALYST).await.expect("analyst");
    let request = ReportRequest { month: "2026-11".into() };
    let report = analyst.statistics.report(request).await.expect("computed").into_inner();
    let report = report.statistics.expect("statistics");
    for (place, count) in [
        (("raised", "320104002", "any/illness"), 24),
        (("outcomes", "illness", "judged"), 24),
        (("outcomes", "illness", "dibao"), 12),
        (("outcomes", "illness", "right"), 12),
        (("outcomes", "illness", "wrong"), 12),
        (("assistance", "320104", "money"), 12),
        (("assistance", "total", "goods"), 0),
    ] {
        assert_eq!(shown(&report, place), count, "{place:?}");
    }
    let delay = report.delays.iter().find(|delay| delay.rule == "illness").expect("a line");
    let visited = Some(Count { value: 24, suppressed: false });
    assert_eq!((delay.visited, delay.median_hours, delay.p90_hours), (visited, Some(2), Some(26)));
}
