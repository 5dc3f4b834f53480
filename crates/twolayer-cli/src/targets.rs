//! The targets of a problem: in memory, or in a file of their own that is read one by one.

use crate::array::{Array, Expected, Header, open_npy};
use crate::error::{Error, in_file};
use crate::problem_file::Vectors;
use npyz::{NpyFile, NpyHeader, Order};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use twolayer::{Scalar, Target};

/// K targets, or one for all problems, that were checked.
#[derive(Debug)]
pub(crate) struct Targets<T> {
    path: PathBuf,
    source: Source<T>,
}

#[derive(Debug)]
enum Source<T> {
    /// b of the problem.
    Memory(Vectors<T>),
    /// A file, of which one row at a time is in memory.
    File(RowsFile),
}

impl<T: Scalar> Targets<T> {
    /// Takes the targets of the file, else b of the problem at `path`, and checks every one.
    pub(crate) fn new(
        path: &Path,
        b: Option<Array<T>>,
        file: Option<RowsFile>,
        outcomes: usize,
    ) -> Result<Self, Error> {
        let (path, source, length, shape) = match (file, b) {
            (Some(file), _) => {
                let (length, shape) = (file.length, file.shape());
                (file.path.clone(), Source::File(file), length, shape)
            }
            (None, Some(b)) => {
                let vectors = Vectors::new(b);
                let (length, shape) = (vectors.length, vectors.shape());
                (path.into(), Source::Memory(vectors), length, shape)
            }
            (None, None) => return Err(Error::content(path, "array b is missing", "b")),
        };
        if length != outcomes {
            let found = format!("b has shape {shape}");
            let expected = format!("({outcomes},) or (K, {outcomes}), an entry for each row of A2");
            return Err(Error::content(&path, found, &expected));
        }
        let targets = Self { path, source };
        // Before anything is solved: the last target's mistake should not cost the others' time.
        for index in 0..targets.len() {
            targets.get(index)?;
        }
        Ok(targets)
    }

    /// K, or 1.
    pub(crate) fn len(&self) -> usize {
        match &self.source {
            Source::Memory(vectors) => vectors.count.unwrap_or(1),
            Source::File(file) => file.rows,
        }
    }

    /// The target of problem `index`, and its number where there are several.
    fn place(&self, index: usize) -> (usize, Option<usize>) {
        let one_of_several = match &self.source {
            Source::Memory(vectors) => vectors.count.is_some(),
            Source::File(_) => true,
        };
        let row = if self.len() == 1 { 0 } else { index };
        (row, one_of_several.then_some(row))
    }

    /// The distribution of problem `index`.
    pub(crate) fn row(&self, index: usize) -> Result<Vec<T>, Error> {
        let (row, _) = self.place(index);
        match &self.source {
            Source::Memory(vectors) => Ok(vectors.get(row).to_vec()),
            Source::File(file) => file.read(row),
        }
    }

    /// The target of problem `index`.
    pub(crate) fn get(&self, index: usize) -> Result<Target<T>, Error> {
        let (_, number) = self.place(index);
        Target::new(self.row(index)?).map_err(in_file(&self.path, number))
    }
}

/// The rows of a matrix in an `.npy` file, which stays there.
pub(crate) struct RowsFile {
    path: PathBuf,
    /// Workers read their rows one after the other.
    file: Mutex<File>,
    header: NpyHeader,
    item_size: u64,
    /// Where the first row begins.
    start: u64,
    rows: usize,
    length: usize,
}

// Not derived: npyz's header has none.
impl fmt::Debug for RowsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowsFile")
            .field("path", &self.path)
            .field("rows", &self.rows)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl RowsFile {
    /// Opens a file and checks that it is what its header says.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let expected = Expected {
            name: "b",
            shape: "(K, m)",
            dimensions: &[2],
            required: true,
            is_matrix: false,
        };
        let (file, header) = open_npy(path, &expected)?;
        let Header {
            npy,
            item_size,
            start,
        } = header;
        if npy.order() != Order::C && !npy.shape().contains(&1) {
            let expected = "C order, as numpy.ascontiguousarray makes it: rows are read one by one";
            return Err(Error::content(path, "b is in Fortran order", expected));
        }
        // A dimension is at most the length of the file.
        let [rows, length] = [0, 1].map(|dimension| npy.shape()[dimension] as usize);
        Ok(Self {
            path: path.into(),
            file: Mutex::new(file),
            header: npy,
            item_size,
            start,
            rows,
            length,
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    fn shape(&self) -> String {
        format!("({}, {})", self.rows, self.length)
    }

    fn read<T: Scalar>(&self, row: usize) -> Result<Vec<T>, Error> {
        let values = self.bytes(row).and_then(|bytes| self.decode(&bytes));
        values.map_err(|source| Error::Read {
            path: self.path.clone(),
            source,
        })
    }

    fn bytes(&self, row: usize) -> io::Result<Vec<u8>> {
        let size = self.item_size * self.length as u64;
        let mut bytes = vec![0; size as usize];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.start + row as u64 * size))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn decode<T: Scalar>(&self, bytes: &[u8]) -> io::Result<Vec<T>> {
        let file = NpyFile::with_header(self.header.clone(), bytes);
        if self.item_size == 4 {
            let data = file.data::<f32>().map_err(io::Error::other)?;
            let values = data.take(self.length);
            values.map(|v| v.map(|v| T::of(f64::from(v)))).collect()
        } else {
            let data = file.data::<f64>().map_err(io::Error::other)?;
            data.take(self.length).map(|v| v.map(T::of)).collect()
        }
    }
}
