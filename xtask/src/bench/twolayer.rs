//! The command under measurement.

use super::trace::{self, Course};
use crate::command::{Watched, build_twolayer, watch};
use crate::error::Error;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The command, and where its files go.
#[derive(Debug)]
pub(crate) struct Twolayer {
    binary: PathBuf,
    scratch: PathBuf,
}

/// One run of the command.
#[derive(Debug)]
pub(crate) struct Inverted {
    pub(crate) solves: Vec<Solve>,
    /// All starts of all targets; reading the problem is not counted.
    pub(crate) wall_seconds: f64,
    /// Of the whole process, reading the problem included.
    pub(crate) peak_bytes: Option<u64>,
}

/// One target's solve.
#[derive(Debug)]
pub(crate) struct Solve {
    pub(crate) loss: f64,
    pub(crate) iterations: usize,
    pub(crate) status: String,
    /// The solver alone.
    pub(crate) seconds: f64,
    pub(crate) course: Course,
}

/// What `twolayer invert --report json` prints.
#[derive(Debug, Deserialize)]
struct Report {
    targets: Vec<Target>,
    wall_seconds: f64,
}

#[derive(Debug, Deserialize)]
struct Target {
    loss: f64,
    iterations: usize,
    status: String,
    solve_seconds: f64,
}

impl Twolayer {
    /// Builds it in release mode.
    pub(crate) fn build(scratch: &Path) -> Result<Self, Error> {
        Ok(Self {
            binary: build_twolayer()?,
            scratch: scratch.into(),
        })
    }

    /// The result file of the last run.
    pub(crate) fn result(&self) -> PathBuf {
        self.scratch.join("result.npz")
    }

    /// The trace of the last run.
    pub(crate) fn trace(&self) -> PathBuf {
        self.scratch.join("trace.csv")
    }

    /// Inverts a problem file; `None` where it took longer than `limit` and was ended.
    pub(crate) fn invert<'o>(
        &self,
        problem: &Path,
        options: impl IntoIterator<Item = &'o str>,
        limit: Option<Duration>,
    ) -> Result<Option<Inverted>, Error> {
        let mut command = Command::new(&self.binary);
        command.arg("invert").arg(problem);
        command.arg("--out").arg(self.result());
        command.arg("--trace").arg(self.trace());
        command.args(["--report", "json", "--quiet"]).args(options);
        let Some(watched) = watch(command, limit)? else {
            return Ok(None);
        };
        let Watched {
            printed: Report {
                targets,
                wall_seconds,
            },
            peak_bytes,
        } = watched;
        let courses = trace::read(&self.trace())?;
        let solves = targets.into_iter().zip(courses);
        let solves = solves.map(|(target, course)| Solve {
            loss: target.loss,
            iterations: target.iterations,
            status: target.status,
            seconds: target.solve_seconds,
            course,
        });
        Ok(Some(Inverted {
            solves: solves.collect(),
            wall_seconds,
            peak_bytes,
        }))
    }
}
