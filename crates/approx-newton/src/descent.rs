//! The descent on one objective, an iteration of docs/kinks.md at a time: propose, judge, commit.

mod ends;
mod state;
mod ways_on;

use crate::active_set::Release;
use crate::local_model::{LocalModel, timed};
use crate::moves::escape::Escapes;
use crate::moves::kinked_step::{Around, KinkedStep};
use crate::moves::search::Search;
use crate::position::{Move, Position};
use crate::solution::PhaseSeconds;
use crate::termination::{Status, Tolerances};
use num_traits::{Float, Zero};
use std::ops::ControlFlow;
use twolayer_core::{Evaluation, HessianApprox, Kinked, Scalar, StepOutcome, reduce};

/// Where it stands, the model of the objective there, and three ways to move.
///
/// The objective and the model of its Hessian are handed to [`Descent::iterate`]: the same buffers
/// serve every objective of one shape.
pub(crate) struct Descent<O: Kinked> {
    tolerances: Tolerances<O::Scalar>,
    pub(crate) position: Position<O>,
    model: LocalModel<O::Scalar>,
    search: Search<O::Scalar>,
    over_kinks: KinkedStep<O::Scalar>,
    escapes: Escapes,
    first_gradient_norm: Option<O::Scalar>,
    /// Iterations in a row that gained little.
    idle: usize,
    pub(crate) seconds: PhaseSeconds,
    /// Of d.
    gradient: Vec<O::Scalar>,
    outward: Vec<O::Scalar>,
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

/// The point that an iteration begins from.
struct Before<T> {
    value: T,
    /// The rounding error of the value.
    noise: T,
    /// What the pinned kinks and the sphere leave of the gradient.
    gradient_norm: T,
    /// A step so long is negligible.
    tiny: T,
}

/// What is to be said of a proposal before it is tried.
struct Verdict {
    release: Release,
    /// How the descent ends, unless the step gains more than the model knows of.
    end: Option<Status>,
}

/// How an iteration ended, or what the next part of it goes on with.
type Part<T> = ControlFlow<Option<Status>, T>;

/// Pinned kinks are questioned where their subspace promises less than this part of the value.
const LITTLE_LEFT: f64 = 0.7;
/// An iteration is idle where it gains less than this part of the value.
const IDLE_GAIN: f64 = 0.03;
/// A descent without patience ends after so many idle iterations in a row.
const PATIENCE: usize = 5;

impl<O: Kinked> Descent<O> {
    /// A descent that stands nowhere yet: [`Descent::start_at`] follows.
    pub(crate) fn new(objective: &O, tolerances: Tolerances<O::Scalar>) -> Self {
        let d = objective.dimension();
        Self {
            tolerances,
            position: Position::new(objective),
            model: LocalModel::new(d),
            search: Search::new(objective.kinks()),
            over_kinks: KinkedStep::new(d),
            escapes: Escapes::default(),
            first_gradient_norm: None,
            idle: 0,
            seconds: PhaseSeconds::default(),
            gradient: vec![O::Scalar::zero(); d],
            outward: vec![O::Scalar::zero(); d],
        }
    }

    /// One iteration on `problem`. Without patience the descent also ends where it only creeps; with
    /// it, it does not end in a saddle that it sees a way out of.
    pub(crate) fn iterate<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        patient: bool,
    ) -> Iteration<O::Scalar> {
        let mut iteration = Iteration::nothing();
        let part = self.iterate_once(problem, hessian, patient, &mut iteration);
        iteration.end = match part {
            ControlFlow::Break(end) => end,
            ControlFlow::Continue(()) => None,
        };
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
        iteration: &mut Iteration<O::Scalar>,
    ) -> Part<()> {
        let before = self.propose(problem, hessian, patient, iteration)?;
        if let Some(moved) = self.go_over_kinks(problem, hessian, &before) {
            self.commit(problem, hessian, &before, moved, iteration);
            return ControlFlow::Break(self.impatience(patient));
        }
        let verdict = self.judge(problem, &before)?;
        match self.go_along_the_step(problem) {
            Some(moved) => {
                self.commit(problem, hessian, &before, moved, iteration);
                let end = self.end_after_a_move(problem, &before, &verdict);
                ControlFlow::Break(end.or_else(|| self.impatience(patient)))
            }
            None => ControlFlow::Break(self.refuse(problem, hessian, &before, &verdict)),
        }
    }

    /// The model at the present point, and its damped step; or an end, where there is nothing to propose.
    fn propose<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        patient: bool,
        iteration: &mut Iteration<O::Scalar>,
    ) -> Part<Before<O::Scalar>> {
        let end = |status| ControlFlow::Break(Some(status));
        let at = &self.position.current;
        let (value, noise) = (at.value(), problem.rounding_error(at));
        if let Some(met) = problem.met(at, value, noise) {
            return end(met.into());
        }
        // Not before: a target that its warm start meets is never iterated on.
        self.over_kinks.make_room(problem);
        iteration.rows_used = self.build_model(problem, hessian);
        let (gradient_norm, multiplier) = self.reduced_gradient(problem);
        iteration.gradient_norm = gradient_norm;
        iteration.damping = self.model.damping.value();
        if !gradient_norm.is_finite() {
            return end(Status::NonFinite);
        }
        if patient && self.is_saturated(problem, noise) {
            return end(Status::Flat);
        }
        if gradient_norm == O::Scalar::zero() {
            return ControlFlow::Break(self.question_kinks(problem, multiplier));
        }
        if !self.propose_step(problem, hessian) {
            return end(self.status_without_step(problem, hessian));
        }
        iteration.damping = self.model.damping.value();
        if self.is_led_by_rounding(problem, gradient_norm) {
            return end(self.status_on_the_level(problem));
        }
        ControlFlow::Continue(Before {
            value,
            noise,
            gradient_norm,
            tiny: self.tolerances.step() * reduce::norm(self.position.current.point()),
        })
    }

    /// Releases a pinned kink that the model objects to, which ends the iteration, and looks whether the step
    /// is one that a descent ends with.
    fn judge(&mut self, problem: &O, before: &Before<O::Scalar>) -> Part<Verdict> {
        let step = &self.model.step;
        let mut release = Release::AllHold;
        if step.predicted <= O::Scalar::of(LITTLE_LEFT) * problem.excess(before.value) {
            release = self.release_a_kink(problem, step.multiplier);
            if matches!(release, Release::Released { .. }) {
                return ControlFlow::Break(None);
            }
        }
        let end = self.second_order_test(problem, before);
        let end = match release {
            Release::Barred => end.map(|_| Status::Jammed),
            _ => end,
        };
        ControlFlow::Continue(Verdict { release, end })
    }

    /// Takes note of a move.
    fn commit<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        before: &Before<O::Scalar>,
        moved: Move<O::Scalar>,
        iteration: &mut Iteration<O::Scalar>,
    ) {
        iteration.step_norm = moved.length;
        iteration.flips = moved.flips;
        self.model.outdate();
        let gained = before.value - self.position.current.value();
        hessian.learn(StepOutcome {
            fraction: moved.fraction,
            decrease: gained,
        });
        let is_idle = gained < O::Scalar::of(IDLE_GAIN) * problem.excess(before.value);
        self.idle = if is_idle { self.idle + 1 } else { 0 };
    }

    /// What follows where no part of the step lowers the objective: an end, a kink to be held on, or more damping.
    fn refuse<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        before: &Before<O::Scalar>,
        Verdict { release, end }: &Verdict,
    ) -> Option<Status> {
        let zero = O::Scalar::zero();
        hessian.learn(StepOutcome {
            fraction: zero,
            decrease: zero,
        });
        if end.is_some() {
            return *end;
        }
        let Self {
            search,
            position,
            model,
            ..
        } = self;
        if search.pin_where_it_stands(problem, position, &model.step) {
            model.outdate();
            return None;
        }
        let or_jammed = |status| match release {
            Release::Barred => Status::Jammed,
            _ => status,
        };
        let step = &self.model.step;
        let is_light = || self.model.is_lightly_damped(hessian.mean_eigenvalue());
        // A gradient of rounding errors, in a direction without curvature.
        if step.predicted <= before.noise && is_light() {
            return Some(or_jammed(Status::DecrementSmall));
        }
        let (norm, is_newton) = (step.norm, step.is_newton);
        if self.is_at_rounding(problem, before.gradient_norm) {
            return Some(or_jammed(Status::GradientSmall));
        }
        if norm <= before.tiny.max(O::Scalar::min_positive_value()) {
            return Some(match release {
                Release::AllHold if is_newton => Status::StepSmall,
                _ => Status::Stalled,
            });
        }
        self.model.damping.punish();
        None
    }

    /// The end of a descent without patience that only creeps.
    fn impatience(&self, patient: bool) -> Option<Status> {
        (!patient && self.idle == PATIENCE).then_some(Status::Stalled)
    }

    /// Gradient and H̃ at the present point, unless they are there. Returns the rows used.
    fn build_model<H: HessianApprox<O>>(&mut self, problem: &O, hessian: &mut H) -> usize {
        let (position, seconds) = (&mut self.position, &mut self.seconds);
        self.model.build(problem, hessian, position, seconds)
    }

    /// Has the model propose a step; false where no damping gives one.
    fn propose_step<H: HessianApprox<O>>(&mut self, problem: &O, hessian: &mut H) -> bool {
        let (model, position) = (&mut self.model, &self.position);
        timed(&mut self.seconds.step, || {
            model.propose(problem, hessian, position)
        })
    }

    /// Moves to the minimum of the model with the kinks in it, where that is worth it and good.
    fn go_over_kinks<H: HessianApprox<O>>(
        &mut self,
        problem: &O,
        hessian: &mut H,
        before: &Before<O::Scalar>,
    ) -> Option<Move<O::Scalar>> {
        let Self {
            over_kinks,
            position,
            model,
            ..
        } = self;
        let around = Around {
            plain: &model.step,
            noise: before.noise,
        };
        let (damping, idle) = (&mut model.damping, self.idle);
        timed(&mut self.seconds.search, || {
            over_kinks.go(problem, hessian, position, &around, damping, idle)
        })
    }

    /// Moves along the step, as far as it is good.
    fn go_along_the_step(&mut self, problem: &O) -> Option<Move<O::Scalar>> {
        let Self {
            search,
            position,
            model,
            ..
        } = self;
        timed(&mut self.seconds.search, || {
            search.go(problem, position, &model.step, &mut model.damping)
        })
    }

    /// Releases the pinned kink that the model objects to most, if there is one.
    fn release_a_kink(&mut self, problem: &O, multiplier: O::Scalar) -> Release {
        let Self {
            position,
            model,
            gradient,
            ..
        } = self;
        if position.active_set.is_empty() {
            return Release::AllHold;
        }
        model.gradient_at_end(position, multiplier, gradient);
        let Position {
            current,
            active_set,
            ..
        } = position;
        let release = active_set.release(problem, current, &model.step.p, gradient);
        if let Release::Released { kink, positive } = release {
            problem.choose_side(current, kink, positive);
            model.outdate();
        }
        release
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
}

#[cfg(test)]
mod tests;
