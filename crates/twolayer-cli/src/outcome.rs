//! What comes out of a call for each target.

use crate::at_bounds::{AtBound, at_bounds};
use crate::spill::Spill;
use std::fmt;
use twolayer::theory::{Broken, Theory};
use twolayer::{
    Error as CoreError, LimitPoint, LinearBackend, Problems, Scalar, Solved, Status, TraceEntry,
};
use twolayer_certificate::Verdict;

/// What came out for one target. In double precision whatever the precision of the solve, so that
/// nothing after the solve has to be generic.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) x: Vec<f64>,
    /// The units on whose kinks x lies.
    pub(crate) pinned: Vec<usize>,
    /// The bounds that it lies on.
    pub(crate) at_bounds: Vec<AtBound>,
    /// Whether x0 lay outside the bounds.
    pub(crate) is_start_moved: bool,
    pub(crate) loss: f64,
    pub(crate) gradient_norm: f64,
    pub(crate) iterations: usize,
    pub(crate) status: Ended,
    /// What is wrong with a target that was skipped.
    pub(crate) error: Option<String>,
    pub(crate) limit: LimitPoint,
    /// How many starts were tried.
    pub(crate) starts: usize,
    /// The solver alone, from the start that led here.
    pub(crate) seconds: f64,
    /// Empty where neither a table nor a plot has it.
    pub(crate) trace: Vec<TraceEntry<f64>>,
    /// The loss below which b tells nothing, where it was rounded.
    pub(crate) uncertainty: Option<f64>,
    /// Where certificates were asked for.
    pub(crate) verdict: Option<Verdict>,
    /// Where the theorem was to be checked.
    pub(crate) theory: Option<Theory>,
    /// What the theorem asks for and did not get, where the paper's iteration has not arrived.
    pub(crate) broken: Option<Vec<Broken>>,
}

/// How a target ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// As its solve did.
    Solve(Status),
    /// It was no good, and was skipped.
    Bad,
}

impl Ended {
    pub(crate) fn is_converged(self) -> bool {
        matches!(self, Self::Solve(status) if status.is_converged())
    }

    /// Whether no other start would do better.
    pub(crate) fn is_met(self) -> bool {
        matches!(self, Self::Solve(status) if status.is_met())
    }

    /// A word for tables and files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Solve(status) => status.name(),
            Self::Bad => "bad",
        }
    }

    /// What a user can do about it; empty where nothing needs doing.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Solve(status) => status.advice(),
            Self::Bad => "mend these targets or their starts; they were skipped",
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is found out about an answer where it is asked for.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) uncertainty: Option<f64>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) theory: Option<Theory>,
    pub(crate) broken: Option<Vec<Broken>>,
}

/// What came out for the targets so far.
pub(crate) struct Outcomes {
    pub(crate) solved: Vec<Outcome>,
    /// K, of which fewer are solved where the run did not come to its end.
    pub(crate) targets: usize,
    /// Targets that were to be tried from other starts, and were not from all of them.
    pub(crate) untried: usize,
    pub(crate) end: End,
    /// From the first solve to the end of the last.
    pub(crate) wall_seconds: f64,
    /// The network's output for each, in the order of `solved`.
    pub(crate) probabilities: Spill,
}

/// Bytes of an outcome with d `inputs`, beside its trace and what the theorem says.
pub(crate) fn bytes(inputs: u64) -> u64 {
    let each = size_of::<f64>() + size_of::<usize>() + size_of::<AtBound>();
    let numbers = inputs.saturating_mul(each as u64);
    numbers.saturating_add(size_of::<Outcome>() as u64)
}

impl Outcomes {
    /// A statement of what is missing, if something is.
    pub(crate) fn missing(&self) -> String {
        let why = match self.end {
            End::Whole => return String::new(),
            End::Interrupted => "interrupted",
            End::OutOfTime => "out of time",
        };
        if self.untried > 0 {
            let untried = self.untried;
            return format!("{why}: {untried} targets were not tried from all other starts\n");
        }
        format!(
            "{why}: {} of {} targets are done; the result has rows for the first {}\n",
            self.solved.iter().filter(|o| !o.is_cut_short()).count(),
            self.targets,
            self.solved.len()
        )
    }
}

/// Why a run was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All was done.
    Whole,
    /// A signal came.
    Interrupted,
    /// Its time was over.
    OutOfTime,
}

impl Outcome {
    /// That of a target that was solved from `x0`, of `problems`.
    pub(crate) fn new<B: LinearBackend>(
        solved: Solved<B::Scalar>,
        found: Found,
        problems: &Problems<'_, B>,
        x0: &[B::Scalar],
    ) -> Self {
        let Solved { solution, starts } = solved;
        let units = problems.network().kinks();
        let bounds = problems.bounds();
        let held = (&solution.pinned[..], &solution.multipliers[..]);
        let at_bounds = bounds.map(|bounds| at_bounds(bounds, units, &solution.x, held));
        let pinned = solution.pinned.iter().copied();
        Self {
            x: solution.x.iter().map(|&value| value.to_f64()).collect(),
            pinned: pinned.filter(|&kink| kink < units).collect(),
            at_bounds: at_bounds.unwrap_or_default(),
            is_start_moved: bounds.is_some_and(|bounds| !bounds.contains(x0)),
            loss: solution.loss.to_f64(),
            gradient_norm: solution.gradient_norm.to_f64(),
            iterations: solution.iterations,
            status: Ended::Solve(solution.status),
            error: None,
            limit: solution.limit,
            starts,
            seconds: solution.seconds,
            trace: solution.trace.iter().map(wide_entry).collect(),
            uncertainty: found.uncertainty,
            verdict: found.verdict,
            theory: found.theory,
            broken: found.broken,
        }
    }
}

impl Outcome {
    /// That of a target with d `inputs` that is no good and was skipped.
    pub(crate) fn bad(error: &CoreError, inputs: usize) -> Self {
        Self {
            x: vec![f64::NAN; inputs],
            pinned: Vec::new(),
            at_bounds: Vec::new(),
            is_start_moved: false,
            loss: f64::NAN,
            gradient_norm: f64::NAN,
            iterations: 0,
            status: Ended::Bad,
            error: Some(error.to_string()),
            limit: LimitPoint::Undetermined,
            starts: 0,
            seconds: 0.0,
            trace: Vec::new(),
            uncertainty: None,
            verdict: None,
            theory: None,
            broken: None,
        }
    }

    /// Whether the solve might have gone on.
    pub(crate) fn is_cut_short(&self) -> bool {
        matches!(
            self.status,
            Ended::Solve(Status::Stopped | Status::TimeLimit)
        )
    }
}

fn wide_entry<T: Scalar>(entry: &TraceEntry<T>) -> TraceEntry<f64> {
    TraceEntry {
        iteration: entry.iteration,
        stage: entry.stage,
        restart: entry.restart,
        loss: entry.loss.to_f64(),
        stage_loss: entry.stage_loss.to_f64(),
        gradient_norm: entry.gradient_norm.to_f64(),
        step_norm: entry.step_norm.to_f64(),
        damping: entry.damping.to_f64(),
        flips: entry.flips,
        pinned: entry.pinned,
        rows_used: entry.rows_used,
        elapsed: entry.elapsed,
        seconds: entry.seconds,
    }
}
