//! Out of a stationary point that is no minimum: over a kink that it lies on, or along negative curvature.

use crate::active_set::kinks_through;
use crate::ball;
use crate::position::Position;
use crate::step::Step;
use num_traits::{Float, One, Zero};
use twolayer_core::{Evaluation, HessianApprox, Kinked, Scalar, reduce};

/// How far a way out of a stationary point is looked for, in units of ‖x‖.
const LONGEST: f64 = 0.1;
/// Stationary points that a descent leaves, along negative curvature or over a kink.
const MOST: usize = 8;

/// Stationary points that a descent has left so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Escapes {
    pub(crate) made: usize,
}

impl Escapes {
    /// Whether another point may be left.
    pub(crate) fn are_left(self) -> bool {
        self.made < MOST
    }

    /// One more was left.
    pub(crate) fn count(&mut self) {
        self.made += 1;
    }
}

/// Turns to the other side of a kink that a stationary point lies on without being held, where the
/// objective falls behind it: a step may end on a kink by chance, and its gradient is that of one side.
/// Returns false where there is none.
pub(crate) fn cross_a_kink<O: Kinked>(problem: &O, position: &mut Position<O>) -> bool {
    let pinned = position.active_set.pinned();
    let mut kinks = kinks_through(problem, &position.current);
    kinks.retain(|kink| !pinned.contains(kink) && *kink < problem.first_bound());
    if kinks.is_empty() {
        return false;
    }
    problem.differentiate(&mut position.current);
    let all: Vec<usize> = (0..problem.first_bound()).collect();
    let mut jumps = vec![O::Scalar::zero(); all.len()];
    problem.foresee(&mut position.current, None);
    problem.slope_jumps(&position.current, &all, &mut jumps);
    let largest = jumps
        .iter()
        .fold(O::Scalar::zero(), |most, v| most.max(v.abs()));
    let noise = O::Scalar::UNIT_ROUNDOFF.sqrt() * largest;
    let Some(&kink) = kinks.iter().find(|&&kink| jumps[kink] < -noise) else {
        return false;
    };
    let positive = problem.sides(&position.current)[kink];
    problem.choose_side(&mut position.current, kink, !positive);
    true
}

/// Proposes a step along a direction of negative curvature, downhill if anything. Returns vᵀHv of the direction; `None` where
/// there is none.
pub(crate) fn along_negative_curvature<O: Kinked, H: HessianApprox<O>>(
    problem: &O,
    hessian: &mut H,
    position: &mut Position<O>,
    step: &mut Step<O::Scalar>,
) -> Option<O::Scalar> {
    problem.differentiate(&mut position.current);
    let subspace = position.active_set.subspace();
    let (mut direction, bend) = hessian.negative_curvature(problem, &position.current, subspace)?;
    let zero = O::Scalar::zero();
    let x = position.current.point();
    let size = reduce::norm(x).max(O::Scalar::one());
    let mut slope = reduce::dot(&direction, position.current.gradient());
    if slope > zero {
        slope = -slope;
        direction.iter_mut().for_each(|v| *v = -*v);
    }
    let mut length = O::Scalar::of(LONGEST) * size;
    if let Some(radius) = problem.radius() {
        // Put back onto the sphere, it would leave the kinks that hold it.
        length = length.min(ball::reach(x, &direction, radius));
    }
    for (p, &v) in step.p.iter_mut().zip(&direction) {
        *p = length * v;
    }
    step.predicted = -O::Scalar::of(0.5) * bend * length * length - slope * length;
    (step.norm, step.multiplier, step.is_newton) = (length, zero, false);
    Some(bend)
}
