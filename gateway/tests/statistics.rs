//! The report of a month, from a store with events of three months, against a plain recount.

use gateway::{
    database,
    policy::Policy,
    regions::Regions,
    statistics::{
        names::Names,
        period,
        records::{self, Happened, Raised},
        report,
    },
};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::date};
use proptest::prelude::*;
use proto::{
    case_event::{AssistanceKind, CaseEvent, Outcome},
    wire::{Count, StatisticsTable},
};
use sqlx::SqlitePool;

const RULES: [&str; 2] = ["first", "second"];
const REGIONS: [&str; 4] = ["320104002003", "320104005000", "320106001001", ""];

fn start() -> Timestamp {
    "2026-09-30T16:00:00Z".parse().expect("a time")
}

/// An alert with what happened in its case, in hours after the beginning of October.
#[derive(Debug, Clone)]
struct Story {
    rule: usize,
    region: usize,
    raised: i64,
    events: Vec<(i64, u8)>,
}

fn event(code: u8, at: Timestamp) -> CaseEvent {
    match code {
        0 | 1 => {
            let on = period::day(at).saturating_sub(i64::from(code).days());
            CaseEvent::Visited { on, due_at: at }
        }
        2 => CaseEvent::AssistanceGiven { kind: AssistanceKind::Goods },
        3 => CaseEvent::ReliefFirst { kind: AssistanceKind::Money, papers_due_at: at },
        4 => CaseEvent::OutcomeRecorded { outcome: Outcome::Dibao },
        5 => CaseEvent::OutcomeRecorded { outcome: Outcome::NoNeed },
        6 => CaseEvent::OutcomeRecorded { outcome: Outcome::NotFound },
        _ => CaseEvent::PapersCompleted {},
    }
}

fn at(hours: i64) -> Timestamp {
    start() + SignedDuration::from_hours(hours)
}

async fn write(pool: &SqlitePool, stories: &[Story]) {
    for (number, story) in stories.iter().enumerate() {
        let id = format!("AL-0000-0000-{number:04}");
        let raised = at(story.raised).as_second();
        sqlx::query(
            "INSERT INTO alert (id, subject, epoch, rule, occurrence, rule_version, situation, state,
             region, raised_at, changed_at, due_at, assist, revision, findings)
             VALUES ($1, $1, 1, $2, 1, '', 'plight', 1, $3, $4, $4, $4, '', $5, '')",
        )
        .bind(&id)
        .bind(RULES[story.rule])
        .bind(REGIONS[story.region])
        .bind(raised)
        .bind(number as i64)
        .execute(pool)
        .await
        .expect("written");
        sqlx::query(
            "INSERT INTO cases (alert, stage, tier, region, officer, urgency, changed_at, content)
             VALUES ($1, 1, 1, $2, '', 1, $3, '')",
        )
        .bind(&id)
        .bind(REGIONS[story.region])
        .bind(raised)
        .execute(pool)
        .await
        .expect("written");
        for (place, (hours, code)) in (1_i64..).zip(&story.events) {
            sqlx::query(
                "INSERT INTO case_event (alert, number, at, actor, event) VALUES ($1, $2, $3, '', $4)",
            )
            .bind(&id)
            .bind(place)
            .bind(at(*hours).as_second())
            .bind(serde_json::to_string(&event(*code, at(*hours))).expect("plain data"))
            .execute(pool)
            .await
            .expect("written");
        }
    }
}

/// Whether it was in October, in China.
fn october(hours: i64) -> bool {
    (0..31 * 24).contains(&hours)
}

/// The count of a row and a column by their ids: what is not there is nothing.
fn cell(table: &StatisticsTable, row: &str, column: &str) -> Count {
    let row = table.rows.iter().position(|line| line.id == row);
    let column = table.columns.iter().position(|line| line.id == column);
    match (row, column) {
        (Some(row), Some(column)) => table.cells[row * table.columns.len() + column],
        _ => Count::default(),
    }
}

fn agrees(count: Count, expected: usize, what: &str) {
    match count.suppressed {
        true => assert_ne!(expected, 0, "{what}: empty cells are shown"),
        false => {
            assert_eq!(count.value, expected as u64, "{what}");
            assert!(!(1..10).contains(&expected), "{what}: small counts are not");
        }
    }
}

fn recount(stories: &[Story], (tables, delays): (&[StatisticsTable], &[proto::wire::VisitDelay])) {
    let table = |id: &str| tables.iter().find(|table| table.id == id).expect("a table");
    for region in ["320104", "320104002", "320104005", "320106", "320106001"] {
        let here = |story: &&Story| REGIONS[story.region].starts_with(region);
        let raised = stories.iter().filter(here).filter(|story| october(story.raised)).count();
        agrees(cell(table("raised"), region, "total"), raised, region);
        let given = |kind: u8| {
            let events = stories.iter().filter(here).flat_map(|story| &story.events);
            events.filter(|(hours, code)| october(*hours) && *code == kind).count()
        };
        agrees(cell(table("assistance"), region, "goods"), given(2), region);
        agrees(cell(table("assistance"), region, "money"), given(3), region);
    }
    for (number, rule) in RULES.iter().enumerate() {
        let of = stories.iter().filter(|story| story.rule == number);
        let last = |story: &Story| {
            let mut events = story.events.iter().rev();
            let found = events.find(|(hours, code)| october(*hours) && (4..7).contains(code));
            found.map(|(_, code)| *code)
        };
        let outcomes: Vec<u8> = of.clone().filter_map(last).collect();
        let count = |code: u8| outcomes.iter().filter(|found| **found == code).count();
        agrees(cell(table("outcomes"), rule, "right"), count(4), rule);
        agrees(cell(table("outcomes"), rule, "wrong"), count(5), rule);
        agrees(cell(table("outcomes"), rule, "judged"), count(4) + count(5), rule);
        agrees(cell(table("outcomes"), rule, "not_found"), count(6), rule);
        let first_visit = |story: &Story| {
            let (hours, code) = story.events.iter().find(|(_, code)| *code < 2)?;
            // A visit that is recorded a day late was over at the midnight between.
            let end = if *code == 1 { hours.div_euclid(24) * 24 } else { *hours };
            october(*hours).then(|| (end.min(*hours) - story.raised).max(0))
        };
        let mut hours: Vec<i64> = of.filter_map(first_visit).collect();
        hours.sort_unstable();
        let delay = delays.iter().find(|delay| delay.rule == *rule);
        let visited = delay.and_then(|delay| delay.visited).unwrap_or_default();
        agrees(visited, hours.len(), rule);
        let told = delay.and_then(|delay| Some((delay.median_hours?, delay.p90_hours?)));
        let nth = |share: f64| hours[(hours.len() as f64 * share).ceil() as usize - 1] as u32;
        let shown = !visited.suppressed && visited.value > 0;
        assert_eq!(told, shown.then(|| (nth(0.5), nth(0.9))), "{rule}");
    }
}

fn story() -> impl Strategy<Value = Story> {
    let events = prop::collection::vec((-100_i64..900, 0_u8..8), 0..6);
    (0..RULES.len(), 0..REGIONS.len(), -200_i64..800, events).prop_map(
        |(rule, region, raised, mut events)| {
            events.sort();
            Story { rule, region, raised, events }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_report_counts_what_was_recorded_in_its_month(stories in prop::collection::vec(story(), 0..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let directory = tempfile::tempdir().expect("a directory");
            let pool = database::open(&directory.path().join("alerts.sqlite")).await.expect("opens");
            let policy = Policy::parse(include_str!("small_policy.toml")).expect("it checks");
            let names = Names { policy: &policy, regions: &Regions::default() };
            write(&pool, &stories).await;
            let month = period::month_bounds(date(2026, 10, 1));
            let raised: Vec<Raised> = records::raised(&pool, month).await.expect("read");
            let happened: Vec<Happened> = records::happened(&pool, month).await.expect("read");
            let (tables, delays) = report::of(&raised, &happened, &names);
            recount(&stories, (&tables, &delays));
        });
    }
}
