//! The language detector, inverted by the command in every way, beside SciPy.

use crate::command::{build_twolayer, print_of, root};
use crate::error::Error;
use crate::python::{NUMPY, has};
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::process::Command;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also run SciPy's L-BFGS on the same targets, in the same run. Needs NumPy and SciPy.
    #[arg(long)]
    peers: bool,
    /// The Python that has them.
    #[arg(long, value_name = "PYTHON", default_value = "python3")]
    python: String,
    /// Only the default backend in f64.
    #[arg(long)]
    quick: bool,
}

/// One row of the table.
struct Row {
    solver: String,
    set: &'static str,
    loss: &'static str,
    start: &'static str,
    targets: Vec<Target>,
}

/// What the command and the peer say of a target.
#[derive(Debug, Deserialize)]
struct Target {
    loss: f64,
    iterations: usize,
    converged: bool,
    solve_seconds: f64,
}

#[derive(Debug, Deserialize)]
struct Report {
    targets: Vec<Target>,
}

const SETS: [(&str, &str); 2] = [("real", "data/cld3.npz"), ("other", "data/cld3_other.npz")];
const LOSSES: [&str; 2] = ["squared", "kl"];
const STARTS: [&str; 2] = ["mean", "zero"];

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let root = root();
    for (_, file) in SETS {
        let path = root.join(file);
        if !path.exists() {
            return Err(Error::Missing { path });
        }
    }
    let has_scipy = args.peers && has(&args.python, "SciPy L-BFGS", NUMPY, &mut BTreeSet::new())?;
    let binary = build_twolayer()?;
    let scratch = tempfile::tempdir().map_err(Error::Scratch)?;
    let out = scratch.path().join("result.npz");
    let (backends, precisions): (&[_], &[_]) = if args.quick {
        (&["faer"], &["f64"])
    } else {
        (&["faer", "nalgebra", "ndarray"], &["f64", "f32"])
    };
    let mut rows = Vec::new();
    for (set, file) in SETS {
        for loss in LOSSES {
            for start in STARTS {
                for precision in precisions {
                    for backend in backends {
                        let mut command = Command::new(&binary);
                        command
                            .arg("invert")
                            .arg(root.join(file))
                            .arg("--out")
                            .arg(&out);
                        command.args(["--backend", backend, "--precision", precision]);
                        command.args(["--loss", loss, "--report", "json", "--quiet"]);
                        // One solve at a time: their times are added up.
                        command.args(["--threads", "1"]);
                        if start == "zero" {
                            command.args(["--start", "zero"]);
                        }
                        let solver = format!("twolayer {backend} {precision}");
                        let Report { targets } = print_of(command)?;
                        rows.push(Row {
                            solver,
                            set,
                            loss,
                            start,
                            targets,
                        });
                    }
                }
                if has_scipy {
                    let mut command = Command::new(&args.python);
                    command
                        .arg(root.join("xtask/peers/detector.py"))
                        .arg(root.join(file));
                    command.args([loss, start]);
                    let Report { targets } = print_of(command)?;
                    rows.push(Row {
                        solver: "SciPy L-BFGS f64".into(),
                        set,
                        loss,
                        start,
                        targets,
                    });
                }
                eprintln!("{set} {loss} from {start}: done");
            }
        }
    }
    println!("{}", table(&rows));
    Ok(())
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header([
        "targets",
        "loss",
        "start",
        "solver",
        "converged",
        "≤ 1e-12",
        "≤ 1e-20",
        "worst loss",
        "iterations (median, most)",
        "ms a target (median)",
        "s in all",
    ]);
    for row in rows {
        let count = |bound: f64| row.targets.iter().filter(|t| t.loss <= bound).count();
        let worst = row
            .targets
            .iter()
            .fold(0.0, |worst: f64, t| worst.max(t.loss));
        let mut iterations: Vec<_> = row.targets.iter().map(|t| t.iterations).collect();
        let mut seconds: Vec<_> = row.targets.iter().map(|t| t.solve_seconds).collect();
        let total: f64 = seconds.iter().sum();
        iterations.sort_unstable();
        seconds.sort_unstable_by(f64::total_cmp);
        let middle = row.targets.len() / 2;
        table.add_row([
            row.set.to_string(),
            row.loss.to_string(),
            row.start.to_string(),
            row.solver.clone(),
            row.targets
                .iter()
                .filter(|t| t.converged)
                .count()
                .to_string(),
            count(1e-12).to_string(),
            count(1e-20).to_string(),
            format!("{worst:.0e}"),
            format!(
                "{}, {}",
                iterations[middle],
                iterations[iterations.len() - 1]
            ),
            format!("{:.1}", 1e3 * seconds[middle]),
            format!("{total:.2}"),
        ]);
    }
    for index in 4..11 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
