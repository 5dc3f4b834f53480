//! Checks beyond the tests: what the workspace depends on and how it is kept.

mod mutants;
mod package;

use crate::error::Error;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which check; all of them but mutants, which takes hours, and those whose tool is missing, where
    /// none is named.
    #[arg(value_enum)]
    check: Option<Check>,
    /// With mutants: of this crate only.
    #[arg(value_name = "CRATE")]
    package: Option<String>,
    /// With mutants: every N-th of them only, from number I on, counted from 0.
    #[arg(long, value_name = "I/N", requires = "check")]
    shard: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Check {
    /// Licences, sources and duplicate versions of the dependencies (cargo-deny).
    Deny,
    /// Known vulnerabilities of the dependencies (cargo-deny and its database, from the network).
    Advisories,
    /// Undefined behaviour in the core (Miri, on nightly).
    Miri,
    /// The oldest Rust that is promised.
    Msrv,
    /// Every public item documented, every link sound.
    Docs,
    /// No breaking change against the last tagged version (cargo-semver-checks).
    Semver,
    /// Whether every crate could be published: what its registry asks for, and that it is built alone.
    Package,
    /// Lines that the tests reach (cargo-llvm-cov and the component llvm-tools).
    Coverage,
    /// Small wrong changes that the tests notice (cargo-mutants); takes hours.
    Mutants,
}

const ALL: [Check; 8] = [
    Check::Deny,
    Check::Advisories,
    Check::Msrv,
    Check::Docs,
    Check::Package,
    Check::Semver,
    Check::Miri,
    Check::Coverage,
];

/// How a check went, if nothing is wrong.
enum Outcome {
    Passed,
    /// It could not be made, and why.
    Skipped(String),
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    if let Some(check) = args.check {
        return match perform(check, args)? {
            Outcome::Passed => Ok(()),
            Outcome::Skipped(reason) => Err(Error::Skipped(reason)),
        };
    }
    let mut failed = Vec::new();
    for check in ALL {
        match perform(check, args) {
            Ok(Outcome::Passed) => println!("{check:?}: passed"),
            Ok(Outcome::Skipped(reason)) => println!("{check:?}: skipped: {reason}"),
            Err(error) => {
                println!("{check:?}: {error}");
                failed.push(format!("{check:?}"));
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::Checks(failed.join(", ")))
}

fn perform(check: Check, args: &Args) -> Result<Outcome, Error> {
    match check {
        Check::Deny => with_tool("deny", "cargo install --locked cargo-deny", || {
            cargo(&["deny", "check", "licenses", "bans", "sources"])
        }),
        Check::Advisories => with_tool("deny", "cargo install --locked cargo-deny", advisories),
        Check::Miri => miri(),
        Check::Msrv => msrv(),
        Check::Docs => docs(),
        Check::Package => package::run(),
        Check::Semver => semver(),
        Check::Coverage => {
            let install = "cargo install --locked cargo-llvm-cov; rustup component add llvm-tools";
            with_tool("llvm-cov", install, || {
                // A run that a test kills leaves half a profile, which is passed over.
                let mode = "--failure-mode=all";
                cargo(&["llvm-cov", "--workspace", "--summary-only", mode])
            })
        }
        Check::Mutants => with_tool("mutants", "cargo install --locked cargo-mutants", || {
            mutants::run(args.package.as_deref(), args.shard.as_deref())
        }),
    }
}

/// Makes a check that needs a subcommand of cargo.
fn with_tool(
    subcommand: &str,
    install: &str,
    check: impl FnOnce() -> Result<Outcome, Error>,
) -> Result<Outcome, Error> {
    if answers(&[subcommand, "--version"]) {
        return check();
    }
    let reason = format!("cargo {subcommand} is not installed; install it by: {install}");
    Ok(Outcome::Skipped(reason))
}

/// The database of advisories may be out of reach, which says nothing about the dependencies.
fn advisories() -> Result<Outcome, Error> {
    if !answers(&["deny", "fetch", "db"]) {
        let reason = "the database of advisories cannot be fetched";
        return Ok(Outcome::Skipped(reason.into()));
    }
    cargo(&["deny", "check", "--disable-fetch", "advisories"])
}

/// Only the core: the backends' libraries use vector instructions that Miri does not know.
fn miri() -> Result<Outcome, Error> {
    if !answers(&["+nightly", "miri", "--version"]) {
        let reason = "Miri is not installed; install it by: rustup +nightly component add miri";
        return Ok(Outcome::Skipped(reason.into()));
    }
    let arguments = [
        "+nightly",
        "miri",
        "test",
        "--package",
        "twolayer-core",
        "--lib",
    ];
    let mut command = command(&arguments);
    // Else Miri adds errors of its own to logarithms, which the tests' tolerances leave no room for.
    command.env("MIRIFLAGS", "-Zmiri-deterministic-floats");
    finish(command, &arguments)
}

/// With the oldest toolchain where it is installed; always by what the dependencies declare and by
/// clippy's list of when each item of the standard library came.
fn msrv() -> Result<Outcome, Error> {
    let metadata = metadata()?;
    let promised = metadata.promised();
    let newer: Vec<String> = metadata
        .packages
        .iter()
        .filter(|package| {
            package.rust_version.as_deref().map(version) > promised.as_deref().map(version)
        })
        .map(|package| {
            let needed = package.rust_version.as_deref().unwrap_or_default();
            format!("{} needs Rust {needed}", package.name)
        })
        .collect();
    if !newer.is_empty() {
        return Err(Error::Msrv(newer.join(", ")));
    }
    cargo(&[
        "clippy",
        "--workspace",
        "--quiet",
        "--",
        "-D",
        "clippy::incompatible_msrv",
    ])?;
    let toolchain = format!("+{}", promised.unwrap_or_default());
    if answers(&[&toolchain, "--version"]) {
        return cargo(&[&toolchain, "check", "--workspace", "--all-targets"]);
    }
    println!("{toolchain} is not installed: checked by declared versions and clippy only");
    Ok(Outcome::Passed)
}

fn docs() -> Result<Outcome, Error> {
    let arguments = ["doc", "--workspace", "--no-deps"];
    let mut command = command(&arguments);
    command.env("RUSTDOCFLAGS", "-D warnings -D missing_docs");
    finish(command, &arguments)
}

/// Compared with the last tag of a version; before the first there is nothing to break.
fn semver() -> Result<Outcome, Error> {
    let tag = Command::new("git")
        .args(["describe", "--tags", "--abbrev=0", "--match", "v*"])
        .current_dir(root())
        .output();
    let tag = match tag {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => return Ok(Outcome::Skipped("no version is tagged yet".into())),
    };
    let install = "cargo install --locked cargo-semver-checks";
    with_tool("semver-checks", install, || {
        cargo(&["semver-checks", "--workspace", "--baseline-rev", &tag])
    })
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    rust_version: Option<String>,
}

impl Metadata {
    fn promised(&self) -> Option<String> {
        let core = self
            .packages
            .iter()
            .find(|package| package.name == "twolayer-core");
        core.and_then(|package| package.rust_version.clone())
    }
}

/// The numbers of a version, a missing one 0.
fn version(text: &str) -> [u32; 3] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

fn metadata() -> Result<Metadata, Error> {
    let arguments = ["metadata", "--format-version", "1", "--locked"];
    let output = command(&arguments)
        .output()
        .map_err(|source| Error::Start {
            program: "cargo".into(),
            source,
        })?;
    serde_json::from_slice(&output.stdout).map_err(|source| Error::Output {
        command: "cargo metadata".into(),
        source,
    })
}

/// Runs cargo, its output shown.
fn cargo(arguments: &[&str]) -> Result<Outcome, Error> {
    finish(command(arguments), arguments)
}

fn finish(command: Command, arguments: &[&str]) -> Result<Outcome, Error> {
    finish_with(command, arguments, &[])
}

/// As above, for a program that ends in one of some codes where it did its work and has something
/// to tell.
fn finish_with(
    mut command: Command,
    arguments: &[&str],
    findings: &[i32],
) -> Result<Outcome, Error> {
    let status = command.status().map_err(|source| Error::Start {
        program: "cargo".into(),
        source,
    })?;
    let told = status.code().is_some_and(|code| findings.contains(&code));
    if status.success() || told {
        return Ok(Outcome::Passed);
    }
    Err(Error::Failed {
        command: format!("cargo {}", arguments.join(" ")),
        status,
        stderr: "see above".into(),
    })
}

/// Whether cargo can do this, its output not shown.
fn answers(arguments: &[&str]) -> bool {
    let status = command(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// The cargo of the path, and not the one that runs this: only it knows `+toolchain`.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(root());
    for variable in ["CARGO", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).into()
}
