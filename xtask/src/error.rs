//! Why a chore could not be done.

use std::path::PathBuf;

/// Why a chore could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot run {program}: {source}")]
    Start {
        program: String,
        source: std::io::Error,
    },
    #[error("{command} failed ({status}): {stderr}")]
    Failed {
        command: String,
        status: std::process::ExitStatus,
        stderr: String,
    },
    #[error("{command} did not print what was expected: {source}")]
    Output {
        command: String,
        source: serde_json::Error,
    },
    #[error("{program} is not installed; install it by: {install}")]
    Tool {
        program: &'static str,
        install: &'static str,
    },
    #[error("not ready to be published: {0}")]
    Package(String),
    #[error("not checked: {0}")]
    Skipped(String),
    #[error("failed: {0}")]
    Checks(String),
    #[error("newer than the Rust that is promised: {0}")]
    Msrv(String),
    #[error("only {caught} of {total} mutants are caught; the others are listed in {list}")]
    Mutants {
        caught: usize,
        total: usize,
        list: PathBuf,
    },
    #[error("no scratch folder: {0}")]
    Scratch(std::io::Error),
    #[error("{path} does not exist: run this in the workspace")]
    Missing { path: PathBuf },
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: csv::Error },
    #[error("the build of {name} made no executable")]
    NoExecutable { name: String },
    #[error("{command} did not end in {seconds:.0} s")]
    TooLong { command: String, seconds: f64 },
    #[error("the digits' file: {0}")]
    Classifier(Box<dyn std::error::Error>),
    #[error("the detector's files: {0}")]
    Detector(Box<dyn std::error::Error>),
    #[error(
        "--noise and --unrelated are not for {name}, whose targets are its own: leave it out of \
         --problems"
    )]
    OwnTargets { name: &'static str },
    #[error("a problem cannot be made: {0}")]
    Problem(#[from] twolayer_core::Error),
    #[error("a target cannot be drawn: {0}")]
    Target(#[from] rand_distr::GammaError),
    #[error("{name} cannot be drawn: {reason}")]
    Plot { name: String, reason: String },
    #[error("cannot read {path}: {source}")]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("no table can be made: {0}")]
    Table(csv::Error),
    #[error("cannot write {path}: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{found}, though {expected}: the measurement is worth nothing")]
    Disagreement { found: String, expected: String },
    #[error("the detector's data cannot be read: {0}")]
    Data(String),
}
