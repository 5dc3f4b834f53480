//! Outputs that are either complete or not there.

mod place;
mod shared;
mod steadfast;

pub(crate) use shared::refuse_shared_paths;
pub(crate) use steadfast::Steadfast;

use crate::error::Error;
use place::Place;
use std::env;
use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A place where an output can be written.
#[derive(Debug)]
pub(crate) struct OutputFile<'a> {
    /// As it was given, for messages.
    path: &'a Path,
    place: Place,
}

impl<'a> OutputFile<'a> {
    /// Checks before the work that an output can be written there after it, by making and removing a
    /// temporary file where it will be made.
    pub(crate) fn check(path: &'a Path) -> Result<Self, Error> {
        let refuse = |source| Error::Write {
            path: path.into(),
            source,
        };
        let place = Place::of(path).map_err(refuse)?;
        match &place {
            Place::File(file) => temporary(file).and_then(NamedTempFile::close),
            Place::Device(_) | Place::StandardOutput => tempfile::tempfile().map(drop),
        }
        .map_err(refuse)?;
        Ok(Self { path, place })
    }

    /// The same for what is read again: a file and nothing else.
    pub(crate) fn check_file(path: &'a Path) -> Result<Self, Error> {
        let output = Self::check(path)?;
        match output.place {
            Place::File(_) => Ok(output),
            Place::Device(_) | Place::StandardOutput => Err(Error::Write {
                path: path.into(),
                source: io::Error::other("it is read again, and must be a file"),
            }),
        }
    }

    /// Whether it goes to standard output, where nothing else is to be printed then.
    pub(crate) fn is_standard_output(&self) -> bool {
        matches!(self.place, Place::StandardOutput)
    }

    /// A folder where parts of the content can be put aside.
    pub(crate) fn folder(&self) -> PathBuf {
        match &self.place {
            Place::File(file) => folder(file).into(),
            Place::Device(_) | Place::StandardOutput => env::temp_dir(),
        }
    }

    /// Has the content written beside the place where it belongs. Dropped, it leaves nothing
    /// behind.
    pub(crate) fn stage(
        &self,
        content: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<StagedFile<'a, '_>, Error> {
        let write = || match &self.place {
            Place::File(to) => {
                let mut file = temporary(to)?;
                keep_permissions(to, file.as_file())?;
                content(file.as_file_mut())?;
                // A rename may reach the disk before the data do.
                file.as_file().sync_all()?;
                Ok(Staged::File(file, to))
            }
            Place::Device(to) => stream(content).map(|content| Staged::Device(content, to)),
            Place::StandardOutput => stream(content).map(Staged::StandardOutput),
        };
        match write() {
            Ok(staged) => Ok(StagedFile {
                path: self.path,
                staged,
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

/// A complete output that is not in its place yet.
#[derive(Debug)]
pub(crate) struct StagedFile<'a, 'p> {
    path: &'a Path,
    staged: Staged<'p>,
}

#[derive(Debug)]
enum Staged<'p> {
    /// Under a temporary name.
    File(NamedTempFile, &'p Path),
    /// Without a name.
    Device(File, &'p File),
    StandardOutput(File),
}

impl StagedFile<'_, '_> {
    /// Puts all outputs in their places. Files come last: a device may be full, and then none is
    /// replaced.
    pub(crate) fn publish_all(mut staged: Vec<Self>) -> Result<(), Error> {
        staged.sort_by_key(|one| matches!(one.staged, Staged::File(..)));
        staged.into_iter().try_for_each(Self::publish)
    }

    /// Gives a file its name, replacing in one step what had it before; sends all to a device or to
    /// standard output.
    pub(crate) fn publish(self) -> Result<(), Error> {
        let written = match self.staged {
            Staged::File(file, to) => {
                let renamed = file.persist(to).map_err(|error| error.error);
                // The data were on the disk before; now their name is too.
                renamed.and_then(|_| sync_folder(folder(to)))
            }
            Staged::Device(mut content, mut to) => io::copy(&mut content, &mut to).map(drop),
            Staged::StandardOutput(mut content) => {
                let mut out = io::stdout().lock();
                io::copy(&mut content, &mut out).and_then(|_| out.flush())
            }
        };
        written.map_err(|source| Error::Write {
            path: self.path.into(),
            source,
        })
    }
}

/// The content in a temporary file without a name, from its beginning.
fn stream(content: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    content(&mut file)?;
    file.rewind()?;
    Ok(file)
}

/// Where folders are files, the new name reaches the disk with the folder.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
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

/// Gives `file` the permissions of the file at `path` that it will replace, if there is one.
fn keep_permissions(path: &Path, file: &File) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(replaced) => file.set_permissions(replaced.permissions()),
        Err(_) => Ok(()),
    }
}

/// The folder of a file.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of its own folder, and what the folder holds after it.
    fn in_a_folder(work: impl FnOnce(&Path)) -> Vec<PathBuf> {
        let folder = tempfile::tempdir().unwrap();
        work(&folder.path().join("result"));
        let entries = fs::read_dir(folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into());
        let mut names: Vec<PathBuf> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_there_once_it_is_published_and_not_before() {
        let left = in_a_folder(|path| {
            fs::write(path, "before").unwrap();
            let output = OutputFile::check(path).unwrap();
            let staged = output.stage(|file| file.write_all(b"after")).unwrap();
            assert_eq!(fs::read(path).unwrap(), b"before");
            staged.publish().unwrap();
            assert_eq!(fs::read(path).unwrap(), b"after");
        });
        assert_eq!(left, [Path::new("result")]);
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let left = in_a_folder(|path| {
            let output = OutputFile::check(path).unwrap();
            let failed = output.stage(|_| Err(io::Error::other("no more")));
            assert!(failed.unwrap_err().to_string().contains("no more"));
            drop(output.stage(|file| file.write_all(b"half")).unwrap());
        });
        assert!(left.is_empty(), "{left:?}");
    }

    /// What cannot be synced tells whether it was: a device that stores nothing says no to that, and
    /// to nothing else.
    #[cfg(target_os = "linux")]
    #[test]
    fn content_is_on_the_disk_before_it_has_its_name_and_the_name_after() {
        let left = in_a_folder(|path| {
            let output = OutputFile::check(path).unwrap();
            let staged = output.stage(|file| {
                *file = File::options().write(true).open("/dev/null")?;
                file.write_all(b"lost")
            });
            assert!(staged.is_err(), "a file was not synced");
        });
        assert!(left.is_empty(), "{left:?}");
        assert!(
            sync_folder(Path::new("/dev/null")).is_err(),
            "a folder was not synced"
        );
    }
}
