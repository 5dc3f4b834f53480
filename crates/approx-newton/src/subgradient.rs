//! The gradient that is left at a point where kinks and the sphere hold it.

use crate::active_set::ActiveSet;
use crate::ball;
use crate::descent::norm_or_infinity;
use num_traits::{Float, Zero};
use twolayer_core::{Evaluation, Kinked, Scalar, Subspace, reduce};

/// The norm of a short element of Clarke's subdifferential and the ball's normal cone, at a point that
/// was differentiated with no kink held:
///
/// ```text
/// min over τ, λ of ‖g + Σ τᵢ aᵢ + λ x‖,   τᵢ between 0 and ∓vᵢ,   λ ≥ 0, and 0 off the sphere
/// ```
///
/// with vᵢ the jump of the slope at kink i, − where g is that of its positive side and + where it is that
/// of the negative one. It is zero where the point is stationary, whichever side of its kinks rounding
/// has put it on.
///
/// The multipliers are those of least squares; the worst of those that leave their interval is put on
/// its end, the others are sought again, and so on. What results is never below the minimum, and is the
/// minimum where none leaves its interval. Infinite where the gradient overflows.
pub(crate) fn least_norm<O: Kinked>(
    problem: &O,
    at: &mut O::Evaluation,
    active_set: &ActiveSet<O::Scalar>,
) -> O::Scalar {
    let zero = O::Scalar::zero();
    let mut kinks = active_set.pinned().to_vec();
    let mut subspace = active_set.subspace().clone();
    let mut jumps = vec![zero; kinks.len()];
    if !kinks.is_empty() {
        problem.foresee(at, None);
        problem.slope_jumps(at, &kinks, &mut jumps);
    }
    let mut gradient = at.gradient().to_vec();
    if !reduce::all_finite(&gradient) || !reduce::all_finite(&jumps) {
        return norm_or_infinity(&gradient);
    }
    for (jump, &kink) in jumps.iter_mut().zip(&kinks) {
        if problem.sides(at)[kink] {
            *jump = -*jump;
        }
    }
    let sphere = problem
        .radius()
        .filter(|&radius| ball::is_on_sphere(at.point(), radius))
        .map(|_| at.point());
    loop {
        let (multipliers, held) = multipliers(&subspace, sphere, &gradient);
        let ends = multipliers.iter().zip(&jumps);
        let clipped = ends.map(|(&tau, &jump)| tau.max(jump.min(zero)).min(jump.max(zero)));
        let beyond = |index: usize, end: O::Scalar| {
            (multipliers[index] - end).abs() * reduce::norm(subspace.normal(index))
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
            held.project(&mut gradient);
            return norm_or_infinity(&gradient);
        }
        reduce::axpy(end, subspace.normal(index), &mut gradient);
        subspace.release(index);
        kinks.remove(index);
        jumps.remove(index);
    }
}

/// The multipliers of the kinks, and the null space of their normals and of the sphere's, where the
/// gradient pulls outward along the kinks.
fn multipliers<T: Scalar>(
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
