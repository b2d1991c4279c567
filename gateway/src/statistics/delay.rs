//! How long it takes from an alert to the visit: median and 90th percentile by rule, where enough people
//! were visited.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proto::{case_event::CaseEvent, wire};

use super::{counts::Counts, period, records::Happened};

/// The delays of the first visits among these events, for all rules together and for each.
pub fn of(
    happened: &[Happened],
    rules: &[String],
    label: impl Fn(&str) -> Option<wire::Label>,
) -> Vec<wire::VisitDelay> {
    let mut hours: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for visit in happened.iter().filter(|visit| !visit.visited_before) {
        if let CaseEvent::Visited { on, .. } = visit.event {
            let (_, end) = period::bounds(on);
            hours.entry(&visit.rule).or_default().push(between(visit.raised_at, visit.at.min(end)));
        }
    }
    let mut counts = Counts::default();
    for (rule, hours) in &hours {
        counts.add(vec![(*rule).to_owned()], vec![], hours.len() as u64);
    }
    let rows: Vec<_> = rules.iter().map(|rule| vec![rule.clone()]).collect();
    let table = counts.table("visited", (&rows, &[]), &label);
    let all: Vec<u32> = hours.values().flatten().copied().collect();
    let lines = table.rows.into_iter().zip(table.cells).enumerate();
    let line = |(place, (line, count)): (usize, (wire::StatisticsLine, wire::Count))| {
        let hours = if place == 0 { Some(&all) } else { hours.get(line.id.as_str()) };
        let told = hours.filter(|hours| !count.suppressed && !hours.is_empty());
        wire::VisitDelay {
            rule: if place == 0 { String::new() } else { line.id },
            label: line.label,
            visited: Some(count),
            median_hours: told.map(|hours| percentile(hours, 50)),
            p90_hours: told.map(|hours| percentile(hours, 90)),
        }
    };
    lines.map(line).collect()
}

/// Whole hours; none where the clock says that the visit came first.
fn between(raised_at: Timestamp, visited_at: Timestamp) -> u32 {
    u32::try_from(visited_at.duration_since(raised_at).as_hours()).unwrap_or(0)
}

/// By nearest rank: the least value that at least so many of a hundred do not exceed.
fn percentile(hours: &[u32], percent: usize) -> u32 {
    let mut hours = hours.to_vec();
    hours.sort_unstable();
    let rank = (hours.len() * percent).div_ceil(100).max(1);
    hours[rank - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let ten: Vec<u32> = (1..=10).rev().collect();
        assert_eq!((percentile(&ten, 50), percentile(&ten, 90)), (5, 9));
        assert_eq!((percentile(&[7], 50), percentile(&[7], 90)), (7, 7));
        let eleven: Vec<u32> = (1..=11).collect();
        assert_eq!((percentile(&eleven, 50), percentile(&eleven, 90)), (6, 10));
    }
}
