//! Many targets at once: targets per second against K, beside other programs.

mod peers;

use super::many::Many;
use super::peer::PythonArgs;
use super::problem::Named;
use super::{machine, plots, positive};
use crate::command::{Watched, build_twolayer, watch};
use crate::error::Error;
use crate::tables::{csv, markdown, save};
use peers::Peers;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "m,l,detector"
    )]
    problems: Vec<Named>,
    /// Values of K.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1,8,64,512",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    counts: Vec<u32>,
    /// Single solves, each in a call of its own, that the batch is compared with.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    singles: u32,
    /// Also run SciPy in a loop, and JAX under vmap; on w, w2 and digits also SciPy's least_squares and
    /// a minimum-norm Gauss–Newton in a loop.
    #[arg(long)]
    peers: bool,
    #[command(flatten)]
    python: PythonArgs,
    /// How many targets the peers are given: those that all of them get, fewer than K.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    peer_targets: u32,
    /// When a peer is ended, for each target.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = positive)]
    limit: f64,
}

/// What counts as solved by a peer, over L(x0). twolayer goes on to a perfect fit.
const SOLVED: f64 = 1e-12;

#[derive(Debug, Serialize)]
struct Row {
    problem: &'static str,
    solver: String,
    /// K.
    targets: usize,
    solved: usize,
    /// All of them, reading the problem not included.
    seconds: f64,
    per_second: f64,
    peak_bytes: Option<u64>,
    peak_over_inputs: Option<f64>,
}

impl Row {
    fn tell(&self) {
        eprintln!(
            "{}: {}: {} of {} targets in {:.2} s",
            self.problem, self.solver, self.solved, self.targets, self.seconds
        );
    }

    fn is_peer(&self) -> bool {
        !self.solver.starts_with("twolayer")
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

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let mut measured = Measured::default();
    let peers = Peers::find(args, &mut measured.missing)?;
    let scratch = tempfile::tempdir().map_err(Error::Scratch)?;
    let binary = build_twolayer()?;
    let most = args.counts.iter().max().copied().unwrap_or(1);
    let most = most.max(args.singles).max(args.peer_targets) as usize;
    for &named in &args.problems {
        let python = &args.python.python;
        if !named.can_be_made(python, &mut measured.missing)? {
            continue;
        }
        let folder = tempfile::tempdir_in(scratch.path()).map_err(Error::Scratch)?;
        let many = Many::new(named, most, python, folder.path())?;
        let first = measured.rows.len();
        ours(args, &binary, &many, &mut measured)?;
        if peers.any() {
            peers.run(args, named, &many, &mut measured)?;
        }
        let lines: Vec<_> = measured.rows[first..].iter().map(point).collect();
        plots::throughput(many.name, &lines)?;
        // After every problem: what was measured is kept if a later one fails.
        save("batch.csv", &csv(&measured.rows)?)?;
    }
    let report = report(args, &measured);
    let path = save("batch.md", &report)?;
    println!("{report}");
    eprintln!("written: {}, batch.csv and plots beside it", path.display());
    Ok(())
}

/// Single solves, then batches on all cores and on one.
fn ours(args: &Args, binary: &Path, many: &Many, measured: &mut Measured) -> Result<(), Error> {
    let problem = many.write(1)?;
    let invert = |first: usize, count: usize, options: &[&str]| {
        let targets = many.write_targets(first, count)?;
        let mut command = Command::new(binary);
        command.arg("invert").arg(&problem);
        command.arg("--targets").arg(&targets);
        command
            .arg("--out")
            .arg(targets.with_file_name("result.npz"));
        command.args(["--report", "json", "--quiet"]).args(options);
        Inverted::of(command)
    };
    let mut singles = Inverted::default();
    for index in 0..args.singles as usize {
        singles.add(invert(index, 1, &[])?);
    }
    let mut add = |solver: &str, count: u32, run: Inverted| {
        let count = count as usize;
        let row = Row {
            problem: many.name,
            solver: solver.into(),
            targets: count,
            solved: run.fits,
            seconds: run.seconds,
            per_second: run.fits as f64 / run.seconds,
            peak_bytes: run.peak_bytes,
            peak_over_inputs: run
                .peak_bytes
                .map(|peak| peak as f64 / many.input_bytes(count) as f64),
        };
        row.tell();
        measured.rows.push(row);
    };
    add(SINGLES, args.singles, singles);
    for &count in &args.counts {
        for (solver, options) in [(BATCH, &[][..]), (ONE_THREAD, &["--threads", "1"])] {
            add(solver, count, invert(0, count as usize, options)?);
        }
    }
    Ok(())
}

const SINGLES: &str = "twolayer, one call for each";
const BATCH: &str = "twolayer";
const ONE_THREAD: &str = "twolayer, one thread";

/// What `twolayer invert --report json` says.
#[derive(Debug, Deserialize)]
struct Report {
    targets: Vec<Target>,
    wall_seconds: f64,
}

#[derive(Debug, Deserialize)]
struct Target {
    status: String,
}

#[derive(Debug, Default)]
struct Inverted {
    fits: usize,
    seconds: f64,
    peak_bytes: Option<u64>,
}

impl Inverted {
    fn of(command: Command) -> Result<Self, Error> {
        let name = format!("{command:?}");
        let seconds = 3600.0;
        let limit = Duration::from_secs_f64(seconds);
        let watched: Option<Watched<Report>> = watch(command, Some(limit))?;
        let Watched {
            printed,
            peak_bytes,
        } = watched.ok_or(Error::TooLong {
            command: name,
            seconds,
        })?;
        let targets = printed.targets.iter();
        Ok(Self {
            fits: targets.filter(|t| t.status == "perfect-fit").count(),
            seconds: printed.wall_seconds,
            peak_bytes,
        })
    }

    fn add(&mut self, other: Self) {
        self.fits += other.fits;
        self.seconds += other.seconds;
        self.peak_bytes = self.peak_bytes.max(other.peak_bytes);
    }
}

/// Name, K, targets per second, and whether it is a peer's.
fn point(row: &Row) -> (String, f64, f64, bool) {
    (
        row.solver.clone(),
        row.targets as f64,
        row.per_second,
        row.is_peer(),
    )
}

fn report(args: &Args, measured: &Measured) -> String {
    let mut text = String::from("# Many targets at once\n\n");
    text += &machine::describe(&measured.versions);
    for missing in &measured.missing {
        text += &format!("- not run: {missing}\n");
    }
    text += &format!(
        "\nTargets are outputs of the network; all start at one point. twolayer has solved one where it is \
         a perfect fit, a peer where L ≤ {SOLVED:e}·L(x0). Reading the problem is not timed, nor is \
         compilation in JAX; what twolayer makes once for all targets is. Peers have the first \
         {} targets and {} s for each; one that solved none in its time is below the rate in \
         brackets.\n\n",
        args.peer_targets, args.limit
    );
    let rows = measured.rows.iter().map(|row| {
        let rate = match row.solved {
            0 => format!("(< {:.2e})", 1.0 / row.seconds),
            _ => format!("{:.3}", row.per_second),
        };
        let mib = |bytes: u64| format!("{:.0}", bytes as f64 / f64::from(1 << 20));
        [
            row.problem.into(),
            row.solver.clone(),
            row.targets.to_string(),
            row.solved.to_string(),
            format!("{:.2}", row.seconds),
            rate,
            row.peak_bytes.map_or_else(|| "?".into(), mib),
            row.peak_over_inputs
                .map_or_else(|| "?".into(), |over| format!("{over:.1}")),
        ]
    });
    let header = [
        "problem",
        "solver",
        "targets",
        "solved",
        "seconds",
        "targets/s",
        "peak MiB",
        "peak / inputs",
    ];
    text += &markdown(header, 2, rows);
    text += "\n\n";
    text += &comparisons(&measured.rows);
    text
}

/// The batch of 64, or the largest below, over single solves and over the best peer.
fn comparisons(rows: &[Row]) -> String {
    let mut text = String::new();
    let problems: BTreeSet<_> = rows.iter().map(|row| row.problem).collect();
    for problem in problems {
        let of = |solver: &'static str| {
            let chosen = rows.iter();
            chosen.filter(move |row| row.problem == problem && row.solver == solver)
        };
        let batch = of(BATCH)
            .filter(|row| row.targets <= 64)
            .max_by_key(|row| row.targets);
        let (Some(batch), Some(single)) = (batch, of(SINGLES).next()) else {
            continue;
        };
        text += &format!(
            "{problem}: K = {} has {:.1} times the throughput of one call for each",
            batch.targets,
            batch.per_second / single.per_second
        );
        let peers = rows
            .iter()
            .filter(|row| row.problem == problem && row.is_peer());
        // One that solved none is given the rate of one solved at the end of its time.
        let rated = peers.map(|row| (row.per_second.max(1.0 / row.seconds), row));
        if let Some((rate, peer)) = rated.max_by(|a, b| a.0.total_cmp(&b.0)) {
            let more = if peer.solved == 0 { "more than " } else { "" };
            let times = batch.per_second / rate;
            text += &format!(", and {more}{times:.0} times that of {}", peer.solver);
        }
        text += ".\n";
    }
    text
}
