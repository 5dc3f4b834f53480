//! The Kullback–Leibler divergence D(b ‖ f).

use super::{ClosedForm, Loss, output_error};
use crate::network::ForwardPass;
use crate::rounding::LogitErrors;
use crate::target::Target;
use twolayer_core::RowWeights;
use twolayer_core::{Scalar, reduce};

/// Σ b log(b/f) − b + f, with u = f Σb − b, β = f Σb ≥ 0, center f.
///
/// Where Σb = 1 this is the textbook Σ b (log b − log f). A b in floating point sums to 1 + δ, and
/// then the two differ by the constant δ; this form has its minimum at 0, and each of its terms is
/// computed without cancellation, so that divergences far below the unit roundoff are meaningful.
///
/// Its [`RowWeights::Secant`] are the logarithmic means (f − b)/(log f − log b): with them
/// u = β∘(log f − log b), and a Newton step is a weighted least-squares step on the log-ratios. An
/// outcome that the network has all but ruled out (f ≪ b) has hardly any curvature f, and a step
/// of length b/f; the secant to the minimum sees the right one, log b/f.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KullbackLeibler;

impl<T: Scalar> Loss<T> for KullbackLeibler {
    fn name(&self) -> &'static str {
        "kl"
    }

    fn closed_form(&self) -> Option<ClosedForm> {
        Some(ClosedForm::KullbackLeibler)
    }

    /// Σ bᵢ log(bᵢ/(bᵢ − eᵢ)) − eᵢ, with eᵢ ≤ bᵢ/2, about ½ Σ eᵢ²/bᵢ; eᵢ where bᵢ = 0.
    fn uncertainty(&self, target: &Target<T>, errors: &dyn Fn(usize) -> f64) -> T {
        let (b, log_b) = (target.probabilities(), target.log_probabilities());
        let at_most = |i: usize| match b[i] > T::zero() {
            true => {
                let less = b[i] - T::of(errors(i).min(0.5 * b[i].to_f64()));
                term(b[i], log_b[i], less, less.ln()).to_f64()
            }
            false => errors(i),
        };
        T::of(reduce::sum_of(b.len(), at_most))
    }

    fn value(&self, pass: &ForwardPass<T>, target: &Target<T>) -> T {
        let (f, log_f) = (&pass.probabilities, &pass.log_probabilities);
        let (b, log_b) = (target.probabilities(), target.log_probabilities());
        T::of(reduce::sum_of(f.len(), |i| {
            term(b[i], log_b[i], f[i], log_f[i]).to_f64()
        }))
    }

    fn logit_gradient(&self, pass: &ForwardPass<T>, target: &Target<T>, gradient: &mut [T]) {
        let (f, b, total) = (&pass.probabilities, target.probabilities(), target.sum());
        for (i, u) in gradient.iter_mut().enumerate() {
            *u = f[i] * total - b[i];
        }
    }

    fn curvature(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        kind: RowWeights,
        center: &mut [T],
        row_weights: &mut [T],
    ) {
        let f = &pass.probabilities;
        if kind != RowWeights::Secant {
            center.copy_from_slice(f);
            for (beta, &f) in row_weights.iter_mut().zip(f) {
                *beta = f * target.sum();
            }
            return;
        }
        let (b, log_b) = (target.probabilities(), target.log_probabilities());
        for (i, beta) in row_weights.iter_mut().enumerate() {
            *beta = logarithmic_mean(f[i], pass.log_probabilities[i], b[i], log_b[i]);
        }
        let total = reduce::sum(row_weights);
        for (center, &beta) in center.iter_mut().zip(row_weights.iter()) {
            *center = beta / total;
        }
    }

    /// ∂u/∂b = f 1ᵀ − I.
    fn target_product(
        &self,
        pass: &ForwardPass<T>,
        _: &Target<T>,
        change: &[T],
        product: &mut [T],
    ) -> bool {
        let total = reduce::sum(change);
        for ((p, &f), &change) in product.iter_mut().zip(&pass.probabilities).zip(change) {
            *p = f * total - change;
        }
        true
    }

    fn target_product_transposed(
        &self,
        pass: &ForwardPass<T>,
        _: &Target<T>,
        y: &[T],
        product: &mut [T],
    ) -> bool {
        let mean = reduce::dot(&pass.probabilities, y);
        for (p, &y) in product.iter_mut().zip(y) {
            *p = mean - y;
        }
        true
    }

    fn value_of_excluded(&self, pass: &ForwardPass<T>, target: &Target<T>) -> T {
        T::of(target.sum_over_excluded(|i| pass.probabilities[i].to_f64()))
    }

    /// b = 0: the slope in log fᵢ is fᵢΣb − bᵢ.
    fn rises_with(
        &self,
        _: &ForwardPass<T>,
        target: &Target<T>,
        vanished: &dyn Fn(usize) -> bool,
    ) -> bool {
        let b = target.probabilities();
        (0..b.len()).all(|i| !vanished(i) || b[i] == T::zero())
    }

    fn rounding_error(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        errors: &LogitErrors<'_, T>,
    ) -> T {
        let (f, log_f) = (&pass.probabilities, &pass.log_probabilities);
        let (b, log_b) = (target.probabilities(), target.log_probabilities());
        let (own, total) = (output_error::<T>(target.outcomes()), target.sum().to_f64());
        // The slope in a logit is fΣb − b, the curvature f; log fᵢ moves by |(1 − 2fᵢ)εᵢ + ε̄|. ε̄ comes first: the
        // square multiplied out would cancel where f is near 1.
        let common = errors.mean() + own;
        let [of_logits, of_own, squares] = reduce::sums_of(f.len(), |i| {
            let (f, error) = (f[i].to_f64(), errors.of(i));
            let b_i = b[i].to_f64();
            let moved = (1.0 - 2.0 * f) * error + common;
            [
                (f * total - b_i).abs() * error,
                own * (f - b_i).abs() + rounded(b[i], log_b[i], pass.probabilities[i], log_f[i]),
                f * moved * moved,
            ]
        });
        T::of(of_logits + of_own + 0.5 * squares)
    }

    fn logit_gradient_errors(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        errors: &LogitErrors<'_, T>,
        bounds: &mut [T],
    ) {
        let (f, b) = (&pass.probabilities, target.probabilities());
        let (total, roundoff) = (target.sum().to_f64(), T::UNIT_ROUNDOFF.to_f64());
        let (common, own) = (errors.common(), output_error::<T>(f.len()));
        for (i, bound) in bounds.iter_mut().enumerate() {
            let (f, b) = (f[i].to_f64(), b[i].to_f64());
            let moved = f * total * (errors.of_log_output(i, common) + own);
            *bound = T::of(moved + roundoff * (f * total + (f * total - b).abs()));
        }
    }
}

/// What is rounded in a [`term`].
fn rounded<T: Scalar>(b: T, log_b: T, f: T, log_f: T) -> f64 {
    let roundoff = T::UNIT_ROUNDOFF.to_f64();
    if b == T::zero() {
        return 0.0;
    }
    let (wide_b, wide_f) = (b.to_f64(), f.to_f64());
    if is_near(b, f) {
        return 3.0 * roundoff * (wide_f - wide_b).powi(2) / wide_b;
    }
    // Each logarithm is off by 2u of it, and log f by its difference from that of the sum.
    let (log_b, log_f) = (log_b.to_f64(), log_f.to_f64());
    let logarithms = 2.0 * log_b.abs() + 3.0 * log_f.abs() + 3.0 * (log_b - log_f).abs();
    roundoff * (wide_b * (2.0 + logarithms) + 2.0 * wide_f)
}

/// Whether a [`term`] is computed by its series.
fn is_near<T: Scalar>(b: T, f: T) -> bool {
    ((f - b) / b).abs() <= T::of(0.01)
}

/// (f − b)/(log f − log b), between f and b; f where b is 0.
fn logarithmic_mean<T: Scalar>(f: T, log_f: T, b: T, log_b: T) -> T {
    if b == T::zero() {
        return f;
    }
    let delta = (f - b) / b;
    if delta.abs() > T::of(1e-4) {
        return (f - b) / (log_f - log_b);
    }
    // δ/log(1 + δ) = 1 + δ/2 − δ²/12 + …
    b * (T::one() + delta * (T::of(0.5) - delta / T::of(12.0)))
}

/// b log(b/f) − b + f ≥ 0.
fn term<T: Scalar>(b: T, log_b: T, f: T, log_f: T) -> T {
    if b == T::zero() {
        return f;
    }
    if !is_near(b, f) {
        return b * (log_b - log_f) - b + f;
    }
    let delta = (f - b) / b;
    // δ − log(1 + δ) = δ² (1/2 − δ/3 + δ²/4 − …): nine terms leave 1e-18 of it.
    let series = (2..=10).rev().fold(T::zero(), |sum, k| {
        T::one() / T::of(f64::from(k)) - delta * sum
    });
    b * delta * delta * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_smooth_where_its_two_forms_meet() {
        let b = 0.25_f64;
        for delta in [0.0099999_f64, 0.0100001, -0.0099999, -0.0100001] {
            let f = b * (1.0 + delta);
            // log1p is accurate, the subtraction costs 1e-16/0.01² of the value.
            let exact = b * (delta - delta.ln_1p());
            assert!((term(b, b.ln(), f, f.ln()) / exact - 1.0).abs() < 1e-11);
        }
    }

    #[test]
    fn logarithmic_means_lie_between() {
        for (f, b) in [
            (0.5_f64, 0.1),
            (1e-30, 0.3),
            (0.2, 0.2),
            (0.2, 0.2 * (1.0 + 1e-9)),
        ] {
            let mean = logarithmic_mean(f, f.ln(), b, b.ln());
            assert!(f.min(b) <= mean && mean <= f.max(b), "{f} {b} {mean}");
        }
        let b = 0.25_f64;
        let f = b * (1.0 + 1.0001e-4);
        let exact = (f - b) / ((f - b) / b).ln_1p();
        assert!((logarithmic_mean(f, f.ln(), b, b.ln()) / exact - 1.0).abs() < 1e-11);
        assert!(
            (logarithmic_mean(b * 1.00009999, 0.0, b, b.ln()) / (b * 1.000049995) - 1.0).abs()
                < 1e-8
        );
    }

    #[test]
    fn a_tiny_divergence_is_not_rounding_noise() {
        let (b, delta) = (0.5_f64, 1e-12);
        let value = term(b, b.ln(), b * (1.0 + delta), (b * (1.0 + delta)).ln());
        assert!((value / (b * delta * delta / 2.0) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn the_outcomes_that_the_target_excludes_cost_their_probability() {
        assert_eq!(term(0.0, f64::NEG_INFINITY, 0.25, 0.25_f64.ln()), 0.25);
    }
}
