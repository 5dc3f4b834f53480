//! The command `twolayer`: which input of a trained two-layer network has this output?

mod args;
mod array;
mod certify;
mod dispatch;
mod error;
mod evaluate;
mod invert;
mod output;
mod plot;
mod problem_file;
mod report;
mod result_file;
mod theory;
mod trace;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let finished = match args::Cli::parse().command {
        args::Command::Invert(args) => invert::invert(&args),
        args::Command::Evaluate(args) => evaluate::evaluate(&args),
        args::Command::Certify(args) => certify::certify(&args),
    };
    finished.unwrap_or_else(|error| {
        eprintln!("error: {}", error.one_line());
        ExitCode::from(2)
    })
}
