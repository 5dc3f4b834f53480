//! Other programs, on the same problem file.

use crate::command::{Watched, cargo, root, script, watch};
use crate::error::Error;
use crate::python::{JAX, NUMPY, has};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where the peers in Python are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PythonArgs {
    /// The Python that has NumPy, SciPy and the other peers.
    #[arg(long, value_name = "PYTHON", default_value = "python3")]
    pub(crate) python: String,
}

/// A peer, by its name in tables.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    program: Program,
    /// The packages of Python that it needs.
    packages: &'static [&'static str],
    on_one_thread: bool,
    takes_regularizer: bool,
}

#[derive(Debug)]
enum Program {
    /// A method of `peers/invert.py`.
    Python(&'static str),
    /// A method of `peers/argmin`.
    Argmin(&'static str),
}

/// Those that need NumPy and SciPy only.
pub(crate) static STANDARD: [Peer; 3] = [
    Peer::python("NumPy Newton", "newton"),
    SCIPY,
    Peer::python("SciPy trust-ncg", "trust-ncg"),
];

/// Of those, the one that a loop over many targets is made of.
pub(crate) const SCIPY: Peer = Peer::python("SciPy L-BFGS-B", "l-bfgs-b");

/// Those that serve networks whose Jacobian has few rows.
pub(crate) static ON_RESIDUALS: [Peer; 2] = [
    Peer::python("SciPy least_squares", "trf"),
    Peer {
        takes_regularizer: false,
        ..Peer::python("minimum-norm Gauss–Newton", "minimum-norm")
    },
];

/// Those that need more.
pub(crate) static FURTHER: [Peer; 3] = [
    Peer {
        packages: JAX,
        ..Peer::python("optimistix LM", "optimistix-lm")
    },
    Peer::argmin("argmin L-BFGS", "l-bfgs"),
    Peer::argmin("argmin trust region", "trust-region"),
];

/// What a peer is asked.
#[derive(Debug)]
pub(crate) struct Question<'q> {
    pub(crate) problem: &'q Path,
    /// Instead of the file's own.
    pub(crate) start: Option<&'q Path>,
    /// w of ½w²‖A2 φ(A1 x + c1)‖², which is part of the loss.
    pub(crate) weight: Option<f64>,
    /// Seconds for each problem of the file.
    pub(crate) limits: &'q [f64],
    /// It stops at this loss over L(x0).
    pub(crate) stop_at: f64,
}

impl<'q> Question<'q> {
    /// The problems of a file from its own starts, without a regulariser.
    pub(crate) fn new(problem: &'q Path, limits: &'q [f64], stop_at: f64) -> Self {
        Self {
            problem,
            start: None,
            weight: None,
            limits,
            stop_at,
        }
    }
}

/// One peer on one problem.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PeerRun {
    pub(crate) start_loss: f64,
    pub(crate) lowest: f64,
    pub(crate) seconds: f64,
    /// Values, with or without gradients.
    pub(crate) evaluations: usize,
    /// Hessians, Jacobians, or products with one.
    pub(crate) hessians: usize,
    pub(crate) ended: String,
    /// Seconds and losses, each lower than all before it.
    pub(crate) history: Vec<(f64, f64)>,
}

#[derive(Debug, Deserialize)]
struct Printed {
    versions: BTreeMap<String, String>,
    runs: Vec<PeerRun>,
}

/// A peer on every problem of a file.
#[derive(Debug)]
pub(crate) struct PeerReport {
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) runs: Vec<PeerRun>,
    /// Of the whole process, reading the problem included.
    pub(crate) peak_bytes: Option<u64>,
}

impl Peer {
    const fn python(name: &'static str, method: &'static str) -> Self {
        Self {
            name,
            program: Program::Python(method),
            packages: NUMPY,
            on_one_thread: false,
            takes_regularizer: true,
        }
    }

    /// One that is not to use more than one thread.
    pub(crate) const fn on_one_thread(name: &'static str, method: &'static str) -> Self {
        Self {
            on_one_thread: true,
            ..Self::python(name, method)
        }
    }

    const fn argmin(name: &'static str, method: &'static str) -> Self {
        Self {
            name,
            program: Program::Argmin(method),
            packages: &[],
            on_one_thread: false,
            takes_regularizer: true,
        }
    }

    /// Whether it minimises with such a weight of the regulariser.
    pub(crate) fn takes(&self, weight: Option<f64>) -> bool {
        self.takes_regularizer || weight.is_none()
    }

    /// Whether a Python has what this peer needs; [`has`] says what it has not.
    pub(crate) fn can_run(
        &self,
        python: &str,
        missing: &mut BTreeSet<String>,
    ) -> Result<bool, Error> {
        has(python, self.name, self.packages, missing)
    }

    /// Runs it on every problem of a file.
    pub(crate) fn run(&self, python: &str, question: &Question<'_>) -> Result<PeerReport, Error> {
        let Question {
            problem,
            start,
            weight,
            limits,
            stop_at,
        } = *question;
        let (mut command, method) = match self.program {
            Program::Python(method) => (script(python, "invert.py"), method),
            Program::Argmin(method) => (Command::new(build_argmin()?), method),
        };
        command.arg(problem).arg(method);
        let seconds: Vec<String> = limits.iter().map(f64::to_string).collect();
        command.args(["--seconds", &seconds.join(",")]);
        command.args(["--stop-at", &stop_at.to_string()]);
        if let Some(start) = start {
            command.arg("--start").arg(start);
        }
        if let Some(weight) = weight {
            command.args(["--regularizer", &weight.to_string()]);
        }
        if self.on_one_thread {
            // OpenBLAS, BLIS and MKL heed it.
            command.env("OMP_NUM_THREADS", "1");
        }
        // The limit is the peer's own to keep; one that cannot stop itself is ended at last.
        let patience = 120.0 + 3.0 * limits.iter().sum::<f64>();
        let name = format!("{command:?}");
        let watched = watch(command, Some(Duration::from_secs_f64(patience)))?;
        let Watched {
            printed: Printed { versions, runs },
            peak_bytes,
        } = watched.ok_or(Error::TooLong {
            command: name,
            seconds: patience,
        })?;
        Ok(PeerReport {
            versions,
            runs,
            peak_bytes,
        })
    }
}

/// Builds the peer that is a crate of its own, outside the workspace.
fn build_argmin() -> Result<PathBuf, Error> {
    let manifest = root().join("xtask/peers/argmin/Cargo.toml");
    let mut command = cargo();
    command.args(["build", "--release", "--manifest-path"]);
    command.arg(manifest);
    command.arg("--target-dir").arg(root().join("target/peers"));
    crate::command::build(command, "argmin peer")
}

/// Losses as NumPy computes them.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Losses {
    pub(crate) at_start: f64,
    pub(crate) at_result: f64,
}

/// Has NumPy compute the losses at the points of a result file, with the regulariser's weight.
pub(crate) fn losses(
    python: &str,
    problem: &Path,
    result: &Path,
    weight: Option<f64>,
) -> Result<Vec<Losses>, Error> {
    let mut command = script(python, "losses.py");
    command.arg(problem).arg(result);
    if let Some(weight) = weight {
        command.args(["--regularizer", &weight.to_string()]);
    }
    crate::command::print_of(command)
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
