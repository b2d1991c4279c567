//! The `[cases]` table of a policy, checked: deadlines in working time, and the calendar.
//!
//! Owns reading it. What the terms mean is `case`'s business.

use std::{collections::BTreeSet, time::Duration};

use jiff::civil::{Date, Time, Weekday};
use toml::Spanned;

use crate::{
    case::{
        calendar::{Calendar, Exceptions, WorkingTime},
        terms::{RuleTerms, Terms},
    },
    policy_error::{Fault, no_such, unique},
    policy_file::{CaseRuleEntry, CasesEntry, YearEntry},
};

/// The longest that anything may take, in working days.
const LONGEST: u16 = 250;

pub(crate) fn terms(entry: &CasesEntry, rules: &BTreeSet<&str>) -> Result<Terms, Fault> {
    let returns = *entry.returns.get_ref();
    if returns == 0 {
        return Err(Fault::of(&entry.returns, "a district decides after 1 return at the earliest"));
    }
    let mut terms = Terms {
        acknowledge: working_time(&entry.acknowledge)?,
        street: working_time(&entry.street)?,
        district: working_time(&entry.district)?,
        visit: working_time(&entry.visit)?,
        decide: working_time(&entry.decide)?,
        papers: working_time(&entry.papers)?,
        suppress: days(&entry.suppress)?,
        returns,
        calendar: calendar(entry)?,
        ..Terms::default()
    };
    let mut seen = BTreeSet::new();
    for rule in &entry.rule {
        unique(&mut seen, "rule", &rule.id)?;
        terms.rules.insert(rule.id.get_ref().clone(), of_rule(rule, rules)?);
    }
    Ok(terms)
}

fn of_rule(entry: &CaseRuleEntry, rules: &BTreeSet<&str>) -> Result<RuleTerms, Fault> {
    let id = entry.id.get_ref().as_str();
    if !rules.contains(id) {
        return Err(Fault::of(&entry.id, no_such("rule", id, rules.iter().copied())));
    }
    Ok(RuleTerms {
        visit: entry.visit.as_ref().map(working_time).transpose()?,
        suppress: entry.suppress.as_ref().map(days).transpose()?,
        joins: entry.joins,
    })
}

/// `4 working hours`, `1 working day`.
fn working_time(text: &Spanned<String>) -> Result<WorkingTime, Fault> {
    let words: Vec<&str> = text.get_ref().split_whitespace().collect();
    let time = match words[..] {
        [count, "working", "hour" | "hours"] => count.parse().ok().map(WorkingTime::Hours),
        [count, "working", "day" | "days"] => count.parse().ok().map(WorkingTime::Days),
        _ => None,
    };
    let fits = |time: &WorkingTime| match time {
        WorkingTime::Hours(count) | WorkingTime::Days(count) => (1..=LONGEST).contains(count),
    };
    time.filter(fits).ok_or_else(|| {
        let found = text.get_ref();
        Fault::of(
            text,
            format!(
                "`{found}` is no working time; expected 1 to {LONGEST} hours or days, as in `4 \
                 working hours` or `3 working days`"
            ),
        )
    })
}

/// `90 days`.
fn days(text: &Spanned<String>) -> Result<Duration, Fault> {
    let words: Vec<&str> = text.get_ref().split_whitespace().collect();
    let count: Option<u64> = match words[..] {
        [count, "day" | "days"] => count.parse().ok().filter(|count| (1..=3660).contains(count)),
        _ => None,
    };
    let found = text.get_ref();
    let sentence = || format!("`{found}` is no number of days; expected one, as in `90 days`");
    let count = count.ok_or_else(|| Fault::of(text, sentence()))?;
    Ok(Duration::from_secs(count * 86_400))
}

fn calendar(entry: &CasesEntry) -> Result<Calendar, Fault> {
    let time = |text: &Spanned<String>| {
        let parsed = Time::strptime("%H:%M", text.get_ref()).ok();
        parsed.ok_or_else(|| Fault::of(text, "expected a time of day, as in `09:00`"))
    };
    let hours = (time(&entry.work_begins)?, time(&entry.work_ends)?);
    if hours.0 >= hours.1 {
        return Err(Fault::of(&entry.work_ends, "work ends after it begins"));
    }
    let mut calendar = Calendar { hours, ..Calendar::empty() };
    for year in &entry.year {
        if calendar.years.insert(*year.year.get_ref(), exceptions(year)?).is_some() {
            return Err(Fault::of(&year.year, "this year is there already"));
        }
    }
    Ok(calendar)
}

fn exceptions(entry: &YearEntry) -> Result<Exceptions, Fault> {
    let mut exceptions = Exceptions::default();
    let year = *entry.year.get_ref();
    for text in &entry.off {
        exceptions.off.extend(span(text, year)?);
    }
    for text in &entry.work {
        for day in span(text, year)? {
            if !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
                let sentence = "this is a weekday, on which work is done unless it is in `off`";
                return Err(Fault::of(text, sentence));
            }
            if exceptions.off.contains(&day) {
                return Err(Fault::of(text, "this day is in `off`, too"));
            }
            exceptions.work.insert(day);
        }
    }
    Ok(exceptions)
}

/// `2026-10-10`, or `2026-10-01/2026-10-07` from the first to the last day.
fn span(text: &Spanned<String>, year: i16) -> Result<Vec<Date>, Fault> {
    let parse = || {
        let (first, last) = match text.get_ref().split_once('/') {
            Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
            None => {
                let day: Date = text.get_ref().parse().ok()?;
                (day, day)
            }
        };
        let days: Vec<Date> = std::iter::successors(Some(first), |day: &Date| day.tomorrow().ok())
            .take_while(|day| *day <= last)
            .take(366)
            .collect();
        let within = !days.is_empty() && days.iter().all(|day| day.year() == year);
        within.then_some(days)
    };
    let sentence = || {
        format!(
            "expected a day of {year}, as in `{year}-10-10`, or the first and the last one, as in `{year}-10-01/{year}-10-07`"
        )
    };
    parse().ok_or_else(|| Fault::of(text, sentence()))
}

#[cfg(test)]
mod tests {
    use crate::policy::Policy;

    const DEFAULT: &str = include_str!("../../deploy/policy/default.toml");

    fn fault(part: &str, other: &str) -> String {
        let changed = DEFAULT.replacen(part, other, 1);
        assert_ne!(changed, DEFAULT, "{part} is there");
        Policy::parse(&changed).expect_err(other).sentence
    }

    #[test]
    fn terms_that_cannot_be_kept_are_refused_with_what_is_expected() {
        for (part, other, says) in [
            ("\"4 working hours\"", "\"4 hours\"", "is no working time"),
            ("\"4 working hours\"", "\"0 working hours\"", "1 to 250"),
            ("\"90 days\"", "\"90\"", "no number of days"),
            ("work_ends = \"17:00\"", "work_ends = \"08:00\"", "after it begins"),
            ("work_ends = \"17:00\"", "work_ends = \"25:00\"", "a time of day"),
            ("\"2026-10-01/2026-10-07\"", "\"2026-10-07/2026-10-01\"", "the first and the last"),
            ("\"2026-10-01/2026-10-07\"", "\"2025-10-01\"", "a day of 2026"),
            ("\"2026-10-10\"", "\"2026-10-12\"", "weekday"),
            ("\"2026-10-10\"", "\"2026-10-03\"", "in `off`, too"),
            ("returns = 3", "returns = 0", "1 return at the earliest"),
        ] {
            let sentence = fault(part, other);
            assert!(sentence.contains(says), "{other}: {sentence}");
        }
        let sentence = fault("id = \"sudden-event\"\nvisit", "id = \"sudden-events\"\nvisit");
        assert!(sentence.contains("did you mean `sudden-event`?"), "{sentence}");
    }
}
