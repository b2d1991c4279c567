//! `[dataset.disclosure]` of adapter.toml: what this agency discloses of a watch dataset's people, when,
//! and how much of it.
//!
//! Owns the agency's own decision, which no approval overrules. How many an officer had is counted by
//! `journal`.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::civil::{Date, Time, date};
use proto::{contact::ContactField, disclosure_request::DisclosureRequest};
use serde::Deserialize;

use super::refused::Refused;
use crate::{
    condition::{Condition, ConditionConfig},
    csv_source::Column,
};

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosurePolicy {
    /// Where the source has what may be disclosed. What is not here never is.
    pub columns: BTreeMap<ContactField, String>,
    /// The hours of the day in China. Emergencies have none.
    pub hours: Hours,
    /// So many disclosures an officer gets in a day, emergencies included.
    pub per_officer_per_day: u32,
    /// Whether anything is disclosed before somebody approved.
    #[serde(default)]
    pub emergency: bool,
    /// Who needs one approver more.
    pub vulnerable: Option<ConditionConfig>,
}

/// Hours of a day, `08:00-20:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Hours {
    from: Time,
    /// Midnight where absent.
    until: Option<Time>,
}

impl DisclosurePolicy {
    /// Checks what can be checked without the file.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.columns.is_empty() {
            return Err(
                "`disclosure.columns` names no column; remove [dataset.disclosure] to disclose \
                        nothing"
                    .into(),
            );
        }
        if self.per_officer_per_day == 0 {
            return Err("`disclosure.per_officer_per_day` must be at least 1".into());
        }
        self.vulnerable(date(2000, 1, 1), &mut |_| Column::Cell(0))
            .map(drop)
            .map_err(|what| format!("`disclosure.vulnerable`: {what}"))
    }

    /// The headers that the file must have for it.
    pub(crate) fn headers(&self) -> Vec<String> {
        let marked = self.vulnerable.as_ref().and_then(|condition| condition.column.clone());
        let mut headers: Vec<_> = self.columns.values().cloned().chain(marked).collect();
        headers.sort();
        headers.dedup();
        headers
    }

    /// Who needs one approver more; nobody where the configuration does not say.
    pub(crate) fn vulnerable(
        &self,
        today: Date,
        column: &mut dyn FnMut(&str) -> Column,
    ) -> Result<Option<Condition>, String> {
        self.vulnerable.as_ref().map(|condition| condition.compile(today, column)).transpose()
    }

    /// Whether it allows a request at this time of the day in China.
    pub(crate) fn allows(&self, request: &DisclosureRequest, now: Time) -> Result<(), Refused> {
        let withheld: Vec<_> =
            request.fields.iter().filter(|field| !self.columns.contains_key(field)).collect();
        if let Some(field) = withheld.first() {
            return Err(Refused::Field(**field));
        }
        if request.emergency {
            return if self.emergency { Ok(()) } else { Err(Refused::NoEmergencies) };
        }
        if self.hours.contains(now) { Ok(()) } else { Err(Refused::Hours(self.hours)) }
    }
}

/// The end of a day.
const MIDNIGHT: &str = "24:00";

impl Hours {
    fn contains(self, time: Time) -> bool {
        self.from <= time && self.until.is_none_or(|until| time < until)
    }
}

impl FromStr for Hours {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let time = |text: &str| {
            let whole = text.len() == "08:00".len();
            text.parse::<Time>().ok().filter(|_| whole)
        };
        let hours = text.split_once('-').and_then(|(from, until)| {
            let until = if until == MIDNIGHT { None } else { Some(time(until)?) };
            Some(Self { from: time(from)?, until })
        });
        let good = hours.filter(|hours| hours.until.is_none_or(|until| hours.from < until));
        good.ok_or("hours are written like \"08:00-20:00\", the earlier one first")
    }
}

impl TryFrom<String> for Hours {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse()
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.from.strftime("%H:%M"))?;
        match self.until {
            Some(until) => write!(f, "{}", until.strftime("%H:%M")),
            None => f.write_str(MIDNIGHT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        columns = { name = "姓名", address = "住址" }
        hours = "08:00-20:00"
        per_officer_per_day = 20
        vulnerable = { column = "特别保护", equals = "是" }
    "#;

    fn policy(text: &str) -> DisclosurePolicy {
        toml::from_str(text).expect("TOML")
    }

    #[test]
    fn a_policy_as_documented_is_read_and_allows_no_emergency_unless_it_says_so() {
        let policy = policy(GOOD);
        assert_eq!(policy.check(), Ok(()));
        assert_eq!(policy.headers(), ["住址", "姓名", "特别保护"]);
        assert!(!policy.emergency);
        assert_eq!(policy.hours.to_string(), "08:00-20:00");
        for (time, inside) in [("07:59", false), ("08:00", true), ("19:59", true), ("20:00", false)]
        {
            assert_eq!(policy.hours.contains(time.parse().expect("a time")), inside, "{time}");
        }
    }

    #[test]
    fn a_day_may_be_open_to_its_end() {
        let hours: Hours = "00:00-24:00".parse().expect("a whole day");
        assert!(hours.contains(Time::MIN) && hours.contains(Time::MAX));
        assert_eq!(hours.to_string(), "00:00-24:00");
    }

    #[test]
    fn mistakes_are_told_with_what_to_write_instead() {
        let refused = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            match toml::from_str::<DisclosurePolicy>(&GOOD.replacen(from, to, 1)) {
                Ok(policy) => policy.check().expect_err("refused"),
                Err(error) => error.to_string(),
            }
        };
        assert!(refused("08:00-20:00", "20:00-08:00").contains("the earlier one first"));
        assert!(refused("08:00-20:00", "8-20").contains("08:00-20:00"));
        assert!(refused("= 20", "= 0").contains("at least 1"));
        assert!(refused("name = ", "income = ").contains("income"));
        assert!(refused(", equals = \"是\"", "").contains("disclosure.vulnerable"));
        assert!(refused("name = \"姓名\", address = \"住址\"", "").contains("no column"));
    }
}
