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
    #[error("not checked: {0}")]
    Skipped(String),
    #[error("failed: {0}")]
    Checks(String),
    #[error("newer than the Rust that is promised: {0}")]
    Msrv(String),
    #[error("no scratch folder: {0}")]
    Scratch(std::io::Error),
    #[error("{path} does not exist: run this in the workspace")]
    Missing { path: PathBuf },
}
