//! What counts as solved.

use super::summary::Row;
use super::trace::{Course, seconds_to};
use crate::tables::median;

/// Over L(x0), where b is the output of some x.
pub(crate) const SOLVED: f64 = 1e-12;

/// Over the lowest loss of a run, where b is the output of no x: then there are minima in many
/// cells, whose losses differ by a third on the problems here.
pub(crate) const NEAR_THE_LOWEST: f64 = 1.5;

/// What counts as solved on the problems of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// L ≤ [`SOLVED`]·L(x0).
    PerfectFit,
    /// L ≤ [`NEAR_THE_LOWEST`] times the lowest loss that any program came to on the same problem
    /// from the same start, in double precision where there is any.
    NearTheLowest,
}

impl Goal {
    /// Tells of each row of one problem and start what was solved, and when.
    pub(crate) fn judge(self, rows: &mut [Row]) {
        let enough = self.losses(rows);
        for row in rows.iter_mut().filter(|row| row.runs > 0) {
            let times = |run: &[Course]| -> Vec<Option<f64>> {
                let each = run.iter().zip(&enough);
                each.map(|(course, &loss)| seconds_to(&course.history, loss))
                    .collect()
            };
            row.solved = times(row.last_courses()).iter().flatten().count();
            let together = row.courses.iter().map(|run| {
                let times = times(run).into_iter();
                times.sum::<Option<f64>>().unwrap_or(f64::INFINITY)
            });
            let together = median(together);
            row.seconds_to_accuracy = together.is_finite().then_some(together);
        }
    }

    /// The largest loss that counts as solved, in words.
    pub(crate) fn formula(self) -> String {
        match self {
            Self::PerfectFit => format!("{SOLVED:e}·L(x0)"),
            Self::NearTheLowest => format!("{NEAR_THE_LOWEST} times the lowest"),
        }
    }

    /// The largest loss of each target that counts as solved.
    fn losses(self, rows: &[Row]) -> Vec<f64> {
        let ran = || rows.iter().filter(|row| row.runs > 0);
        let has_double = ran().any(Row::is_double);
        let compared = ran().filter(|row| row.is_double() || !has_double);
        let compared: Vec<_> = compared.map(Row::last_courses).collect();
        let targets = compared.first().map_or(0, |courses| courses.len());
        let of_target = |index: usize| match self {
            Self::PerfectFit => SOLVED * compared[0][index].start_loss,
            Self::NearTheLowest => {
                let lows = compared.iter().map(|courses| courses[index].lowest());
                NEAR_THE_LOWEST * lows.fold(f64::INFINITY, f64::min)
            }
        };
        (0..targets).map(of_target).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Goal;
    use crate::bench::summary::Row;
    use crate::bench::trace::Course;

    fn row(precision: &str, runs: &[&[(f64, f64)]]) -> Row {
        let course = |history: &&[(f64, f64)]| Course {
            start_loss: 1.0,
            history: history.to_vec(),
            ..Course::default()
        };
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
        assert_eq!(rows.map(|row| row.solved), [1, 0, 0]);
    }

    #[test]
    fn the_lowest_loss_in_double_precision_decides_where_no_fit_is_perfect() {
        let mut rows = [
            row("f64", &[&[(1.0, 0.25), (2.0, 0.13)]]),
            row("f64", &[&[(1.0, 0.14), (3.0, 0.1)]]),
            row("f64", &[&[(1.0, 0.2)]]),
            row("f32", &[&[(1.0, 0.0)]]),
        ];
        Goal::NearTheLowest.judge(&mut rows);
        let times = rows.map(|row| row.seconds_to_accuracy);
        assert_eq!(times, [Some(2.0), Some(1.0), None, Some(1.0)]);
    }
}
