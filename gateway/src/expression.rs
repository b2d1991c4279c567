//! A rule's expression once it is checked: a tree of predicates over datasets and flags by number.
//!
//! Owns the tree and how it reads. `checker` makes it from CEL, `plan` runs it over everybody.

use std::{collections::BTreeSet, fmt};

use crate::catalogue::DatasetNumber;

/// An expression that was checked against a catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// As it was written.
    pub source: String,
    /// What it means.
    pub tree: Tree,
}

/// A condition about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// Holds for everybody or nobody.
    Const(bool),
    /// Asks one dataset.
    Predicate(Predicate),
    /// Asks about the household; never inside another such question.
    Household(HouseholdTerm),
    /// The opposite.
    Not(Box<Tree>),
    /// All of them.
    And(Vec<Tree>),
    /// Any of them.
    Or(Vec<Tree>),
}

/// A question to one dataset about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    /// Which dataset.
    pub dataset: DatasetNumber,
    /// Which flag; absent where it asks whether a watch dataset lists the person, with exact values
    /// 0 for no and 1 for yes.
    pub flag: Option<usize>,
    /// The exact values of which it is true, one bit each.
    pub true_values: u32,
    /// All the others.
    pub false_values: u32,
    /// As a rule would have it.
    pub text: String,
}

/// A question about the members of a subject's household.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HouseholdTerm {
    /// The household dataset.
    pub dataset: DatasetNumber,
    /// How many of the members.
    pub quantity: Quantity,
    /// What is asked about each member.
    pub inner: Box<Tree>,
    /// As a rule would have it.
    pub text: String,
}

/// How many members something must hold for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// At least one.
    Exists,
    /// Every one.
    All,
    /// As many as the comparison accepts.
    Count {
        /// How the count compares.
        comparison: Comparison,
        /// With what.
        number: u32,
    },
}

/// A comparison of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A leaf of a tree: what an explanation has one line about.
pub(crate) enum Term<'a> {
    Predicate(&'a Predicate),
    Household(&'a HouseholdTerm),
}

impl Comparison {
    /// The operator in CEL.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Whether some, and whether some other, number from `low` to `high` (both inclusive) compares
    /// so with `number`: the answers that are possible.
    pub(crate) fn possible<N: Copy + Ord>(self, low: N, high: N, number: N) -> (bool, bool) {
        let swap = |(can_true, can_false)| (can_false, can_true);
        match self {
            Self::Less => (low < number, high >= number),
            Self::LessOrEqual => (low <= number, high > number),
            Self::Equal => (low <= number && number <= high, low != number || high != number),
            Self::Greater => swap(Self::LessOrEqual.possible(low, high, number)),
            Self::GreaterOrEqual => swap(Self::Less.possible(low, high, number)),
            Self::NotEqual => swap(Self::Equal.possible(low, high, number)),
        }
    }
}

impl Tree {
    /// All datasets it reads, the household dataset included.
    pub fn datasets(&self) -> BTreeSet<DatasetNumber> {
        let mut datasets = BTreeSet::new();
        for term in self.terms() {
            match term {
                Term::Predicate(predicate) => datasets.extend([predicate.dataset]),
                Term::Household(household) => datasets.extend(household.datasets()),
            }
        }
        datasets
    }

    /// Its leaves from left to right.
    pub(crate) fn terms(&self) -> Vec<Term<'_>> {
        match self {
            Self::Const(_) => vec![],
            Self::Predicate(predicate) => vec![Term::Predicate(predicate)],
            Self::Household(household) => vec![Term::Household(household)],
            Self::Not(inner) => inner.terms(),
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::terms).collect(),
        }
    }

    /// Both, without a level of nesting where one is an "and" already.
    pub(crate) fn and(self, other: Self) -> Self {
        let parts = |tree| match tree {
            Self::And(parts) => parts,
            other => vec![other],
        };
        Self::And([parts(self), parts(other)].concat())
    }

    /// Either, without a level of nesting where one is an "or" already.
    pub(crate) fn or(self, other: Self) -> Self {
        let parts = |tree| match tree {
            Self::Or(parts) => parts,
            other => vec![other],
        };
        Self::Or([parts(self), parts(other)].concat())
    }

    fn binds_tighter_than_not(&self) -> bool {
        match self {
            Self::Const(_) | Self::Not(_) => true,
            Self::Predicate(Predicate { text, .. }) => !text.contains(' '),
            Self::Household(term) => !matches!(term.quantity, Quantity::Count { .. }),
            Self::And(_) | Self::Or(_) => false,
        }
    }
}

impl HouseholdTerm {
    /// All datasets it reads, the household dataset included.
    pub fn datasets(&self) -> BTreeSet<DatasetNumber> {
        let mut datasets = self.inner.datasets();
        datasets.insert(self.dataset);
        datasets
    }
}

/// CEL that means the same.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |parts: &[Self], sign| {
            let part = |part: &Self| match part {
                Self::And(_) | Self::Or(_) => format!("({part})"),
                _ => part.to_string(),
            };
            parts.iter().map(part).collect::<Vec<_>>().join(sign)
        };
        match self {
            Self::Const(value) => write!(f, "{value}"),
            Self::Predicate(predicate) => f.write_str(&predicate.text),
            Self::Household(term) => f.write_str(&term.text),
            Self::Not(inner) if inner.binds_tighter_than_not() => write!(f, "!{inner}"),
            Self::Not(inner) => write!(f, "!({inner})"),
            Self::And(parts) => f.write_str(&join(parts, " && ")),
            Self::Or(parts) => f.write_str(&join(parts, " || ")),
        }
    }
}
