//! Cases as they are shown: a list by person, the most pressing first, and one case with its history.
//!
//! Gives them out only sealed, for the log to open. Who sees which case is settled by the view.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::Timestamp;
use proto::{alert_id::AlertId, case_event::Tier, name::AgencyId};
use sqlx::{QueryBuilder, Row, Sqlite, sqlite::SqliteRow};

use super::{
    case_acts::{CaseFile, CasePage, Handled, Happened},
    cases::{Cases, case, stage_number},
    lifecycle::Stage,
};
use crate::{
    alerts::{self, AlertsError},
    audit::logged::Unlogged,
};

/// Which cases are seen, and which of them are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Prefix of the regions whose cases the officer sees.
    pub region: String,
    /// Whose cases are seen wherever they are.
    pub officer: String,
    /// A prefix that is asked for.
    pub within: String,
    /// Stages; empty for every open one.
    pub stages: Vec<Stage>,
    /// The rule's id, or any.
    pub rule: Option<String>,
    /// The situation's id, or any.
    pub situation: Option<String>,
    /// Only the officer's own.
    pub mine: bool,
    /// Only those past a deadline.
    pub overdue: bool,
    /// Only those that this tier looks to, or one above.
    pub tier: Option<Tier>,
}

/// How pressing a person's cases are; the smallest come first. Those of a work order before all others,
/// then those past a deadline, then those of several situations, then those that are due first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The highest urgency of a work order.
    pub urgency: Reverse<i64>,
    /// Whether something is past its deadline.
    pub overdue: Reverse<bool>,
    /// How many situations.
    pub situations: Reverse<usize>,
    /// When the first thing is due.
    pub due_at: i64,
    /// Whose.
    pub subject: String,
}

/// Where a page begins: after this rank, overdue being what was so at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// When the first page was asked for.
    pub as_of: Timestamp,
    /// The last person's on the page before; nothing at the beginning.
    pub after: Option<Rank>,
}

/// As much of a case as ranks it.
struct Line {
    alert: String,
    situation: String,
    urgency: i64,
    due_at: i64,
}

type Result<T> = std::result::Result<T, AlertsError>;

impl Cases {
    /// A page of people with their cases, and where the next one begins.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn page(
        &self,
        view: &View,
        place: &Place,
        people: usize,
    ) -> Result<(Unlogged<CasePage>, Option<Place>)> {
        let mut ranked = self.ranked(view, place.as_of).await?;
        ranked.retain(|(rank, _)| place.after.as_ref().is_none_or(|after| rank > after));
        let more = ranked.len() > people;
        ranked.truncate(people);
        let last = ranked.last().map(|(rank, _)| rank.clone());
        let next = last.filter(|_| more).map(|rank| Place { after: Some(rank), ..place.clone() });
        let mut page = vec![];
        for (_, lines) in &ranked {
            let mut cases = vec![];
            for line in lines {
                cases.extend(self.handled(&line.alert).await?);
            }
            page.push(cases);
        }
        Ok((Unlogged::seal(CasePage(page)), next))
    }

    /// One case with its history, where it is in the view.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn file(&self, view: &View, id: &AlertId) -> Result<Option<Unlogged<CaseFile>>> {
        let Some(handled) = self.handled(id.as_str()).await? else { return Ok(None) };
        if !view.shows(&handled) {
            return Ok(None);
        }
        let mut others = vec![];
        for (other, _, _) in self.of(&handled.alert.subject).await? {
            let seen = self.handled(other.as_str()).await?.is_some_and(|it| view.shows(&it));
            others.extend((other != *id && seen).then_some(other));
        }
        let history = self.history(id).await?;
        Ok(Some(Unlogged::seal(CaseFile { handled, history, others })))
    }

    /// Everything that happened to a case.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn history(&self, alert: &AlertId) -> Result<Vec<Happened>> {
        let rows = sqlx::query("SELECT * FROM case_event WHERE alert = $1 ORDER BY number");
        let rows = rows.bind(alert.as_str()).fetch_all(&self.0).await?;
        rows.iter().map(happened).collect()
    }

    /// One case with what detection says.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub(crate) async fn handled(&self, alert: &str) -> Result<Option<Handled>> {
        let row = sqlx::query(
            "SELECT a.*, c.content, c.changed_at AS handled_at
             FROM cases c JOIN alert a ON a.id = c.alert WHERE c.alert = $1",
        );
        let row = row.bind(alert).fetch_optional(&self.0).await?;
        row.as_ref()
            .map(|row| {
                let (alert, case) = (alerts::alert(row)?, case(row)?);
                Ok(Handled { alert, case, changed_at: time(row, "handled_at")? })
            })
            .transpose()
    }

    /// Everybody in a view in order, with their cases in order.
    async fn ranked(&self, view: &View, now: Timestamp) -> Result<Vec<(Rank, Vec<Line>)>> {
        let rows = view.query(now).build().fetch_all(&self.0).await?;
        let mut people: BTreeMap<String, Vec<Line>> = BTreeMap::new();
        for row in &rows {
            let due_at: Option<i64> = row.try_get("due_at")?;
            people.entry(row.try_get("subject")?).or_default().push(Line {
                alert: row.try_get("alert")?,
                situation: row.try_get("situation")?,
                urgency: row.try_get("urgency")?,
                due_at: due_at.unwrap_or(i64::MAX),
            });
        }
        let mut ranked: Vec<_> = people
            .into_iter()
            .map(|(subject, mut lines)| {
                lines.sort_by_key(|line| (Reverse(line.urgency), line.due_at));
                (rank(subject, &lines, now), lines)
            })
            .collect();
        ranked.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(ranked)
    }
}

fn rank(subject: String, lines: &[Line], now: Timestamp) -> Rank {
    let due_at = lines.iter().map(|line| line.due_at).min().unwrap_or(i64::MAX);
    let mut situations: Vec<&str> = lines.iter().map(|line| line.situation.as_str()).collect();
    situations.sort_unstable();
    situations.dedup();
    Rank {
        urgency: Reverse(lines.iter().map(|line| line.urgency).max().unwrap_or(0)),
        overdue: Reverse(due_at <= now.as_second()),
        situations: Reverse(situations.len()),
        due_at,
        subject,
    }
}

impl View {
    /// Whether a case may be seen.
    pub fn shows(&self, handled: &Handled) -> bool {
        let officer = handled.case.officer.as_ref().map(AgencyId::as_str);
        officer == Some(&self.officer) || handled.region().starts_with(&self.region)
    }

    fn query(&self, now: Timestamp) -> QueryBuilder<Sqlite> {
        let mut query = QueryBuilder::new(
            "SELECT c.alert, a.subject, a.situation, c.urgency, c.due_at
             FROM cases c JOIN alert a ON a.id = c.alert WHERE (",
        );
        within(&mut query, &self.region);
        query.push(" OR c.officer = ").push_bind(self.officer.clone()).push(") AND ");
        within(&mut query, &self.within);
        let open = Stage::ALL.into_iter().filter(|stage| stage.is_open());
        let stages = if self.stages.is_empty() { open.collect() } else { self.stages.clone() };
        query.push(" AND c.stage IN (");
        let mut list = query.separated(", ");
        for stage in stages {
            list.push_bind(stage_number(stage));
        }
        query.push(")");
        for (column, value) in [("a.rule", &self.rule), ("a.situation", &self.situation)] {
            if let Some(value) = value {
                query.push(format!(" AND {column} = ")).push_bind(value.clone());
            }
        }
        if self.mine {
            query.push(" AND c.officer = ").push_bind(self.officer.clone());
        }
        if self.overdue {
            query.push(" AND c.due_at <= ").push_bind(now.as_second());
        }
        if let Some(tier) = self.tier {
            query.push(" AND c.tier >= ").push_bind(tier_number(tier));
        }
        query
    }
}

/// Prefixes are digits; substr spares escaping and is the same in every engine.
fn within(query: &mut QueryBuilder<Sqlite>, prefix: &str) {
    let length = i64::try_from(prefix.len()).expect("a region has 12 digits at most");
    // Before a case is given to a region it is where the alert is.
    query.push("substr(COALESCE(NULLIF(c.region, ''), a.region), 1, ").push_bind(length);
    query.push(") = ").push_bind(prefix.to_owned());
}

/// The number of a tier in the store and on the wire.
pub(super) fn tier_number(tier: Tier) -> i32 {
    match tier {
        Tier::Worker => 1,
        Tier::Street => 2,
        Tier::District => 3,
    }
}

fn happened(row: &SqliteRow) -> Result<Happened> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let number: i64 = row.try_get("number")?;
    Ok(Happened {
        number: number.cast_unsigned(),
        at: time(row, "at")?,
        by: serde_json::from_str(&text("actor")?).map_err(|_| AlertsError::Foreign)?,
        event: serde_json::from_str(&text("event")?).map_err(|_| AlertsError::Foreign)?,
    })
}

fn time(row: &SqliteRow, column: &str) -> Result<Timestamp> {
    Timestamp::from_second(row.try_get(column)?).map_err(|_| AlertsError::Foreign)
}
