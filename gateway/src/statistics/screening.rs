//! The screening: everybody in the base, once, by class, situation and rule (PROTOCOL.md section 23.2).

use std::collections::HashMap;

use jiff::Timestamp;
use proto::wire;

use super::{
    counts::{Counts, Path, region_path},
    names::Names,
};
use crate::{
    base::Base,
    outcomes::{self, Outcome, Outcomes},
    policy::Policy,
    region,
    rule::Rule,
};

/// The column of those whom no rule concerns.
const NEITHER: usize = 0;

/// The table of a moment.
pub fn table(base: &Base, names: &Names<'_>, now: Timestamp) -> wire::StatisticsTable {
    let (policy, facts) = (names.policy, base.facts(now));
    let outcomes: Vec<Outcomes> =
        policy.rules.iter().map(|rule| outcomes::evaluate(rule, &facts)).collect();
    let columns = columns(policy);
    let mut people: HashMap<(u64, usize), u64> = HashMap::new();
    let everybody = u32::try_from(base.met()).expect("subjects are numbered by u32");
    for number in (0..everybody).filter(|&number| base.is_listed(number)) {
        let column = column(outcomes.iter().map(|outcomes| outcomes.outcome(number as usize)));
        *people.entry((base.regions(number).foremost(), column)).or_default() += 1;
    }
    let mut counts = Counts::default();
    for ((region, column), count) in people {
        counts.add(region_path(&region::text(region)), columns[column].clone(), count);
    }
    counts.table("screening", (&[], &columns), |id| names.label(id))
}

/// The column of somebody with these outcomes, in the order of the rules.
fn column(outcomes: impl Iterator<Item = Outcome>) -> usize {
    let (mut pending, mut covered, mut rules) = (None, None, 0);
    for (rule, outcome) in outcomes.enumerate() {
        rules = rule + 1;
        match outcome {
            Outcome::Alert => return class_b(rule),
            Outcome::Pending => pending = pending.or(Some(rule)),
            Outcome::Covered => covered = covered.or(Some(rule)),
            Outcome::None | Outcome::Held | Outcome::OverMeans => {}
        }
    }
    match (pending, covered) {
        (Some(rule), _) => class_b(rule),
        (None, Some(rule)) => class_b(rules + rule),
        (None, None) => NEITHER,
    }
}

/// Class B comes after those whom no rule concerns, and class A after that.
fn class_b(rule: usize) -> usize {
    NEITHER + 1 + rule
}

/// All columns, as [`column`] numbers them.
fn columns(policy: &Policy) -> Vec<Path> {
    let class = |class: &'static str| policy.rules.iter().map(move |rule| below(class, rule));
    std::iter::once(vec!["neither".to_owned()]).chain(class("b")).chain(class("a")).collect()
}

fn below(class: &str, Rule { situation, id, .. }: &Rule) -> Path {
    let (situation, rule) = (format!("{class}/{situation}"), format!("{class}/{situation}/{id}"));
    vec![class.to_owned(), situation, rule]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_counts_once_an_alert_before_what_is_pending_and_that_before_what_is_covered() {
        use Outcome::{Alert, Covered, Held, None, OverMeans, Pending};
        for (outcomes, expected) in [
            ([None, Held, OverMeans], 0),
            ([Pending, Alert, Covered], 2),
            ([Covered, Pending, Pending], 2),
            ([Alert, Alert, None], 1),
            ([None, Covered, Covered], 5),
            ([Covered, None, None], 4),
        ] {
            assert_eq!(column(outcomes.into_iter()), expected, "{outcomes:?}");
        }
    }
}
