//! What a path leads to.

use std::fs::Metadata;

/// A kind of entry of a folder, after all links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    /// A character device such as `/dev/null`.
    Device,
    /// Something else, with its name.
    Other(&'static str),
}

impl Kind {
    #[cfg(unix)]
    pub(crate) fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::FileTypeExt;
        let kind = found.file_type();
        if kind.is_file() {
            Self::File
        } else if kind.is_dir() {
            Self::Folder
        } else if kind.is_char_device() {
            Self::Device
        } else if kind.is_fifo() {
            Self::Other("a pipe")
        } else if kind.is_socket() {
            Self::Other("a socket")
        } else {
            Self::Other("a disk")
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn of(found: &Metadata) -> Self {
        if found.is_file() {
            Self::File
        } else if found.is_dir() {
            Self::Folder
        } else {
            Self::Other("no file")
        }
    }

    /// With its article.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::Device => "a device",
            Self::Other(name) => name,
        }
    }
}
