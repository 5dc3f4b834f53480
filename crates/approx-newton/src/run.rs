//! One solve as a state machine: a descent on the warm start, then one on the target.

use crate::ball;
use crate::descent::{Descent, Iteration, norm_or_infinity};
use crate::{Observer, PhaseSeconds, Solution, Solver, Stage, Status, TraceEntry};
use num_traits::{Float, One, Zero};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;
use twolayer_core::{Error, Evaluation, HessianApprox, Kinked, Scalar, WarmStart, reduce};

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
    /// What the present stage works on, where that is not `objective` itself.
    warm_start: Option<WarmStart<O>>,
    stage: Stage,
    hessian: &'r mut H,
    descent: Descent<O>,
    /// The lowest of x0 and the ends of the descents so far.
    best: Best<O::Scalar>,
    x0: Vec<O::Scalar>,
    /// Where the present descent began.
    start: Vec<O::Scalar>,
    /// Starts tried in the present stage, beyond the first.
    restarts: usize,
    iteration: usize,
    /// The iteration that the present start began after.
    started_after: usize,
    random: ChaCha8Rng,
    status: Option<Status>,
    trace: Vec<TraceEntry<O::Scalar>>,
    clock: Instant,
}

struct Best<T> {
    x: Vec<T>,
    /// The kinks that x was held on.
    pinned: Vec<usize>,
    loss: T,
}

/// The warm start's objective is nearly quadratic, the target's is met near its solution.
const WARM_START_DAMPING: f64 = 1e-4;
const TARGET_DAMPING: f64 = 1e-6;
/// A warm start that has not arrived after so many iterations will not.
const LONGEST_WARM_START: usize = 40;

impl<'r, O, H> Run<'r, O, H>
where
    O: Kinked,
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
        let clock = Instant::now();
        hessian.begin_solve();
        Error::check_length("x0", x0.len(), objective.dimension())?;
        Error::check_finite("x0", x0)?;
        if let Some(radius) = objective.radius()
            && reduce::norm(x0) > radius
        {
            let (norm, radius) = (reduce::norm(x0).to_f64(), radius.to_f64());
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
        let warm_start = if settings.warm_start {
            objective.warm_start()
        } else {
            None
        };
        let mut run = Self {
            stage: if warm_start.is_some() {
                Stage::WarmStart
            } else {
                Stage::Target
            },
            warm_start,
            random: ChaCha8Rng::seed_from_u64(settings.seed),
            settings,
            objective,
            hessian,
            descent,
            best: Best {
                x: x0.to_vec(),
                pinned: Vec::new(),
                loss,
            },
            x0: x0.to_vec(),
            start: x0.to_vec(),
            restarts: 0,
            iteration: 0,
            started_after: 0,
            status: None,
            trace: Vec::new(),
            clock,
        };
        if run.target_is_met() {
            run.stage = Stage::Target;
            run.record(&Iteration::nothing(), PhaseSeconds::default());
            run.finish(Status::PerfectFit);
            return Ok(run);
        }
        match run.stage {
            Stage::WarmStart => run.begin_warm_start(),
            Stage::Target => run.begin_target(),
        }
        Ok(run)
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
        let before = self.descent.seconds;
        let (problem, patient) = match (&self.warm_start, self.stage) {
            (Some(warm), Stage::WarmStart) => (&warm.objective, false),
            _ => (self.objective, true),
        };
        let iteration = self.descent.iterate(problem, self.hessian, patient);
        self.record(&iteration, before);
        let entry = self.trace[self.trace.len() - 1];
        if observer.observe(&entry, self.point()).is_break() {
            self.finish(Status::Stopped);
            return self.status;
        }
        let too_long = self.iteration - self.started_after >= LONGEST_WARM_START;
        match (self.stage, iteration.end) {
            // The warm start may see further digits; the target does not.
            (Stage::WarmStart, _) if self.target_is_met() => {
                self.end_warm_start(Status::PerfectFit);
            }
            (Stage::WarmStart, Some(end)) => self.end_warm_start(end),
            (Stage::WarmStart, None) if too_long => self.end_warm_start(Status::IterationLimit),
            (Stage::Target, Some(end)) => self.end_target(end),
            (_, None) => {}
        }
        self.status
    }

    /// The objective that the next iteration works on.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The present point (d).
    pub fn point(&self) -> &[O::Scalar] {
        self.descent.current.point()
    }

    /// Every iteration so far, the start first.
    pub fn trace(&self) -> &[TraceEntry<O::Scalar>] {
        &self.trace
    }

    /// The answer: the lowest point found.
    pub fn into_solution(mut self) -> Solution<O::Scalar> {
        if self.status.is_none() {
            self.finish(Status::Stopped);
        }
        Solution {
            x: self.point().to_vec(),
            loss: self.descent.current.value(),
            gradient_norm: norm_or_infinity(self.descent.current.gradient()),
            status: self.status.unwrap_or(Status::Stopped),
            iterations: self.iteration,
            pinned: self.descent.active_set.pinned().to_vec(),
            trace: self.trace,
            seconds: self.clock.elapsed().as_secs_f64(),
        }
    }

    /// Starts the warm start's descent from `self.start`.
    fn begin_warm_start(&mut self) {
        self.step_off_kinks();
        let Some(warm) = &self.warm_start else { return };
        self.stage = Stage::WarmStart;
        self.descent
            .start_at(&warm.objective, &self.start, &[], WARM_START_DAMPING);
        self.started_after = self.iteration;
        if self.descent.current.value().is_finite() {
            self.record(&Iteration::nothing(), self.descent.seconds);
        } else {
            self.end_warm_start(Status::Stalled);
        }
    }

    /// Keeps the point if it is the lowest yet, and goes on to another start or to the target.
    fn end_warm_start(&mut self, end: Status) {
        self.keep_if_lowest();
        let value = self.descent.current.value();
        let within_reach = self
            .warm_start
            .as_ref()
            .is_some_and(|warm| value <= warm.within_reach);
        if end == Status::PerfectFit || !within_reach || !self.restart() {
            self.begin_target();
        }
    }

    /// Ends the solve, unless the point is no minimum and another start is left to try.
    fn end_target(&mut self, end: Status) {
        if !end.is_converged() {
            self.keep_if_lowest();
            if self.restart() {
                return;
            }
        }
        self.finish(end);
    }

    /// Begins again from another start, if there is one left and a warm start to make use of it.
    fn restart(&mut self) -> bool {
        let left = self.warm_start.is_some() && self.restarts < self.settings.restarts;
        if left {
            self.restarts += 1;
            self.choose_restart();
            self.begin_warm_start();
        }
        left
    }

    /// The next start: first zero, then ever wider around x0.
    fn choose_restart(&mut self) {
        let d = self.start.len();
        self.start.copy_from_slice(&self.x0);
        let size = reduce::norm(&self.start);
        if self.restarts == 1 && size > O::Scalar::zero() {
            self.start.fill(O::Scalar::zero());
            return;
        }
        let reach = if size > O::Scalar::zero() {
            size
        } else {
            reduce::norm(self.point())
        };
        let scale = reach * O::Scalar::of(self.restarts as f64 / (d as f64).sqrt());
        self.perturb_start(scale);
    }

    /// Leaves the warm start for the objective that was asked for, from the lowest point so far.
    /// Kinks that held it go on holding it: on which side of them rounding has put the point is
    /// chance, and whether the target falls to one of its sides is for the multipliers to say.
    fn begin_target(&mut self) {
        self.stage = Stage::Target;
        self.start.copy_from_slice(&self.best.x);
        if self.best.pinned.is_empty() {
            self.step_off_kinks();
        }
        self.descent.start_at(
            self.objective,
            &self.start,
            &self.best.pinned,
            TARGET_DAMPING,
        );
        if !self.descent.current.value().is_finite() {
            // A step off the kinks may overflow; x0 was seen not to.
            self.start.copy_from_slice(&self.x0);
            self.descent
                .start_at(self.objective, &self.start, &[], TARGET_DAMPING);
        }
        self.started_after = self.iteration;
        self.record(&Iteration::nothing(), self.descent.seconds);
        if self.target_is_met() {
            self.finish(Status::PerfectFit);
        }
    }

    /// Ends the solve at the lowest point, evaluated as it is, with no kink held.
    fn finish(&mut self, status: Status) {
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
        self.objective.value_at(at) <= self.objective.rounding_error(at)
    }

    fn keep_if_lowest(&mut self) {
        let loss = self.objective.value_at(&self.descent.current);
        if loss < self.best.loss {
            self.best.loss = loss;
            self.best.x.copy_from_slice(self.descent.current.point());
            self.best.pinned.clear();
            let pinned = self.descent.active_set.pinned();
            self.best.pinned.extend_from_slice(pinned);
        }
    }

    /// A start at which most kinks meet (x0 = 0 without biases) has no useful derivative there.
    /// Moves it a little, in a direction that no symmetry of the problem shares.
    fn step_off_kinks(&mut self) {
        self.objective
            .evaluate(&self.start, &[], &mut self.descent.trial);
        let distances = self.objective.signed_distances(&self.descent.trial);
        let met = distances
            .iter()
            .filter(|h| **h == O::Scalar::zero())
            .count();
        if met > 0 && 2 * met >= distances.len() {
            let size = reduce::norm(&self.start).max(O::Scalar::one());
            self.perturb_start(O::Scalar::of(1e-2) * size);
        }
    }

    /// Adds a random vector with entries of variance `scale`², and stays in the ball.
    fn perturb_start(&mut self, scale: O::Scalar) {
        let width = 3.0_f64.sqrt();
        for x in &mut self.start {
            *x += scale * O::Scalar::of(self.random.random_range(-width..width));
        }
        if let Some(radius) = self.objective.radius() {
            ball::retract(radius, &mut self.start);
        }
    }

    fn record(&mut self, iteration: &Iteration<O::Scalar>, before: PhaseSeconds) {
        let Descent {
            current,
            active_set,
            seconds,
            ..
        } = &self.descent;
        self.trace.push(TraceEntry {
            iteration: self.iteration,
            stage: self.stage,
            restart: self.restarts,
            loss: self.objective.value_at(current),
            stage_loss: current.value(),
            gradient_norm: iteration.gradient_norm,
            step_norm: iteration.step_norm,
            damping: iteration.damping,
            flips: iteration.flips,
            pinned: active_set.pinned().len(),
            rows_used: iteration.rows_used,
            elapsed: self.clock.elapsed().as_secs_f64(),
            seconds: seconds.since(&before),
        });
    }
}
