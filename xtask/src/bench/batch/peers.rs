//! The other programs on many targets.

use super::{Args, Measured, Row, SOLVED};
use crate::bench::many::Many;
use crate::bench::peer::{ON_RESIDUALS, Peer, Question, SCIPY};
use crate::bench::problem::Named;
use crate::command::{Watched, script, watch};
use crate::error::Error;
use crate::python::{JAX, has};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// What `peers/batch_jax.py` prints.
#[derive(Debug, Deserialize)]
struct Vmapped {
    versions: BTreeMap<String, String>,
    /// Compilation not included.
    seconds: f64,
    start_losses: Vec<f64>,
    losses: Vec<f64>,
}

/// The peers that are to run and can.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// In a loop.
    looped: Vec<&'static Peer>,
    vmapped: Vec<(&'static str, &'static str)>,
}

/// Names in the tables and methods of `peers/batch_jax.py`.
const VMAPPED: [(&str, &str); 2] = [
    ("optimistix LM under vmap", "lm"),
    ("optimistix L-BFGS under vmap", "l-bfgs"),
];

impl Peers {
    /// Asks before anything is measured, and says what is not there.
    pub(super) fn find(args: &Args, missing: &mut BTreeSet<String>) -> Result<Self, Error> {
        let mut peers = Self::default();
        if !args.peers {
            return Ok(peers);
        }
        let python = &args.python.python;
        for peer in std::iter::once(&SCIPY).chain(&ON_RESIDUALS) {
            if peer.can_run(python, missing)? {
                peers.looped.push(peer);
            }
        }
        for (name, method) in VMAPPED {
            if has(python, name, JAX, missing)? {
                peers.vmapped.push((name, method));
            }
        }
        Ok(peers)
    }

    pub(super) fn any(&self) -> bool {
        !self.looped.is_empty() || !self.vmapped.is_empty()
    }

    pub(super) fn run(
        &self,
        args: &Args,
        named: Named,
        many: &Many,
        measured: &mut Measured,
    ) -> Result<(), Error> {
        let count = args.peer_targets as usize;
        let problem = many.write(count)?;
        let mut failed = Vec::new();
        let limits = vec![args.limit; count];
        for peer in self.looped.iter().filter(|peer| suits(peer, named)) {
            let question = Question::new(&problem, &limits, SOLVED);
            match peer.run(&args.python.python, &question) {
                Ok(report) => {
                    let runs = report.runs.iter();
                    let solved = runs.clone().filter(|r| r.lowest <= SOLVED * r.start_loss);
                    let (solved, seconds) = (solved.count(), runs.map(|run| run.seconds).sum());
                    let solver = format!("{} in a loop", peer.name);
                    let peak = report.peak_bytes;
                    add_peer(measured, many, solver, (count, solved), seconds, peak);
                    measured.versions.extend(report.versions);
                }
                Err(error) => failed.push((peer.name, error)),
            }
        }
        for &(name, method) in &self.vmapped {
            match vmapped(args, &problem, method, args.limit * count as f64) {
                Ok(Watched {
                    printed,
                    peak_bytes: peak,
                }) => {
                    let pairs = printed.losses.iter().zip(&printed.start_losses);
                    let solved = pairs.filter(|(loss, start)| **loss <= SOLVED * **start);
                    let (solved, seconds) = (solved.count(), printed.seconds);
                    add_peer(measured, many, name.into(), (count, solved), seconds, peak);
                    measured.versions.extend(printed.versions);
                }
                Err(error) => failed.push((name, error)),
            }
        }
        for (name, error) in failed {
            eprintln!("{name}: {error}");
            let told = error.to_string();
            let reason = told.lines().last().unwrap_or_default();
            measured.missing.insert(format!("{name}: {reason}"));
        }
        Ok(())
    }
}

/// Those that work on residuals are for networks whose Jacobian has few rows.
fn suits(peer: &Peer, named: Named) -> bool {
    named.is_wide() || peer.name == SCIPY.name
}

fn vmapped(
    args: &Args,
    problem: &PathBuf,
    method: &str,
    seconds: f64,
) -> Result<Watched<Vmapped>, Error> {
    let mut command = script(&args.python.python, "batch_jax.py");
    command.arg(problem).arg(method);
    command.args(["--seconds", &seconds.to_string()]);
    command.args(["--stop-at", &SOLVED.to_string()]);
    let name = format!("{command:?}");
    // The limit is the peer's own to keep, and a step may be long; so may compilation.
    let patience = 300.0 + 3.0 * seconds;
    watch(command, Some(Duration::from_secs_f64(patience)))?.ok_or(Error::TooLong {
        command: name,
        seconds: patience,
    })
}

fn add_peer(
    measured: &mut Measured,
    many: &Many,
    solver: String,
    (targets, solved): (usize, usize),
    seconds: f64,
    peak_bytes: Option<u64>,
) {
    let row = Row {
        problem: many.name,
        solver,
        targets,
        solved,
        seconds,
        per_second: solved as f64 / seconds,
        peak_bytes,
        peak_over_inputs: peak_bytes.map(|peak| peak as f64 / many.input_bytes(targets) as f64),
    };
    row.tell();
    measured.rows.push(row);
}
