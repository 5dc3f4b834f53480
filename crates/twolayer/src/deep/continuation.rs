//! Starts from a network whose kinks are smooth, by descents of the one solver.

use super::inversion::DeepInversion;
use crate::loss::LogRatio;
use approx_newton::Solver;
use num_traits::{Float, Zero};
use std::borrow::Cow;
use std::cmp::Ordering;
use twolayer_core::{LinearBackend, Objective, Scalar, Starts};

/// Descents on the log-ratios of the network with smooth activations in the place of those with kinks, whose
/// width falls from descent to descent: at first it is as wide as half of all distances from kinks, so that every
/// unit has a slope, in the end the kinks are nearly there.
///
/// The minimiser of one width is the start of the next. Another call begins around where the last one led.
pub(super) struct Continuation<'p, B: LinearBackend> {
    problem: DeepInversion<'p, B>,
    x0: Vec<B::Scalar>,
    calls: usize,
}

/// Widths over the median distance from a kink, descent after descent.
const WIDTHS: [f64; 3] = [1.0, 0.1, 0.01];
/// Iterations of a descent: the start need not be exact.
const LONGEST_DESCENT: usize = 40;

impl<'p, B: LinearBackend> Continuation<'p, B> {
    pub(super) fn new(problem: &DeepInversion<'p, B>) -> Self {
        let problem = DeepInversion {
            nearness: None,
            ..problem.clone().with_loss(&LogRatio)
        };
        Self {
            x0: vec![B::Scalar::zero(); problem.dimension()],
            problem,
            calls: 0,
        }
    }

    /// The median of the distances from kinks at x0.
    fn median_distance(&self) -> B::Scalar {
        let mut at = self.problem.new_evaluation();
        self.problem.evaluate(&self.x0, &[], &mut at);
        let mut sizes: Vec<_> = at.distances.iter().map(|h| h.abs()).collect();
        let middle = sizes.len() / 2;
        let by_size = |a: &B::Scalar, b: &B::Scalar| a.partial_cmp(b).unwrap_or(Ordering::Equal);
        match sizes.is_empty() {
            true => B::Scalar::zero(),
            false => *sizes.select_nth_unstable_by(middle, by_size).1,
        }
    }
}

impl<B: LinearBackend> Starts<B::Scalar> for Continuation<'_, B> {
    fn begin(&mut self, x: &[B::Scalar]) {
        self.x0.copy_from_slice(x);
        self.calls = 0;
    }

    /// It stops at no kink.
    fn is_always_worth_it(&self) -> bool {
        self.calls == 0
    }

    fn advance(&mut self, _: usize, x: &mut [B::Scalar]) {
        self.calls += 1;
        x.copy_from_slice(&self.x0);
        let size = self.median_distance();
        let solver = Solver::new()
            .with_max_iterations(LONGEST_DESCENT)
            .with_warm_start(false);
        for width in WIDTHS {
            let width = B::Scalar::of(width) * size;
            if !(width > B::Scalar::zero() && width.is_finite()) {
                break;
            }
            let smooth = DeepInversion {
                network: Cow::Owned(self.problem.network.smoothed(width)),
                ..self.problem.clone()
            };
            // An x at which it overflows is no start.
            let Ok(solution) = solver.solve(&smooth, x) else {
                break;
            };
            x.copy_from_slice(&solution.x);
        }
        self.x0.copy_from_slice(x);
    }

    fn state(&self) -> Vec<B::Scalar> {
        let calls = B::Scalar::of(self.calls as f64);
        self.x0.iter().copied().chain([calls]).collect()
    }

    fn restore(&mut self, state: &[B::Scalar]) -> bool {
        let Some((&calls, x0)) = state.split_last() else {
            return false;
        };
        let fits = x0.len() == self.x0.len();
        if fits {
            self.x0.copy_from_slice(x0);
            self.calls = calls.to_f64() as usize;
        }
        fits
    }
}
