//! Files that are either complete or not there.

use crate::args::{InvertArgs, Start};
use crate::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A place where a file can be written.
#[derive(Debug)]
pub(crate) struct OutputFile<'a> {
    path: &'a Path,
}

impl<'a> OutputFile<'a> {
    /// Checks before the work that a file can be written there after it, by making and removing a
    /// temporary one in the same folder.
    pub(crate) fn check(path: &'a Path) -> Result<Self, Error> {
        let refuse = |source| Error::Write {
            path: path.into(),
            source,
        };
        if path.file_name().is_none() || path.is_dir() {
            return Err(refuse(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a folder",
            )));
        }
        temporary(path).map_err(refuse)?.close().map_err(refuse)?;
        Ok(Self { path })
    }

    /// Has the content written beside the place where it belongs. Dropped, it leaves nothing
    /// behind.
    pub(crate) fn stage(
        &self,
        content: impl FnOnce(&mut fs::File) -> io::Result<()>,
    ) -> Result<StagedFile<'a>, Error> {
        let write = || {
            let mut file = temporary(self.path)?;
            content(file.as_file_mut())?;
            // A rename may reach the disk before the data do.
            file.as_file().sync_all()?;
            Ok(file)
        };
        match write() {
            Ok(file) => Ok(StagedFile {
                path: self.path,
                file,
            }),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// The error of this file.
    pub(crate) fn failed(&self, source: io::Error) -> Error {
        Error::Write {
            path: self.path.into(),
            source,
        }
    }
}

/// A complete file under a temporary name.
#[derive(Debug)]
pub(crate) struct StagedFile<'a> {
    path: &'a Path,
    file: NamedTempFile,
}

impl StagedFile<'_> {
    /// Gives the file its name, replacing in one step what had it before.
    pub(crate) fn publish(self) -> Result<(), Error> {
        let renamed = self.file.persist(self.path);
        renamed.map_err(|error| Error::Write {
            path: self.path.into(),
            source: error.error,
        })?;
        // The data were on the disk before; now their name is too.
        sync_folder(folder(self.path)).map_err(|source| Error::Write {
            path: self.path.into(),
            source,
        })
    }
}

/// Where folders are files, the new name reaches the disk with the folder.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A temporary file beside `path`, with the permissions of an ordinary new file: tempfile's own
/// are for secrets.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".twolayer-").suffix(".partial");
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666))
    };
    builder.tempfile_in(folder(path))
}

/// The folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Refuses to write over a file that is read, or over another file that is written.
pub(crate) fn refuse_shared_paths(args: &InvertArgs) -> Result<(), Error> {
    let start = match &args.start {
        Some(Start::File(path)) => Some(path.as_path()),
        _ => None,
    };
    let files = [
        ("the problem", Some(args.problem.path.as_path())),
        ("the start", start),
        ("the targets", args.problem.targets.as_deref()),
        ("the result", Some(args.out.as_path())),
        ("the trace", args.trace.as_deref()),
        ("the plot", args.plot.as_deref()),
        ("the checkpoint", args.checkpoint.as_deref()),
    ];
    let mut seen: Vec<(&'static str, PathBuf)> = Vec::new();
    for (role, path) in files {
        let Some(path) = path else { continue };
        // A missing folder is told about by whoever opens the file.
        let Ok(folder) = fs::canonicalize(folder(path)) else {
            continue;
        };
        let place = path
            .file_name()
            .map_or_else(|| folder.clone(), |name| folder.join(name));
        let other = seen.iter().find(|(_, other)| *other == place);
        // Starts and targets may be read from anywhere, the problem's own file included.
        let is_read = matches!(role, "the start" | "the targets");
        if let Some(&(first, _)) = other.filter(|_| !is_read) {
            return Err(Error::SameFile {
                path: path.into(),
                first,
                second: role,
            });
        }
        seen.push((role, place));
    }
    Ok(())
}
