//! The matrix as tables.

mod fits;
mod instances;
mod lows;

use super::goal::{Goal, NEAR, SOLVED};
use super::repeated::{Repeats, SHORT};
use super::trace::Course;
use instances::{Cell, cells};
use serde::Serialize;

/// One solver on one problem from one start, all its targets together. Losses are over L(x0).
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) problem: &'static str,
    pub(crate) start: &'static str,
    /// Which instance of the problem, from 0.
    pub(crate) instance: u64,
    /// Of the regulariser.
    #[serde(rename = "regularizer")]
    pub(crate) weight: Option<f64>,
    pub(crate) solver: String,
    /// Empty for a peer.
    pub(crate) backend: String,
    pub(crate) precision: String,
    pub(crate) hessian: String,
    /// Bytes of the problem's arrays in the precision of the solve.
    #[serde(skip)]
    pub(crate) input_bytes: usize,
    /// 0 where there is no result.
    pub(crate) runs: usize,
    pub(crate) targets: usize,
    pub(crate) solved: usize,
    /// Until solved, as the [`Goal`] says of many targets.
    pub(crate) seconds_to_accuracy: Option<f64>,
    /// As for solved, of those that are near the lowest loss.
    pub(crate) near: usize,
    pub(crate) seconds_to_near: Option<f64>,
    /// How far the end is above the lowest loss of all programs, over L(x0): the most of the targets.
    pub(crate) above_lowest: Option<f64>,
    pub(crate) seconds: Option<f64>,
    /// Iterations of twolayer, evaluations of a peer.
    pub(crate) iterations: usize,
    /// Hessians, Jacobians or products with one, of a peer.
    pub(crate) hessians: Option<usize>,
    pub(crate) worst_loss: Option<f64>,
    pub(crate) peak_bytes: Option<u64>,
    pub(crate) peak_over_inputs: Option<f64>,
    pub(crate) ended: String,
    /// Of every run, those of all targets.
    #[serde(skip)]
    pub(crate) courses: Vec<Vec<Course>>,
}

impl Row {
    /// Those of all targets; nothing where there is no result.
    pub(crate) fn last_courses(&self) -> &[Course] {
        self.courses.last().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_peer(&self) -> bool {
        self.backend.is_empty()
    }

    /// In double precision, which alone is compared with peers.
    pub(crate) fn is_double(&self) -> bool {
        self.precision == "f64"
    }

    /// The default settings, which are compared with everything else.
    fn is_default(&self) -> bool {
        self.is_double() && self.backend == "faer" && self.hessian == "auto"
    }

    /// A line of progress.
    pub(crate) fn tell(&self) {
        let loss = self.worst_loss;
        let weight = self.weight.map_or(String::new(), |w| format!(", w = {w}"));
        eprintln!(
            "{} {} from {}{weight}, {} {}: {} s, L/L(x0) {}, {}",
            self.problem,
            self.instance + 1,
            self.start,
            self.solver,
            self.precision,
            figure(self.seconds),
            loss.map_or("-".into(), |loss| format!("{loss:.1e}")),
            self.ended,
        );
    }
}

/// The tables and how to read them.
pub(crate) fn report(rows: &[Row], goal: Goal, repeats: Repeats, limit: f64) -> String {
    let stopped = match goal {
        Goal::PerfectFit => format!("stopped at L ≤ {SOLVED:e}·L(x0)"),
        Goal::Lowest => "stopped where they made no progress".into(),
    };
    let cells = cells(rows);
    let (best, every) = match goal {
        Goal::PerfectFit => (fits::best_of_others(&cells), fits::every_solve(&cells)),
        Goal::Lowest => (lows::best_of_others(&cells), lows::every_solve(&cells)),
    };
    format!(
        "\n{} L(x0) is L at the start. *s in all* is until the program's own end. Times are medians \
         over *runs*, each a new process: {} at least of twolayer and one of \
         a peer, and up to {} of either while they took less than {} s together; and over the \
         instances of a problem, ∞ where one was not solved. \
         Reading the file, conversion and compilation are not timed. Peers ran on the same file, \
         from the same start, and {stopped}. Everyone had {limit} s for each \
         target. Losses in f32 are \
         as f32 computes them. The peak is that of the whole process; it is told in sizes of the \
         problem's arrays in the precision of the solve.\n\n\
         ## The default beside the best of the others\n\n{best}\n\n## Every solve\n\n{every}\n",
        introduction(goal),
        repeats.at_least,
        repeats.at_most,
        SHORT.as_secs(),
    )
}

/// What is measured.
fn introduction(goal: Goal) -> String {
    match goal {
        Goal::PerfectFit => format!(
            "Solved is L ≤ {}, L the squared loss. *s to solved* is when the iterates first were \
             there, for all targets together.",
            goal.formula()
        ),
        Goal::Lowest => format!(
            "The lowest L is that which any program came to on the same instance from the same \
             start, in f64. *s to 1%* and *s to 1e-6* are when the iterates first were at \
             (1 + {NEAR}) and {} (or at {SOLVED:e}·L(x0), a perfect fit): the median of the targets. \
             *lowest* is how many targets a program brought to the latter. *above* is how far its \
             end is above the lowest L, over L(x0), where that is most.",
            goal.formula()
        ),
    }
}

/// Seconds of something over those of another.
fn over(of: Option<f64>, by: Option<f64>) -> String {
    match (of, by) {
        (Some(of), Some(by)) => format!("{:.2}", of / by),
        _ => "-".into(),
    }
}

/// A row's name and its seconds, where it is the fastest of some.
fn fastest<'r>(
    rows: impl Iterator<Item = &'r Row>,
    seconds: fn(&Row) -> Option<f64>,
) -> Option<(f64, &'r Row)> {
    let timed = rows.filter_map(|row| Some((seconds(row)?, row)));
    timed.min_by(|a, b| a.0.total_cmp(&b.0))
}

/// w in a table.
fn weight(cell: &Cell) -> String {
    cell.weight.map_or("-".into(), |weight| weight.to_string())
}

/// Seconds with three digits.
fn figure(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".into(),
        Some(seconds) if seconds < 0.01 => format!("{seconds:.5}"),
        Some(seconds) if seconds < 1.0 => format!("{seconds:.3}"),
        Some(seconds) => format!("{seconds:.2}"),
    }
}
