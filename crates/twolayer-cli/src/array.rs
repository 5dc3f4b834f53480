//! Arrays of floating point numbers in NumPy's files.
//!
//! The decoding is npyz's and the archive zip's. What is added here is distrust: a file is somebody
//! else's, so nothing is allocated on its word alone, and everything that is not plain f32 or f64
//! data of an expected shape is refused by name.

mod decode;

pub(crate) use decode::Header;
use decode::{inspect, read_matrix, read_values};

use crate::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use twolayer::{LinearBackend, Scalar};
use zip::result::ZipError;

/// An array in row-major order, whatever the file's order was; all its entries are finite.
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
}

/// What is wrong with an array.
struct Defect {
    found: String,
    expected: String,
}

impl Defect {
    fn new(found: impl Into<String>, expected: impl Into<String>) -> Self {
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

    fn in_file(self, path: &Path) -> Error {
        Error::Content {
            path: path.into(),
            found: self.found,
            expected: self.expected,
        }
    }
}

/// Reads the one array of an `.npy` file.
pub(crate) fn read_npy<T: Scalar>(path: &Path, expected: &Expected) -> Result<Array<T>, Error> {
    let unreadable = |source| Error::Read {
        path: path.into(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    read_values(&mut BufReader::new(file), size, expected).map_err(|defect| defect.in_file(path))
}

/// Opens an `.npy` file whose array is to be read piece by piece.
pub(crate) fn open_npy(path: &Path, expected: &Expected) -> Result<(File, Header), Error> {
    let unreadable = |source| Error::Read {
        path: path.into(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let header = inspect(&mut BufReader::new(&file), size, expected);
    Ok((file, header.map_err(|defect| defect.in_file(path))?))
}

/// The shape of each array of a file, where it is there.
pub(crate) type ArrayShapes = Vec<Option<Vec<u64>>>;

/// Opens an `.npz` file.
pub(crate) fn open_npz(path: &Path) -> Result<BufReader<File>, Error> {
    let file = File::open(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })?;
    Ok(BufReader::new(file))
}

/// Reads all arrays of an `.npz` file, in the order of `expected`; `None` where an array that is
/// not required is not there. Matrices are made by `backend`. Any other array is refused. `admit` is asked once all shapes are
/// known, before any array is allocated.
pub(crate) fn read_npz<B: LinearBackend, R: Read + Seek>(
    backend: &B,
    path: &Path,
    mut file: R,
    expected: &[Expected],
    admit: &dyn Fn(&ArrayShapes) -> Result<(), Error>,
) -> Result<Vec<Option<Stored<B>>>, Error> {
    let unreadable = |source| Error::Read {
        path: path.into(),
        source,
    };
    let file_size = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| match error {
        ZipError::Io(source) => unreadable(source),
        other => Error::content(
            path,
            format!("no archive of arrays ({other})"),
            "an .npz file",
        ),
    })?;
    if archive.has_duplicate_names() {
        return Err(Error::content(
            path,
            "two arrays have the same name",
            "each name once",
        ));
    }
    let mut shapes: ArrayShapes = expected.iter().map(|_| None).collect();
    for index in 0..archive.len() {
        let (slot, header) = entry(&mut archive, file_size, index, expected, inspect)
            .map_err(|defect| defect.in_file(path))?;
        shapes[slot] = Some(header.npy.shape().to_vec());
    }
    let missing = expected
        .iter()
        .zip(&shapes)
        .find(|(e, shape)| e.required && shape.is_none());
    if let Some((array, _)) = missing {
        let found = format!("array {} is missing", array.name);
        return Err(Error::content(
            path,
            found,
            &format!("shape {}", array.shape),
        ));
    }
    admit(&shapes)?;
    let read = |reader: &mut dyn Read, size, expected: &Expected| {
        if expected.is_matrix {
            read_matrix(backend, reader, size, expected).map(Stored::Matrix)
        } else {
            read_values(reader, size, expected).map(Stored::Values)
        }
    };
    let mut arrays: Vec<Option<Stored<B>>> = expected.iter().map(|_| None).collect();
    for index in 0..archive.len() {
        let (slot, array) = entry(&mut archive, file_size, index, expected, read)
            .map_err(|defect| defect.in_file(path))?;
        arrays[slot] = Some(array);
    }
    Ok(arrays)
}

/// Reads x (d) or (K, d) from an archive that holds other arrays too.
pub(crate) fn read_x(path: &Path) -> Result<Array<f64>, Error> {
    let unreadable = |source| Error::Read {
        path: path.into(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let no_archive = |error| {
        let found = format!("no archive of arrays ({error})");
        Error::content(path, found, "a RESULT.npz of `twolayer invert`")
    };
    let file_size = file.metadata().map_err(unreadable)?.len();
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(no_archive)?;
    let x = Expected {
        name: "x",
        shape: "(d,) or (K, d)",
        dimensions: &[1, 2],
        required: true,
        is_matrix: false,
    };
    let Some(index) = archive.index_for_name("x.npy") else {
        let found = "array x is missing";
        return Err(Error::content(
            path,
            found,
            "a RESULT.npz of `twolayer invert`",
        ));
    };
    let (_, array) = entry(&mut archive, file_size, index, &[x], read_values)
        .map_err(|defect| defect.in_file(path))?;
    Ok(array)
}

/// Deflate cannot shrink anything by more than this factor.
const DEFLATE_LIMIT: u64 = 1032;

/// Does `work` on one member of an archive, which is given its data and their length. Returns which
/// of `expected` it is.
fn entry<R: Read + Seek, D>(
    archive: &mut zip::ZipArchive<R>,
    file_size: u64,
    index: usize,
    expected: &[Expected],
    work: impl FnOnce(&mut dyn Read, u64, &Expected) -> Result<D, Defect>,
) -> Result<(usize, D), Defect> {
    // The name first, and without the data: it is needed to say what the data belong to.
    let member = match archive.name_for_index(index) {
        Some(Ok(member)) => member.into_owned(),
        _ => {
            return Err(Defect::new(
                format!("member {index} has no legible name"),
                "an array",
            ));
        }
    };
    let name = npyz::npz::array_name_from_file_name(&member);
    let slot = expected.iter().position(|e| Some(e.name) == name);
    let Some(slot) = slot else {
        let names: Vec<_> = expected.iter().map(|e| e.name).collect();
        let found = format!("unknown array {:?}", name.unwrap_or(&member));
        return Err(Defect::new(found, format!("only {}", names.join(", "))));
    };
    let expected = &expected[slot];
    let corrupt = |error: ZipError| {
        Defect::new(
            format!("{} cannot be extracted ({error})", expected.name),
            "a sound archive",
        )
    };
    let entry = archive.by_index(index).map_err(corrupt)?;
    let size = entry.size();
    let stored = entry.compressed_size().min(file_size);
    if size > stored.saturating_mul(DEFLATE_LIMIT) {
        let found = format!(
            "{} claims {size} bytes, more than it can hold",
            expected.name
        );
        return Err(Defect::new(found, "a sound archive"));
    }
    Ok((slot, work(&mut BufReader::new(entry), size, expected)?))
}
