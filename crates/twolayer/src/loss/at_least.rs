//! How far an outcome is from being likely enough.

use super::Loss;
use crate::network::ForwardPass;
use crate::rounding::LogitErrors;
use crate::target::Target;
use twolayer_core::{RowWeights, Scalar};

/// ½ max(0, t)², t = ℓ − log f_c: zero where outcome c has at least the probability e^ℓ. It looks at no b.
///
/// u = t (f − e_c), and with center f the curvature is β = t f + e_c where t > 0: the slope's square
/// is the row c of C̄, and −log f_c is convex in the logits. Both are 0 elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AtLeast<T> {
    outcome: usize,
    level: T,
}

impl<T: Scalar> AtLeast<T> {
    /// Of outcome c, and ℓ the logarithm of a probability (more than 0 asks for what no x has).
    pub fn new(outcome: usize, level: T) -> Self {
        Self { outcome, level }
    }

    /// max(0, t).
    fn missing(&self, pass: &ForwardPass<T>) -> T {
        (self.level - pass.log_probabilities[self.outcome]).max(T::zero())
    }

    /// The error of t.
    fn error(&self, pass: &ForwardPass<T>, errors: &LogitErrors<'_, T>) -> f64 {
        let log_f = pass.log_probabilities[self.outcome];
        let rounded = 2.0 * log_f.abs().to_f64() + self.missing(pass).to_f64();
        let own = super::output_error::<T>(pass.logits.len());
        let of_f = errors.of_log_output(self.outcome, errors.common());
        of_f + own + T::UNIT_ROUNDOFF.to_f64() * rounded
    }
}

impl<T: Scalar> Loss<T> for AtLeast<T> {
    fn name(&self) -> &'static str {
        "at-least"
    }

    fn value(&self, pass: &ForwardPass<T>, _: &Target<T>) -> T {
        T::of(0.5 * self.missing(pass).to_f64().powi(2))
    }

    fn logit_gradient(&self, pass: &ForwardPass<T>, _: &Target<T>, gradient: &mut [T]) {
        let missing = self.missing(pass);
        for (u, &f) in gradient.iter_mut().zip(&pass.probabilities) {
            *u = missing * f;
        }
        // f − 1, without cancellation where f is near 1.
        let others = pass.log_probabilities[self.outcome].exp_m1();
        gradient[self.outcome] = missing * others;
    }

    fn curvature(
        &self,
        pass: &ForwardPass<T>,
        _: &Target<T>,
        kind: RowWeights,
        center: &mut [T],
        row_weights: &mut [T],
    ) {
        let missing = self.missing(pass);
        center.copy_from_slice(&pass.probabilities);
        let share = match kind {
            RowWeights::GaussNewton => T::zero(),
            RowWeights::Exact | RowWeights::Convexified | RowWeights::Secant => missing,
        };
        for (beta, &f) in row_weights.iter_mut().zip(&pass.probabilities) {
            *beta = share * f;
        }
        if missing > T::zero() {
            row_weights[self.outcome] += T::one();
        }
    }

    fn rounding_error(
        &self,
        pass: &ForwardPass<T>,
        _: &Target<T>,
        errors: &LogitErrors<'_, T>,
    ) -> T {
        let error = self.error(pass, errors);
        T::of(error * (self.missing(pass).to_f64() + 0.5 * error))
    }

    fn logit_gradient_errors(
        &self,
        pass: &ForwardPass<T>,
        _: &Target<T>,
        errors: &LogitErrors<'_, T>,
        bounds: &mut [T],
    ) {
        let (missing, error) = (self.missing(pass).to_f64(), self.error(pass, errors));
        let (common, own) = (errors.common(), super::output_error::<T>(bounds.len()));
        let roundoff = T::UNIT_ROUNDOFF.to_f64();
        for (i, bound) in bounds.iter_mut().enumerate() {
            let f = pass.probabilities[i].to_f64();
            let slope = if i == self.outcome { 1.0 - f } else { f };
            let moved = f * (errors.of_log_output(i, common) + own) + 2.0 * roundoff * slope;
            *bound = T::of(error * slope + (missing + error) * moved);
        }
    }
}
