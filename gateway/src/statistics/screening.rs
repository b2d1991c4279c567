//! The screening: everybody in the base, once, by class, situation and rule (PROTOCOL.md section 23.2).

use std::collections::HashMap;

use jiff::Timestamp;
use proto::wire;

use super::counts::{Counts, Path, region_path};
use crate::{
    base::Base,
    outcomes::{self, Outcome, Outcomes},
    policy::Policy,
    region,
    rule::Rule,
    wire_alert,
};

/// The column of those whom no rule concerns.
const NEITHER: usize = 0;

/// The table of a moment.
pub fn table(base: &Base, policy: &Policy, now: Timestamp) -> wire::StatisticsTable {
    let facts = base.facts(now);
    let outcomes: Vec<Outcomes> =
        policy.rules.iter().map(|rule| outcomes::evaluate(rule, &facts)).collect();
    let columns = columns(policy);
    let mut people: HashMap<(u64, usize), u64> = HashMap::new();
    let everybody = u32::try_from(base.met()).expect("subjects are numbered by u32");
    for number in (0..everybody).filter(|&number| base.is_listed(number)) {
        let column = column(outcomes.iter().map(|outcomes| outcomes.outcome(number as usize)));
        *people.entry((base.region(number), column)).or_default() += 1;
    }
    let mut counts = Counts::default();
    for ((region, column), count) in people {
        counts.add(region_path(&region::text(region)), columns[column].clone(), count);
    }
    counts.table("screening", (&[], &columns), |id| label(policy, id))
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

/// What a column is called: as its rule or situation.
pub(super) fn label(policy: &Policy, id: &str) -> Option<wire::Label> {
    let last = id.rsplit('/').next()?;
    let rules = policy.rules.iter().map(|rule| (rule.id.as_str(), &rule.label));
    let situations = policy.catalogue.situations.iter();
    let situations = situations.map(|situation| (situation.id.as_str(), &situation.label));
    let found = rules.chain(situations).find(|(known, _)| *known == last);
    found.map(|(_, label)| wire_alert::label(label))
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
