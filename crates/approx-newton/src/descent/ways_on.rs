//! Ways on from a point where a descent would end: over the kinks, and along negative curvature.

use super::model_step::Model;
use super::{Descent, Iteration, ModelStep};
use crate::active_set::kinks_through;
use crate::ball;
use crate::damping::Damping;
use crate::kinked_step::Insisted;
use crate::termination::Status;
use num_traits::{Float, One, Zero};
use twolayer_core::{Evaluation, HessianApprox, Kinked, Scalar, reduce};

/// How far a way out of a stationary point is looked for, in units of ‖x‖.
const LONGEST_ESCAPE: f64 = 0.1;

impl<O: Kinked> Descent<O> {
    /// Looks for a way over the kinks where steps along one direction have come to nothing, or for
    /// a sign that there is none.
    pub(super) fn unjam<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        iteration: &mut Iteration<O::Scalar>,
    ) {
        if self.model != Model::Current {
            self.build_model(problem, hessian);
        }
        let Some(plain) = self.damped_step(problem, hessian) else {
            return;
        };
        let negligible = self.negligible(problem, problem.rounding_error(&self.current));
        match self.insist_on_kinks(problem, hessian, negligible, &plain) {
            Insisted::Moved(length) => {
                iteration.step_norm = length;
                iteration.flips = self.flips;
                iteration.end = None;
                self.model = Model::Outdated;
            }
            Insisted::Stationary => iteration.end = Some(Status::DecrementSmall),
            Insisted::Failed => {}
        }
    }

    /// Turns to the other side of a kink that a stationary point lies on without being held, where the
    /// objective falls behind it: a step may end on a kink by chance, and its gradient is that of one side.
    /// Returns false where there is none.
    pub(super) fn cross_a_kink(&mut self, problem: &O) -> bool {
        let pinned = self.active_set.pinned();
        let mut kinks = kinks_through(problem, &self.current);
        kinks.retain(|kink| !pinned.contains(kink) && *kink < problem.first_bound());
        if kinks.is_empty() {
            return false;
        }
        problem.differentiate(&mut self.current);
        let all: Vec<usize> = (0..problem.first_bound()).collect();
        let mut jumps = vec![O::Scalar::zero(); all.len()];
        problem.foresee(&mut self.current, None);
        problem.slope_jumps(&self.current, &all, &mut jumps);
        let largest = jumps
            .iter()
            .fold(O::Scalar::zero(), |most, v| most.max(v.abs()));
        let noise = O::Scalar::UNIT_ROUNDOFF.sqrt() * largest;
        let Some(&kink) = kinks.iter().find(|&&kink| jumps[kink] < -noise) else {
            return false;
        };
        let positive = problem.sides(&self.current)[kink];
        problem.choose_side(&mut self.current, kink, !positive);
        self.model = Model::Outdated;
        true
    }

    /// Leaves a stationary point that is not a minimum along a direction of negative curvature.
    /// Returns false, and stays, where there is none or the objective does not fall along it.
    pub(super) fn escape<H: HessianApprox<O>>(&mut self, problem: &O, hessian: &mut H) -> bool {
        problem.differentiate(&mut self.current);
        let subspace = self.active_set.subspace();
        let found = hessian.negative_curvature(problem, &self.current, subspace);
        let Some((mut direction, bend)) = found else {
            return false;
        };
        let zero = O::Scalar::zero();
        let size = reduce::norm(self.current.point()).max(O::Scalar::one());
        let mut slope = reduce::dot(&direction, self.current.gradient());
        if slope > zero {
            slope = -slope;
            direction.iter_mut().for_each(|v| *v = -*v);
        }
        let mut length = O::Scalar::of(LONGEST_ESCAPE) * size;
        if let Some(radius) = problem.radius() {
            // Put back onto the sphere, it would leave the kinks that hold it.
            length = length.min(ball::reach(self.current.point(), &direction, radius));
        }
        for (step, &v) in self.buffers.step.iter_mut().zip(&direction) {
            *step = length * v;
        }
        let step = ModelStep {
            predicted: -O::Scalar::of(0.5) * bend * length * length - slope * length,
            norm: length,
            multiplier: zero,
            is_newton: false,
        };
        let (before, noise) = (self.current.value(), problem.rounding_error(&self.current));
        let mut moved = self.search(problem, &step).is_some();
        if !moved && problem.first_bound() < problem.kinks() {
            // A bound may have stopped it.
            self.buffers.step.iter_mut().for_each(|v| *v = -*v);
            moved = self.search(problem, &step).is_some();
        }
        self.model = Model::Outdated;
        // A convex model sees nothing of the bend that it is to go on from.
        self.progress.damping = Damping::new(1.0, self.progress.damping.value().max(-bend));
        let largest = self.progress.largest_mean_eigenvalue;
        self.progress.largest_mean_eigenvalue = largest.max(-bend);
        // A fall that rounding could have made is no way out.
        moved && before - self.current.value() > noise
    }
}
