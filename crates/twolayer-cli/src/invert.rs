//! `twolayer invert`: read, solve, write, report.

use crate::args::{Hessian, InvertArgs, LossName, ProblemArgs};
use crate::dispatch::{Work, dispatch, network};
use crate::error::{Error, in_file};
use crate::output::{OutputFile, refuse_shared_paths};
use crate::problem_file::{Problem, Vectors, read_problem};
use crate::{plot, report, result_file, trace};
use approx_newton::theory::{Recorder, Theory, examine};
use approx_newton::{
    Certifier, DenseHessian, RowFactor, Silent, Solution, Solver, Status, TraceEntry, Verdict,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::io;
use std::process::ExitCode;
use twolayer_core::{
    Error as CoreError, Evaluation, HessianApprox, Inversion, KullbackLeibler, LinearBackend, Loss,
    Objective, Regularizer, RowWeights, Scalar, SquaredError, TwoLayer,
};

/// What came out for one target. In double precision whatever the precision of the solve, so that
/// nothing after the solve has to be generic.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) x: Vec<f64>,
    pub(crate) probabilities: Vec<f64>,
    pub(crate) loss: f64,
    pub(crate) gradient_norm: f64,
    pub(crate) iterations: usize,
    pub(crate) status: Status,
    /// The solver alone.
    pub(crate) seconds: f64,
    pub(crate) trace: Vec<TraceEntry<f64>>,
    /// Where certificates were asked for.
    pub(crate) verdict: Option<Verdict>,
    /// Where the theorem was to be checked.
    pub(crate) theory: Option<Theory>,
}

/// The whole command. What can be refused is refused before anything is solved, and nothing is
/// written before everything is solved.
pub(crate) fn invert(args: &InvertArgs) -> Result<ExitCode, Error> {
    refuse_shared_paths(args)?;
    let out = OutputFile::check(&args.out)?;
    let trace_file = args.trace.as_deref().map(OutputFile::check).transpose()?;
    let plot_file = args.plot.as_deref().map(OutputFile::check).transpose()?;

    let outcomes = dispatch(&args.problem, Inverting { args })?;

    let result = result_file::encode(&outcomes, args.problem.precision);
    let mut staged = vec![out.stage(&result.map_err(|error| out.failed(error))?)?];
    if let Some(file) = trace_file {
        staged.push(file.stage(trace::csv(&outcomes).as_bytes())?);
    }
    if let Some(file) = plot_file {
        let title = plot::title(&args.problem, outcomes.len());
        let drawn = plot::svg(&title, &outcomes);
        let drawing = drawn.map_err(|error| file.failed(io::Error::other(error.to_string())))?;
        staged.push(file.stage(drawing.as_bytes())?);
    }
    for file in staged {
        file.publish()?;
    }
    report::print(&report::inversion(args.report, &outcomes)?)?;
    if !args.quiet {
        eprint!("{}", report::advice(&outcomes));
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

/// The regulariser that was asked for: the option, else the problem's w, else none.
pub(crate) fn regularizer<T: Scalar>(
    args: &ProblemArgs,
    problem: &Problem<T>,
) -> Result<Option<Regularizer<T>>, Error> {
    let weights = match args.regularizer {
        Some(weight) => Some(vec![T::of(weight); problem.outcomes()]),
        None => problem.weights.clone(),
    };
    weights
        .map(Regularizer::new)
        .transpose()
        .map_err(in_file(&args.path, None))
}

struct Inverting<'a> {
    args: &'a InvertArgs,
}

impl Work for Inverting<'_> {
    type Output = Vec<Outcome>;

    fn on<B: LinearBackend>(self, backend: B) -> Result<Vec<Outcome>, Error> {
        let args = self.args;
        let path = &args.problem.path;
        let mut problem = read_problem::<B::Scalar>(path)?;
        let starts = problem.take_starts(args.start.as_ref())?;
        let regularizer = regularizer(&args.problem, &problem)?;
        let network = network(backend, path, &problem)?;
        let objective = |index| objective(args, &network, &problem, regularizer.as_ref(), index);
        // Built before they are solved: the last target's mistake should not cost the others' time.
        let objectives = (0..problem.count(&starts))
            .map(|index| objective(index).map_err(in_file(path, Some(index))))
            .collect::<Result<Vec<_>, _>>()?;
        let first = &objectives[0];
        match args.hessian {
            Hessian::Auto => {
                let hessian = Solver::new().with_seed(args.seed).default_hessian(first);
                solve_all(args, &objectives, hessian, &starts)
            }
            Hessian::Secant => {
                let hessian = RowFactor::new(first, RowWeights::Secant);
                solve_all(args, &objectives, hessian, &starts)
            }
            Hessian::Exact => {
                let hessian = DenseHessian::new(first, RowWeights::Exact);
                solve_all(args, &objectives, hessian, &starts)
            }
            Hessian::Convexified => {
                let hessian = RowFactor::new(first, RowWeights::Convexified);
                solve_all(args, &objectives, hessian, &starts)
            }
            Hessian::GaussNewton => {
                let hessian = RowFactor::new(first, RowWeights::GaussNewton);
                solve_all(args, &objectives, hessian, &starts)
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

/// Solves one problem after another with the same buffers.
fn solve_all<'a, B: LinearBackend>(
    args: &InvertArgs,
    objectives: &[Inversion<'a, B>],
    mut hessian: impl HessianApprox<Inversion<'a, B>>,
    starts: &Vectors<B::Scalar>,
) -> Result<Vec<Outcome>, Error> {
    let mut solver = Solver::new().with_seed(args.seed);
    if let Some(limit) = args.max_iterations {
        solver = solver.with_max_iterations(limit);
    }
    let bar = progress_bar(args.quiet, objectives.len());
    let mut outcomes = Vec::with_capacity(objectives.len());
    for (index, objective) in objectives.iter().enumerate() {
        let in_file = || in_file(&args.problem.path, Some(index));
        let start = starts.get(index);
        let (solution, theory) = if args.theory {
            let mut recorder = Recorder::new(start);
            let solution = solver.solve_with(objective, &mut hessian, start, &mut recorder);
            let solution = solution.map_err(in_file())?;
            let theory = examine(objective, &mut hessian, &recorder, &solution.x);
            (solution, Some(theory))
        } else {
            let solution = solver.solve_with(objective, &mut hessian, start, &mut Silent);
            (solution.map_err(in_file())?, None)
        };
        let verdict = args
            .certify
            .then(|| Certifier::new().certify(objective, &solution.x));
        let verdict = verdict.transpose().map_err(in_file())?;
        outcomes.push(Outcome {
            verdict,
            theory,
            ..outcome(objective, solution)
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(outcomes)
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
) -> Outcome {
    let wide = |values: &[B::Scalar]| values.iter().map(|&value| value.to_f64()).collect();
    let mut at = objective.new_evaluation();
    objective.evaluate(&solution.x, &solution.pinned, &mut at);
    Outcome {
        x: wide(at.point()),
        probabilities: wide(at.probabilities()),
        loss: solution.loss.to_f64(),
        gradient_norm: solution.gradient_norm.to_f64(),
        iterations: solution.iterations,
        status: solution.status,
        seconds: solution.seconds,
        trace: solution.trace.iter().map(wide_entry).collect(),
        verdict: None,
        theory: None,
    }
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
