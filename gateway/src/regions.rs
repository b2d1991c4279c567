//! The file of regions: what codes are called, and which regions were merged into which, and when
//! (PROTOCOL.md section 20.2).
//!
//! Owns its form and its checks. Who is responsible for a region is `routing`'s business.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use jiff::civil::Date;

use crate::label::Label;

const COLUMNS: [&str; 6] = ["code", "zh", "en", "valid_from", "valid_until", "merged_into"];
/// A code's digits at the levels of district, street and community.
const LEVELS: [usize; 3] = [6, 9, 12];

/// The regions of a file; none without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Regions(BTreeMap<String, Region>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Region {
    line: u64,
    name: Label,
    /// The last day.
    until: Option<Date>,
    merged_into: Option<String>,
}

/// What is wrong in the file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct RegionsError {
    /// Counted from 1, the header.
    pub line: u64,
    /// What, and what to write instead.
    pub what: String,
}

impl Regions {
    /// Reads the file.
    ///
    /// # Errors
    /// Names the file, the line and what is wrong there.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a file of regions", path.display()))
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// [`RegionsError`].
    pub fn parse(text: &str) -> Result<Self, RegionsError> {
        let fault = |line, what: String| RegionsError { line, what };
        let mut lines = (1..).zip(text.trim_start_matches('\u{feff}').lines());
        if lines.next().is_none_or(|(_, header)| cells(header).ne(COLUMNS)) {
            return Err(fault(1, format!("the header must be {}", COLUMNS.join(","))));
        }
        let mut regions = Self::default();
        for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
            let (code, region) = region(text, line).map_err(|what| fault(line, what))?;
            if let Some(other) = regions.0.insert(code, region) {
                return Err(fault(line, format!("the code is in line {} already", other.line)));
            }
        }
        regions.check_mergers()?;
        Ok(regions)
    }

    /// What became of a 12-digit code by a day: the longest of its prefixes that was merged before then
    /// gives way to what it was merged into, and so on. Known no more precisely than the file says.
    pub fn in_force(&self, code: &str, on: Date) -> String {
        let mut code = code.to_owned();
        while let Some(into) = self.merged(&code, on) {
            code = format!("{into:0<12}");
        }
        code
    }

    /// What a code is called, from its district down; nothing where the file names none of it.
    pub fn name(&self, code: &str) -> Option<Label> {
        let names: Vec<&Label> = prefixes(code).rev().filter_map(|p| self.called(p)).collect();
        let (first, _) = names.split_first()?;
        let mut name = (*first).clone();
        for part in &names[1..] {
            name.zh.push_str(&part.zh);
            name.en = format!("{}, {}", part.en, name.en);
        }
        Some(name)
    }

    fn called(&self, prefix: &str) -> Option<&Label> {
        self.0.get(prefix).map(|region| &region.name)
    }

    fn merged(&self, code: &str, on: Date) -> Option<&str> {
        let mut rows = prefixes(code).filter_map(|prefix| self.0.get(prefix));
        let merged = rows.find(|region| region.has_ended(on) && region.merged_into.is_some())?;
        merged.merged_into.as_deref()
    }

    /// A region goes on in one that ends later, and so do all that this one is within: so whatever is
    /// followed comes to an end.
    fn check_mergers(&self) -> Result<(), RegionsError> {
        for region in self.0.values() {
            let (Some(into), Some(until)) = (&region.merged_into, region.until) else { continue };
            let fault = |what: String| RegionsError { line: region.line, what };
            if !self.0.contains_key(into) {
                return Err(fault(format!("merged_into {into} has no line of its own")));
            }
            let mut followed = prefixes(into).filter_map(|prefix| self.0.get_key_value(prefix));
            let also = followed.find(|(_, next)| next.until.is_some_and(|next| next <= until));
            if let Some((code, _)) = also {
                return Err(fault(format!(
                    "merged_into {into} leads nowhere: {code} must end later than this region, or have \
                     no valid_until"
                )));
            }
        }
        Ok(())
    }
}

impl Region {
    fn has_ended(&self, on: Date) -> bool {
        self.until.is_some_and(|until| until < on)
    }
}

/// A code's prefixes of whole levels, the longest first.
fn prefixes(code: &str) -> impl DoubleEndedIterator<Item = &str> {
    LEVELS.into_iter().rev().filter_map(|digits| code.get(..digits))
}

/// No name has a comma or a quote in it, so none needs quoting.
fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(str::trim)
}

fn region(text: &str, line: u64) -> Result<(String, Region), String> {
    let cells: Vec<&str> = cells(text).collect();
    let Ok([code, zh, en, from, until, into]) = <[&str; COLUMNS.len()]>::try_from(cells) else {
        return Err(format!("a region has {} cells, and no cell a comma", COLUMNS.len()));
    };
    if text.contains('"') {
        return Err("leave the quotes out".into());
    }
    if zh.is_empty() || en.is_empty() {
        return Err("a region needs a name in both languages, `zh` and `en`".into());
    }
    let code = self::code(code, "code")?;
    let (from, until) = (date(from, "valid_from")?, date(until, "valid_until")?);
    if from.zip(until).is_some_and(|(from, until)| until < from) {
        return Err("`valid_until` must not be before `valid_from`".into());
    }
    let merged_into = match into {
        "" => None,
        into => Some(self::code(into, "merged_into")?),
    };
    if merged_into.is_some() && until.is_none() {
        return Err("a merged region needs `valid_until`, its last day".into());
    }
    let name = Label { zh: zh.into(), en: en.into() };
    Ok((code, Region { line, name, until, merged_into }))
}

fn date(text: &str, column: &str) -> Result<Option<Date>, String> {
    let date = Some(text).filter(|text| !text.is_empty()).map(str::parse).transpose();
    date.map_err(|_| format!("`{column}` must be a date like 2013-02-20"))
}

fn code(text: &str, column: &str) -> Result<String, String> {
    let well = LEVELS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if well { Ok(text.to_owned()) } else { Err(format!("`{column}` must be 6, 9 or 12 digits")) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "\
code,zh,en,valid_from,valid_until,merged_into
320103,白下区,Baixia District,,2013-02-19,320104
320104,秦淮区,Qinhuai District,,,
320104002,甲街道,Jia Street,2013-02-20,,
320104002003,乙社区,Yi Community,,,
320107,下关区,Xiaguan District,,2013-02-19,320106
320107005,丙街道,Bing Street,,2013-02-19,320106009
320106,鼓楼区,Gulou District,,2030-12-31,320104
320106009,丁街道,Ding Street,2013-02-20,2030-12-31,320104002
";

    fn regions() -> Regions {
        Regions::parse(&format!("\u{feff}{FILE}")).expect("good")
    }

    fn fault(from: &str, to: &str) -> (u64, String) {
        assert!(FILE.contains(from), "{from}");
        let error = Regions::parse(&FILE.replacen(from, to, 1)).expect_err("refused");
        (error.line, error.what)
    }

    #[test]
    fn a_code_of_a_merged_region_becomes_what_it_was_merged_into_after_the_last_day() {
        let on = |code: &str, day: Date| regions().in_force(code, day);
        let (last, next) = (date(2013, 2, 19), date(2013, 2, 20));
        assert_eq!(on("320103004001", last), "320103004001");
        assert_eq!(on("320103004001", next), "320104000000", "no more is known than the file says");
        assert_eq!(on("320107005001", next), "320106009000", "the longest prefix decides");
        assert_eq!(on("320107001001", next), "320106000000");
        assert_eq!(on("320107005001", date(2031, 1, 1)), "320104002000", "merged again");
        assert_eq!(on("330102001001", next), "330102001001", "nobody's line");
    }

    #[test]
    fn a_code_is_called_by_all_that_it_is_within() {
        let name = |code: &str| regions().name(code).map(|name| (name.zh, name.en));
        let both = |zh: &str, en: &str| Some((zh.to_owned(), en.to_owned()));
        assert_eq!(name("320104"), both("秦淮区", "Qinhuai District"));
        let community = both("秦淮区甲街道乙社区", "Yi Community, Jia Street, Qinhuai District");
        assert_eq!(name("320104002003"), community);
        let street = both("秦淮区甲街道", "Jia Street, Qinhuai District");
        assert_eq!(name("320104002"), street);
        assert_eq!(name("320104002999"), street, "as far as the file goes");
        assert_eq!(name("3301"), None);
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        let told = |from, to, line, what: &str| {
            let (at, text) = fault(from, to);
            assert!(at == line && text.contains(what), "line {at}: {text}");
        };
        told("code,zh", "zh,code", 1, "code,zh,en");
        told("320104,", "32010,", 3, "`code` must be 6, 9 or 12 digits");
        told("Qinhuai District", "", 3, "`zh` and `en`");
        told("2013-02-20", "2013-02-30", 4, "`valid_from` must be a date");
        told("Community,,", "Community,2014-01-01,2013-01-01", 5, "before `valid_from`");
        told("Yi Community,,,", "Yi Community,,,,", 5, "6 cells");
        told("乙社区", "\"乙社区\"", 5, "quotes");
        told(",320106\n", ",320\n", 6, "`merged_into` must be");
        told(",320106\n", ",320199\n", 6, "no line of its own");
        told("2013-02-19,320104\n", ",320104\n", 2, "needs `valid_until`");
        told("320107,", "320103,", 6, "in line 2 already");
    }

    #[test]
    fn mergers_that_lead_back_are_refused() {
        let (line, text) = fault("Qinhuai District,,,", "Qinhuai District,,2013-02-19,320103");
        assert!(line == 2 && text.contains("320104 must end later"), "line {line}: {text}");
        let (line, text) = fault("Gulou District,,2030-12-31", "Gulou District,,2013-02-19");
        assert!(line == 6 && text.contains("320106 must end later"), "line {line}: {text}");
    }

    proptest! {
        /// Whatever a file says that is accepted, every code comes to an end on every day.
        #[test]
        fn no_accepted_file_leads_anybody_in_circles(
            rows in prop::collection::vec((0_usize..9, 0_i16..4, 0_usize..9), 0..9),
            year in 2000_i16..2006,
        ) {
            const CODES: [&str; 9] = [
                "320101", "320102", "320103", "320101001", "320101002", "320102001", "320103001",
                "320101001001", "320103001001",
            ];
            let mut file = format!("{}\n", COLUMNS.join(","));
            for (code, until, into) in rows {
                let line = match until {
                    0 => format!("{},a,a,,,\n", CODES[code]),
                    year => format!("{},a,a,,{}-12-31,{}\n", CODES[code], 2000 + year, CODES[into]),
                };
                file.push_str(&line);
            }
            if let Ok(regions) = Regions::parse(&file) {
                for code in CODES {
                    let code = format!("{code:0<12}");
                    let now = regions.in_force(&code, date(year, 6, 1));
                    prop_assert_eq!(regions.in_force(&now, date(year, 6, 1)), now);
                }
            }
        }
    }
}
