//! A solve under way, as plain data.

use crate::damping::Damping;
use crate::moves::caution::Caution;
use crate::solution::{Stage, TraceEntry};
use twolayer_core::{Error, Scalar};

/// Where a [`Run`](crate::Run) stood, as plain data: to be kept in a file, say, and gone on from by
/// [`Run::resume`](crate::Run::resume).
///
/// It has the point, the trace and what the solve has learnt on its way, O(d) numbers beside the
/// trace and O(n) where the warm start has a splitting; not the problem, nor the settings, which
/// whoever keeps it has to keep too.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot<T> {
    pub(crate) x0: Vec<T>,
    pub(crate) best: Best<T>,
    pub(crate) stage: Stage,
    pub(crate) iteration: usize,
    pub(crate) trace: Vec<TraceEntry<T>>,
    /// How far the run's random numbers are.
    pub(crate) random: u128,
    /// Of solving, so far.
    pub(crate) seconds: f64,
    /// The descent on the target, or where it is to begin.
    pub(crate) descent: DescentState<T>,
    /// What the target's model of the Hessian keeps.
    pub(crate) model: Vec<u64>,
    /// Rungs made so far.
    pub(crate) rungs: usize,
    /// Starts on all of them but the last, beyond the first of each.
    pub(crate) earlier_restarts: usize,
    /// The last of them.
    pub(crate) rung: Option<RungState<T>>,
}

/// The lowest point at which a solve has looked.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Best<T> {
    pub(crate) x: Vec<T>,
    /// The kinks that x was held on.
    pub(crate) pinned: Vec<usize>,
    pub(crate) loss: T,
    /// Whether a descent on the target ended there as [`Status::Flat`](crate::Status::Flat).
    pub(crate) is_flat: bool,
}

/// What a descent goes on from.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct DescentState<T> {
    pub(crate) x: Vec<T>,
    pub(crate) pinned: Vec<usize>,
    /// The objective there.
    pub(crate) value: T,
    /// Whether there was a model yet.
    pub(crate) has_begun: bool,
    pub(crate) progress: Progress<T>,
}

/// What a descent has learnt on its way, and is not told by its point.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Progress<T> {
    pub(crate) damping: Damping<T>,
    pub(crate) initial_damping: f64,
    pub(crate) first_gradient_norm: Option<T>,
    pub(crate) largest_mean_eigenvalue: T,
    pub(crate) idle: usize,
    pub(crate) escapes: usize,
    pub(crate) caution: Caution<T>,
    pub(crate) takes_full_steps: bool,
}

/// What a rung of the warm start goes on from.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct RungState<T> {
    pub(crate) x0: Vec<T>,
    pub(crate) restarts: usize,
    pub(crate) lowest: T,
    pub(crate) burst: usize,
    pub(crate) vain: usize,
    pub(crate) course: Vec<T>,
    pub(crate) random: u128,
    /// Of the source of starts, where there is one.
    pub(crate) source: Option<Vec<T>>,
    pub(crate) model: Vec<u64>,
    pub(crate) descent: DescentState<T>,
}

impl<T: Scalar> Snapshot<T> {
    /// Iterations so far.
    pub fn iterations(&self) -> usize {
        self.iteration
    }

    /// Checks that it may be a state of a problem with d unknowns and n kinks.
    pub(crate) fn check(&self, dimension: usize, kinks: usize) -> Result<(), Error> {
        let rung = self.rung.iter();
        let points = rung.clone().flat_map(|rung| [&rung.x0, &rung.descent.x]);
        for x in points.chain([&self.x0, &self.best.x, &self.descent.x]) {
            Error::check_length("a point of the state", x.len(), dimension)?;
            Error::check_finite("a point of the state", x)?;
        }
        let pinned = rung.map(|rung| &rung.descent.pinned);
        let mut pinned = pinned
            .chain([&self.best.pinned, &self.descent.pinned])
            .flatten();
        if pinned.any(|&kink| kink >= kinks) {
            return misfit("it names a kink that the problem does not have");
        }
        let on_a_rung = self.stage == Stage::WarmStart;
        if self.rung.is_some() != (self.rungs > 0) || (on_a_rung && self.rung.is_none()) {
            return misfit("it names a stage without a state of it");
        }
        Ok(())
    }
}

/// The error of a state that does not fit.
pub(crate) fn misfit<R>(found: &'static str) -> Result<R, Error> {
    Err(Error::State { found })
}
