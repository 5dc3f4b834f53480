//! One target after the other, each from its own start.

use super::{Campaign, Model, Worker};
use crate::checkpoint::{Round, UnderWay};
use crate::dispatch::Library;
use crate::error::{Error, in_file};
use crate::interrupt;
use crate::invert::Outcome;
use std::ops::{ControlFlow, Range};
use twolayer::theory::{Recorder, examine};
use twolayer::{Further, Observer, Run, Snapshot, Solution, TraceEntry};
use twolayer::{Inversion, InversionPoint, Objective, Scalar};
use twolayer_certificate::Certifier;

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
pub(super) struct Watch<T> {
    /// Keeps the iterates, where the theorem is to be checked.
    pub(super) recorder: Option<Recorder<T>>,
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

impl<B: Library> Campaign<'_, B> {
    pub(super) fn objective<'w>(
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
    pub(super) fn solve_block(
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

    pub(super) fn resume<'r, 'w>(
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
    pub(super) fn drive<'r, 'w>(
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

    /// What follows from an outcome that was kept, and was not.
    pub(super) fn complete(
        &self,
        objective: &Inversion<'_, B>,
        index: usize,
        mut outcome: Outcome,
    ) -> Result<Outcome, Error> {
        self.follow(objective, index, None, &mut outcome)?;
        Ok(outcome)
    }

    /// What is kept of a solution. `at` is the state of the objective there, if it is known.
    pub(super) fn outcome(
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
}
