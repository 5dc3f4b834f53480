//! `twolayer invert`: read, solve, write, report.

use crate::args::{Hessian, InvertArgs, LossName, Precision, ProblemArgs, Weight};
use crate::checkpoint::{Checkpoint, Fingerprint};
use crate::dispatch::{Library, Work, dispatch};
use crate::error::{Error, in_file};
use crate::interrupt;
use crate::memory::{self, Shapes};
use crate::output::{OutputFile, StagedFile, refuse_shared_paths};
use crate::problem_file::{Problem, Request, Vectors, read_problem};
use crate::single_precision::{Rounded, in_single_precision};
use crate::solve::Campaign;
use crate::spill::Spill;
use crate::{plot, report, result_file, trace};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use twolayer::theory::Theory;
use twolayer::{Crew, LimitPoint, Solution, Status, TraceEntry};
use twolayer::{
    Error as CoreError, KullbackLeibler, LinearBackend, Loss, Problems, Regularizer, Scalar,
    SquaredError, TwoLayer,
};
use twolayer_certificate::Verdict;

/// What came out for one target. In double precision whatever the precision of the solve, so that
/// nothing after the solve has to be generic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) x: Vec<f64>,
    /// The kinks that x lies on.
    pub(crate) pinned: Vec<usize>,
    pub(crate) loss: f64,
    pub(crate) gradient_norm: f64,
    pub(crate) iterations: usize,
    pub(crate) status: Status,
    pub(crate) limit: LimitPoint,
    /// How many starts were tried.
    pub(crate) starts: usize,
    /// The solver alone, from the start that led here.
    pub(crate) seconds: f64,
    /// Empty where neither a table nor a plot has it.
    pub(crate) trace: Vec<TraceEntry<f64>>,
    /// Where certificates were asked for.
    #[serde(skip)] // Follows from x.
    pub(crate) verdict: Option<Verdict>,
    /// Where the theorem was to be checked.
    pub(crate) theory: Option<Theory>,
}

/// What came out for the targets so far.
pub(crate) struct Outcomes {
    pub(crate) solved: Vec<Outcome>,
    /// K, of which fewer are solved where a signal came first.
    pub(crate) targets: usize,
    /// Targets that were to be tried from other starts and were not, where a signal came first.
    pub(crate) untried: usize,
    /// From the first solve to the end of the last.
    pub(crate) wall_seconds: f64,
    /// The network's output for each, in the order of `solved`.
    pub(crate) probabilities: Spill,
}

impl Outcomes {
    fn is_interrupted(&self) -> bool {
        let stopped = |outcome: &Outcome| outcome.status == Status::Stopped;
        let is_cut_short = self.solved.len() < self.targets;
        is_cut_short || self.untried > 0 || self.solved.last().is_some_and(stopped)
    }

    /// A statement of what is missing, if something is.
    fn interruption(&self) -> String {
        if !self.is_interrupted() {
            return String::new();
        }
        if self.untried > 0 {
            return format!(
                "interrupted: {} targets were not tried from other starts\n",
                self.untried
            );
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
    let mixed = args.hessian == Hessian::MixedPrecision;
    if mixed && args.problem.precision == Precision::F32 {
        return Err(Error::MixedInSinglePrecision);
    }
    let out = OutputFile::check(&args.out)?;
    let trace_file = args.trace.as_deref().map(OutputFile::check).transpose()?;
    let plot_file = args.plot.as_deref().map(plot::check).transpose()?;
    let outputs = [Some(&out), trace_file.as_ref(), plot_file.as_ref()];
    let on_standard_output = |output: &OutputFile<'_>| output.is_standard_output();
    let report_to = match outputs.into_iter().flatten().any(on_standard_output) {
        true => report::To::StandardError,
        false => report::To::StandardOutput,
    };

    let checkpoint = args
        .checkpoint
        .as_deref()
        .map(Checkpoint::check)
        .transpose()?;

    let inverting = Inverting {
        args,
        checkpoint,
        aside: out.folder(),
    };
    let (inputs, all) = dispatch(&args.problem, inverting)?;
    let outcomes = &all.solved;

    let result = out.stage(|file| result_file::write(&all, inputs, args, file))?;
    let mut staged = vec![result];
    if let Some(file) = &trace_file {
        let table = trace::csv(outcomes);
        staged.push(file.stage(|file| file.write_all(table.as_bytes()))?);
    }
    if let Some(file) = &plot_file {
        let title = plot::title(&args.problem, outcomes.len());
        let drawn = plot::svg(&title, outcomes, all.targets);
        let drawing = drawn.map_err(|error| file.failed(io::Error::other(error.to_string())))?;
        staged.push(file.stage(|file| file.write_all(drawing.as_bytes()))?);
    }
    StagedFile::publish_all(staged)?;
    report::print(report_to, &report::inversion(args.report, &all)?)?;
    if !args.quiet {
        report::tell(&report::advice(outcomes));
    }
    report::tell(&all.interruption());
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
pub(crate) fn regularizer<B: LinearBackend>(
    args: &ProblemArgs,
    problem: &Problem<B>,
) -> Result<Option<Regularizer<B::Scalar>>, Error> {
    let weights = match args.regularizer {
        Some(Weight::Auto) => return Ok(Regularizer::automatic()),
        Some(Weight::Uniform(0.0)) => None,
        Some(Weight::Uniform(weight)) => {
            Some(vec![B::Scalar::of(weight); problem.network.outcomes()])
        }
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
    /// The folder where outputs are put aside.
    aside: PathBuf,
}

impl Work for Inverting<'_> {
    /// d, and what came out.
    type Output = (usize, Outcomes);

    fn on<B: Library>(self, backend: B) -> Result<Self::Output, Error> {
        let Self {
            args,
            checkpoint,
            aside,
        } = self;
        let path = &args.problem.path;
        let threads = args.threads();
        let workers = Cell::new(1);
        let admit = |shapes: &Shapes| {
            let limit = args.problem.max_memory.map(|limit| limit.as_u64());
            let needed = |workers| shapes.inversion_bytes::<B::Scalar>(args, workers);
            memory::most_workers(path, &needed, threads, limit).map(|most| workers.set(most))
        };
        let tell = |words: &str| {
            if !args.quiet {
                report::tell(words);
            }
        };
        let request = Request {
            needs_target: true,
            admit: &admit,
            tell: &tell,
        };
        let mut problem = read_problem(backend, &args.problem, &request)?;
        let starts = problem.take_starts(args.start.as_ref())?;
        let regularizer = regularizer(&args.problem, &problem)?;
        let fingerprint = checkpoint
            .is_some()
            .then(|| Fingerprint::new(args, &problem, &starts, regularizer.as_ref()))
            .transpose()?;
        let rounded = (args.hessian == Hessian::MixedPrecision)
            .then(|| {
                Rounded::new(
                    path,
                    &problem.network,
                    regularizer.as_ref(),
                    args.problem.loss,
                )
            })
            .transpose()?;
        let network = problem.network.with_threads(threads);
        let count = problem.count(&starts);
        let log = match (checkpoint, fingerprint) {
            (Some(checkpoint), Some(fingerprint)) => Some(checkpoint.open(args, &fingerprint)?),
            _ => None,
        };
        let campaign = Campaign {
            args,
            problems: problems(args, &network, regularizer.as_ref(), &starts, count)
                .map_err(in_file(path, None))?,
            rounded: rounded
                .as_ref()
                .map(Rounded::problems)
                .transpose()
                .map_err(in_single_precision(path))?,
            targets: &problem.targets,
            starts: &starts,
            count,
            crew: Crew::of_at_most(workers.get(), count, threads),
            probabilities: Spill::new(&aside, network.outcomes()),
            log,
        };
        Ok((network.inputs(), campaign.run()?))
    }
}

/// So many targets are worth what is made once for all of them.
const MANY: usize = 8;

/// What all targets share.
fn problems<'a, B: LinearBackend>(
    args: &InvertArgs,
    network: &'a TwoLayer<B>,
    regularizer: Option<&'a Regularizer<B::Scalar>>,
    starts: &Vectors<B::Scalar>,
    count: usize,
) -> Result<Problems<'a, B>, CoreError> {
    let mut problems = Problems::new(network).with_loss(loss(args.problem.loss));
    if let Some(regularizer) = regularizer {
        problems = problems.with_regularizer(regularizer)?;
    }
    if let Some(radius) = args.radius {
        problems = problems.with_radius(B::Scalar::of(radius))?;
    }
    if count >= MANY {
        problems = problems.for_many();
    }
    if starts.count.is_none() && count > 1 {
        problems = problems.with_shared_start(starts.get(0))?;
    }
    Ok(problems)
}

impl Outcome {
    /// What is kept of a solution.
    pub(crate) fn new<T: Scalar>(solution: Solution<T>, starts: usize, keeps_trace: bool) -> Self {
        let trace = if keeps_trace {
            solution.trace.iter().map(wide_entry).collect()
        } else {
            Vec::new()
        };
        Self {
            x: solution.x.iter().map(|&value| value.to_f64()).collect(),
            pinned: solution.pinned,
            loss: solution.loss.to_f64(),
            gradient_norm: solution.gradient_norm.to_f64(),
            iterations: solution.iterations,
            status: solution.status,
            limit: solution.limit,
            starts,
            seconds: solution.seconds,
            trace,
            verdict: None,
            theory: None,
        }
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
