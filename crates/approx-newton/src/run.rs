//! One solve as a state machine: the rungs of the warm start, then a descent on the target.

mod resume;
mod stages;

use crate::ball;
use crate::descent::{Descent, Iteration};
use crate::observer::Observer;
use crate::position::Position;
use crate::snapshot::Best;
use crate::solution::{PhaseSeconds, Solution, Stage, TraceEntry};
use crate::solver::Solver;
use crate::subgradient::{self, Remainder};
use crate::termination::{LimitPoint, Status};
use crate::warm_start::{self, Rung};
use num_traits::Float;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;
use twolayer_core::{
    Error, Evaluation, HessianApprox, Kinked, Ladder, Objective, RowStructured, Scalar, WhenRungs,
};

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
    ladder: Option<Steps<'r, O>>,
    /// When these come: asked once, for it may cost a pass over b.
    when_rungs: WhenRungs,
    /// The last one made, and how many were made so far, the cheapest first.
    rung: Option<Box<dyn Rung<O::Scalar> + 'r>>,
    rungs: usize,
    /// Starts on all of them but the last, beyond the first of each.
    earlier_restarts: usize,
    /// Whether the solve stands on the last rung or on the target.
    stage: Stage,
    /// Whether the target is tried before the warm start, from a start that may be an answer.
    is_on_trial: bool,
    hessian: &'r mut H,
    descent: Descent<O>,
    /// The lowest of x0 and the ends of the descents so far.
    best: Best<O::Scalar>,
    x0: Vec<O::Scalar>,
    iteration: usize,
    /// The last iteration after which all was made anew.
    renewed: usize,
    status: Option<Status>,
    trace: Vec<TraceEntry<O::Scalar>>,
    random: ChaCha8Rng,
    clock: Instant,
    /// Of an earlier run that this one goes on from.
    earlier_seconds: f64,
}

/// What a solve asks of an objective's [`Ladder`]; one without a warm start asks nothing.
struct Steps<'r, O: Objective> {
    /// The rung of a number, if there are so many that are worth their time, on a plateau or not.
    rung: MakeRung<'r, O>,
    is_better_descended_at_once: fn(&O, O::Scalar) -> bool,
    when: fn(&O) -> WhenRungs,
}

type MakeRung<'r, O> = fn(
    &Solver<<O as Objective>::Scalar>,
    &'r O,
    usize,
    bool,
) -> Option<Box<dyn Rung<<O as Objective>::Scalar> + 'r>>;

// Not derived: a copy asks nothing of the objective.
impl<O: Objective> Clone for Steps<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O: Objective> Copy for Steps<'_, O> {}

impl<O: Objective> Steps<'_, O> {
    /// When rungs come, if there are any.
    fn when(ladder: Option<Self>, objective: &O) -> WhenRungs {
        ladder.map_or(WhenRungs::First, |ladder| (ladder.when)(objective))
    }
}

/// Records that memory is set aside for; more are kept all the same.
const LONGEST_TRACE: usize = 1000;
/// Iterations after which what updates have carried along is made anew: often enough for a solve
/// that is killed to lose little, and so rarely that it costs nothing.
const RENEW_AFTER: usize = 32;
/// Damping of the first step on the target, which is met near its solution.
const TARGET_DAMPING: f64 = 1e-6;

/// What can be seen of a start without its objective: that it has d = `dimension` finite numbers and lies
/// in the ball ‖x‖ ≤ `radius`. One that only rounding has put outside is moved onto the sphere.
///
/// # Errors
/// One of the wrong length, with an entry that is NaN or infinite, or outside the ball by more than single
/// precision tells apart.
pub fn take_start<T: Scalar>(
    x0: &[T],
    dimension: usize,
    radius: Option<T>,
) -> Result<Vec<T>, Error> {
    Error::check_length("x0", x0.len(), dimension)?;
    Error::check_finite("x0", x0)?;
    let mut x0 = x0.to_vec();
    if let Some(radius) = radius {
        ball::take_in(radius, &mut x0)?;
    }
    Ok(x0)
}

impl<'r, O, H> Run<'r, O, H>
where
    O: RowStructured + Kinked + Ladder,
    H: HessianApprox<O>,
{
    /// Checks and evaluates the start `x0` (d).
    ///
    /// # Errors
    /// An x0 of the wrong length, with an entry that is NaN or infinite, outside the ball
    /// ‖x‖ ≤ R by more than single precision tells apart (else it is moved onto the sphere), or at
    /// which the objective overflows. One that is outside the bounds is moved within them.
    pub fn new(
        settings: Solver<O::Scalar>,
        objective: &'r O,
        hessian: &'r mut H,
        x0: &[O::Scalar],
    ) -> Result<Self, Error> {
        let mut run = Self::checked(settings, objective, hessian, x0)?;
        run.ladder = Self::ladder(&run.settings);
        run.when_rungs = Steps::when(run.ladder, objective);
        run.begin();
        Ok(run)
    }

    fn ladder(settings: &Solver<O::Scalar>) -> Option<Steps<'r, O>> {
        settings.warm_start.then_some(Steps {
            rung: warm_start::rung,
            is_better_descended_at_once: O::is_better_descended_at_once,
            when: O::when_rungs,
        })
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
        let mut x0 = take_start(x0, objective.dimension(), objective.radius())?;
        objective.confine(&[], &mut x0);
        let mut descent = Descent::new(objective, settings.tolerances);
        descent.start_at(objective, &x0, &[], TARGET_DAMPING);
        let loss = descent.position.current.value();
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
            when_rungs: WhenRungs::First,
            rung: None,
            rungs: 0,
            earlier_restarts: 0,
            stage: Stage::Target,
            is_on_trial: false,
            hessian,
            descent,
            best: Best {
                x: x0.clone(),
                pinned: Vec::new(),
                loss,
                is_flat: false,
            },
            x0,
            iteration: 0,
            renewed: 0,
            status: None,
            trace,
            clock,
            earlier_seconds: 0.0,
        })
    }

    /// One iteration. Returns the status once the solve is over, and then always.
    pub fn step(&mut self, observer: &mut impl Observer<O::Scalar>) -> Option<Status> {
        if self.status.is_some() {
            return self.status;
        }
        if self.iteration >= self.settings.max_iterations {
            self.finish(Status::IterationLimit);
            return self.status;
        }
        if self.is_out_of_time() {
            self.finish(Status::TimeLimit);
            return self.status;
        }
        self.iteration += 1;
        let before = self.seconds();
        let iteration = match &mut self.rung {
            Some(rung) if self.stage == Stage::WarmStart => rung.iterate(),
            _ => self.descent.iterate(self.objective, self.hessian, true),
        };
        self.record(&iteration, before);
        let entry = self.trace[self.trace.len() - 1];
        if observer.observe(&entry, self.point()).is_break() {
            self.finish(Status::Stopped);
            return self.status;
        }
        // The warm start may see further digits; the target does not.
        let met = self.present_rung().and_then(|rung| rung.target_met());
        match (self.present_rung(), met.or(iteration.end)) {
            (Some(_), Some(end)) => self.end_warm_descent(end),
            (None, Some(end)) => self.end_target(end),
            (_, None) => self.end_long_trial(),
        }
        if self.status.is_none() && self.iteration - self.renewed >= RENEW_AFTER {
            self.renew();
        }
        self.status
    }

    /// The objective that the next iteration works on.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The present point (d).
    pub fn point(&self) -> &[O::Scalar] {
        match self.present_rung() {
            Some(rung) => rung.point(),
            None => self.descent.position.current.point(),
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
            true => LimitPoint::held_by(
                self.descent.position.active_set.pinned(),
                self.objective.first_bound(),
            ),
        };
        let Position {
            current,
            active_set,
            ..
        } = &mut self.descent.position;
        let Remainder {
            norm: gradient_norm,
            multipliers,
        } = subgradient::remainder(self.objective, current, active_set);
        let solution = Solution {
            limit,
            x: self.descent.position.current.point().to_vec(),
            loss: self.descent.position.current.value(),
            gradient_norm,
            status,
            iterations: self.iteration,
            pinned: self.descent.position.active_set.pinned().to_vec(),
            multipliers,
            seconds: self.elapsed(),
            trace: self.trace,
        };
        (solution, self.descent.position.current)
    }

    /// The rung that the solve stands on.
    fn present_rung(&self) -> Option<&(dyn Rung<O::Scalar> + 'r)> {
        let rung = self.rung.as_deref();
        rung.filter(|_| self.stage == Stage::WarmStart)
    }

    fn seconds(&self) -> PhaseSeconds {
        match self.present_rung() {
            Some(rung) => rung.seconds(),
            None => self.descent.seconds,
        }
    }

    /// Starts beyond the first, those on another rung included.
    fn restarts(&self) -> usize {
        let on_the_last = self.rung.as_ref().map_or(0, |rung| rung.restarts());
        self.earlier_restarts + on_the_last + self.rungs.saturating_sub(1)
    }

    fn is_out_of_time(&self) -> bool {
        let limit = self.settings.time_limit;
        limit.is_some_and(|limit| self.clock.elapsed() >= limit)
    }

    /// Seconds since the solve began.
    fn elapsed(&self) -> f64 {
        self.earlier_seconds + self.clock.elapsed().as_secs_f64()
    }

    fn record(&mut self, iteration: &Iteration<O::Scalar>, before: PhaseSeconds) {
        let (loss, stage_loss, pinned) = match self.present_rung() {
            Some(rung) => {
                let loss = rung.target_value().unwrap_or(self.best.loss);
                (loss, rung.value(), rung.pinned().len())
            }
            None => {
                let loss = self.descent.position.current.value();
                (loss, loss, self.descent.position.active_set.pinned().len())
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
            elapsed: self.elapsed(),
            seconds: self.seconds().since(&before),
        });
    }
}
