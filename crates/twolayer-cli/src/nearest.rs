//! `twolayer invert --nearest`: the nearest x with the wanted output.

mod report;
mod result;

use crate::args::InvertArgs;
use crate::at_bounds::{AtBound, at_bounds};
use crate::dispatch::{Library, Work, dispatch};
use crate::error::{Error, in_file};
use crate::interrupt;
use crate::memory::{self, Shapes};
use crate::output::{OutputFile, StagedFile};
use crate::printing::{To, print, tell};
use crate::problem_file::{Problem, Request, read_problem};
use crate::progress::Progress;
use crate::terms::radius;
use crate::vectors::Vectors;
use std::cell::Cell;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;
use twolayer::{
    Bounds, Crew, Goal, LinearBackend, Nearest, NearestAnswer, NearestStatus, NetworkRef, Scalar,
    Solver, TraceEntry,
};

/// What is told of one answer.
pub(crate) struct Found {
    x: Vec<f64>,
    probabilities: Vec<f64>,
    status: NearestStatus,
    distance: f64,
    violation: f64,
    residual: f64,
    distinct: usize,
    iterations: usize,
    seconds: f64,
    /// The units on whose kinks x lies.
    at_kinks_of: Vec<usize>,
    at_bounds: Vec<AtBound>,
}

/// All answers so far.
pub(crate) struct Answers {
    found: Vec<Found>,
    /// K, d and m.
    asked: usize,
    inputs: usize,
    outcomes: usize,
    wall_seconds: f64,
}

/// The whole command. Nothing is written before everything is solved.
pub(crate) fn nearest(args: &InvertArgs) -> Result<ExitCode, Error> {
    let out = OutputFile::check(&args.out)?;
    let report_to = match out.is_standard_output() {
        true => To::StandardError,
        false => To::StandardOutput,
    };
    let answers = dispatch(&args.problem, Searching { args })?;
    let result = out.stage(|file| result::write(&answers, args, file))?;
    StagedFile::publish_all(vec![result])?;
    print(report_to, &report::nearest(args.report, &answers)?)?;
    if !args.quiet {
        tell(&report::advice(&answers));
    }
    let is_whole = answers.found.len() == answers.asked;
    if !is_whole && interrupt::requested() {
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    let all_found = answers
        .found
        .iter()
        .all(|found| found.status.is_converged());
    Ok(match is_whole && all_found {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

struct Searching<'a> {
    args: &'a InvertArgs,
}

impl Work for Searching<'_> {
    type Output = Answers;

    fn on<B: Library>(self, backend: B) -> Result<Answers, Error> {
        let args = self.args;
        let path = &args.problem.path;
        let workers = Cell::new(1);
        let limit = args.problem.max_memory.map(|limit| limit.as_u64());
        let admit = |shapes: &Shapes| {
            let shapes = Shapes {
                has_nearness: true,
                ..*shapes
            };
            let needed = |workers| shapes.inversion_bytes::<B::Scalar>(args, workers);
            let most = memory::most_workers(path, &needed, args.threads(), limit);
            most.map(|most| workers.set(most))
        };
        let request = Request {
            activation: &args.problem.activation,
            needs_target: args.nearest.want.is_none(),
            needs_all_good: args.nearest.want.is_none(),
            admit: &admit,
            tell: &|words: &str| {
                if !args.quiet {
                    tell(words);
                }
            },
        };
        let mut problem = read_problem(backend, &args.problem, &request)?;
        if args.nearest.want.is_some() {
            problem.targets.forget();
        }
        if problem.weights.is_some() && !args.quiet {
            tell("w of the problem does not count: what is wanted is the output itself\n");
        }
        let bounds = problem.bounds(&args.bounds, path)?;
        let references = problem.take_references(args.near.near.as_deref())?;
        let count = match args.nearest.want {
            Some(_) => references.count.unwrap_or(1),
            None => problem.count(&references),
        };
        let search = Search {
            args,
            problem: &problem,
            bounds: bounds.as_ref(),
            radius: radius(args.radius)?,
            solver: solver(args),
            scales: problem.near_scales(),
            references: &references,
        };
        search.check(count)?;
        search.run(
            count,
            Crew::of_at_most(workers.get(), count, args.threads()),
        )
    }
}

/// The settings of the descents.
fn solver<T: Scalar>(args: &InvertArgs) -> Solver<T> {
    let solver = Solver::new().with_seed(args.seed);
    match args.max_iterations {
        Some(limit) => solver.with_max_iterations(limit),
        None => solver,
    }
}

struct Search<'s, B: LinearBackend> {
    args: &'s InvertArgs,
    problem: &'s Problem<B>,
    bounds: Option<&'s Bounds<B::Scalar>>,
    radius: Option<B::Scalar>,
    solver: Solver<B::Scalar>,
    scales: Option<Vec<B::Scalar>>,
    references: &'s Vectors<B::Scalar>,
}

impl<B: Library> Search<'_, B> {
    /// Refuses what cannot be asked before anything is solved.
    fn check(&self, count: usize) -> Result<(), Error> {
        let network = self.problem.network.by_ref();
        (0..count).try_for_each(|index| self.with_nearest(network, index, |_| Ok(())))
    }

    fn run(&self, count: usize, crew: Crew) -> Result<Answers, Error> {
        let began = Instant::now();
        let bar = Progress::new(self.args.quiet, count, "answers");
        let mut found = Vec::with_capacity(count);
        let mut failed = None;
        crew.share_out(
            0..count,
            |seat| {
                let network = self.problem.network.by_ref().with_threads(seat.threads());
                while let Some(index) = seat.take() {
                    seat.hand_over(index, self.search(network.by_ref(), index, began));
                }
            },
            |_, result| {
                match result {
                    Ok(Some(answer)) => found.push(answer),
                    Ok(None) => return ControlFlow::Break(()),
                    Err(error) => {
                        failed = Some(error);
                        return ControlFlow::Break(());
                    }
                }
                bar.advance();
                ControlFlow::Continue(())
            },
        );
        bar.finish();
        if let Some(error) = failed {
            return Err(error);
        }
        let network = self.problem.network.by_ref();
        Ok(Answers {
            found,
            asked: count,
            inputs: network.inputs(),
            outcomes: network.outcomes(),
            wall_seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// One answer; `None` where there is no time left to begin.
    fn search(
        &self,
        network: NetworkRef<'_, B>,
        index: usize,
        began: Instant,
    ) -> Result<Option<Found>, Error> {
        let mut solver = self.solver.clone();
        if let Some(limit) = self.args.time_limit {
            let left = limit.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            solver = solver.with_time_limit(left);
        }
        if interrupt::requested() {
            return Ok(None);
        }
        let mut watch = |_: &TraceEntry<B::Scalar>, _: &[B::Scalar]| match interrupt::requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        self.with_nearest(network, index, |nearest| {
            let answer = nearest.solve(&solver, &mut watch)?;
            let probabilities = network.probabilities(&answer.x)?;
            Ok(Some(self.found(answer, &probabilities)))
        })
    }

    /// Does something with what is asked of answer `index`.
    fn with_nearest<R>(
        &self,
        network: NetworkRef<'_, B>,
        index: usize,
        work: impl FnOnce(&Nearest<'_, B>) -> Result<R, twolayer::Error>,
    ) -> Result<R, Error> {
        let (args, path) = (self.args, &self.args.problem.path);
        let target = match args.nearest.want {
            Some(_) => None,
            None => Some(self.problem.targets.get(index)?),
        };
        let goal = match (args.nearest.want, &target) {
            (None, Some(target)) => Goal::Output(target),
            (want, _) => Goal::AtLeast {
                outcome: want.unwrap_or(0),
                probability: B::Scalar::of(args.nearest.margin),
            },
        };
        let reference = self.references.get(index).to_vec();
        let made = || {
            let mut nearest = Nearest::new(network, goal, reference)?.with_starts(args.starts);
            if let Some(scales) = &self.scales {
                nearest = nearest.with_scales(scales.clone())?;
            }
            if let Some(bounds) = self.bounds {
                nearest = nearest.with_bounds(bounds)?;
            }
            if let Some(radius) = self.radius {
                nearest = nearest.with_radius(radius)?;
            }
            match args.tolerance {
                Some(tolerance) => nearest.with_tolerance(B::Scalar::of(tolerance)),
                None => Ok(nearest),
            }
        };
        made()
            .and_then(|nearest| work(&nearest))
            .map_err(in_file(path, Some(index)))
    }

    fn found(&self, answer: NearestAnswer<B::Scalar>, probabilities: &[B::Scalar]) -> Found {
        let wide = |values: &[B::Scalar]| values.iter().map(|v| v.to_f64()).collect();
        // Bounds are the last of the kinks.
        let bounds = self.bounds.map_or(0, Bounds::count);
        let first = self.problem.network.by_ref().kinks();
        let at_bounds = match self.bounds {
            Some(given) if bounds > 0 => {
                let held = (&answer.pinned[..], &answer.multipliers[..]);
                at_bounds(given, first, &answer.x, held)
            }
            _ => Vec::new(),
        };
        Found {
            x: wide(&answer.x),
            probabilities: wide(probabilities),
            status: answer.status,
            distance: answer.distance.to_f64(),
            violation: answer.violation.to_f64(),
            residual: answer.residual.to_f64(),
            distinct: answer.distinct,
            iterations: answer.iterations,
            seconds: answer.seconds,
            at_kinks_of: answer
                .pinned
                .into_iter()
                .filter(|&kink| kink < first)
                .collect(),
            at_bounds,
        }
    }
}
