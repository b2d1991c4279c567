//! An attacker against tables with hidden counts, who shares no code with what hides them: knows the shown
//! cells, that lines add up, and that what is hidden is a whole number of at least one.

use gateway::statistics::suppression::{Axis, Table};
use proptest::prelude::*;

/// A prime near 2^61: arithmetic on small whole numbers modulo it is as good as exact.
const P: i128 = (1 << 61) - 1;

/// What the attacker knows: which cells are hidden (the unknowns), and that each sum of unknowns with
/// these factors is a certain number.
struct Knowledge {
    /// The attacker's unknowns, by cell.
    unknown: Vec<usize>,
    /// Factors by unknown, and what they come to.
    equations: Vec<(Vec<(usize, i64)>, i64)>,
}

/// Which line each line but the first adds to.
type Lines = Vec<usize>;

impl Knowledge {
    fn of((rows, columns): (&Lines, &Lines), shown: &[Option<u64>]) -> Self {
        let unknown: Vec<usize> = (0..shown.len()).filter(|cell| shown[*cell].is_none()).collect();
        let width = columns.len() + 1;
        let mut sums: Vec<Vec<(usize, i64)>> = vec![];
        let below = |lines: &Lines, sum: usize| -> Vec<usize> {
            (1..=lines.len()).filter(|line| lines[line - 1] == sum).collect()
        };
        for row in 0..=rows.len() {
            for column in 0..width {
                let parts: Vec<_> =
                    below(rows, row).iter().map(|r| (r * width + column, 1)).collect();
                let across: Vec<_> =
                    below(columns, column).iter().map(|c| (row * width + c, 1)).collect();
                for mut parts in [parts, across].into_iter().filter(|parts| !parts.is_empty()) {
                    parts.push((row * width + column, -1));
                    sums.push(parts);
                }
            }
        }
        let equations = sums.into_iter().map(|sum| {
            let (mut factors, mut total) = (vec![], 0);
            for (cell, factor) in sum {
                match shown[cell] {
                    Some(count) => total -= factor * i64::try_from(count).expect("small"),
                    None => {
                        let at = unknown.binary_search(&cell).expect("it is hidden");
                        factors.push((at, factor));
                    }
                }
            }
            (factors, total)
        });
        Self { equations: equations.filter(|(factors, _)| !factors.is_empty()).collect(), unknown }
    }

    /// The unknowns that the equations alone determine.
    fn solved(&self) -> Vec<usize> {
        let width = self.unknown.len();
        let mut matrix: Vec<Vec<i128>> = self
            .equations
            .iter()
            .map(|(factors, _)| {
                let mut line = vec![0; width];
                factors
                    .iter()
                    .for_each(|(at, factor)| line[*at] = i128::from(*factor).rem_euclid(P));
                line
            })
            .collect();
        let mut pivots = vec![];
        for column in 0..width {
            let next = pivots.len();
            let Some(found) = (next..matrix.len()).find(|line| matrix[*line][column] != 0) else {
                continue;
            };
            matrix.swap(next, found);
            let inverse = power(matrix[next][column], P - 2);
            matrix[next].iter_mut().for_each(|entry| *entry = *entry * inverse % P);
            let pivot = matrix[next].clone();
            for (_, line) in matrix.iter_mut().enumerate().filter(|(at, _)| *at != next) {
                let factor = line[column];
                line.iter_mut()
                    .zip(&pivot)
                    .for_each(|(entry, p)| *entry = (*entry - factor * p).rem_euclid(P));
            }
            pivots.push(column);
        }
        let alone = |line: &Vec<i128>| line.iter().filter(|entry| **entry != 0).count() == 1;
        let solved = pivots.iter().zip(&matrix).filter(|(_, line)| alone(line));
        solved.map(|(column, _)| self.unknown[*column]).collect()
    }

    /// Whether a hidden cell could have this count. `near` is a guess where to look first.
    fn possible(&self, cell: usize, count: i64, near: &[i64]) -> bool {
        let mut bounds = vec![(1, 2000); self.unknown.len()];
        bounds[self.unknown.binary_search(&cell).expect("it is hidden")] = (count, count);
        self.search(bounds, near)
    }

    fn search(&self, mut bounds: Vec<(i64, i64)>, near: &[i64]) -> bool {
        if !self.narrow(&mut bounds) {
            return false;
        }
        let open = (0..bounds.len()).filter(|at| bounds[*at].0 < bounds[*at].1);
        let Some(at) = open.min_by_key(|at| bounds[*at].1 - bounds[*at].0) else { return true };
        let mut values: Vec<i64> = (bounds[at].0..=bounds[at].1).collect();
        values.sort_by_key(|value| (value - near[at]).abs());
        values.into_iter().any(|value| {
            let mut tried = bounds.clone();
            tried[at] = (value, value);
            self.search(tried, near)
        })
    }

    /// Narrows what every unknown can be, until nothing changes. Not where nothing is left.
    fn narrow(&self, bounds: &mut [(i64, i64)]) -> bool {
        loop {
            let mut changed = false;
            for (factors, total) in &self.equations {
                for (at, factor) in factors {
                    let others = factors.iter().filter(|(other, _)| other != at);
                    let (low, high) = others.fold((0, 0), |(low, high), (other, factor)| {
                        let (least, most) = bounds[*other];
                        let ends = [factor * least, factor * most];
                        (low + ends[0].min(ends[1]), high + ends[0].max(ends[1]))
                    });
                    let ends = [factor * (total - high), factor * (total - low)];
                    let (least, most) = bounds[*at];
                    let new = (least.max(ends[0].min(ends[1])), most.min(ends[0].max(ends[1])));
                    if new.0 > new.1 {
                        return false;
                    }
                    changed |= new != bounds[*at];
                    bounds[*at] = new;
                }
            }
            if !changed {
                return true;
            }
        }
    }
}

fn power(mut base: i128, mut exponent: i128) -> i128 {
    let mut result = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * base % P;
        }
        base = base * base % P;
        exponent >>= 1;
    }
    result
}

/// A table, all its counts and what is shown of it.
fn suppressed(rows: &Lines, columns: &Lines, counts: &[u64]) -> (Vec<u64>, Vec<Option<u64>>) {
    let mut table = Table::new(Axis::new(rows.clone()), Axis::new(columns.clone()));
    let bottom = |lines: &Lines| -> Vec<usize> {
        (1..=lines.len()).filter(|line| !lines.contains(line)).collect()
    };
    let (bottom_rows, bottom_columns) = (bottom(rows), bottom(columns));
    let cells =
        bottom_rows.iter().flat_map(|row| bottom_columns.iter().map(move |column| (*row, *column)));
    for ((row, column), count) in cells.zip(counts.iter().cycle()) {
        table.add(row, column, *count);
    }
    let shown = table.suppress();
    let all =
        || (0..=rows.len()).flat_map(|row| (0..=columns.len()).map(move |column| (row, column)));
    let counts = all().map(|(row, column)| table.count(row, column)).collect();
    (counts, all().map(|(row, column)| shown.count(row, column)).collect())
}

/// Lines below a total: so many, with so many below each.
fn lines() -> impl Strategy<Value = Lines> {
    prop::collection::vec(0_usize..4, 1..4).prop_map(|below| {
        let mut lines = vec![0; below.len()];
        for (number, below) in (1..).zip(below) {
            // One line below another would be the same line.
            lines.extend(vec![number; if below == 1 { 0 } else { below }]);
        }
        lines
    })
}

fn counts() -> impl Strategy<Value = Vec<u64>> {
    let count = prop_oneof![2 => Just(0), 3 => 1_u64..10, 3 => 10_u64..30];
    prop::collection::vec(count, 36)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_hidden_count_can_be_computed_and_every_small_one_could_be_ten(
        rows in lines(), columns in lines(), counts in counts()
    ) {
        let (counts, shown) = suppressed(&rows, &columns, &counts);
        for (count, shown) in counts.iter().zip(&shown) {
            prop_assert!(shown.is_none_or(|shown| shown == *count), "what is shown is true");
            prop_assert!(!(1..10).contains(count) || shown.is_none(), "small counts are hidden");
            prop_assert!(*count != 0 || shown.is_some(), "empty cells are not");
        }
        let attacker = Knowledge::of((&rows, &columns), &shown);
        prop_assert_eq!(attacker.solved(), Vec::<usize>::new(), "solved by the equations alone");
        let count = |cell: usize| i64::try_from(counts[cell]).expect("small");
        let near: Vec<i64> = attacker.unknown.iter().map(|cell| count(*cell)).collect();
        for cell in attacker.unknown.iter().copied() {
            if counts[cell] < 10 {
                prop_assert!(attacker.possible(cell, 10, &near), "cell {cell} is known to be small");
            } else {
                let others = (1..10).flat_map(|by| [count(cell) + by, count(cell) - by]);
                let another = others.filter(|c| *c > 0).any(|c| attacker.possible(cell, c, &near));
                prop_assert!(another, "cell {cell} can have one count only");
            }
        }
    }

    #[test]
    fn a_table_without_small_counts_loses_nothing(rows in lines(), columns in lines(), count in 10_u64..99) {
        let (_, shown) = suppressed(&rows, &columns, &[count]);
        prop_assert!(shown.iter().all(Option::is_some));
    }
}

#[test]
fn the_attacker_is_a_real_one() {
    // Hiding the small count alone, or it and one more in its row, protects nothing.
    let lines = vec![0, 0];
    let all = [233, 103, 130, 103, 3, 100, 130, 100, 30];
    let hide = |hidden: &[usize]| -> Vec<Option<u64>> {
        (0..all.len()).map(|cell| (!hidden.contains(&cell)).then_some(all[cell])).collect()
    };
    for hidden in [&[4][..], &[4, 5][..], &[4, 5, 7][..]] {
        let attacker = Knowledge::of((&lines, &lines), &hide(hidden));
        assert_eq!(attacker.solved(), hidden, "{hidden:?}");
    }
    let four = Knowledge::of((&lines, &lines), &hide(&[4, 5, 7, 8]));
    assert_eq!(four.solved(), Vec::<usize>::new());
    assert!(four.possible(4, 10, &[3, 100, 100, 30]));
    assert!(!four.possible(4, 103, &[3, 100, 100, 30]), "nothing would be left for its neighbour");
}
