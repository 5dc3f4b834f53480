//! The reader of problem files on mutants, in release mode.

use crate::error::Error;
use std::process::Command;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many.
    #[arg(long, default_value_t = 100_000)]
    files: u64,
    /// The number of the first: each number is one mutant, the same on every run.
    #[arg(long, default_value_t = 0)]
    first: u64,
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(&cargo);
    command.args(["run", "--quiet", "--release", "--package", "twolayer-tests"]);
    command.args(["--bin", "mutate", "--", "--files", &args.files.to_string()]);
    command.args(["--first", &args.first.to_string()]);
    let status = command.status().map_err(|source| Error::Start {
        program: cargo,
        source,
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        command: "mutate".into(),
        status,
        stderr: "see above".into(),
    })
}
