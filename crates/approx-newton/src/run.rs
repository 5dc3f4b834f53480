//! One solve as a state machine: the rungs of the warm start, then a descent on the target.

use crate::descent::{Descent, Iteration, norm_or_infinity};
use crate::snapshot::{Best, Snapshot, misfit};
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
    /// The last one made, and how many were made so far, the cheapest first.
    rung: Option<Box<dyn Rung<O::Scalar> + 'r>>,
    rungs: usize,
    /// Starts on all of them but the last, beyond the first of each.
    earlier_restarts: usize,
    /// Whether the solve stands on the last rung or on the target.
    stage: Stage,
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

/// The rung of a number, if there are so many.
type Ladder<'r, O> = fn(
    &Solver<<O as Objective>::Scalar>,
    &'r O,
    usize,
) -> Option<Box<dyn Rung<<O as Objective>::Scalar> + 'r>>;

/// Records that memory is set aside for; more are kept all the same.
const LONGEST_TRACE: usize = 1000;
/// Iterations after which what updates have carried along is made anew: often enough for a solve
/// that is killed to lose little, and so rarely that it costs nothing.
const RENEW_AFTER: usize = 32;
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
        run.ladder = Self::ladder(&run.settings);
        run.begin();
        Ok(run)
    }

    /// Goes on from a [`snapshot`](Run::snapshot) of a run with the same settings and the same
    /// problem, with a model of the Hessian of the same settings, which may be new: to the same
    /// bits as that run on the same kind of processor, but for the times.
    ///
    /// # Errors
    /// A snapshot that cannot be of such a run. It is not searched for every difference: whoever
    /// keeps snapshots keeps with them what they belong to.
    pub fn resume(
        settings: Solver<O::Scalar>,
        objective: &'r O,
        hessian: &'r mut H,
        snapshot: Snapshot<O::Scalar>,
    ) -> Result<Self, Error> {
        let ladder = Self::ladder(&settings);
        Self::restored(settings, objective, hessian, ladder, snapshot)
    }

    fn ladder(settings: &Solver<O::Scalar>) -> Option<Ladder<'r, O>> {
        let ladder: Ladder<'r, O> = |settings, objective, number| {
            Some(Box::new(WarmDescent::new(settings, objective, number)?))
        };
        settings.warm_start.then_some(ladder)
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

    /// [`Run::resume`] for a run [without warm start](Run::without_warm_start).
    ///
    /// # Errors
    /// As [`Run::resume`].
    pub fn resume_without_warm_start(
        settings: Solver<O::Scalar>,
        objective: &'r O,
        hessian: &'r mut H,
        snapshot: Snapshot<O::Scalar>,
    ) -> Result<Self, Error> {
        Self::restored(settings, objective, hessian, None, snapshot)
    }

    fn restored(
        settings: Solver<O::Scalar>,
        objective: &'r O,
        hessian: &'r mut H,
        ladder: Option<Ladder<'r, O>>,
        snapshot: Snapshot<O::Scalar>,
    ) -> Result<Self, Error> {
        let clock = Instant::now();
        snapshot.check(objective.dimension(), objective.kinks())?;
        let on_a_rung = snapshot.stage == Stage::WarmStart;
        let mut descent = Descent::new(objective, settings.tolerances);
        if !descent.restore(objective, &snapshot.descent) && !on_a_rung {
            return misfit("the objective has another value at its point");
        }
        if !hessian.recall(&snapshot.model) {
            return misfit("it is of another model of the Hessian");
        }
        let mut rung = None;
        if let Some(state) = &snapshot.rung {
            let made = ladder.and_then(|make| make(&settings, objective, snapshot.rungs - 1));
            let Some(mut made) = made else {
                return misfit("the warm start has fewer stages");
            };
            if !made.restore(state, on_a_rung) {
                return misfit("the warm start is another one");
            }
            rung = Some(made);
        }
        let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
        random.set_word_pos(snapshot.random);
        Ok(Self {
            settings,
            objective,
            ladder,
            rung,
            rungs: snapshot.rungs,
            earlier_restarts: snapshot.earlier_restarts,
            stage: snapshot.stage,
            hessian,
            descent,
            best: snapshot.best,
            x0: snapshot.x0,
            iteration: snapshot.iteration,
            renewed: snapshot.iteration,
            status: None,
            trace: snapshot.trace,
            random,
            clock,
            earlier_seconds: snapshot.seconds,
        })
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
            rung: None,
            rungs: 0,
            earlier_restarts: 0,
            stage: Stage::Target,
            hessian,
            descent,
            best: Best {
                x: x0.to_vec(),
                pinned: Vec::new(),
                loss,
            },
            x0: x0.to_vec(),
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
        match (self.present_rung(), iteration.end) {
            // The warm start may see further digits; the target does not.
            (Some(rung), _) if rung.target_is_met() => self.end_warm_descent(Status::PerfectFit),
            (Some(_), Some(end)) => self.end_warm_descent(end),
            (None, Some(end)) => self.end_target(end),
            (_, None) => {}
        }
        if self.status.is_none() && self.iteration - self.renewed >= RENEW_AFTER {
            self.renew();
        }
        self.status
    }

    /// Where the solve stands, for [`Run::resume`] to go on from to the same bits; `None` unless the
    /// last [`step`](Run::step) made anew all that earlier ones had carried along, which it does
    /// after 32 iterations, or a few more, whether that is asked for or not.
    pub fn snapshot(&self) -> Option<Snapshot<O::Scalar>> {
        let is_renewed = self.iteration == self.renewed && self.iteration > 0;
        (is_renewed && self.status.is_none()).then(|| Snapshot {
            x0: self.x0.clone(),
            best: self.best.clone(),
            stage: self.stage,
            iteration: self.iteration,
            trace: self.trace.clone(),
            random: self.random.get_word_pos(),
            seconds: self.elapsed(),
            descent: self.descent.state(),
            model: self.hessian.memory(),
            rungs: self.rungs,
            earlier_restarts: self.earlier_restarts,
            rung: self.rung.as_ref().map(|rung| rung.state()),
        })
    }

    /// Makes anew what was carried along by updates, if the present point allows it: from here on
    /// the solve follows from what a snapshot has.
    fn renew(&mut self) {
        let on_a_rung = self.stage == Stage::WarmStart;
        let is_renewed = match on_a_rung {
            // Its kinks are those of the answer where that is the best point.
            true => self.descent.active_set.renew(self.objective),
            false => self.descent.renew(self.objective),
        };
        let rung = self.rung.as_mut();
        if is_renewed && rung.is_none_or(|rung| rung.renew(on_a_rung)) {
            let memory = self.hessian.memory();
            self.hessian.recall(&memory);
            self.renewed = self.iteration;
        }
    }

    /// The objective that the next iteration works on.
    pub fn stage(&self) -> Stage {
        self.stage
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
            seconds: self.elapsed(),
            trace: self.trace,
        };
        (solution, self.descent.current)
    }

    /// The rung that the solve stands on.
    fn present_rung(&self) -> Option<&(dyn Rung<O::Scalar> + 'r)> {
        let rung = self.rung.as_deref();
        rung.filter(|_| self.stage == Stage::WarmStart)
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
            let Some(rung) = ladder(&self.settings, self.objective, self.rungs) else {
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
        let rung = self.rung.as_ref();
        let Some(rung) = rung.filter(|_| self.stage == Stage::WarmStart) else {
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
        let on_the_last = self.rung.as_ref().map_or(0, |rung| rung.restarts());
        self.earlier_restarts + on_the_last + self.rungs.saturating_sub(1)
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
            elapsed: self.elapsed(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Adaptive, Silent};
    use twolayer_core::{Inversion, LinearBackend, Problems, Target, TwoLayer};
    use twolayer_faer::Faer;

    const SHAPE: (usize, usize, usize) = (16, 64, 20);

    /// Numbers without a pattern, of variance 1 or so.
    fn spread(count: usize, seed: u64) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut number = || rand::RngExt::random_range(&mut random, -1.7..1.7);
        (0..count).map(|_| number()).collect()
    }

    fn network((d, n, m): (usize, usize, usize), seed: u64) -> TwoLayer<Faer<f64>> {
        let backend = Faer::sequential();
        let (mut a1, mut a2) = (backend.zeros(n, d), backend.zeros(m, n));
        let scaled = |count: usize, scale: f64, seed| -> Vec<f64> {
            spread(count, seed).iter().map(|v| scale * v).collect()
        };
        let (first, second) = ((1.0 / d as f64).sqrt(), (18.0 / n as f64).sqrt());
        backend.copy_from_row_major(&scaled(n * d, first, seed), &mut a1);
        backend.copy_from_row_major(&scaled(m * n, second, seed + 100), &mut a2);
        let network = TwoLayer::new(backend, a1, a2).unwrap();
        let (c1, c2) = (scaled(n, 0.5, seed + 200), scaled(m, 0.5, seed + 300));
        network.with_biases(c1, c2).unwrap()
    }

    type Model<'a> = Adaptive<Inversion<'a, Faer<f64>>>;
    type Steps<'a> = Run<'a, Inversion<'a, Faer<f64>>, Model<'a>>;

    /// Steps to the end, made anew after each that allows it. Returns the solution without its
    /// times, and the snapshots on the way.
    fn drive(mut run: Steps<'_>) -> (Solution<f64>, Vec<Snapshot<f64>>) {
        let mut snapshots = Vec::new();
        while run.step(&mut Silent).is_none() {
            run.renew();
            snapshots.extend(run.snapshot());
        }
        let mut solution = run.into_solution();
        solution.seconds = 0.0;
        for entry in &mut solution.trace {
            (entry.elapsed, entry.seconds) = (0.0, PhaseSeconds::default());
        }
        (solution, snapshots)
    }

    /// From every iteration that allows it, on every rung and through every restart.
    #[test]
    fn a_run_goes_on_to_the_same_bits_from_any_iteration() {
        let mut on_rungs = [0; 4];
        let (mut after_restarts, mut on_the_target) = (0, 0);
        for (shape, seed, many, fits) in [
            (SHAPE, 1, false, true),
            (SHAPE, 2, true, true),
            (SHAPE, 3, false, false),
            ((10, 60, 12), 4, false, true),
            ((20, 40, 30), 5, false, true),
            ((6, 30, 120), 6, false, true),
            ((6, 30, 120), 7, true, false),
            ((12, 48, 150), 8, false, true),
            ((12, 48, 150), 9, false, false),
        ] {
            let network = network(shape, seed);
            let x = spread(shape.0, seed + 400);
            let mut b = network.probabilities(&x).unwrap();
            if !fits {
                b.rotate_left(1);
            }
            let target = Target::new(b).unwrap();
            let problems = Problems::new(&network);
            let problems = if many { problems.for_many() } else { problems };
            let problem = problems.inversion(target).unwrap();
            let start: Vec<f64> = x.iter().map(|x| -2.0 * x).collect();
            let settings = || Solver::new().with_max_iterations(150);
            let mut model = settings().default_hessian(&problem);
            let run = Run::new(settings(), &problem, &mut model, &start).unwrap();
            let (whole, snapshots) = drive(run);
            for (index, snapshot) in snapshots.iter().enumerate() {
                if snapshot.stage == Stage::WarmStart {
                    on_rungs[snapshot.rungs - 1] += 1;
                } else {
                    on_the_target += 1;
                }
                let restarted = |rung: &crate::snapshot::RungState<f64>| rung.restarts > 0;
                after_restarts += usize::from(snapshot.rung.as_ref().is_some_and(restarted));
                let mut model = settings().default_hessian(&problem);
                let run = Run::resume(settings(), &problem, &mut model, snapshot.clone());
                let (resumed, later) = drive(run.unwrap());
                let at = snapshot.iteration;
                assert_eq!(resumed, whole, "from iteration {at} of {shape:?} {seed}");
                assert_eq!(later.len(), snapshots.len() - index - 1);
            }
        }
        println!(
            "{on_rungs:?} on rungs, {after_restarts} restarted, {on_the_target} on the target"
        );
        assert!(on_rungs[0] > 10 && on_rungs[1] > 10 && after_restarts > 10);
        assert!(on_the_target > 100);
    }
}
