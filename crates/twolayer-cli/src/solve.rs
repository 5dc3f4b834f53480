//! All targets of a problem, shared out over the cores.

use crate::args::{Hessian, InvertArgs};
use crate::checkpoint::{Log, Round, UnderWay};
use crate::dispatch::Library;
use crate::error::{Error, in_file};
use crate::interrupt;
use crate::invert::{Outcome, Outcomes};
use crate::problem_file::Vectors;
use crate::single_precision::{in_single_precision, target};
use crate::spill::Spill;
use crate::targets::Targets;
use approx_newton::theory::{Recorder, examine};
use approx_newton::{
    Certifier, Cloud, ConjugateGradient, Crew, DenseHessian, Further, Leverage, MixedPrecision,
    Neighbours, Observer, RowFactor, Run, Scores, Seat, Sketched, Snapshot, Solution, Solver,
    Status, TraceEntry, Uniform,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::ops::{ControlFlow, Range};
use std::time::Instant;
use twolayer_core::{
    HessianApprox, Inversion, InversionPoint, Objective, Problems, RowWeights, Scalar, TOGETHER,
};

/// What every worker needs.
pub(crate) struct Campaign<'c, B: Library> {
    pub(crate) args: &'c InvertArgs,
    pub(crate) problems: Problems<'c, B>,
    /// The problems in single precision, where the model of the Hessian is built from them.
    pub(crate) rounded: Option<Problems<'c, B::Single>>,
    pub(crate) targets: &'c Targets<B::Scalar>,
    pub(crate) starts: &'c Vectors<B::Scalar>,
    /// K.
    pub(crate) count: usize,
    pub(crate) crew: Crew,
    /// The network's output for every answer (K×m).
    pub(crate) probabilities: Spill,
    /// What was solved before, and what is kept of it all.
    pub(crate) log: Option<Log<'c, B::Scalar>>,
}

/// A worker's own: the problems on its threads, and the buffers of its model of the Hessian.
struct Worker<'w, B: Library> {
    problems: Problems<'w, B>,
    rounded: Option<Problems<'w, B::Single>>,
    model: Option<Model<'w, B>>,
}

type Model<'w, B> = Box<dyn HessianApprox<Inversion<'w, B>> + 'w>;

type Steps<'r, 'w, B> = Run<'r, Inversion<'w, B>, Model<'w, B>>;

/// A target of a block.
struct Item<'w, B: Library> {
    index: usize,
    objective: Result<Inversion<'w, B>, Error>,
    /// What an earlier run has left of it.
    finished: Option<Outcome>,
    under_way: Option<UnderWay<B::Scalar>>,
}

/// An observer that a signal stops.
struct Watch<T> {
    /// Keeps the iterates, where the theorem is to be checked.
    recorder: Option<Recorder<T>>,
}

impl<T: Scalar> Observer<T> for Watch<T> {
    fn observe(&mut self, entry: &TraceEntry<T>, x: &[T]) -> ControlFlow<()> {
        if let Some(recorder) = &mut self.recorder {
            recorder.observe(entry, x)?;
        }
        match interrupt::requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// Targets whose neighbours a worker looks for at a time.
pub(crate) const OPEN_TARGETS: u64 = 16;
const BLOCK: usize = OPEN_TARGETS as usize;

impl<B: Library> Campaign<'_, B> {
    /// Solves every target from where the checkpoint stands, then those that do not fit from other
    /// starts where these are asked for.
    pub(crate) fn run(self) -> Result<Outcomes, Error> {
        let clock = Instant::now();
        let mut solved = self.solve_all()?;
        let mut untried = 0;
        if self.args.starts > 1 && solved.len() == self.count && !is_stopped(&solved) {
            untried = self.try_other_starts(&mut solved)?;
        }
        if let Some(log) = &self.log {
            log.save()?;
        }
        Ok(Outcomes {
            solved,
            targets: self.count,
            untried,
            wall_seconds: clock.elapsed().as_secs_f64(),
            probabilities: self.probabilities,
        })
    }

    fn solve_all(&self) -> Result<Vec<Outcome>, Error> {
        let mut solved = Vec::with_capacity(self.count);
        let bar = progress_bar(self.args.quiet, self.count, "targets");
        let work = |worker: &mut Worker<'_, B>, seat: &dyn Seat<Result<Outcome, Error>>| {
            while !interrupt::requested() {
                let block = seat.take_several(TOGETHER);
                if block.is_empty() {
                    break;
                }
                self.solve_block(worker, block, |index, outcome| {
                    seat.hand_over(index, outcome);
                });
            }
        };
        self.share_out(0..self.count, work, |_, outcome| {
            solved.push(outcome);
            bar.inc(1);
            Ok(match is_stopped(&solved) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })?;
        bar.finish_and_clear();
        Ok(solved)
    }

    /// Tries the targets that are no perfect fit from the solutions of the nearest that are, then
    /// from random points. Returns how many could not be tried before a signal came.
    fn try_other_starts(&self, solved: &mut [Outcome]) -> Result<usize, Error> {
        // As the first starts left them: what other starts reach does not depend on the order.
        let fits = |outcome: &Outcome| outcome.status == Status::PerfectFit && outcome.starts == 1;
        let is_open = |o: &Outcome| o.starts == 1 && o.status != Status::PerfectFit;
        let numbers = |chosen: &dyn Fn(&Outcome) -> bool| -> Vec<usize> {
            let all = solved.iter().enumerate();
            let chosen = all.filter(|(_, outcome)| chosen(outcome));
            chosen.map(|(index, _)| index).collect()
        };
        let (met, open) = (numbers(&fits), numbers(&is_open));
        let neighbours = self.neighbours(&met, &open)?;
        let x = |index: usize| -> Vec<B::Scalar> {
            solved[index].x.iter().map(|&v| B::Scalar::of(v)).collect()
        };
        let mut cloud = Cloud::new(self.args.seed, self.starts.get(0));
        for &index in &met {
            cloud.add(&x(index));
        }
        let further = self.args.starts - 1;
        let bar = progress_bar(self.args.quiet, open.len(), "targets tried again");
        let mut tried = 0;
        let mut better: Vec<(usize, Outcome)> = Vec::new();
        let job = |worker: &mut Worker<'_, B>, which: usize| {
            let index = open[which];
            if let Some(outcome) = self.log.as_ref().and_then(|log| log.tried_again(index)) {
                let objective = self.objective(worker, index)?;
                return self.complete(&objective, index, outcome).map(Some);
            }
            let near = neighbours[which].iter().map(|&index| x(index));
            let random = (0..further).map(|number| cloud.draw(index, number));
            let starts = near.chain(random).take(further);
            self.solve_from_others(worker, index, &solved[index], starts)
        };
        self.share_out(0..open.len(), one_by_one(job), |which, outcome| {
            let Some(outcome) = outcome else {
                return Ok(ControlFlow::Break(()));
            };
            better.push((open[which], outcome));
            tried += 1;
            bar.inc(1);
            Ok(ControlFlow::Continue(()))
        })?;
        bar.finish_and_clear();
        for (index, outcome) in better {
            solved[index] = outcome;
        }
        Ok(open.len() - tried)
    }

    /// For each open target the nearest of those that were met.
    fn neighbours(&self, met: &[usize], open: &[usize]) -> Result<Vec<Vec<usize>>, Error> {
        let most = (self.args.starts - 1).div_ceil(2);
        let mut all = Vec::with_capacity(open.len());
        let job = |_: &mut Worker<'_, B>, block: usize| {
            let block = &open[block * BLOCK..open.len().min((block + 1) * BLOCK)];
            let rows = block.iter().map(|&index| self.targets.row(index));
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            let mut neighbours = Neighbours::new(block.len(), most);
            for &index in met {
                let other = self.targets.row(index)?;
                for (which, row) in rows.iter().enumerate() {
                    neighbours.offer(which, row, index, &other);
                }
            }
            let lists = (0..block.len()).map(|which| neighbours.of(which).collect::<Vec<_>>());
            Ok(lists.collect::<Vec<_>>())
        };
        let blocks = 0..open.len().div_ceil(BLOCK);
        self.share_out(blocks, one_by_one(job), |_, lists| {
            all.extend(lists);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }

    /// Has the workers do `work` on all items, and delivers the results in order. The first error
    /// ends it.
    fn share_out<R: Send>(
        &self,
        items: Range<usize>,
        work: impl for<'w> Fn(&mut Worker<'w, B>, &dyn Seat<Result<R, Error>>) + Sync,
        mut deliver: impl FnMut(usize, R) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let mut failure = None;
        self.crew.share_out(
            items,
            |seat| {
                let network = self.problems.network().with_threads(seat.threads());
                let rounded = self.rounded.as_ref();
                let single = rounded.map(|p| (p, p.network().with_threads(seat.threads())));
                let mut worker = Worker {
                    problems: self.problems.on(&network),
                    rounded: single
                        .as_ref()
                        .map(|(problems, network)| problems.on(network)),
                    model: None,
                };
                work(&mut worker, seat);
            },
            |item, result| match result.and_then(|result| deliver(item, result)) {
                Ok(flow) => flow,
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            },
        );
        failure.map_or(Ok(()), Err)
    }

    fn solver(&self) -> Solver<B::Scalar> {
        let solver = Solver::new()
            .with_seed(self.args.seed)
            .with_warm_start(!self.args.no_warm_start);
        match self.args.max_iterations {
            Some(limit) => solver.with_max_iterations(limit),
            None => solver,
        }
    }

    fn objective<'w>(
        &self,
        worker: &Worker<'w, B>,
        index: usize,
    ) -> Result<Inversion<'w, B>, Error> {
        let target = self.targets.get(index)?;
        let objective = worker.problems.inversion(target);
        objective.map_err(in_file(&self.args.problem.path, Some(index)))
    }

    /// Solves the targets of a block from their own starts; completes those that were kept. What is
    /// not handed over before a signal is dropped.
    fn solve_block(
        &self,
        worker: &mut Worker<'_, B>,
        block: Range<usize>,
        hand_over: impl Fn(usize, Result<Outcome, Error>),
    ) {
        let log = self.log.as_ref();
        let mut block: Vec<_> = block
            .map(|index| Item {
                index,
                objective: self.objective(worker, index),
                finished: log.and_then(|log| log.solved(index)),
                under_way: log.and_then(|log| log.under_way(index)),
            })
            .collect();
        if !self.args.no_warm_start {
            let new = block.iter_mut();
            let new = new.filter(|item| item.finished.is_none() && item.under_way.is_none());
            worker.problems.begin_together(new.filter_map(|item| {
                let start = self.starts.get(item.index);
                Some((item.objective.as_mut().ok()?, start))
            }));
        }
        for item in block {
            if interrupt::requested() {
                break;
            }
            let Item {
                index,
                objective,
                finished,
                under_way,
            } = item;
            let outcome = objective.and_then(|objective| match finished {
                Some(outcome) => self.complete(&objective, index, outcome),
                None => self.solve(worker, index, &objective, under_way),
            });
            hand_over(index, outcome);
        }
    }

    /// A solve from the target's own start, or from where an earlier run was with it.
    fn solve<'w>(
        &self,
        worker: &mut Worker<'w, B>,
        index: usize,
        objective: &Inversion<'w, B>,
        under_way: Option<UnderWay<B::Scalar>>,
    ) -> Result<Outcome, Error> {
        let model = self.model(worker, objective)?;
        let start = self.starts.get(index);
        let (run, recorder) = match under_way {
            Some(state) => {
                let run = self.resume(objective, model, index, state.snapshot)?;
                (run, state.recorder)
            }
            None => {
                let run = Run::new(self.solver(), objective, model, start);
                let run = run.map_err(in_file(&self.args.problem.path, Some(index)))?;
                (run, self.args.theory.then(|| Recorder::new(start)))
            }
        };
        let mut watch = Watch { recorder };
        let (solution, at) = self.drive(run, index, &mut watch, None)?.into_answer();
        let recorder = watch.recorder.as_ref();
        let theory = recorder.map(|recorder| examine(objective, model, recorder, &solution.x));
        let outcome = Outcome {
            theory,
            ..self.outcome(objective, index, solution, Some(&at), 1)?
        };
        if let Some(log) = &self.log {
            log.finish(index, &outcome, Round::First)?;
        }
        Ok(outcome)
    }

    fn resume<'r, 'w>(
        &self,
        objective: &'r Inversion<'w, B>,
        model: &'r mut Model<'w, B>,
        index: usize,
        snapshot: Snapshot<B::Scalar>,
    ) -> Result<Steps<'r, 'w, B>, Error> {
        let run = Run::resume(self.solver(), objective, model, snapshot);
        let path = self.args.checkpoint.as_ref();
        let path = path.unwrap_or(&self.args.problem.path);
        run.map_err(in_file(path, Some(index)))
    }

    /// Steps to the end, and has the state kept whenever there is one to go on from.
    fn drive<'r, 'w>(
        &self,
        mut run: Steps<'r, 'w, B>,
        index: usize,
        watch: &mut Watch<B::Scalar>,
        further: Option<&Further<B::Scalar>>,
    ) -> Result<Steps<'r, 'w, B>, Error> {
        while run.step(watch).is_none() {
            if let Some(log) = &self.log
                && let Some(snapshot) = run.snapshot()
            {
                let state = UnderWay {
                    snapshot,
                    recorder: watch.recorder.clone(),
                    further: further.cloned(),
                };
                log.keep(index, &state)?;
            }
        }
        Ok(run)
    }

    /// The best of a first outcome and of other starts; `None` where a signal came.
    fn solve_from_others(
        &self,
        worker: &mut Worker<'_, B>,
        index: usize,
        first: &Outcome,
        starts: impl Iterator<Item = Vec<B::Scalar>>,
    ) -> Result<Option<Outcome>, Error> {
        let objective = self.objective(worker, index)?;
        let model = self.model(worker, &objective)?;
        let mut watch = Watch { recorder: None };
        let under_way = self.log.as_ref().and_then(|log| log.under_way(index));
        let (mut snapshot, further) = match under_way {
            Some(state) => (Some(state.snapshot), state.further),
            None => (None, None),
        };
        let mut further = further.unwrap_or_else(|| Further::new(B::Scalar::of(first.loss)));
        further.try_each(objective.radius(), starts, |further, start| {
            let run = match snapshot.take() {
                Some(snapshot) => self.resume(&objective, model, index, snapshot)?,
                None => match Run::new(self.solver(), &objective, model, start) {
                    Ok(run) => run,
                    Err(error) => return Ok(Err(error)),
                },
            };
            let run = self.drive(run, index, &mut watch, Some(further))?;
            Ok(Ok(run.into_solution()))
        })?;
        if further.is_stopped {
            return Ok(None);
        }
        let tried = 1 + further.starts;
        let outcome = match further.lower {
            Some(solution) => self.outcome(&objective, index, solution, None, tried)?,
            None => Outcome {
                starts: tried,
                ..first.clone()
            },
        };
        if let Some(log) = &self.log {
            log.finish(index, &outcome, Round::Second)?;
        }
        Ok(Some(outcome))
    }

    /// What follows from an outcome that was kept, and was not.
    fn complete(
        &self,
        objective: &Inversion<'_, B>,
        index: usize,
        mut outcome: Outcome,
    ) -> Result<Outcome, Error> {
        self.follow(objective, index, None, &mut outcome)?;
        Ok(outcome)
    }

    /// What is kept of a solution. `at` is the state of the objective there, if it is known.
    fn outcome(
        &self,
        objective: &Inversion<'_, B>,
        index: usize,
        solution: Solution<B::Scalar>,
        at: Option<&InversionPoint<B::Scalar>>,
        starts: usize,
    ) -> Result<Outcome, Error> {
        let keeps_trace = self.args.keeps_trace(index, self.count);
        let mut outcome = Outcome::new(solution, starts, keeps_trace);
        self.follow(objective, index, at, &mut outcome)?;
        Ok(outcome)
    }

    /// The network's output, and the certificate where one is asked for.
    fn follow(
        &self,
        objective: &Inversion<'_, B>,
        index: usize,
        at: Option<&InversionPoint<B::Scalar>>,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let x: Vec<_> = outcome.x.iter().map(|&v| B::Scalar::of(v)).collect();
        let on_kinks;
        let at = match at.filter(|_| outcome.pinned.is_empty()) {
            Some(at) => at,
            None => {
                let mut at = objective.new_evaluation();
                objective.evaluate(&x, &outcome.pinned, &mut at);
                on_kinks = at;
                &on_kinks
            }
        };
        let row = at.probabilities().iter().map(|&f| f.to_f64());
        let written = self.probabilities.write(index, row);
        written.map_err(|source| Error::Write {
            path: self.args.out.clone(),
            source,
        })?;
        if self.args.certify {
            let verdict = Certifier::new().certify(objective, &x);
            let in_file = in_file(&self.args.problem.path, Some(index));
            outcome.verdict = Some(verdict.map_err(in_file)?);
        }
        Ok(())
    }

    /// The model of the Hessian that was asked for, made for the worker's first target and used for
    /// all, or for each target where it is built from the target's rounded problem.
    fn model<'m, 'w>(
        &self,
        worker: &'m mut Worker<'w, B>,
        objective: &Inversion<'w, B>,
    ) -> Result<&'m mut Model<'w, B>, Error> {
        let kept = worker.model.take();
        let model = match kept.filter(|_| worker.rounded.is_none()) {
            Some(model) => model,
            None => self.new_model(worker.rounded.as_ref(), objective)?,
        };
        Ok(worker.model.insert(model))
    }

    fn new_model<'w>(
        &self,
        rounded: Option<&Problems<'w, B::Single>>,
        objective: &Inversion<'w, B>,
    ) -> Result<Model<'w, B>, Error> {
        let (secant, exact, seed) = (RowWeights::Secant, RowWeights::Exact, self.args.seed);
        let rows = 8 * objective.dimension();
        let by_leverage = |scores| {
            let leverage = Leverage::new(objective, scores, seed);
            RowFactor::sampled_by(objective, secant, leverage, rows, seed)
        };
        Ok(match self.args.hessian {
            Hessian::Auto => Box::new(self.solver().default_hessian(objective)),
            Hessian::Secant => Box::new(RowFactor::new(objective, secant)),
            Hessian::Exact => Box::new(DenseHessian::new(objective, exact)),
            Hessian::Convexified => Box::new(RowFactor::new(objective, RowWeights::Convexified)),
            Hessian::GaussNewton => Box::new(RowFactor::new(objective, RowWeights::GaussNewton)),
            Hessian::Sampled => Box::new(RowFactor::sampled(objective, secant, rows, seed)),
            Hessian::Uniform => {
                let model = RowFactor::sampled_by(objective, secant, Uniform, rows, seed);
                Box::new(model)
            }
            Hessian::Leverage => Box::new(by_leverage(Scores::Fast)),
            Hessian::LeverageExact => Box::new(by_leverage(Scores::Exact)),
            Hessian::Sketch => Box::new(Sketched::new(objective, secant, rows, seed)),
            Hessian::ConjugateGradient => {
                Box::new(ConjugateGradient::new(objective, exact, rows, seed))
            }
            Hessian::MixedPrecision => {
                let problems = rounded.ok_or(Error::MixedInSinglePrecision)?;
                let low = target(objective.target()).and_then(|b| problems.inversion(b));
                let low = low.map_err(in_single_precision(&self.args.problem.path))?;
                Box::new(MixedPrecision::sampled(low, secant, rows, seed))
            }
        })
    }
}

/// The work of a worker who does `job` on one item after the other, until a signal comes.
fn one_by_one<'j, B: Library, R>(
    job: impl for<'w> Fn(&mut Worker<'w, B>, usize) -> Result<R, Error> + Sync + 'j,
) -> impl for<'w> Fn(&mut Worker<'w, B>, &dyn Seat<Result<R, Error>>) + Sync + 'j {
    move |worker, seat| {
        while !interrupt::requested()
            && let Some(item) = seat.take()
        {
            seat.hand_over(item, job(worker, item));
        }
    }
}

fn is_stopped(solved: &[Outcome]) -> bool {
    let last = solved.last();
    last.is_some_and(|outcome| outcome.status == Status::Stopped)
}

/// indicatif hides it by itself where standard error is no terminal.
fn progress_bar(quiet: bool, count: usize, what: &str) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(count as u64);
    match ProgressStyle::with_template(&format!("{{bar:40}} {{pos}}/{{len}} {what}, {{eta}} left"))
    {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
