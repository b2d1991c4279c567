//! What every rule came to when it was last run, so that the next run asks only about people of whom
//! something changed.
//!
//! A rule runs over everybody where it is new, where it was rewritten, and where one of the datasets
//! that it reads became fresh or stale; else over the people who were touched. What follows for alerts
//! is `evaluation`'s business.

use std::{collections::HashMap, sync::Arc};

use jiff::civil::Date;

use crate::{
    bitset::Bitset,
    facts::Facts,
    household_answers::HouseholdAnswers,
    outcomes::{Outcomes, evaluate_again, evaluate_everybody},
    rule::Rule,
    waits::Waits,
};

/// A run over everybody is cheaper than one over more than one in so many.
const MOST: usize = 32;

/// What the rules came to.
#[derive(Default)]
pub struct Standing {
    rules: HashMap<String, Stand>,
    answers: HouseholdAnswers,
    effort: Effort,
    /// Whether the last evaluation knew of everybody whether they are in the base.
    pub(crate) knew_everybody: bool,
}

/// How much was run so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effort {
    /// Runs of one rule over everybody.
    pub whole: u64,
    /// People about whom a rule was asked otherwise, once for each rule.
    pub people: u64,
}

/// What one rule came to, and who waits.
pub(crate) struct Stand {
    /// The rule, and of each dataset that it reads whether it was fresh; absent where nothing that was
    /// found before counts.
    run: Option<(Arc<Rule>, Vec<bool>)>,
    pub(crate) outcomes: Outcomes,
    pub(crate) waits: Waits,
    /// Of each dataset that the rule reads, whether it had ever arrived.
    pub(crate) received: Vec<bool>,
    /// Whether all of them had, or had had time to.
    pub(crate) settled: bool,
    /// The version of the rule that alerts were looked at under.
    pub(crate) version: [u8; 32],
    /// The day on which they were.
    pub(crate) day: Option<Date>,
}

/// Whose outcome may be another than when alerts were last looked at.
pub(crate) enum Moved {
    /// Nothing was known before.
    Everybody,
    /// Theirs.
    Only(Bitset),
}

impl Standing {
    /// Nothing that was found counts any more; who waits goes on waiting.
    pub fn forget(&mut self) {
        self.rules.values_mut().for_each(|stand| stand.run = None);
    }

    /// Nothing is left: the base begins anew.
    pub(crate) fn begin_anew(&mut self) {
        *self = Self { effort: self.effort, ..Self::default() };
    }

    /// Drops what rules came to that are no more, and what households came to that were touched.
    pub(crate) fn keep(&mut self, rules: &[Arc<Rule>], facts: &Facts<'_>, touched: &Bitset) {
        self.rules.retain(|id, _| rules.iter().any(|rule| rule.id == *id));
        self.answers.refresh(rules, facts, touched);
    }

    /// How much was run since the start.
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// What a rule came to when it was last run.
    pub fn outcomes(&self, rule: &str) -> Option<&Outcomes> {
        self.rules.get(rule).map(|stand| &stand.outcomes)
    }

    /// What each rule came to, and who waits.
    pub(crate) fn stands(&self) -> impl Iterator<Item = &Stand> {
        self.rules.values()
    }

    /// Brings what a rule comes to up to date, after [`Standing::keep`].
    pub(crate) fn run(
        &mut self,
        rule: &Arc<Rule>,
        facts: &Facts<'_>,
        touched: &Bitset,
    ) -> (&mut Stand, Moved) {
        let fresh = |number: usize| facts.datasets.get(number).is_some_and(|facts| facts.fresh);
        let fresh: Vec<bool> = rule.datasets().into_iter().map(fresh).collect();
        let facts = &facts.with_answers(&self.answers);
        let stand = self.rules.entry(rule.id.clone()).or_insert_with(|| Stand::new(rule));
        stand.outcomes.grow(facts.subjects);
        let before = stand.run.take();
        let same =
            before.as_ref().is_some_and(|(asked, was)| *was == fresh && asks_the_same(asked, rule));
        let known = before.is_some();
        stand.run = Some((rule.clone(), fresh));
        let count = touched.count();
        let mut moved = touched.clone();
        moved.grow(facts.subjects);
        if same && count * MOST <= facts.subjects {
            let people: Vec<u32> = moved.ones().map(number).collect();
            evaluate_again(rule, facts, &people, &mut stand.outcomes);
            self.effort.people += count as u64;
            return (stand, Moved::Only(moved));
        }
        moved.or_with(&evaluate_everybody(rule, facts, &mut stand.outcomes));
        self.effort.whole += 1;
        (stand, if known { Moved::Only(moved) } else { Moved::Everybody })
    }
}

impl Stand {
    fn new(rule: &Rule) -> Self {
        Self {
            run: None,
            outcomes: Outcomes::nobody(0),
            waits: Waits::default(),
            received: vec![],
            settled: false,
            version: rule.version,
            day: None,
        }
    }
}

/// Another label, measure or deadline is no other question.
fn asks_the_same(one: &Rule, other: &Rule) -> bool {
    let parts = |rule: &Rule| {
        let parts = [Some(&rule.when), rule.unless.as_ref(), rule.means.as_ref()];
        parts.map(|part| part.map(|expression| expression.tree.clone()))
    };
    parts(one) == parts(other)
}

pub(crate) fn number(index: usize) -> u32 {
    u32::try_from(index).expect("subjects are numbered by u32")
}
