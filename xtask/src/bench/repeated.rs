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
    /// The part of what is due that is done; 1 where nothing more is.
    fn progress(self, runs: usize, taken: Duration) -> f64 {
        let part = |of: usize| runs as f64 / of.max(1) as f64;
        let time = taken.as_secs_f64() / SHORT.as_secs_f64();
        time.min(part(self.at_least))
            .max(part(self.at_most))
            .min(1.0)
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

/// Runs a program as its row says.
type Program<'r> = Box<dyn Fn(&Row) -> Result<Outcome, Error> + 'r>;

/// A program on one problem from one start.
pub(crate) struct Repeated<'r> {
    row: Row,
    repeats: Repeats,
    run: Program<'r>,
    runs: Vec<Run>,
    taken: Duration,
    /// See [`Repeats::progress`].
    progress: f64,
}

impl<'r> Repeated<'r> {
    pub(crate) fn new(
        row: Row,
        repeats: Repeats,
        run: impl Fn(&Row) -> Result<Outcome, Error> + 'r,
    ) -> Self {
        Self {
            row,
            repeats,
            run: Box::new(run),
            runs: Vec::new(),
            taken: Duration::ZERO,
            progress: 0.0,
        }
    }

    fn is_over(&self) -> bool {
        self.progress >= 1.0
    }

    fn run_once(&mut self) -> Result<(), Error> {
        let clock = Instant::now();
        match (self.run)(&self.row)? {
            Outcome::Ran(run) => {
                self.runs.push(run);
                self.taken += clock.elapsed();
                self.progress = self.repeats.progress(self.runs.len(), self.taken);
            }
            Outcome::Failed(reason) => {
                self.row.ended = reason;
                self.runs.clear();
                self.progress = 1.0;
            }
        }
        if self.is_over() {
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

/// Runs them in turns, next the one that has done the least of what is due, so that the runs of each are
/// spread over all of the time: a machine that is slower for a while is so for all of them.
pub(crate) fn in_turns(mut solves: Vec<Repeated<'_>>) -> Result<Vec<Row>, Error> {
    loop {
        let due = solves.iter_mut().filter(|solve| !solve.is_over());
        let Some(next) = due.min_by(|a, b| a.progress.total_cmp(&b.progress)) else {
            return Ok(solves.into_iter().map(|solve| solve.row).collect());
        };
        next.run_once()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn ran() -> Result<Outcome, Error> {
        Ok(Outcome::Ran(Run {
            solves: Vec::new(),
            peak_bytes: None,
        }))
    }

    /// Half as many runs of one lie evenly between those of the other; one that fails is not run again.
    #[test]
    fn runs_are_spread() -> Result<(), Error> {
        let order = RefCell::new(String::new());
        let program = |name: char, runs: usize| {
            let repeats = Repeats {
                at_least: runs,
                at_most: runs,
            };
            let order = &order;
            Repeated::new(Row::default(), repeats, move |_| {
                order.borrow_mut().push(name);
                match name {
                    'f' => Ok(Outcome::Failed("as it should".into())),
                    _ => ran(),
                }
            })
        };
        let rows = in_turns(vec![program('a', 4), program('b', 2), program('f', 3)])?;
        assert_eq!(*order.borrow(), "abfaaba");
        assert_eq!(rows[2].ended, "as it should");
        assert_eq!([rows[0].runs, rows[1].runs, rows[2].runs], [4, 2, 0]);
        Ok(())
    }

    /// A long program is run as often as it must be, a short one until it took long enough.
    #[test]
    fn the_time_taken_ends_it_too() {
        let repeats = Repeats {
            at_least: 3,
            at_most: 25,
        };
        let progress = |runs, seconds| repeats.progress(runs, Duration::from_secs(seconds));
        assert!(progress(2, 60) < 1.0);
        assert_eq!(progress(3, 60), 1.0);
        assert!(progress(24, 1) < 1.0);
        assert_eq!(progress(24, 2), 1.0);
        assert_eq!(progress(25, 0), 1.0);
    }
}
