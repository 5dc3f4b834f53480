//! A step that pins and releases many kinks at once.

use crate::active_set::ActiveSet;
use crate::descent::{Descent, Progress, swap};
use crate::search::GOOD_GAIN;
use num_traits::{Float, One};
use std::time::Instant;
use twolayer_core::{Evaluation, HessianApprox, Kinked, Scalar, reduce};

/// From here on the model is trusted more.
const VERY_GOOD_GAIN: f64 = 0.75;
/// A refused step is tried again with so many times the damping.
const GROWTH: f64 = 10.0;
/// A step is worth while that promises this part of what the step along one direction promises.
const WORTHWHILE: f64 = 0.1;
/// Steps tried at one point.
const MOST_TRIES: usize = 3;
/// Iterations to wait after failures, at most.
const LONGEST_PAUSE: u32 = 16;

/// When to try a step with the kinks in the model, and with how much damping. The step along one
/// direction ends where the objective stops falling, at a kink as a rule, whatever its damping, so
/// its damping says little about how far the model can be trusted.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Caution<T> {
    /// ν, where it is more than that of the descent.
    damping: T,
    /// Iterations still to wait.
    left: u32,
    /// Iterations to wait after the next failure, less one.
    next: u32,
}

impl<T: Scalar> Caution<T> {
    /// Nothing has failed yet.
    pub(crate) fn none() -> Self {
        Self {
            damping: T::zero(),
            left: 0,
            next: 0,
        }
    }

    fn lets_pass(&mut self) -> bool {
        let over = self.left == 0;
        self.left = self.left.saturating_sub(1);
        over
    }

    fn succeed(&mut self, damping: T, gain: T) {
        let trusted = gain >= T::of(VERY_GOOD_GAIN);
        self.damping = if trusted {
            damping / T::of(GROWTH)
        } else {
            damping
        };
        (self.left, self.next) = (0, 0);
    }

    fn fail(&mut self, damping: T) {
        self.damping = damping;
        self.left = self.next;
        self.next = (2 * self.next + 1).min(LONGEST_PAUSE);
    }
}

impl<O: Kinked> Descent<O> {
    /// Goes to the minimum of the model with the kinks in it, and is held on those that hold that,
    /// where the objective falls by a fair part of what the model promises. Returns the length of
    /// the move; `None`, and nothing has changed, where no kink holds the point or it does not. A
    /// refused step is tried again with more damping, for as long as it promises a fair part of what
    /// the `plain` step along one direction does.
    pub(crate) fn step_over_kinks<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        noise: O::Scalar,
        plain: O::Scalar,
    ) -> Option<O::Scalar> {
        let suits = !self.active_set.is_empty() && problem.radius().is_none();
        if !suits || !self.progress.caution.lets_pass() {
            return None;
        }
        let clock = Instant::now();
        let moved = self.try_steps_over_kinks(problem, hessian, noise, plain);
        self.seconds.search += clock.elapsed().as_secs_f64();
        moved
    }

    fn try_steps_over_kinks<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        noise: O::Scalar,
        plain: O::Scalar,
    ) -> Option<O::Scalar> {
        let Progress {
            damping, caution, ..
        } = self.progress;
        let mut damping = damping.value().max(caution.damping);
        let worthwhile = O::Scalar::of(WORTHWHILE) * plain.min(self.current.value());
        for _ in 0..MOST_TRIES {
            let model = &mut self.kink_model;
            if !hessian.damped_factor(damping, &mut model.factor, &mut model.residual) {
                break;
            }
            let pinned = self.active_set.pinned();
            let predicted = model.minimize(problem, &mut self.current, pinned);
            let usable = predicted.is_finite() && reduce::all_finite(&model.step);
            if !usable || predicted <= noise || predicted < worthwhile {
                break;
            }
            // A loss does not fall below zero.
            if predicted <= self.current.value()
                && let Some(gain) = self.try_step_over_kinks(problem, predicted)
            {
                self.progress.caution.succeed(damping, gain);
                if damping == self.progress.damping.value() {
                    self.progress.damping.reward(gain);
                }
                return Some(reduce::norm(&self.kink_model.step));
            }
            damping *= O::Scalar::of(GROWTH);
        }
        self.progress.caution.fail(damping / O::Scalar::of(GROWTH));
        None
    }

    /// Takes the step of the model if it is good. Returns the part of the prediction that it gained.
    fn try_step_over_kinks(&mut self, problem: &O, predicted: O::Scalar) -> Option<O::Scalar> {
        let model = &self.kink_model;
        let mut active_set = ActiveSet::new(problem.dimension());
        active_set.pin_only(problem, &model.pinned);
        let point = &mut self.buffers.point;
        point.copy_from_slice(self.current.point());
        reduce::axpy(O::Scalar::one(), &model.step, point);
        active_set.restore(point);
        problem.evaluate(point, active_set.pinned(), &mut self.trial);
        let gain = (self.current.value() - self.trial.value()) / predicted;
        if gain.is_nan() || gain <= O::Scalar::of(GOOD_GAIN) {
            return None;
        }
        swap(self);
        self.flips = self.current.flips_from(&self.trial);
        self.active_set = active_set;
        Some(gain)
    }
}
