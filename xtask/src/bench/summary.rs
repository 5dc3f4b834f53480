//! The matrix as tables.

use super::goal::{Goal, SOLVED};
use super::problem::{Problem, Start};
use super::repeated::{Repeats, SHORT};
use super::trace::Course;
use crate::tables::markdown;
use serde::Serialize;

/// One solver on one problem from one start, all its targets together. Losses are over L(x0).
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) problem: &'static str,
    pub(crate) start: &'static str,
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
    /// 0 where the time was over.
    pub(crate) targets: usize,
    pub(crate) solved: usize,
    /// Until every target was solved; none where one was not.
    pub(crate) seconds_to_accuracy: Option<f64>,
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
    /// Nothing measured yet.
    pub(crate) fn new(problem: &Problem, start: &Start, solver: String) -> Self {
        Self {
            problem: problem.name,
            start: start.name,
            solver,
            ..Self::default()
        }
    }

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

    /// A line of progress.
    pub(crate) fn tell(&self) {
        let loss = self.worst_loss;
        eprintln!(
            "{} from {}, {} {}: {} s, L/L(x0) {}, {}",
            self.problem,
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
    let what = match goal {
        Goal::PerfectFit => "",
        Goal::NearTheLowest => {
            "No x has the output b. The lowest loss is that which any program came to on the same \
             problem from the same start, in f64. "
        }
    };
    let enough = goal.formula();
    format!(
        "\n{what}Solved is L ≤ {enough}; L(x0) is the squared loss at the start. *s to solved* is when the \
         iterates first were there, for all targets together; *s in all* is until the program's own \
         end. Both are medians over *runs*, each a new process: {} at least of twolayer and one of \
         a peer, and up to {} of either while they took less than {} s together. \
         Reading the file, conversion and compilation are not timed. Peers ran on the same file, \
         from the same start, and stopped at L ≤ {SOLVED:e}·L(x0). Everyone had {limit} s for each \
         target. Losses in f32 are \
         as f32 computes them. The peak is that of the whole process; it is told in sizes of the \
         problem's arrays in the precision of the solve.\n\n\
         ## The default beside the best of the others\n\n{}\n\n## Every solve\n\n{}\n",
        repeats.at_least,
        repeats.at_most,
        SHORT.as_secs(),
        best_of_others(rows),
        every_solve(rows),
    )
}

/// For each problem and start: faer with `auto`, the best fixed choice of the Hessian on faer, and
/// the best peer, in f64.
fn best_of_others(rows: &[Row]) -> String {
    let cells = rows.chunk_by(|a, b| (a.problem, a.start) == (b.problem, b.start));
    let lines = cells.filter_map(|cell| {
        let double = || cell.iter().filter(|row| row.is_double());
        let fastest = |rows: &mut dyn Iterator<Item = &Row>| {
            let timed = rows.filter_map(|row| Some((row.seconds_to_accuracy?, row.clone())));
            timed.min_by(|a, b| a.0.total_cmp(&b.0))
        };
        let default = double().find(|row| row.backend == "faer" && row.hessian == "auto")?;
        let fixed = |row: &&Row| row.backend == "faer" && row.hessian != "auto";
        let fixed = fastest(&mut double().filter(fixed));
        let peer = fastest(&mut double().filter(|row| row.is_peer()));
        let ours = default.seconds_to_accuracy;
        let over = |of: Option<f64>, by: Option<f64>| match (of, by) {
            (Some(of), Some(by)) => format!("{:.2}", of / by),
            _ => "-".into(),
        };
        let name = |of: &Option<(f64, Row)>, what: fn(&Row) -> &str| {
            of.as_ref().map_or("-".into(), |(_, row)| what(row).into())
        };
        let (fixed_time, peer_time) = (fixed.as_ref().map(|f| f.0), peer.as_ref().map(|p| p.0));
        Some([
            default.problem.into(),
            default.start.into(),
            format!("{} of {}", default.solved, default.targets),
            figure(ours),
            name(&fixed, |row| &row.hessian),
            figure(fixed_time),
            over(ours, fixed_time),
            name(&peer, |row| &row.solver),
            figure(peer_time),
            over(peer_time, ours),
        ])
    });
    markdown(
        [
            "problem",
            "start",
            "auto solved",
            "auto, s",
            "best fixed",
            "its s",
            "auto over it",
            "best peer",
            "its s",
            "it over auto",
        ],
        2,
        lines,
    )
}

fn every_solve(rows: &[Row]) -> String {
    markdown(
        [
            "problem",
            "start",
            "solver",
            "precision",
            "ended",
            "runs",
            "solved",
            "s to solved",
            "s in all",
            "iterations",
            "Hessians",
            "worst L/L(x0)",
            "peak, MB",
            "peak over arrays",
        ],
        5,
        rows.iter().map(|row| {
            [
                row.problem.into(),
                row.start.into(),
                row.solver.clone(),
                row.precision.clone(),
                row.ended.clone(),
                row.runs.to_string(),
                format!("{} of {}", row.solved, row.targets),
                figure(row.seconds_to_accuracy),
                figure(row.seconds),
                row.iterations.to_string(),
                row.hessians.map_or("-".into(), |count| count.to_string()),
                row.worst_loss
                    .map_or("-".into(), |loss| format!("{loss:.1e}")),
                row.peak_bytes
                    .map_or("-".into(), |peak| format!("{:.0}", peak as f64 / 1e6)),
                row.peak_over_inputs
                    .map_or("-".into(), |ratio| format!("{ratio:.2}")),
            ]
        }),
    )
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
