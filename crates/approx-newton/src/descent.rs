//! The descent on one objective: linearise, damp, release or follow the kinks, accept or refuse.

mod ends;
mod model_step;
mod renewal;
mod ways_on;

pub(crate) use ends::LIGHT_DAMPING;
use model_step::Model;
pub(crate) use model_step::ModelStep;

use crate::active_set::{ActiveSet, Release};
use crate::damping::Damping;
use crate::kink_model::KinkModel;
use crate::kinked_step::Caution;
use crate::search::{MOST_PLACES, Place};
use crate::solution::PhaseSeconds;
use crate::termination::{Status, Tolerances};
use num_traits::{Float, One, Zero};
use std::mem;
use twolayer_core::{Crossing, Evaluation, HessianApprox, Kinked, Scalar, reduce};

/// An iterate with what the next iteration needs to know.
///
/// The objective and the model of its Hessian are handed to [`Descent::iterate`]: the same buffers
/// serve every objective of one shape.
pub(crate) struct Descent<O: Kinked> {
    pub(crate) tolerances: Tolerances<O::Scalar>,
    pub(crate) current: O::Evaluation,
    pub(crate) trial: O::Evaluation,
    pub(crate) active_set: ActiveSet<O::Scalar>,
    pub(crate) progress: Progress<O::Scalar>,
    pub(crate) seconds: PhaseSeconds,
    pub(crate) buffers: Buffers<O::Scalar>,
    pub(crate) kink_model: KinkModel<O::Scalar>,
    model: Model,
    /// Kinks crossed by the last move.
    pub(crate) flips: usize,
    /// Whether the search has left the present point differentiated.
    pub(crate) is_differentiated: bool,
}

/// What the descent has learnt on its way, and is not told by its point.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Progress<T> {
    pub(crate) damping: Damping<T>,
    /// ν of the first model, in units of its mean eigenvalue.
    initial_damping: f64,
    first_gradient_norm: Option<T>,
    largest_mean_eigenvalue: T,
    /// Iterations in a row that gained little.
    pub(crate) idle: usize,
    /// Stationary points left along negative curvature or over a kink.
    escapes: usize,
    pub(crate) caution: Caution<T>,
    /// Whether the last step that was looked for by values was taken in full.
    pub(crate) takes_full_steps: bool,
}

pub(crate) struct Buffers<T> {
    pub(crate) step: Vec<T>,
    /// H̃ p.
    product: Vec<T>,
    pub(crate) gradient: Vec<T>,
    pub(crate) point: Vec<T>,
    pub(crate) slopes: Vec<T>,
    pub(crate) crossings: Vec<Crossing<T>>,
    pub(crate) pinned: Vec<usize>,
    /// Places on the step that a search by values looks at, how far along they are, and the values
    /// there.
    pub(crate) places: Vec<Place<T>>,
    pub(crate) fractions: Vec<T>,
    pub(crate) values: Vec<T>,
}

/// What one iteration did.
pub(crate) struct Iteration<T> {
    pub(crate) gradient_norm: T,
    pub(crate) step_norm: T,
    pub(crate) damping: T,
    pub(crate) flips: usize,
    pub(crate) rows_used: usize,
    /// How the descent ended, if it did.
    pub(crate) end: Option<Status>,
}

/// Pinned kinks are questioned where their subspace promises less than this part of the value.
const LITTLE_LEFT: f64 = 0.7;
/// An iteration is idle where it gains less than this part of the value.
const IDLE_GAIN: f64 = 0.03;
/// Stationary points that a descent leaves, along negative curvature or over a kink.
const MOST_ESCAPES: usize = 8;
/// A descent without patience ends after so many idle iterations in a row.
const PATIENCE: usize = 5;

impl<O: Kinked> Descent<O> {
    /// A descent that stands nowhere yet: [`Descent::start_at`] follows.
    pub(crate) fn new(objective: &O, tolerances: Tolerances<O::Scalar>) -> Self {
        let d = objective.dimension();
        let zeros = |length| vec![O::Scalar::zero(); length];
        Self {
            tolerances,
            current: objective.new_evaluation(),
            trial: objective.new_evaluation(),
            active_set: ActiveSet::new(d),
            progress: Progress::new(1.0),
            seconds: PhaseSeconds::default(),
            buffers: Buffers {
                step: zeros(d),
                product: zeros(d),
                gradient: zeros(d),
                point: zeros(d),
                slopes: zeros(objective.kinks()),
                crossings: Vec::with_capacity(objective.kinks()),
                pinned: Vec::with_capacity(d),
                places: Vec::with_capacity(MOST_PLACES),
                fractions: Vec::with_capacity(MOST_PLACES),
                values: Vec::with_capacity(MOST_PLACES),
            },
            kink_model: KinkModel::default(),
            model: Model::Missing,
            flips: 0,
            is_differentiated: false,
        }
    }

    /// Evaluates `problem` at `x` and begins there, held on the kinks `pinned` that x lies on, with
    /// `initial_damping` in units of the model's mean eigenvalue.
    pub(crate) fn start_at(
        &mut self,
        problem: &O,
        x: &[O::Scalar],
        pinned: &[usize],
        initial_damping: f64,
    ) {
        problem.evaluate(x, pinned, &mut self.current);
        self.begin(problem, pinned, initial_damping);
    }

    /// Begins at the trial point, which was evaluated with no kink held.
    pub(crate) fn start_at_trial(&mut self, problem: &O, initial_damping: f64) {
        swap(self);
        self.begin(problem, &[], initial_damping);
    }

    fn begin(&mut self, problem: &O, pinned: &[usize], initial_damping: f64) {
        self.active_set.pin_only(problem, &self.current, pinned);
        self.model = Model::Missing;
        self.progress = Progress::new(initial_damping);
        self.is_differentiated = false;
    }

    /// One iteration on `problem`. Without patience the descent also ends where it only creeps; with
    /// it, it does not end in a saddle that it sees a way out of.
    pub(crate) fn iterate<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        patient: bool,
    ) -> Iteration<O::Scalar> {
        let mut iteration = self.iterate_once(problem, hessian, patient);
        if self.is_within_uncertainty(problem, iteration.end) {
            iteration.end = Some(Status::MeetsTarget);
        }
        if patient {
            if matches!(iteration.end, Some(Status::Jammed | Status::Stalled)) {
                self.unjam(problem, hessian, &mut iteration);
            }
            self.question_end(problem, hessian, &mut iteration);
        }
        iteration
    }

    fn iterate_once<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        patient: bool,
    ) -> Iteration<O::Scalar> {
        let mut iteration = Iteration::nothing();
        let value = self.current.value();
        let noise = problem.rounding_error(&self.current);
        if let Some(met) = problem.met(&self.current, value, noise) {
            return iteration.ending(met.into());
        }
        // Not before: a target that its warm start meets is never iterated on.
        if problem.kinks() > 0 {
            self.kink_model
                .make_room(problem.dimension(), problem.kinks());
        }
        if self.model != Model::Current {
            iteration.rows_used = self.build_model(problem, hessian);
        }
        let (gradient_norm, multiplier) = self.reduced_gradient(problem);
        iteration.gradient_norm = gradient_norm;
        iteration.damping = self.progress.damping.value();
        if !iteration.gradient_norm.is_finite() {
            return iteration.ending(Status::NonFinite);
        }
        if patient && self.is_saturated(problem, noise) {
            return iteration.ending(Status::Flat);
        }
        if gradient_norm == O::Scalar::zero() {
            iteration.end = self.question_kinks(problem, multiplier);
            return iteration;
        }
        let Some(step) = self.damped_step(problem, hessian) else {
            return iteration.ending(self.status_without_step(problem, hessian));
        };
        iteration.damping = self.progress.damping.value();
        if self.is_led_by_rounding(problem, &step, gradient_norm) {
            return iteration.ending(Status::Flat);
        }
        if let Some(moved) = self.step_over_kinks(problem, hessian, noise, &step) {
            iteration.step_norm = moved;
            iteration.flips = self.flips;
            self.model = Model::Outdated;
            self.count_idle(problem, value);
            if !patient && self.progress.idle == PATIENCE {
                iteration.end = Some(Status::Stalled);
            }
            return iteration;
        }
        let mut release = Release::AllHold;
        if step.predicted <= O::Scalar::of(LITTLE_LEFT) * problem.excess(value) {
            release = self.release_a_kink(problem, step.multiplier);
            if matches!(release, Release::Released { .. }) {
                return iteration;
            }
        }
        let mut end = self.second_order_test(problem, &step, iteration.gradient_norm, noise);
        if release == Release::Barred && end.is_some() {
            end = Some(Status::Jammed);
        }
        let tiny = self.tolerances.step() * reduce::norm(self.current.point());
        match self.search(problem, &step) {
            Some(moved) => {
                iteration.step_norm = moved;
                iteration.flips = self.flips;
                self.model = Model::Outdated;
                self.count_idle(problem, value);
                // A step over kinks may gain what the model knew nothing of.
                let gained = value - self.current.value();
                let known = step.predicted + step.predicted;
                let end = end.filter(|_| gained <= known.max(self.negligible(problem, noise)));
                iteration.end = end;
                if end.is_none() && step.is_newton && step.norm <= tiny {
                    iteration.end = Some(Status::StepSmall);
                } else if end.is_none() && !patient && self.progress.idle == PATIENCE {
                    iteration.end = Some(Status::Stalled);
                }
            }
            None if end.is_some() => iteration.end = end,
            None if self.pin_where_it_stands(problem) => self.model = Model::Outdated,
            // A gradient of rounding errors, in a direction without curvature.
            None if step.predicted <= noise && self.is_lightly_damped(hessian) => {
                iteration.end = Some(match release {
                    Release::Barred => Status::Jammed,
                    _ => Status::DecrementSmall,
                });
            }
            None if self.is_at_rounding(problem, &step, iteration.gradient_norm) => {
                iteration.end = Some(match release {
                    Release::Barred => Status::Jammed,
                    _ => Status::GradientSmall,
                });
            }
            None if step.norm <= tiny.max(O::Scalar::min_positive_value()) => {
                iteration.end = Some(match release {
                    Release::AllHold if step.is_newton => Status::StepSmall,
                    _ => Status::Stalled,
                });
            }
            None => self.progress.damping.punish(),
        }
        iteration
    }

    /// Counts iterations in a row that gain little on the `value` before.
    fn count_idle(&mut self, problem: &O, value: O::Scalar) {
        let gained = value - self.current.value();
        self.progress.idle = if gained < O::Scalar::of(IDLE_GAIN) * problem.excess(value) {
            self.progress.idle + 1
        } else {
            0
        };
    }

    /// Releases the pinned kink that the model objects to most, if there is one.
    fn release_a_kink(&mut self, problem: &O, multiplier: O::Scalar) -> Release {
        if self.active_set.is_empty() {
            return Release::AllHold;
        }
        let Buffers {
            step,
            product,
            gradient,
            ..
        } = &mut self.buffers;
        // The model's gradient at its minimiser over the subspace; what is left of it, but for
        // the ridge along the step, lies in the span of the pinned normals.
        gradient.copy_from_slice(self.current.gradient());
        reduce::axpy(O::Scalar::one(), product, gradient);
        reduce::axpy(multiplier, self.current.point(), gradient);
        let release = self
            .active_set
            .release(problem, &mut self.current, step, gradient);
        if let Release::Released { kink, positive } = release {
            problem.choose_side(&mut self.current, kink, positive);
            self.model = Model::Outdated;
        }
        release
    }
}

impl<T: Scalar> Progress<T> {
    fn new(initial_damping: f64) -> Self {
        Self {
            // Until there is a model to measure it by.
            damping: Damping::new(1.0, T::one()),
            initial_damping,
            first_gradient_norm: None,
            largest_mean_eigenvalue: T::zero(),
            idle: 0,
            escapes: 0,
            caution: Caution::none(),
            takes_full_steps: true,
        }
    }
}

impl<T: Scalar> Iteration<T> {
    /// The record of the start.
    pub(crate) fn nothing() -> Self {
        let zero = T::zero();
        let (gradient_norm, step_norm, damping) = (zero, zero, zero);
        Self {
            gradient_norm,
            step_norm,
            damping,
            flips: 0,
            rows_used: 0,
            end: None,
        }
    }

    fn ending(self, status: Status) -> Self {
        Self {
            end: Some(status),
            ..self
        }
    }
}

/// ‖v‖, infinite where an entry overflowed, NaN entries included.
pub(crate) fn norm_or_infinity<T: Scalar>(v: &[T]) -> T {
    let norm = reduce::norm(v);
    if norm.is_nan() { T::infinity() } else { norm }
}

/// Exchanges the present point and the trial.
pub(crate) fn swap<O: Kinked>(descent: &mut Descent<O>) {
    mem::swap(&mut descent.current, &mut descent.trial);
    descent.is_differentiated = false;
}
