//! The model of the objective at the present point, and its damped minimiser.

use super::{Buffers, Descent};
use crate::ball;
use crate::damping::Damping;
use num_traits::{Float, Zero};
use std::mem;
use std::time::Instant;
use twolayer_core::{Evaluation, HessianApprox, Kinked, Scalar, reduce};

/// Whether H̃ belongs to the present point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// There is none yet, and no damping that suits it.
    Missing,
    Outdated,
    Current,
}

/// A damped step of the model; the step itself is in [`Buffers`].
pub(crate) struct ModelStep<T> {
    /// The decrease that the model promises.
    pub(crate) predicted: T,
    pub(crate) norm: T,
    /// Of the constraint ‖x‖ ≤ R.
    pub(crate) multiplier: T,
    /// Whether the ridge is weaker than the curvature along the step: only then is a small step
    /// the model's doing and not the ridge's.
    pub(crate) is_newton: bool,
}

impl<O: Kinked> Descent<O> {
    /// Gradient and H̃ at the present point. Returns the rows used.
    pub(super) fn build_model<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
    ) -> usize {
        if !mem::take(&mut self.is_differentiated) {
            timed(&mut self.seconds.evaluate, || {
                hessian.differentiate(problem, &mut self.current)
            });
        }
        let rows = timed(&mut self.seconds.build, || {
            hessian.build(problem, &self.current)
        });
        let mean_eigenvalue = hessian.mean_eigenvalue();
        let largest = self.progress.largest_mean_eigenvalue;
        // Also where all models so far had next to no curvature, off a plateau or out of a cell in which
        // every unit is off: a damping that was measured by them is none.
        let is_first = largest <= O::Scalar::UNIT_ROUNDOFF * mean_eigenvalue;
        if self.model == Model::Missing || is_first {
            self.progress.damping = Damping::new(self.progress.initial_damping, mean_eigenvalue);
        }
        self.progress.largest_mean_eigenvalue = largest.max(mean_eigenvalue);
        self.progress.damping.keep_above_noise(mean_eigenvalue);
        self.model = Model::Current;
        rows
    }

    /// Fills `buffers.step`, with ever more damping until the model is positive definite. `None`
    /// where no damping makes it so.
    pub(super) fn damped_step<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
    ) -> Option<ModelStep<O::Scalar>> {
        const MOST_TRIES: usize = 60;
        let clock = Instant::now();
        let mut found = None;
        for _ in 0..MOST_TRIES {
            found = self.try_damped_step(problem, hessian);
            if found.is_some() {
                break;
            }
            self.progress.damping.punish();
        }
        self.seconds.step += clock.elapsed().as_secs_f64();
        found
    }

    fn try_damped_step<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
    ) -> Option<ModelStep<O::Scalar>> {
        let damping = self.progress.damping.value();
        let Buffers {
            step,
            product,
            point,
            ..
        } = &mut self.buffers;
        let at = &self.current;
        let x = at.point();
        let subspace = self.active_set.subspace();
        let multiplier =
            ball::damped_step(problem, at, hessian, damping, subspace, step, point).ok()?;
        hessian.apply(problem, at, step, product);
        let (curvature, norm) = (reduce::dot(step, product), reduce::norm(step));
        // −gᵀp − ½pᵀH̃p without its cancellation: (H̃ + (ν + μ)I) p = −(g + μx).
        let predicted = O::Scalar::of(0.5) * curvature
            + (damping + multiplier) * norm * norm
            + multiplier * reduce::dot(x, step);
        let slack = problem
            .radius()
            .map_or(O::Scalar::zero(), |radius| ball::slack(multiplier, radius));
        let usable = predicted >= -slack && norm.is_finite();
        let is_newton = damping * norm * norm <= curvature;
        usable.then_some(ModelStep {
            predicted: predicted.max(O::Scalar::zero()),
            norm,
            multiplier,
            is_newton,
        })
    }
}

/// Runs `work` and adds its time.
fn timed<R>(seconds: &mut f64, work: impl FnOnce() -> R) -> R {
    let clock = Instant::now();
    let result = work();
    *seconds += clock.elapsed().as_secs_f64();
    result
}
