//! The targets of a problem: in memory, or in a file of their own that is read one by one.

use crate::array::{Array, Expected, Number, Types, open_npy};
use crate::error::{Error, in_file};
use crate::vectors::Vectors;
use npyz::Order;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use twolayer::{Bad, LinearBackend, NetworkRef, NumberFormat, Scalar, Target};

/// K targets, or one for all problems.
#[derive(Debug)]
pub(crate) struct Targets<T> {
    path: PathBuf,
    source: Source<T>,
    rounded_to: NumberFormat,
    /// Those of all that are there, where that is a part.
    part: Option<Range<usize>>,
}

#[derive(Debug)]
enum Source<T> {
    /// b of the problem.
    Memory(Vectors<T>),
    /// A file, of which one row at a time is in memory.
    File(RowsFile),
    /// No target is known, and none was needed.
    Absent,
}

impl<T: Scalar> Targets<T> {
    /// Takes the targets of the file, else b of the problem at `path` and how that is stored. Where there is
    /// neither, asking for a target is an error.
    pub(crate) fn new(
        path: &Path,
        b: Option<(Array<T>, Number)>,
        file: Option<RowsFile>,
        outcomes: usize,
    ) -> Result<Self, Error> {
        let (path, source, number, length, shape) = match (file, b) {
            (Some(file), _) => {
                let (length, shape) = (file.length, file.shape());
                let (path, number) = (file.path.clone(), file.number);
                (path, Source::File(file), number, length, shape)
            }
            (None, Some((b, number))) => {
                let vectors = Vectors::new(b);
                let (length, shape) = (vectors.length, vectors.shape());
                (path.into(), Source::Memory(vectors), number, length, shape)
            }
            (None, None) => {
                return Ok(Self {
                    path: path.into(),
                    source: Source::Absent,
                    rounded_to: NumberFormat::Single,
                    part: None,
                });
            }
        };
        if length != outcomes {
            let looks_transposed = shape.starts_with(&format!("({outcomes}, "));
            let hint = if looks_transposed {
                " and looks transposed"
            } else {
                ""
            };
            let found = format!("b has shape {shape}{hint}");
            let expected = format!("({outcomes},) or (K, {outcomes}), an entry for each row of A2");
            return Err(Error::content(&path, found, &expected));
        }
        Ok(Self {
            path,
            source,
            rounded_to: number.rounded_to(),
            part: None,
        })
    }

    /// Checks every target, before anything is done: the last one's mistake should not cost the others'
    /// time. None may give a probability to an outcome that the network masks.
    pub(crate) fn check<B>(&self, network: NetworkRef<'_, B>) -> Result<(), Error>
    where
        B: LinearBackend<Scalar = T>,
    {
        if self.is_absent() {
            return Ok(());
        }
        let mut bad = Vec::new();
        for row in 0..self.len() {
            let (_, index) = self.place(row);
            let target = Target::stored_as(self.row(row)?.into_owned(), self.rounded_to);
            let fits = target.and_then(|target| network.check_target(&target));
            bad.extend(fits.err().map(|error| Bad {
                index,
                is_start: false,
                error,
            }));
        }
        Error::of_bad(&self.path, bad, self.len(), false)
    }

    /// The file that they are from.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What they may have been rounded to.
    pub(crate) fn rounded_to(&self) -> NumberFormat {
        self.rounded_to
    }

    /// Leaves a part of several targets; one that all problems have stays.
    pub(crate) fn keep(&mut self, part: Range<usize>) {
        if self.len() != 1 {
            self.part = Some(part);
        }
    }

    /// Leaves none: they are not what is asked for.
    pub(crate) fn forget(&mut self) {
        self.source = Source::Absent;
        self.part = None;
    }

    /// K, or 1.
    pub(crate) fn len(&self) -> usize {
        if let Some(part) = &self.part {
            return part.len();
        }
        match &self.source {
            Source::Memory(vectors) => vectors.count.unwrap_or(1),
            Source::File(file) => file.rows,
            Source::Absent => 1,
        }
    }

    /// Whether there is no target.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.source, Source::Absent)
    }

    /// The target of problem `index`, and its number where there are several.
    fn place(&self, index: usize) -> (usize, Option<usize>) {
        let one_of_several = match &self.source {
            Source::Memory(vectors) => vectors.count.is_some(),
            Source::File(_) => true,
            Source::Absent => false,
        };
        let row = match &self.part {
            Some(part) => part.start + index,
            None if self.len() == 1 => 0,
            None => index,
        };
        (row, one_of_several.then_some(row))
    }

    /// The distribution of problem `index`.
    pub(crate) fn row(&self, index: usize) -> Result<Cow<'_, [T]>, Error> {
        let (row, _) = self.place(index);
        match &self.source {
            Source::Memory(vectors) => Ok(Cow::Borrowed(vectors.get(row))),
            Source::File(file) => file.read(row).map(Cow::Owned),
            Source::Absent => Err(Error::content(&self.path, "array b is missing", "b")),
        }
    }

    /// The target of problem `index`.
    pub(crate) fn get(&self, index: usize) -> Result<Target<T>, Error> {
        let (_, number) = self.place(index);
        let target = Target::stored_as(self.row(index)?.into_owned(), self.rounded_to);
        target.map_err(in_file(&self.path, number))
    }
}

/// The rows of a matrix in an `.npy` file, which stays there.
#[derive(Debug)]
pub(crate) struct RowsFile {
    path: PathBuf,
    /// Workers read their rows one after the other.
    file: Mutex<File>,
    number: Number,
    /// Where the first row begins.
    start: u64,
    rows: usize,
    length: usize,
}

impl RowsFile {
    /// Opens a file and checks that it is what its header says.
    pub(crate) fn open(path: &Path, types: Types) -> Result<Self, Error> {
        let expected = Expected {
            name: "b",
            shape: "(K, m)",
            dimensions: &[2],
            required: true,
            is_matrix: false,
            may_be_none: true,
            is_checked_later: true,
            may_be_minus_infinity: false,
        };
        let (file, header) = open_npy(path, &expected, types)?;
        // A dimension is at most the length of the file, or there are no entries.
        let [rows, length] = [0, 1].map(|dimension| header.shape[dimension] as usize);
        if header.order != Order::C && rows > 1 && length > 1 {
            let expected = "C order, as numpy.ascontiguousarray makes it: rows are read one by one";
            return Err(Error::content(path, "b is in Fortran order", expected));
        }
        Ok(Self {
            path: path.into(),
            file: Mutex::new(file),
            number: header.number,
            start: header.start,
            rows,
            length,
        })
    }

    /// K.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// m.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    fn shape(&self) -> String {
        format!("({}, {})", self.rows, self.length)
    }

    fn read<T: Scalar>(&self, row: usize) -> Result<Vec<T>, Error> {
        let bytes = self.bytes(row).map_err(|source| Error::Read {
            path: self.path.clone(),
            source,
        })?;
        let number = |item: &[u8]| {
            let mut eight = [0; 8];
            eight[..item.len()].copy_from_slice(item);
            T::of(self.number.read(eight))
        };
        Ok(bytes.chunks_exact(self.number.size()).map(number).collect())
    }

    fn bytes(&self, row: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.number.size() * self.length];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.start + (row * bytes.len()) as u64))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
