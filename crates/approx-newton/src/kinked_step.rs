//! A step that pins and releases many kinks at once.

use crate::active_set::ActiveSet;
use crate::ball;
use crate::descent::{Buffers, Descent, LIGHT_DAMPING, ModelStep, Progress, swap};
use crate::kink_model::Jumps;
use crate::search::GOOD_GAIN;
use num_traits::{Float, One, Zero};
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
/// After every so many idle iterations in a row a step is insisted on.
const INSISTS_AFTER: usize = 8;
/// A step in a ball may stop so far short of the sphere that it costs this part of its promise.
const LITTLE_LEFT_INSIDE: f64 = 0.1;
/// Dampings that are tried at one point: from next to nothing to far above the curvature.
const MOST_INSISTED: usize = 30;

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

/// What a step that was insisted on came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Insisted<T> {
    /// The length of the move.
    Moved(T),
    /// The model with the kinks at the point in it has nothing left to promise.
    Stationary,
    /// No step was good, or the model of the Hessian has no factor.
    Failed,
}

impl<O: Kinked> Descent<O> {
    /// Goes to the minimum of the model with the kinks in it, and is held on those that hold that,
    /// where the objective falls by a fair part of what the model promises. Returns the length of
    /// the move; `None`, and nothing has changed, where no kink holds the point or it does not. A
    /// refused step is tried again with more damping, for as long as it promises a fair part of what
    /// the `plain` step along one direction does. After many idle iterations it is insisted on.
    pub(crate) fn step_over_kinks<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        noise: O::Scalar,
        plain: &ModelStep<O::Scalar>,
    ) -> Option<O::Scalar> {
        let idle = self.progress.idle;
        if idle > 0 && idle.is_multiple_of(INSISTS_AFTER) {
            return match self.insist_on_kinks(problem, hessian, noise, plain) {
                Insisted::Moved(length) => Some(length),
                Insisted::Stationary | Insisted::Failed => None,
            };
        }
        let is_free = self.active_set.is_empty() && !self.leads_out_of_bounds(problem);
        if is_free || !self.progress.caution.lets_pass() {
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
        plain: &ModelStep<O::Scalar>,
    ) -> Option<O::Scalar> {
        let Progress {
            damping, caution, ..
        } = self.progress;
        let mut damping = damping.value().max(caution.damping);
        let worthwhile = O::Scalar::of(WORTHWHILE)
            * plain
                .predicted
                .min(problem.most_to_gain(self.current.value()));
        for _ in 0..MOST_TRIES {
            let promise =
                self.promise_of_kinks(problem, hessian, damping, plain, Jumps::BehindTheStep);
            let Some(predicted) = promise else { break };
            if predicted <= noise || predicted < worthwhile {
                break;
            }
            if let Some(gain) = self.try_step_over_kinks(problem, predicted) {
                self.progress.caution.succeed(damping, gain);
                if damping == self.progress.damping.value() {
                    self.progress.damping.reward(gain, O::Scalar::one());
                }
                return Some(reduce::norm(&self.kink_model.step));
            }
            damping *= O::Scalar::of(GROWTH);
        }
        self.progress.caution.fail(damping / O::Scalar::of(GROWTH));
        None
    }

    /// Goes over the kinks, held on some or not, with as much damping as it takes. With the jumps at
    /// the point the model is right to first order on all sides of it, so that some damping is
    /// enough wherever the point is not stationary (docs/kinks.md).
    pub(crate) fn insist_on_kinks<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        noise: O::Scalar,
        plain: &ModelStep<O::Scalar>,
    ) -> Insisted<O::Scalar> {
        let clock = Instant::now();
        let outcome = self.insist(problem, hessian, noise, plain);
        self.seconds.search += clock.elapsed().as_secs_f64();
        outcome
    }

    fn insist<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        noise: O::Scalar,
        plain: &ModelStep<O::Scalar>,
    ) -> Insisted<O::Scalar> {
        if problem.kinks() == 0 {
            return Insisted::Failed;
        }
        let light = O::Scalar::of(LIGHT_DAMPING) * hessian.mean_eigenvalue();
        let mut damping = self.progress.damping.value().min(light);
        for _ in 0..MOST_INSISTED {
            let promise =
                self.promise_of_kinks(problem, hessian, damping, plain, Jumps::AtThePoint);
            let Some(predicted) = promise else {
                return Insisted::Failed;
            };
            if predicted <= noise {
                return match damping <= light {
                    true => Insisted::Stationary,
                    false => Insisted::Failed,
                };
            }
            if let Some(gain) = self.try_step_over_kinks(problem, predicted) {
                self.progress.caution.succeed(damping, gain);
                return Insisted::Moved(reduce::norm(&self.kink_model.step));
            }
            damping *= O::Scalar::of(GROWTH);
        }
        Insisted::Failed
    }

    /// Minimises the model with the kinks in it over the ball. Returns the decrease that it promises;
    /// `None` where it has no factor or its arithmetic overflowed.
    fn promise_of_kinks<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        damping: O::Scalar,
        plain: &ModelStep<O::Scalar>,
        jumps: Jumps,
    ) -> Option<O::Scalar> {
        let first = plain.multiplier;
        let mut promised = self.promise_with(problem, hessian, damping, first, jumps)?;
        let Some(radius) = problem.radius() else {
            return Some(promised);
        };
        // What is left to the sphere costs μR times it.
        let part = O::Scalar::of(LITTLE_LEFT_INSIDE) / (radius * radius);
        let (zero, one) = (O::Scalar::zero(), O::Scalar::one());
        let mut outside = (first, self.norm_behind_kinks() / radius);
        if outside.1 <= one {
            if first * (one - outside.1) <= part * promised {
                return Some(promised);
            }
            promised = self.promise_with(problem, hessian, damping, zero, Jumps::Kept)?;
            outside = (zero, self.norm_behind_kinks() / radius);
            if outside.1 <= one {
                return Some(promised);
            }
        }
        let guess = if first == zero {
            hessian.mean_eigenvalue().max(damping)
        } else if outside.0 == zero {
            first
        } else {
            first + first
        };
        ball::multiplier(outside, guess, |mu| {
            promised = self
                .promise_with(problem, hessian, damping, mu, Jumps::Kept)
                .ok_or(())?;
            Ok::<_, ()>((self.norm_behind_kinks() / radius, part * promised / mu))
        })
        .ok()?;
        Some(promised)
    }

    /// The same with the `multiplier` μ of the ball given.
    fn promise_with<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        damping: O::Scalar,
        multiplier: O::Scalar,
        jumps: Jumps,
    ) -> Option<O::Scalar> {
        let model = &mut self.kink_model;
        if !hessian.damped_factor(damping + multiplier, &mut model.factor, &mut model.residual) {
            return None;
        }
        let pinned = self.active_set.pinned();
        let promised = model.minimize(problem, &mut self.current, multiplier, pinned, jumps);
        let (x, p) = (self.current.point(), &model.step);
        // Without what the multiplier makes of it: μ/2 (‖x + p‖² − ‖x‖²).
        let outward = reduce::dot(x, p) + O::Scalar::of(0.5) * reduce::dot(p, p);
        let predicted = promised + multiplier * outward;
        (predicted.is_finite() && reduce::all_finite(p)).then_some(predicted)
    }

    /// ‖x + p‖ for the step of the model.
    fn norm_behind_kinks(&mut self) -> O::Scalar {
        let point = &mut self.buffers.point;
        point.copy_from_slice(self.current.point());
        reduce::axpy(O::Scalar::one(), &self.kink_model.step, point);
        reduce::norm(point)
    }

    /// Whether the end of the plain step lies beyond a bound, by more than its rounding.
    fn leads_out_of_bounds(&mut self, problem: &O) -> bool {
        if problem.first_bound() == problem.kinks() {
            return false;
        }
        let Buffers {
            step,
            point,
            gradient: before,
            ..
        } = &mut self.buffers;
        point.copy_from_slice(self.current.point());
        reduce::axpy(O::Scalar::one(), step, point);
        before.copy_from_slice(point);
        problem.confine(&[], point);
        !is_near(before, point)
    }

    /// Takes the step of the model if it is good. Returns the part of the prediction that it gained.
    fn try_step_over_kinks(&mut self, problem: &O, predicted: O::Scalar) -> Option<O::Scalar> {
        if predicted > problem.most_to_gain(self.current.value()) {
            return None;
        }
        let model = &self.kink_model;
        let point = &mut self.buffers.point;
        point.copy_from_slice(self.current.point());
        reduce::axpy(O::Scalar::one(), &model.step, point);
        let mut active_set = ActiveSet::new(problem.dimension());
        active_set.pin_only(problem, &self.current, &model.pinned);
        active_set.restore(point);
        if let Some(radius) = problem.radius()
            // By more than rounding it would leave the kinks.
            && !ball::is_inside(point, radius)
        {
            return None;
        }
        if problem.first_bound() < problem.kinks() {
            let before = &mut self.buffers.gradient;
            if !bring_within_bounds(problem, &active_set, point, before) {
                return None;
            }
        } else {
            problem.confine(active_set.pinned(), point);
        }
        problem.evaluate(point, active_set.pinned(), &mut self.trial);
        let gain = (self.current.value() - self.trial.value()) / predicted;
        if gain.is_nan() || gain <= O::Scalar::of(GOOD_GAIN) {
            return None;
        }
        swap(self);
        self.flips = self.current.flips_from(&self.trial);
        self.active_set = active_set;
        self.active_set.follow(problem, &self.current);
        Some(gain)
    }
}

/// Moves a point that is held on the kinks of `active_set` within the bounds, where rounding has put it
/// outside. Returns false where that takes more than rounding. `before` is scratch.
fn bring_within_bounds<O: Kinked>(
    problem: &O,
    active_set: &ActiveSet<O::Scalar>,
    point: &mut [O::Scalar],
    before: &mut [O::Scalar],
) -> bool {
    /// Each puts the point back onto kinks that it has left for the bounds.
    const MOST_ROUNDS: usize = 3;
    for _ in 0..MOST_ROUNDS {
        before.copy_from_slice(point);
        problem.confine(active_set.pinned(), point);
        if is_near(before, point) {
            return true;
        }
        active_set.restore(point);
    }
    false
}

/// Whether rounding may have made the difference of two points.
fn is_near<T: Scalar>(x: &[T], y: &[T]) -> bool {
    const ROUNDOFFS: f64 = 64.0;
    let apart = reduce::sum_of(x.len(), |i| (x[i] - y[i]).to_f64().powi(2)).sqrt();
    apart <= (T::of(ROUNDOFFS) * T::UNIT_ROUNDOFF * reduce::norm(y)).to_f64()
}
