//! What the theorem asks for and a run did not give, where there is no x* to measure from.

use super::{PROMISED_CONTRACTION, PROMISED_REGION, Recorder, epsilon, exact, jacobian, lipschitz};
use crate::inversion::Inversion;
use std::fmt;
use twolayer_core::{HessianApprox, LinearBackend, Objective, Scalar, reduce, spectrum};

/// An assumption of Theorem 72 that did not hold, and at which iterate x_t that showed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Broken {
    /// ∇²L ⪰ l I for an l > 0.
    Convexity {
        /// t.
        iterate: usize,
        /// The least eigenvalue of the Hessian there; NaN where it overflows.
        least_eigenvalue: f64,
        /// The least w² of the problem, 0 without a regulariser: above 2 + l/σ_min(C)², and with σ_min(C) > 0,
        /// Lemma 69 promises that l.
        least_weight: f64,
    },
    /// M ‖x₀ − x*‖ ≤ 0.1 l.
    Start {
        /// M ‖x₁ − x₀‖/(1.4 l), l the least eigenvalue at x₀: no more than M ‖x₀ − x*‖/l where the theorem holds,
        /// for then ‖x₁ − x₀‖ ≤ ‖x₁ − x*‖ + ‖x₀ − x*‖ ≤ 1.4 ‖x₀ − x*‖.
        part: f64,
    },
    /// (1 − ε₀) H ⪯ H̃ ⪯ (1 + ε₀) H with ε₀ = 0.1.
    Model {
        /// t.
        iterate: usize,
        /// The least ε₀ there.
        epsilon: f64,
    },
    /// The pattern of the ReLUs does not change.
    Pattern {
        /// t of the iterate that the step began from.
        iterate: usize,
        /// Kinks that it crossed.
        flips: usize,
    },
}

impl Broken {
    /// A word for files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Convexity { .. } => "strong-convexity",
            Self::Start { .. } => "near-start",
            Self::Model { .. } => "hessian-model",
            Self::Pattern { .. } => "fixed-pattern",
        }
    }

    /// t of the iterate at which it showed.
    pub fn iterate(&self) -> usize {
        match *self {
            Self::Start { .. } => 0,
            Self::Convexity { iterate, .. }
            | Self::Model { iterate, .. }
            | Self::Pattern { iterate, .. } => iterate,
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Convexity {
                iterate,
                least_eigenvalue,
                least_weight,
            } => write!(
                f,
                "no l > 0: at iterate {iterate} the least eigenvalue of the Hessian is {least_eigenvalue:.1e} \
                 (Lemma 69 asks for w² > 2 and a C of full column rank; the least w² is {least_weight:.1e})"
            ),
            Self::Start { part } => write!(
                f,
                "the start is too far: M‖x₀ − x*‖ is at least {part:.1e} l, {PROMISED_REGION} l is allowed"
            ),
            Self::Model { iterate, epsilon } => write!(
                f,
                "ε₀ is {epsilon:.1e} at iterate {iterate}, {PROMISED_REGION} is allowed"
            ),
            Self::Pattern { iterate, flips } => write!(
                f,
                "the pattern changed: the step from iterate {iterate} crossed {flips} kinks"
            ),
        }
    }
}

/// Iterates that are looked at: so many contractions by 0.4 leave 10⁻¹² of a distance.
pub const MOST_EXAMINED: usize = 30;

/// Which assumptions a run of [`paper::iterate`](crate::paper::iterate) on `problem` did not meet, with the kind of
/// model that it was run with, that of `solved`, which is the same problem as the iteration saw it. The first
/// iterate that breaks one ends the search: nothing is promised from there on. None where all held at the first
/// [`MOST_EXAMINED`] iterates, as far as can be told. Costs what [`examine`](super::examine) does for each
/// iterate looked at.
pub fn broken_assumptions<B: LinearBackend, O: Objective<Scalar = B::Scalar>>(
    problem: &Inversion<'_, B>,
    solved: &O,
    hessian: &mut impl HessianApprox<O>,
    recorder: &Recorder<B::Scalar>,
) -> Vec<Broken> {
    let mut broken = Vec::new();
    let least_weight = super::least_weight(problem);
    for (iterate, (_, _, x)) in recorder.iterates.iter().enumerate().take(MOST_EXAMINED) {
        let next = recorder.iterates.get(iterate + 1);
        let h = exact(problem, x);
        let least_eigenvalue = least_eigenvalue(&h, x.len());
        let epsilon = match least_eigenvalue > 0.0 {
            true => epsilon(h, solved, hessian, x),
            false => None,
        };
        let Some(epsilon) = epsilon else {
            broken.push(Broken::Convexity {
                iterate,
                least_eigenvalue,
                least_weight,
            });
            break;
        };
        if let Some((_, _, next)) = next.filter(|_| iterate == 0) {
            broken.extend(start_is_far(problem, least_eigenvalue, x, next));
        }
        let is_far_off = epsilon.is_nan() || epsilon > PROMISED_REGION;
        let flips = next.map_or(0, |(_, flips, _)| *flips);
        broken.extend(is_far_off.then_some(Broken::Model { iterate, epsilon }));
        broken.extend((flips > 0).then_some(Broken::Pattern { iterate, flips }));
        if is_far_off || flips > 0 {
            break;
        }
    }
    broken
}

/// The least eigenvalue of a symmetric matrix (d×d); NaN where it overflows.
fn least_eigenvalue(h: &[f64], d: usize) -> f64 {
    if !h.iter().all(|entry| entry.is_finite()) {
        return f64::NAN;
    }
    let (eigenvalues, _) = spectrum::eigen(h.to_vec(), d);
    eigenvalues.into_iter().fold(f64::INFINITY, f64::min)
}

/// Whether the first step was too long for a start near x*, l no more than the least eigenvalue at the start.
fn start_is_far<B: LinearBackend>(
    problem: &Inversion<'_, B>,
    least_eigenvalue: f64,
    start: &[B::Scalar],
    next: &[B::Scalar],
) -> Option<Broken> {
    let mut at = problem.new_evaluation();
    problem.evaluate(start, &[], &mut at);
    let (rows, row_norm) = jacobian(problem, &at);
    let d = start.len();
    let largest = spectrum::singular_values(rows, d)[d - 1];
    let m = lipschitz(problem, largest, row_norm);
    let square = |i: usize| (next[i] - start[i]).to_f64().powi(2);
    let step = reduce::sum_of(d, square).sqrt();
    let part = m * step / ((1.0 + PROMISED_CONTRACTION) * least_eigenvalue);
    (part > PROMISED_REGION).then_some(Broken::Start { part })
}

#[cfg(test)]
mod tests;
