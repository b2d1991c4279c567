//! A policy as its TOML file has it: shapes only, each name with its place in the file.
//!
//! Owns the keys. What they mean together is checked in `policy` and `policy_catalogue`.

use proto::schema::DatasetKind;
use serde::Deserialize;
use toml::Spanned;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyFile {
    pub(crate) programme: ProgrammeEntry,
    #[serde(default)]
    pub(crate) agency: Vec<NamedEntry>,
    #[serde(default)]
    pub(crate) situation: Vec<NamedEntry>,
    #[serde(default)]
    pub(crate) measure: Vec<NamedEntry>,
    #[serde(default)]
    pub(crate) dataset: Vec<DatasetEntry>,
    #[serde(default)]
    pub(crate) rule: Vec<RuleEntry>,
    pub(crate) cases: Option<CasesEntry>,
    pub(crate) disclosure: Option<DisclosureEntry>,
}

/// A text with nothing but rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleFile {
    pub(crate) rule: Vec<RuleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgrammeEntry {
    pub(crate) id: Spanned<String>,
    pub(crate) zh: String,
    pub(crate) en: String,
    pub(crate) pending_deadline: Spanned<String>,
}

/// An agency, a situation or a measure.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedEntry {
    pub(crate) id: Spanned<String>,
    pub(crate) zh: String,
    pub(crate) en: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetEntry {
    pub(crate) id: Spanned<String>,
    pub(crate) agency: Spanned<String>,
    pub(crate) kind: DatasetKind,
    pub(crate) fresh_within: Spanned<String>,
    pub(crate) zh: String,
    pub(crate) en: String,
    #[serde(default)]
    pub(crate) flag: Vec<FlagEntry>,
    pub(crate) household: Option<HouseholdEntry>,
}

/// A boolean unless it has bands or values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlagEntry {
    pub(crate) name: Spanned<String>,
    pub(crate) zh: String,
    pub(crate) en: String,
    pub(crate) bands: Option<Spanned<Vec<i64>>>,
    pub(crate) values: Option<Spanned<Vec<String>>>,
    pub(crate) coarser: Option<Spanned<Vec<Vec<u8>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HouseholdEntry {
    pub(crate) max_members: Spanned<u8>,
    pub(crate) datasets: Spanned<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleEntry {
    pub(crate) id: Spanned<String>,
    pub(crate) zh: String,
    pub(crate) en: String,
    pub(crate) situation: Spanned<String>,
    pub(crate) when: Spanned<String>,
    pub(crate) unless: Option<Spanned<String>>,
    pub(crate) means: Option<Spanned<String>>,
    pub(crate) assist: Vec<Spanned<String>>,
    pub(crate) due: Spanned<String>,
}

/// What holds of disclosures.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DisclosureEntry {
    pub(crate) vulnerable: Spanned<String>,
}

/// What holds of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CasesEntry {
    pub(crate) work_begins: Spanned<String>,
    pub(crate) work_ends: Spanned<String>,
    pub(crate) acknowledge: Spanned<String>,
    pub(crate) street: Spanned<String>,
    pub(crate) district: Spanned<String>,
    pub(crate) visit: Spanned<String>,
    pub(crate) decide: Spanned<String>,
    pub(crate) papers: Spanned<String>,
    pub(crate) suppress: Spanned<String>,
    pub(crate) returns: Spanned<u32>,
    #[serde(default)]
    pub(crate) rule: Vec<CaseRuleEntry>,
    #[serde(default)]
    pub(crate) year: Vec<YearEntry>,
}

/// What differs for one rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseRuleEntry {
    pub(crate) id: Spanned<String>,
    pub(crate) visit: Option<Spanned<String>>,
    pub(crate) suppress: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) joins: bool,
}

/// A year's days that are not what their weekday is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct YearEntry {
    pub(crate) year: Spanned<i16>,
    pub(crate) off: Vec<Spanned<String>>,
    pub(crate) work: Vec<Spanned<String>>,
}
