//! The model of the objective at the present point, and its damped minimiser.

use crate::ball;
use crate::damping::{Damping, LIGHT};
use crate::position::Position;
use crate::solution::PhaseSeconds;
use crate::step::Step;
use std::mem;
use std::time::Instant;
use twolayer_core::{Evaluation, HessianApprox, Kinked, Scalar, reduce};

/// Whether H̃ belongs to the present point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Built {
    /// There is none yet, and no damping that suits it.
    Never,
    Elsewhere,
    Here,
}

/// gᵀp + ½ pᵀ(H̃ + νI)p, its damping, and the step that it proposes.
pub(crate) struct LocalModel<T> {
    pub(crate) built: Built,
    pub(crate) damping: Damping<T>,
    /// ν of the first model, in units of its mean eigenvalue.
    pub(crate) initial_damping: f64,
    pub(crate) largest_mean_eigenvalue: T,
    pub(crate) step: Step<T>,
    /// H̃ p (d).
    product: Vec<T>,
    /// Of d.
    scratch: Vec<T>,
}

impl<T: Scalar> LocalModel<T> {
    /// Buffers for d unknowns.
    pub(crate) fn new(d: usize) -> Self {
        Self {
            built: Built::Never,
            // Until there is a model to measure it by.
            damping: Damping::new(1.0, T::one()),
            initial_damping: 1.0,
            largest_mean_eigenvalue: T::zero(),
            step: Step::new(d),
            product: vec![T::zero(); d],
            scratch: vec![T::zero(); d],
        }
    }

    /// Forgets all, for a descent that begins with so much damping.
    pub(crate) fn begin(&mut self, initial_damping: f64) {
        self.built = Built::Never;
        self.damping = Damping::new(1.0, T::one());
        self.initial_damping = initial_damping;
        self.largest_mean_eigenvalue = T::zero();
    }

    /// Takes note that the point, or its gradient, is another one.
    pub(crate) fn outdate(&mut self) {
        self.built = Built::Elsewhere;
    }

    /// Gradient and H̃ at the present point, unless they are there. Returns the rows used.
    pub(crate) fn build<O: Kinked<Scalar = T>, H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        position: &mut Position<O>,
        seconds: &mut PhaseSeconds,
    ) -> usize {
        if self.built == Built::Here {
            return 0;
        }
        if !mem::take(&mut position.is_differentiated) {
            timed(&mut seconds.evaluate, || {
                hessian.differentiate(problem, &mut position.current)
            });
        }
        let rows = timed(&mut seconds.build, || {
            hessian.build(problem, &position.current)
        });
        let mean_eigenvalue = hessian.mean_eigenvalue();
        let largest = self.largest_mean_eigenvalue;
        // Also where all models so far had next to no curvature, off a plateau or out of a cell in which
        // every unit is off: a damping that was measured by them is none.
        let is_first = largest <= T::UNIT_ROUNDOFF * mean_eigenvalue;
        if self.built == Built::Never || is_first {
            self.damping = Damping::new(self.initial_damping, mean_eigenvalue);
        }
        self.largest_mean_eigenvalue = largest.max(mean_eigenvalue);
        self.damping.keep_above_noise(mean_eigenvalue);
        self.built = Built::Here;
        rows
    }

    /// Proposes a step, with ever more damping until the model is positive definite. Returns false
    /// where no damping makes it so.
    pub(crate) fn propose<O: Kinked<Scalar = T>, H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        position: &Position<O>,
    ) -> bool {
        const MOST_TRIES: usize = 60;
        for _ in 0..MOST_TRIES {
            if self.try_to_propose(problem, hessian, position) {
                return true;
            }
            self.damping.punish();
        }
        false
    }

    fn try_to_propose<O: Kinked<Scalar = T>, H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        position: &Position<O>,
    ) -> bool {
        let Self {
            step,
            product,
            scratch,
            ..
        } = self;
        let damping = self.damping.value();
        let (at, subspace) = (&position.current, position.active_set.subspace());
        let (x, p) = (at.point(), &mut step.p);
        let solved = ball::damped_step(problem, at, hessian, damping, subspace, p, scratch);
        let Ok(multiplier) = solved else { return false };
        hessian.apply(problem, at, p, product);
        let (curvature, norm) = (reduce::dot(p, product), reduce::norm(p));
        // −gᵀp − ½pᵀH̃p without its cancellation: (H̃ + (ν + μ)I) p = −(g + μx).
        let predicted = T::of(0.5) * curvature
            + (damping + multiplier) * norm * norm
            + multiplier * reduce::dot(x, p);
        let slack = problem
            .radius()
            .map_or(T::zero(), |radius| ball::slack(multiplier, radius));
        step.predicted = predicted.max(T::zero());
        step.norm = norm;
        step.multiplier = multiplier;
        step.is_newton = damping * norm * norm <= curvature;
        predicted >= -slack && norm.is_finite()
    }

    /// gradient ← that of the model at the end of its step, with the sphere's `multiplier`: what is left of it, but
    /// for the ridge along the step, lies in the span of the pinned normals.
    pub(crate) fn gradient_at_end<O: Kinked<Scalar = T>>(
        &self,
        position: &Position<O>,
        multiplier: T,
        gradient: &mut [T],
    ) {
        gradient.copy_from_slice(position.current.gradient());
        reduce::axpy(T::one(), &self.product, gradient);
        reduce::axpy(multiplier, position.current.point(), gradient);
    }

    /// Proposes to stay.
    pub(crate) fn propose_nothing(&mut self) {
        self.step.p.fill(T::zero());
        self.product.fill(T::zero());
    }

    /// Takes note of a curvature of the objective that a convex model sees nothing of, and is to go on from.
    pub(crate) fn learn_of_a_bend(&mut self, size: T) {
        self.damping = Damping::new(1.0, self.damping.value().max(size));
        self.largest_mean_eigenvalue = self.largest_mean_eigenvalue.max(size);
    }

    /// Whether a `curvature` is none, so little of what there was that it is noise, or so little that its square
    /// underflows.
    pub(crate) fn has_faded(&self, curvature: T) -> bool {
        let faded = T::UNIT_ROUNDOFF * self.largest_mean_eigenvalue;
        let underflowing = T::min_positive_value() / T::UNIT_ROUNDOFF.sqrt();
        curvature.is_nan() || curvature <= faded.max(underflowing)
    }

    /// Whether the ridge is too weak for the step to be small by its doing.
    pub(crate) fn is_lightly_damped(&self, mean_eigenvalue: T) -> bool {
        self.damping.value() <= T::of(LIGHT) * mean_eigenvalue
    }
}

/// Runs `work` and adds its time.
pub(crate) fn timed<R>(seconds: &mut f64, work: impl FnOnce() -> R) -> R {
    let clock = Instant::now();
    let result = work();
    *seconds += clock.elapsed().as_secs_f64();
    result
}
