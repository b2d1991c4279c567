//! Statistics for a spreadsheet (RFC 4180): one line per cell. Every cell is an id, a word or a number;
//! nothing in it needs quotes, and nothing can be taken for a formula.

use proto::wire::{Count, Statistics, StatisticsLine};

const HEADER: &str = "period,table,row,row_of,column,column_of,count,hidden\r\n";

/// All tables, and under the name `visits` how long it took.
pub fn tables(statistics: &Statistics) -> String {
    let mut text = HEADER.to_owned();
    let mut put = |table: &str, row: [&str; 2], column: [&str; 2], count: &Count| {
        let (value, hidden) = match count.suppressed {
            true => (String::new(), "yes"),
            false => (count.value.to_string(), "no"),
        };
        let period = &statistics.period;
        let cells = [period, table, row[0], row[1], column[0], column[1], &value, hidden];
        text += &cells.map(plain).join(",");
        text += "\r\n";
    };
    for table in &statistics.tables {
        let columns = table.columns.len();
        for (place, count) in table.cells.iter().enumerate() {
            let row = named(&table.rows, place / columns);
            put(&table.id, row, named(&table.columns, place % columns), count);
        }
    }
    for delay in &statistics.delays {
        let rule = if delay.rule.is_empty() { "total" } else { &delay.rule };
        let visited = delay.visited.unwrap_or_default();
        put("visits", [rule, ""], ["visited", ""], &visited);
        for (word, hours) in [("median_hours", delay.median_hours), ("p90_hours", delay.p90_hours)]
        {
            let count =
                Count { value: hours.unwrap_or_default().into(), suppressed: hours.is_none() };
            put("visits", [rule, ""], [word, ""], &count);
        }
    }
    text
}

/// A line's id and that of the line that it adds to.
fn named(lines: &[StatisticsLine], place: usize) -> [&str; 2] {
    let above = if place == 0 { "" } else { &lines[lines[place].above as usize].id };
    [&lines[place].id, above]
}

/// Ids are letters, digits and a few signs; anything else is not one of ours and must not reach a spreadsheet.
fn plain(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || "_-/.".contains(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::table::tests::statistics, *};

    #[test]
    fn every_cell_is_a_line_and_a_hidden_one_has_no_number() {
        let text = tables(&statistics());
        assert_eq!(text.lines().count(), 1 + 12 + 3);
        for line in [
            "2026-10,outcomes,illness,total,right,judged,30,no\r\n",
            "2026-10,outcomes,disaster,total,right,judged,,yes\r\n",
            "2026-10,visits,total,,median_hours,,30,no\r\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
