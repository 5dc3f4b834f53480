//! From rung to rung, to the target, to the end.

use super::{Run, TARGET_DAMPING};
use crate::descent::{Descent, Iteration};
use crate::snapshot::Best;
use crate::solution::{PhaseSeconds, Stage};
use crate::termination::Status;
use crate::warm_start::step_off_kinks;
use num_traits::Float;
use twolayer_core::{Evaluation, HessianApprox, Kinked};

impl<O, H> Run<'_, O, H>
where
    O: Kinked,
    H: HessianApprox<O>,
{
    /// Begins on the first rung, or on the target where there is none or nothing to do.
    pub(super) fn begin(&mut self) {
        if self.target_is_met() {
            self.record(&Iteration::nothing(), PhaseSeconds::default());
            self.finish(Status::PerfectFit);
        } else if self.is_out_of_time() {
            // What a rung is made of may take long.
            self.record(&Iteration::nothing(), PhaseSeconds::default());
            self.finish(Status::TimeLimit);
        } else {
            self.climb();
        }
    }

    /// Begins on the next rung, from the lowest point so far; on the one after where it cannot
    /// begin; on the target where there is no other.
    fn climb(&mut self) {
        while let Some(ladder) = self.ladder {
            let Some(rung) = (ladder.rung)(&self.settings, self.objective, self.rungs) else {
                break;
            };
            self.earlier_restarts += self.rung.as_ref().map_or(0, |rung| rung.restarts());
            self.rungs += 1;
            self.stage = Stage::WarmStart;
            if self.rung.insert(rung).begin(&self.best.x) {
                self.record(&Iteration::nothing(), PhaseSeconds::default());
                return;
            }
        }
        self.begin_target();
    }

    /// Keeps the point if it is the lowest yet, and goes on to another start, to the next rung or
    /// to the target.
    pub(super) fn end_warm_descent(&mut self, end: Status) {
        self.evaluate_warm_end();
        // The other rungs have the same minimiser, and the target is at its own.
        if end == Status::PerfectFit {
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
        let trial = &mut self.descent.trial;
        self.objective.evaluate(rung.point(), rung.pinned(), trial);
        self.best.offer(trial, rung.pinned());
    }

    /// Ends the solve, unless the point is no minimum and another start is left to try.
    pub(super) fn end_target(&mut self, end: Status) {
        let Descent {
            current,
            active_set,
            ..
        } = &self.descent;
        self.best.offer(current, active_set.pinned());
        if !end.is_converged() && self.rung.is_some() {
            self.stage = Stage::WarmStart;
            if self.restart() {
                return;
            }
            self.stage = Stage::Target;
        }
        self.finish(end);
    }

    /// Another descent on the present rung, if another start is worth its time.
    fn restart(&mut self) -> bool {
        let before = self.seconds();
        let begun = self.rung.as_mut().is_some_and(|rung| rung.restart());
        if begun {
            self.record(&Iteration::nothing(), before);
        }
        begun
    }

    /// Leaves the warm start for the objective that was asked for, from the lowest point so far.
    /// Kinks that held it go on holding it: on which side of them rounding has put the point is
    /// chance, and whether the target falls to one of its sides is for the multipliers to say.
    fn begin_target(&mut self) {
        self.stage = Stage::Target;
        let (objective, descent) = (self.objective, &mut self.descent);
        let before = descent.seconds;
        if self.best.pinned.is_empty() {
            let best = &self.best;
            let mut x = best.x.clone();
            // A pass over all of the network is saved where the warm start ended in the best point.
            let trial = &mut descent.trial;
            if trial.value() != best.loss || trial.point() != best.x {
                objective.evaluate(&x, &[], trial);
            }
            step_off_kinks(objective, trial, &mut x, &mut self.random);
            if x == best.x {
                descent.start_at_trial(objective, TARGET_DAMPING);
            } else {
                descent.start_at(objective, &x, &[], TARGET_DAMPING);
            }
        } else {
            let (x, pinned) = (&self.best.x, &self.best.pinned);
            descent.start_at(objective, x, pinned, TARGET_DAMPING);
        }
        if !self.descent.current.value().is_finite() {
            // A step off the kinks may overflow; x0 was seen not to.
            let (objective, x0) = (self.objective, &self.x0);
            self.descent.start_at(objective, x0, &[], TARGET_DAMPING);
        }
        self.record(&Iteration::nothing(), before);
        if !self.target_is_met() {
            return;
        }
        if self.descent.active_set.is_empty() {
            // Evaluated already, with no kink held.
            self.status = Some(Status::PerfectFit);
            objective.differentiate(&mut self.descent.current);
        } else {
            self.finish(Status::PerfectFit);
        }
    }

    /// Ends the solve at the lowest point, evaluated as it is, with no kink held.
    pub(super) fn finish(&mut self, status: Status) {
        self.evaluate_warm_end();
        self.status = Some(status);
        let (objective, descent) = (self.objective, &mut self.descent);
        let mut x = descent.current.point().to_vec();
        objective.evaluate(&x, &[], &mut descent.current);
        // Kinks that were held at exactly zero are now there to rounding.
        let least = descent.current.value() - objective.rounding_error(&descent.current);
        if least > self.best.loss || least.is_nan() {
            x.copy_from_slice(&self.best.x);
            descent.active_set.pin_only(objective, &self.best.pinned);
            objective.evaluate(&x, &[], &mut descent.current);
        }
        if !descent.current.value().is_finite() {
            // Off the kinks that held it the point overflows; x0 was seen not to.
            descent.active_set.pin_only(objective, &[]);
            objective.evaluate(&self.x0, &[], &mut descent.current);
        }
        objective.differentiate(&mut descent.current);
    }

    pub(super) fn target_is_met(&self) -> bool {
        self.objective.is_at_its_bound(&self.descent.current)
    }
}

impl<T: twolayer_core::Scalar> Best<T> {
    fn offer(&mut self, at: &impl Evaluation<T>, pinned: &[usize]) {
        if at.value() < self.loss {
            self.loss = at.value();
            self.x.copy_from_slice(at.point());
            self.pinned.clear();
            self.pinned.extend_from_slice(pinned);
        }
    }
}
