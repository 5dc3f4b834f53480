//! The constraint ‖x‖ ≤ R.

use num_traits::{Float, One, Zero};
use twolayer_core::{
    Error, Evaluation, HessianApprox, NotPositiveDefinite, Objective, Scalar, Subspace, reduce,
    retract,
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
    let guess = hessian.mean_eigenvalue().max(damping);
    let tolerance = O::Scalar::of(ON_SPHERE_ROUNDOFFS) * O::Scalar::UNIT_ROUNDOFF;
    multiplier((zero, free), guess, |mu| {
        hessian.step(objective, at, damping + mu, Some((mu, x)), subspace, step)?;
        Ok((excess(step), tolerance))
    })
}

/// A step ends on the sphere where ‖x + p‖ is so many roundoffs of R from it.
const ON_SPHERE_ROUNDOFFS: f64 = 16.0;

/// What a multiplier μ makes of how far from the sphere x and x + p may be: a promise of ½μ(‖x‖² − ‖x + p‖²)
/// is none.
pub(crate) fn slack<T: Scalar>(multiplier: T, radius: T) -> T {
    T::of(2.0 * ON_SPHERE_ROUNDOFFS) * T::UNIT_ROUNDOFF * multiplier * radius * radius
}

/// The multiplier μ for which ‖x + p(μ)‖ = R. `outside` is a smaller one and ‖x + p‖/R > 1 for it.
/// `excess` tells ‖x + p(μ)‖/R, and which part of R may be left between x + p(μ) and the sphere; it was
/// asked last for the μ that is returned.
///
/// # Errors
/// Those of `excess`.
pub(crate) fn multiplier<T: Scalar, E>(
    outside: (T, T),
    guess: T,
    mut excess: impl FnMut(T) -> Result<(T, T), E>,
) -> Result<T, E> {
    // ψ(μ) = R/‖x + p(μ)‖ − 1 is negative at `low` and, once found, not negative at `high`.
    let (mut low, mut psi_low) = (outside.0, outside.1.recip() - T::one());
    let mut high: Option<(T, T)> = None;
    let mut mu = guess;
    let mut was_high = None;
    const MOST_SOLVES: usize = 60;
    for _ in 0..MOST_SOLVES {
        let (ratio, tolerance) = excess(mu)?;
        let psi = ratio.recip() - T::one();
        if psi >= T::zero() && psi <= tolerance {
            break;
        }
        // An end that stays twice counts half (M. Dowell and P. Jarratt, "A modified regula falsi
        // method", 1971): else the secants creep up to it from one side.
        let half = T::of(0.5);
        if psi < T::zero() {
            (low, psi_low) = (mu, psi);
            if let (Some((_, psi_high)), Some(false)) = (&mut high, was_high) {
                *psi_high *= half;
            }
            was_high = Some(false);
        } else {
            high = Some((mu, psi));
            if was_high == Some(true) {
                psi_low *= half;
            }
            was_high = Some(true);
        }
        mu = match high {
            None => mu * T::of(10.0),
            Some((high, psi_high)) => {
                let secant = low - psi_low * (high - low) / (psi_high - psi_low);
                let width = high - low;
                // Away from the ends, so that the bracket shrinks from both sides.
                let margin = T::of(1e-3) * width;
                if width <= T::of(16.0) * T::UNIT_ROUNDOFF * high {
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

/// Whether x lies so near the sphere that half of its digits do not tell it from there.
pub(crate) fn is_near_sphere<T: Scalar>(x: &[T], radius: T) -> bool {
    reduce::norm(x) >= radius * (T::one() - T::UNIT_ROUNDOFF.sqrt())
}

/// Whether the sphere holds a point that was differentiated: it lies on it, or so near that the rest of the way
/// lowers the value by less than its rounding error. In a small ball no step can be told from none there.
pub(crate) fn holds<O: Objective>(objective: &O, at: &O::Evaluation) -> bool {
    let Some(radius) = objective.radius() else {
        return false;
    };
    let x = at.point();
    if is_on_sphere(x, radius) || !is_near_sphere(x, radius) {
        return is_on_sphere(x, radius);
    }
    let size = reduce::norm(x);
    let gain = -reduce::dot(x, at.gradient()) / size * (radius - size);
    gain <= objective.rounding_error(at)
}

/// How far x, in the ball, can go along the unit vector `direction` without leaving it.
pub(crate) fn reach<T: Scalar>(x: &[T], direction: &[T], radius: T) -> T {
    let along = reduce::dot(x, direction);
    let size = reduce::norm(x);
    let room = ((radius - size) * (radius + size)).max(T::zero());
    let root = (along * along + room).sqrt();
    // Without cancellation where it goes outward.
    if along > T::zero() {
        room / (along + root)
    } else {
        root - along
    }
}

/// Whether x lies in the ball ‖x‖ ≤ R, to rounding.
pub(crate) fn is_inside<T: Scalar>(x: &[T], radius: T) -> bool {
    reduce::norm(x) <= radius * (T::one() + T::of(64.0) * T::UNIT_ROUNDOFF)
}

/// Removes from `gradient` its part along `outward`, the normal of the sphere, where the objective
/// falls outward: what is left is the gradient on the sphere. Returns the multiplier λ of the sphere,
/// gradient ← gradient + λ·outward; 0 where it falls inward.
pub(crate) fn remove_outward_pull<T: Scalar>(outward: &[T], gradient: &mut [T]) -> T {
    let pull = reduce::dot(outward, gradient);
    if pull >= T::zero() || pull.is_nan() {
        return T::zero();
    }
    let multiplier = -pull / reduce::dot(outward, outward);
    reduce::axpy(multiplier, outward, gradient);
    multiplier
}

/// A start counts as in the ball where ‖x‖ exceeds R by no more than so many roundoffs of single
/// precision, whatever the precision is now: x, R or both may have come through a file in it.
const START_ROUNDOFFS: f64 = 16.0;

/// Moves a start onto the sphere where rounding alone has put it outside.
///
/// # Errors
/// [`Error::StartOutsideBall`] where it is further out.
pub(crate) fn take_in<T: Scalar>(radius: T, x: &mut [T]) -> Result<(), Error> {
    let (norm, radius_of_ball) = (reduce::norm(x).to_f64(), radius.to_f64());
    let rounding = START_ROUNDOFFS * f64::from(f32::UNIT_ROUNDOFF);
    if norm > radius_of_ball * (1.0 + rounding) {
        return Err(Error::StartOutsideBall {
            norm,
            radius: radius_of_ball,
        });
    }
    retract(radius, x);
    Ok(())
}

#[cfg(test)]
mod tests;
