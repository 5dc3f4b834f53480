//! Arrays in an `.npz` archive.

use super::decode::{Reading, read_matrix, read_values};
use super::header::{Header, inspect};
use super::number::Types;
use super::words::read_words;
use super::{Array, Defect, unreadable};
use crate::error::Error;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use twolayer::{LinearBackend, Scalar};
use zip::ZipArchive;
use zip::result::ZipError;

/// An archive of arrays, of which none is read yet.
pub(crate) struct Archive<R> {
    path: PathBuf,
    zip: ZipArchive<R>,
    file_size: u64,
}

/// Deflate cannot shrink anything by more than this factor.
const DEFLATE_LIMIT: u64 = 1032;

impl<R: Read + Seek> Archive<R> {
    /// Opens an archive that is in a file at `path`.
    pub(crate) fn open(path: &Path, mut file: R) -> Result<Self, Error> {
        let file_size = file.seek(SeekFrom::End(0)).map_err(unreadable(path))?;
        let zip = ZipArchive::new(file).map_err(|error| match error {
            ZipError::Io(source) => unreadable(path)(source),
            other => {
                let found = format!("no archive of arrays ({other})");
                Error::content(path, found, "an .npz file")
            }
        })?;
        let archive = Self {
            path: path.into(),
            zip,
            file_size,
        };
        if archive.zip.has_duplicate_names() {
            return Err(archive.repeated("two arrays have the same name"));
        }
        Ok(archive)
    }

    fn repeated(&self, found: impl Into<String>) -> Error {
        Error::content(&self.path, found, "each name once")
    }

    /// The names of all arrays, by their places in the archive. As for NumPy, a member is an array
    /// with or without `.npy` at its end.
    pub(crate) fn names(&self) -> Result<Vec<String>, Error> {
        let mut names: Vec<String> = Vec::new();
        for index in 0..self.zip.len() {
            let Some(Ok(member)) = self.zip.name_for_index(index) else {
                let found = format!("member {index} has no legible name");
                return Err(Error::content(&self.path, found, "an array"));
            };
            let name = npyz::npz::array_name_from_file_name(&member).unwrap_or(&member);
            names.push(name.to_owned());
        }
        Ok(names)
    }

    /// The place of an array; others are not looked at.
    pub(crate) fn find(&self, name: &str) -> Result<Option<usize>, Error> {
        let names = self.names()?;
        let mut places = (0..names.len()).filter(|&place| names[place] == name);
        let place = places.next();
        match places.next() {
            Some(_) => Err(self.repeated(format!("two arrays are called {name}"))),
            None => Ok(place),
        }
    }

    /// The header of the array at a place.
    pub(crate) fn header(
        &mut self,
        place: usize,
        name: &str,
        types: Types,
    ) -> Result<Header, Error> {
        self.entry(place, name, |reader, size| {
            inspect(reader, size, name, types)
        })
    }

    /// The array at a place.
    pub(crate) fn values<T: Scalar>(
        &mut self,
        place: usize,
        reading: Reading<'_>,
    ) -> Result<Array<T>, Error> {
        self.entry(place, reading.name, |reader, size| {
            read_values(reader, size, reading)
        })
    }

    /// The strings of the array at a place.
    pub(crate) fn words(&mut self, place: usize, name: &str) -> Result<Vec<String>, Error> {
        self.entry(place, name, |reader, size| read_words(reader, size, name))
    }

    /// The array at a place as a matrix of a backend.
    pub(crate) fn matrix<B: LinearBackend>(
        &mut self,
        backend: &B,
        place: usize,
        reading: Reading<'_>,
    ) -> Result<B::Matrix, Error> {
        self.entry(place, reading.name, |reader, size| {
            read_matrix(backend, reader, size, reading)
        })
    }

    /// Does `work` on one member, which is given its data and their length.
    fn entry<D>(
        &mut self,
        place: usize,
        name: &str,
        work: impl FnOnce(&mut dyn Read, u64) -> Result<D, Defect>,
    ) -> Result<D, Error> {
        let corrupt = |error: ZipError| {
            Defect::new(
                format!("{name} cannot be extracted ({error})"),
                "a sound archive",
            )
        };
        let entry = self.zip.by_index(place).map_err(corrupt);
        let worked = entry.and_then(|entry| {
            let size = entry.size();
            let stored = entry.compressed_size().min(self.file_size);
            if size > stored.saturating_mul(DEFLATE_LIMIT) {
                let found = format!("{name} claims {size} bytes, more than it can hold");
                return Err(Defect::new(found, "a sound archive"));
            }
            work(&mut BufReader::new(entry), size)
        });
        worked.map_err(|defect| defect.in_file(&self.path))
    }
}
