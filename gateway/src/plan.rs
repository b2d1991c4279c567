//! Runs an expression over everybody at once, set by set; nothing is interpreted per person except
//! that a household question makes one pass over the members.
//!
//! Owns three-valued logic over sets: what can be true and what can be false, both where it is
//! unknown. What may be believed is `facts`' business.

use crate::{
    bitset::Bitset,
    expression::{Expression, HouseholdTerm, Predicate, Quantity, Tree},
    facts::{Facts, Known},
};

pub use crate::facts::Reading;

/// Of whom an expression can be true, and of whom it can be false. Everybody is in at least one of
/// the sets; who is in both is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truths {
    /// Some possible value makes it true.
    pub can_true: Bitset,
    /// Some possible value makes it false.
    pub can_false: Bitset,
}

/// What a household's members come to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// How many are listed.
    pub listed: usize,
    /// Of how many it is certainly true.
    pub certain: usize,
    /// Of how many it can be true.
    pub possible: usize,
    /// Whether the list names everybody.
    pub complete: bool,
}

impl Expression {
    /// What the expression comes to for every subject.
    pub fn run(&self, facts: &Facts<'_>, reading: Reading) -> Truths {
        run(&self.tree, &facts.about_subjects(reading), facts)
    }
}

impl Truths {
    /// The same for everybody.
    pub(crate) fn same(people: usize, can_true: bool, can_false: bool) -> Self {
        let filled = |value| Bitset::filled(people, value);
        Self { can_true: filled(can_true), can_false: filled(can_false) }
    }

    /// Certainly true.
    pub(crate) fn is_true(&self) -> Bitset {
        let mut set = self.can_true.clone();
        set.and_not_with(&self.can_false);
        set
    }

    /// Certainly false.
    pub(crate) fn is_false(&self) -> Bitset {
        let mut set = self.can_false.clone();
        set.and_not_with(&self.can_true);
        set
    }

    fn and(mut self, other: &Self) -> Self {
        self.can_true.and_with(&other.can_true);
        self.can_false.or_with(&other.can_false);
        self
    }

    fn or(mut self, other: &Self) -> Self {
        self.can_true.or_with(&other.can_true);
        self.can_false.and_with(&other.can_false);
        self
    }
}

impl Quantity {
    /// Whether so many of the members can be, and can fail to be.
    pub(crate) fn possible(self, tally: Tally) -> (bool, bool) {
        let Tally { listed, certain, possible, complete } = tally;
        match self {
            Self::Exists => (possible > 0 || !complete, certain == 0),
            Self::All => (possible == listed, certain < listed || !complete),
            Self::Count { comparison, number } => {
                let most = if complete { possible as u64 } else { u64::MAX };
                comparison.possible(certain as u64, most, u64::from(number))
            }
        }
    }
}

fn run(tree: &Tree, known: &Known<'_>, facts: &Facts<'_>) -> Truths {
    let each = |parts: &[Tree], neutral: bool, join: fn(Truths, &Truths) -> Truths| {
        let start = Truths::same(known.people, neutral, !neutral);
        parts.iter().fold(start, |so_far, part| join(so_far, &run(part, known, facts)))
    };
    match tree {
        Tree::Const(value) => Truths::same(known.people, *value, !*value),
        Tree::Predicate(predicate) => ask(predicate, known),
        Tree::Household(term) => ask_household(term, facts),
        Tree::Not(inner) => {
            let Truths { can_true, can_false } = run(inner, known, facts);
            Truths { can_true: can_false, can_false: can_true }
        }
        Tree::And(parts) => each(parts, true, Truths::and),
        Tree::Or(parts) => each(parts, false, Truths::or),
    }
}

fn ask(predicate: &Predicate, known: &Known<'_>) -> Truths {
    let Predicate { true_values, false_values, .. } = *predicate;
    let Some(columns) = known.columns(predicate.dataset) else {
        return Truths::same(known.people, true_values != 0, false_values != 0);
    };
    let any_of = |values: u32| {
        let mut people = Bitset::filled(columns.len(), false);
        match (predicate.flag, columns.listed()) {
            (Some(flag), _) => {
                let columns = columns.values(flag).iter().enumerate();
                let wanted = columns.filter(|(value, _)| values >> value & 1 == 1);
                wanted.for_each(|(_, possible)| people.or_with(possible));
            }
            (None, listed) => {
                let mut is_listed = listed.cloned().unwrap_or_else(|| people.clone());
                if values & 0b10 != 0 {
                    people.or_with(&is_listed);
                }
                if values & 0b01 != 0 {
                    is_listed.invert();
                    people.or_with(&is_listed);
                }
            }
        }
        // Whoever the columns do not reach is unknown.
        people.resize(known.people, values != 0);
        people
    };
    Truths { can_true: any_of(true_values), can_false: any_of(false_values) }
}

fn ask_household(term: &HouseholdTerm, facts: &Facts<'_>) -> Truths {
    let about_members = run(&term.inner, &facts.about_members(), facts);
    let mut truths = Truths::same(facts.subjects, false, false);
    for subject in 0..facts.subjects {
        let (members, complete) = facts.members(subject);
        let mut tally = Tally { listed: members.len(), complete, ..Tally::default() };
        for &member in members {
            let can_true = about_members.can_true.get(member as usize);
            tally.possible += usize::from(can_true);
            let can_false = about_members.can_false.get(member as usize);
            tally.certain += usize::from(can_true && !can_false);
        }
        let (can_true, can_false) = term.quantity.possible(tally);
        truths.can_true.assign(subject, can_true);
        truths.can_false.assign(subject, can_false);
    }
    truths
}
