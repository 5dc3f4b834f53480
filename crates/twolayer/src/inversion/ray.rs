//! An [`Inversion`] along a ray: the logits are a piecewise linear function of the way.
//!
//! In a cell they change by C p for each unit of the step p, and where the ray crosses the kink of a
//! unit, that velocity changes by the unit's column of A2: a walk over all crossings costs one product
//! with the active columns of A2 and one column for each crossing, where evaluating as many points
//! would cost as many products.

use super::{Inversion, InversionPoint};
use num_traits::{Float, One, Zero};
use twolayer_core::{Crossing, LinearBackend, RayMinimum, RowWeights, Scalar, reduce};

/// The lowest point of the whole ray, not only its first local minimum, where the loss is quadratic
/// in the logits; `None` where it is not.
pub(super) fn minimum<B: LinearBackend>(
    problem: &Inversion<'_, B>,
    at: &InversionPoint<B::Scalar>,
    slopes: &[B::Scalar],
    crossings: &[Crossing<B::Scalar>],
    end: B::Scalar,
    scratch: &mut InversionPoint<B::Scalar>,
) -> Option<RayMinimum<B::Scalar>> {
    if !problem.loss.is_quadratic(&problem.target) {
        return None;
    }
    begin(problem, at, slopes, scratch);
    let InversionPoint {
        row_gradient: gradient,
        outcome_scratch: [velocity, bend_of_logits],
        pass,
        curvature,
        ..
    } = scratch;
    problem.outcome_curvature(at, RowWeights::Exact, curvature);
    gradient.copy_from_slice(&at.row_gradient);
    let mut best = RayMinimum {
        fraction: B::Scalar::zero(),
        kink: None,
    };
    let (mut change, mut lowest) = (0.0, 0.0);
    let mut position = B::Scalar::zero();
    let stops = crossings
        .iter()
        .map(|crossing| (crossing.fraction, Some(crossing.kink)));
    for (stop, kink) in stops.chain([(end, None)]) {
        curvature.row_product(velocity, bend_of_logits);
        let slope = reduce::dot(gradient, velocity).to_f64();
        let bend = reduce::dot(bend_of_logits, velocity).to_f64();
        let length = (stop - position).to_f64();
        if slope < 0.0 && -slope < bend * length {
            let inside = -slope / bend;
            let value = change + 0.5 * slope * inside;
            if value < lowest {
                lowest = value;
                best = RayMinimum {
                    fraction: position + B::Scalar::of(inside),
                    kink: None,
                };
            }
        }
        change += length * (slope + 0.5 * bend * length);
        if change < lowest {
            lowest = change;
            best = RayMinimum {
                fraction: stop,
                kink,
            };
        }
        reduce::axpy(stop - position, bend_of_logits, gradient);
        position = stop;
        if let Some(kink) = kink {
            cross(problem, slopes, kink, velocity, &mut pass.logits);
        }
    }
    Some(best)
}

/// The objective at the `fractions` of the ray, which increase.
pub(super) fn values<B: LinearBackend>(
    problem: &Inversion<'_, B>,
    at: &InversionPoint<B::Scalar>,
    slopes: &[B::Scalar],
    crossings: &[Crossing<B::Scalar>],
    fractions: &[B::Scalar],
    values: &mut [B::Scalar],
    scratch: &mut InversionPoint<B::Scalar>,
) {
    begin(problem, at, slopes, scratch);
    let InversionPoint {
        outcome_scratch: [velocity, column],
        pass,
        ..
    } = scratch;
    pass.products.copy_from_slice(&at.pass.products);
    let mut position = B::Scalar::zero();
    let mut ahead = crossings.iter().peekable();
    for (&fraction, value) in fractions.iter().zip(values) {
        while let Some(crossing) = ahead.next_if(|crossing| crossing.fraction <= fraction) {
            reduce::axpy(crossing.fraction - position, velocity, &mut pass.products);
            position = crossing.fraction;
            cross(problem, slopes, crossing.kink, velocity, column);
        }
        reduce::axpy(fraction - position, velocity, &mut pass.products);
        position = fraction;
        let biases = problem.network.bias2();
        for ((z, &u), &c) in pass.logits.iter_mut().zip(&pass.products).zip(biases) {
            *z = u + c;
        }
        pass.normalize();
        *value = problem.loss.value(pass, &problem.target) + problem.penalty(&pass.products);
    }
}

/// The first of the scratch vectors ← C p, with `slopes` = A1 p.
fn begin<B: LinearBackend>(
    problem: &Inversion<'_, B>,
    at: &InversionPoint<B::Scalar>,
    slopes: &[B::Scalar],
    scratch: &mut InversionPoint<B::Scalar>,
) {
    let active = &at.pass.active;
    let active_slopes = &mut scratch.pass.active_hidden;
    active_slopes.clear();
    active_slopes.extend(active.iter().map(|&unit| slopes[unit]));
    let (backend, a2) = (problem.network.backend(), problem.network.a2());
    let [velocity, _] = &mut scratch.outcome_scratch;
    backend.mul_vec_columns(a2, active, active_slopes, velocity);
}

/// Switches a unit: one that rises through its kink joins the velocity, one that falls leaves.
fn cross<B: LinearBackend>(
    problem: &Inversion<'_, B>,
    slopes: &[B::Scalar],
    kink: usize,
    velocity: &mut [B::Scalar],
    column: &mut [B::Scalar],
) {
    let (backend, a2) = (problem.network.backend(), problem.network.a2());
    backend.mul_vec_columns(a2, &[kink], &[slopes[kink].abs()], column);
    reduce::axpy(B::Scalar::one(), column, velocity);
}
