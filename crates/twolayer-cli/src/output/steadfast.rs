//! A file that an archive is written to.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// Takes whatever is written to a file, and keeps the first error, after which nothing is written any more. An archive
/// that meets an error itself tries once more to finish where it is dropped, and prints what comes of that.
#[derive(Debug)]
pub(crate) struct Steadfast<'f> {
    file: &'f mut File,
    failure: &'f RefCell<Option<io::Error>>,
}

impl<'f> Steadfast<'f> {
    /// Its errors go to `failure`.
    pub(crate) fn new(file: &'f mut File, failure: &'f RefCell<Option<io::Error>>) -> Self {
        Self { file, failure }
    }

    /// What comes of it, `otherwise` where it failed or has failed before.
    fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut File) -> io::Result<T>,
        otherwise: T,
    ) -> io::Result<T> {
        let mut failure = self.failure.borrow_mut();
        if failure.is_some() {
            return Ok(otherwise);
        }
        match work(self.file) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                *failure = Some(error);
                Ok(otherwise)
            }
            done => done,
        }
    }
}

impl Write for Steadfast<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(|file| file.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt(File::flush, ())
    }
}

impl Seek for Steadfast<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.attempt(|file| file.seek(to), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_fails_is_written_to_the_end_and_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = File::create(&path).unwrap();
        let failure = RefCell::new(None);
        let mut sound = Steadfast::new(&mut file, &failure);
        sound.write_all(b"abc").unwrap();
        assert_eq!(sound.seek(SeekFrom::Start(1)).unwrap(), 1);
        sound.write_all(b"x").unwrap();
        sound.flush().unwrap();
        assert!(failure.borrow().is_none());
        assert_eq!(std::fs::read(&path).unwrap(), b"axc");
        // One that cannot be written to.
        let mut file = File::open(&path).unwrap();
        let mut failing = Steadfast::new(&mut file, &failure);
        failing.write_all(b"abc").unwrap();
        assert_eq!(failing.seek(SeekFrom::Start(2)).unwrap(), 0);
        failing.write_all(b"abc").unwrap();
        assert!(failure.take().is_some());
        assert_eq!(std::fs::read(&path).unwrap(), b"axc");
    }
}
