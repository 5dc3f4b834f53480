//! The constraint ‖x‖ ≤ R.

use num_traits::{Float, One, Zero};
use twolayer_core::{
    Evaluation, HessianApprox, NotPositiveDefinite, Objective, Scalar, Subspace, reduce,
};

/// A damped step whose end lies in the ball: the minimiser of the damped model over ‖x + p‖ ≤ R.
///
/// Where the free minimiser leaves the ball, that of the constrained problem solves
/// (H̃ + (ν + μ)I) p = −(g + μx) for the μ > 0 that puts x + p on the sphere. 1/‖x + p(μ)‖ is nearly
/// linear in μ, and a safeguarded secant iteration on it takes a few solves (Moré and Sorensen,
/// "Computing a trust region step", 1983).
///
/// Returns μ, 0 where the constraint does not bind.
///
/// # Errors
/// [`NotPositiveDefinite`] as [`HessianApprox::step`].
pub(crate) fn damped_step<O: Objective, H: HessianApprox<O>>(
    objective: &O,
    at: &O::Evaluation,
    hessian: &mut H,
    damping: O::Scalar,
    subspace: &Subspace<O::Scalar>,
    step: &mut [O::Scalar],
    end: &mut [O::Scalar],
) -> Result<O::Scalar, NotPositiveDefinite> {
    let zero = O::Scalar::zero();
    hessian.step(objective, at, damping, None, subspace, step)?;
    let Some(radius) = objective.radius() else {
        return Ok(zero);
    };
    let x = at.point();
    let mut excess = |step: &[O::Scalar]| {
        end.copy_from_slice(x);
        reduce::axpy(O::Scalar::one(), step, end);
        reduce::norm(end) / radius
    };
    let free = excess(step);
    if free <= O::Scalar::one() {
        return Ok(zero);
    }
    let tolerance = O::Scalar::of(16.0) * O::Scalar::UNIT_ROUNDOFF;
    // ψ(μ) = R/‖x + p(μ)‖ − 1 is negative at `low` and, once found, not negative at `high`.
    let (mut low, mut psi_low) = (zero, free.recip() - O::Scalar::one());
    let mut high: Option<(O::Scalar, O::Scalar)> = None;
    let mut mu = hessian.mean_eigenvalue().max(damping);
    const MOST_SOLVES: usize = 60;
    for _ in 0..MOST_SOLVES {
        hessian.step(objective, at, damping + mu, Some((mu, x)), subspace, step)?;
        let psi = excess(step).recip() - O::Scalar::one();
        if psi >= zero && psi <= tolerance {
            break;
        }
        if psi < zero {
            (low, psi_low) = (mu, psi);
        } else {
            high = Some((mu, psi));
        }
        mu = match high {
            None => mu * O::Scalar::of(10.0),
            Some((high, psi_high)) => {
                let secant = low - psi_low * (high - low) / (psi_high - psi_low);
                let width = high - low;
                // Away from the ends, so that the bracket shrinks from both sides.
                let margin = O::Scalar::of(1e-3) * width;
                if width <= tolerance * high {
                    break;
                }
                secant.max(low + margin).min(high - margin)
            }
        };
    }
    Ok(mu)
}

/// Whether x lies on the sphere ‖x‖ = R, to rounding.
pub(crate) fn is_on_sphere<T: Scalar>(x: &[T], radius: T) -> bool {
    reduce::norm(x) >= radius * (T::one() - T::of(64.0) * T::UNIT_ROUNDOFF)
}

/// Removes from `gradient` its part along `outward`, the normal of the sphere, where the objective
/// falls outward: what is left is the gradient on the sphere.
pub(crate) fn remove_outward_pull<T: Scalar>(outward: &[T], gradient: &mut [T]) {
    let pull = reduce::dot(outward, gradient);
    if pull < T::zero() {
        reduce::axpy(-pull / reduce::dot(outward, outward), outward, gradient);
    }
}

/// Scales `x` back onto the sphere where rounding has put it outside.
pub(crate) fn retract<T: Scalar>(radius: T, x: &mut [T]) {
    while reduce::norm(x) > radius {
        let scale = radius / reduce::norm(x) * (T::one() - T::UNIT_ROUNDOFF);
        x.iter_mut().for_each(|v| *v *= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retraction_ends_inside() {
        let mut x = [3.0_f32, 4.0, 1e-3];
        retract(1.7, &mut x);
        assert!(reduce::norm(&x) <= 1.7 && reduce::norm(&x) > 1.699);
    }

    #[test]
    fn only_an_outward_pull_is_removed() {
        let x = [0.0_f64, 2.0];
        assert!(is_on_sphere(&x, 2.0) && !is_on_sphere(&x, 2.1));
        let mut pulled_out = [1.0, -3.0];
        remove_outward_pull(&x, &mut pulled_out);
        assert_eq!(pulled_out, [1.0, 0.0]);
        let mut pulled_in = [1.0, 3.0];
        remove_outward_pull(&x, &mut pulled_in);
        assert_eq!(pulled_in, [1.0, 3.0]);
    }
}
