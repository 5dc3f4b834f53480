//! The head of a real language model, inverted at the outputs of its own tokens.

use super::machine;
use super::peer::{self, PeerRun, PythonArgs, Question, STANDARD, check_start};
use super::trace::{lowest_within, seconds_to};
use super::twolayer::{Solve, Twolayer};
use crate::command::{print_of, script};
use crate::error::Error;
use crate::tables::{csv, markdown, median, save};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also run NumPy Newton and SciPy on the same problems, in the same run.
    #[arg(long)]
    peers: bool,
    #[command(flatten)]
    python: PythonArgs,
    /// The weights [default: those of the package in that Python]. `vocab.txt` lies beside them.
    #[arg(long, value_name = "model.safetensors")]
    weights: Option<PathBuf>,
    /// How many of the ten tokens.
    #[arg(long, value_name = "N", default_value_t = TOKENS.len())]
    tokens: usize,
    /// Where to start: 10% or 30% of ‖x*‖ off, or at the mean of a thousand embeddings.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "10,30,mean")]
    starts: Vec<Start>,
    /// What a peer is given for a start, where twolayer took less; else it is given as long.
    #[arg(long, value_name = "S", default_value_t = 20.0, value_parser = super::positive)]
    seconds: f64,
    /// The most iterations of twolayer for a start [default: its own limit].
    #[arg(long, value_name = "N")]
    max_iterations: Option<usize>,
}

const TOKENS: [&str; 10] = [
    "king", "water", "science", "music", "river", "doctor", "red", "computer", "house", "tree",
];

/// What counts as solved.
const SOLVED: f64 = 1e-12;

const OURS: &str = "twolayer";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
enum Start {
    #[value(name = "10")]
    #[serde(rename = "10% off")]
    Near,
    #[value(name = "30")]
    #[serde(rename = "30% off")]
    Farther,
    #[value(name = "mean")]
    #[serde(rename = "mean")]
    Mean,
}

impl Start {
    /// As `peers/head_problem.py` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Near => "10",
            Self::Farther => "30",
            Self::Mean => "mean",
        }
    }
}

/// What `peers/head_problem.py` prints.
#[derive(Debug, Deserialize)]
struct Facts {
    scale: f64,
    active: usize,
    entropy: f64,
    distances: Vec<f64>,
}

/// One solver from one start. Losses are over L(x0).
#[derive(Debug, Serialize)]
struct Row {
    token: &'static str,
    start: Start,
    /// ‖x0 − x*‖/‖x*‖.
    distance: f64,
    solver: &'static str,
    /// The lowest loss within the time that all solvers were given.
    loss: f64,
    /// The lowest loss within the time that twolayer took.
    loss_in_our_time: f64,
    /// The loss at twolayer's x, computed by NumPy.
    loss_by_numpy: Option<f64>,
    seconds: f64,
    /// What all solvers were given: the peer limit or twolayer's own time, whichever is longer.
    seconds_given: f64,
    seconds_to_1e12: Option<f64>,
    /// Iterations of twolayer, evaluations of a peer.
    iterations: usize,
    /// Hessians or products with one, of a peer.
    hessians: Option<usize>,
    /// Median seconds of an iteration of twolayer on all outcomes.
    step_seconds: Option<f64>,
    most_pinned: Option<usize>,
    pins: Option<usize>,
    releases: Option<usize>,
    ended: String,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let scratch = tempfile::tempdir().map_err(Error::Scratch)?;
    let twolayer = Twolayer::build(scratch.path())?;
    let mut rows = Vec::new();
    let mut versions = BTreeMap::new();
    for token in &TOKENS[..args.tokens.min(TOKENS.len())] {
        let problem = scratch.path().join("problem.npz");
        let facts = make_problem(args, token, &problem)?;
        eprintln!(
            "{token}: scale {:.3}, {} units active, entropy {:.2}",
            facts.scale, facts.active, facts.entropy
        );
        let first = rows.len();
        rows.extend(invert(args, &twolayer, &problem, token, &facts)?);
        if args.peers {
            let ours = first..rows.len();
            for peer in &STANDARD {
                let limits: Vec<f64> = rows[ours.clone()].iter().map(|r| r.seconds_given).collect();
                let question = Question::new(&problem, &limits, 0.0);
                let report = peer.run(&args.python.python, &question)?;
                versions = report.versions;
                for (index, run) in ours.clone().zip(report.runs) {
                    rows.push(peer_row(&rows[index], peer.name, run)?);
                }
            }
        }
        // After every token: what was measured is kept if a later one fails.
        save("head.csv", &csv(&rows)?)?;
    }
    let report = report(args, &rows, &versions);
    let path = save("head.md", &report)?;
    println!("{report}");
    eprintln!("written: {} and head.csv beside it", path.display());
    Ok(())
}

fn make_problem(args: &Args, token: &str, problem: &Path) -> Result<Facts, Error> {
    let mut command = script(&args.python.python, "head_problem.py");
    let starts: Vec<_> = args.starts.iter().map(|start| start.name()).collect();
    command.arg(problem).arg(token);
    command.args(["--starts", &starts.join(",")]);
    if let Some(weights) = &args.weights {
        command.arg("--weights").arg(weights);
    }
    print_of(command)
}

/// Runs the command on a problem file, and has NumPy check what it says.
fn invert(
    args: &Args,
    twolayer: &Twolayer,
    problem: &Path,
    token: &'static str,
    facts: &Facts,
) -> Result<Vec<Row>, Error> {
    let limit = args.max_iterations.map(|limit| limit.to_string());
    let options = limit.iter().flat_map(|limit| ["--max-iterations", limit]);
    let solves = twolayer.invert(problem, options, None)?;
    let solves = solves.map_or_else(Vec::new, |inverted| inverted.solves);
    let checks = peer::losses(&args.python.python, problem, &twolayer.result(), None)?;
    if [checks.len(), solves.len()] != [args.starts.len(); 2] {
        return Err(Error::Disagreement {
            found: format!("there are {} results", solves.len()),
            expected: format!("there are {} starts", args.starts.len()),
        });
    }
    let mut rows = Vec::new();
    for (index, &start) in args.starts.iter().enumerate() {
        let (solve, check) = (&solves[index], checks[index]);
        let start_loss = solve.course.start_loss;
        check_start(start_loss, check.at_start, "NumPy")?;
        let row = our_row(args, token, start, facts.distances[index], solve);
        let row = Row {
            loss_by_numpy: Some(check.at_result / start_loss),
            ..row
        };
        eprintln!(
            "{token} {}: L/L0 {:.1e} (by NumPy {:.1e}) in {:.2} s, {} iterations, {}",
            start.name(),
            row.loss,
            check.at_result / start_loss,
            row.seconds,
            row.iterations,
            row.ended,
        );
        rows.push(row);
    }
    Ok(rows)
}

fn our_row(args: &Args, token: &'static str, start: Start, distance: f64, solve: &Solve) -> Row {
    let course = &solve.course;
    let loss = solve.loss / course.start_loss;
    Row {
        token,
        start,
        distance,
        solver: OURS,
        loss,
        loss_in_our_time: loss,
        loss_by_numpy: None,
        seconds: solve.seconds,
        seconds_given: solve.seconds.max(args.seconds),
        seconds_to_1e12: seconds_to(&course.history, SOLVED * course.start_loss),
        iterations: solve.iterations,
        hessians: None,
        step_seconds: course.step_seconds,
        most_pinned: Some(course.most_pinned),
        pins: Some(course.pins),
        releases: Some(course.releases),
        ended: solve.status.clone(),
    }
}

fn peer_row(ours: &Row, solver: &'static str, run: PeerRun) -> Result<Row, Error> {
    let in_our_time = lowest_within(&run.history, run.start_loss, ours.seconds);
    let row = Row {
        solver,
        loss: run.lowest / run.start_loss,
        loss_in_our_time: in_our_time / run.start_loss,
        loss_by_numpy: None,
        seconds: run.seconds,
        seconds_to_1e12: seconds_to(&run.history, SOLVED * run.start_loss),
        iterations: run.evaluations,
        hessians: Some(run.hessians),
        step_seconds: None,
        most_pinned: None,
        pins: None,
        releases: None,
        ended: run.ended,
        ..*ours
    };
    eprintln!(
        "{} {}: L/L0 {:.1e} in {:.1} s by {solver} ({})",
        row.token,
        row.start.name(),
        row.loss,
        row.seconds,
        row.ended
    );
    Ok(row)
}

fn report(args: &Args, rows: &[Row], versions: &BTreeMap<String, String>) -> String {
    let mut text = String::from("# The head of a language model\n\n");
    text += &machine::describe(versions);
    text += &format!(
        "\nLosses are squared losses over that at the start. twolayer ran to its own end. A peer was \
         given {} s for each start, or what twolayer took where that is longer; its *L/L0* is the \
         lowest that it reached in this time, its *in twolayer's time* the lowest in as many seconds \
         as twolayer took. Its iterations are evaluations. twolayer's *L/L0* is that of its x as \
         NumPy computes it, where that is larger than what twolayer says.\n\n",
        args.seconds,
    );
    text += &summary(args, rows);
    text += "\n\nPins and releases are changes of the number of pinned units from one iteration to \
             the next: those that cancel within an iteration are not counted.\n\n";
    text += &every_start(rows);
    text += "\n";
    text
}

fn summary(args: &Args, rows: &[Row]) -> String {
    let mut lines = Vec::new();
    for &start in &args.starts {
        let here: Vec<&Row> = rows.iter().filter(|row| row.start == start).collect();
        let solvers = std::iter::once(OURS).chain(STANDARD.iter().map(|peer| peer.name));
        for solver in solvers {
            let of: Vec<&Row> = here
                .iter()
                .copied()
                .filter(|r| r.solver == solver)
                .collect();
            if of.is_empty() {
                continue;
            }
            let losses = || of.iter().map(|row| row.certain_loss());
            let best = |row: &&&Row, loss: fn(&Row) -> f64| {
                let others = here
                    .iter()
                    .filter(|o| o.token == row.token && o.solver != solver);
                let lowest = others.map(|o| loss(o)).fold(f64::INFINITY, f64::min);
                loss(row) < lowest
            };
            let lower = |loss| match args.peers {
                true => of.iter().filter(|row| best(row, loss)).count().to_string(),
                false => "-".into(),
            };
            lines.push([
                format!("{} ({} tokens)", start.name(), of.len()),
                solver.into(),
                losses().filter(|&loss| loss <= SOLVED).count().to_string(),
                format!("{:.1e}", median(losses())),
                format!("{:.1e}", losses().fold(0.0, f64::max)),
                lower(Row::certain_loss),
                lower(|row| row.certain_loss().max(row.loss_in_our_time)),
                format!("{:.2}", median(of.iter().map(|row| row.seconds))),
            ]);
        }
    }
    markdown(
        [
            "start",
            "solver",
            "≤ 1e-12",
            "median L/L0",
            "worst L/L0",
            "lowest of all",
            "lowest in twolayer's time",
            "seconds (median)",
        ],
        2,
        lines,
    )
}

impl Row {
    /// The loss that both programs vouch for.
    fn certain_loss(&self) -> f64 {
        self.loss_by_numpy
            .map_or(self.loss, |by_numpy| by_numpy.max(self.loss))
    }
}

fn every_start(rows: &[Row]) -> String {
    let count = |figure: Option<usize>| figure.map_or("-".into(), |figure| figure.to_string());
    markdown(
        [
            "token",
            "start",
            "solver",
            "ended",
            "L/L0",
            "in twolayer's time",
            "seconds",
            "s to 1e-12",
            "iterations",
            "ms a step on all outcomes",
            "most pinned",
            "pins",
            "releases",
        ],
        4,
        rows.iter().map(|row| {
            [
                row.token.into(),
                row.start.name().into(),
                row.solver.into(),
                row.ended.clone(),
                format!("{:.1e}", row.certain_loss()),
                format!("{:.1e}", row.certain_loss().max(row.loss_in_our_time)),
                format!("{:.2}", row.seconds),
                row.seconds_to_1e12
                    .map_or("-".into(), |seconds| format!("{seconds:.2}")),
                row.iterations.to_string(),
                row.step_seconds
                    .map_or("-".into(), |seconds| format!("{:.0}", 1e3 * seconds)),
                count(row.most_pinned),
                count(row.pins),
                count(row.releases),
            ]
        }),
    )
}
