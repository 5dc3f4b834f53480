//! Losses of a softmax output against a target distribution.
//!
//! Written in the logits z, every loss here has gradient u with Σu = 0 and curvature
//! (I − 1 centerᵀ)ᵀ diag(β) (I − 1 centerᵀ), so that in x, inside a cell of constant pattern,
//! gradient and Hessian are Cᵀu and C̄ᵀ diag(β) C̄ with C̄ = C − 1 (centerᵀ C). A new loss says
//! what its u, center and β are; nothing else has to know it.

mod at_least;
mod kullback_leibler;
mod log_ratio;
mod squared_error;

pub use at_least::AtLeast;
pub use kullback_leibler::KullbackLeibler;
pub use log_ratio::LogRatio;
pub use squared_error::SquaredError;

use crate::network::ForwardPass;
use crate::rounding::LogitErrors;
use crate::target::Target;
use std::fmt::Debug;
use twolayer_core::{RowWeights, Scalar, reduce};

/// A loss that is one of the closed forms of this crate, for a proof that must know its
/// derivatives of every order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClosedForm {
    /// ‖f − b‖².
    SquaredError,
    /// Σ b log(b/f) − b + f.
    KullbackLeibler,
}

/// A loss of the output f = softmax(z) against a target b.
///
/// All slices have m entries.
pub trait Loss<T: Scalar>: Debug + Send + Sync {
    /// As a user names it.
    fn name(&self) -> &'static str;

    /// The value, never negative up to rounding.
    fn value(&self, pass: &ForwardPass<T>, target: &Target<T>) -> T;

    /// u = ∂/∂z.
    fn logit_gradient(&self, pass: &ForwardPass<T>, target: &Target<T>, gradient: &mut [T]);

    /// The center (entries sum to 1) and the row weights β.
    fn curvature(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        kind: RowWeights,
        center: &mut [T],
        row_weights: &mut [T],
    );

    /// product = (∂u/∂b) change: how [`logit_gradient`](Loss::logit_gradient) changes with b. Returns whether it is
    /// known; it is not by default.
    fn target_product(
        &self,
        _pass: &ForwardPass<T>,
        _target: &Target<T>,
        _change: &[T],
        _product: &mut [T],
    ) -> bool {
        false
    }

    /// product = (∂u/∂b)ᵀ y, where [`target_product`](Loss::target_product) is known.
    fn target_product_transposed(
        &self,
        _pass: &ForwardPass<T>,
        _target: &Target<T>,
        _y: &[T],
        _product: &mut [T],
    ) -> bool {
        false
    }

    /// A bound on the error of the value where each logit carries its error of `errors` and everything
    /// computed from it one of a few roundoffs.
    fn rounding_error(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        errors: &LogitErrors<'_, T>,
    ) -> T;

    /// The same for each entry of [`logit_gradient`](Loss::logit_gradient).
    fn logit_gradient_errors(
        &self,
        pass: &ForwardPass<T>,
        target: &Target<T>,
        errors: &LogitErrors<'_, T>,
        bounds: &mut [T],
    );

    /// The part of the value that is there because f > 0 where b = 0: a softmax brings it to zero in
    /// the limit only.
    fn value_of_excluded(&self, _pass: &ForwardPass<T>, _target: &Target<T>) -> T {
        T::zero()
    }

    /// The largest value of an output f = b* where b is known to the `errors` of its entries, |b*ᵢ − bᵢ| ≤ eᵢ: below
    /// it f cannot be told from b*. Zero by default.
    fn uncertainty(&self, _target: &Target<T>, _errors: &dyn Fn(usize) -> f64) -> T {
        T::zero()
    }

    /// Whether the value rises where any outcome of those that `vanished`, that is have next to nothing, is given
    /// more, and all others lose it alike. Not claimed by default.
    fn rises_with(
        &self,
        _pass: &ForwardPass<T>,
        _target: &Target<T>,
        _vanished: &dyn Fn(usize) -> bool,
    ) -> bool {
        false
    }

    /// Whether the value is a quadratic function of the logits.
    fn is_quadratic(&self, _target: &Target<T>) -> bool {
        false
    }

    /// Which closed form the value is, where it is one.
    fn closed_form(&self) -> Option<ClosedForm> {
        None
    }
}

/// Whether b has zeros, the outcomes there have no more than u together, which rounds away where it is added
/// to 1, and the loss of the others is below its rounding `error`.
pub(crate) fn is_met_at_infinity<T: Scalar>(
    loss: &dyn Loss<T>,
    pass: &ForwardPass<T>,
    target: &Target<T>,
    value: T,
    error: T,
) -> bool {
    if target.excluded() == 0 {
        return false;
    }
    let left = target.sum_over_excluded(|i| pass.probabilities[i].to_f64());
    // A mask may bring them to exactly zero: then x need not grow.
    let is_hidden = left <= T::UNIT_ROUNDOFF.to_f64() || value <= error;
    left > 0.0 && is_hidden && value - loss.value_of_excluded(pass, target) <= error
}

/// What is not known of b as it was [stored](Target::format).
pub(crate) fn uncertainty<T: Scalar>(loss: &dyn Loss<T>, target: &Target<T>) -> T {
    match target.format() {
        Some(_) => loss.uncertainty(target, &|i| target.entry_error(i, 0.0)),
        None => T::zero(),
    }
}

/// What is not known of a b that the network has put out at this x, with these `errors` of the format that b was
/// stored in.
pub(crate) fn uncertainty_of_output<T: Scalar>(
    loss: &dyn Loss<T>,
    target: &Target<T>,
    errors: &LogitErrors<'_, T>,
) -> T {
    let common = errors.common();
    let of_entry = |i: usize| target.entry_error(i, errors.of_log_output(i, common));
    loss.uncertainty(target, &of_entry)
}

/// What the sum over the outcomes and the division by it make of an output f, as a part of it.
fn output_error<T: Scalar>(outcomes: usize) -> f64 {
    2.0 * T::UNIT_ROUNDOFF.to_f64() + reduce::relative_error(outcomes)
}

#[cfg(test)]
mod tests;
