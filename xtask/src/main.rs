//! The workspace's chores, so that a contributor needs nothing but cargo: `cargo xtask --help`.

mod detector;
mod error;

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
}

fn main() -> ExitCode {
    let Chore::Detector(args) = Cli::parse().chore;
    match detector::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
