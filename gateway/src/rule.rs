//! A rule: who is warned, who is left out, and what helps.
//!
//! Owns its version. Checking it is `policy`'s business, running it `outcomes`'.

use std::{collections::BTreeSet, time::Duration};

use proto::lp::LengthPrefixed;

use crate::{
    catalogue::DatasetNumber,
    expression::{Expression, HouseholdTerm, Term},
    label::Label,
};

/// A rule that was checked against a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Unique in the policy.
    pub id: String,
    /// BLAKE3 of everything below, as it is written; another version is another rule to an auditor.
    pub version: [u8; 32],
    /// What it is called.
    pub label: Label,
    /// The situation that it recognises.
    pub situation: String,
    /// Who is warned.
    pub when: Expression,
    /// Who is already helped, or beyond help; nobody where absent.
    pub unless: Option<Expression>,
    /// Whose means are low; everybody's where absent.
    pub means: Option<Expression>,
    /// Measures to propose.
    pub assist: Vec<String>,
    /// How soon somebody should be there.
    pub due: Duration,
}

impl Rule {
    /// All datasets it reads, the household dataset included.
    pub fn datasets(&self) -> BTreeSet<DatasetNumber> {
        let parts = [Some(&self.when), self.unless.as_ref(), self.means.as_ref()];
        parts.into_iter().flatten().flat_map(|part| part.tree.datasets()).collect()
    }

    /// All its questions about households.
    pub(crate) fn household_terms(&self) -> impl Iterator<Item = &HouseholdTerm> {
        let parts = [Some(&self.when), self.unless.as_ref(), self.means.as_ref()];
        let terms = parts.into_iter().flatten().flat_map(|part| part.tree.terms());
        terms.filter_map(|term| match term {
            Term::Household(household) => Some(household),
            Term::Predicate(_) => None,
        })
    }

    /// The rule with the version that its content has.
    pub(crate) fn versioned(self) -> Self {
        let text = |content: LengthPrefixed, text: &str| content.field(text.as_bytes());
        let named = [&self.id, &self.label.zh, &self.label.en, &self.situation, &self.when.source];
        let mut content = LengthPrefixed::new().field(&self.due.as_secs().to_be_bytes());
        for name in named {
            content = text(content, name);
        }
        for part in [&self.unless, &self.means] {
            content = match part {
                Some(part) => text(content.byte(1), &part.source),
                None => content.byte(0),
            };
        }
        for measure in &self.assist {
            content = text(content, measure);
        }
        Self { version: *blake3::hash(content.as_bytes()).as_bytes(), ..self }
    }
}
