//! What a load found: counts by code and row numbers, never a value.

use std::fmt::Write as _;

use proto::name::{DatasetId, FlagName};
use serde::Serialize;

use crate::{k_threshold::KThresholdReport, lang::Lang, reject::Reject};

/// How many row numbers are listed for each reason.
const LISTED: usize = 5;

/// What a load found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoadReport {
    /// The dataset.
    pub dataset: DatasetId,
    /// Rows read, without the header and blank rows.
    pub rows: u64,
    /// People listed.
    pub persons: u64,
    /// Rows that were not used, by reason; only reasons that occurred.
    pub refused: Vec<RefusedRows>,
    /// Rows that were merged into a person who had one already.
    pub merged: u64,
    /// Rows whose 15-digit id was upgraded.
    pub upgraded: u64,
    /// People of a cross-check dataset who have such rows only: all their flags are unknown.
    pub upgraded_only: u64,
    /// Rows whose credit code does not fit its check character.
    pub nonconforming: u64,
    /// Rows in whose credit code a letter was read as a digit.
    pub repaired: u64,
    /// By flag, in order.
    pub flags: Vec<FlagReport>,
    /// Rows of a watch dataset without a usable region.
    pub bad_regions: RowNumbers,
    /// Work orders that are released with their people.
    pub orders: u64,
    /// Work orders that are not, because one person has too many.
    pub orders_left_out: u64,
    /// Rows without a usable number of a work order.
    pub bad_orders: RowNumbers,
    /// Rows whose work order's urgency cannot be read: it counts as urgent.
    pub bad_urgencies: RowNumbers,
    /// People of the household dataset whose list of members is not complete.
    pub incomplete_households: u64,
    /// Combinations of flags that few people share.
    pub k_threshold: KThresholdReport,
}

/// Rows refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedRows {
    /// The reason.
    pub code: Reject,
    /// Which.
    #[serde(flatten)]
    pub rows: RowNumbers,
}

/// How many rows, and the numbers of the first five as a spreadsheet shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RowNumbers {
    /// How many.
    pub rows: u64,
    /// Their numbers; the header is row 1.
    pub first_rows: Vec<u64>,
}

/// What is not known of a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlagReport {
    /// The flag.
    pub flag: FlagName,
    /// Cells that are empty or cannot be read.
    pub unknown_cells: RowNumbers,
    /// People for whom the flag is unknown in the end.
    pub unknown_persons: u64,
}

impl RowNumbers {
    /// Adds one row.
    pub(crate) fn add(&mut self, row: u64) {
        self.rows += 1;
        if self.first_rows.len() < LISTED {
            self.first_rows.push(row);
        }
    }

    fn listed(&self, lang: Lang) -> String {
        if self.rows == 0 {
            return String::new();
        }
        let numbers: Vec<_> = self.first_rows.iter().map(u64::to_string).collect();
        let more = self.rows > self.first_rows.len() as u64;
        let (zh, en) = if more { ("等", ", ...") } else { ("", "") };
        lang.pick(
            format!("第 {} 行{zh}", numbers.join("、")),
            format!("row {}{en}", numbers.join(", ")),
        )
    }
}

impl LoadReport {
    /// All rows that were not used.
    pub fn refused_rows(&self) -> u64 {
        self.refused.iter().map(|refused| refused.rows.rows).sum()
    }

    /// The report for people, as aligned lines.
    pub fn table(&self, lang: Lang) -> String {
        let mut table = Table::default();
        let dataset = self.dataset.to_string();
        table.line(lang.pick("数据集", "dataset"), dataset, String::new());
        let mut count = |zh, en, number: u64| {
            table.line(lang.pick(zh, en), number.to_string(), String::new());
        };
        count("读取行数", "rows read", self.rows);
        count("人数", "people", self.persons);
        count("合并的重复行", "rows merged", self.merged);
        count("未采用行数", "rows refused", self.refused_rows());
        for refused in &self.refused {
            let numbers = refused.rows.listed(lang);
            let note = format!("{numbers}  {}", refused.code.sentence(lang));
            table.line(&format!("  {}", refused.code), refused.rows.rows.to_string(), note);
        }
        self.add_identifier_lines(&mut table, lang);
        self.add_flag_lines(&mut table, lang);
        self.add_threshold_lines(&mut table, lang);
        table.text()
    }

    fn add_identifier_lines(&self, table: &mut Table, lang: Lang) {
        let lines = [
            ("15位升位的行", "rows with an upgraded 15-digit id", self.upgraded),
            (
                "仅有升位号的人（标志一律未知）",
                "people with such only (flags unknown)",
                self.upgraded_only,
            ),
            (
                "校验位不符但保留的信用代码",
                "credit codes kept despite their check",
                self.nonconforming,
            ),
            ("更正字形的信用代码", "credit codes with letters read as digits", self.repaired),
            ("户成员不全的人", "people with an incomplete household", self.incomplete_households),
            ("未办结工单", "open work orders", self.orders),
            (
                "因一人工单过多而未报送的工单",
                "work orders beyond the most that one person may have",
                self.orders_left_out,
            ),
        ];
        for (zh, en, number) in lines.into_iter().filter(|line| line.2 > 0) {
            table.line(lang.pick(zh, en), number.to_string(), String::new());
        }
        let lines = [
            ("区划代码不可用的行", "rows without a usable region", &self.bad_regions),
            ("工单编号不可用的行", "rows without a usable work order number", &self.bad_orders),
            (
                "紧急程度无法识别（按紧急处理）的行",
                "rows of unreadable urgency (taken for urgent)",
                &self.bad_urgencies,
            ),
        ];
        for (zh, en, rows) in lines.into_iter().filter(|line| line.2.rows > 0) {
            table.line(lang.pick(zh, en), rows.rows.to_string(), rows.listed(lang));
        }
    }

    fn add_flag_lines(&self, table: &mut Table, lang: Lang) {
        for flag in &self.flags {
            let label = lang.pick("标志未知的单元格", "cells unknown");
            let cells = &flag.unknown_cells;
            let persons = flag.unknown_persons;
            let note =
                lang.pick(format!("{persons} 人未知"), format!("unknown for {persons} people"));
            let note = format!("{note}  {}", cells.listed(lang));
            let label = format!("{label} {}", flag.flag);
            table.line(&label, cells.rows.to_string(), note.trim_end().to_owned());
        }
    }

    fn add_threshold_lines(&self, table: &mut Table, lang: Lang) {
        let k = &self.k_threshold;
        let people = |number: u64| lang.pick(format!("{number} 人"), format!("{number} people"));
        let label = lang.pick(
            format!("不足 {} 人的标志组合", k.k),
            format!("flag combinations of fewer than {}", k.k),
        );
        table.line(&label, k.rare_combinations.to_string(), people(k.rare_people));
        if k.rare_combinations > 0 {
            let label = lang.pick("  已归入较粗档的人", "  people made coarser");
            table.line(label, k.coarsened_people.to_string(), String::new());
            let label = lang.pick("  仍不足的组合", "  combinations that remain");
            table.line(label, k.remaining_combinations.to_string(), people(k.remaining_people));
        }
    }
}

/// Lines of a label, a number and a note.
#[derive(Default)]
struct Table(Vec<(String, String, String)>);

impl Table {
    fn line(&mut self, label: &str, number: String, note: String) {
        self.0.push((label.into(), number, note));
    }

    fn text(&self) -> String {
        let labels = self.0.iter().map(|line| width(&line.0)).max().unwrap_or(0);
        let numbers = self.0.iter().map(|line| width(&line.1)).max().unwrap_or(0);
        let mut text = String::new();
        for (label, number, note) in &self.0 {
            let before = labels - width(label) + 2 + numbers - width(number);
            let line = format!("{label}{:before$}{number}  {note}", "");
            writeln!(text, "{}", line.trim_end()).expect("a string takes everything");
        }
        text
    }
}

/// Columns on a terminal: Chinese characters and punctuation take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> LoadReport {
        let mut rows = RowNumbers::default();
        (2..9).for_each(|row| rows.add(row));
        LoadReport {
            dataset: "vehicles".parse().expect("a name"),
            rows: 120,
            persons: 110,
            refused: vec![RefusedRows { code: Reject::Checksum, rows: rows.clone() }],
            merged: 3,
            upgraded: 2,
            upgraded_only: 1,
            nonconforming: 0,
            repaired: 0,
            flags: vec![FlagReport {
                flag: "over_limit".parse().expect("a name"),
                unknown_cells: RowNumbers { rows: 1, first_rows: vec![77] },
                unknown_persons: 1,
            }],
            bad_regions: RowNumbers::default(),
            orders: 0,
            orders_left_out: 0,
            bad_orders: RowNumbers::default(),
            bad_urgencies: RowNumbers::default(),
            incomplete_households: 0,
            k_threshold: KThresholdReport {
                k: 10,
                combinations: 4,
                rare_combinations: 2,
                rare_people: 5,
                coarsened_people: 3,
                remaining_combinations: 1,
                remaining_people: 2,
            },
        }
    }

    #[test]
    fn the_table_lists_counts_codes_and_the_first_five_rows_in_both_languages() {
        let zh = report().table(Lang::Zh);
        assert!(zh.contains("CHECKSUM") && zh.contains("第 2、3、4、5、6 行等"), "{zh}");
        assert!(zh.contains("第 77 行\n"), "{zh}");
        let en = report().table(Lang::En);
        assert!(en.contains("row 2, 3, 4, 5, 6, ..."), "{en}");
        assert!(en.contains("unknown for 1 people") && en.contains("fewer than 10"), "{en}");
    }

    #[test]
    fn numbers_are_aligned_also_after_chinese_labels() {
        let zh = report().table(Lang::Zh);
        let end_of = |label: &str| {
            let line = zh.lines().find(|line| line.starts_with(label)).expect(label);
            let rest = line[label.len()..].trim_start();
            let number = rest.split(' ').next().expect("a number");
            width(line) - width(rest) + number.len()
        };
        assert_eq!(end_of("读取行数"), end_of("人数"));
    }

    #[test]
    fn json_has_codes_and_row_numbers_side_by_side() {
        let json = serde_json::to_value(report()).expect("serialises");
        assert_eq!(json["refused"][0]["code"], "CHECKSUM");
        assert_eq!(json["refused"][0]["rows"], 7);
        assert_eq!(json["refused"][0]["first_rows"][4], 6);
        assert_eq!(json["k_threshold"]["remaining_people"], 2);
    }
}
