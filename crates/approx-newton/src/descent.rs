//! The descent on one objective: linearise, damp, release or follow the kinks, accept or refuse.

mod ways_on;

use crate::active_set::{ActiveSet, Release};
use crate::ball;
use crate::damping::Damping;
use crate::kink_model::KinkModel;
use crate::kinked_step::Caution;
use crate::search::{MOST_PLACES, Place};
use crate::snapshot::DescentState;
use crate::{PhaseSeconds, Status, Tolerances};
use num_traits::{Float, One, Zero};
use std::mem;
use std::time::Instant;
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
    /// Stationary points left along negative curvature.
    escapes: usize,
    pub(crate) caution: Caution<T>,
    /// Whether the last step that was looked for by values was taken in full.
    pub(crate) takes_full_steps: bool,
}

pub(crate) struct Buffers<T> {
    pub(crate) step: Vec<T>,
    /// H̃ p.
    product: Vec<T>,
    gradient: Vec<T>,
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

/// Whether H̃ belongs to the present point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    /// There is none yet, and no damping that suits it.
    Missing,
    Outdated,
    Current,
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

/// A damped step of the model; the step itself is in [`Buffers`].
pub(crate) struct ModelStep<T> {
    /// The decrease that the model promises.
    pub(crate) predicted: T,
    pub(crate) norm: T,
    /// Of the constraint ‖x‖ ≤ R.
    pub(crate) multiplier: T,
    /// Whether the ridge is weaker than the curvature along the step: only then is a small step
    /// the model's doing and not the ridge's.
    is_newton: bool,
}

/// Pinned kinks are questioned where their subspace promises less than this part of the value.
const LITTLE_LEFT: f64 = 0.7;
/// A gradient counts as small only where the model, too, promises at most this part of the value:
/// in a flat valley the gradient is small long before the minimum.
const LITTLE_PROMISED: f64 = 1e-3;
/// A ridge is light up to this part of the model's mean eigenvalue.
pub(crate) const LIGHT_DAMPING: f64 = 1e-4;
/// An iteration is idle where it gains less than this part of the value.
const IDLE_GAIN: f64 = 0.03;
/// Stationary points that a descent leaves along negative curvature.
const MOST_ESCAPES: usize = 8;
/// A descent without patience ends after so many idle iterations in a row.
const PATIENCE: usize = 5;

impl<O: Kinked> Descent<O> {
    /// A descent that stands nowhere yet: [`Descent::start_at`] follows.
    pub(crate) fn new(objective: &O, tolerances: Tolerances<O::Scalar>) -> Self {
        let d = objective.dimension();
        let zeros = |length| vec![O::Scalar::zero(); length];
        let mut kink_model = KinkModel::default();
        if objective.kinks() > 0 {
            kink_model.resize(d, objective.kinks());
        }
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
            kink_model,
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
        self.active_set.pin_only(problem, pinned);
        self.model = Model::Missing;
        self.progress = Progress::new(initial_damping);
        self.is_differentiated = false;
    }

    /// Makes anew what was carried from point to point by updates: the null space of the pinned
    /// kinks, and the evaluation of the point. What comes next then follows from
    /// [`Descent::state`] alone. Returns false, and changes nothing, where the point is in the midst
    /// of something: a step from it was refused, or a kink released at it.
    pub(crate) fn renew(&mut self, problem: &O) -> bool {
        if self.model == Model::Current {
            return false;
        }
        let point = self.current.point();
        problem.evaluate(point, self.active_set.pinned(), &mut self.trial);
        // A kink that a step ended on and that was not pinned is now met to rounding only, which
        // must not raise the value. NaN compares false.
        let falls = self.trial.value() <= self.current.value();
        if !falls || !self.active_set.renew(problem) {
            return false;
        }
        swap(self);
        true
    }

    /// What a descent on the same objective goes on from, at a point that was just
    /// [renewed](Descent::renew).
    pub(crate) fn state(&self) -> DescentState<O::Scalar> {
        DescentState {
            x: self.current.point().to_vec(),
            pinned: self.active_set.pinned().to_vec(),
            value: self.current.value(),
            has_begun: self.model != Model::Missing,
            progress: self.progress,
        }
    }

    /// Goes on from a state whose lengths fit. Returns false where it cannot be one of this
    /// objective.
    pub(crate) fn restore(&mut self, problem: &O, state: &DescentState<O::Scalar>) -> bool {
        problem.evaluate(&state.x, &state.pinned, &mut self.current);
        self.active_set.pin_only(problem, &state.pinned);
        self.progress = state.progress;
        self.is_differentiated = false;
        self.model = match state.has_begun {
            true => Model::Outdated,
            false => Model::Missing,
        };
        // To the bit on the same machine; another may round otherwise.
        let rounding = problem.rounding_error(&self.current);
        let apart = (self.current.value() - state.value).abs();
        self.active_set.pinned() == state.pinned && apart <= rounding + rounding
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
        if patient && matches!(iteration.end, Some(Status::Jammed | Status::Stalled)) {
            self.unjam(problem, hessian, &mut iteration);
        }
        let stationary = matches!(
            iteration.end,
            Some(Status::Flat | Status::GradientSmall | Status::DecrementSmall | Status::StepSmall)
        );
        if patient
            && stationary
            && self.progress.escapes < MOST_ESCAPES
            && self.escape(problem, hessian)
        {
            self.progress.escapes += 1;
            iteration.end = None;
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
        if value <= noise {
            return iteration.ending(Status::PerfectFit);
        }
        if self.model != Model::Current {
            iteration.rows_used = self.build_model(problem, hessian);
        }
        iteration.gradient_norm = self.reduced_gradient_norm(problem);
        iteration.damping = self.progress.damping.value();
        if !iteration.gradient_norm.is_finite() {
            return iteration.ending(Status::NonFinite);
        }
        if iteration.gradient_norm == O::Scalar::zero() && self.active_set.is_empty() {
            return iteration.ending(self.stationary_status(hessian));
        }
        let Some(step) = self.damped_step(problem, hessian) else {
            return iteration.ending(self.status_without_step(hessian));
        };
        iteration.damping = self.progress.damping.value();
        if let Some(moved) = self.step_over_kinks(problem, hessian, noise, &step) {
            iteration.step_norm = moved;
            iteration.flips = self.flips;
            self.model = Model::Outdated;
            self.count_idle(value);
            if !patient && self.progress.idle == PATIENCE {
                iteration.end = Some(Status::Stalled);
            }
            return iteration;
        }
        let mut release = Release::AllHold;
        if step.predicted <= O::Scalar::of(LITTLE_LEFT) * value {
            release = self.release_a_kink(problem, step.multiplier);
            if matches!(release, Release::Released { .. }) {
                return iteration;
            }
        }
        let mut end = self.second_order_test(hessian, &step, iteration.gradient_norm, noise);
        if release == Release::Barred && end.is_some() {
            end = Some(Status::Jammed);
        }
        let tiny = self.tolerances.step() * reduce::norm(self.current.point());
        match self.search(problem, &step) {
            Some(moved) => {
                iteration.step_norm = moved;
                iteration.flips = self.flips;
                self.model = Model::Outdated;
                iteration.end = end;
                self.count_idle(value);
                if step.is_newton && step.norm <= tiny {
                    iteration.end = end.or(Some(Status::StepSmall));
                } else if !patient && self.progress.idle == PATIENCE {
                    iteration.end = end.or(Some(Status::Stalled));
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
            None if step.norm <= tiny.max(O::Scalar::min_positive_value()) => {
                iteration.end = Some(Status::Stalled);
            }
            None => self.progress.damping.punish(),
        }
        iteration
    }

    /// A promised decrease that is none.
    fn negligible(&self, noise: O::Scalar) -> O::Scalar {
        noise.max(self.tolerances.decrement() * self.current.value())
    }

    /// Counts iterations in a row that gain little on the `value` before.
    fn count_idle(&mut self, value: O::Scalar) {
        let gained = value - self.current.value();
        self.progress.idle = if gained < O::Scalar::of(IDLE_GAIN) * value {
            self.progress.idle + 1
        } else {
            0
        };
    }

    /// Gradient and H̃ at the present point. Returns the rows used.
    fn build_model<H: HessianApprox<O>>(&mut self, problem: &O, hessian: &mut H) -> usize {
        if !mem::take(&mut self.is_differentiated) {
            timed(&mut self.seconds.evaluate, || {
                hessian.differentiate(problem, &mut self.current)
            });
        }
        let rows = timed(&mut self.seconds.build, || {
            hessian.build(problem, &self.current)
        });
        let mean_eigenvalue = hessian.mean_eigenvalue();
        self.progress.largest_mean_eigenvalue =
            self.progress.largest_mean_eigenvalue.max(mean_eigenvalue);
        if self.model == Model::Missing {
            self.progress.damping = Damping::new(self.progress.initial_damping, mean_eigenvalue);
        }
        self.progress.damping.keep_above_noise(mean_eigenvalue);
        self.model = Model::Current;
        rows
    }

    /// The norm of the gradient along the directions that pinned kinks and the sphere leave.
    fn reduced_gradient_norm(&mut self, problem: &O) -> O::Scalar {
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
    fn stationary_status<H: HessianApprox<O>>(&self, hessian: &H) -> Status {
        let faded = O::Scalar::UNIT_ROUNDOFF * self.progress.largest_mean_eigenvalue;
        if hessian.mean_eigenvalue() <= faded {
            Status::Flat
        } else {
            Status::GradientSmall
        }
    }

    /// Whether the ridge is too weak for the step to be small by its doing.
    fn is_lightly_damped<H: HessianApprox<O>>(&self, hessian: &H) -> bool {
        self.progress.damping.value() <= O::Scalar::of(LIGHT_DAMPING) * hessian.mean_eigenvalue()
    }

    /// The tests that a step decides. The step is still taken where it lowers the objective.
    fn second_order_test<H: HessianApprox<O>>(
        &self,
        hessian: &H,
        step: &ModelStep<O::Scalar>,
        gradient_norm: O::Scalar,
        noise: O::Scalar,
    ) -> Option<Status> {
        let value = self.current.value();
        if step.is_newton && step.predicted <= self.negligible(noise) {
            return Some(Status::DecrementSmall);
        }
        let first = self.progress.first_gradient_norm.unwrap_or(gradient_norm);
        let small = gradient_norm <= self.tolerances.gradient() * first;
        let exhausted = step.predicted <= O::Scalar::of(LITTLE_PROMISED) * value;
        (small && exhausted).then(|| self.stationary_status(hessian))
    }

    /// Fills `buffers.step`, with ever more damping until the model is positive definite. `None`
    /// where no damping makes it so.
    fn damped_step<H: HessianApprox<O>>(
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

    /// Why no damping gave a step.
    fn status_without_step<H: HessianApprox<O>>(&self, hessian: &H) -> Status {
        if hessian.mean_eigenvalue().is_finite() {
            Status::Indefinite
        } else {
            Status::NonFinite
        }
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
        let usable = predicted >= O::Scalar::zero() && norm.is_finite();
        let is_newton = damping * norm * norm <= curvature;
        usable.then_some(ModelStep {
            predicted,
            norm,
            multiplier,
            is_newton,
        })
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

/// Runs `work` and adds its time.
fn timed<R>(seconds: &mut f64, work: impl FnOnce() -> R) -> R {
    let clock = Instant::now();
    let result = work();
    *seconds += clock.elapsed().as_secs_f64();
    result
}

/// Exchanges the present point and the trial.
pub(crate) fn swap<O: Kinked>(descent: &mut Descent<O>) {
    mem::swap(&mut descent.current, &mut descent.trial);
    descent.is_differentiated = false;
}
