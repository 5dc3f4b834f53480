//! From rung to rung, to the target, to the end.

use super::{Run, TARGET_DAMPING};
use crate::active_set::kinks_through;
use crate::ball;
use crate::descent::Iteration;
use crate::position::{Position, norm_or_infinity};
use crate::snapshot::Best;
use crate::solution::{PhaseSeconds, Stage};
use crate::subgradient::remainder;
use crate::termination::Status;
use crate::warm_start::step_off_kinks;
use num_traits::Float;
use twolayer_core::{Evaluation, HessianApprox, Kinked, Scalar, WhenRungs};

/// Iterations that tell an answer that is started from again.
const LONGEST_TRIAL: usize = 2;

impl<O, H> Run<'_, O, H>
where
    O: Kinked,
    H: HessianApprox<O>,
{
    /// Begins on the first rung, or on the target where there is none or nothing to do.
    pub(super) fn begin(&mut self) {
        match self.target_met() {
            Some(status) => {
                self.record(&Iteration::nothing(), PhaseSeconds::default());
                self.finish(status);
            }
            // What a rung is made of may take long.
            None if self.is_out_of_time() => {
                self.record(&Iteration::nothing(), PhaseSeconds::default());
                self.finish(Status::TimeLimit);
            }
            None if self.may_be_an_answer() => self.begin_trial(),
            None => self.begin_first_descent(),
        }
    }

    /// Begins on the first rung; on the target where the rungs have another minimum.
    fn begin_first_descent(&mut self) {
        match self.when_rungs {
            WhenRungs::First => self.climb(),
            WhenRungs::AfterADescent | WhenRungs::Never => self.begin_target(),
        }
    }

    /// Whether kinks or the sphere hold the start, and leave next to nothing of the gradient: as they
    /// do in the answer of another solve.
    fn may_be_an_answer(&mut self) -> bool {
        let (objective, descent) = (self.objective, &mut self.descent);
        let x = descent.position.current.point();
        let is_near_sphere = objective
            .radius()
            .is_some_and(|radius| ball::is_near_sphere(x, radius));
        let mut kinks = kinks_through(objective, &descent.position.current);
        if kinks.len() > objective.dimension() {
            // Which of them hold is not known.
            kinks.clear();
        }
        if kinks.is_empty() && !is_near_sphere {
            return false;
        }
        descent.position.hold(objective, &kinks);
        objective.differentiate(&mut descent.position.current);
        let whole = norm_or_infinity(descent.position.current.gradient());
        let left = remainder(
            objective,
            &mut descent.position.current,
            &descent.position.active_set,
        )
        .norm;
        let little = O::Scalar::UNIT_ROUNDOFF.cbrt() * whole;
        let is_likely = whole.is_finite() && left <= little;
        if !is_likely {
            descent.position.hold(objective, &[]);
        }
        is_likely
    }

    /// Tries the target at once, held by the kinks that the start lies on.
    fn begin_trial(&mut self) {
        let kinks = self.descent.position.active_set.pinned().to_vec();
        let (objective, x0) = (self.objective, &self.x0);
        self.descent.start_at(objective, x0, &kinks, TARGET_DAMPING);
        self.is_on_trial = true;
        self.record(&Iteration::nothing(), PhaseSeconds::default());
    }

    /// Goes on to the warm start where a trial has not shown the start to be an answer.
    pub(super) fn end_long_trial(&mut self) {
        if self.is_on_trial && self.iteration >= LONGEST_TRIAL {
            self.is_on_trial = false;
            self.keep_target();
            self.begin_first_descent();
        }
    }

    /// Keeps the present point of the target if it is the lowest yet.
    fn keep_target(&mut self) {
        let Position {
            current,
            active_set,
            ..
        } = &self.descent.position;
        self.best.offer(current, active_set.pinned());
    }

    /// Begins on the next rung, on the target where there is no other.
    fn climb(&mut self) {
        if !self.begin_rung() {
            self.begin_target();
        }
    }

    /// Begins on the next rung, from the lowest point so far; on the one after where it cannot
    /// begin. Returns false where there is no other.
    fn begin_rung(&mut self) -> bool {
        while let Some(ladder) = self.ladder {
            let (number, on_a_plateau) = (self.rungs, self.best.is_flat);
            let make = ladder.rung;
            let Some(rung) = make(&self.settings, self.objective, number, on_a_plateau) else {
                break;
            };
            self.earlier_restarts += self.rung.as_ref().map_or(0, |rung| rung.restarts());
            self.rungs += 1;
            self.stage = Stage::WarmStart;
            // Not where a descent has ended: another one is to end elsewhere.
            let is_second = self.when_rungs == WhenRungs::AfterADescent && !self.best.is_flat;
            let start = if is_second { &self.x0 } else { &self.best.x };
            if self.rung.insert(rung).begin(start) {
                self.record(&Iteration::nothing(), PhaseSeconds::default());
                return true;
            }
        }
        false
    }

    /// Keeps the point if it is the lowest yet, and goes on to another start, to the next rung or
    /// to the target.
    pub(super) fn end_warm_descent(&mut self, end: Status) {
        self.evaluate_warm_end();
        // The other rungs have the same minimiser, and the target is at its own.
        if end.is_met() {
            return self.begin_target();
        }
        // The cheapest descent has been tried: the others cost more than one from nearby.
        let best = self.best.loss;
        let at_once = self.ladder.map(|ladder| ladder.is_better_descended_at_once);
        if self.restarts() == 0 && at_once.is_some_and(|asked| asked(self.objective, best)) {
            return self.begin_target();
        }
        if !self.restart() {
            match self.present_rung() {
                Some(rung) if rung.is_within_reach() => self.begin_target(),
                _ => self.climb(),
            }
        }
    }

    /// The target where the present rung's descent has ended: the point is kept if it is the
    /// lowest yet.
    fn evaluate_warm_end(&mut self) {
        let rung = self.rung.as_ref();
        let Some(rung) = rung.filter(|_| self.stage == Stage::WarmStart) else {
            return;
        };
        let trial = &mut self.descent.position.trial;
        self.objective.evaluate(rung.point(), rung.pinned(), trial);
        self.best.offer(trial, rung.pinned());
    }

    /// Ends the solve, unless the point is no minimum and another start is left to try.
    pub(super) fn end_target(&mut self, end: Status) {
        self.keep_target();
        if end == Status::Flat && self.descent.position.current.value() <= self.best.loss {
            self.best.is_flat = true;
        }
        if std::mem::take(&mut self.is_on_trial) && !end.is_converged() {
            return self.begin_first_descent();
        }
        if !end.is_converged() && self.rung.is_some() {
            self.stage = Stage::WarmStart;
            if self.restart() {
                return;
            }
            self.stage = Stage::Target;
        }
        if end == Status::Flat && self.begin_rung() {
            return;
        }
        self.stage = Stage::Target;
        let is_first = self.rungs == 0 && !end.is_met();
        if is_first && self.when_rungs == WhenRungs::AfterADescent && self.begin_rung() {
            return;
        }
        self.finish(end);
    }

    /// A step off the kinks may overflow; x0 was seen not to.
    fn stay_finite(&mut self) {
        if !self.descent.position.current.value().is_finite() {
            let (objective, x0) = (self.objective, &self.x0);
            self.descent.start_at(objective, x0, &[], TARGET_DAMPING);
        }
    }

    /// Another descent on the present rung, if another start is worth its time.
    fn restart(&mut self) -> bool {
        let before = self.seconds();
        let begun = self
            .rung
            .as_mut()
            .is_some_and(|rung| rung.restart(self.best.is_flat));
        if begun {
            self.record(&Iteration::nothing(), before);
        }
        begun
    }

    /// Leaves the warm start for the objective that was asked for, from the lowest point so far; from
    /// where the warm start has ended where that point is known to be on a plateau, and where a descent
    /// has ended in it.
    /// Kinks that held it go on holding it: on which side of them rounding has put the point is
    /// chance, and whether the target falls to one of its sides is for the multipliers to say.
    fn begin_target(&mut self) {
        self.stage = Stage::Target;
        let has_descended = self.when_rungs != WhenRungs::First;
        let (objective, descent) = (self.objective, &mut self.descent);
        let before = descent.seconds;
        let (start, pinned) = match &self.rung {
            Some(rung) if self.best.is_flat || has_descended => (rung.point(), rung.pinned()),
            _ => (self.best.x.as_slice(), self.best.pinned.as_slice()),
        };
        if pinned.is_empty() {
            let mut x = start.to_vec();
            // A pass over all of the network is saved where the warm start ended in this point.
            let trial = &mut descent.position.trial;
            let loss = self.best.loss;
            if self.best.is_flat || trial.value() != loss || trial.point() != x {
                objective.evaluate(&x, &[], trial);
            }
            step_off_kinks(objective, trial, &mut x, &mut self.random);
            if x == start {
                descent.start_at_trial(objective, TARGET_DAMPING);
            } else {
                descent.start_at(objective, &x, &[], TARGET_DAMPING);
            }
        } else {
            descent.start_at(objective, start, pinned, TARGET_DAMPING);
        }
        self.stay_finite();
        self.record(&Iteration::nothing(), before);
        let Some(status) = self.target_met() else {
            return;
        };
        if self.descent.position.active_set.is_empty() {
            // Evaluated already, with no kink held.
            self.status = Some(status);
            objective.differentiate(&mut self.descent.position.current);
        } else {
            self.finish(status);
        }
    }

    /// Ends the solve at the lowest point, evaluated as it is, with no kink held.
    pub(super) fn finish(&mut self, status: Status) {
        self.evaluate_warm_end();
        self.status = Some(status);
        let (objective, descent) = (self.objective, &mut self.descent);
        let mut x = descent.position.current.point().to_vec();
        objective.evaluate(&x, &[], &mut descent.position.current);
        // Kinks that were held at exactly zero are now there to rounding.
        let least =
            descent.position.current.value() - objective.rounding_error(&descent.position.current);
        if least > self.best.loss || least.is_nan() {
            if status.is_converged() && self.best.is_flat {
                self.status = Some(Status::Flat);
            }
            x.copy_from_slice(&self.best.x);
            objective.evaluate(&x, &[], &mut descent.position.current);
            descent.position.hold(objective, &self.best.pinned);
        }
        if !descent.position.current.value().is_finite() {
            // Off the kinks that held it the point overflows; x0 was seen not to.
            objective.evaluate(&self.x0, &[], &mut descent.position.current);
            descent.position.hold(objective, &[]);
        }
        objective.differentiate(&mut descent.position.current);
    }

    fn target_met(&self) -> Option<Status> {
        let (objective, at) = (self.objective, &self.descent.position.current);
        let met = objective.met(at, at.value(), objective.rounding_error(at));
        met.map(Status::from)
    }
}

impl<T: Scalar> Best<T> {
    fn offer(&mut self, at: &impl Evaluation<T>, pinned: &[usize]) {
        if at.value() < self.loss {
            self.is_flat = false;
            self.loss = at.value();
            self.x.copy_from_slice(at.point());
            self.pinned.clear();
            self.pinned.extend_from_slice(pinned);
        }
    }
}
