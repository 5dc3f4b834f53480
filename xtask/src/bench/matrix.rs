//! Whole solves: backend × precision × Hessian × problem × start, and the peers.

use super::machine;
use super::peer::{FURTHER, Peer, PeerReport, PythonArgs, STANDARD, check_start, losses};
use super::problem::{Named, Problem, Start};
use super::summary::{self, Row};
use super::trace::{Course, seconds_to};
use super::twolayer::{Inverted, Twolayer};
use super::{plots, positive};
use crate::error::Error;
use crate::python::{NUMPY, has};
use crate::tables::{csv, median, save};
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
    /// Which problems [default: all; with --quick: s, m and detector].
    #[arg(long, value_enum, value_delimiter = ',')]
    problems: Vec<Named>,
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
    /// How often each solve of twolayer is run, each time in a new process; medians are told
    /// [default: 3; with --quick: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    repeats: Option<u16>,
    /// When a solve is ended, for each target [default: 120; with --quick: 20].
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    limit: Option<f64>,
}

/// What counts as solved, over L(x0).
pub(crate) const SOLVED: f64 = 1e-12;

impl Args {
    fn problems(&self) -> Vec<Named> {
        match (self.problems.is_empty(), self.quick) {
            (false, _) => self.problems.clone(),
            (true, true) => vec![Named::S, Named::M, Named::Detector],
            (true, false) => Named::ALL.into(),
        }
    }

    fn repeats(&self) -> u16 {
        self.repeats.unwrap_or(if self.quick { 1 } else { 3 })
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
        others.has_numpy = has(python, "NumPy's check of the losses", NUMPY, missing)?;
        Ok(others)
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let mut measured = Measured::default();
    let others = Others::find(args, &mut measured.missing)?;
    let scratch = tempfile::tempdir().map_err(Error::Scratch)?;
    let twolayer = Twolayer::build(scratch.path())?;
    for named in args.problems() {
        // One problem's files at a time: the largest has 400 MB.
        let folder = tempfile::tempdir_in(scratch.path()).map_err(Error::Scratch)?;
        let problem = named.write(folder.path())?;
        for start in &problem.starts {
            let first = measured.rows.len();
            ours(args, &others, &twolayer, &problem, start, &mut measured)?;
            peers(args, &others, &problem, start, &mut measured)?;
            let title = format!("{} from {}", problem.name, start.name);
            plots::time_to_accuracy(&title, &measured.rows[first..])?;
        }
        // After every problem: what was measured is kept if a later one fails.
        save("matrix.csv", &csv(&measured.rows)?)?;
    }
    plots::performance_profile(&measured.rows)?;
    let mut report = String::from("# Whole solves\n\n");
    report += &machine::describe(&measured.versions);
    for missing in &measured.missing {
        report += &format!("- not run: {missing}\n");
    }
    report += &summary::report(&measured.rows, args.repeats(), args.limit());
    let path = save("matrix.md", &report)?;
    println!("{report}");
    eprintln!(
        "written: {}, matrix.csv and plots beside it",
        path.display()
    );
    Ok(())
}

/// Every backend, precision and Hessian.
fn ours(
    args: &Args,
    others: &Others,
    twolayer: &Twolayer,
    problem: &Problem,
    start: &Start,
    measured: &mut Measured,
) -> Result<(), Error> {
    for precision in &args.precisions {
        for backend in &args.backends {
            for hessian in &args.hessians {
                if hessian == "mixed-precision" && precision == "f32" {
                    // It is a model in less precision than the solve.
                    continue;
                }
                let x0 = start.file.to_string_lossy();
                let mut options = vec![
                    ["--backend", backend],
                    ["--precision", precision],
                    ["--hessian", hessian],
                    ["--start", &x0],
                ];
                if problem.targets > 1 {
                    // One solve at a time: their times are added up.
                    options.push(["--threads", "1"]);
                }
                let row = Row {
                    backend: backend.clone(),
                    precision: precision.clone(),
                    hessian: hessian.clone(),
                    ..Row::new(problem, start, format!("twolayer {backend} {hessian}"))
                };
                let mut runs = Vec::new();
                for _ in 0..args.repeats() {
                    let options = options.as_flattened().iter().copied();
                    let limit = Duration::from_secs_f64(args.limit() * problem.targets as f64);
                    match twolayer.invert(&problem.file, options, Some(limit))? {
                        Some(inverted) => runs.push(inverted),
                        // Another try would take as long.
                        None => break,
                    }
                }
                let row = if runs.len() < usize::from(args.repeats()) {
                    let ended = format!("over {} s a target", args.limit());
                    Row { ended, ..row }
                } else {
                    our_row(row, problem, runs)
                };
                if others.has_numpy && precision == "f64" && hessian == "auto" && row.targets > 0 {
                    confirm(args, twolayer, problem, &row)?;
                }
                row.tell();
                measured.rows.push(row);
            }
        }
    }
    Ok(())
}

fn our_row(row: Row, problem: &Problem, mut runs: Vec<Inverted>) -> Row {
    let number = if row.precision == "f32" { 4 } else { 8 };
    let peak = runs.iter().filter_map(|run| run.peak_bytes).max();
    let totals = runs
        .iter()
        .map(|run| run.solves.iter().map(|s| s.seconds).sum());
    let seconds = Some(median(totals));
    let to_accuracy = runs.iter().map(|run| {
        let times = run.solves.iter().map(|solve| solved_at(&solve.course));
        times.sum::<Option<f64>>().unwrap_or(f64::INFINITY)
    });
    let to_accuracy = median(to_accuracy);
    // The same arithmetic every time: one run speaks for all of what is not time.
    let Some(run) = runs.pop() else {
        return row;
    };
    let ended: BTreeSet<_> = run.solves.iter().map(|s| s.status.as_str()).collect();
    let ratios = run.solves.iter().map(|s| s.loss / s.course.start_loss);
    Row {
        targets: run.solves.len(),
        solved: run
            .solves
            .iter()
            .filter(|s| solved_at(&s.course).is_some())
            .count(),
        seconds_to_accuracy: to_accuracy.is_finite().then_some(to_accuracy),
        seconds,
        iterations: run.solves.iter().map(|s| s.iterations).sum(),
        worst_loss: Some(ratios.fold(0.0, f64::max)),
        peak_bytes: peak,
        peak_over_inputs: peak.map(|peak| peak as f64 / problem.input_bytes(number) as f64),
        ended: ended.into_iter().collect::<Vec<_>>().join(", "),
        courses: run.solves.into_iter().map(|solve| solve.course).collect(),
        ..row
    }
}

fn solved_at(course: &Course) -> Option<f64> {
    seconds_to(&course.history, SOLVED * course.start_loss)
}

/// Has NumPy compute the loss at the start and at the answer.
fn confirm(args: &Args, twolayer: &Twolayer, problem: &Problem, row: &Row) -> Result<(), Error> {
    let found = losses(&args.python.python, &problem.file, &twolayer.result())?;
    let worst = row.worst_loss.unwrap_or(f64::INFINITY);
    for (course, found) in row.courses.iter().zip(found) {
        let ratio = found.at_result / course.start_loss;
        // Rounding differs between programs only far below what counts as solved.
        if ratio > 2.0 * worst && ratio > 0.1 * SOLVED {
            return Err(Error::Disagreement {
                found: format!("L/L(x0) is {ratio:e} by NumPy on {}", row.problem),
                expected: format!("it is at most {worst:e} by {}", row.solver),
            });
        }
    }
    Ok(())
}

fn peers(
    args: &Args,
    others: &Others,
    problem: &Problem,
    start: &Start,
    measured: &mut Measured,
) -> Result<(), Error> {
    let ours = measured.rows.iter().rev();
    let ours = ours.take_while(|row| row.problem == problem.name && row.start == start.name);
    let double = ours.filter(|row| row.precision == "f64" && row.targets > 0);
    let Some(start_loss) = double.map(|row| row.courses[0].start_loss).next() else {
        return Ok(());
    };
    for &peer in &others.peers {
        let limits = vec![args.limit(); problem.targets];
        let python = &args.python.python;
        match peer.run(python, &problem.file, Some(&start.file), &limits, SOLVED) {
            Ok(report) => {
                check_start(start_loss, report.runs[0].start_loss, peer.name)?;
                let row = peer_row(peer, problem, start, &report);
                row.tell();
                measured.rows.push(row);
                measured.versions.extend(report.versions);
            }
            Err(error) => {
                eprintln!("{}: {error}", peer.name);
                let told = error.to_string();
                let reason = told.lines().last().unwrap_or_default();
                measured.missing.insert(format!("{}: {reason}", peer.name));
            }
        }
    }
    Ok(())
}

fn peer_row(peer: &Peer, problem: &Problem, start: &Start, report: &PeerReport) -> Row {
    let courses: Vec<Course> = report
        .runs
        .iter()
        .map(|run| Course {
            start_loss: run.start_loss,
            history: run.history.clone(),
            ..Course::default()
        })
        .collect();
    let times = courses.iter().map(solved_at);
    let ratios = report.runs.iter().map(|run| run.lowest / run.start_loss);
    let ended: BTreeSet<_> = report.runs.iter().map(|run| run.ended.as_str()).collect();
    Row {
        precision: "f64".into(),
        targets: report.runs.len(),
        solved: courses.iter().filter(|c| solved_at(c).is_some()).count(),
        seconds_to_accuracy: times.sum(),
        seconds: Some(report.runs.iter().map(|run| run.seconds).sum()),
        iterations: report.runs.iter().map(|run| run.evaluations).sum(),
        hessians: Some(report.runs.iter().map(|run| run.hessians).sum()),
        worst_loss: Some(ratios.fold(0.0, f64::max)),
        peak_bytes: report.peak_bytes,
        peak_over_inputs: report
            .peak_bytes
            .map(|peak| peak as f64 / problem.input_bytes(8) as f64),
        ended: ended.into_iter().collect::<Vec<_>>().join(", "),
        courses,
        ..Row::new(problem, start, peer.name.into())
    }
}
