//! Paths of one call that lead to the same place.

use super::folder;
use super::place::Place;
use crate::args::{InvertArgs, Start};
use crate::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// What two paths have in common where one file would be written over another.
#[derive(Debug, PartialEq, Eq)]
enum End {
    File(PathBuf),
    StandardOutput,
}

impl End {
    /// What is read from a file. One that is missing is told about by whoever opens it.
    fn of_input(path: &Path) -> Option<Self> {
        fs::canonicalize(path).ok().map(Self::File)
    }

    /// What is written. A place that cannot be written is told about by whoever checks it, and a
    /// device takes what comes.
    fn of_output(path: &Path) -> Option<Self> {
        match Place::of(path).ok()? {
            Place::File(file) => {
                let folder = fs::canonicalize(folder(&file)).ok()?;
                Some(Self::File(folder.join(file.file_name()?)))
            }
            Place::Device(_) => None,
            Place::StandardOutput => Some(Self::StandardOutput),
        }
    }
}

/// Refuses to write over a file that is read, or over another output.
pub(crate) fn refuse_shared_paths(args: &InvertArgs) -> Result<(), Error> {
    let start = match &args.start {
        Some(Start::File(path)) => Some(path.as_path()),
        _ => None,
    };
    // What is read may all come from one file.
    let inputs = [
        ("the problem", Some(args.problem.path.as_path())),
        ("the start", start),
        ("the targets", args.problem.targets.as_deref()),
    ];
    let outputs = [
        ("the result", Some(args.out.as_path())),
        ("the trace", args.trace.as_deref()),
        ("the plot", args.plot.as_deref()),
        ("the checkpoint", args.checkpoint.as_deref()),
    ];
    let mut seen: Vec<(&'static str, End)> = inputs
        .into_iter()
        .filter_map(|(role, path)| Some((role, End::of_input(path?)?)))
        .collect();
    for (role, path) in outputs {
        let Some(path) = path else { continue };
        let Some(end) = End::of_output(path) else {
            continue;
        };
        if let Some(&(first, _)) = seen.iter().find(|(_, other)| *other == end) {
            return Err(Error::SameFile {
                path: path.into(),
                first,
                second: role,
            });
        }
        seen.push((role, end));
    }
    Ok(())
}
