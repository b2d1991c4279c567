//! Statistics as tables for people: what is hidden is starred, sums stand before what they are of.

use comfy_table::CellAlignment;
use proto::wire::{Count, LogPlace, Statistics, StatisticsLine, StatisticsTable, VisitDelay};

use super::{
    Depth,
    terms::{line, term},
};
use crate::{
    moment::clock_face,
    output::{Screen, cell, number_cell},
    words::{self, Phrase},
};

const PERIOD: Phrase = ("统计期", "period");
const COMPUTED: Phrase = ("计算时间", "computed");
const STALE: Phrase = ("当时过期或未到的数据集", "datasets not fresh then");
const VISITED: Phrase = ("走访数", "visited");
const MEDIAN: Phrase = ("中位数", "median");
const P90: Phrase = ("第 90 百分位", "90th percentile");
const ALL_RULES: Phrase = ("全部规则", "all rules");
const HIDDEN: Phrase = (
    "*：不足 10，或公布后可推算出不足 10 的数字。空白为 0。",
    "*: fewer than ten, or a number from which such a number could be computed. Nothing is 0.",
);

/// All of it.
pub fn tables(
    screen: &Screen,
    statistics: &Statistics,
    depth: Depth,
    logged: Option<&LogPlace>,
) -> String {
    let mut lines = vec![
        (PERIOD, statistics.period.clone()),
        (COMPUTED, clock_face(statistics.made_at.as_ref())),
        (words::LOG_ENTRY, logged.map_or(String::new(), |place| place.index.to_string())),
    ];
    if !statistics.stale_datasets.is_empty() {
        lines.push((STALE, statistics.stale_datasets.join(" ")));
    }
    let mut text = screen.card(&lines);
    for table in &statistics.tables {
        let title = term(&table.id, screen.lang);
        text += &format!("\n\n{title}\n{}", one(screen, table, depth));
    }
    if !statistics.delays.is_empty() {
        let title = term("visits", screen.lang);
        text += &format!("\n\n{title}\n{}", delays(screen, &statistics.delays));
    }
    format!("{text}\n\n{}", screen.lang.say(HIDDEN))
}

/// A table on its side: regions and rules are few in a row, and columns are many, so columns go down. A
/// column of nothing is left out.
fn one(screen: &Screen, table: &StatisticsTable, depth: Depth) -> String {
    let width = table.columns.len();
    let count = |row: usize, column: usize| &table.cells[row * width + column];
    let rows: Vec<usize> =
        (0..table.rows.len()).filter(|row| shown(&table.rows, *row, depth)).collect();
    let mut drawn = screen.table(&[]);
    let columns: Vec<usize> = (0..width)
        .filter(|column| {
            *column == 0 || count(0, *column).suppressed || count(0, *column).value > 0
        })
        .collect();
    let mut heading = vec![String::new()];
    heading.extend(rows.iter().map(|row| line(&table.rows[*row], screen.lang).to_owned()));
    drawn.set_header(heading);
    for column in columns {
        let name = &table.columns[column];
        let indent = "  ".repeat(level(&table.columns, column));
        let mut cells = vec![cell(&format!("{indent}{}", line(name, screen.lang)))];
        cells.extend(rows.iter().map(|row| number(count(*row, column))));
        drawn.add_row(cells);
    }
    if let Some(precision) = precision(screen, table, &rows) {
        drawn.add_row(precision);
    }
    screen.draw(&drawn)
}

/// How often each rule was right, of the outcomes that say; where both numbers are shown.
fn precision(
    screen: &Screen,
    table: &StatisticsTable,
    rows: &[usize],
) -> Option<Vec<comfy_table::Cell>> {
    let place = |word: &str| table.columns.iter().position(|column| column.id == word);
    let (right, judged) = (place("right")?, place("judged")?);
    let count = |row: &usize, column: usize| &table.cells[row * table.columns.len() + column];
    let mut cells = vec![cell(term("precision", screen.lang))];
    cells.extend(rows.iter().map(|row| {
        let text = match (count(row, right), count(row, judged)) {
            (Count { suppressed: true, .. }, _) | (_, Count { suppressed: true, .. }) => "*".into(),
            (_, Count { value: 0, .. }) => "-".into(),
            (right, judged) => format!("{} %", right.value * 100 / judged.value),
        };
        cell(&text).set_alignment(CellAlignment::Right)
    }));
    Some(cells)
}

fn delays(screen: &Screen, delays: &[VisitDelay]) -> String {
    let lang = screen.lang;
    let mut table = screen.table(&[words::RULE, VISITED, MEDIAN, P90]);
    for delay in delays {
        let name = match &delay.rule[..] {
            "" => lang.say(ALL_RULES),
            rule => lang.label(delay.label.as_ref(), rule),
        };
        let hours =
            |hours: Option<u32>| hours.map_or_else(|| cell("-"), |hours| number_cell(hours.into()));
        let visited = delay.visited.unwrap_or_default();
        table.add_row([
            cell(name),
            number(&visited),
            hours(delay.median_hours),
            hours(delay.p90_hours),
        ]);
    }
    screen.draw(&table)
}

fn number(count: &Count) -> comfy_table::Cell {
    match count {
        Count { suppressed: true, .. } => cell("*").set_alignment(CellAlignment::Right),
        Count { value: 0, .. } => cell(""),
        Count { value, .. } => number_cell(*value),
    }
}

/// Streets are the lines two below the total.
fn shown(lines: &[StatisticsLine], place: usize, depth: Depth) -> bool {
    depth == Depth::Street || level(lines, place) < 2
}

fn level(lines: &[StatisticsLine], place: usize) -> usize {
    std::iter::successors(Some(place), |place| Some(lines[*place].above as usize))
        .take_while(|place| *place != 0)
        .count()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        output::{Form, tests::screen},
        words::Lang,
    };

    /// A table of outcomes of two rules.
    pub(in super::super) fn statistics() -> Statistics {
        let line = |id: &str, above| StatisticsLine { id: id.into(), above, label: None };
        let count = |value: u64| Count { value, suppressed: value == 0 };
        let table = StatisticsTable {
            id: "outcomes".into(),
            rows: vec![line("total", 0), line("illness", 0), line("disaster", 0)],
            columns: vec![line("total", 0), line("judged", 0), line("right", 1), line("wrong", 1)],
            cells: [92, 92, 80, 12, 42, 42, 30, 12, 50, 50, 0, 0].map(count).to_vec(),
        };
        let delay = VisitDelay {
            visited: Some(count(92)),
            median_hours: Some(30),
            p90_hours: Some(71),
            ..Default::default()
        };
        Statistics {
            period: "2026-10".into(),
            tables: vec![table],
            delays: vec![delay],
            ..Default::default()
        }
    }

    #[test]
    fn what_is_hidden_is_starred_and_precision_is_told_where_it_can_be() {
        let text = tables(&screen(Form::Plain, Lang::En), &statistics(), Depth::District, None);
        let row = |word: &str| -> Vec<&str> {
            let line = text.lines().find(|line| line.trim_start().starts_with(word));
            line.expect(word).split_whitespace().collect()
        };
        assert_eq!(row("the rule was right")[4..], ["80", "30", "*"]);
        assert_eq!(row("precision")[1..], ["86", "%", "71", "%", "*"]);
        assert_eq!(row("all rules")[2..], ["92", "30", "71"]);
        assert!(text.ends_with(HIDDEN.1), "{text}");
        let zh = tables(&screen(Form::Plain, Lang::Zh), &statistics(), Depth::District, None);
        assert!(zh.contains("准确率") && zh.contains("走访认定结果"), "{zh}");
    }
}
