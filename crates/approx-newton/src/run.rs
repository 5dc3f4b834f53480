//! One solve as a state machine: the rungs of the warm start, then a descent on the target.

use crate::descent::{Descent, Iteration, norm_or_infinity};
use crate::warm_start::{Rung, WarmDescent, step_off_kinks};
use crate::{LimitPoint, Observer, PhaseSeconds, Solution, Solver, Stage, Status, TraceEntry};
use num_traits::Float;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;
use twolayer_core::{Error, Evaluation, HessianApprox, Kinked, Objective, RowStructured, reduce};

/// A solve that can be driven step by step, watched, and stopped.
///
/// ```text
/// let mut run = Run::new(solver, &problem, &mut hessian, &x0)?;
/// while run.step(&mut Silent).is_none() {}
/// let solution = run.into_solution();
/// ```
pub struct Run<'r, O: Kinked, H> {
    settings: Solver<O::Scalar>,
    objective: &'r O,
    /// What makes the easier objectives; none for a solve without warm start.
    ladder: Option<Ladder<'r, O>>,
    /// Those made so far, the cheapest first.
    rungs: Vec<Box<dyn Rung<O::Scalar> + 'r>>,
    /// Which of them the solve stands on; none where it stands on the target.
    rung: Option<usize>,
    hessian: &'r mut H,
    descent: Descent<O>,
    /// The lowest of x0 and the ends of the descents so far.
    best: Best<O::Scalar>,
    x0: Vec<O::Scalar>,
    iteration: usize,
    status: Option<Status>,
    trace: Vec<TraceEntry<O::Scalar>>,
    random: ChaCha8Rng,
    clock: Instant,
}

/// The rung of a number, if there are so many.
type Ladder<'r, O> = fn(
    &Solver<<O as Objective>::Scalar>,
    &'r O,
    usize,
) -> Option<Box<dyn Rung<<O as Objective>::Scalar> + 'r>>;

struct Best<T> {
    x: Vec<T>,
    /// The kinks that x was held on.
    pinned: Vec<usize>,
    loss: T,
}

/// Records that memory is set aside for; more are kept all the same.
const LONGEST_TRACE: usize = 1000;
/// Damping of the first step on the target, which is met near its solution.
const TARGET_DAMPING: f64 = 1e-6;

impl<'r, O, H> Run<'r, O, H>
where
    O: RowStructured + Kinked,
    H: HessianApprox<O>,
{
    /// Checks and evaluates the start `x0` (d).
    ///
    /// # Errors
    /// An x0 of the wrong length, with an entry that is NaN or infinite, outside the ball
    /// ‖x‖ ≤ R, or at which the objective overflows.
    pub fn new(
        settings: Solver<O::Scalar>,
        objective: &'r O,
        hessian: &'r mut H,
        x0: &[O::Scalar],
    ) -> Result<Self, Error> {
        let mut run = Self::checked(settings, objective, hessian, x0)?;
        if run.settings.warm_start {
            run.ladder = Some(|settings, objective, number| {
                Some(Box::new(WarmDescent::new(settings, objective, number)?))
            });
        }
        run.begin();
        Ok(run)
    }
}

impl<'r, O, H> Run<'r, O, H>
where
    O: Kinked,
    H: HessianApprox<O>,
{
    /// A solve without warm start, for any objective.
    ///
    /// # Errors
    /// As [`Run::new`].
    pub fn without_warm_start(
        settings: Solver<O::Scalar>,
        objective: &'r O,
        hessian: &'r mut H,
        x0: &[O::Scalar],
    ) -> Result<Self, Error> {
        let mut run = Self::checked(settings, objective, hessian, x0)?;
        run.begin();
        Ok(run)
    }

    fn checked(
        settings: Solver<O::Scalar>,
        objective: &'r O,
        hessian: &'r mut H,
        x0: &[O::Scalar],
    ) -> Result<Self, Error> {
        let clock = Instant::now();
        hessian.begin_solve();
        Error::check_length("x0", x0.len(), objective.dimension())?;
        Error::check_finite("x0", x0)?;
        if let Some(radius) = objective.radius()
            && reduce::norm(x0) > radius
        {
            let norm = twolayer_core::Scalar::to_f64(reduce::norm(x0));
            let radius = twolayer_core::Scalar::to_f64(radius);
            return Err(Error::StartOutsideBall { norm, radius });
        }
        let mut descent = Descent::new(objective, settings.tolerances);
        descent.start_at(objective, x0, &[], TARGET_DAMPING);
        let loss = descent.current.value();
        if !loss.is_finite() {
            return Err(Error::Overflow {
                quantity: "objective",
                at: "x0",
            });
        }
        let trace = Vec::with_capacity(settings.max_iterations.min(LONGEST_TRACE));
        Ok(Self {
            random: ChaCha8Rng::seed_from_u64(settings.seed),
            settings,
            objective,
            ladder: None,
            rungs: Vec::new(),
            rung: None,
            hessian,
            descent,
            best: Best {
                x: x0.to_vec(),
                pinned: Vec::new(),
                loss,
            },
            x0: x0.to_vec(),
            iteration: 0,
            status: None,
            trace,
            clock,
        })
    }

    /// One iteration. Returns the status once the solve is over, and then always.
    pub fn step(&mut self, observer: &mut impl Observer<O::Scalar>) -> Option<Status> {
        if self.status.is_some() {
            return self.status;
        }
        if self.iteration == self.settings.max_iterations {
            self.finish(Status::IterationLimit);
            return self.status;
        }
        self.iteration += 1;
        let before = self.seconds();
        let iteration = match self.rung {
            Some(rung) => self.rungs[rung].iterate(),
            None => self.descent.iterate(self.objective, self.hessian, true),
        };
        self.record(&iteration, before);
        let entry = self.trace[self.trace.len() - 1];
        if observer.observe(&entry, self.point()).is_break() {
            self.finish(Status::Stopped);
            return self.status;
        }
        match (self.present_rung(), iteration.end) {
            // The warm start may see further digits; the target does not.
            (Some(rung), _) if rung.target_is_met() => self.end_warm_descent(Status::PerfectFit),
            (Some(_), Some(end)) => self.end_warm_descent(end),
            (None, Some(end)) => self.end_target(end),
            (_, None) => {}
        }
        self.status
    }

    /// The objective that the next iteration works on.
    pub fn stage(&self) -> Stage {
        if self.rung.is_some() {
            Stage::WarmStart
        } else {
            Stage::Target
        }
    }

    /// The present point (d).
    pub fn point(&self) -> &[O::Scalar] {
        match self.present_rung() {
            Some(rung) => rung.point(),
            None => self.descent.current.point(),
        }
    }

    /// Every iteration so far, the start first.
    pub fn trace(&self) -> &[TraceEntry<O::Scalar>] {
        &self.trace
    }

    /// The answer: the lowest point found.
    pub fn into_solution(self) -> Solution<O::Scalar> {
        self.into_answer().0
    }

    /// The same, with the state of the objective there, no kink held.
    pub fn into_answer(mut self) -> (Solution<O::Scalar>, O::Evaluation) {
        if self.status.is_none() {
            self.finish(Status::Stopped);
        }
        let status = self.status.unwrap_or(Status::Stopped);
        let limit = match status.is_converged() {
            false => LimitPoint::Undetermined,
            true if self.descent.active_set.is_empty() => LimitPoint::Smooth,
            true => LimitPoint::AtKinks,
        };
        let solution = Solution {
            limit,
            x: self.descent.current.point().to_vec(),
            loss: self.descent.current.value(),
            gradient_norm: norm_or_infinity(self.descent.current.gradient()),
            status,
            iterations: self.iteration,
            pinned: self.descent.active_set.pinned().to_vec(),
            trace: self.trace,
            seconds: self.clock.elapsed().as_secs_f64(),
        };
        (solution, self.descent.current)
    }

    fn present_rung(&self) -> Option<&(dyn Rung<O::Scalar> + 'r)> {
        self.rung.map(|rung| &*self.rungs[rung])
    }

    /// Begins on the first rung, or on the target where there is none or nothing to do.
    fn begin(&mut self) {
        if self.target_is_met() {
            self.record(&Iteration::nothing(), PhaseSeconds::default());
            self.finish(Status::PerfectFit);
        } else {
            self.climb();
        }
    }

    /// Begins on the next rung, from the lowest point so far; on the one after where it cannot
    /// begin; on the target where there is no other.
    fn climb(&mut self) {
        while let Some(ladder) = self.ladder {
            let number = self.rungs.len();
            let Some(rung) = ladder(&self.settings, self.objective, number) else {
                break;
            };
            self.rungs.push(rung);
            self.rung = Some(number);
            if self.rungs[number].begin(&self.best.x) {
                self.record(&Iteration::nothing(), PhaseSeconds::default());
                return;
            }
        }
        self.begin_target();
    }

    /// Keeps the point if it is the lowest yet, and goes on to another start, to the next rung or
    /// to the target.
    fn end_warm_descent(&mut self, end: Status) {
        self.evaluate_warm_end();
        // The other rungs have the same minimiser, and the target is at its own.
        if end == Status::PerfectFit {
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
        let Some(rung) = self.rung.map(|rung| &self.rungs[rung]) else {
            return;
        };
        let trial = &mut self.descent.trial;
        self.objective.evaluate(rung.point(), rung.pinned(), trial);
        self.best.offer(trial, rung.pinned());
    }

    /// Ends the solve, unless the point is no minimum and another start is left to try.
    fn end_target(&mut self, end: Status) {
        let Descent {
            current,
            active_set,
            ..
        } = &self.descent;
        self.best.offer(current, active_set.pinned());
        if !end.is_converged() {
            self.rung = self.rungs.len().checked_sub(1);
            if self.restart() {
                return;
            }
            self.rung = None;
        }
        self.finish(end);
    }

    /// Another descent on the present rung, if another start is worth its time.
    fn restart(&mut self) -> bool {
        let before = self.seconds();
        let begun = self.rung.is_some_and(|rung| self.rungs[rung].restart());
        if begun {
            self.record(&Iteration::nothing(), before);
        }
        begun
    }

    /// Leaves the warm start for the objective that was asked for, from the lowest point so far.
    /// Kinks that held it go on holding it: on which side of them rounding has put the point is
    /// chance, and whether the target falls to one of its sides is for the multipliers to say.
    fn begin_target(&mut self) {
        self.rung = None;
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
    fn finish(&mut self, status: Status) {
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

    fn target_is_met(&self) -> bool {
        let at = &self.descent.current;
        at.value() <= self.objective.rounding_error(at)
    }

    fn seconds(&self) -> PhaseSeconds {
        match self.present_rung() {
            Some(rung) => rung.seconds(),
            None => self.descent.seconds,
        }
    }

    /// Starts beyond the first, those on another rung included.
    fn restarts(&self) -> usize {
        let on_rungs: usize = self.rungs.iter().map(|rung| rung.restarts()).sum();
        on_rungs + self.rungs.len().saturating_sub(1)
    }

    fn record(&mut self, iteration: &Iteration<O::Scalar>, before: PhaseSeconds) {
        let (loss, stage_loss, pinned) = match self.present_rung() {
            Some(rung) => {
                let loss = rung.target_value().unwrap_or(self.best.loss);
                (loss, rung.value(), rung.pinned().len())
            }
            None => {
                let loss = self.descent.current.value();
                (loss, loss, self.descent.active_set.pinned().len())
            }
        };
        self.trace.push(TraceEntry {
            iteration: self.iteration,
            stage: self.stage(),
            restart: self.restarts(),
            loss,
            stage_loss,
            gradient_norm: iteration.gradient_norm,
            step_norm: iteration.step_norm,
            damping: iteration.damping,
            flips: iteration.flips,
            pinned,
            rows_used: iteration.rows_used,
            elapsed: self.clock.elapsed().as_secs_f64(),
            seconds: self.seconds().since(&before),
        });
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
