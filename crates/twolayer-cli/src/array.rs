//! Arrays of numbers in NumPy's files.
//!
//! The formats' parsing is npyz's and the archive's zip's. What is added here is distrust: a file is
//! somebody else's, so nothing is allocated on its word alone, and everything that is no plain data of
//! an expected type and shape is refused by name.

mod archive;
mod decode;
mod header;
mod number;
mod parts;
mod words;

pub(crate) use archive::Archive;
pub(crate) use decode::Reading;
pub(crate) use header::{Header, View, show_shape};
pub(crate) use number::{Number, Types};
pub(crate) use parts::{Merged, PLACE, Part, RUN};

use crate::error::Error;
use crate::kind::Kind;
use decode::read_values;
use header::{MAGIC, inspect};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use twolayer::{LinearBackend, Scalar};

/// An array in row-major order, whatever the file's order was; all its entries are finite, unless that is
/// [checked later](Expected::is_checked_later).
#[derive(Debug)]
pub(crate) struct Array<T> {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<T>,
}

/// What became of an array: a matrix of the network is in its library's own type at once, for there
/// may be no room for it twice.
pub(crate) enum Stored<B: LinearBackend> {
    Matrix(B::Matrix),
    Values(Array<B::Scalar>),
}

/// An array that a file may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) name: &'static str,
    /// The shape in symbols, for messages.
    pub(crate) shape: &'static str,
    /// The numbers of dimensions that are accepted.
    pub(crate) dimensions: &'static [usize],
    pub(crate) required: bool,
    /// Whether it is to become a matrix of the backend; it has two dimensions then.
    pub(crate) is_matrix: bool,
    /// Whether it is a number of vectors that may be 0.
    pub(crate) may_be_none: bool,
    /// Whether an entry that is NaN or infinite is left to whoever uses it: of many targets it spoils
    /// one.
    pub(crate) is_checked_later: bool,
    /// Whether an entry may be −∞; one below all numbers of the precision is that.
    pub(crate) may_be_minus_infinity: bool,
}

/// What is wrong with an array.
#[derive(Debug)]
pub(crate) struct Defect {
    found: String,
    expected: String,
}

impl Defect {
    pub(crate) fn new(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            found: found.into(),
            expected: expected.into(),
        }
    }

    fn unreadable(name: &str, source: &io::Error) -> Self {
        Self::new(
            format!("{name} cannot be decoded ({source})"),
            "a sound .npy array",
        )
    }

    pub(crate) fn in_file(self, path: &Path) -> Error {
        Error::content(path, self.found, &self.expected)
    }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    |source| Error::Read {
        path: path.into(),
        source,
    }
}

/// Opens a file to read it, and no pipe or device: these have no length that their word could be
/// held against, and a pipe may never come to an end.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    let found = fs::metadata(path).map_err(unreadable(path))?;
    match Kind::of(&found) {
        Kind::File => File::open(path).map_err(unreadable(path)),
        other => {
            let why = format!("it is {}; expected a file", other.name());
            Err(unreadable(path)(io::Error::other(why)))
        }
    }
}

/// What a file is by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Array,
    Archive,
    Empty,
    Other,
}

impl Form {
    fn of(file: &mut (impl Read + Seek)) -> io::Result<Self> {
        let mut start = Vec::new();
        file.by_ref()
            .take(MAGIC.len() as u64)
            .read_to_end(&mut start)?;
        file.rewind()?;
        Ok(if start.is_empty() {
            Self::Empty
        } else if start == MAGIC {
            Self::Array
        } else if start.starts_with(b"PK") {
            Self::Archive
        } else {
            Self::Other
        })
    }

    /// Refuses a file that is known to be something else than what `expected` says.
    fn refuse(self, path: &Path, expected: &str) -> Error {
        let found = match self {
            Self::Array => "it is one array (.npy)",
            Self::Archive => "it is an archive of arrays (.npz)",
            Self::Empty => "it is empty",
            Self::Other => "no archive of arrays, and no array",
        };
        Error::content(path, found, expected)
    }
}

/// Opens an `.npy` file whose array is to be read piece by piece.
pub(crate) fn open_npy(
    path: &Path,
    expected: &Expected,
    types: Types,
) -> Result<(File, Header), Error> {
    let mut file = open(path)?;
    let form = Form::of(&mut file).map_err(unreadable(path))?;
    if matches!(form, Form::Archive | Form::Empty) {
        return Err(form.refuse(path, "one array (.npy)"));
    }
    let size = file.metadata().map_err(unreadable(path))?.len();
    let header = inspect(&mut BufReader::new(&file), size, expected.name, types);
    let header = header.and_then(|header| {
        header.check_shape(expected.name, expected)?;
        Ok(header)
    });
    Ok((file, header.map_err(|defect| defect.in_file(path))?))
}

/// Checks that there is a number for each of the d entries of x, or one for all.
pub(crate) fn check_per_input(
    path: &Path,
    name: &str,
    shape: &[usize],
    d: usize,
) -> Result<(), Error> {
    match shape {
        [length] if *length == d || *length == 1 => Ok(()),
        _ => {
            let shape: Vec<u64> = shape.iter().map(|&length| length as u64).collect();
            let found = format!("{name} has shape {}", show_shape(&shape));
            Err(Error::content(
                path,
                found,
                &format!("({d},) or one number"),
            ))
        }
    }
}

/// Opens an `.npz` file.
pub(crate) fn open_npz(path: &Path) -> Result<BufReader<File>, Error> {
    let mut file = open(path)?;
    match Form::of(&mut file).map_err(unreadable(path))? {
        form @ (Form::Array | Form::Empty) => Err(form.refuse(path, "an .npz file")),
        _ => Ok(BufReader::new(file)),
    }
}

/// Reads points, (d) or (K, d), that are called `name`: the array of an `.npy` file, or x of a
/// RESULT.npz. Whether their entries are finite may be left to be checked later.
pub(crate) fn read_points<T: Scalar>(
    path: &Path,
    name: &'static str,
    types: Types,
    is_checked_later: bool,
) -> Result<Array<T>, Error> {
    let expected = Expected {
        name,
        shape: "(d,) or (K, d)",
        dimensions: &[1, 2],
        required: true,
        is_matrix: false,
        may_be_none: true,
        is_checked_later,
        may_be_minus_infinity: false,
    };
    let mut reading = Reading {
        name,
        expected: &expected,
        types,
        view: View::AsStored,
    };
    let mut file = open(path)?;
    let form = Form::of(&mut file).map_err(unreadable(path))?;
    let size = file.metadata().map_err(unreadable(path))?.len();
    let mut file = BufReader::new(file);
    match form {
        Form::Empty | Form::Other => {
            Err(form.refuse(path, "an .npy file, or a RESULT.npz of `twolayer invert`"))
        }
        Form::Archive => {
            let mut archive = Archive::open(path, file)?;
            reading.name = "x";
            let Some(x) = archive.find("x")? else {
                let expected = "a RESULT.npz of `twolayer invert`";
                return Err(Error::content(path, "array x is missing", expected));
            };
            archive.values(x, reading)
        }
        Form::Array => read_values(&mut file, size, reading).map_err(|defect| defect.in_file(path)),
    }
}
