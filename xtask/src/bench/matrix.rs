//! Whole solves: backend × precision × Hessian × problem × start, and the peers.

use super::asked::{Asked, Case};
use super::goal::SOLVED;
use super::machine;
use super::peer::{
    FURTHER, ON_RESIDUALS, Peer, PeerRun, PythonArgs, Question, STANDARD, check_start, losses,
};
use super::repeated::{Outcome, Repeated, Repeats, Run, Solve, in_turns};
use super::summary::{self, Row};
use super::trace::Course;
use super::twolayer::{self, Twolayer};
use super::{plots, positive};
use crate::error::Error;
use crate::python::{NUMPY, has};
use crate::tables::{csv, save};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[group(skip)] // The name of its group is that of the command's own.
pub(crate) struct Args {
    /// Some minutes instead of hours: the small problems, once each.
    #[arg(long)]
    quick: bool,
    /// Also run NumPy, SciPy, optimistix and argmin on the same problems, in the same run.
    #[arg(long)]
    peers: bool,
    #[command(flatten)]
    python: PythonArgs,
    #[command(flatten)]
    asked: Asked,
    #[arg(long, value_delimiter = ',', default_value = "faer,nalgebra,ndarray")]
    backends: Vec<String>,
    #[arg(long, value_delimiter = ',', default_value = "f64,f32")]
    precisions: Vec<String>,
    /// Values of `twolayer invert --hessian`.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "auto,secant,exact,convexified,gauss-newton,sampled,uniform,leverage,sketch,\
                         conjugate-gradient,mixed-precision"
    )]
    hessians: Vec<String>,
    /// How often each solve of twolayer is run at least, each time in a new process; medians are
    /// told. Solves that are short, of whichever program, are run up to 25 times if not --quick
    /// [default: 3; with --quick: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    repeats: Option<u16>,
    /// When a solve is ended, for each target [default: 120; with --quick: 20].
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    limit: Option<f64>,
}

impl Args {
    /// Of twolayer.
    fn repeats(&self) -> Repeats {
        let default = if self.quick { 1 } else { 3 };
        let at_least = self.repeats.map_or(default, usize::from);
        Repeats {
            at_least,
            at_most: at_least.max(if self.quick { 1 } else { 25 }),
        }
    }

    fn limit(&self) -> f64 {
        self.limit.unwrap_or(if self.quick { 20.0 } else { 120.0 })
    }
}

/// What has been measured so far.
#[derive(Debug, Default)]
struct Measured {
    rows: Vec<Row>,
    versions: BTreeMap<String, String>,
    /// Peers that could not be run, and why.
    missing: BTreeSet<String>,
}

/// The other programs that are to run and can.
#[derive(Debug, Default)]
struct Others {
    peers: Vec<&'static Peer>,
    /// Those that run where the Jacobian has few rows only.
    on_residuals: Vec<&'static Peer>,
    /// Whether NumPy recomputes the losses.
    has_numpy: bool,
}

impl Others {
    /// Asks before anything is measured, and says what is not there.
    fn find(args: &Args, missing: &mut BTreeSet<String>) -> Result<Self, Error> {
        let mut others = Self::default();
        if !args.peers {
            return Ok(others);
        }
        let python = &args.python.python;
        for peer in STANDARD.iter().chain(&FURTHER) {
            if peer.can_run(python, missing)? {
                others.peers.push(peer);
            }
        }
        for peer in &ON_RESIDUALS {
            if peer.can_run(python, missing)? {
                others.on_residuals.push(peer);
            }
        }
        others.has_numpy = has(python, "NumPy's check of the losses", NUMPY, missing)?;
        Ok(others)
    }
}

impl Others {
    /// Those that run on a problem.
    fn on(&self, case: Case<'_>) -> impl Iterator<Item = &'static Peer> {
        let (d, _, m) = case.problem.shape;
        let on_residuals = self.on_residuals.iter().filter(move |_| m < d);
        let peers = self.peers.iter().chain(on_residuals).copied();
        peers.filter(move |peer| peer.takes(case.weight))
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let (asked, python) = (&args.asked, &args.python.python);
    let mut measured = Measured::default();
    let others = Others::find(args, &mut measured.missing)?;
    let mut problems = Vec::new();
    for named in asked.problems(args.quick)? {
        if named.can_be_made(python, &mut measured.missing)? {
            problems.push(named);
        }
    }
    let scratch = tempfile::tempdir().map_err(Error::Scratch)?;
    let twolayer = Twolayer::build(scratch.path())?;
    for named in problems {
        for instance in 0..asked.instances(named) {
            // One problem's files at a time: the largest has 400 MB.
            let folder = tempfile::tempdir_in(scratch.path()).map_err(Error::Scratch)?;
            let problem = named.write(asked.wanted(), instance, python, folder.path())?;
            for weight in asked.weights() {
                for start in &problem.starts {
                    let case = Case {
                        problem: &problem,
                        start,
                        instance,
                        weight,
                    };
                    all_programs(args, &others, &twolayer, case, &mut measured)?;
                }
            }
            // After every problem: what was measured is kept if a later one fails.
            save("matrix.csv", &csv(&measured.rows)?)?;
        }
    }
    tell(args, &measured)
}

/// Writes and prints what was measured.
fn tell(args: &Args, measured: &Measured) -> Result<(), Error> {
    let goal = args.asked.goal();
    plots::performance_profile(&measured.rows, goal)?;
    let mut report = String::from("# Whole solves\n\n");
    report += &machine::describe(&measured.versions);
    report += &args.asked.describe();
    for missing in &measured.missing {
        report += &format!("- not run: {missing}\n");
    }
    report += &summary::report(&measured.rows, goal, args.repeats(), args.limit());
    let path = save("matrix.md", &report)?;
    println!("{report}");
    eprintln!(
        "written: {}, matrix.csv and plots beside it",
        path.display()
    );
    Ok(())
}

/// twolayer and the peers, in turns.
fn all_programs(
    args: &Args,
    others: &Others,
    twolayer: &Twolayer,
    case: Case<'_>,
    measured: &mut Measured,
) -> Result<(), Error> {
    let versions = RefCell::new(&mut measured.versions);
    let mut solves = ours(args, twolayer, case);
    let own = solves.len();
    solves.extend(peers(args, others, case, &versions));
    let mut rows = in_turns(solves)?;
    let peers = rows.split_off(own);
    let (peers, failed): (Vec<_>, Vec<_>) = peers.into_iter().partition(|row| row.runs > 0);
    let failed = failed.iter();
    measured
        .missing
        .extend(failed.map(|row| format!("{}: {}", row.solver, row.ended)));
    let double = || rows.iter().filter(|row| row.is_double() && row.runs > 0);
    if let Some(row) = double().next() {
        let start_loss = row.last_courses()[0].start_loss;
        for peer in &peers {
            check_start(start_loss, peer.last_courses()[0].start_loss, &peer.solver)?;
        }
    }
    for row in double().filter(|row| row.hessian == "auto" && others.has_numpy) {
        // Once more, for the file of its result.
        if let Outcome::Ran(again) = invert(args, twolayer, case, row)? {
            confirm(args, twolayer, case, &again)?;
        }
    }
    let first = measured.rows.len();
    measured.rows.extend(rows);
    measured.rows.extend(peers);
    let rows = &mut measured.rows[first..];
    args.asked.goal().judge(rows);
    plots::time_to_accuracy(&case.title(), rows)
}

/// Every backend, precision and Hessian.
fn ours<'r>(args: &'r Args, twolayer: &'r Twolayer, case: Case<'r>) -> Vec<Repeated<'r>> {
    let mut solves = Vec::new();
    for precision in &args.precisions {
        for backend in &args.backends {
            // A model in less precision than the solve is not for the least precision.
            let hessians = args.hessians.iter();
            let hessians = hessians.filter(|h| *h != "mixed-precision" || precision != "f32");
            solves.extend(hessians.map(|hessian| {
                let row = Row {
                    backend: backend.clone(),
                    precision: precision.clone(),
                    hessian: hessian.clone(),
                    input_bytes: case
                        .problem
                        .input_bytes(if precision == "f32" { 4 } else { 8 }),
                    ..case.row(format!("twolayer {backend} {hessian}"))
                };
                let invert = move |row: &Row| invert(args, twolayer, case, row);
                Repeated::new(row, args.repeats(), invert)
            }));
        }
    }
    solves
}

fn invert(args: &Args, twolayer: &Twolayer, case: Case<'_>, row: &Row) -> Result<Outcome, Error> {
    let problem = case.problem;
    let x0 = case.start.file.to_string_lossy();
    let weight = case.weight.map(|weight| weight.to_string());
    let mut options = vec![
        ["--backend", row.backend.as_str()],
        ["--precision", &row.precision],
        ["--hessian", &row.hessian],
        ["--start", &x0],
    ];
    if problem.targets > 1 {
        // One solve at a time: their times are added up.
        options.push(["--threads", "1"]);
    }
    if let Some(weight) = &weight {
        options.push(["--regularizer", weight]);
    }
    let options = options.as_flattened().iter().copied();
    let limit = Duration::from_secs_f64(args.limit() * problem.targets as f64);
    let inverted = twolayer.invert(&problem.file, options, Some(limit))?;
    Ok(match inverted {
        Some(inverted) => Outcome::Ran(Run {
            peak_bytes: inverted.peak_bytes,
            solves: inverted.solves.into_iter().map(our_solve).collect(),
        }),
        None => Outcome::Failed(format!("over {} s a target", args.limit())),
    })
}

fn our_solve(solve: twolayer::Solve) -> Solve {
    Solve {
        course: solve.course,
        seconds: solve.seconds,
        loss: solve.loss,
        iterations: solve.iterations,
        hessians: None,
        ended: solve.status,
    }
}

/// Has NumPy compute the loss at the answers of the last run.
fn confirm(args: &Args, twolayer: &Twolayer, case: Case<'_>, run: &Run) -> Result<(), Error> {
    let (python, file) = (&args.python.python, &case.problem.file);
    let found = losses(python, file, &twolayer.result(), case.weight)?;
    for (solve, found) in run.solves.iter().zip(found) {
        let (ours, theirs) = (solve.loss, found.at_result);
        // Rounding differs between programs, and is all that is left far below what counts as solved.
        let tolerance = 1e-6 * ours.max(theirs) + 0.1 * SOLVED * solve.course.start_loss;
        if (ours - theirs).abs() > tolerance || !theirs.is_finite() {
            return Err(Error::Disagreement {
                found: format!("L is {theirs:e} by NumPy on {}", case.title()),
                expected: format!("it is {ours:e} by twolayer"),
            });
        }
    }
    Ok(())
}

/// The other programs.
fn peers<'r>(
    args: &'r Args,
    others: &'r Others,
    case: Case<'r>,
    versions: &'r RefCell<&mut BTreeMap<String, String>>,
) -> impl Iterator<Item = Repeated<'r>> {
    let repeats = Repeats {
        at_least: 1,
        ..args.repeats()
    };
    others.on(case).map(move |peer| {
        let row = Row {
            precision: "f64".into(),
            input_bytes: case.problem.input_bytes(8),
            ..case.row(peer.name.into())
        };
        Repeated::new(row, repeats, move |_| {
            let limits = vec![args.limit(); case.problem.targets];
            let question = Question {
                start: Some(&case.start.file),
                weight: case.weight,
                ..Question::new(&case.problem.file, &limits, args.asked.goal().stop_at())
            };
            match peer.run(&args.python.python, &question) {
                Ok(report) => {
                    versions.borrow_mut().extend(report.versions);
                    Ok(Outcome::Ran(Run {
                        peak_bytes: report.peak_bytes,
                        solves: report.runs.into_iter().map(their_solve).collect(),
                    }))
                }
                Err(error) => {
                    eprintln!("{}: {error}", peer.name);
                    let told = error.to_string();
                    Ok(Outcome::Failed(
                        told.lines().last().unwrap_or_default().into(),
                    ))
                }
            }
        })
    })
}

fn their_solve(run: PeerRun) -> Solve {
    Solve {
        course: Course {
            start_loss: run.start_loss,
            history: run.history,
            ..Course::default()
        },
        seconds: run.seconds,
        loss: run.lowest,
        iterations: run.evaluations,
        hessians: Some(run.hessians),
        ended: run.ended,
    }
}
