//! The command `twolayer`: which input of a trained two-layer network has this output?
//!
//! A library only so that its tests can call it; what it promises is the command's own help.

mod args;
mod array;
mod at_bounds;
mod bands;
mod bounds;
mod certify;
mod checkpoint;
mod courses;
mod digest;
mod dispatch;
mod error;
mod evaluate;
mod interrupt;
mod invert;
mod kind;
mod lock;
mod memory;
mod merge;
mod near;
mod nearest;
mod outcome;
mod output;
mod plot;
mod printing;
mod problem_file;
mod progress;
mod report;
mod result_file;
mod shard;
mod single_precision;
mod solve;
mod solver;
mod spill;
mod targets;
mod terms;
mod theory;
mod trace;
mod vectors;

use clap::Parser;
use std::ffi::OsString;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::ExitCode;
use twolayer_faer::Faer;

/// The command of this process, which Ctrl-C and a request to terminate end cleanly.
pub fn main() -> ExitCode {
    interrupt::listen().map_or_else(failed, |()| run(std::env::args_os()))
}

/// The command with these arguments, the first of them its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = match args::Cli::try_parse_from(arguments) {
        Ok(cli) => cli.command,
        Err(message) => message.exit(),
    };
    let finished = match command {
        args::Command::Invert(args) => invert::invert(&args),
        args::Command::Evaluate(args) => evaluate::evaluate(&args),
        args::Command::Certify(args) => certify::certify(&args),
        args::Command::Merge(args) => merge::merge(&args),
    };
    finished.unwrap_or_else(failed)
}

/// Reads a problem from an `.npz` archive, of which no array that needs more than `limit` bytes
/// with the others is allocated, and checks it; with `--names auto` where `guesses_names`.
///
/// # Errors
/// What the command would say.
pub fn check_problem(
    archive: impl Read + Seek,
    guesses_names: bool,
    limit: u64,
) -> Result<(), String> {
    let names = match guesses_names {
        true => args::Names::Auto,
        false => args::Names::Own,
    };
    let within = |shapes: &memory::Shapes| {
        let needed = shapes.problem_bytes::<f64>();
        memory::check(Path::new("PROBLEM.npz"), needed, Some(limit))
    };
    let request = problem_file::Request {
        activation: &[],
        needs_target: true,
        needs_all_good: true,
        admit: &within,
        tell: &|_| {},
    };
    problem_file::read_problem_from(
        Faer::<f64>::sequential(),
        Path::new("PROBLEM.npz"),
        archive,
        names,
        None,
        &request,
    )
    .map(|_| ())
    .map_err(|error| error.one_line())
}

fn failed(error: error::Error) -> ExitCode {
    printing::tell(&format!("error: {}\n", error.one_line()));
    ExitCode::from(2)
}
