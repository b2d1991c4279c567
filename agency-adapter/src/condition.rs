//! A question about one row, answered yes, no or unknown.
//!
//! How the answers of a person's rows become a flag is `flag_rule`'s.

use jiff::{Span, civil::Date};
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use crate::{
    cell,
    clean_text::is_invisible,
    csv_source::{Column, Row},
};

/// The longest period that can be asked about, a century.
const MOST_DAYS: u32 = 36_525;

/// A condition as written in the configuration: one of `always`, or a `column` with `equals`, `in`,
/// `at_least`/`below`, `within_days` or `not_empty`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionConfig {
    /// The column that is looked at.
    pub column: Option<String>,
    /// The cell is this text.
    pub equals: Option<String>,
    /// The cell is one of these texts.
    #[serde(rename = "in")]
    pub one_of: Option<Vec<String>>,
    /// The cell is a number not below this.
    pub at_least: Option<i64>,
    /// The cell is a number below this.
    pub below: Option<i64>,
    /// The cell is a date not more than this many days ago, and not in the future.
    pub within_days: Option<u32>,
    /// The cell is not empty.
    pub not_empty: Option<bool>,
    /// Every row satisfies it.
    pub always: Option<bool>,
}

/// A condition ready to be asked.
#[derive(Debug)]
pub(crate) enum Condition {
    Always,
    NotEmpty(Column),
    OneOf(Column, Vec<String>),
    Number { column: Column, at_least: i64, below: i64 },
    Date { column: Column, from: Date, to: Date },
}

impl ConditionConfig {
    /// The condition, as of `today`, with its column found by `column`.
    ///
    /// # Errors
    /// What is wrong and how to write it instead.
    pub(crate) fn compile(
        &self,
        today: Date,
        column: &mut dyn FnMut(&str) -> Column,
    ) -> Result<Condition, String> {
        self.ask_one_thing()?;
        if self.always.is_some() {
            return match &self.column {
                None => Ok(Condition::Always),
                Some(_) => Err("`always = true` looks at no column; remove `column`".into()),
            };
        }
        let name = self.column.as_deref().ok_or("its condition needs a `column`")?;
        let column = column(name);
        if self.not_empty.is_some() {
            return Ok(Condition::NotEmpty(column));
        }
        if let Some(days) = self.within_days {
            if days > MOST_DAYS {
                return Err(format!("`within_days` can be at most {MOST_DAYS}"));
            }
            let from = today.saturating_sub(Span::new().days(days));
            return Ok(Condition::Date { column, from, to: today });
        }
        if self.at_least.is_some() || self.below.is_some() {
            let (at_least, below) = (self.at_least.unwrap_or(i64::MIN), self.below);
            if below.is_some_and(|below| below <= at_least) {
                return Err("`below` must be greater than `at_least`".into());
            }
            return Ok(Condition::Number { column, at_least, below: below.unwrap_or(i64::MAX) });
        }
        let texts = self.equals.iter().chain(self.one_of.iter().flatten());
        let texts: Vec<_> = texts.map(|text| text.trim().nfkc().collect::<String>()).collect();
        if texts.is_empty() || texts.iter().any(String::is_empty) {
            return Err("an empty text never equals a cell; use `not_empty`, or name a text".into());
        }
        Ok(Condition::OneOf(column, texts))
    }

    fn ask_one_thing(&self) -> Result<(), String> {
        let asked = [
            self.equals.is_some(),
            self.one_of.is_some(),
            self.at_least.is_some() || self.below.is_some(),
            self.within_days.is_some(),
            self.not_empty.is_some(),
            self.always.is_some(),
        ];
        if asked.iter().filter(|&&asked| asked).count() != 1 {
            return Err("its condition needs exactly one of `equals`, `in`, `at_least`/`below`, \
                        `within_days`, `not_empty`, `always`"
                .into());
        }
        if self.always == Some(false) || self.not_empty == Some(false) {
            return Err("`always` and `not_empty` can only be true; remove it or say true".into());
        }
        Ok(())
    }
}

impl Condition {
    /// Whether the row satisfies it; nothing where the cell is empty or cannot be read.
    pub(crate) fn holds(&self, row: &Row<'_>) -> Option<bool> {
        match self {
            Self::Always => Some(true),
            Self::NotEmpty(column) => Some(!row.text(*column).is_empty()),
            Self::OneOf(column, texts) => {
                let cell = row.text(*column);
                if cell.is_empty() { None } else { Some(texts.iter().any(|text| is(cell, text))) }
            }
            Self::Number { column, at_least, below } => {
                let number = cell::hundredths(row.text(*column))?.div_euclid(100);
                Some((*at_least..*below).contains(&number))
            }
            Self::Date { column, from, to } => {
                let date = cell::date(row.text(*column))?;
                if date > *to { None } else { Some(date >= *from) }
            }
        }
    }
}

/// Whether a cell is a text, whatever the width of its characters and whatever has none: a near miss
/// would be a certain no.
fn is(cell: &str, text: &str) -> bool {
    cell == text || (!cell.is_ascii() && cell.nfkc().filter(|&c| !is_invisible(c)).eq(text.chars()))
}

#[cfg(test)]
mod tests {
    use csv::StringRecord;
    use jiff::civil::date;

    use super::*;

    fn ask(condition: &str, cell: &str) -> Option<bool> {
        let config: ConditionConfig = toml::from_str(condition).expect("TOML");
        let condition =
            config.compile(date(2026, 1, 31), &mut |_| Column::Cell(0)).expect("a condition");
        condition.holds(&Row::new(&StringRecord::from(vec![cell]), None))
    }

    fn fault(condition: &str) -> String {
        let config: ConditionConfig = toml::from_str(condition).expect("TOML");
        config.compile(date(2026, 1, 31), &mut |_| Column::Cell(0)).expect_err("a fault")
    }

    #[test]
    fn each_condition_says_yes_no_or_unknown() {
        let yes = Some(true);
        let no = Some(false);
        for (condition, cell, answer) in [
            ("column='a'\nequals='住宅'", " 住宅 ", yes),
            ("column='a'\nequals='住宅'", "商铺", no),
            ("column='a'\nequals='住宅'", "", None),
            ("column='a'\nequals='A（1）'", "Ａ(１)", yes),
            ("column='a'\nequals='住宅'", "\u{feff}住宅", yes),
            ("column='a'\nequals='1'", "=\"1\"", yes),
            ("column='a'\nequals='住宅'", "'住宅", yes),
            ("column='a'\nin=['x','y']", "y", yes),
            ("column='a'\nin=['x','y']", "z", no),
            ("column='a'\nat_least=5\nbelow=9", "5.0", yes),
            ("column='a'\nat_least=5\nbelow=9", "8.99", yes),
            ("column='a'\nat_least=5\nbelow=9", "9", no),
            ("column='a'\nat_least=5", "4,999", yes),
            ("column='a'\nbelow=0", "-0.5", yes),
            ("column='a'\nat_least=5", "many", None),
            ("column='a'\nwithin_days=90", "2026-01-31", yes),
            ("column='a'\nwithin_days=90", "2025年11月2日", yes),
            ("column='a'\nwithin_days=90", "2025/11/1", no),
            ("column='a'\nwithin_days=90", "2026-02-01", None),
            ("column='a'\nwithin_days=90", "recently", None),
            ("column='a'\nnot_empty=true", " ", no),
            ("column='a'\nnot_empty=true", "x", yes),
            ("always=true", "", yes),
        ] {
            assert_eq!(ask(condition, cell), answer, "{condition} of {cell:?}");
        }
    }

    #[test]
    fn a_condition_that_asks_nothing_or_two_things_is_refused_with_what_to_write() {
        assert!(fault("column='a'").contains("exactly one of"));
        assert!(fault("column='a'\nequals='x'\nwithin_days=3").contains("exactly one of"));
        assert!(fault("equals='x'").contains("needs a `column`"));
        assert!(fault("always=true\ncolumn='a'").contains("remove `column`"));
        assert!(fault("always=false").contains("only be true"));
        assert!(fault("column='a'\nat_least=5\nbelow=5").contains("greater"));
        assert!(fault("column='a'\nequals=''").contains("not_empty"));
        assert!(fault("column='a'\nwithin_days=99999").contains("at most"));
    }
}
