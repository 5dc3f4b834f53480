//! Where the path of an output leads: to a file, to a device, or to standard output.

use super::folder;
use crate::kind::Kind;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Where an output goes.
#[derive(Debug)]
pub(crate) enum Place {
    /// A file, there or not yet. The path leads through no link: a link on the way stays.
    File(PathBuf),
    /// A character device such as `/dev/null`, open for writing.
    Device(File),
    /// Standard output, by the name of - alone.
    StandardOutput,
}

/// Links that lead to links: as many as Linux follows.
const MOST_LINKS: usize = 40;

impl Place {
    /// Follows a path to where its content would go. What is neither a file nor a device is refused,
    /// and so is a file that may not be written.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::StandardOutput);
        }
        let place = follow(path)?;
        if is_named_as_folder(&place) {
            return Err(refused("it is a folder"));
        }
        if is_descriptor(&place) {
            return Err(refused(
                "it is an open file of a process; expected the file's own name, or - for standard \
                 output",
            ));
        }
        match fs::metadata(&place) {
            Ok(found) => Self::existing(place, &found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::new(place),
            Err(error) => Err(error),
        }
    }

    fn new(place: PathBuf) -> io::Result<Self> {
        let folder = folder(&place);
        match fs::metadata(folder) {
            Ok(_) => Ok(Self::File(place)),
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!("there is no folder {}", folder.display()),
            )),
        }
    }

    fn existing(place: PathBuf, found: &Metadata) -> io::Result<Self> {
        let kind = Kind::of(found);
        if kind != Kind::Device && is_standard_output(found) {
            return Err(refused(
                "standard output goes there; expected another file, or - for standard output",
            ));
        }
        match kind {
            Kind::File => {
                // Whoever may not write a file should not replace it either.
                OpenOptions::new().write(true).open(&place)?;
                Ok(Self::File(place))
            }
            Kind::Device => Ok(Self::Device(OpenOptions::new().write(true).open(&place)?)),
            Kind::Folder | Kind::Other(_) => Err(refused(&format!(
                "it is {}; expected a file, or - for standard output",
                kind.name()
            ))),
        }
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::other(why)
}

/// `x/` and `x/.` are folders by name, though `Path` takes their last part for a file's.
fn is_named_as_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    path.file_name().is_none() || text.ends_with(b"/") || text.ends_with(b"/.")
}

/// The end of a chain of links, which need not exist; or the first descriptor on the way, whose link
/// tells no path that could be followed.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut place = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_symlink() && !is_descriptor(&place) => {
                let next = fs::read_link(&place)?;
                place = folder(&place).join(next);
            }
            Ok(_) => return Ok(place),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(place),
            Err(error) => return Err(error),
        }
    }
    Err(refused("its links lead to no end"))
}

/// Whether a path is the system's name of a file that a process has open: `/dev/fd/1`,
/// `/proc/self/fd/1` and the like.
fn is_descriptor(place: &Path) -> bool {
    let is_number = |name: &OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    if !place.file_name().is_some_and(is_number) {
        return false;
    }
    fs::canonicalize(folder(place)).is_ok_and(|folder| {
        folder == Path::new("/dev/fd") || (folder.starts_with("/proc") && folder.ends_with("fd"))
    })
}

/// Whether standard output was led to this very file: to put another in its place would lose what is
/// printed.
#[cfg(unix)]
fn is_standard_output(found: &Metadata) -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let out = io::stdout().as_fd().try_clone_to_owned();
    let out = out.and_then(|out| File::from(out).metadata());
    out.is_ok_and(|out| (out.dev(), out.ino()) == (found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn is_standard_output(_: &Metadata) -> bool {
    false
}
