//! A step that pins and releases many kinks at once.

use crate::active_set::ActiveSet;
use crate::descent::{Descent, swap};
use num_traits::{Float, One};
use std::time::Instant;
use twolayer_core::{Evaluation, HessianApprox, Kinked, Scalar, reduce};

/// A step is good where the objective falls by this part of the prediction.
const GOOD_GAIN: f64 = 0.25;
/// Iterations to wait after failures, at most.
const LONGEST_PAUSE: u32 = 16;

/// When to try a step with the kinks in the model.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pause {
    /// Iterations still to wait.
    left: u32,
    /// Iterations to wait after the next failure, less one.
    next: u32,
}

impl Pause {
    fn is_over(&mut self) -> bool {
        let over = self.left == 0;
        self.left = self.left.saturating_sub(1);
        over
    }

    fn lengthen(&mut self) {
        self.left = self.next;
        self.next = (2 * self.next + 1).min(LONGEST_PAUSE);
    }
}

impl<O: Kinked> Descent<O> {
    /// Goes to the minimum of the model with the kinks in it, and is held on those that hold that,
    /// where the objective falls by a fair part of what the model promises. Returns the length of
    /// the move; `None`, and nothing has changed, where no kink holds the point or it does not.
    /// The slopes behind the kinks are foreseen for the end of the step without them, which is in
    /// the buffers.
    pub(crate) fn step_over_kinks<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        noise: O::Scalar,
    ) -> Option<O::Scalar> {
        let suits = !self.active_set.is_empty() && problem.radius().is_none();
        if !suits || !self.pause.is_over() {
            return None;
        }
        let clock = Instant::now();
        let moved = self.try_step_over_kinks(problem, hessian, noise);
        match moved {
            Some(_) => self.pause = Pause::default(),
            None => self.pause.lengthen(),
        }
        self.seconds.search += clock.elapsed().as_secs_f64();
        moved
    }

    fn try_step_over_kinks<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        noise: O::Scalar,
    ) -> Option<O::Scalar> {
        let (d, n) = (problem.dimension(), problem.kinks());
        let model = &mut self.kink_model;
        let damping = self.damping.value();
        if !hessian.damped_factor(damping, &mut model.factor, &mut model.residual) {
            return None;
        }
        let all = &mut self.buffers.all_kinks;
        all.clear();
        all.extend(0..n);
        problem.slope_jumps(&mut self.current, &self.buffers.step, all, &mut model.jumps);
        let predicted = model.minimize(problem, &self.current, self.active_set.pinned());
        let usable = predicted.is_finite() && reduce::all_finite(&model.step);
        if !usable || predicted <= noise {
            return None;
        }
        let mut active_set = ActiveSet::new(d);
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
        self.damping.reward(gain);
        swap(self);
        self.flips = self.current.flips_from(&self.trial);
        self.active_set = active_set;
        Some(reduce::norm(&self.kink_model.step))
    }
}
