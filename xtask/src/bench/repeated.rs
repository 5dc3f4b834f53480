//! Solves that are run again and again, in turns.

use super::summary::Row;
use super::trace::Course;
use crate::error::Error;
use crate::tables::median;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How often a program is run on one problem from one start, each time in a new process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repeats {
    pub(crate) at_least: usize,
    pub(crate) at_most: usize,
}

/// While the processes of a program took less than this, it is run again: short solves vary most.
pub(crate) const SHORT: Duration = Duration::from_secs(2);

impl Repeats {
    fn are_due(self, runs: usize, taken: Duration) -> bool {
        runs < self.at_least || (runs < self.at_most && taken < SHORT)
    }
}

/// One run of a program on all targets of a problem.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) solves: Vec<Solve>,
    pub(crate) peak_bytes: Option<u64>,
}

/// One target.
#[derive(Debug)]
pub(crate) struct Solve {
    pub(crate) course: Course,
    pub(crate) seconds: f64,
    pub(crate) loss: f64,
    /// Iterations of twolayer, evaluations of a peer.
    pub(crate) iterations: usize,
    /// Hessians, Jacobians or products with one, of a peer.
    pub(crate) hessians: Option<usize>,
    pub(crate) ended: String,
}

/// What came of starting a program.
#[derive(Debug)]
pub(crate) enum Outcome {
    Ran(Run),
    /// There is no result, and would be none the next time; why.
    Failed(String),
}

/// A program on one problem from one start.
pub(crate) struct Repeated<'r> {
    row: Row,
    run: Box<dyn Fn() -> Result<Outcome, Error> + 'r>,
    runs: Vec<Run>,
    taken: Duration,
    is_over: bool,
}

impl<'r> Repeated<'r> {
    pub(crate) fn new(row: Row, run: impl Fn() -> Result<Outcome, Error> + 'r) -> Self {
        Self {
            row,
            run: Box::new(run),
            runs: Vec::new(),
            taken: Duration::ZERO,
            is_over: false,
        }
    }

    fn run_once(&mut self, repeats: Repeats) -> Result<(), Error> {
        let clock = Instant::now();
        match (self.run)()? {
            Outcome::Ran(run) => {
                self.runs.push(run);
                self.taken += clock.elapsed();
                self.is_over = !repeats.are_due(self.runs.len(), self.taken);
            }
            Outcome::Failed(reason) => {
                self.row.ended = reason;
                self.runs.clear();
                self.is_over = true;
            }
        }
        if self.is_over {
            self.fill_in();
            self.row.tell();
        }
        Ok(())
    }

    /// What the runs say: the median of times, and all else of the last. What is solved is for a
    /// [`Goal`](super::goal::Goal) to say.
    fn fill_in(&mut self) {
        let row = &mut self.row;
        let totals = self.runs.iter().map(|run| {
            let seconds = run.solves.iter().map(|solve| solve.seconds);
            seconds.sum::<f64>()
        });
        let total = median(totals);
        let peak = self.runs.iter().filter_map(|run| run.peak_bytes).max();
        row.peak_bytes = peak;
        row.peak_over_inputs = peak.map(|peak| peak as f64 / row.input_bytes as f64);
        row.runs = self.runs.len();
        // The same arithmetic every time: one run speaks for all of what is not time.
        if let Some(Run { solves, .. }) = self.runs.last() {
            row.seconds = Some(total);
            row.targets = solves.len();
            row.iterations = solves.iter().map(|s| s.iterations).sum();
            row.hessians = solves.iter().map(|s| s.hessians).sum();
            let ratios = solves.iter().map(|s| s.loss / s.course.start_loss);
            row.worst_loss = Some(ratios.fold(0.0, f64::max));
            let ended: BTreeSet<_> = solves.iter().map(|s| s.ended.as_str()).collect();
            row.ended = ended.into_iter().collect::<Vec<_>>().join(", ");
        }
        let courses = |run: Run| run.solves.into_iter().map(|s| s.course).collect();
        row.courses = self.runs.drain(..).map(courses).collect();
    }
}

/// Runs them in turns, so that a machine that grows slower does so for all of them.
pub(crate) fn in_turns(mut solves: Vec<Repeated<'_>>, repeats: Repeats) -> Result<Vec<Row>, Error> {
    while solves.iter().any(|solve| !solve.is_over) {
        for solve in solves.iter_mut().filter(|solve| !solve.is_over) {
            solve.run_once(repeats)?;
        }
    }
    Ok(solves.into_iter().map(|solve| solve.row).collect())
}
