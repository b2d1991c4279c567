//! `[[dataset]]` of adapter.toml: which file a dataset is in and what its columns are.
//!
//! Owns what can be written there and its checks. Flags are `flag_config`'s, regions and work orders
//! `watch_config`'s; reading the file is `load`'s; the rest of adapter.toml is `config`'s.

use std::path::PathBuf;

use jiff::civil::{Date, date};
use proto::{
    name::{DatasetId, FlagName},
    schema::{DatasetKind, DatasetSchema, FlagSchema, HouseholdSchema, InvalidSchema},
};
use serde::Deserialize;

use crate::{
    csv_source::{CERTIFICATE_KIND, CERTIFICATE_LEVEL, Column},
    disclosure::policy::DisclosurePolicy,
    flag_config::FlagConfig,
    flag_rule::FlagRule,
    identifier::IdentifierType,
    watch_config::{RegionConfig, WorkOrderConfig},
};

/// One `[[dataset]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetConfig {
    /// As in the federation manifest.
    pub id: DatasetId,
    /// A category of the base, or a data line to compare it with.
    pub kind: DatasetKind,
    /// The file, relative to adapter.toml.
    pub csv: PathBuf,
    /// What its bytes mean.
    pub encoding: Encoding,
    /// Between cells.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// Where the personal number is.
    pub identifier: IdentifierConfig,
    /// Where the administrative regions are; of watch datasets.
    pub region: Option<RegionConfig>,
    /// Where a hotline's work orders are; of watch datasets.
    pub work_order: Option<WorkOrderConfig>,
    /// A file with fewer people is not loaded: an export that was cut short would make "no" of everybody
    /// who is missing. Without it half of those who are published are too few.
    pub fewest_people: Option<u64>,
    /// A combination of flags held by fewer people is made coarser where the flags allow it.
    #[serde(default = "ten")]
    pub k_threshold: u32,
    /// In the order of a row's flag bytes.
    #[serde(default, rename = "flag")]
    pub flags: Vec<FlagConfig>,
    /// In the dataset that says who lives together.
    pub household: Option<HouseholdConfig>,
    /// What of a watch dataset's people may be disclosed to officers; nothing without it.
    pub disclosure: Option<DisclosurePolicy>,
}

/// What a file's bytes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[serde(rename = "utf-8", alias = "utf8", alias = "UTF-8")]
    Utf8,
    /// GB18030, and so GBK and GB2312.
    #[serde(alias = "gbk", alias = "gb2312", alias = "GB18030", alias = "GBK", alias = "GB2312")]
    Gb18030,
}

/// The column of the personal number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentifierConfig {
    /// Its header.
    pub column: String,
    /// What kind of number it holds.
    #[serde(rename = "type")]
    pub kind: IdentifierType,
    /// The country of all passports, two or three letters.
    pub country: Option<String>,
    /// The column with each passport's country.
    pub country_column: Option<String>,
}

/// The column by which people form households.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HouseholdConfig {
    /// Its header; people with the same value live together.
    pub column: String,
    /// How many members fit a row.
    pub max_members: u8,
    /// The datasets that household rules read.
    pub datasets: Vec<DatasetId>,
}

/// What is wrong in a `[[dataset]]` and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// In one flag.
    #[error("adapter.toml: dataset {dataset}, flag {flag}: {what}")]
    Flag {
        /// The dataset.
        dataset: DatasetId,
        /// Its flag.
        flag: FlagName,
        /// What, and what to write instead.
        what: String,
    },
    /// In the dataset as a whole.
    #[error("adapter.toml: dataset {dataset}: {what}")]
    Dataset {
        /// The dataset.
        dataset: DatasetId,
        /// What, and what to write instead.
        what: String,
    },
    /// A limit that all parties share.
    #[error("adapter.toml: {0}")]
    Schema(#[from] InvalidSchema),
}

fn comma() -> char {
    ','
}

fn ten() -> u32 {
    10
}

impl DatasetConfig {
    /// The dataset's schema, after all that can be checked without its file.
    ///
    /// # Errors
    /// Names the dataset and flag, and says what to write instead.
    pub fn schema(&self) -> Result<DatasetSchema, ConfigError> {
        self.check().map_err(|what| self.fault(what))?;
        self.rules(date(2000, 1, 1), &mut |_| Column::Cell(0))?;
        let flag = |flag: &FlagConfig| FlagSchema { name: flag.name.clone(), kind: flag.kind() };
        let household = self.household.as_ref().map(|household| HouseholdSchema {
            max_members: household.max_members,
            datasets: household.datasets.clone(),
        });
        let schema = DatasetSchema {
            dataset: self.id.clone(),
            kind: self.kind,
            flags: self.flags.iter().map(flag).collect(),
            household,
        };
        Ok(schema.checked()?)
    }

    /// The headers that the file must have.
    pub fn columns(&self) -> Vec<String> {
        let mut columns = vec![self.identifier.column.clone()];
        columns.extend(self.identifier.country_column.clone());
        columns.extend(self.region.iter().flat_map(RegionConfig::columns).cloned());
        if let Some(orders) = &self.work_order {
            columns.extend([orders.number.clone(), orders.urgency.clone()]);
        }
        columns.extend(self.household.as_ref().map(|household| household.column.clone()));
        for flag in &self.flags {
            columns.extend(flag.columns().into_iter().map(str::to_owned));
        }
        columns.retain(|name| name != CERTIFICATE_KIND && name != CERTIFICATE_LEVEL);
        columns.sort();
        columns.dedup();
        columns
    }

    /// How each flag comes from rows, in order.
    pub(crate) fn rules(
        &self,
        today: Date,
        column: &mut dyn FnMut(&str) -> Column,
    ) -> Result<Vec<FlagRule>, ConfigError> {
        let rule = |flag: &FlagConfig| {
            FlagRule::new(flag, today, column).map_err(|what| ConfigError::Flag {
                dataset: self.id.clone(),
                flag: flag.name.clone(),
                what,
            })
        };
        self.flags.iter().map(rule).collect()
    }

    fn fault(&self, what: String) -> ConfigError {
        ConfigError::Dataset { dataset: self.id.clone(), what }
    }

    fn check(&self) -> Result<(), String> {
        if self.id == DatasetId::base() {
            return Err("`base` has no rows of its own; choose another id".into());
        }
        if !self.delimiter.is_ascii() || matches!(self.delimiter, '"' | '\n' | '\r') {
            return Err("`delimiter` must be one ASCII character such as \",\" or \"\\t\"".into());
        }
        if self.k_threshold == 0 {
            return Err("`k_threshold` must be at least 1; leave it out for 10".into());
        }
        if self.kind == DatasetKind::CrossCheck {
            if self.region.is_some() {
                return Err("only watch datasets have regions; remove `region`".into());
            }
            if self.work_order.is_some() {
                return Err("only watch datasets have work orders; remove `work_order`".into());
            }
        }
        self.region.as_ref().map_or(Ok(()), RegionConfig::check)?;
        if self.kind == DatasetKind::CrossCheck && self.disclosure.is_some() {
            return Err("only watch datasets have subjects to disclose; remove `disclosure`".into());
        }
        self.disclosure.as_ref().map_or(Ok(()), DisclosurePolicy::check)?;
        let identifier = &self.identifier;
        let countries = [&identifier.country, &identifier.country_column];
        let countries = countries.into_iter().flatten().count();
        if identifier.kind == IdentifierType::Passport {
            if countries != 1 {
                return Err("a passport needs exactly one of `country`, `country_column`".into());
            }
        } else if countries != 0 {
            return Err("only a passport has a `country`; remove it".into());
        }
        let reads = |name| self.flags.iter().any(|flag| flag.columns().contains(&name));
        if identifier.kind != IdentifierType::DisabilityCertificate
            && (reads(CERTIFICATE_KIND) || reads(CERTIFICATE_LEVEL))
        {
            return Err("the @certificate columns need `type = \"disability_certificate\"`".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"
        id = "real_estate_registration"
        kind = "cross_check"
        csv = "data/real_estate.csv"
        encoding = "gb18030"
        identifier = { column = "身份证号", type = "resident_id" }
        [[flag]]
        name = "homes"
        bands = { count = { column = "用途", equals = "住宅" }, lower_bounds = [0, 1, 2] }
        coarser = [[1, 2]]
        [[flag]]
        name = "kind"
        values = { column = "类别", names = ["none", "sight"], map = { "视力" = "sight" } }
        [[flag]]
        name = "any"
        when = { always = true }
        [household]
        column = "户号"
        max_members = 8
        datasets = ["vehicle_registration"]
    "#;

    fn config(text: &str) -> DatasetConfig {
        toml::from_str(text).expect("TOML")
    }

    fn fault(from: &str, to: &str) -> String {
        assert!(SAMPLE.contains(from), "{from}");
        config(&SAMPLE.replacen(from, to, 1)).schema().expect_err("a fault").to_string()
    }

    #[test]
    fn a_dataset_as_documented_has_its_schema_columns_and_defaults() {
        let config = config(SAMPLE);
        assert_eq!((config.delimiter, config.k_threshold), (',', 10));
        assert_eq!(config.columns(), ["户号", "用途", "类别", "身份证号"]);
        let schema = config.schema().expect("a schema");
        let kinds: Vec<_> = schema.flags.iter().map(|flag| flag.kind.value_count()).collect();
        assert_eq!(kinds, [3, 2, 2]);
        assert_eq!(schema.flags[0].kind.coarser().len(), 1);
        assert_eq!(schema.household.expect("households").max_members, 8);
    }

    #[test]
    fn gbk_and_gb2312_are_read_as_gb18030() {
        for name in ["gbk", "gb2312", "gb18030"] {
            let config = config(&SAMPLE.replace("gb18030", name));
            assert_eq!(config.encoding, Encoding::Gb18030);
        }
    }

    #[test]
    fn a_fault_names_dataset_and_flag_and_what_to_write() {
        let text = fault("{ always = true }", "{ column = \"a\" }");
        assert!(text.contains("real_estate_registration, flag any: "), "{text}");
        assert!(text.contains("exactly one of"), "{text}");
        let text = fault("[[1, 2]]", "[[1, 7]]");
        assert!(text.contains("homes") && text.contains("coarser"), "{text}");
        let passport = "type = \"passport\"";
        assert!(fault("type = \"resident_id\"", passport).contains("`country`, `country_column`"));
        let text = fault("type = \"resident_id\"", "type = \"resident_id\", country = \"CN\"");
        assert!(text.contains("only a passport"), "{text}");
        assert!(fault("用途", CERTIFICATE_KIND).contains("disability_certificate"));
        assert!(fault("[[flag]]", "k_threshold = 0\n[[flag]]").contains("at least 1"));
        let region = "region = { residence = \"r\" }\n[[flag]]";
        assert!(fault("[[flag]]", region).contains("remove `region`"));
        let orders = "work_order = { number = \"n\", urgency = \"u\" }\n[[flag]]";
        assert!(fault("[[flag]]", orders).contains("remove `work_order`"));
        assert!(fault("\"any\"", "\"homes\"").contains("twice"));
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        let text = SAMPLE.replace("coarser", "coarse");
        let error = toml::from_str::<DatasetConfig>(&text).expect_err("refused");
        assert!(error.to_string().contains("coarse"));
    }
}
