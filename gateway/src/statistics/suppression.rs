//! Hiding counts of fewer than ten people in a table with totals, and with them so many others that none of
//! the hidden ones can be computed from what is shown (PROTOCOL.md section 23.1).
//!
//! Both axes are trees: a line that has lines below it is their sum, like a district of its streets or a
//! situation of its rules. Nothing here knows what is counted.
//!
//! **Why it is safe.** A *move* adds `d` to one cell that is no sum, and keeps some of its sums by taking
//! `d` away in another row, column or both. All sums hold after it. Every cell that a move changes is hidden,
//! and none becomes smaller than 1 by it; empty cells are always shown and stay empty. So what is shown, and
//! that what is hidden is not empty, is true of the table before and of the table after the move alike.
//! Every hidden cell is changed by one of the moves, and every small one becomes 10 by its own: nobody can
//! compute a hidden cell, nor even say that it is small.

/// The least count that is shown.
const SHOWN: u64 = 10;

/// One axis of a table: a total, and lines that add to it or to one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The line that each line adds to; none for the first one, the total.
    above: Vec<Option<usize>>,
    /// The lines that are no sums.
    bottom: Vec<usize>,
}

/// The counts of all cells, sums too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    rows: Axis,
    columns: Axis,
    counts: Vec<u64>,
}

/// What is shown of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    columns: usize,
    cells: Vec<Option<u64>>,
}

/// What a move does along one axis: the lines that grow, and those that shrink.
struct Shift {
    grow: Vec<usize>,
    shrink: Vec<usize>,
}

impl Axis {
    /// A total, and below it lines, each with the number of the one before it that it adds to; 0 is the
    /// total.
    pub fn new(lines: impl IntoIterator<Item = usize>) -> Self {
        let mut above = vec![None];
        for line in lines {
            assert!(line < above.len(), "a line stands after the one that it adds to");
            above.push(Some(line));
        }
        let is_sum = |line: &usize| above.contains(&Some(*line));
        let bottom = (0..above.len()).filter(|line| !is_sum(line)).collect();
        Self { above, bottom }
    }

    /// How many lines there are, the total included.
    pub fn lines(&self) -> usize {
        self.above.len()
    }

    /// A line and all that it adds to.
    fn path(&self, line: usize) -> Vec<usize> {
        std::iter::successors(Some(line), |line| self.above[*line]).collect()
    }

    /// The lines below one that are no sums; it itself where it is none.
    fn bottom_of(&self, line: usize) -> impl Iterator<Item = usize> {
        self.bottom.iter().copied().filter(move |bottom| self.path(*bottom).contains(&line))
    }

    /// All ways to add at `bottom` so that `line`, which it adds to, grows.
    fn shifts(&self, bottom: usize, line: usize) -> Vec<Shift> {
        let up = self.path(bottom);
        let away = self.bottom.iter().map(|away| self.path(*away));
        let away = away.filter(|down| !down.contains(&line)).chain([vec![]]);
        let without = |path: &[usize], other: &[usize]| {
            path.iter().filter(|line| !other.contains(line)).copied().collect()
        };
        away.map(|down| Shift { grow: without(&up, &down), shrink: without(&down, &up) }).collect()
    }
}

impl Shift {
    /// The lines that it changes, and whether they grow.
    fn lines(&self) -> impl Iterator<Item = (usize, bool)> {
        let grow = self.grow.iter().map(|line| (*line, true));
        grow.chain(self.shrink.iter().map(|line| (*line, false)))
    }
}

impl Table {
    /// A table of nothing.
    pub fn new(rows: Axis, columns: Axis) -> Self {
        let counts = vec![0; rows.lines() * columns.lines()];
        Self { rows, columns, counts }
    }

    /// Counts more in a cell that is no sum, and in all its sums.
    pub fn add(&mut self, row: usize, column: usize, count: u64) {
        for row in self.rows.path(row) {
            for column in self.columns.path(column) {
                let cell = self.cell(row, column);
                self.counts[cell] += count;
            }
        }
    }

    /// A cell's count.
    pub fn count(&self, row: usize, column: usize) -> u64 {
        self.counts[self.cell(row, column)]
    }

    /// Hides what must be hidden.
    pub fn suppress(&self) -> Shown {
        let small = |cell: &usize| (1..SHOWN).contains(&self.counts[*cell]);
        let mut small: Vec<usize> = (0..self.counts.len()).filter(small).collect();
        let mut hidden = vec![false; self.counts.len()];
        small.iter().for_each(|cell| hidden[*cell] = true);
        // What the largest moves hide is there for the smaller ones.
        small.sort_by_key(|cell| (self.counts[*cell], *cell));
        for cell in small {
            let changed = self.cheapest_move(cell, &hidden);
            changed.into_iter().for_each(|cell| hidden[cell] = true);
        }
        let cells = self.counts.iter().zip(hidden);
        let cells = cells.map(|(count, hidden)| (!hidden).then_some(*count)).collect();
        Shown { columns: self.columns.lines(), cells }
    }

    fn cell(&self, row: usize, column: usize) -> usize {
        row * self.columns.lines() + column
    }

    /// The cells changed by the move that makes a small cell 10 and hides the fewest people besides those
    /// who are hidden already.
    fn cheapest_move(&self, small: usize, hidden: &[bool]) -> Vec<usize> {
        let (row, column) = (small / self.columns.lines(), small % self.columns.lines());
        let by = SHOWN - self.counts[small];
        let mut best: Option<(u64, Vec<usize>)> = None;
        for bottom_row in self.rows.bottom_of(row) {
            for bottom_column in self.columns.bottom_of(column) {
                if self.count(bottom_row, bottom_column) == 0 {
                    continue;
                }
                let columns = self.columns.shifts(bottom_column, column);
                for rows in self.rows.shifts(bottom_row, row) {
                    for columns in &columns {
                        let limit = best.as_ref().map_or(u64::MAX, |(cost, _)| *cost);
                        if let Some(found) = self.try_move((&rows, columns), by, hidden, limit) {
                            best = Some(found);
                        }
                    }
                }
            }
        }
        let best = best.expect("adding to a cell and to all its sums takes nothing away");
        best.1
    }

    /// What a move costs and changes, if it is possible and costs less than `limit`.
    fn try_move(
        &self,
        (rows, columns): (&Shift, &Shift),
        by: u64,
        hidden: &[bool],
        limit: u64,
    ) -> Option<(u64, Vec<usize>)> {
        let (mut cost, mut changed) = (0, vec![]);
        for (row, row_grows) in rows.lines() {
            for (column, column_grows) in columns.lines() {
                let cell = self.cell(row, column);
                let least = if row_grows == column_grows { 1 } else { by + 1 };
                if self.counts[cell] < least {
                    return None;
                }
                if !hidden[cell] {
                    cost += self.counts[cell];
                }
                if cost >= limit {
                    return None;
                }
                changed.push(cell);
            }
        }
        Some((cost, changed))
    }
}

impl Shown {
    /// A cell's count, unless it is hidden.
    pub fn count(&self, row: usize, column: usize) -> Option<u64> {
        self.cells[row * self.columns + column]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with two rows and two columns and their totals.
    fn table(counts: [[u64; 2]; 2]) -> Table {
        let mut table = Table::new(Axis::new([0, 0]), Axis::new([0, 0]));
        for (row, counts) in (1..).zip(counts) {
            for (column, count) in (1..).zip(counts) {
                table.add(row, column, count);
            }
        }
        table
    }

    fn shown(table: &Table) -> Vec<Vec<Option<u64>>> {
        let shown = table.suppress();
        (0..3).map(|row| (0..3).map(|column| shown.count(row, column)).collect()).collect()
    }

    #[test]
    fn a_table_of_large_counts_and_empty_cells_is_shown_whole() {
        let expected = [[42, 31, 11], [31, 31, 0], [11, 0, 11]].map(|row| row.map(Some).to_vec());
        assert_eq!(shown(&table([[31, 0], [0, 11]])), expected);
    }

    #[test]
    fn a_small_count_takes_the_cheapest_other_cells_with_it() {
        let expected =
            [[Some(233), Some(103), Some(130)], [Some(103), None, None], [Some(130), None, None]];
        assert_eq!(shown(&table([[3, 100], [100, 30]])), expected);
    }

    #[test]
    fn where_no_other_cell_can_give_anything_the_totals_are_hidden_too() {
        let nothing = [[None, None, Some(0)], [None, None, Some(0)], [Some(0); 3]];
        assert_eq!(shown(&table([[3, 0], [0, 0]])), nothing);
    }
}
