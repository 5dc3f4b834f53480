//! Runs argmin on every problem of a problem file, one after the other, and prints what
//! `peers/invert.py` prints. Loading the file is not timed.

mod network;
mod watched;

use argmin::core::{Executor, TerminationReason, TerminationStatus};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use argmin::solver::trustregion::{Steihaug, TrustRegion};
use clap::{Parser, ValueEnum};
use network::Network;
use serde_json::json;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use watched::Watched;

#[derive(Parser)]
struct Cli {
    problem: PathBuf,
    method: Method,
    /// Limits, one for each problem or for all.
    #[arg(long, value_delimiter = ',', required = true)]
    seconds: Vec<f64>,
    /// Stop at this loss over L(x0).
    #[arg(long, default_value_t = 0.0)]
    stop_at: f64,
    /// A file that overrides x0 of the problem.
    #[arg(long)]
    start: Option<PathBuf>,
    /// w of ½w²‖A2 φ(A1 x + c1)‖².
    #[arg(long, default_value_t = 0.0)]
    regularizer: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Method {
    /// L-BFGS with Moré–Thuente line search.
    #[value(name = "l-bfgs")]
    Lbfgs,
    /// Trust region with Steihaug's conjugate gradients on the exact Hessian as a matrix.
    TrustRegion,
}

fn main() -> Result<(), Box<dyn Error>> {
    let cli = Cli::parse();
    let network = Network::read(&cli.problem, cli.start.as_deref(), cli.regularizer)?;
    let mut runs = Vec::new();
    for index in 0..network.problems() {
        let limit = cli.seconds.get(index).unwrap_or(&cli.seconds[0]);
        let x0 = network.start(index).to_vec();
        let watched = Watched::new(&network, index, *limit, cli.stop_at);
        // A run that the watch stops ends as an error of the objective.
        let ended = match minimize(cli.method, &watched, x0) {
            Ok(reason) => reason,
            Err(error) => error.to_string(),
        };
        runs.push(watched.report(ended));
    }
    let versions = json!({ "argmin": "0.11", "nalgebra (argmin's kernels)": "0.35, one thread" });
    println!("{}", json!({ "versions": versions, "runs": runs }));
    Ok(())
}

/// Tolerances are at zero: only the watch or no further progress ends a run.
fn minimize(
    method: Method,
    watched: &Watched<'_>,
    x0: Vec<f64>,
) -> Result<String, argmin::core::Error> {
    let limit = Duration::from_secs_f64(watched.seconds());
    let size = x0.iter().map(|x| x * x).sum::<f64>().sqrt();
    let status = match method {
        Method::Lbfgs => {
            let solver = LBFGS::new(MoreThuenteLineSearch::new(), 20)
                .with_tolerance_grad(0.0)?
                .with_tolerance_cost(0.0)?;
            let run = Executor::new(watched, solver).configure(|state| state.param(x0));
            run.timeout(limit).run()?.state.termination_status
        }
        Method::TrustRegion => {
            let solver = TrustRegion::new(Steihaug::new().with_max_iters(2 * x0.len() as u64))
                .with_radius(if size > 0.0 { 0.1 * size } else { 1.0 })?
                .with_max_radius(if size > 0.0 { 10.0 * size } else { 10.0 })?;
            let run = Executor::new(watched, solver).configure(|state| state.param(x0));
            run.timeout(limit).run()?.state.termination_status
        }
    };
    Ok(match status {
        TerminationStatus::Terminated(TerminationReason::SolverExit(why)) => why,
        TerminationStatus::Terminated(reason) => reason.text().into(),
        TerminationStatus::NotTerminated => "not terminated".into(),
    })
}
