//! The campaign over the targets of a call, as the command runs it.

mod model;
mod paper;

pub(crate) use paper::{refuse_terms_it_has_not, refuse_what_it_has_not};

use crate::args::{InvertArgs, Method, Start};
use crate::checkpoint::{Finished, Log, State};
use crate::courses::keeps_trace;
use crate::dispatch::Library;
use crate::error::{Error, in_file};
use crate::interrupt;
use crate::lock::lock;
use crate::outcome::{End, Found, Outcome, Outcomes};
use crate::progress::Progress as Bar;
use crate::solver::solver;
use crate::spill::Spill;
use crate::targets::Targets;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use twolayer::theory::{Recorder, examine};
use twolayer::{
    Answer, Bad, Campaign, Earlier, Further, Model, Observer, Origin, Owner, Progress, Round,
    Snapshot, Solved, Solver, TraceEntry, UnderWay,
};
use twolayer::{AnyInversion, AnyPoint, Error as CoreError, Objective, Problems, Scalar};
use twolayer_certificate::Certifier;

/// Who runs the campaign: reads targets from files, puts outputs aside, keeps a checkpoint, and stops
/// at a signal.
pub(crate) struct Host<'c, B: Library> {
    args: &'c InvertArgs,
    solver: Solver<B::Scalar>,
    /// The problems in single precision, where the model of the Hessian is built from them.
    rounded: Option<Problems<'c, B::Single>>,
    targets: &'c Targets<B::Scalar>,
    /// K.
    count: usize,
    /// The network's output for every answer (K×m).
    probabilities: Spill,
    /// What was solved before, and what is kept of it all.
    log: Option<Log<'c, B::Scalar>>,
    /// What was found out about answers.
    found: Mutex<BTreeMap<usize, Found>>,
    bar: Mutex<Bar>,
}

/// An observer that a signal stops.
pub(crate) struct Watch<T> {
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

impl<'c, B: Library> Host<'c, B> {
    pub(crate) fn new(
        args: &'c InvertArgs,
        targets: &'c Targets<B::Scalar>,
        count: usize,
        rounded: Option<Problems<'c, B::Single>>,
        probabilities: Spill,
        log: Option<Log<'c, B::Scalar>>,
    ) -> Self {
        Self {
            args,
            solver: solver(args),
            rounded,
            targets,
            count,
            probabilities,
            log,
            found: Mutex::default(),
            bar: Mutex::new(Bar::Hidden),
        }
    }

    /// Refuses targets and starts that are no good, unless they are to be skipped: one that all share
    /// leaves nothing to solve.
    pub(crate) fn check(&self, campaign: &Campaign<'_, B>) -> Result<(), Error> {
        let bad = campaign.find_bad(self)?;
        let is_shared = bad.iter().any(|bad| bad.index.is_none());
        if self.args.skip_bad && !is_shared {
            return Ok(());
        }
        let is_of_start = |bad: &Bad| bad.is_start;
        let path = match (&self.args.start, bad.iter().all(is_of_start)) {
            (Some(Start::File(path)), true) => path,
            (_, true) => &self.args.problem.path,
            (_, false) => self.targets.path(),
        };
        Error::of_bad(path, bad, self.count, true)
    }

    /// Solves every target from where the checkpoint stands, then those that do not fit from other
    /// starts where these are asked for.
    pub(crate) fn run(self, campaign: &Campaign<'_, B>) -> Result<Outcomes, Error> {
        let done = match self.args.method {
            Method::Solver => campaign.run(&self),
            Method::Paper => self.by_the_paper(campaign),
        };
        if let Some(log) = &self.log {
            // What is done so far is kept, whatever has ended it.
            let saved = log.save();
            if done.is_ok() {
                saved?;
            }
        }
        let done = done?;
        let mut found = lock(&self.found);
        let results = done.results.into_iter().enumerate();
        let inputs = campaign.inputs();
        let solved: Vec<Outcome> = results
            .map(|(index, result)| match result {
                Ok(solved) => {
                    let found = found.remove(&index).unwrap_or_default();
                    Outcome::new(solved, found, campaign.problems(), campaign.start(index))
                }
                Err(error) => Outcome::bad(&error, inputs),
            })
            .collect();
        drop(found);
        let is_whole = solved.len() == self.count
            && done.untried == 0
            && !solved.iter().any(Outcome::is_cut_short);
        let end = match (is_whole, interrupt::requested()) {
            (true, _) => End::Whole,
            (false, true) => End::Interrupted,
            (false, false) => End::OutOfTime,
        };
        Ok(Outcomes {
            solved,
            targets: self.count,
            untried: done.untried,
            end,
            wall_seconds: done.seconds,
            probabilities: self.probabilities,
        })
    }

    /// Whether the table of a target's iterations is needed at the end.
    fn keeps_trace(&self, index: usize) -> bool {
        keeps_trace(self.args, index, self.count)
    }

    /// What follows from x: the network's output, and the certificate where one is asked for.
    fn follow(
        &self,
        index: usize,
        objective: &AnyInversion<'_, B>,
        at: Option<&AnyPoint<B>>,
        solved: &Solved<B::Scalar>,
    ) -> Result<(), Error> {
        let (x, pinned) = (&solved.solution.x, &solved.solution.pinned);
        let on_kinks;
        let at = match at.filter(|_| pinned.is_empty()) {
            Some(at) => at,
            None => {
                let mut at = objective.new_evaluation();
                objective.evaluate(x, pinned, &mut at);
                on_kinks = at;
                &on_kinks
            }
        };
        self.put_aside(index, at.probabilities().iter().map(|&f| f.to_f64()))?;
        let uncertainty = objective.uncertainty_at(at).to_f64();
        if uncertainty > 0.0 {
            lock(&self.found).entry(index).or_default().uncertainty = Some(uncertainty);
        }
        // Of other networks it was refused.
        if let (true, Some(problem)) = (self.args.certify, objective.two_layers()) {
            let verdict = Certifier::new().certify(problem, x);
            let verdict = verdict.map_err(in_file(&self.args.problem.path, Some(index)))?;
            lock(&self.found).entry(index).or_default().verdict = Some(verdict);
        }
        Ok(())
    }

    fn put_aside(&self, index: usize, row: impl Iterator<Item = f64>) -> Result<(), Error> {
        let written = self.probabilities.write(index, row);
        written.map_err(|source| Error::Write {
            path: self.args.out.clone(),
            source,
        })
    }
}

impl<B: Library> Owner<B> for Host<'_, B> {
    type Failure = Error;
    type Watch = Watch<B::Scalar>;

    fn row(&self, index: usize) -> Result<Cow<'_, [B::Scalar]>, Error> {
        self.targets.row(index)
    }

    fn model<'w>(&'w self, objective: &AnyInversion<'w, B>) -> Result<Model<'w, B>, CoreError> {
        self.new_model(objective)
    }

    fn models_serve_one(&self) -> bool {
        self.rounded.is_some()
    }

    fn watch(&self, start: &[B::Scalar]) -> Watch<B::Scalar> {
        let recorder = self.args.theory.then(|| Recorder::new(start));
        Watch { recorder }
    }

    fn is_stopped(&self) -> bool {
        interrupt::requested()
    }

    fn refuse(&self, index: usize, error: &CoreError) -> Result<(), Error> {
        if let (CoreError::State { .. }, Some(checkpoint)) = (error, &self.args.checkpoint) {
            return Err(in_file(checkpoint, Some(index))(error.clone()));
        }
        if self.args.skip_bad {
            let missing = std::iter::repeat_n(f64::NAN, self.probabilities.length());
            return self.put_aside(index, missing);
        }
        let bad = Bad {
            index: Some(index),
            is_start: true,
            error: error.clone(),
        };
        Error::of_bad(self.targets.path(), vec![bad], self.count, true)
    }

    fn earlier(&self, index: usize, round: Round) -> Option<Earlier<B::Scalar, Watch<B::Scalar>>> {
        let log = self.log.as_ref()?;
        if let Some(Finished { solved, theory, .. }) = log.take_finished(index, round) {
            lock(&self.found).entry(index).or_default().theory = theory;
            return Some(Earlier::Solved(solved));
        }
        let State {
            snapshot,
            recorder,
            others,
        } = log.take_state(index, round)?;
        Some(Earlier::UnderWay(Box::new(UnderWay {
            snapshot,
            watch: Watch { recorder },
            others,
        })))
    }

    fn keeps_states(&self) -> bool {
        self.log.is_some()
    }

    fn keep(
        &self,
        index: usize,
        snapshot: Snapshot<B::Scalar>,
        watch: &Watch<B::Scalar>,
        others: Option<&Further<B::Scalar>>,
    ) -> Result<(), Error> {
        let Some(log) = &self.log else { return Ok(()) };
        log.keep(index, snapshot, watch.recorder.as_ref(), others)
    }

    fn answered(
        &self,
        answer: Answer<'_, '_, B, Watch<B::Scalar>>,
        solved: &mut Solved<B::Scalar>,
    ) -> Result<(), Error> {
        let Answer {
            index,
            objective,
            origin,
            is_final,
        } = answer;
        let mut round = Some(Round::Others);
        match origin {
            Origin::OwnStart { model, watch, at } => {
                round = Some(Round::First);
                self.follow(index, objective, Some(at), solved)?;
                if let (Some(recorder), Some(problem)) = (&watch.recorder, objective.two_layers()) {
                    let x = &solved.solution.x;
                    let theory = examine(problem, objective, model, recorder, x);
                    lock(&self.found).entry(index).or_default().theory = Some(theory);
                }
            }
            Origin::Earlier => {
                round = None;
                self.follow(index, objective, None, solved)?;
            }
            Origin::OtherStart => self.follow(index, objective, None, solved)?,
            Origin::NoOtherStart => {}
        }
        if !self.keeps_trace(index) {
            solved.solution.trace = Vec::new();
        }
        match (&self.log, round) {
            (Some(log), Some(round)) if is_final => {
                let found = lock(&self.found);
                let theory = found.get(&index).and_then(|found| found.theory.clone());
                drop(found);
                log.finish(index, round, solved, theory.as_ref())
            }
            _ => Ok(()),
        }
    }

    fn progress(&self, progress: Progress<'_, B::Scalar>) {
        let mut bar = lock(&self.bar);
        match progress {
            Progress::Begins(round, count) => {
                let what = match round {
                    Round::First => "targets",
                    Round::Others => "targets tried again",
                };
                *bar = Bar::new(self.args.quiet, count, what);
            }
            Progress::Through(..) => bar.advance(),
            Progress::Ends(_) => std::mem::replace(&mut *bar, Bar::Hidden).finish(),
        }
    }
}
