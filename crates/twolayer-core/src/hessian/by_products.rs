//! A damped step by products with the model alone.

use crate::backend::NotPositiveDefinite;
use crate::reduce;
use crate::scalar::Scalar;
use crate::subspace::Subspace;

/// Iterations at most, in multiples of the unknowns: in exact arithmetic one is enough.
const MOST: usize = 4;
/// The residual that is left, in roundoffs of the first.
const LEFT: f64 = 16.0;

/// step = argmin of −rhsᵀp + ½ pᵀ(H̃ + νI)p over p in `subspace`, ν the `damping` and H̃ given by its products:
/// by conjugate gradients, projected onto the subspace (M. R. Hestenes and E. Stiefel, 1952).
///
/// # Errors
/// [`NotPositiveDefinite`] where a direction of no positive curvature is met.
pub(super) fn minimize<T: Scalar>(
    mut apply: impl FnMut(&[T], &mut [T]),
    rhs: Vec<T>,
    damping: T,
    subspace: &Subspace<T>,
    step: &mut [T],
) -> Result<(), NotPositiveDefinite> {
    let mut residual = rhs;
    subspace.project(&mut residual);
    let mut direction = residual.clone();
    let mut product = vec![T::zero(); residual.len()];
    step.fill(T::zero());
    let mut square = reduce::dot(&residual, &residual);
    let enough = (T::of(LEFT) * T::UNIT_ROUNDOFF).powi(2) * square;
    for _ in 0..MOST * subspace.dimension() {
        if square <= enough {
            break;
        }
        apply(&direction, &mut product);
        reduce::axpy(damping, &direction, &mut product);
        subspace.project(&mut product);
        let curvature = reduce::dot(&direction, &product);
        if curvature.is_nan() || curvature <= T::zero() {
            return Err(NotPositiveDefinite);
        }
        let length = square / curvature;
        reduce::axpy(length, &direction, step);
        reduce::axpy(-length, &product, &mut residual);
        let before = std::mem::replace(&mut square, reduce::dot(&residual, &residual));
        for (direction, &residual) in direction.iter_mut().zip(&residual) {
            *direction = residual + square / before * *direction;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Within a plane, against the normal equations of two coordinates of it by hand.
    #[test]
    fn the_step_is_the_minimum_within_the_subspace() {
        // H̃ = diag(1, 2, 4), ν = 1, and x₁ = x₂: p = (s, s, t) has 5s² + 5t² over 2, less 3s and t.
        let apply = |p: &[f64], product: &mut [f64]| {
            product.copy_from_slice(&[p[0], 2.0 * p[1], 4.0 * p[2]]);
        };
        let mut subspace = Subspace::whole(3);
        assert!(subspace.constrain(&[1.0, -1.0, 0.0]));
        let mut step = [f64::NAN; 3];
        minimize(apply, vec![1.0, 2.0, 1.0], 1.0, &subspace, &mut step).unwrap();
        for (found, expected) in step.into_iter().zip([0.6, 0.6, 0.2]) {
            assert!((found - expected).abs() < 1e-15, "{step:?}");
        }
    }

    #[test]
    fn what_bends_down_is_refused_until_it_is_damped() {
        let apply = |p: &[f64], product: &mut [f64]| {
            product.copy_from_slice(&[p[0], -2.0 * p[1]]);
        };
        let whole = Subspace::whole(2);
        let mut step = [0.0; 2];
        let mut with = |damping| minimize(apply, vec![0.0, 1.0], damping, &whole, &mut step);
        assert_eq!(with(1.0), Err(NotPositiveDefinite));
        assert_eq!(with(4.0), Ok(()));
        assert_eq!(step, [0.0, 0.5]);
    }
}
