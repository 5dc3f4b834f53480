//! Building and running other programs.

use crate::error::Error;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
}

/// Builds the command `twolayer` in release mode and says where it is.
pub(crate) fn build_twolayer() -> Result<PathBuf, Error> {
    let mut command = cargo();
    command.args(["build", "--release", "--package", "twolayer-cli"]);
    build(command, "twolayer")
}

/// Runs a `cargo build` and says where the executable is.
pub(crate) fn build(mut command: Command, name: &str) -> Result<PathBuf, Error> {
    command.current_dir(root());
    command.args(["--message-format", "json-render-diagnostics"]);
    command.stderr(Stdio::inherit());
    let stdout = output(command)?;
    // The last artifact with an executable is the program.
    let executable = stdout.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    executable.ok_or_else(|| Error::NoExecutable { name: name.into() })
}

/// One of the peers' scripts, to be run by a Python.
pub(crate) fn script(python: &str, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(root().join("xtask/peers").join(name));
    command
}

/// Runs a command and reads the JSON that it prints.
pub(crate) fn print_of<T: DeserializeOwned>(command: Command) -> Result<T, Error> {
    let name = format!("{command:?}");
    parse(name, &output(command)?)
}

/// What a command printed, and the most memory that it held.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    pub(crate) printed: T,
    /// The peak of resident memory, where the system tells it and the command was not too short.
    pub(crate) peak_bytes: Option<u64>,
}

/// How often the memory is looked at.
const READING: Duration = Duration::from_millis(10);

/// As [`print_of`], watching the memory; `None` where the command took longer than `limit` and was
/// ended.
pub(crate) fn watch<T: DeserializeOwned>(
    mut command: Command,
    limit: Option<Duration>,
) -> Result<Option<Watched<T>>, Error> {
    let name = format!("{command:?}");
    // Files and not pipes: nobody reads while the command runs.
    let (mut stdout, mut stderr) = (scratch()?, scratch()?);
    command.stdout(stdout.try_clone().map_err(Error::Scratch)?);
    command.stderr(stderr.try_clone().map_err(Error::Scratch)?);
    let start = |source| Error::Start {
        program: name.clone(),
        source,
    };
    let mut child = command.spawn().map_err(start)?;
    let clock = Instant::now();
    let mut peak_bytes = None;
    let status = loop {
        // The peak only grows: the last reading has it, but for what is allocated after it. Where
        // few were taken that may be most, and none is told.
        peak_bytes = peak_of(&child).or(peak_bytes);
        if let Some(status) = child.try_wait().map_err(start)? {
            peak_bytes = peak_bytes.filter(|_| clock.elapsed() > 20 * READING);
            break status;
        }
        if limit.is_some_and(|limit| clock.elapsed() > limit) {
            child.kill().and_then(|()| child.wait()).map_err(start)?;
            return Ok(None);
        }
        std::thread::sleep(READING);
    };
    let output = Output {
        status,
        stdout: content(&mut stdout)?,
        stderr: content(&mut stderr)?,
    };
    let printed = parse(name.clone(), &checked(name, output)?)?;
    Ok(Some(Watched {
        printed,
        peak_bytes,
    }))
}

fn scratch() -> Result<File, Error> {
    tempfile::tempfile().map_err(Error::Scratch)
}

fn content(file: &mut File) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut bytes))
        .map_err(Error::Scratch)?;
    Ok(bytes)
}

/// VmHWM of a process that has not been waited for.
fn peak_of(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kibibytes)
}

fn parse<T: DeserializeOwned>(command: String, stdout: &str) -> Result<T, Error> {
    serde_json::from_str(stdout).map_err(|source| Error::Output { command, source })
}

fn output(mut command: Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|source| Error::Start { program, source })?;
    checked(format!("{command:?}"), output)
}

/// What was printed. Exit code 1 with something printed is `twolayer` saying that some targets did
/// not converge, which is for a table to show.
fn checked(command: String, output: Output) -> Result<String, Error> {
    if !matches!(output.status.code(), Some(0 | 1)) || output.stdout.is_empty() {
        return Err(Error::Failed {
            command,
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
