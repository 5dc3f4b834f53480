//! ‖f − b‖², the loss of the paper.

use super::{ClosedForm, Loss, output_error};
use crate::network::ForwardPass;
use crate::rounding::LogitErrors;
use crate::target::Target;
use twolayer_core::RowWeights;
use twolayer_core::{Scalar, reduce};

/// ‖f − b‖² with residual r = f − b and σ = fᵀr:
/// u = 2 f∘(r − σ), β = 2 f∘(2f − b − σ), center f; the Gauss–Newton part has β = 2 f∘f.
///
/// That B = (I − 1fᵀ)ᵀ diag(β) (I − 1fᵀ) equals the paper's diagonal plus rank two follows from
/// differentiating u; −2 I ⪯ B ⪯ 2.5 I.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SquaredError;

impl<T: Scalar> Loss<T> for SquaredError {
    fn name(&self) -> &'static str {
        "squared"
    }

    fn closed_form(&self) -> Option<ClosedForm> {
        Some(ClosedForm::SquaredError)
    }

    /// Σ eᵢ².
    fn uncertainty(&self, target: &Target<T>, errors: &dyn Fn(usize) -> f64) -> T {
        T::of(reduce::sum_of(target.outcomes(), |i| errors(i).powi(2)))
    }

    fn value(&self, pass: &ForwardPass<T>, target: &Target<T>) -> T {
        let (f, b) = (&pass.probabilities, target.probabilities());
        T::of(reduce::sum_of(f.len(), |i| (f[i] - b[i]).to_f64().powi(2)))
    }

    fn logit_gradient(&self, pass: &ForwardPass<T>, target: &Target<T>, gradient: &mut [T]) {
        let f = &pass.probabilities;
        let two = T::of(2.0);
        let b = target.probabilities();
        let sigma = mean_residual(pass, target);
        for (i, u) in gradient.iter_mut().enumerate() {
            *u = two * f[i] * ((f[i] - b[i]) - sigma);
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
        let (f, b) = (&pass.probabilities, target.probabilities());
        let two = T::of(2.0);
        let sigma = mean_residual(pass, target);
        center.copy_from_slice(f);
        for (i, beta) in row_weights.iter_mut().enumerate() {
            let exact = two * f[i] * (f[i] + (f[i] - b[i]) - sigma);
            *beta = match kind {
                RowWeights::Exact => exact,
                RowWeights::Convexified | RowWeights::Secant => exact.max(T::zero()),
                RowWeights::GaussNewton => two * f[i] * f[i],
            };
        }
    }

    /// ∂u/∂b = 2 (f fᵀ − diag(f)).
    fn target_product(
        &self,
        pass: &ForwardPass<T>,
        _: &Target<T>,
        change: &[T],
        product: &mut [T],
    ) -> bool {
        let f = &pass.probabilities;
        let mean = reduce::dot(f, change);
        for ((p, &f), &change) in product.iter_mut().zip(f).zip(change) {
            *p = T::of(2.0) * f * (mean - change);
        }
        true
    }

    /// ∂u/∂b is symmetric.
    fn target_product_transposed(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        y: &[T],
        product: &mut [T],
    ) -> bool {
        self.target_product(pass, target, y, product)
    }

    fn value_of_excluded(&self, pass: &ForwardPass<T>, target: &Target<T>) -> T {
        let square = |i: usize| pass.probabilities[i].to_f64().powi(2);
        T::of(target.sum_over_excluded(square))
    }

    /// rᵢ > σ, by more than rounding.
    fn rises_with(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        vanished: &dyn Fn(usize) -> bool,
    ) -> bool {
        let (f, b) = (&pass.probabilities, target.probabilities());
        let least = mean_residual(pass, target) + T::UNIT_ROUNDOFF.sqrt();
        (0..f.len()).all(|i| !vanished(i) || f[i] - b[i] > least)
    }

    fn rounding_error(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        errors: &LogitErrors<'_, T>,
    ) -> T {
        let (f, b) = (&pass.probabilities, target.probabilities());
        let own = output_error::<T>(f.len());
        let sigma = mean_residual(pass, target).to_f64();
        // fᵢ moves by fᵢ|(1 − 2fᵢ)εᵢ + ε̄| and its own rounding, and the value to first order by Σ|uᵢ|εᵢ,
        // with u the logit gradient. ε̄ comes first: the square multiplied out would cancel where f is near 1.
        let common = errors.mean() + own;
        let [of_logits, of_own, squares] = reduce::sums_of(f.len(), |i| {
            let (f, r) = (f[i].to_f64(), (f[i] - b[i]).to_f64());
            let error = errors.of(i);
            let moved = f * ((1.0 - 2.0 * f) * error + common);
            [
                2.0 * f * (r - sigma).abs() * error,
                own * r.abs() * (f + r.abs()),
                moved * moved,
            ]
        });
        T::of(of_logits + 2.0 * of_own + squares)
    }

    fn logit_gradient_errors(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        errors: &LogitErrors<'_, T>,
        bounds: &mut [T],
    ) {
        // With β of the exact curvature and S = Σβ the slope of uᵢ in zⱼ is βᵢ[i = j] − fⱼ(βᵢ − fᵢS) − fᵢβⱼ:
        // the squares over j ≠ i, and what j = i adds to them.
        let (f, b) = (&pass.probabilities, target.probabilities());
        let (m, roundoff) = (f.len(), T::UNIT_ROUNDOFF.to_f64());
        let sigma = mean_residual(pass, target).to_f64();
        let own = output_error::<T>(m);
        let parts = |i: usize| (f[i].to_f64(), (f[i] - b[i]).to_f64());
        let weight = |f: f64, r: f64| 2.0 * f * (f + r - sigma);
        let [total, shared, crossed, squares, weights, sizes] = reduce::sums_of(m, |i| {
            let ((f, r), square) = (parts(i), errors.of(i).powi(2));
            let beta = weight(f, r);
            [
                beta,
                f * f * square,
                f * beta * square,
                beta * beta * square,
                beta * beta,
                f * r.abs(),
            ]
        });
        let of_sigma = (2.0 * roundoff + reduce::relative_error(m)) * sizes;
        for (i, bound) in bounds.iter_mut().enumerate() {
            let (f, r) = parts(i);
            let beta = weight(f, r);
            let apart = beta - f * total;
            let of_others = apart * apart * shared + 2.0 * apart * f * crossed + f * f * squares;
            let of_own = beta * (beta - 2.0 * f * (apart + beta)) * errors.of(i).powi(2);
            let moved = (of_others + of_own).max(0.0).sqrt() + own * beta.hypot(f * weights.sqrt());
            let rounded = roundoff * (r.abs() + 3.0 * (r - sigma).abs()) + of_sigma;
            *bound = T::of(moved + 2.0 * f * rounded);
        }
    }
}

/// σ = fᵀ(f − b).
fn mean_residual<T: Scalar>(pass: &ForwardPass<T>, target: &Target<T>) -> T {
    let (f, b) = (&pass.probabilities, target.probabilities());
    T::of(reduce::sum_of(f.len(), |i| {
        f[i].to_f64() * (f[i] - b[i]).to_f64()
    }))
}
