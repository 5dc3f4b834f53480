//! What a solve returns.

use crate::termination::{LimitPoint, Status};

/// Which objective an iteration worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Stage {
    /// The easier objective that finds a start (see `Objective::warm_start`).
    WarmStart,
    /// The objective that was asked for.
    Target,
}

impl Stage {
    /// A word for tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::WarmStart => "warm-start",
            Self::Target => "target",
        }
    }
}

/// Seconds of wall time by phase.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PhaseSeconds {
    /// Values and gradients.
    pub evaluate: f64,
    /// Forming and factoring H̃.
    pub build: f64,
    /// Damped steps.
    pub step: f64,
    /// Searching the kinks along the step.
    pub search: f64,
}

impl PhaseSeconds {
    /// What was added since an earlier reading.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            evaluate: self.evaluate - earlier.evaluate,
            build: self.build - earlier.build,
            step: self.step - earlier.step,
            search: self.search - earlier.search,
        }
    }
}

/// One iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TraceEntry<T> {
    /// Counted from 1 through all stages. Each start has an entry of its own, which repeats the
    /// number of the iteration before it.
    pub iteration: usize,
    /// The objective that the iteration worked on.
    pub stage: Stage,
    /// Which descent of the warm start: 0 for the first, from x0, then one more for each other start
    /// and each other objective.
    pub restart: usize,
    /// The objective that was asked for, after the iteration. Where the stage works on a part of
    /// the outcomes, and does not know it, the lowest found so far.
    pub loss: T,
    /// The stage's own objective, after the iteration: it never rises between two starts.
    pub stage_loss: T,
    /// Norm of the stage's gradient, reduced by pinned kinks, before the iteration's step.
    pub gradient_norm: T,
    /// Length of the step taken; 0 where none was.
    pub step_norm: T,
    /// ν, the ridge added to H̃.
    pub damping: T,
    /// Kinks crossed by the step.
    pub flips: usize,
    /// Kinks that the iterate is held on, after the iteration.
    pub pinned: usize,
    /// Rows of C used for H̃; 0 where an earlier one was used again.
    pub rows_used: usize,
    /// Seconds since the solve began.
    pub elapsed: f64,
    /// Seconds of this iteration by phase.
    pub seconds: PhaseSeconds,
}

/// The answer of a solve, whatever its status.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Solution<T> {
    /// The lowest point found (d).
    pub x: Vec<T>,
    /// The objective at x.
    pub loss: T,
    /// The norm of the gradient at x, as the objective's own derivative at a kink defines it;
    /// infinite where it overflows.
    pub gradient_norm: T,
    /// How the solve ended.
    pub status: Status,
    /// What kind of point x is.
    pub limit: LimitPoint,
    /// Iterations through all stages.
    pub iterations: usize,
    /// The kinks that x lies on.
    pub pinned: Vec<usize>,
    /// For each of them the multiplier τ of its normal a that leaves least of the gradient, ‖∇F + Σ τᵢaᵢ‖: 0 ≤ τ at
    /// a bound, which is the rate at which F would fall beyond it.
    pub multipliers: Vec<T>,
    /// Every iteration, the start first.
    pub trace: Vec<TraceEntry<T>>,
    /// Wall time of the solve.
    pub seconds: f64,
}
