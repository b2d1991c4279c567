//! Counts by row and column, and the table that they become: with totals, small counts hidden, in the form
//! of the protocol.

use std::collections::BTreeMap;

use proto::wire;

use super::suppression::{Axis, Table};

/// The lines from the one below the total down to the one that is no sum, by their ids.
pub type Path = Vec<String>;

/// Counts by the paths of their row and column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<(Path, Path), u64>);

/// The lines of an axis.
struct Lines {
    ids: Vec<String>,
    /// The line that each but the first adds to.
    above: Vec<usize>,
    places: BTreeMap<Path, usize>,
}

impl Counts {
    /// Counts more at a row and a column.
    pub fn add(&mut self, row: Path, column: Path, count: u64) {
        *self.0.entry((row, column)).or_default() += count;
    }

    /// The table. `rows` and `columns` are there and in this order also where nothing was counted; a label
    /// is what a line's id is called.
    pub fn table(
        &self,
        id: &str,
        (rows, columns): (&[Path], &[Path]),
        label: impl Fn(&str) -> Option<wire::Label>,
    ) -> wire::StatisticsTable {
        let rows = Lines::of(rows.iter().chain(self.0.keys().map(|(row, _)| row)));
        let columns = Lines::of(columns.iter().chain(self.0.keys().map(|(_, column)| column)));
        let mut table = Table::new(rows.axis(), columns.axis());
        for ((row, column), count) in &self.0 {
            table.add(rows.places[row], columns.places[column], *count);
        }
        let shown = table.suppress();
        let all = (0..rows.ids.len()).flat_map(|row| (0..columns.ids.len()).map(move |c| (row, c)));
        let cell = |(row, column)| match shown.count(row, column) {
            Some(value) => wire::Count { value, suppressed: false },
            None => wire::Count { value: 0, suppressed: true },
        };
        wire::StatisticsTable {
            id: id.to_owned(),
            cells: all.map(cell).collect(),
            rows: rows.wire(&label),
            columns: columns.wire(&label),
        }
    }
}

impl Lines {
    fn of<'a>(paths: impl Iterator<Item = &'a Path>) -> Self {
        let (ids, places) = (vec![String::new()], BTreeMap::from([(vec![], 0)]));
        let mut lines = Self { ids, above: vec![], places };
        for path in paths {
            for depth in 1..=path.len() {
                if !lines.places.contains_key(&path[..depth]) {
                    lines.above.push(lines.places[&path[..depth - 1]]);
                    lines.places.insert(path[..depth].to_vec(), lines.ids.len());
                    lines.ids.push(path[depth - 1].clone());
                }
            }
        }
        lines
    }

    fn axis(&self) -> Axis {
        Axis::new(self.above.iter().copied())
    }

    fn wire(&self, label: impl Fn(&str) -> Option<wire::Label>) -> Vec<wire::StatisticsLine> {
        let above = std::iter::once(&0).chain(&self.above);
        let line = |(place, (id, above)): (usize, (&String, &usize))| wire::StatisticsLine {
            id: if place == 0 { "total".into() } else { id.clone() },
            above: u32::try_from(*above).expect("a table has fewer lines"),
            label: label(id),
        };
        self.ids.iter().zip(above).enumerate().map(line).collect()
    }
}

/// The row of a region: its district and its street, or one row for those who have none.
pub fn region_path(region: &str) -> Path {
    if region.is_empty() {
        return vec![String::new()];
    }
    let full = format!("{region:0<12}");
    vec![full[..6].to_owned(), full[..9].to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_counted_with_its_street_and_district() {
        assert_eq!(region_path("320104002003"), ["320104", "320104002"]);
        assert_eq!(region_path("320104"), ["320104", "320104000"]);
        assert_eq!(region_path(""), [""]);
    }

    #[test]
    fn a_table_has_its_totals_and_the_lines_in_which_nothing_was_counted() {
        let mut counts = Counts::default();
        counts.add(region_path("320104002003"), vec!["a".into()], 12);
        counts.add(region_path("320104005000"), vec!["a".into()], 20);
        let columns = [vec!["b".to_owned()], vec!["a".to_owned()]];
        let table = counts.table("t", (&[], &columns), |_| None);
        let ids = |lines: &[wire::StatisticsLine]| -> Vec<(String, u32)> {
            lines.iter().map(|line| (line.id.clone(), line.above)).collect()
        };
        let line = |id: &str, above| (id.to_owned(), above);
        assert_eq!(
            ids(&table.rows),
            [line("total", 0), line("320104", 0), line("320104002", 1), line("320104005", 1)]
        );
        assert_eq!(ids(&table.columns), [line("total", 0), line("b", 0), line("a", 0)]);
        let values: Vec<u64> = table.cells.iter().map(|cell| cell.value).collect();
        assert_eq!(values, [32, 0, 32, 32, 0, 32, 12, 0, 12, 20, 0, 20]);
    }
}
