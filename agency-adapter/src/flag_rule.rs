//! How one flag's byte comes from a person's rows.
//!
//! Each row gives a tally; the tallies of a person's rows are merged into one, which becomes the byte.
//! A tally is one number, so that millions of people fit in memory while a file is read.

use std::collections::HashMap;

use jiff::civil::Date;
use proto::schema::FlagValue;

use crate::{
    cell,
    condition::Condition,
    csv_source::{Column, Row},
    flag_config::{BandsConfig, Combine, FlagConfig, ValuesConfig},
};

/// What rows have said so far; its meaning is its rule's.
pub(crate) type Tally = i64;

/// A row, or the rows together, did not say.
const UNKNOWN: Tally = i64::MIN;

/// Answers of a boolean: merging takes the greatest.
const NO: Tally = 0;
const PERHAPS: Tally = 1;
const YES: Tally = 2;

/// One row for which a count's condition is unknown; rows that satisfy it are counted below this.
const UNCERTAIN_ROW: Tally = 1 << 32;

/// How a flag comes from rows.
#[derive(Debug)]
pub(crate) enum FlagRule {
    When(Condition),
    Count { condition: Condition, bounds: Vec<i64> },
    Number { column: Column, combine: Combine, bounds: Vec<i64> },
    Values { column: Column, indices: HashMap<String, u8> },
}

impl FlagRule {
    /// The rule as of `today`, with its columns found by `column`.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub(crate) fn new(
        flag: &FlagConfig,
        today: Date,
        column: &mut dyn FnMut(&str) -> Column,
    ) -> Result<Self, String> {
        match (&flag.when, &flag.bands, &flag.values) {
            (Some(when), None, None) => {
                if !flag.coarser.is_empty() {
                    return Err("a boolean has nothing coarser; remove `coarser`".into());
                }
                Ok(Self::When(when.compile(today, column)?))
            }
            (None, Some(bands), None) => Self::of_bands(bands, today, column),
            (None, None, Some(values)) => {
                let indices = indices(values)?;
                Ok(Self::Values { column: column(&values.column), indices })
            }
            _ => Err("needs exactly one of `when`, `bands`, `values`".into()),
        }
    }

    fn of_bands(
        bands: &BandsConfig,
        today: Date,
        column: &mut dyn FnMut(&str) -> Column,
    ) -> Result<Self, String> {
        let bounds = bands.lower_bounds.clone();
        match (&bands.column, &bands.count, bands.combine) {
            (Some(name), None, combine) => {
                let combine = combine.unwrap_or_default();
                Ok(Self::Number { column: column(name), combine, bounds })
            }
            (None, Some(condition), None) => {
                Ok(Self::Count { condition: condition.compile(today, column)?, bounds })
            }
            (None, Some(_), Some(_)) => {
                Err("`combine` goes with `column`; a `count` has nothing to combine".into())
            }
            _ => Err("`bands` needs exactly one of `column`, `count`".into()),
        }
    }

    /// What one row says.
    pub(crate) fn observe(&self, row: &Row<'_>) -> Tally {
        match self {
            Self::When(condition) => {
                condition.holds(row).map_or(PERHAPS, |holds| if holds { YES } else { NO })
            }
            Self::Count { condition, .. } => {
                condition.holds(row).map_or(UNCERTAIN_ROW, Tally::from)
            }
            Self::Number { column, .. } => cell::hundredths(row.text(*column)).unwrap_or(UNKNOWN),
            Self::Values { column, indices } => {
                indices.get(row.text(*column)).map_or(UNKNOWN, |&index| index.into())
            }
        }
    }

    /// Whether a single row's tally says nothing.
    pub(crate) fn is_unknown(&self, of_row: Tally) -> bool {
        match self {
            Self::When(_) => of_row == PERHAPS,
            Self::Count { .. } => of_row == UNCERTAIN_ROW,
            Self::Number { .. } | Self::Values { .. } => of_row == UNKNOWN,
        }
    }

    /// What two groups of a person's rows say together.
    pub(crate) fn merge(&self, a: Tally, b: Tally) -> Tally {
        match self {
            Self::When(_) => a.max(b),
            Self::Count { .. } => a + b,
            Self::Values { .. } => {
                if a == b {
                    a
                } else {
                    UNKNOWN
                }
            }
            Self::Number { .. } if a == UNKNOWN || b == UNKNOWN => UNKNOWN,
            Self::Number { combine: Combine::Max, .. } => a.max(b),
            Self::Number { combine: Combine::Sum, .. } => a.checked_add(b).unwrap_or(UNKNOWN),
        }
    }

    /// The flag of a person whose rows say this.
    pub(crate) fn value(&self, tally: Tally) -> FlagValue {
        match self {
            Self::When(_) => match tally {
                NO => FlagValue::exact(0),
                YES => FlagValue::exact(1),
                _ => FlagValue::UNKNOWN,
            },
            Self::Count { bounds, .. } => {
                let (uncertain, certain) = (tally / UNCERTAIN_ROW, tally % UNCERTAIN_ROW);
                let least = band(bounds, certain);
                if least == band(bounds, certain + uncertain) { least } else { FlagValue::UNKNOWN }
            }
            Self::Number { .. } | Self::Values { .. } if tally == UNKNOWN => FlagValue::UNKNOWN,
            Self::Number { bounds, .. } => band(bounds, tally.div_euclid(100)),
            Self::Values { .. } => {
                FlagValue::exact(u8::try_from(tally).expect("an index below the most values"))
            }
        }
    }
}

/// The band a number is in.
fn band(bounds: &[i64], number: i64) -> FlagValue {
    let index = bounds.partition_point(|&bound| bound <= number).saturating_sub(1);
    FlagValue::exact(u8::try_from(index).expect("schemas have at most 32 bands"))
}

/// From each text to the index of what it means.
fn indices(values: &ValuesConfig) -> Result<HashMap<String, u8>, String> {
    if values.names.len() > proto::schema::MAX_VALUES {
        return Err(format!("`names` can have at most {} values", proto::schema::MAX_VALUES));
    }
    let mut indices: HashMap<String, u8> = values.names.iter().cloned().zip(0..).collect();
    for (text, name) in &values.map {
        let Some(index) = values.names.iter().zip(0..).find(|(known, _)| *known == name) else {
            return Err(format!("`map` leads to {name:?}, which is not in `names`; add it there"));
        };
        indices.insert(text.trim().to_owned(), index.1);
    }
    indices.remove("");
    Ok(indices)
}

#[cfg(test)]
mod tests {
    use csv::StringRecord;
    use jiff::civil::date;

    use super::*;

    const UNKNOWN_BYTE: u8 = 255;

    fn byte(flag: &str, cells: &[&str]) -> u8 {
        let flag: FlagConfig = toml::from_str(&format!("name = 'f'\n{flag}")).expect("TOML");
        let rule =
            FlagRule::new(&flag, date(2026, 1, 31), &mut |_| Column::Cell(0)).expect("a rule");
        let tallies = cells.iter().map(|cell| {
            let record = StringRecord::from(vec![*cell]);
            rule.observe(&Row::new(&record, None))
        });
        rule.value(tallies.reduce(|a, b| rule.merge(a, b)).expect("a row")).to_byte()
    }

    fn fault(flag: &str) -> String {
        let flag: FlagConfig = toml::from_str(&format!("name = 'f'\n{flag}")).expect("TOML");
        FlagRule::new(&flag, date(2026, 1, 31), &mut |_| Column::Cell(0)).expect_err("a fault")
    }

    #[test]
    fn a_boolean_is_true_if_any_row_is_and_unknown_before_false() {
        let flag = "when = { column = 'a', equals = '1' }";
        assert_eq!(byte(flag, &["0", "1", ""]), 1);
        assert_eq!(byte(flag, &["0", "", "0"]), UNKNOWN_BYTE);
        assert_eq!(byte(flag, &["0", "0"]), 0);
    }

    #[test]
    fn the_greatest_number_or_the_sum_of_all_rows_decides_the_band() {
        let max = "bands = { column = 'a', lower_bounds = [0, 5000, 20000] }";
        assert_eq!(byte(max, &["4,999.99"]), 0);
        assert_eq!(byte(max, &["4999", "5000"]), 1);
        assert_eq!(byte(max, &["5000", "x"]), UNKNOWN_BYTE);
        assert_eq!(byte(max, &[""]), UNKNOWN_BYTE);
        assert_eq!(byte(max, &["-3"]), 0, "below the first bound");
        let sum = "bands = { column = 'a', combine = 'sum', lower_bounds = [0, 5000, 20000] }";
        assert_eq!(byte(sum, &["4999", "1"]), 1);
        assert_eq!(byte(sum, &["2499.50", "2500.50"]), 1, "decimals count");
        assert_eq!(byte(sum, &["90,000", "?"]), UNKNOWN_BYTE);
    }

    #[test]
    fn a_count_is_unknown_only_where_an_unknown_row_could_change_the_band() {
        let flag = "bands = { count = { column = 'a', equals = 'h' }, lower_bounds = [0, 1, 2] }";
        assert_eq!(byte(flag, &["x"]), 0);
        assert_eq!(byte(flag, &["h", "x"]), 1);
        assert_eq!(byte(flag, &["h", "h", "h"]), 2);
        assert_eq!(byte(flag, &["h", ""]), UNKNOWN_BYTE);
        assert_eq!(byte(flag, &["h", "h", ""]), 2);
    }

    #[test]
    fn a_category_is_unknown_where_rows_differ_or_say_nothing_known() {
        let flag = "values = { column = 'a', names = ['none', 'sight', 'hearing'], \
                    map = { '视力' = 'sight', '听力' = 'hearing' } }";
        assert_eq!(byte(flag, &["视力", " 视力 "]), 1);
        assert_eq!(byte(flag, &["hearing"]), 2);
        for rows in [&["视力", "听力"][..], &["视力", ""], &["其他"]] {
            assert_eq!(byte(flag, rows), UNKNOWN_BYTE, "{rows:?}");
        }
    }

    #[test]
    fn a_flag_that_does_not_check_says_what_to_write() {
        assert!(fault("").contains("exactly one of `when`, `bands`, `values`"));
        assert!(fault("when = { always = true }\ncoarser = [[0, 1]]").contains("remove `coarser`"));
        assert!(fault("bands = { lower_bounds = [0, 1] }").contains("`column`, `count`"));
        let count = "bands = { count = { always = true }, combine = 'sum', lower_bounds = [0, 1] }";
        assert!(fault(count).contains("nothing to combine"));
        let map = "values = { column = 'a', names = ['none', 'x'], map = { 'b' = 'y' } }";
        assert!(fault(map).contains("add it there"));
    }
}
