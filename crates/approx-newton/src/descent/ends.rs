//! Where a descent ends, and what it says then.

use super::{Before, Descent, Iteration, Verdict};
use crate::active_set::{Release, kinks_through};
use crate::ball;
use crate::local_model::Built;
use crate::position::norm_or_infinity;
use crate::termination::Status;
use num_traits::{Float, One, Zero};
use twolayer_core::{Evaluation, HessianApprox, Kinked, Scalar, reduce};

/// A gradient counts as small only where the model, too, promises at most this part of the value:
/// in a flat valley the gradient is small long before the minimum.
const LITTLE_PROMISED: f64 = 1e-3;
/// A step is long from so many times the size of x on.
const LONG: f64 = 1e3;

impl<O: Kinked> Descent<O> {
    /// A promised decrease that is none.
    pub(super) fn negligible(&self, problem: &O, noise: O::Scalar) -> O::Scalar {
        let excess = problem.excess(self.position.current.value());
        noise.max(self.tolerances.decrement() * excess)
    }

    /// The norm of the gradient along the directions that pinned kinks and the sphere leave, exactly
    /// zero where they leave none, and the multiplier of the sphere.
    pub(super) fn reduced_gradient(&mut self, problem: &O) -> (O::Scalar, O::Scalar) {
        let Self {
            gradient, outward, ..
        } = self;
        let subspace = self.position.active_set.subspace();
        let at = &self.position.current;
        gradient.copy_from_slice(at.gradient());
        subspace.project(gradient);
        let (mut multiplier, mut free) = (O::Scalar::zero(), subspace.dimension());
        if ball::holds(problem, at) {
            outward.copy_from_slice(at.point());
            subspace.project(outward);
            multiplier = ball::remove_outward_pull(outward, gradient);
            free -= usize::from(multiplier > O::Scalar::zero());
        }
        let mut norm = norm_or_infinity(gradient);
        if free == 0 && norm.is_finite() {
            norm = O::Scalar::zero();
        }
        self.first_gradient_norm.get_or_insert(norm);
        (norm, multiplier)
    }

    /// What the multipliers say of a point where the objective falls nowhere along the pinned kinks and
    /// the sphere, whose `multiplier` is given.
    pub(super) fn question_kinks(&mut self, problem: &O, multiplier: O::Scalar) -> Option<Status> {
        self.model.propose_nothing();
        match self.release_a_kink(problem, multiplier) {
            Release::Released { .. } => None,
            Release::Barred => Some(Status::Jammed),
            Release::AllHold => Some(Status::GradientSmall),
        }
    }

    /// Whether all that the value is computed from has no say in it at a differentiated point, as in a
    /// saturated softmax: no step is worth taking that changes it by little.
    pub(super) fn is_saturated(&self, problem: &O, noise: O::Scalar) -> bool {
        problem.sensitivity(&self.position.current) <= self.negligible(problem, noise)
    }

    /// Whether the point looks stationary because nothing is left of the scale of the objective: neither
    /// gradient nor model say then whether the objective falls further on. So it is where the model has
    /// no curvature, that of the sphere included, or so little of what it had that it is noise, or so
    /// little that its square underflows, and where it is saturated.
    fn is_level<H: HessianApprox<O>>(&mut self, problem: &O, hessian: &H) -> bool {
        let position = &mut self.position;
        if self.model.built != Built::Here && !position.is_differentiated {
            problem.differentiate(&mut position.current);
            position.is_differentiated = true;
        }
        let noise = problem.rounding_error(&self.position.current);
        let (_, multiplier) = self.reduced_gradient(problem);
        let has_faded = (self.model).has_faded(hessian.mean_eigenvalue() + multiplier);
        self.is_saturated(problem, noise) || has_faded && !self.is_strict_vertex(problem)
    }

    /// What a point is where nothing is left of the scale of the objective.
    pub(super) fn status_on_the_level(&self, problem: &O) -> Status {
        match problem.falls_nowhere(&self.position.current) {
            true => Status::GradientSmall,
            false => Status::Flat,
        }
    }

    /// Whether nothing is left of the gradient, which the pinned kinks and the sphere leave so long, but
    /// rounding errors. Costs a product with A2, and is asked where no step lowers the objective.
    pub(super) fn is_at_rounding(&mut self, problem: &O, gradient_norm: O::Scalar) -> bool {
        let excess = problem.excess(self.position.current.value());
        self.model.step.predicted <= O::Scalar::of(LITTLE_PROMISED) * excess
            && gradient_norm <= problem.gradient_rounding_error(&mut self.position.current)
    }

    /// Whether a step leads far away, along a gradient of nothing but rounding errors: where there is no
    /// curvature either, they would lead to where the objective itself is nothing but rounding errors.
    pub(super) fn is_led_by_rounding(&mut self, problem: &O, gradient_norm: O::Scalar) -> bool {
        let size = reduce::norm(self.position.current.point()).max(O::Scalar::one());
        self.model.step.norm > O::Scalar::of(LONG) * size
            && gradient_norm <= problem.gradient_rounding_error(&mut self.position.current)
    }

    /// Whether pinned kinks leave no direction, and the objective rises, to first order, on both sides of
    /// each, with what the other kinks through the point add: then no curvature is needed.
    fn is_strict_vertex(&mut self, problem: &O) -> bool {
        let subspace = self.position.active_set.subspace();
        if subspace.dimension() > 0 {
            return false;
        }
        let pinned = self.position.active_set.pinned();
        let mut others = kinks_through(problem, &self.position.current);
        others.retain(|kink| !pinned.contains(kink));
        let kinks = [pinned, &others].concat();
        let mut jumps = vec![O::Scalar::zero(); kinks.len()];
        problem.foresee(&mut self.position.current, None);
        problem.slope_jumps(&self.position.current, &kinks, &mut jumps);
        let multipliers = subspace.multipliers(self.position.current.gradient());
        let zero = O::Scalar::zero();
        let mut slopes = vec![zero; problem.kinks()];
        (0..pinned.len()).all(|index| {
            let mut unit = vec![zero; pinned.len()];
            unit[index] = O::Scalar::one();
            let way = subspace.shortest(&unit);
            problem.distance_slopes(&self.position.current, &way, &mut slopes);
            let (mu, jump) = (multipliers[index], jumps[index]);
            let (mut negative, mut positive) = (mu, jump - mu);
            for (&other, &jump) in others.iter().zip(&jumps[pinned.len()..]) {
                // Not 0 · ∞ at a bound.
                match slopes[other] {
                    slope if slope < zero => negative -= jump * slope,
                    slope if slope > zero => positive += jump * slope,
                    _ => {}
                }
            }
            let size = if jump.is_finite() { jump } else { mu };
            let least = O::Scalar::UNIT_ROUNDOFF.sqrt() * size.abs();
            problem.is_fixed(pinned[index]) || negative > least && positive > least
        })
    }

    /// The tests that a step decides. The step is still taken where it lowers the objective.
    pub(super) fn second_order_test(
        &self,
        problem: &O,
        before: &Before<O::Scalar>,
    ) -> Option<Status> {
        let (step, gradient_norm) = (&self.model.step, before.gradient_norm);
        if step.is_newton && step.predicted <= self.negligible(problem, before.noise) {
            return Some(Status::DecrementSmall);
        }
        let first = self.first_gradient_norm.unwrap_or(gradient_norm);
        let small = gradient_norm <= self.tolerances.gradient() * first;
        let exhausted = step.predicted
            <= O::Scalar::of(LITTLE_PROMISED) * problem.excess(self.position.current.value());
        (small && exhausted).then_some(Status::GradientSmall)
    }

    /// How a descent ends after a move along the step, if it does.
    pub(super) fn end_after_a_move(
        &self,
        problem: &O,
        before: &Before<O::Scalar>,
        verdict: &Verdict,
    ) -> Option<Status> {
        let step = &self.model.step;
        // A step over kinks may gain what the model knew nothing of.
        let gained = before.value - self.position.current.value();
        let known = step.predicted + step.predicted;
        let most = known.max(self.negligible(problem, before.noise));
        let end = verdict.end.filter(|_| gained <= most);
        let is_tiny = step.is_newton && step.norm <= before.tiny;
        end.or(is_tiny.then_some(Status::StepSmall))
    }

    /// Whether the objective falls no further, or hardly, where all of it may be there because what it is made of
    /// is known no better.
    pub(super) fn is_within_uncertainty(&self, problem: &O, end: Option<Status>) -> bool {
        let stands = match end {
            None => self.idle > 0,
            Some(Status::Jammed | Status::Stalled) => true,
            Some(end) => end.is_converged() && !end.is_met(),
        };
        stands
            && problem.is_within_uncertainty(&self.position.current, self.position.current.value())
    }

    /// Looks again at an end: the last step may have met the objective, the point be flat, and there may be
    /// a way on.
    pub(super) fn question_end<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        iteration: &mut Iteration<O::Scalar>,
    ) {
        let is_stuck = match iteration.end {
            Some(Status::GradientSmall | Status::DecrementSmall | Status::StepSmall) => false,
            Some(Status::Jammed | Status::Stalled) => true,
            Some(Status::Flat) => return self.leave(problem, hessian, iteration),
            _ => return,
        };
        let noise = problem.rounding_error(&self.position.current);
        if let Some(met) = problem.met(&self.position.current, self.position.current.value(), noise)
        {
            iteration.end = Some(met.into());
            return;
        }
        let is_level = self.is_level(problem, hessian);
        if is_level {
            iteration.end = Some(self.status_on_the_level(problem));
        }
        if is_level || !is_stuck {
            self.leave(problem, hessian, iteration);
        }
    }

    /// Why no damping gave a step: where the model's numbers underflow none can be factored.
    pub(super) fn status_without_step<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &H,
    ) -> Status {
        if !hessian.mean_eigenvalue().is_finite() {
            Status::NonFinite
        } else if self.is_level(problem, hessian) {
            self.status_on_the_level(problem)
        } else {
            Status::Indefinite
        }
    }
}
