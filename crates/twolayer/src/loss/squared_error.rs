//! ‖f − b‖², the loss of the paper.

use super::{ClosedForm, Loss};
use crate::network::ForwardPass;
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

    fn value_of_excluded(&self, pass: &ForwardPass<T>, target: &Target<T>) -> T {
        let square = |i: usize| pass.probabilities[i].to_f64().powi(2);
        T::of(target.sum_over_excluded(square))
    }

    fn rounding_error(&self, pass: &ForwardPass<T>, target: &Target<T>, logit_error: T) -> T {
        // f moves by f·error, and r² by 2|r| times that plus its square.
        let (f, b) = (&pass.probabilities, target.probabilities());
        let relative = (logit_error + T::of(2.0) * T::UNIT_ROUNDOFF).to_f64();
        T::of(reduce::sum_of(f.len(), |i| {
            let error = f[i].to_f64() * relative;
            error * (2.0 * (f[i] - b[i]).to_f64().abs() + error)
        }))
    }
}

/// σ = fᵀ(f − b).
fn mean_residual<T: Scalar>(pass: &ForwardPass<T>, target: &Target<T>) -> T {
    let (f, b) = (&pass.probabilities, target.probabilities());
    T::of(reduce::sum_of(f.len(), |i| {
        f[i].to_f64() * (f[i] - b[i]).to_f64()
    }))
}
