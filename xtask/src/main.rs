//! The workspace's chores, so that a contributor needs nothing but cargo: `cargo xtask --help`.

mod bench;
mod certificates;
mod check;
mod command;
mod counterfactuals;
mod detector;
mod docs;
mod error;
mod experiments;
mod mutate;
mod python;
mod tables;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The chores of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Inverts the language detector on every backend, precision, loss, start and set of targets,
    /// and prints the table of the README.
    Detector(detector::Args),
    /// Measures speed, and what is reached, beside other programs; tables go to `target/bench/`.
    Bench(Box<bench::Args>),
    /// Certifies solves of synthetic problems and of the language detector, and prints the table
    /// of docs/certificates.md.
    Certificates(certificates::Args),
    /// Looks for the nearest images that a network reads as another digit, beside SciPy, and draws
    /// docs/counterfactuals.svg.
    Counterfactuals(counterfactuals::Args),
    /// Answers seven questions about the method, with plots, in docs/experiments/.
    Experiments(experiments::Args),
    /// Tries the reader of problem files on mutants of valid and damaged files.
    Mutate(mutate::Args),
    /// Makes a site of the documents, in `target/book/`.
    Docs,
    /// Checks dependencies, documentation, coverage and the like; CONTRIBUTING.md explains each.
    Check(check::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Detector(args) => detector::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::Certificates(args) => certificates::run(&args),
        Chore::Counterfactuals(args) => counterfactuals::run(&args),
        Chore::Experiments(args) => experiments::run(&args),
        Chore::Mutate(args) => mutate::run(&args),
        Chore::Docs => docs::run(),
        Chore::Check(args) => check::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
