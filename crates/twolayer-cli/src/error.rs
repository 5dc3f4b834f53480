//! What can go wrong, in one line each.

use bytesize::ByteSize;
use std::io;
use std::path::{Path, PathBuf};
use twolayer::Bad;

/// Every one of these ends the command with exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file cannot be opened or read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },

    /// A file holds something else than it should.
    #[error("{}: {found}; expected {expected}", path.display())]
    Content {
        path: PathBuf,
        found: String,
        expected: String,
    },

    /// The arrays of a problem do not make a problem.
    #[error("{}: {source}", path.display())]
    Problem {
        path: PathBuf,
        source: twolayer_core::Error,
    },

    /// One of several targets, or its start, is no good.
    #[error("{}: target {index}: {source}", path.display())]
    Target {
        path: PathBuf,
        index: usize,
        source: twolayer_core::Error,
    },

    /// Targets, or their starts, are no good, so many of them.
    #[error("{}: {}", path.display(), told(bad, *of, *can_be_skipped))]
    Bad {
        path: PathBuf,
        bad: Vec<Bad>,
        of: usize,
        can_be_skipped: bool,
    },

    /// A radius that the precision of the solve does not have.
    #[error(
        "--radius {radius:e} is {} in single precision; expected one from {:e} to {:e}, or \
         --precision f64", if *radius < 1.0 { "zero" } else { "infinite" }, f32::from_bits(1), f32::MAX
    )]
    Radius { radius: f64 },

    /// A point to be near to, and no word of how much.
    #[error(
        "there is an x_ref to be near to, and no weight; expected --near-weight MU, 0 for none"
    )]
    NearWithoutWeight,

    /// A weight, and no point.
    #[error(
        "--near-weight has no x_ref to be near to; expected --near FILE, or x_ref in the problem"
    )]
    NearWithoutPoint,

    /// The nearest x to nothing.
    #[error(
        "--nearest has no x_ref to be near to; expected --near FILE, or x_ref or x0 in the problem"
    )]
    NearestWithoutPoint,

    /// Other starts in a part of the targets.
    #[error(
        "--starts and --shard do not go together: other starts are solutions of the nearest of all targets; \
         expected one run, or --starts 1"
    )]
    ShardWithStarts,

    /// What the paper's iteration does not have.
    #[error(
        "--method paper is the paper's iteration and nothing else, which has no {what}; expected a call without \
         it, or --method solver"
    )]
    NotOfThePaper { what: &'static str },

    /// A model in less precision than the problem, which has no more to lose.
    #[error(
        "--hessian mixed-precision cannot be had with --precision f32, where all is in single \
         precision; expected --precision f64"
    )]
    MixedInSinglePrecision,

    /// The arrays of a problem in double precision are none in single precision.
    #[error(
        "{}: rounded to single precision for --hessian mixed-precision: {source}", path.display()
    )]
    Rounded {
        path: PathBuf,
        source: twolayer_core::Error,
    },

    /// A file could not be written, or it is clear beforehand that it cannot be.
    #[error("{}: cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },

    /// A plot is wanted in a format that it is not drawn in.
    #[error("{}: a plot cannot be had as .{suffix}; expected a name that ends in .svg", path.display())]
    PlotFormat { path: PathBuf, suffix: String },

    /// Two files of one call are the same.
    #[error("{}: cannot be both {first} and {second}", path.display())]
    SameFile {
        path: PathBuf,
        first: &'static str,
        second: &'static str,
    },

    /// More memory is needed than there is.
    #[error(
        "{}: needs {needed} of memory ({} bytes), {origin} {limit} ({} bytes)",
        path.display(), needed.as_u64(), limit.as_u64()
    )]
    Memory {
        path: PathBuf,
        needed: ByteSize,
        limit: ByteSize,
        origin: &'static str,
    },

    /// Ctrl-C could not be listened to.
    #[error("signals cannot be handled: {0}")]
    Signals(ctrlc::Error),

    /// A report cannot be written as JSON.
    #[error("the report cannot be made: {0}")]
    Report(serde_json::Error),

    /// Standard output, or what takes its place, is gone, and not because a reader had enough.
    #[error("{stream} cannot be written: {source}")]
    Print {
        stream: &'static str,
        source: io::Error,
    },
}

impl Error {
    /// The message on one line, whatever is in a path or in an array's name.
    pub(crate) fn one_line(&self) -> String {
        let message = self.to_string();
        message
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect()
    }

    /// An error where some of so many targets are no good.
    pub(crate) fn of_bad(
        path: &Path,
        bad: Vec<Bad>,
        of: usize,
        can_be_skipped: bool,
    ) -> Result<(), Self> {
        match bad.is_empty() {
            true => Ok(()),
            false => Err(Self::Bad {
                path: path.into(),
                bad,
                of,
                can_be_skipped,
            }),
        }
    }

    /// What a failed read or a wrong content is, once the file is known.
    pub(crate) fn content(path: &Path, found: impl Into<String>, expected: &str) -> Self {
        Self::Content {
            path: path.into(),
            found: found.into(),
            expected: expected.into(),
        }
    }
}

/// So many targets that are no good are named.
const NAMED: usize = 10;

/// All that is no good, the first by name.
fn told(bad: &[Bad], of: usize, can_be_skipped: bool) -> String {
    let name = |bad: &Bad| match bad.index {
        Some(index) => format!("target {index}: {}", bad.error),
        None => bad.error.to_string(),
    };
    let named: Vec<_> = bad.iter().take(NAMED).map(name).collect();
    let mut words = named.join("; ");
    if bad.len() > 1 {
        words = format!("{} of {of} targets are no good: {words}", bad.len());
    }
    if bad.len() > NAMED {
        words += &format!("; and {} more", bad.len() - NAMED);
    }
    if can_be_skipped && bad.iter().all(|bad| bad.index.is_some()) {
        words += "; --skip-bad solves the others";
    }
    words
}

/// Says which file, and which of its targets where it holds several, an error of the core is about.
pub(crate) fn in_file(
    path: &Path,
    target: Option<usize>,
) -> impl FnOnce(twolayer_core::Error) -> Error {
    let path = path.to_path_buf();
    move |source| match target {
        Some(index) => Error::Target {
            path,
            index,
            source,
        },
        None => Error::Problem { path, source },
    }
}
