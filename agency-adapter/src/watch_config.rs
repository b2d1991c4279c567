//! What `[[dataset]]` of a watch dataset says besides flags: the columns of regions and of work orders.

use std::collections::BTreeMap;

use proto::case_event::Urgency;
use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};

/// The columns of the administrative regions: at least one of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionConfig {
    /// The header of where the person lives.
    pub residence: Option<String>,
    /// The header of where the person is registered.
    pub registration: Option<String>,
}

/// The columns of a hotline's work orders; a row is one order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkOrderConfig {
    /// The header of the order's number.
    pub number: String,
    /// The header of how urgent it is.
    pub urgency: String,
    /// From texts in the file to urgencies. A text that is one needs no entry.
    #[serde(default)]
    pub map: BTreeMap<String, Urgency>,
}

impl RegionConfig {
    /// The headers.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &String> {
        [&self.residence, &self.registration].into_iter().flatten()
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if self.columns().next().is_none() {
            return Err(
                "`region` names no column: it needs `residence`, `registration` or both".into()
            );
        }
        Ok(())
    }
}

impl WorkOrderConfig {
    /// What a text of the file says, if it says anything.
    pub(crate) fn urgency(&self, text: &str) -> Option<Urgency> {
        let named = || {
            let text: value::StrDeserializer<'_, value::Error> = text.into_deserializer();
            Urgency::deserialize(text).ok()
        };
        self.map.get(text).copied().or_else(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_urgency_is_read_by_the_map_and_by_its_name() {
        let text = "number = \"n\"\nurgency = \"u\"\nmap = { \"特急\" = \"emergency\" }\n";
        let config: WorkOrderConfig = toml::from_str(text).expect("TOML");
        assert_eq!(config.urgency("特急"), Some(Urgency::Emergency));
        assert_eq!(config.urgency("routine"), Some(Urgency::Routine));
        assert_eq!(config.urgency("Routine"), None);
        let wrong = text.replace("emergency", "soon");
        let error = toml::from_str::<WorkOrderConfig>(&wrong).expect_err("refused").to_string();
        assert!(error.contains("`soon`") && error.contains("`urgent`"), "{error}");
    }

    #[test]
    fn regions_without_a_column_are_refused() {
        let config: RegionConfig = toml::from_str("").expect("TOML");
        assert!(config.check().expect_err("refused").contains("`residence`, `registration`"));
    }
}
