//! A step that pins and releases many kinks at once.

use crate::active_set::ActiveSet;
use crate::ball;
use crate::damping::{Damping, LIGHT};
use crate::kink_model::{Jumps, KinkModel};
use crate::moves::caution::{Caution, GROWTH};
use crate::position::{Move, Position};
use crate::step::Step;
use twolayer_core::{Evaluation, HessianApprox, Kinked, Scalar, reduce};

/// A step is taken where the objective falls by more than this part of the prediction.
const GOOD_GAIN: f64 = 0.25;
/// A step is worth while that promises this part of what the step along one direction promises.
const WORTHWHILE: f64 = 0.1;
/// Steps tried at one point.
const MOST_TRIES: usize = 3;
/// After every so many idle iterations in a row a step is insisted on.
const INSISTS_AFTER: usize = 8;
/// A step in a ball may stop so far short of the sphere that it costs this part of its promise.
const LITTLE_LEFT_INSIDE: f64 = 0.1;
/// Dampings that are tried at one point: from next to nothing to far above the curvature.
const MOST_INSISTED: usize = 30;

/// The model with the kinks in it, and what has come of its steps.
pub(crate) struct KinkedStep<T> {
    pub(crate) caution: Caution<T>,
    model: KinkModel<T>,
    /// Points (d).
    point: Vec<T>,
    before: Vec<T>,
}

/// What a step over kinks is measured by.
pub(crate) struct Around<'s, T> {
    /// The step that knows of the pinned kinks alone.
    pub(crate) plain: &'s Step<T>,
    /// A decrease that is none.
    pub(crate) noise: T,
}

/// What a step that was insisted on came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Insisted<T> {
    Moved(Move<T>),
    /// The model with the kinks at the point in it has nothing left to promise.
    Stationary,
    /// No step was good, or the model of the Hessian has no factor.
    Failed,
}

impl<T: Scalar> KinkedStep<T> {
    /// Buffers for d unknowns; those of the model come with its first step.
    pub(crate) fn new(d: usize) -> Self {
        Self {
            caution: Caution::none(),
            model: KinkModel::default(),
            point: vec![T::zero(); d],
            before: vec![T::zero(); d],
        }
    }

    /// Makes room for the model, unless there is.
    pub(crate) fn make_room<O: Kinked<Scalar = T>>(&mut self, problem: &O) {
        if problem.kinks() > 0 {
            self.model.make_room(problem.dimension(), problem.kinks());
        }
    }

    /// Goes to the minimum of the model with the kinks in it, and is held on those that hold that,
    /// where the objective falls by a fair part of what the model promises. `None`, and nothing has
    /// changed, where no kink holds the point or it does not. A refused step is tried again with more
    /// damping, for as long as it promises a fair part of what the plain step does. After many
    /// `idle` iterations it is insisted on.
    pub(crate) fn go<O: Kinked<Scalar = T>, H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        position: &mut Position<O>,
        around: &Around<'_, T>,
        damping: &mut Damping<T>,
        idle: usize,
    ) -> Option<Move<T>> {
        if idle > 0 && idle.is_multiple_of(INSISTS_AFTER) {
            return match self.insist(problem, hessian, position, around, damping.value()) {
                Insisted::Moved(moved) => Some(moved),
                Insisted::Stationary | Insisted::Failed => None,
            };
        }
        let is_free =
            position.active_set.is_empty() && !self.leads_out_of_bounds(problem, position, around);
        if is_free || !self.caution.lets_pass() {
            return None;
        }
        let (first, mut own) = (damping.value(), damping.value().max(self.caution.damping));
        let most = problem.most_to_gain(position.current.value());
        let worthwhile = T::of(WORTHWHILE) * around.plain.predicted.min(most);
        for _ in 0..MOST_TRIES {
            let behind = Jumps::BehindTheStep;
            let promise = self.promise(problem, hessian, position, around.plain, own, behind);
            let Some(predicted) = promise else { break };
            if predicted <= around.noise || predicted < worthwhile {
                break;
            }
            if let Some((gain, moved)) = self.take(problem, position, predicted) {
                self.caution.succeed(own, gain);
                if own == first {
                    damping.reward(gain, T::one());
                }
                return Some(moved);
            }
            own *= T::of(GROWTH);
        }
        self.caution.fail(own / T::of(GROWTH));
        None
    }

    /// Goes over the kinks, held on some or not, with as much damping as it takes, at first `damping` or less. With
    /// the jumps at the point the model is right to first order on all sides of it, so that some damping is
    /// enough wherever the point is not stationary (docs/kinks.md).
    pub(crate) fn insist<O: Kinked<Scalar = T>, H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        position: &mut Position<O>,
        around: &Around<'_, T>,
        damping: T,
    ) -> Insisted<T> {
        if problem.kinks() == 0 {
            return Insisted::Failed;
        }
        let light = T::of(LIGHT) * hessian.mean_eigenvalue();
        let mut damping = damping.min(light);
        for _ in 0..MOST_INSISTED {
            let here = Jumps::AtThePoint;
            let promise = self.promise(problem, hessian, position, around.plain, damping, here);
            let Some(predicted) = promise else {
                return Insisted::Failed;
            };
            if predicted <= around.noise {
                return match damping <= light {
                    true => Insisted::Stationary,
                    false => Insisted::Failed,
                };
            }
            if let Some((gain, moved)) = self.take(problem, position, predicted) {
                self.caution.succeed(damping, gain);
                return Insisted::Moved(moved);
            }
            damping *= T::of(GROWTH);
        }
        Insisted::Failed
    }

    /// Minimises the model with the kinks in it over the ball. Returns the decrease that it promises;
    /// `None` where it has no factor or its arithmetic overflowed.
    fn promise<O: Kinked<Scalar = T>, H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        position: &mut Position<O>,
        plain: &Step<T>,
        damping: T,
        jumps: Jumps,
    ) -> Option<T> {
        let mean_eigenvalue = hessian.mean_eigenvalue();
        let mut promise_with = |multiplier: T, jumps: Jumps| {
            let promised = self.minimize(problem, hessian, position, damping, multiplier, jumps)?;
            let norm = match problem.radius() {
                Some(_) => self.norm_at_end(position.current.point()),
                None => T::zero(),
            };
            Some((promised, norm))
        };
        let first = plain.multiplier;
        let (mut promised, norm) = promise_with(first, jumps)?;
        let Some(radius) = problem.radius() else {
            return Some(promised);
        };
        // What is left to the sphere costs μR times it.
        let part = T::of(LITTLE_LEFT_INSIDE) / (radius * radius);
        let (zero, one) = (T::zero(), T::one());
        let mut outside = (first, norm / radius);
        if outside.1 <= one {
            if first * (one - outside.1) <= part * promised {
                return Some(promised);
            }
            let (inside, norm) = promise_with(zero, Jumps::Kept)?;
            promised = inside;
            outside = (zero, norm / radius);
            if outside.1 <= one {
                return Some(promised);
            }
        }
        let guess = if first == zero {
            mean_eigenvalue.max(damping)
        } else if outside.0 == zero {
            first
        } else {
            first + first
        };
        ball::multiplier(outside, guess, |mu| {
            let (inside, norm) = promise_with(mu, Jumps::Kept).ok_or(())?;
            promised = inside;
            Ok::<_, ()>((norm / radius, part * promised / mu))
        })
        .ok()?;
        Some(promised)
    }

    /// The same with the `multiplier` μ of the ball given.
    fn minimize<O: Kinked<Scalar = T>, H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        position: &mut Position<O>,
        damping: T,
        multiplier: T,
        jumps: Jumps,
    ) -> Option<T> {
        let model = &mut self.model;
        if !hessian.damped_factor(damping + multiplier, &mut model.factor, &mut model.residual) {
            return None;
        }
        let pinned = position.active_set.pinned();
        let promised = model.minimize(problem, &mut position.current, multiplier, pinned, jumps);
        let (x, p) = (position.current.point(), &model.step);
        // Without what the multiplier makes of it: μ/2 (‖x + p‖² − ‖x‖²).
        let outward = reduce::dot(x, p) + T::of(0.5) * reduce::dot(p, p);
        let predicted = promised + multiplier * outward;
        (predicted.is_finite() && reduce::all_finite(p)).then_some(predicted)
    }

    /// ‖x + p‖ for the step of the model.
    fn norm_at_end(&mut self, x: &[T]) -> T {
        self.point.copy_from_slice(x);
        reduce::axpy(T::one(), &self.model.step, &mut self.point);
        reduce::norm(&self.point)
    }

    /// Whether the end of the plain step lies beyond a bound, by more than its rounding.
    fn leads_out_of_bounds<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        position: &Position<O>,
        around: &Around<'_, T>,
    ) -> bool {
        if problem.first_bound() == problem.kinks() {
            return false;
        }
        let Self { point, before, .. } = self;
        around.plain.end(position.current.point(), point);
        before.copy_from_slice(point);
        problem.confine(&[], point);
        !is_near(before, point)
    }

    /// Takes the step of the model if it is good. Returns the part of the prediction that it gained, and the
    /// move.
    fn take<O: Kinked<Scalar = T>>(
        &mut self,
        problem: &O,
        position: &mut Position<O>,
        predicted: T,
    ) -> Option<(T, Move<T>)> {
        if predicted > problem.most_to_gain(position.current.value()) {
            return None;
        }
        let Self {
            model,
            point,
            before,
            ..
        } = self;
        point.copy_from_slice(position.current.point());
        reduce::axpy(T::one(), &model.step, point);
        let mut active_set = ActiveSet::new(problem.dimension());
        active_set.pin_only(problem, &position.current, &model.pinned);
        active_set.restore(point);
        if let Some(radius) = problem.radius()
            // By more than rounding it would leave the kinks.
            && !ball::is_inside(point, radius)
        {
            return None;
        }
        if problem.first_bound() < problem.kinks() {
            if !bring_within_bounds(problem, &active_set, point, before) {
                return None;
            }
        } else {
            problem.confine(active_set.pinned(), point);
        }
        problem.evaluate(point, active_set.pinned(), &mut position.trial);
        let gain = (position.current.value() - position.trial.value()) / predicted;
        if gain.is_nan() || gain <= T::of(GOOD_GAIN) {
            return None;
        }
        position.swap();
        position.active_set = active_set;
        position.active_set.follow(problem, &position.current);
        let moved = Move {
            length: reduce::norm(&model.step),
            fraction: T::zero(),
            flips: position.current.flips_from(&position.trial),
        };
        Some((gain, moved))
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
