//! `twolayer invert`: read, solve, write, report.

use crate::args::{Hessian, InvertArgs, Method, Precision};
use crate::checkpoint::{Checkpoint, Fingerprint};
use crate::dispatch::{Library, Work, dispatch};
use crate::error::{Error, in_file};
use crate::interrupt;
use crate::memory::{self, Shapes};
use crate::nearest::nearest;
use crate::outcome::{End, Outcomes};
use crate::output::{OutputFile, StagedFile, refuse_shared_paths};
use crate::problem_file::{Request, read_problem, two_layers};
use crate::shard::PartOf;
use crate::single_precision::{Rounded, in_single_precision};
use crate::solve::{Host, refuse_terms_it_has_not, refuse_what_it_has_not};
use crate::solver::solver;
use crate::spill::Spill;
use crate::terms::{loss, radius, regularizer};
use crate::{plot, printing, report, result_file, trace};
use std::cell::Cell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use twolayer::{AnyNetwork, Bounds, Error as CoreError, LinearBackend, Problems, Regularizer};
use twolayer::{Campaign, Crew, MANY};

/// The whole command. What can be refused is refused before anything is solved, and nothing is
/// written before everything is solved.
pub(crate) fn invert(args: &InvertArgs) -> Result<ExitCode, Error> {
    refuse_shared_paths(args)?;
    if args.nearest.are_given() {
        return nearest(args);
    }
    if args.shard.is_some() && args.starts > 1 {
        return Err(Error::ShardWithStarts);
    }
    let mixed = args.hessian == Hessian::MixedPrecision;
    if mixed && args.problem.precision == Precision::F32 {
        return Err(Error::MixedInSinglePrecision);
    }
    if args.method == Method::Paper {
        refuse_what_it_has_not(args)?;
    }
    let out = OutputFile::check(&args.out)?;
    let trace_file = args.trace.as_deref().map(OutputFile::check).transpose()?;
    let plot_file = args.plot.as_deref().map(plot::check).transpose()?;
    let outputs = [Some(&out), trace_file.as_ref(), plot_file.as_ref()];
    let on_standard_output = |output: &OutputFile<'_>| output.is_standard_output();
    let report_to = match outputs.into_iter().flatten().any(on_standard_output) {
        true => printing::To::StandardError,
        false => printing::To::StandardOutput,
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
    let (inputs, all, part) = dispatch(&args.problem, inverting)?;
    let outcomes = &all.solved;

    let result = out.stage(|file| result_file::write(&all, (inputs, part.as_ref()), args, file))?;
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
    printing::print(report_to, &report::inversion(args.report, &all)?)?;
    if !args.quiet {
        printing::tell(&report::advice(outcomes));
    }
    printing::tell(&all.missing());
    if all.end == End::Interrupted {
        return Ok(ExitCode::from(interrupt::EXIT_CODE));
    }
    let is_complete = outcomes.len() == all.targets;
    let converged = is_complete && outcomes.iter().all(|outcome| outcome.status.is_converged());
    Ok(if converged {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

struct Inverting<'a> {
    args: &'a InvertArgs,
    checkpoint: Option<Checkpoint<'a>>,
    /// The folder where outputs are put aside.
    aside: PathBuf,
}

impl Work for Inverting<'_> {
    /// d, what came out, and which part of a run it is, where it is one.
    type Output = (usize, Outcomes, Option<PartOf>);

    fn on<B: Library>(self, backend: B) -> Result<Self::Output, Error> {
        let Self {
            args,
            checkpoint,
            aside,
        } = self;
        let path = &args.problem.path;
        let by_the_paper = args.method == Method::Paper;
        let radius = radius(args.radius)?;
        let threads = args.threads();
        let workers = Cell::new(1);
        let admit = |shapes: &Shapes| {
            let limit = args.problem.max_memory.map(|limit| limit.as_u64());
            let needed = |workers| shapes.inversion_bytes::<B::Scalar>(args, workers);
            memory::most_workers(path, &needed, threads, limit).map(|most| workers.set(most))
        };
        let tell = |words: &str| {
            if !args.quiet {
                printing::tell(words);
            }
        };
        let request = Request {
            activation: &args.problem.activation,
            needs_target: true,
            needs_all_good: false,
            admit: &admit,
            tell: &tell,
        };
        let mut problem = read_problem(backend, &args.problem, &request)?;
        for (is_asked, what) in [
            (args.certify, "a certificate"),
            (args.theory, "the theorem"),
            (by_the_paper, "the paper's iteration"),
        ] {
            if is_asked {
                two_layers(&problem, path, what)?;
            }
        }
        let regularizer = regularizer(&args.problem, &problem)?;
        let bounds = problem.bounds(&args.bounds, path)?;
        let nearness = problem.nearness(&args.near, path)?;
        if by_the_paper {
            refuse_terms_it_has_not(bounds.as_ref(), nearness.as_ref())?;
        }
        let mut starts = problem.take_starts(args.start.as_ref(), nearness.as_ref())?;
        let total = problem.count(&starts);
        let range = args.shard.map(|shard| shard.range(total));
        if let Some(range) = &range {
            problem.targets.keep(range.clone());
            starts.keep(range.clone());
        }
        let count = problem.count(&starts);
        let mut part = None;
        let log = match checkpoint {
            None if range.is_none() => None,
            checkpoint => {
                // What is made once for many is made in every part.
                let is_many = total >= MANY;
                let regularizer = regularizer.as_ref();
                let (bounds, nearness) = (bounds.as_ref(), nearness.as_ref());
                let run = Fingerprint::new(
                    args,
                    &problem,
                    &starts,
                    regularizer,
                    bounds,
                    nearness,
                    is_many,
                );
                part = range.map(|range| PartOf {
                    place: [range.start, range.len(), total],
                    run: run.digest(),
                });
                checkpoint
                    .map(|checkpoint| checkpoint.open(args, &run))
                    .transpose()?
            }
        };
        let rounded = (args.hessian == Hessian::MixedPrecision)
            .then(|| {
                Rounded::new(
                    path,
                    two_layers(&problem, path, "mixed precision")?,
                    regularizer.as_ref(),
                    nearness.as_ref(),
                    args.problem.loss,
                )
            })
            .transpose()?;
        let crew = Crew::of_at_most(workers.get(), count, threads);
        let rounded = rounded
            .as_ref()
            .map(|rounded| rounded.with_threads(crew.threads_each()));
        let problems = problems(args, &problem.network, regularizer.as_ref(), total)
            .and_then(|problems| within(problems, radius, bounds.as_ref()))
            .and_then(|problems| match &nearness {
                Some(nearness) => problems.with_nearness(nearness),
                None => Ok(problems),
            })
            .map_err(in_file(path, None))?
            .with_targets_stored_as(problem.targets.rounded_to());
        let campaign = Campaign::new(problems, problem.targets.len(), starts.all())
            .map_err(in_file(path, None))?
            .with_solver(solver(args))
            .with_crew(crew);
        // The theorem is about x, and rounded problems are in x.
        let campaign = match args.theory || rounded.is_some() {
            true => campaign.in_all_unknowns(),
            false => campaign,
        };
        let host = Host::new(
            args,
            &problem.targets,
            count,
            rounded
                .as_ref()
                .map(Rounded::problems)
                .transpose()
                .map_err(in_single_precision(path))?,
            Spill::new(&aside, problem.network.by_ref().outcomes()),
            log,
        );
        host.check(&campaign)?;
        let inputs = problem.network.by_ref().inputs();
        Ok((inputs, host.run(&campaign)?, part))
    }
}

/// What all targets share.
fn problems<'a, B: LinearBackend>(
    args: &InvertArgs,
    network: &'a AnyNetwork<B>,
    regularizer: Option<&'a Regularizer<B::Scalar>>,
    count: usize,
) -> Result<Problems<'a, B>, CoreError> {
    let mut problems = Problems::new(network).with_loss(loss(args.problem.loss));
    if let Some(regularizer) = regularizer {
        problems = problems.with_regularizer(regularizer)?;
    }
    if count >= MANY {
        problems = problems.for_many();
    }
    Ok(problems)
}

/// The same problems in a ball and within bounds, where there are.
fn within<'a, B: LinearBackend>(
    mut problems: Problems<'a, B>,
    radius: Option<B::Scalar>,
    bounds: Option<&'a Bounds<B::Scalar>>,
) -> Result<Problems<'a, B>, CoreError> {
    if let Some(radius) = radius {
        problems = problems.with_radius(radius)?;
    }
    if let Some(bounds) = bounds {
        problems = problems.with_bounds(bounds)?;
    }
    Ok(problems)
}
