//! Everything a rule may read at one moment, borrowed from whoever keeps it.
//!
//! Owns the question what may be believed: a dataset that is not fresh says nothing. What follows
//! from it is `plan`'s business.

use crate::{
    bitset::Bitset, catalogue::DatasetNumber, columns::DatasetColumns, expression::Predicate,
    household_answers::HouseholdAnswers, lists::Lists,
};

/// What is known of the base.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// How many subjects there are.
    pub subjects: usize,
    /// By dataset number, about subjects.
    pub datasets: Vec<DatasetFacts<'a>>,
    /// Absent where the catalogue has no household dataset.
    pub household: Option<HouseholdFacts<'a>>,
}

/// What one dataset says about subjects.
#[derive(Debug, Clone)]
pub struct DatasetFacts<'a> {
    /// Its columns; people beyond them are unknown.
    pub columns: &'a DatasetColumns,
    /// Whether its answers count.
    pub fresh: bool,
}

/// Who lives with whom, and what datasets say about them.
#[derive(Debug, Clone)]
pub struct HouseholdFacts<'a> {
    /// By subject, the numbers of members.
    pub members: &'a Lists,
    /// Subjects whose list names everybody.
    pub complete: &'a Bitset,
    /// By dataset number, about members. Whether they count is in [`Facts::datasets`].
    pub columns: Vec<Option<&'a DatasetColumns>>,
    /// Whether the household dataset's answers count.
    pub fresh: bool,
    /// What households came to before, where it is kept.
    pub answers: Option<&'a HouseholdAnswers>,
}

/// How far old answers are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Only fresh datasets.
    Strict,
    /// Watch datasets too as they were last known.
    LastKnown,
}

/// The columns that may be believed, about people of one kind.
pub(crate) struct Known<'a> {
    columns: Vec<Option<&'a DatasetColumns>>,
}

impl<'a> Facts<'a> {
    /// The same, with what households came to before.
    pub fn with_answers(&self, answers: &'a HouseholdAnswers) -> Self {
        let household = self.household.clone();
        let household = household.map(|it| HouseholdFacts { answers: Some(answers), ..it });
        Self { household, ..self.clone() }
    }

    /// What may be believed about subjects.
    pub(crate) fn about_subjects(&self, reading: Reading) -> Known<'a> {
        let believed = |dataset: &DatasetFacts<'a>| {
            let last_known = reading == Reading::LastKnown && dataset.columns.listed().is_some();
            (dataset.fresh || last_known).then_some(dataset.columns)
        };
        Known { columns: self.datasets.iter().map(believed).collect() }
    }

    /// What may be believed about household members.
    pub(crate) fn about_members(&self) -> Known<'a> {
        let Some(household) = &self.household else {
            return Known { columns: vec![] };
        };
        let fresh =
            |number: DatasetNumber| self.datasets.get(number).is_some_and(|facts| facts.fresh);
        let believed = |(number, columns): (DatasetNumber, &Option<&'a DatasetColumns>)| {
            columns.filter(|_| fresh(number))
        };
        Known { columns: household.columns.iter().enumerate().map(believed).collect() }
    }

    /// A subject's members, and whether they are all. An old list may name people who have left:
    /// it names nobody.
    pub(crate) fn members(&self, subject: usize) -> (&'a [u32], bool) {
        let Some(household) = self.household.as_ref().filter(|household| household.fresh) else {
            return (&[], false);
        };
        (household.members.of(subject), household.complete.get(subject))
    }
}

impl<'a> Known<'a> {
    /// A dataset's columns, where they may be believed.
    pub(crate) fn columns(&self, number: DatasetNumber) -> Option<&'a DatasetColumns> {
        self.columns.get(number).copied().flatten()
    }

    /// Whether a predicate can be true, and whether it can be false, of one person.
    pub(crate) fn possible(&self, predicate: &Predicate, person: usize) -> (bool, bool) {
        let values = match self.columns(predicate.dataset) {
            Some(columns) if person < columns.len() => match (predicate.flag, columns.listed()) {
                (Some(flag), _) => columns.possible(person, flag),
                (None, listed) => 1 << u32::from(listed.is_some_and(|listed| listed.get(person))),
            },
            _ => u32::MAX,
        };
        (values & predicate.true_values != 0, values & predicate.false_values != 0)
    }
}
