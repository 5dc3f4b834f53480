//! The gradient that is left at a point where kinks and the sphere hold it.

use crate::active_set::ActiveSet;
use crate::ball;
use crate::position::norm_or_infinity;
use num_traits::{Float, Zero};
use twolayer_core::{Evaluation, Kinked, Scalar, Subspace, reduce};

/// What is left of the gradient where kinks, bounds and the sphere hold a point.
pub(crate) struct Remainder<T> {
    /// Its norm.
    pub(crate) norm: T,
    /// τ of each pinned kink.
    pub(crate) multipliers: Vec<T>,
}

/// The norm of a short element of Clarke's subdifferential and the normal cones of ball and bounds, at a
/// point that was differentiated with no kink held:
///
/// ```text
/// min over τ, λ of ‖g + Σ τᵢ aᵢ + λ x‖,   τᵢ between 0 and ∓vᵢ,   λ ≥ 0, and 0 off the sphere
/// ```
///
/// with vᵢ the jump of the slope at kink i, − where g is that of its positive side and + where it is that
/// of the negative one; ∞ at a bound, and any τᵢ where l = u. It is zero where the point is stationary, on
/// whichever side of its kinks rounding has put it.
///
/// The multipliers are those of least squares; the worst of those that leave their interval is put on
/// its end, the others are sought again, and so on. What results is never below the minimum, and is the
/// minimum where none leaves its interval. Infinite where the gradient overflows.
pub(crate) fn remainder<O: Kinked>(
    problem: &O,
    at: &mut O::Evaluation,
    active_set: &ActiveSet<O::Scalar>,
) -> Remainder<O::Scalar> {
    let zero = O::Scalar::zero();
    let pinned = active_set.pinned();
    let mut subspace = active_set.subspace().clone();
    let mut intervals = intervals(problem, at, pinned);
    let mut gradient = at.gradient().to_vec();
    let mut multipliers = vec![zero; pinned.len()];
    let ends = intervals.iter().flatten();
    if !reduce::all_finite(&gradient) || ends.clone().any(|end| end.is_nan()) {
        let norm = norm_or_infinity(&gradient);
        return Remainder { norm, multipliers };
    }
    let sphere = ball::holds(problem, at).then(|| at.point());
    // The places in `pinned` of what the subspace holds.
    let mut places: Vec<usize> = (0..pinned.len()).collect();
    loop {
        let (free, held) = free_multipliers(&subspace, sphere, &gradient);
        let clipped = free
            .iter()
            .zip(&intervals)
            .map(|(&tau, &[low, high])| tau.max(low).min(high));
        let beyond = |index: usize, end: O::Scalar| {
            (free[index] - end).abs() * reduce::norm(subspace.normal(index))
        };
        let worst = clipped
            .enumerate()
            .map(|(index, end)| (beyond(index, end), index, end))
            .fold((zero, 0, zero), |worst, next| match next.0 > worst.0 {
                true => next,
                false => worst,
            });
        let (excess, index, end) = worst;
        if excess == zero {
            for (&place, &tau) in places.iter().zip(&free) {
                multipliers[place] = tau;
            }
            held.project(&mut gradient);
            let norm = norm_or_infinity(&gradient);
            return Remainder { norm, multipliers };
        }
        reduce::axpy(end, subspace.normal(index), &mut gradient);
        subspace.release(index);
        intervals.remove(index);
        multipliers[places.remove(index)] = end;
    }
}

/// The least and the largest τ of each of the kinks `pinned`, NaN where they overflow.
fn intervals<O: Kinked>(
    problem: &O,
    at: &mut O::Evaluation,
    pinned: &[usize],
) -> Vec<[O::Scalar; 2]> {
    let zero = O::Scalar::zero();
    let mut jumps = vec![zero; pinned.len()];
    if !pinned.is_empty() {
        problem.foresee(at, None);
        problem.slope_jumps(at, pinned, &mut jumps);
    }
    let interval = |(&kink, &jump): (&usize, &O::Scalar)| {
        if problem.is_fixed(kink) {
            return [-jump, jump];
        }
        let end = if problem.sides(at)[kink] { -jump } else { jump };
        let has_overflowed = kink < problem.first_bound() && !jump.is_finite();
        match has_overflowed {
            true => [O::Scalar::nan(); 2],
            false => [end.min(zero), end.max(zero)],
        }
    };
    pinned.iter().zip(&jumps).map(interval).collect()
}

/// The multipliers of the kinks, and the null space of their normals and of the sphere's, where the
/// gradient pulls outward along the kinks.
fn free_multipliers<T: Scalar>(
    subspace: &Subspace<T>,
    sphere: Option<&[T]>,
    gradient: &[T],
) -> (Vec<T>, Subspace<T>) {
    if let Some(x) = sphere {
        let mut held = subspace.clone();
        if held.constrain(x) {
            let mut multipliers = held.multipliers(gradient);
            if multipliers.pop() > Some(T::zero()) {
                return (multipliers, held);
            }
        }
    }
    (subspace.multipliers(gradient), subspace.clone())
}
