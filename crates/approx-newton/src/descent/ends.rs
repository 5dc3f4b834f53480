//! Where a descent ends, and what it says then.

use super::{Buffers, Descent, ModelStep, norm_or_infinity};
use crate::ball;
use crate::termination::Status;
use num_traits::Float;
use twolayer_core::{Evaluation, HessianApprox, Kinked, Scalar};

/// A gradient counts as small only where the model, too, promises at most this part of the value:
/// in a flat valley the gradient is small long before the minimum.
const LITTLE_PROMISED: f64 = 1e-3;
/// A ridge is light up to this part of the model's mean eigenvalue.
pub(crate) const LIGHT_DAMPING: f64 = 1e-4;

impl<O: Kinked> Descent<O> {
    /// A promised decrease that is none.
    pub(super) fn negligible(&self, problem: &O, noise: O::Scalar) -> O::Scalar {
        let excess = problem.excess(self.current.value());
        noise.max(self.tolerances.decrement() * excess)
    }

    /// The norm of the gradient along the directions that pinned kinks and the sphere leave.
    pub(super) fn reduced_gradient_norm(&mut self, problem: &O) -> O::Scalar {
        let Buffers {
            gradient, point, ..
        } = &mut self.buffers;
        let subspace = self.active_set.subspace();
        gradient.copy_from_slice(self.current.gradient());
        subspace.project(gradient);
        if let Some(radius) = problem.radius()
            && ball::is_on_sphere(self.current.point(), radius)
        {
            point.copy_from_slice(self.current.point());
            subspace.project(point);
            ball::remove_outward_pull(point, gradient);
        }
        let norm = norm_or_infinity(gradient);
        self.progress.first_gradient_norm.get_or_insert(norm);
        norm
    }

    /// A gradient of zero where the model has no curvature either says nothing about a minimum.
    pub(super) fn stationary_status<H: HessianApprox<O>>(&self, hessian: &H) -> Status {
        let faded = O::Scalar::UNIT_ROUNDOFF * self.progress.largest_mean_eigenvalue;
        if hessian.mean_eigenvalue() <= faded {
            Status::Flat
        } else {
            Status::GradientSmall
        }
    }

    /// Whether the ridge is too weak for the step to be small by its doing.
    pub(super) fn is_lightly_damped<H: HessianApprox<O>>(&self, hessian: &H) -> bool {
        self.progress.damping.value() <= O::Scalar::of(LIGHT_DAMPING) * hessian.mean_eigenvalue()
    }

    /// The tests that a step decides. The step is still taken where it lowers the objective.
    pub(super) fn second_order_test<H: HessianApprox<O>>(
        &self,
        problem: &O,
        hessian: &H,
        step: &ModelStep<O::Scalar>,
        gradient_norm: O::Scalar,
        noise: O::Scalar,
    ) -> Option<Status> {
        if step.is_newton && step.predicted <= self.negligible(problem, noise) {
            return Some(Status::DecrementSmall);
        }
        let first = self.progress.first_gradient_norm.unwrap_or(gradient_norm);
        let small = gradient_norm <= self.tolerances.gradient() * first;
        let exhausted =
            step.predicted <= O::Scalar::of(LITTLE_PROMISED) * problem.excess(self.current.value());
        (small && exhausted).then(|| self.stationary_status(hessian))
    }

    /// Why no damping gave a step.
    pub(super) fn status_without_step<H: HessianApprox<O>>(&self, hessian: &H) -> Status {
        if hessian.mean_eigenvalue().is_finite() {
            Status::Indefinite
        } else {
            Status::NonFinite
        }
    }
}
