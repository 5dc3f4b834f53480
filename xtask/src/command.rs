//! Building and running other programs.

use crate::error::Error;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Builds the command `twolayer` in release mode and says where it is.
pub(crate) fn build_twolayer() -> Result<PathBuf, Error> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root())
        .args(["build", "--release", "--package", "twolayer-cli"]);
    command.args(["--message-format", "json-render-diagnostics"]);
    command.stderr(Stdio::inherit());
    let stdout = output(command)?;
    // The last artifact with an executable is the command.
    let executable = stdout.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executable.ok_or_else(|| Error::Missing {
        path: root().join("target/release/twolayer"),
    })
}

/// One of the peers' scripts, to be run by a Python.
pub(crate) fn script(python: &str, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(root().join("xtask/peers").join(name));
    command
}

/// Runs a command and reads the JSON that it prints. Exit code 1 with something printed is
/// `twolayer` saying that some targets did not converge, which is for a table to show.
pub(crate) fn print_of<T: DeserializeOwned>(command: Command) -> Result<T, Error> {
    let name = format!("{command:?}");
    let stdout = output(command)?;
    serde_json::from_str(&stdout).map_err(|source| Error::Output {
        command: name,
        source,
    })
}

fn output(mut command: Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|source| Error::Start { program, source })?;
    if !matches!(output.status.code(), Some(0 | 1)) || output.stdout.is_empty() {
        return Err(Error::Failed {
            command: format!("{command:?}"),
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
