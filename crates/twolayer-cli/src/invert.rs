//! `twolayer invert`: read, solve, write, report.

use crate::args::{Hessian, InvertArgs, LossName, ProblemArgs, Weight};
use crate::checkpoint::{Checkpoint, Fingerprint, Log};
use crate::dispatch::{Work, dispatch, network};
use crate::error::{Error, in_file};
use crate::interrupt;
use crate::memory::{self, Shapes};
use crate::output::{OutputFile, refuse_shared_paths};
use crate::problem_file::{Problem, Vectors, read_problem};
use crate::{plot, report, result_file, trace};
use approx_newton::theory::{Recorder, Theory, examine};
use approx_newton::{
    Adaptive, Certifier, ConjugateGradient, DenseHessian, Leverage, LimitPoint, Observer,
    RowFactor, Scores, Sketched, Solution, Solver, Status, TraceEntry, Uniform, Verdict,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::io;
use std::ops::ControlFlow;
use std::process::ExitCode;
use twolayer_core::{
    Error as CoreError, HessianApprox, Inversion, KullbackLeibler, LinearBackend, Loss, Objective,
    Regularizer, RowWeights, Scalar, SquaredError, TwoLayer,
};

/// What came out for one target. In double precision whatever the precision of the solve, so that
/// nothing after the solve has to be generic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) x: Vec<f64>,
    /// Follows from x, and is computed again where it was not kept.
    #[serde(skip)]
    pub(crate) probabilities: Vec<f64>,
    /// The kinks that x lies on.
    pub(crate) pinned: Vec<usize>,
    pub(crate) loss: f64,
    pub(crate) gradient_norm: f64,
    pub(crate) iterations: usize,
    pub(crate) status: Status,
    pub(crate) limit: LimitPoint,
    /// The solver alone.
    pub(crate) seconds: f64,
    /// Empty where neither trace nor plot was asked for.
    pub(crate) trace: Vec<TraceEntry<f64>>,
    /// Where certificates were asked for.
    #[serde(skip)] // Follows from x.
    pub(crate) verdict: Option<Verdict>,
    /// Where the theorem was to be checked.
    #[serde(skip)]
    pub(crate) theory: Option<Theory>,
}

/// What came out for the targets so far.
pub(crate) struct Outcomes {
    pub(crate) solved: Vec<Outcome>,
    /// K, of which fewer are solved where a signal came first.
    pub(crate) targets: usize,
}

impl Outcomes {
    fn is_interrupted(&self) -> bool {
        let stopped = |outcome: &Outcome| outcome.status == Status::Stopped;
        self.solved.len() < self.targets || self.solved.last().is_some_and(stopped)
    }

    /// A statement of what is missing, if something is.
    fn interruption(&self) -> String {
        if !self.is_interrupted() {
            return String::new();
        }
        let stopped = |outcome: &Outcome| outcome.status == Status::Stopped;
        let on_its_way = usize::from(self.solved.last().is_some_and(stopped));
        format!(
            "interrupted: {} of {} targets are done; the result has rows for the first {}\n",
            self.solved.len() - on_its_way,
            self.targets,
            self.solved.len()
        )
    }
}

/// The whole command. What can be refused is refused before anything is solved, and nothing is
/// written before everything is solved.
pub(crate) fn invert(args: &InvertArgs) -> Result<ExitCode, Error> {
    refuse_shared_paths(args)?;
    let out = OutputFile::check(&args.out)?;
    let trace_file = args.trace.as_deref().map(OutputFile::check).transpose()?;
    let plot_file = args.plot.as_deref().map(OutputFile::check).transpose()?;

    let checkpoint = args
        .checkpoint
        .as_deref()
        .map(Checkpoint::check)
        .transpose()?;

    let all = dispatch(&args.problem, Inverting { args, checkpoint })?;
    let outcomes = &all.solved;

    let result = result_file::encode(outcomes, args.problem.precision);
    let mut staged = vec![out.stage(&result.map_err(|error| out.failed(error))?)?];
    if let Some(file) = trace_file {
        staged.push(file.stage(trace::csv(outcomes).as_bytes())?);
    }
    if let Some(file) = plot_file {
        let title = plot::title(&args.problem, outcomes.len());
        let drawn = plot::svg(&title, outcomes);
        let drawing = drawn.map_err(|error| file.failed(io::Error::other(error.to_string())))?;
        staged.push(file.stage(drawing.as_bytes())?);
    }
    for file in staged {
        file.publish()?;
    }
    report::print(&report::inversion(args.report, &all)?)?;
    if !args.quiet {
        eprint!("{}", report::advice(outcomes));
    }
    eprint!("{}", all.interruption());
    if all.is_interrupted() {
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    let converged = outcomes.iter().all(|outcome| outcome.status.is_converged());
    Ok(if converged {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// The loss by its name.
pub(crate) fn loss<T: Scalar>(name: LossName) -> &'static dyn Loss<T> {
    match name {
        LossName::Squared => &SquaredError,
        LossName::Kl => &KullbackLeibler,
    }
}

/// The regulariser that was asked for: the option, else the problem's w, else none. A weight of 0 is
/// none too: the solver's warm start can do more without.
pub(crate) fn regularizer<T: Scalar>(
    args: &ProblemArgs,
    problem: &Problem<T>,
) -> Result<Option<Regularizer<T>>, Error> {
    let weights = match args.regularizer {
        Some(Weight::Auto) => return Ok(Regularizer::automatic()),
        Some(Weight::Uniform(0.0)) => None,
        Some(Weight::Uniform(weight)) => Some(vec![T::of(weight); problem.outcomes()]),
        None => problem.weights.clone(),
    };
    weights
        .map(Regularizer::new)
        .transpose()
        .map_err(in_file(&args.path, None))
}

struct Inverting<'a> {
    args: &'a InvertArgs,
    checkpoint: Option<Checkpoint<'a>>,
}

impl Work for Inverting<'_> {
    type Output = Outcomes;

    fn on<B: LinearBackend>(self, backend: B) -> Result<Outcomes, Error> {
        let Self { args, checkpoint } = self;
        let path = &args.problem.path;
        let limit = args.problem.max_memory.map(|limit| limit.as_u64());
        let admit = |shapes: &Shapes| {
            let inversion = shapes.inversion_bytes::<B::Scalar>(args);
            let needed = shapes
                .problem_bytes::<B::Scalar>()
                .saturating_add(inversion);
            memory::check(path, needed, limit)
        };
        let mut problem = read_problem::<B::Scalar>(path, &admit)?;
        let starts = problem.take_starts(args.start.as_ref())?;
        let regularizer = regularizer(&args.problem, &problem)?;
        let fingerprint = checkpoint
            .is_some()
            .then(|| Fingerprint::new(args, &problem, &starts, regularizer.as_ref()));
        let network = network(backend, path, &mut problem)?;
        let objective = |index| objective(args, &network, &problem, regularizer.as_ref(), index);
        // Built before they are solved: the last target's mistake should not cost the others' time.
        let objectives = (0..problem.count(&starts))
            .map(|index| objective(index).map_err(in_file(path, Some(index))))
            .collect::<Result<Vec<_>, _>>()?;
        let first = &objectives[0];
        let log = match (checkpoint, fingerprint) {
            (Some(checkpoint), Some(fingerprint)) => Some(checkpoint.open(args, fingerprint)?),
            _ => None,
        };
        let (secant, rows, seed) = (RowWeights::Secant, 8 * first.dimension(), args.seed);
        macro_rules! solve_by {
            ($hessian:expr) => {
                solve_all(args, &objectives, $hessian, &starts, log)
            };
        }
        match args.hessian {
            Hessian::Auto => solve_by!(Adaptive::new(first, seed)),
            Hessian::Secant => solve_by!(RowFactor::new(first, secant)),
            Hessian::Exact => solve_by!(DenseHessian::new(first, RowWeights::Exact)),
            Hessian::Convexified => solve_by!(RowFactor::new(first, RowWeights::Convexified)),
            Hessian::GaussNewton => solve_by!(RowFactor::new(first, RowWeights::GaussNewton)),
            Hessian::Sampled => solve_by!(RowFactor::sampled(first, secant, rows, seed)),
            Hessian::Uniform => {
                solve_by!(RowFactor::sampled_by(first, secant, Uniform, rows, seed))
            }
            Hessian::Leverage => {
                let leverage = Leverage::new(first, Scores::Fast, seed);
                solve_by!(RowFactor::sampled_by(first, secant, leverage, rows, seed))
            }
            Hessian::LeverageExact => {
                let leverage = Leverage::new(first, Scores::Exact, seed);
                solve_by!(RowFactor::sampled_by(first, secant, leverage, rows, seed))
            }
            Hessian::Sketch => solve_by!(Sketched::new(first, secant, rows, seed)),
            Hessian::ConjugateGradient => {
                let exact = RowWeights::Exact;
                solve_by!(ConjugateGradient::new(first, exact, rows, seed))
            }
        }
    }
}

fn objective<'a, B: LinearBackend>(
    args: &InvertArgs,
    network: &'a TwoLayer<B>,
    problem: &'a Problem<B::Scalar>,
    regularizer: Option<&'a Regularizer<B::Scalar>>,
    index: usize,
) -> Result<Inversion<'a, B>, CoreError> {
    let mut objective =
        Inversion::new(network, problem.target(index))?.with_loss(loss(args.problem.loss));
    if let Some(regularizer) = regularizer {
        objective = objective.with_regularizer(regularizer)?;
    }
    if let Some(radius) = args.radius {
        objective = objective.with_radius(B::Scalar::of(radius))?;
    }
    Ok(objective)
}

/// Solves one problem after another with the same buffers, from where the checkpoint stands.
fn solve_all<'a, B: LinearBackend>(
    args: &InvertArgs,
    objectives: &[Inversion<'a, B>],
    mut hessian: impl HessianApprox<Inversion<'a, B>>,
    starts: &Vectors<B::Scalar>,
    mut log: Option<Log<'_>>,
) -> Result<Outcomes, Error> {
    let mut solver = Solver::new().with_seed(args.seed);
    if let Some(limit) = args.max_iterations {
        solver = solver.with_max_iterations(limit);
    }
    let mut solved = log.as_mut().map_or_else(Vec::new, Log::take_finished);
    solved.truncate(objectives.len());
    for (outcome, objective) in solved.iter_mut().zip(objectives) {
        outcome.probabilities = probabilities(objective, &outcome.x, &outcome.pinned);
        if args.certify {
            let verdict = Certifier::new().certify(objective, &outcome.x);
            outcome.verdict = Some(verdict.map_err(in_file(&args.problem.path, None))?);
        }
    }
    let bar = progress_bar(args.quiet, objectives.len());
    bar.inc(solved.len() as u64);
    let mut watch = |_: &TraceEntry<B::Scalar>, _: &[B::Scalar]| match interrupt::requested() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    for (index, objective) in objectives.iter().enumerate().skip(solved.len()) {
        let in_file = || in_file(&args.problem.path, Some(index));
        let start = starts.get(index);
        let (solution, theory) = if args.theory {
            let mut recorder = Recorder::new(start);
            let mut both = |entry: &TraceEntry<B::Scalar>, x: &[B::Scalar]| {
                recorder.observe(entry, x)?;
                watch(entry, x)
            };
            let solution = solver.solve_with(objective, &mut hessian, start, &mut both);
            let solution = solution.map_err(in_file())?;
            let theory = examine(objective, &mut hessian, &recorder, &solution.x);
            (solution, Some(theory))
        } else {
            let solution = solver.solve_with(objective, &mut hessian, start, &mut watch);
            (solution.map_err(in_file())?, None)
        };
        let verdict = args
            .certify
            .then(|| Certifier::new().certify(objective, &solution.x));
        let verdict = verdict.transpose().map_err(in_file())?;
        let keep_trace = args.trace.is_some() || args.plot.is_some();
        solved.push(Outcome {
            verdict,
            theory,
            ..outcome(objective, solution, keep_trace)
        });
        bar.inc(1);
        if interrupt::requested() {
            break;
        }
        if let Some(log) = &mut log {
            log.save_if_due(&solved)?;
        }
    }
    bar.finish_and_clear();
    if let Some(log) = &mut log {
        log.save(&solved)?;
    }
    let targets = objectives.len();
    Ok(Outcomes { solved, targets })
}

/// indicatif hides it by itself where standard error is no terminal.
fn progress_bar(quiet: bool, targets: usize) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(targets as u64);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} targets, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn outcome<B: LinearBackend>(
    objective: &Inversion<'_, B>,
    solution: Solution<B::Scalar>,
    keep_trace: bool,
) -> Outcome {
    let x: Vec<f64> = solution.x.iter().map(|&value| value.to_f64()).collect();
    let trace = if keep_trace {
        solution.trace.iter().map(wide_entry).collect()
    } else {
        Vec::new()
    };
    Outcome {
        probabilities: probabilities(objective, &x, &solution.pinned),
        x,
        pinned: solution.pinned,
        loss: solution.loss.to_f64(),
        gradient_norm: solution.gradient_norm.to_f64(),
        iterations: solution.iterations,
        status: solution.status,
        limit: solution.limit,
        seconds: solution.seconds,
        trace,
        verdict: None,
        theory: None,
    }
}

/// The network's output at a point, which is one of the precision, written in double precision.
fn probabilities<B: LinearBackend>(
    objective: &Inversion<'_, B>,
    x: &[f64],
    pinned: &[usize],
) -> Vec<f64> {
    let x: Vec<B::Scalar> = x.iter().map(|&value| B::Scalar::of(value)).collect();
    let mut at = objective.new_evaluation();
    objective.evaluate(&x, pinned, &mut at);
    at.probabilities().iter().map(|&f| f.to_f64()).collect()
}

fn wide_entry<T: Scalar>(entry: &TraceEntry<T>) -> TraceEntry<f64> {
    TraceEntry {
        iteration: entry.iteration,
        stage: entry.stage,
        restart: entry.restart,
        loss: entry.loss.to_f64(),
        stage_loss: entry.stage_loss.to_f64(),
        gradient_norm: entry.gradient_norm.to_f64(),
        step_norm: entry.step_norm.to_f64(),
        damping: entry.damping.to_f64(),
        flips: entry.flips,
        pinned: entry.pinned,
        rows_used: entry.rows_used,
        elapsed: entry.elapsed,
        seconds: entry.seconds,
    }
}
