//! Why a rule came to what it did for one subject: each question it asks, and the answer.
//!
//! Owns the walk over one subject's facts. When and to whom it is shown is others' business.

use serde::{Deserialize, Serialize};

use crate::{
    catalogue::DatasetNumber,
    expression::{Expression, HouseholdTerm, Term, Tree},
    facts::{Facts, Known, Reading},
    plan::Tally,
    rule::Rule,
};

/// One of a rule's expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Who is warned.
    When,
    /// Who is already helped, or beyond help.
    Unless,
    /// Whose means are low.
    Means,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// Yes, for certain.
    True,
    /// No, for certain.
    False,
    /// The dataset is not fresh, does not say, or says it too coarsely.
    Unknown,
}

/// One question to one dataset, and its answer. Whoever keeps it puts the dataset's id in place of
/// its number, which the next policy may give to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which of the rule's expressions asks.
    pub part: Part,
    /// The question as a rule would have it.
    pub predicate: String,
    /// The answer.
    pub truth: Truth,
    /// Who was asked.
    pub dataset: DatasetNumber,
}

/// Every question of a rule about one subject, in the order of its text. A question about the
/// household stands once for each dataset that it asks.
pub fn explain(rule: &Rule, facts: &Facts<'_>, subject: usize) -> Vec<Finding> {
    let asked = Asked::about(facts, subject);
    let parts = [
        (Part::When, Some(&rule.when)),
        (Part::Unless, rule.unless.as_ref()),
        (Part::Means, rule.means.as_ref()),
    ];
    let mut findings = vec![];
    for (part, expression) in parts {
        for term in expression.into_iter().flat_map(|expression| expression.tree.terms()) {
            let truth = Truth::of(asked.term(&term));
            let (text, datasets) = match term {
                Term::Predicate(predicate) => (&predicate.text, vec![predicate.dataset]),
                Term::Household(term) => (&term.text, term.datasets().into_iter().collect()),
            };
            let finding = |dataset| Finding { part, predicate: text.clone(), truth, dataset };
            findings.extend(datasets.into_iter().map(finding));
        }
    }
    findings
}

/// What an expression comes to for one subject.
pub fn truth(expression: &Expression, facts: &Facts<'_>, subject: usize) -> Truth {
    let asked = Asked::about(facts, subject);
    Truth::of(possible(&expression.tree, &|term| asked.term(&term)))
}

/// A subject, and what may be believed of them and of their household.
struct Asked<'a> {
    facts: &'a Facts<'a>,
    known: Known<'a>,
    members: Known<'a>,
    subject: usize,
}

impl<'a> Asked<'a> {
    fn about(facts: &'a Facts<'a>, subject: usize) -> Self {
        let (known, members) = (facts.about_subjects(Reading::Strict), facts.about_members());
        Self { facts, known, members, subject }
    }

    /// Whether a question can be answered yes, and whether it can be answered no.
    fn term(&self, term: &Term<'_>) -> (bool, bool) {
        match term {
            Term::Predicate(predicate) => self.known.possible(predicate, self.subject),
            Term::Household(term) => self.household(term),
        }
    }

    fn household(&self, term: &HouseholdTerm) -> (bool, bool) {
        let (members, complete) = self.facts.members(self.subject);
        let mut tally = Tally { listed: members.len(), complete, ..Tally::default() };
        for &member in members {
            let (can_true, can_false) = possible(&term.inner, &|term| match term {
                Term::Predicate(predicate) => self.members.possible(predicate, member as usize),
                Term::Household(_) => {
                    unreachable!("the checker refuses a household in a household")
                }
            });
            tally.possible += usize::from(can_true);
            tally.certain += usize::from(can_true && !can_false);
        }
        term.quantity.possible(tally)
    }
}

impl Truth {
    fn of((can_true, can_false): (bool, bool)) -> Self {
        match (can_true, can_false) {
            (true, false) => Self::True,
            (false, true) => Self::False,
            _ => Self::Unknown,
        }
    }
}

/// Whether a condition can be true, and whether it can be false, by what its questions can be.
fn possible(tree: &Tree, ask: &impl Fn(Term<'_>) -> (bool, bool)) -> (bool, bool) {
    let each = |parts: &[Tree]| -> Vec<(bool, bool)> {
        parts.iter().map(|part| possible(part, ask)).collect()
    };
    match tree {
        Tree::Const(value) => (*value, !*value),
        Tree::Predicate(predicate) => ask(Term::Predicate(predicate)),
        Tree::Household(term) => ask(Term::Household(term)),
        Tree::Not(inner) => {
            let (can_true, can_false) = possible(inner, ask);
            (can_false, can_true)
        }
        Tree::And(parts) => {
            let parts = each(parts);
            (parts.iter().all(|part| part.0), parts.iter().any(|part| part.1))
        }
        Tree::Or(parts) => {
            let parts = each(parts);
            (parts.iter().any(|part| part.0), parts.iter().all(|part| part.1))
        }
    }
}
