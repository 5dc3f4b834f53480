//! Ways on from a point where a descent would end: over the kinks, and along negative curvature.

use super::{Descent, Iteration};
use crate::local_model::timed;
use crate::moves::escape;
use crate::moves::kinked_step::{Around, Insisted};
use crate::termination::Status;
use twolayer_core::{Evaluation, HessianApprox, Kinked};

impl<O: Kinked> Descent<O> {
    /// Looks for a way over the kinks where steps along one direction have come to nothing, or for
    /// a sign that there is none.
    pub(super) fn unjam<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        iteration: &mut Iteration<O::Scalar>,
    ) {
        self.build_model(problem, hessian);
        if !self.propose_step(problem, hessian) {
            return;
        }
        let noise = self.negligible(problem, problem.rounding_error(&self.position.current));
        let Self {
            over_kinks,
            position,
            model,
            ..
        } = self;
        let around = Around {
            plain: &model.step,
            noise,
        };
        let damping = model.damping.value();
        let insisted = timed(&mut self.seconds.search, || {
            over_kinks.insist(problem, hessian, position, &around, damping)
        });
        match insisted {
            Insisted::Moved(moved) => {
                iteration.step_norm = moved.length;
                iteration.flips = moved.flips;
                iteration.end = None;
                self.model.outdate();
            }
            Insisted::Stationary => iteration.end = Some(Status::DecrementSmall),
            Insisted::Failed => {}
        }
    }

    /// Leaves a point that is stationary and no minimum, where it sees a way.
    pub(super) fn leave<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        iteration: &mut Iteration<O::Scalar>,
    ) {
        if !self.escapes.are_left() {
            return;
        }
        let has_crossed = escape::cross_a_kink(problem, &mut self.position);
        if has_crossed {
            self.model.outdate();
        }
        if has_crossed || self.leave_downward(problem, hessian) {
            self.escapes.count();
            iteration.end = None;
        }
    }

    /// Leaves a stationary point along a direction of negative curvature. Returns false, and stays,
    /// where there is none or the objective does not fall along it.
    fn leave_downward<H: HessianApprox<O>>(&mut self, problem: &O, hessian: &mut H) -> bool {
        let (position, step) = (&mut self.position, &mut self.model.step);
        let found = escape::along_negative_curvature(problem, hessian, position, step);
        let Some(bend) = found else {
            return false;
        };
        let at = &self.position.current;
        let (before, noise) = (at.value(), problem.rounding_error(at));
        let mut moved = self.go_along_the_step(problem).is_some();
        if !moved && problem.first_bound() < problem.kinks() {
            // A bound may have stopped it.
            self.model.step.reverse();
            moved = self.go_along_the_step(problem).is_some();
        }
        self.model.outdate();
        self.model.learn_of_a_bend(-bend);
        // A fall that rounding could have made is no way out.
        moved && before - self.position.current.value() > noise
    }
}
