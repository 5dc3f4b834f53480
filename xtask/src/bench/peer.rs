//! The peers in Python, on the same problem file.

use crate::command::{print_of, script};
use crate::error::Error;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The methods of `peers/invert.py`, and their names in tables.
pub(crate) const PEERS: [(&str, &str); 3] = [
    ("newton", "NumPy Newton, no pinning"),
    ("l-bfgs-b", "SciPy L-BFGS-B"),
    ("trust-ncg", "SciPy trust-ncg"),
];

/// Where the peers are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PythonArgs {
    /// The Python that has NumPy and SciPy.
    #[arg(long, value_name = "PYTHON", default_value = "python3")]
    pub(crate) python: String,
}

/// One peer on one problem.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PeerRun {
    pub(crate) start_loss: f64,
    pub(crate) lowest: f64,
    pub(crate) seconds: f64,
    /// Values, with or without gradients.
    pub(crate) evaluations: usize,
    /// Hessians, or products with one.
    pub(crate) hessians: usize,
    pub(crate) ended: String,
    /// Seconds and losses, each lower than all before it.
    pub(crate) history: Vec<(f64, f64)>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PeerReport {
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) runs: Vec<PeerRun>,
}

/// Runs a peer on every problem of a file, each with its own time limit.
pub(crate) fn run(
    python: &str,
    problem: &Path,
    method: &str,
    limits: &[f64],
) -> Result<PeerReport, Error> {
    let limits: Vec<String> = limits.iter().map(f64::to_string).collect();
    let mut command = script(python, "invert.py");
    command.arg(problem).arg(method);
    command.args(["--seconds", &limits.join(",")]);
    print_of(command)
}

/// Losses as NumPy computes them.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Losses {
    pub(crate) at_start: f64,
    pub(crate) at_result: f64,
}

/// Has NumPy compute the losses at the points of a result file.
pub(crate) fn losses(python: &str, problem: &Path, result: &PathBuf) -> Result<Vec<Losses>, Error> {
    let mut command = script(python, "losses.py");
    command.arg(problem).arg(result);
    print_of(command)
}

/// L(x0) is the same problem's in every program, or they did not solve the same one.
pub(crate) fn check_start(ours: f64, theirs: f64, program: &str) -> Result<(), Error> {
    if (ours - theirs).abs() <= 1e-6 * ours.abs() {
        return Ok(());
    }
    Err(Error::Disagreement {
        found: format!("the loss at the start is {theirs:e} by {program}"),
        expected: format!("it is {ours:e} by twolayer"),
    })
}
