//! The variance of log f − log b over the outcomes: the warm start of the other losses.

use super::Loss;
use crate::network::ForwardPass;
use crate::rounding::LogitErrors;
use crate::target::Target;
use twolayer_core::RowWeights;
use twolayer_core::{Scalar, reduce};

/// ½ Σ (tᵢ − t̄)² with t = log f − log b and t̄ its mean: u = t − t̄, β = 1, center 1/m.
///
/// It vanishes exactly where f = b, as the other losses do, but a softmax saturated at a wrong
/// vertex does not flatten it: log f is linear in the logits up to a shift, and so this loss is a
/// piecewise *quadratic* function of x, an ordinary linear least-squares problem inside each cell.
/// Where b is attainable its minimiser is that of every other loss. Where it is not, it weighs the
/// outcomes alike, the likely and the unlikely, and is a start and not an answer.
///
/// An outcome with b = 0 has no logarithm to match. It counts only where the network gives it more
/// than rounding hides ([`Target::log_of_nothing`] is taken for its log b, t̄ is the mean over the
/// others, and only tᵢ > t̄ is charged): the value is zero where f = b to rounding, at an x that is
/// no further out than it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogRatio;

/// What is computed once for all outcomes.
struct Ratios<'a, T> {
    log_f: &'a [T],
    log_b: &'a [T],
    floor: T,
    positive: usize,
    mean: T,
}

impl<'a, T: Scalar> Ratios<'a, T> {
    fn new(pass: &'a ForwardPass<T>, target: &'a Target<T>) -> Self {
        let (log_f, log_b) = (&pass.log_probabilities, target.log_probabilities());
        let (floor, positive) = (target.log_of_nothing(), target.support());
        let ratio = |i: usize| {
            if log_b[i].is_finite() {
                log_f[i] - log_b[i]
            } else {
                T::zero()
            }
        };
        let total = reduce::sum_of(log_f.len(), |i| ratio(i).to_f64());
        let mean = T::of(total / positive as f64);
        Self {
            log_f,
            log_b,
            floor,
            positive,
            mean,
        }
    }

    fn counts(&self, i: usize) -> bool {
        self.log_b[i].is_finite() || self.log_f[i] - self.floor > self.mean
    }

    /// The error of tᵢ − t̄, less what all outcomes share, which moves no sum of residuals; 0 where the
    /// outcome does not count.
    fn error(&self, i: usize, errors: &LogitErrors<'_, T>) -> f64 {
        if !self.counts(i) {
            return 0.0;
        }
        let size = |v: T| v.abs().to_f64();
        let log_b = match self.log_b[i].is_finite() {
            true => self.log_b[i],
            false => self.floor,
        };
        let rounded = 4.0 * size(self.log_f[i])
            + 3.0 * size(log_b)
            + 2.0 * size(self.mean)
            + size(self.residual(i));
        errors.of(i) + T::UNIT_ROUNDOFF.to_f64() * rounded
    }

    /// tᵢ − t̄, 0 where the outcome does not count.
    fn residual(&self, i: usize) -> T {
        if self.log_b[i].is_finite() {
            (self.log_f[i] - self.log_b[i]) - self.mean
        } else {
            ((self.log_f[i] - self.floor) - self.mean).max(T::zero())
        }
    }
}

impl<T: Scalar> Loss<T> for LogRatio {
    fn name(&self) -> &'static str {
        "log-ratio"
    }

    /// ½ Σ log²(1 − eᵢ/bᵢ), with eᵢ ≤ bᵢ/2, over the outcomes with b > 0.
    fn uncertainty(&self, target: &Target<T>, errors: &dyn Fn(usize) -> f64) -> T {
        let b = target.probabilities();
        let square = |i: usize| match b[i] > T::zero() {
            true => (-(errors(i) / b[i].to_f64()).min(0.5)).ln_1p().powi(2),
            false => 0.0,
        };
        T::of(0.5 * reduce::sum_of(b.len(), square))
    }

    fn value(&self, pass: &ForwardPass<T>, target: &Target<T>) -> T {
        let ratios = Ratios::new(pass, target);
        let square = |i: usize| ratios.residual(i).to_f64().powi(2);
        T::of(0.5 * reduce::sum_of(target.outcomes(), square))
    }

    fn logit_gradient(&self, pass: &ForwardPass<T>, target: &Target<T>, gradient: &mut [T]) {
        let ratios = Ratios::new(pass, target);
        for (i, u) in gradient.iter_mut().enumerate() {
            *u = ratios.residual(i);
        }
        // The mean moves with the outcomes that it is the mean of.
        let shift = reduce::sum(gradient) / T::of(ratios.positive as f64);
        for (u, log_b) in gradient.iter_mut().zip(ratios.log_b) {
            if log_b.is_finite() {
                *u -= shift;
            }
        }
    }

    fn curvature(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        _: RowWeights,
        center: &mut [T],
        row_weights: &mut [T],
    ) {
        let ratios = Ratios::new(pass, target);
        let share = T::one() / T::of(ratios.positive as f64);
        for (i, (center, beta)) in center.iter_mut().zip(row_weights).enumerate() {
            *center = if ratios.log_b[i].is_finite() {
                share
            } else {
                T::zero()
            };
            *beta = if ratios.counts(i) {
                T::one()
            } else {
                T::zero()
            };
        }
    }

    /// ∂u/∂b = (11ᵀ/m − I) diag(1/b), where b has no zeros: there log b has no derivative.
    fn target_product(
        &self,
        _: &ForwardPass<T>,
        target: &Target<T>,
        change: &[T],
        product: &mut [T],
    ) -> bool {
        let b = target.probabilities();
        for ((p, &b), &change) in product.iter_mut().zip(b).zip(change) {
            *p = -change / b;
        }
        let mean = reduce::sum(product) / T::of(b.len() as f64);
        product.iter_mut().for_each(|p| *p -= mean);
        target.excluded() == 0
    }

    fn target_product_transposed(
        &self,
        _: &ForwardPass<T>,
        target: &Target<T>,
        y: &[T],
        product: &mut [T],
    ) -> bool {
        let b = target.probabilities();
        let mean = reduce::sum(y) / T::of(b.len() as f64);
        for ((p, &b), &y) in product.iter_mut().zip(b).zip(y) {
            *p = (mean - y) / b;
        }
        target.excluded() == 0
    }

    fn is_quadratic(&self, target: &Target<T>) -> bool {
        target.support() == target.outcomes()
    }

    fn rounding_error(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        errors: &LogitErrors<'_, T>,
    ) -> T {
        let ratios = Ratios::new(pass, target);
        // The mean moves with the outcomes that it is the mean of, and what b excludes is charged by it.
        let support = ratios.positive as f64;
        let [excess, of_support] =
            reduce::sums_of(target.outcomes(), |i| match ratios.log_b[i].is_finite() {
                true => [0.0, ratios.error(i, errors)],
                false => [ratios.residual(i).to_f64(), 0.0],
            });
        let (shift, of_mean) = (excess / support, of_support / support);
        T::of(reduce::sum_of(target.outcomes(), |i| {
            let (error, residual) = (ratios.error(i, errors), ratios.residual(i).to_f64());
            match (ratios.log_b[i].is_finite(), ratios.counts(i)) {
                (true, _) => error * ((residual - shift).abs() + 0.5 * error),
                (false, true) => error * residual + 0.5 * (error + of_mean).powi(2),
                (false, false) => 0.0,
            }
        }))
    }

    fn logit_gradient_errors(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        errors: &LogitErrors<'_, T>,
        bounds: &mut [T],
    ) {
        let ratios = Ratios::new(pass, target);
        // With p outcomes in the mean and q that b excludes and that count, u is t less (1 − q/p) t̄ and less
        // the mean of these over p, where b > 0, and t − t̄ where b = 0.
        let support = ratios.positive as f64;
        let [of_support, of_excluded, charged] = reduce::sums_of(target.outcomes(), |i| {
            let square = ratios.error(i, errors).powi(2);
            match (ratios.log_b[i].is_finite(), ratios.counts(i)) {
                (true, _) => [square, 0.0, 0.0],
                (false, counts) => [0.0, square, f64::from(counts)],
            }
        });
        let part = (1.0 - charged / support) / support;
        let common = part * part * of_support + of_excluded / (support * support);
        let of_mean = of_support / (support * support);
        for (i, bound) in bounds.iter_mut().enumerate() {
            let square = ratios.error(i, errors).powi(2);
            let squares = match (ratios.log_b[i].is_finite(), ratios.counts(i)) {
                (true, _) => (1.0 - 2.0 * part) * square + common,
                (false, true) => square + of_mean,
                (false, false) => 0.0,
            };
            *bound = T::of(squares.max(0.0).sqrt());
        }
    }
}
