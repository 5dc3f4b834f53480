//! Starts from far away, beside a continuation from softplus to ReLU.

use super::machine;
use super::peer::{Peer, PythonArgs, Question, check_start};
use super::problem::{Named, Problem, Wanted};
use super::trace::seconds_to;
use super::twolayer::Twolayer;
use crate::error::Error;
use crate::tables::{markdown, median, save};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    python: PythonArgs,
    /// How many random networks of each shape.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    networks: u64,
    /// What a peer is given for each target.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = super::positive)]
    limit: f64,
}

/// What counts as solved, over L(x0).
const SOLVED: f64 = 1e-12;

/// Names in the table and methods of `peers/softplus.py`.
const PEERS: [Peer; 4] = [
    Peer::on_one_thread("NumPy Newton", "newton"),
    Peer::on_one_thread("logarithms, ReLU", "logarithms"),
    Peer::on_one_thread("logarithms, softplus from 0.1", "narrow-softplus"),
    Peer::on_one_thread("logarithms, softplus from 1", "wide-softplus"),
];

/// Random networks by what is particular to them, and (d, n, m).
const SHAPES: [(&str, (usize, usize, usize)); 3] = [
    ("M", (128, 512, 2048)),
    ("few units", (64, 96, 512)),
    ("few outcomes", (64, 256, 96)),
];

/// One solver on all targets from one kind of start.
struct Row {
    problem: &'static str,
    shape: (usize, usize, usize),
    start: &'static str,
    solver: &'static str,
    solves: Vec<Solve>,
}

struct Solve {
    /// Until L ≤ SOLVED·L(x0), if ever.
    seconds_to_accuracy: Option<f64>,
    seconds: f64,
    /// Iterations of twolayer to its own end; Hessians and Jacobians of a peer.
    iterations: usize,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let mut measured = Measured {
        args,
        peers: Vec::new(),
        rows: Vec::new(),
        versions: BTreeMap::new(),
    };
    let mut missing = BTreeSet::new();
    for peer in &PEERS {
        if peer.can_run(&args.python.python, &mut missing)? {
            measured.peers.push(peer);
        }
    }
    let scratch = tempfile::tempdir().map_err(Error::Scratch)?;
    let twolayer = Twolayer::build(scratch.path())?;
    let python = &args.python.python;
    let detector = Named::Detector.write(Wanted::Attained, 0, python, scratch.path())?;
    for start in 0..detector.starts.len() {
        measured.add(&twolayer, &detector, start)?;
    }
    for (name, shape) in SHAPES {
        for seed in 0..args.networks {
            let folder = tempfile::tempdir_in(scratch.path()).map_err(Error::Scratch)?;
            let problem = Problem::planted(name, shape, seed, Wanted::Attained, folder.path())?;
            measured.add(&twolayer, &problem, COLD)?;
        }
    }
    let mut text = String::from("# Softplus continuation\n\n");
    text += &machine::describe(&measured.versions);
    for missing in &missing {
        text += &format!("- not run: {missing}\n");
    }
    text += &measured.report();
    let path = save("continuation.md", &text)?;
    println!("{text}");
    eprintln!("written: {}", path.display());
    Ok(())
}

/// The cold one of a planted problem's starts.
const COLD: usize = 1;

struct Measured<'a> {
    args: &'a Args,
    peers: Vec<&'static Peer>,
    rows: Vec<Row>,
    versions: BTreeMap<String, String>,
}

impl Measured<'_> {
    /// Every solver on one problem file from one of its starts.
    fn add(&mut self, twolayer: &Twolayer, problem: &Problem, start: usize) -> Result<(), Error> {
        let start = &problem.starts[start];
        let x0 = start.file.to_string_lossy();
        let options = ["--threads", "1", "--start", &x0];
        let ours = twolayer.invert(&problem.file, options, None)?;
        let ours = ours.map_or_else(Vec::new, |inverted| inverted.solves);
        let solves = ours.iter().map(|solve| Solve {
            seconds_to_accuracy: seconds_to(
                &solve.course.history,
                SOLVED * solve.course.start_loss,
            ),
            seconds: solve.seconds,
            iterations: solve.iterations,
        });
        self.tell_and_keep(problem, start.name, "twolayer", solves.collect());
        if let [first] = &ours[..] {
            let options = options.into_iter().chain(["--starts", "8"]);
            if let Some(again) = twolayer.invert(&problem.file, options, None)? {
                // The trace has the start that is kept, and the others take time too.
                let seconds = again.wall_seconds;
                let goal = SOLVED * first.course.start_loss;
                let solves = again.solves.iter().map(|solve| Solve {
                    seconds_to_accuracy: (solve.loss <= goal).then_some(seconds),
                    seconds,
                    iterations: solve.iterations,
                });
                self.tell_and_keep(problem, start.name, "twolayer --starts 8", solves.collect());
            }
        }
        for peer in self.peers.clone() {
            let limits = vec![self.args.limit; problem.targets];
            let python = &self.args.python.python;
            let question = Question {
                start: Some(&start.file),
                ..Question::new(&problem.file, &limits, SOLVED)
            };
            let report = peer.run(python, &question)?;
            for (ours, theirs) in ours.iter().zip(&report.runs) {
                check_start(ours.course.start_loss, theirs.start_loss, peer.name)?;
            }
            let solves = report.runs.iter().map(|run| Solve {
                seconds_to_accuracy: seconds_to(&run.history, SOLVED * run.start_loss),
                seconds: run.seconds,
                iterations: run.hessians,
            });
            self.tell_and_keep(problem, start.name, peer.name, solves.collect());
            self.versions.extend(report.versions);
        }
        Ok(())
    }

    /// Solves of one kind are in one row, whichever network they are on.
    fn tell_and_keep(
        &mut self,
        problem: &Problem,
        start: &'static str,
        solver: &'static str,
        solves: Vec<Solve>,
    ) {
        let solved = solves.iter().filter_map(|s| s.seconds_to_accuracy).count();
        let seconds: f64 = solves.iter().map(|solve| solve.seconds).sum();
        eprintln!(
            "{} from {start}, {solver}: {solved} of {} solved, {seconds:.2} s",
            problem.name,
            solves.len()
        );
        let key = (problem.name, start, solver);
        let mut rows = self.rows.iter_mut();
        match rows.find(|row| (row.problem, row.start, row.solver) == key) {
            Some(row) => row.solves.extend(solves),
            None => self.rows.push(Row {
                problem: problem.name,
                shape: problem.shape,
                start,
                solver,
                solves,
            }),
        }
    }

    fn report(&self) -> String {
        let table = markdown(
            [
                "problem",
                "d, n, m",
                "start",
                "solver",
                "solved",
                "s to 1e-12 (median)",
                "iterations (median)",
                "s in all",
            ],
            4,
            self.rows.iter().map(Row::cells),
        );
        format!(
            "\nSolved is L ≤ 1e-12·L(x0), L the squared loss; medians are those of the solved targets. All \
             run on one thread, and peers have {} s for each target. Random networks are {} of each \
             shape, their targets outputs of theirs, the cold start 0.1·N(0, I). Iterations are \
             twolayer's to its own end, and the Hessians and Jacobians of a peer; the splitting's, \
             which are products with vectors, are not counted. With --starts 8, seconds are those \
             of all starts, iterations those of the one that is kept.\n\n{table}\n",
            self.args.limit, self.args.networks,
        )
    }
}

impl Row {
    fn cells(&self) -> [String; 8] {
        let (d, n, m) = self.shape;
        let solved = || {
            let solves = self.solves.iter();
            solves.filter_map(|solve| Some((solve.seconds_to_accuracy?, solve.iterations)))
        };
        let any = solved().next().is_some();
        let figure = |text: String| if any { text } else { "-".into() };
        let seconds: f64 = self.solves.iter().map(|solve| solve.seconds).sum();
        [
            self.problem.into(),
            format!("{d}, {n}, {m}"),
            self.start.into(),
            self.solver.into(),
            format!("{} of {}", solved().count(), self.solves.len()),
            figure(format!(
                "{:.4}",
                median(solved().map(|(seconds, _)| seconds))
            )),
            figure(format!(
                "{}",
                median(solved().map(|(_, iterations)| iterations as f64))
            )),
            format!("{seconds:.2}"),
        ]
    }
}
