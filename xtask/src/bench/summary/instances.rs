//! The instances of a problem, told together.

use super::Row;
use crate::tables::median;
use std::collections::BTreeSet;

/// All solvers on one problem with one weight from one start. A row is of all instances.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) problem: &'static str,
    pub(super) weight: Option<f64>,
    pub(super) start: &'static str,
    pub(super) rows: Vec<Row>,
}

/// In the order in which they first come.
pub(super) fn cells(rows: &[Row]) -> Vec<Cell> {
    let groups = grouped(rows.iter().collect(), |a, b| {
        (a.problem, a.weight, a.start) == (b.problem, b.weight, b.start)
    });
    let cell = |group: Vec<&Row>| Cell {
        problem: group[0].problem,
        weight: group[0].weight,
        start: group[0].start,
        rows: grouped(group, |a, b| {
            (&a.solver, &a.precision) == (&b.solver, &b.precision)
        })
        .into_iter()
        .map(together)
        .collect(),
    };
    groups.into_iter().map(cell).collect()
}

/// Those that are alike, wherever they are.
fn grouped(rows: Vec<&Row>, are_alike: fn(&Row, &Row) -> bool) -> Vec<Vec<&Row>> {
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        match groups.iter_mut().find(|group| are_alike(group[0], row)) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

/// One solver's rows, one for each instance: times and counts of iterations are medians, numbers of
/// targets and runs are sums, and all else is the worst.
fn together(rows: Vec<&Row>) -> Row {
    let of = |figure: fn(&Row) -> Option<f64>| {
        let figures = rows.iter().map(|row| figure(row).unwrap_or(f64::INFINITY));
        let middle = median(figures);
        middle.is_finite().then_some(middle)
    };
    let count = |figure: fn(&Row) -> Option<usize>| {
        let mut counts: Vec<usize> = rows.iter().filter_map(|row| figure(row)).collect();
        counts.sort_unstable();
        let middle = counts.len().checked_sub(1)? / 2;
        Some(counts[middle])
    };
    let sum = |number: fn(&Row) -> usize| rows.iter().map(|row| number(row)).sum();
    let worst = |figure: fn(&Row) -> Option<f64>| {
        let figures = rows.iter().filter_map(|row| figure(row));
        figures.reduce(f64::max)
    };
    let ends: BTreeSet<_> = rows.iter().map(|row| row.ended.as_str()).collect();
    Row {
        runs: sum(|row| row.runs),
        targets: sum(|row| row.targets),
        solved: sum(|row| row.solved),
        seconds_to_accuracy: of(|row| row.seconds_to_accuracy),
        near: sum(|row| row.near),
        seconds_to_near: of(|row| row.seconds_to_near),
        above_lowest: worst(|row| row.above_lowest),
        seconds: of(|row| row.seconds),
        iterations: count(|row| Some(row.iterations)).unwrap_or(0),
        hessians: count(|row| row.hessians),
        worst_loss: worst(|row| row.worst_loss),
        peak_bytes: rows.iter().filter_map(|row| row.peak_bytes).max(),
        peak_over_inputs: worst(|row| row.peak_over_inputs),
        ended: ends.into_iter().collect::<Vec<_>>().join(", "),
        courses: Vec::new(),
        ..rows[0].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(instance: u64, solver: &str, seconds: Option<f64>) -> Row {
        Row {
            problem: "S",
            start: "cold",
            instance,
            solver: solver.into(),
            runs: 1,
            targets: 1,
            solved: usize::from(seconds.is_some()),
            seconds_to_accuracy: seconds,
            above_lowest: seconds.is_none().then_some(0.25),
            ..Row::default()
        }
    }

    #[test]
    fn instances_are_told_by_their_median_and_their_sum() {
        let rows = [
            row(0, "a", Some(1.0)),
            row(0, "b", None),
            row(1, "a", None),
            row(1, "b", None),
            row(2, "a", Some(3.0)),
            row(2, "b", Some(1.0)),
        ];
        let cells = cells(&rows);
        assert_eq!(cells.len(), 1);
        let [a, b] = &cells[0].rows[..] else {
            panic!("{cells:?}");
        };
        // Of 1, 3 and ∞, and of 1, ∞ and ∞.
        assert_eq!(
            (a.seconds_to_accuracy, b.seconds_to_accuracy),
            (Some(3.0), None)
        );
        assert_eq!((a.solved, a.targets, b.solved, b.targets), (2, 3, 1, 3));
        assert_eq!((a.runs, a.above_lowest), (3, Some(0.25)));
    }

    #[test]
    fn weights_and_starts_are_told_apart() {
        let with = |weight| Row {
            weight: Some(weight),
            ..row(0, "a", None)
        };
        let rows = [with(0.1), with(1.5), row(0, "a", None), with(0.1)];
        let found = cells(&rows);
        let weights: Vec<_> = found.iter().map(|cell| cell.weight).collect();
        assert_eq!(weights, [Some(0.1), Some(1.5), None]);
        assert_eq!(found[0].rows[0].targets, 2);
    }
}
