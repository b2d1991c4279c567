//! The form of every agency's files: columns, and what each flag is computed from.
//!
//! One table serves the configuration given to the adapters and the truth the oracle uses.

use std::collections::BTreeSet;

use super::{lines::LINES, watch::WATCH};

/// One dataset's file.
#[derive(Debug)]
pub struct Dataset {
    /// Its id in the policy.
    pub id: &'static str,
    /// Its owner.
    pub agency: &'static str,
    /// Its own columns, after the identifier, name, phone, address (and region). A column whose name
    /// starts with `@` is part of the identifier and not written.
    pub columns: &'static [&'static str],
    /// In the policy's order.
    pub flags: &'static [Flag],
}

/// One flag of a file.
#[derive(Debug)]
pub struct Flag {
    /// Its name in the policy.
    pub name: &'static str,
    /// What it is computed from.
    pub rule: Rule,
}

/// How a person's rows make one flag.
#[derive(Debug)]
pub enum Rule {
    /// Some row satisfies it.
    When(Condition),
    /// How many rows hold `equals` in `column`, in bands.
    Count {
        /// The column.
        column: &'static str,
        /// The text that counts.
        equals: &'static str,
        /// The bands.
        bands: Bands,
    },
    /// The largest number of a column, or their sum, in bands.
    Number {
        /// The column.
        column: &'static str,
        /// Whether the rows add up.
        sum: bool,
        /// The bands.
        bands: Bands,
    },
    /// A category.
    Values {
        /// The column.
        column: &'static str,
        /// The values' names.
        names: &'static [&'static str],
        /// What the file says, and the value it means.
        map: &'static [(&'static str, &'static str)],
        /// Groups of values.
        coarser: &'static [&'static [u8]],
    },
}

/// What a boolean flag asks of a row.
#[derive(Debug)]
pub enum Condition {
    /// Nothing.
    Always,
    /// A date not longer ago.
    WithinDays(&'static str, i64),
    /// One text.
    Equals(&'static str, &'static str),
    /// One of several texts.
    In(&'static str, &'static [&'static str]),
    /// A number not below.
    AtLeast(&'static str, i64),
}

/// Ranges of numbers and groups of them.
#[derive(Debug)]
pub struct Bands {
    /// Where each begins.
    pub lower_bounds: &'static [i64],
    /// Groups of bands.
    pub coarser: &'static [&'static [u8]],
}

/// How many members of a household a row has room for.
pub const MAX_MEMBERS: usize = 8;
/// The dataset that lists households.
pub const HOUSEHOLDS: &str = "household_registration";
/// The dataset whose rows are requests for help.
pub const WORK_ORDERS: &str = "work_order";
/// The column of their numbers.
pub const ORDER_NUMBER: &str = "工单编号";
/// The column of how urgent they are.
pub const URGENCY: &str = "紧急程度";
/// What that column says, and the urgency it means.
pub const URGENCIES: [(&str, &str); 3] =
    [("一般", "routine"), ("紧急", "urgent"), ("特急", "emergency")];

impl Dataset {
    /// Whether it is a category of the base.
    pub fn is_watch(&self) -> bool {
        WATCH.iter().any(|dataset| dataset.id == self.id)
    }

    /// Whether people are identified by their disability certificate.
    pub fn has_certificates(&self) -> bool {
        self.columns.iter().any(|column| column.starts_with('@'))
    }

    /// The header of the identifier's column.
    pub fn identifier_column(&self) -> &'static str {
        if self.has_certificates() { "残疾证号" } else { "身份证号" }
    }

    /// About half of the agencies export in GB18030.
    pub fn is_gb18030(&self) -> bool {
        matches!(
            self.agency,
            "public_security"
                | "civil_affairs"
                | "disabled_federation"
                | "planning_resources"
                | "agriculture_rural"
                | "housing"
                | "veterans"
                | "market_regulation"
                | "emergency"
        )
    }

    /// One file starts with a byte order mark.
    pub fn has_byte_order_mark(&self) -> bool {
        self.id == "tax_declaration"
    }

    /// One file is separated by semicolons.
    pub fn delimiter(&self) -> char {
        if self.id == "marriage_registration" { ';' } else { ',' }
    }

    /// The position of one of its own columns.
    pub fn column(&self, name: &str) -> usize {
        self.columns.iter().position(|column| *column == name).expect("tables name own columns")
    }
}

impl Rule {
    /// How many exact values the flag has.
    pub fn value_count(&self) -> usize {
        match self {
            Self::When(_) => 2,
            Self::Count { bands, .. } | Self::Number { bands, .. } => bands.lower_bounds.len(),
            Self::Values { names, .. } => names.len(),
        }
    }

    /// The declared groups.
    pub fn coarser(&self) -> &'static [&'static [u8]] {
        match self {
            Self::When(_) => &[],
            Self::Count { bands, .. } | Self::Number { bands, .. } => bands.coarser,
            Self::Values { coarser, .. } => coarser,
        }
    }

    /// Whether a row that occurs twice counts twice.
    pub fn adds_up(&self) -> bool {
        matches!(self, Self::Count { .. } | Self::Number { sum: true, .. })
    }

    /// The column in which a bad cell leaves the flag unknown, if there is one.
    pub fn fragile_column(&self) -> Option<&'static str> {
        match self {
            Self::When(Condition::WithinDays(column, _) | Condition::AtLeast(column, _))
            | Self::Number { column, .. }
            | Self::Values { column, .. } => Some(column),
            Self::When(_) | Self::Count { .. } => None,
        }
    }
}

/// All 50, the watch datasets first.
pub fn datasets() -> impl Iterator<Item = &'static Dataset> {
    WATCH.iter().chain(LINES)
}

/// One of them.
pub fn dataset(id: &str) -> &'static Dataset {
    datasets().find(|dataset| dataset.id == id).expect("an id of the catalogue")
}

/// Every agency that owns a dataset.
pub fn agencies() -> BTreeSet<&'static str> {
    datasets().map(|dataset| dataset.agency).collect()
}
