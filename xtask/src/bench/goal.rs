//! What counts as solved.

use super::summary::Row;
use super::trace::{Course, seconds_to};
use crate::tables::median;

/// Over L(x0), where b is the output of some x.
pub(crate) const SOLVED: f64 = 1e-12;

/// How far above the lowest loss of all programs, as a part of it, a program is near where there is
/// no perfect fit.
pub(crate) const NEAR: f64 = 0.01;

/// How far above it, as a part of it, a program is as low as any.
pub(crate) const LOW: f64 = 1e-6;

/// What counts as solved on the problems of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// L ≤ [`SOLVED`]·L(x0).
    PerfectFit,
    /// L ≤ (1 + [`LOW`]) times the lowest loss that any program came to on the same instance from
    /// the same start, in double precision where there is any; near at (1 + [`NEAR`]) times that.
    /// There are minima in many cells, and no loss is known to be the least. One that is at most
    /// [`SOLVED`]·L(x0) is a perfect fit, and as low as any.
    Lowest,
}

/// Bounds on the loss of one target.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Over all programs.
    lowest: f64,
    solved: f64,
    near: Option<f64>,
}

impl Goal {
    /// Tells of each row of one problem, instance and start what was reached, and when.
    pub(crate) fn judge(self, rows: &mut [Row]) {
        let bounds = self.bounds(rows);
        for row in rows.iter_mut().filter(|row| row.runs > 0) {
            (row.solved, row.seconds_to_accuracy) = self.reached(row, &bounds, |b| Some(b.solved));
            (row.near, row.seconds_to_near) = self.reached(row, &bounds, |b| b.near);
            let above = row.last_courses().iter().zip(&bounds);
            let above = above.map(|(c, b)| (c.lowest() - b.lowest).max(0.0) / c.start_loss);
            row.above_lowest = Some(above.fold(0.0, f64::max));
        }
    }

    /// The loss over L(x0) at which a program may stop; 0 where none is low enough beforehand.
    pub(crate) fn stop_at(self) -> f64 {
        match self {
            Self::PerfectFit => SOLVED,
            Self::Lowest => 0.0,
        }
    }

    /// The largest loss that counts as solved, in words.
    pub(crate) fn formula(self) -> String {
        match self {
            Self::PerfectFit => format!("{SOLVED:e}·L(x0)"),
            Self::Lowest => format!("(1 + {LOW:e}) times the lowest"),
        }
    }

    /// How many targets reached a bound, and after which time: of all targets together for a perfect
    /// fit, else the median of the targets. Both are by the medians of the runs, ∞ where a run did not
    /// get there.
    fn reached(
        self,
        row: &Row,
        bounds: &[Bounds],
        bound: impl Fn(&Bounds) -> Option<f64>,
    ) -> (usize, Option<f64>) {
        let times = |run: &Vec<Course>| -> Vec<f64> {
            let each = run.iter().zip(bounds);
            each.map(|(course, b)| bound(b).map_or(f64::INFINITY, |loss| time_to(course, loss)))
                .collect()
        };
        let runs: Vec<_> = row.courses.iter().map(times).collect();
        let of_target = |index: usize| median(runs.iter().map(|run| run[index]));
        let count = (0..bounds.len()).filter(|&index| of_target(index).is_finite());
        let of_run = |run: &Vec<f64>| match self {
            Self::PerfectFit => run.iter().sum(),
            Self::Lowest => median(run.iter().copied()),
        };
        let seconds = median(runs.iter().map(of_run));
        (count.count(), seconds.is_finite().then_some(seconds))
    }

    /// Of each target.
    fn bounds(self, rows: &[Row]) -> Vec<Bounds> {
        let ran = || rows.iter().filter(|row| row.runs > 0);
        let has_double = ran().any(Row::is_double);
        let compared = ran().filter(|row| row.is_double() || !has_double);
        let runs: Vec<&Vec<Course>> = compared.flat_map(|row| &row.courses).collect();
        let targets = runs.first().map_or(0, |courses| courses.len());
        let of_target = |index: usize| {
            let lows = runs.iter().map(|courses| courses[index].lowest());
            let lowest = lows.fold(f64::INFINITY, f64::min);
            let perfect = SOLVED * runs[0][index].start_loss;
            let (solved, near) = match self {
                Self::PerfectFit => (perfect, None),
                Self::Lowest => {
                    let within = |part: f64| ((1.0 + part) * lowest).max(perfect);
                    (within(LOW), Some(within(NEAR)))
                }
            };
            Bounds {
                lowest,
                solved,
                near,
            }
        };
        (0..targets).map(of_target).collect()
    }
}

/// When a solve first was at or below a loss, which may be at its start; ∞ where it never was.
fn time_to(course: &Course, loss: f64) -> f64 {
    if course.start_loss <= loss {
        return 0.0;
    }
    seconds_to(&course.history, loss).unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::Goal;
    use crate::bench::summary::Row;
    use crate::bench::trace::Course;

    fn course(history: &[(f64, f64)]) -> Course {
        Course {
            start_loss: 1.0,
            history: history.to_vec(),
            ..Course::default()
        }
    }

    fn row(precision: &str, runs: &[&[(f64, f64)]]) -> Row {
        Row {
            precision: precision.into(),
            runs: runs.len(),
            courses: runs.iter().map(|run| vec![course(run)]).collect(),
            ..Row::default()
        }
    }

    #[test]
    fn a_perfect_fit_is_told_from_the_start() {
        let mut rows = [
            row("f64", &[&[(1.0, 1e-3), (2.0, 1e-13)], &[(3.0, 1e-13)]]),
            row("f64", &[&[(1.0, 1e-11)]]),
            row("f64", &[]),
        ];
        Goal::PerfectFit.judge(&mut rows);
        assert_eq!(rows[0].seconds_to_accuracy, Some(2.0));
        assert_eq!(rows[0].seconds_to_near, None);
        assert_eq!(rows.map(|row| row.solved), [1, 0, 0]);
    }

    #[test]
    fn the_lowest_loss_in_double_precision_decides_where_no_fit_is_perfect() {
        let mut rows = [
            row("f64", &[&[(1.0, 0.25), (2.0, 0.1009), (4.0, 0.100_000_05)]]),
            row("f64", &[&[(1.0, 0.14), (3.0, 0.1)]]),
            row("f64", &[&[(1.0, 0.100_000_2)]]),
            row("f64", &[&[(1.0, 0.35)]]),
            row("f32", &[&[(1.0, 0.0)]]),
        ];
        Goal::Lowest.judge(&mut rows);
        let near = rows.each_ref().map(|row| row.seconds_to_near);
        assert_eq!(near, [Some(2.0), Some(3.0), Some(1.0), None, Some(1.0)]);
        let low = rows.each_ref().map(|row| row.seconds_to_accuracy);
        assert_eq!(low, [Some(4.0), Some(3.0), None, None, Some(1.0)]);
        assert_eq!(rows.each_ref().map(|row| row.near), [1, 1, 1, 0, 1]);
        assert_eq!(rows.each_ref().map(|row| row.solved), [1, 1, 0, 0, 1]);
        // (0.35 − 0.1) over L(x0) = 1; what is lower in single precision is not above.
        assert_eq!(rows[3].above_lowest, Some(0.35 - 0.1));
        assert_eq!([1, 4].map(|i| rows[i].above_lowest), [Some(0.0); 2]);
    }

    /// What is counted is what is timed: the run in the middle, whichever is the last.
    #[test]
    fn most_of_the_runs_decide() {
        let (there, short) = ((1.0, 1e-13), (1.0, 1e-11));
        let mut rows = [
            row("f64", &[&[there], &[(2.0, 1e-13)], &[short]]),
            row("f64", &[&[short], &[short], &[there]]),
        ];
        Goal::PerfectFit.judge(&mut rows);
        assert_eq!(rows.each_ref().map(|row| row.solved), [1, 0]);
        assert_eq!(rows.map(|row| row.seconds_to_accuracy), [Some(2.0), None]);
    }

    /// Where no program finds a lower loss, all are there from the start.
    #[test]
    fn a_start_may_be_the_lowest() {
        let mut rows = [row("f64", &[&[]]), row("f64", &[&[]])];
        Goal::Lowest.judge(&mut rows);
        assert_eq!(rows.map(|row| row.seconds_to_accuracy), [Some(0.0); 2]);
    }

    /// Losses that are rounding alone are not told apart.
    #[test]
    fn a_perfect_fit_is_as_low_as_any() {
        let mut rows = [
            row("f64", &[&[(1.0, 1e-31)]]),
            row("f64", &[&[(2.0, 1e-13)]]),
            row("f64", &[&[(3.0, 2e-12)]]),
        ];
        Goal::Lowest.judge(&mut rows);
        let low = rows.each_ref().map(|row| row.seconds_to_accuracy);
        assert_eq!(low, [Some(1.0), Some(2.0), None]);
        assert_eq!(rows.map(|row| row.near), [1, 1, 0]);
    }

    #[test]
    fn one_target_of_many_does_not_hide_the_others() {
        let of = |histories: [&[(f64, f64)]; 3]| Row {
            precision: "f64".into(),
            runs: 1,
            courses: vec![histories.map(course).to_vec()],
            ..Row::default()
        };
        let mut rows = [
            of([&[(1.0, 0.5)], &[(2.0, 0.3)], &[(3.0, 0.6)]]),
            of([&[(7.0, 0.5)], &[(8.0, 0.9)], &[(9.0, 0.2)]]),
        ];
        Goal::Lowest.judge(&mut rows);
        assert_eq!(rows.each_ref().map(|row| row.solved), [2, 2]);
        // The third target of the first is never there: medians of 1, 2, ∞ and of 7, ∞, 9.
        assert_eq!(
            rows.each_ref().map(|row| row.seconds_to_accuracy),
            [Some(2.0), Some(9.0)]
        );
        Goal::PerfectFit.judge(&mut rows);
        assert_eq!(rows.map(|row| row.seconds_to_accuracy), [None, None]);
    }
}
