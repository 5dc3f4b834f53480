//! A solve that goes on from where another stood.

use super::{Run, Steps};
use crate::descent::Descent;
use crate::snapshot::{Snapshot, misfit};
use crate::solution::Stage;
use crate::solver::Solver;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;
use twolayer_core::{Error, HessianApprox, Kinked, Ladder, RowStructured};

impl<'r, O, H> Run<'r, O, H>
where
    O: RowStructured + Kinked + Ladder,
    H: HessianApprox<O>,
{
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
}

impl<'r, O, H> Run<'r, O, H>
where
    O: Kinked,
    H: HessianApprox<O>,
{
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
        ladder: Option<Steps<'r, O>>,
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
            let number = snapshot.rungs - 1;
            let made = ladder.and_then(|steps| (steps.rung)(&settings, objective, number, true));
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
            when_rungs: Steps::when(ladder, objective),
            rung,
            rungs: snapshot.rungs,
            earlier_restarts: snapshot.earlier_restarts,
            stage: snapshot.stage,
            // It is over before the first snapshot.
            is_on_trial: false,
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
    pub(super) fn renew(&mut self) {
        let on_a_rung = self.stage == Stage::WarmStart;
        let is_renewed = match on_a_rung {
            // Its kinks are those of the answer where that is the best point.
            true => self
                .descent
                .position
                .active_set
                .renew(self.objective, &self.descent.position.current),
            false => self.descent.renew(self.objective),
        };
        let rung = self.rung.as_mut();
        if is_renewed && rung.is_none_or(|rung| rung.renew(on_a_rung)) {
            let memory = self.hessian.memory();
            self.hessian.recall(&memory);
            self.renewed = self.iteration;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hessian::Adaptive;
    use crate::observer::Silent;
    use crate::solution::{PhaseSeconds, Solution};
    use twolayer::{AnyInversion, Problems, Target, TwoLayer};
    use twolayer_core::LinearBackend;
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

    type Model<'a> = Adaptive<AnyInversion<'a, Faer<f64>>>;
    type Steps<'a> = Run<'a, AnyInversion<'a, Faer<f64>>, Model<'a>>;

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
