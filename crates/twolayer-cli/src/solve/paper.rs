//! The paper's own iteration on every target, in place of the solver.

use super::Host;
use crate::args::{Hessian, InvertArgs, LossName};
use crate::dispatch::Library;
use crate::error::Error;
use crate::interrupt;
use crate::lock::lock;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use twolayer::theory::{Recorder, broken_assumptions, examine};
use twolayer::{AnyInversion, Campaign, Done, Error as CoreError, Model, Problems};
use twolayer::{Bounds, Nearness, Owner, Progress, Round, Seat, Solved, Status, paper};

/// Refuses by its name what the paper's iteration does not have, as far as the options tell.
pub(crate) fn refuse_what_it_has_not(args: &InvertArgs) -> Result<(), Error> {
    let asked = [
        (args.problem.loss != LossName::Squared, "--loss kl"),
        (args.radius.is_some(), "--radius"),
        (args.tolerance.is_some(), "--tolerance"),
        (args.starts > 1, "--starts"),
        (args.checkpoint.is_some(), "--checkpoint"),
        (
            args.hessian == Hessian::MixedPrecision,
            "--hessian mixed-precision",
        ),
    ];
    match asked.into_iter().find(|(is_asked, _)| *is_asked) {
        Some((_, what)) => Err(Error::NotOfThePaper { what }),
        None => Ok(()),
    }
}

/// The same for what a problem file may bring.
pub(crate) fn refuse_terms_it_has_not<T>(
    bounds: Option<&Bounds<T>>,
    nearness: Option<&Nearness<T>>,
) -> Result<(), Error> {
    let what = match (bounds, nearness) {
        (Some(_), _) => "bounds (--lower, --upper; lower, upper in the problem)",
        (None, Some(_)) => "an x_ref to be near to (--near; x_ref in the problem)",
        (None, None) => return Ok(()),
    };
    Err(Error::NotOfThePaper { what })
}

/// What one target came to; an error ends the campaign.
type Outcome<T> = Result<Result<Solved<T>, CoreError>, Error>;

impl<B: Library> Host<'_, B> {
    /// Every target from its own start, in the order of the targets; fewer where the run was stopped or its time
    /// is over.
    pub(super) fn by_the_paper(
        &self,
        campaign: &Campaign<'_, B>,
    ) -> Result<Done<B::Scalar>, Error> {
        let (clock, count) = (Instant::now(), campaign.count());
        let crew = campaign.crew();
        let network = campaign.problems().network();
        let network = network.with_threads(crew.threads_each());
        let problems = campaign.problems().on(&network);
        let left = || {
            self.args
                .time_limit
                .map(|most| most.saturating_sub(clock.elapsed()))
        };
        let is_over = || interrupt::requested() || left() == Some(Duration::ZERO);
        let work = |seat: &dyn Seat<Outcome<B::Scalar>>| {
            while !is_over()
                && let Some(index) = seat.take()
            {
                let solved = self.iterate(campaign, &problems, index, left());
                seat.hand_over(index, solved);
            }
        };
        let mut results = Vec::with_capacity(count);
        let mut failure = None;
        self.progress(Progress::Begins(Round::First, count));
        crew.share_out(0..count, work, |index, result| match result {
            Ok(result) => {
                self.progress(Progress::Through(Round::First, index, &result));
                results.push(result);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        });
        self.progress(Progress::Ends(Round::First));
        match failure {
            Some(error) => Err(error),
            None => Ok(Done {
                results,
                untried: 0,
                seconds: clock.elapsed().as_secs_f64(),
            }),
        }
    }

    /// The iteration on one target, in the time that is left, and what follows from where it ends.
    fn iterate<'w>(
        &'w self,
        campaign: &Campaign<'_, B>,
        problems: &Problems<'w, B>,
        index: usize,
        left: Option<Duration>,
    ) -> Outcome<B::Scalar> {
        let row = self.row(campaign.row(index))?;
        let target = problems.target(row.into_owned());
        let posed = target.and_then(|target| problems.inversion(target));
        let solver = match left {
            Some(left) => self.solver.clone().with_time_limit(left),
            None => self.solver.clone(),
        };
        let start = campaign.start(index);
        let mut watch = self.watch(start);
        watch.recorder.get_or_insert_with(|| Recorder::new(start));
        let iterated = posed.and_then(|objective| {
            let mut model = self.model_of_the_paper(&objective)?;
            let solution = paper::iterate(&solver, &objective, &mut model, start, &mut watch)?;
            Ok((objective, model, solution))
        });
        let (objective, mut model, solution) = match iterated {
            Ok(iterated) => iterated,
            Err(error) => return self.refuse(index, &error).map(|()| Err(error)),
        };
        let mut solved = Solved {
            solution,
            starts: 1,
        };
        self.follow(index, &objective, None, &solved)?;
        if let Some(recorder) = &watch.recorder {
            self.examine(index, &objective, &mut model, recorder, &solved);
        }
        if !self.keeps_trace(index) {
            solved.solution.trace = Vec::new();
        }
        Ok(Ok(solved))
    }

    fn model_of_the_paper<'w>(
        &'w self,
        objective: &AnyInversion<'w, B>,
    ) -> Result<Model<'w, B>, CoreError> {
        match self.args.hessian {
            Hessian::Auto => Ok(paper::model(objective, self.solver.seed())),
            _ => self.new_model(objective),
        }
    }

    /// The theorem along the run, where it is asked for, and what it asks for and did not get where the run has
    /// not arrived.
    fn examine<'w>(
        &self,
        index: usize,
        objective: &AnyInversion<'w, B>,
        model: &mut Model<'w, B>,
        recorder: &Recorder<B::Scalar>,
        solved: &Solved<B::Scalar>,
    ) {
        let Some(problem) = objective.two_layers() else {
            return;
        };
        let Solved { solution, .. } = solved;
        let theory =
            (self.args.theory).then(|| examine(problem, objective, model, recorder, &solution.x));
        let is_cut_short = matches!(solution.status, Status::Stopped | Status::TimeLimit);
        let has_failed = !solution.status.is_converged() && !is_cut_short;
        let broken = has_failed.then(|| broken_assumptions(problem, objective, model, recorder));
        let mut found = lock(&self.found);
        let found = found.entry(index).or_default();
        (found.theory, found.broken) = (theory, broken);
    }
}
