//! What comes back.

use std::fmt;
use twolayer_core::Scalar;

/// How a search for the nearest x ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NearestStatus {
    /// The output is as wanted, and to first order no x nearby that has it is nearer.
    Nearest,
    /// The output is as wanted; that no other x nearby is nearer does not show.
    Met,
    /// No x with the wanted output was found: this one misses it least.
    NotMet,
    /// The iteration limit was reached.
    IterationLimit,
    /// The time limit was reached.
    TimeLimit,
    /// An observer asked to stop.
    Stopped,
}

impl NearestStatus {
    /// Whether the output is as wanted, and no x nearby is nearer.
    pub fn is_converged(self) -> bool {
        self == Self::Nearest
    }

    /// Whether a limit or an observer ended it.
    pub(super) fn is_cut_off(self) -> bool {
        matches!(self, Self::IterationLimit | Self::TimeLimit | Self::Stopped)
    }

    /// A word for tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Met => "met",
            Self::NotMet => "not-met",
            Self::IterationLimit => "iteration-limit",
            Self::TimeLimit => "time-limit",
            Self::Stopped => "stopped",
        }
    }

    /// What a user can do about it; empty where there is nothing.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Met => {
                "the output is as wanted, but there may be a nearer x close by: try more starts"
            }
            Self::NotMet => {
                "no x within the bounds has this output, or none was found: ask for less, widen the bounds, or try \
                 more starts"
            }
            Self::IterationLimit => "raise the iteration limit",
            Self::TimeLimit => "raise the time limit",
            Self::Nearest | Self::Stopped => "",
        }
    }
}

impl fmt::Display for NearestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The nearest x that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct NearestAnswer<T> {
    /// x (d).
    pub x: Vec<T>,
    /// ‖D(x − x_ref)‖.
    pub distance: T,
    /// By how much the output misses what is wanted: max |log fᵢ − log bᵢ| less their mean, or how much log f_c is
    /// below log P.
    pub violation: T,
    /// What is left of D²(x − x_ref) outside the span of the rows of C̄ and the normals of the kinks and bounds that
    /// hold x, these with multipliers of the right sign; as a part of its length. 0 is the first-order condition
    /// of a nearest x.
    pub residual: T,
    /// How it ended.
    pub status: NearestStatus,
    /// The kinks and bounds that x lies on.
    pub pinned: Vec<usize>,
    /// For each of them τ in D²(x − x_ref) + C̄ᵀλ + Σ τᵢaᵢ = 0: at a bound the rate at which ½‖D(x − x_ref)‖² would fall
    /// beyond it.
    pub multipliers: Vec<T>,
    /// How many different x with the wanted output, none of them nearer than those around it, were met.
    pub distinct: usize,
    /// Iterations of all descents.
    pub iterations: usize,
    /// Wall time.
    pub seconds: f64,
}

impl<T: Scalar> NearestAnswer<T> {
    /// The one that is wanted more: with the output that is wanted, and nearer; else that which misses it less. One
    /// that is no more than u^¼ of its distance nearer, and does not show that it is nearest, is no better than one that
    /// does.
    pub(super) fn nearer(self, other: Self) -> Self {
        use NearestStatus::{Met, Nearest};
        let slack = T::one() + T::UNIT_ROUNDOFF.powf(T::of(0.25));
        let is_better = match (self.status, other.status) {
            (Nearest, Nearest) | (Met, Met) => other.distance < self.distance,
            (Nearest, Met) => slack * other.distance < self.distance,
            (Met, Nearest) => other.distance <= slack * self.distance,
            (Nearest | Met, _) => false,
            (_, Nearest | Met) => true,
            _ => other.violation < self.violation,
        };
        match is_better {
            true => other,
            false => self,
        }
    }
}
