//! As much of a policy file as the oracle needs: flags and rules.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ast::Expr, parse};

/// A policy, read without the product's help.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Datasets by id.
    pub datasets: BTreeMap<String, DatasetShape>,
    /// In file order.
    pub rules: Vec<Rule>,
}

/// A dataset.
#[derive(Debug, Clone)]
pub struct DatasetShape {
    /// Its owner.
    pub agency: String,
    /// Whether it is a category of the base.
    pub watch: bool,
    /// Its flags, in order.
    pub flags: Vec<FlagShape>,
    /// Set for the dataset that lists households: the room for members, and what they may be asked.
    pub household: Option<(usize, Vec<String>)>,
}

/// A flag.
#[derive(Debug, Clone)]
pub struct FlagShape {
    /// Its name.
    pub name: String,
    /// Its values.
    pub kind: FlagKind,
    /// Groups of exact values.
    pub coarser: Vec<Vec<u8>>,
}

/// The exact values of a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagKind {
    /// No, yes.
    Boolean,
    /// By name.
    Category(Vec<String>),
    /// By where each band begins.
    Bands(Vec<i64>),
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// Who is warned.
    pub when: Expr,
    /// Who is helped already.
    pub unless: Option<Expr>,
    /// Whose means are low.
    pub means: Option<Expr>,
}

#[derive(Deserialize)]
struct File {
    dataset: Vec<FileDataset>,
    #[serde(default)]
    rule: Vec<FileRule>,
}

#[derive(Deserialize)]
struct FileDataset {
    id: String,
    agency: String,
    kind: String,
    #[serde(default)]
    flag: Vec<FileFlag>,
    household: Option<FileHousehold>,
}

#[derive(Deserialize)]
struct FileHousehold {
    max_members: usize,
    datasets: Vec<String>,
}

#[derive(Deserialize)]
struct FileFlag {
    name: String,
    bands: Option<Vec<i64>>,
    values: Option<Vec<String>>,
    #[serde(default)]
    coarser: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
struct FileRule {
    id: String,
    when: String,
    unless: Option<String>,
    means: Option<String>,
}

impl Policy {
    /// Reads a policy's TOML text; what the oracle does not need is passed over.
    ///
    /// # Errors
    /// The parser's words, with the rule they are about.
    pub fn read(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let datasets = file.dataset.into_iter().map(FileDataset::shape).collect();
        let rules = file.rule.into_iter().map(FileRule::parse).collect::<Result<_, _>>()?;
        Ok(Self { datasets, rules })
    }
}

impl FileDataset {
    fn shape(self) -> (String, DatasetShape) {
        let shape = DatasetShape {
            agency: self.agency,
            watch: self.kind == "watch",
            flags: self.flag.into_iter().map(FileFlag::shape).collect(),
            household: self.household.map(|h| (h.max_members, h.datasets)),
        };
        (self.id, shape)
    }
}

impl FileFlag {
    fn shape(self) -> FlagShape {
        let kind = match (self.bands, self.values) {
            (Some(bounds), _) => FlagKind::Bands(bounds),
            (None, Some(names)) => FlagKind::Category(names),
            (None, None) => FlagKind::Boolean,
        };
        FlagShape { name: self.name, kind, coarser: self.coarser }
    }
}

impl FileRule {
    fn parse(self) -> Result<Rule, String> {
        let read = |text: &str| parse(text).map_err(|error| format!("rule {}: {error}", self.id));
        Ok(Rule {
            when: read(&self.when)?,
            unless: self.unless.as_deref().map(read).transpose()?,
            means: self.means.as_deref().map(read).transpose()?,
            id: self.id,
        })
    }
}

impl DatasetShape {
    /// A flag and its place.
    pub fn flag(&self, name: &str) -> Option<(usize, &FlagShape)> {
        self.flags.iter().enumerate().find(|(_, flag)| flag.name == name)
    }
}

impl FlagShape {
    /// How many exact values there are.
    pub fn value_count(&self) -> usize {
        match &self.kind {
            FlagKind::Boolean => 2,
            FlagKind::Category(names) => names.len(),
            FlagKind::Bands(bounds) => bounds.len(),
        }
    }

    /// The exact values a row's byte leaves possible, one bit each.
    pub fn possible(&self, byte: u8) -> u32 {
        let (byte, count) = (usize::from(byte), self.value_count());
        if byte == 255 {
            (0..count).map(|value| 1 << value).sum()
        } else if byte < count {
            1 << byte
        } else {
            self.coarser[byte - count].iter().map(|value| 1 << value).sum()
        }
    }
}

impl Rule {
    /// The rule as a section of a policy file; `situation` and `measure` must exist there.
    pub fn section(&self, situation: &str, measure: &str) -> String {
        let Self { id, when, .. } = self;
        let mut text = format!(
            "[[rule]]\nid = \"{id}\"\nzh = \"{id}\"\nen = \"{id}\"\n\
             situation = \"{situation}\"\nwhen = \"{when}\"\n"
        );
        for (key, part) in [("unless", &self.unless), ("means", &self.means)] {
            if let Some(part) = part {
                text.push_str(&format!("{key} = \"{part}\"\n"));
            }
        }
        text.push_str(&format!("assist = [\"{measure}\"]\ndue = \"72h\"\n\n"));
        text
    }
}
