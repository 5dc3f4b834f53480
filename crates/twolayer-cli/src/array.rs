//! Arrays of floating point numbers in NumPy's files.
//!
//! The decoding is npyz's and the archive zip's. What is added here is distrust: a file is somebody
//! else's, so nothing is allocated on its word alone, and everything that is not plain f32 or f64
//! data of an expected shape is refused by name.

use crate::error::Error;
use npyz::{DType, NpyFile, NpyHeader, Order, TypeChar};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use twolayer_core::{LinearBackend, Scalar};
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

/// A header that fits both what is expected and the length of the data.
pub(crate) struct Header {
    pub(crate) npy: NpyHeader,
    /// Bytes of one number.
    pub(crate) item_size: u64,
    /// Bytes before the data.
    pub(crate) start: u64,
}

/// Reads the header of an array that is stored in `size` bytes, header included.
fn inspect(reader: &mut dyn Read, size: u64, expected: &Expected) -> Result<Header, Defect> {
    let name = expected.name;
    let (header, header_size) = read_header(reader, name)?;
    let item_size = float_size(&header.dtype()).ok_or_else(|| {
        Defect::new(
            format!("{name} has dtype {}", describe(&header.dtype())),
            FLOATS,
        )
    })?;
    let shape = header.shape().to_vec();
    let shown = show_shape(&shape);
    if !expected.dimensions.contains(&shape.len()) {
        return Err(Defect::new(
            format!("{name} has shape {shown}"),
            expected.shape,
        ));
    }
    if shape.contains(&0) {
        let found = format!("{name} has shape {shown}");
        return Err(Defect::new(found, "at least 1 in every dimension"));
    }
    let needed = header.len().saturating_mul(item_size);
    let stored = size.saturating_sub(header_size);
    if needed != stored {
        let found = format!("{name} has shape {shown}, but {stored} bytes of data");
        return Err(Defect::new(found, format!("{needed} bytes")));
    }
    Ok(Header {
        npy: header,
        item_size,
        start: header_size,
    })
}

/// Reads an array that is stored in `size` bytes, header included.
fn read_values<T: Scalar>(
    reader: &mut dyn Read,
    size: u64,
    expected: &Expected,
) -> Result<Array<T>, Defect> {
    let zeros = |shape: &[usize]| Array {
        shape: shape.to_vec(),
        values: vec![T::zero(); shape.iter().product()],
    };
    decode(reader, size, expected, zeros, |array, block| {
        let columns = array.shape.get(1).copied().unwrap_or(1);
        let rows = array.values[block.row * columns..].chunks_exact_mut(columns);
        for (to, from) in rows.zip(block.values.chunks_exact(block.width)) {
            to[block.column..][..block.width].copy_from_slice(from);
        }
    })
}

/// The same into a matrix of a backend.
fn read_matrix<B: LinearBackend>(
    backend: &B,
    reader: &mut dyn Read,
    size: u64,
    expected: &Expected,
) -> Result<B::Matrix, Defect> {
    let zeros = |shape: &[usize]| backend.zeros(shape[0], shape[1]);
    decode(reader, size, expected, zeros, |matrix, block| {
        let place = (block.row, block.column);
        backend.copy_block_from_row_major(block.values, place, block.width, matrix);
    })
}

/// Part of an array of rows and columns; a vector has one column.
struct Block<'a, T> {
    row: usize,
    column: usize,
    width: usize,
    /// Row after row.
    values: &'a [T],
}

/// About as many numbers are decoded at a time.
const BLOCK: usize = 1 << 16;

/// Decodes an array that is stored in `size` bytes, header included, into what `zeros` makes for its
/// shape, by blocks.
fn decode<T: Scalar, D>(
    mut reader: &mut dyn Read,
    size: u64,
    expected: &Expected,
    zeros: impl FnOnce(&[usize]) -> D,
    put: impl Fn(&mut D, Block<'_, T>),
) -> Result<D, Defect> {
    let name = expected.name;
    let Header { npy, item_size, .. } = inspect(reader, size, expected)?;
    let (shape, order) = (npy.shape().to_vec(), npy.order());
    // Nothing is allocated yet, so a dimension need not be one of this machine.
    let room = usize::try_from(npy.len()).map(|total| Vec::<T>::new().try_reserve_exact(total));
    if !matches!(room, Ok(Ok(()))) {
        return Err(Defect::new(
            format!("{name} does not fit into memory"),
            "a smaller array",
        ));
    }
    let shape: Vec<usize> = shape.iter().map(|&length| length as usize).collect();
    let mut decoded = zeros(&shape);
    let put = |block: Block<'_, T>| put(&mut decoded, block);
    let file = NpyFile::with_header(npy, &mut reader);
    if item_size == 4 {
        let data = file.data::<f32>();
        let data = data.map(|data| data.map(|value| value.map(f64::from)));
        collect(data, name, &shape, order, put)
    } else {
        collect(file.data::<f64>(), name, &shape, order, put)
    }?;
    // The checksum of an archive's member is verified where its data end.
    match reader.read(&mut [0]) {
        Ok(0) => {}
        Ok(_) => {
            return Err(Defect::new(
                format!("{name} goes on after its data"),
                "no more",
            ));
        }
        Err(source) => return Err(Defect::unreadable(name, &source)),
    }
    Ok(decoded)
}

const FLOATS: &str = "f32 or f64";

/// Gives the numbers of a file to `put` by blocks, in the chosen precision.
fn collect<T: Scalar, E: std::fmt::Display>(
    data: Result<impl Iterator<Item = io::Result<f64>>, E>,
    name: &str,
    shape: &[usize],
    order: Order,
    mut put: impl FnMut(Block<'_, T>),
) -> Result<(), Defect> {
    let data = data.map_err(|error| Defect::new(format!("{name}: {error}"), FLOATS))?;
    let (rows, columns) = (shape[0], shape.get(1).copied().unwrap_or(1));
    // Rows of the file, or its columns.
    let (lines, length) = match order {
        Order::C => (rows, columns),
        Order::Fortran => (columns, rows),
    };
    let band = (BLOCK / length).clamp(1, lines);
    let mut values = vec![T::zero(); band * length];
    let (mut first, mut count) = (0, band);
    for (position, value) in data.enumerate() {
        let value = value.map_err(|source| Defect::unreadable(name, &source))?;
        let (line, place) = (position / length, position % length);
        let (row, column, index) = match order {
            Order::C => (line, place, (line - first) * length + place),
            Order::Fortran => (place, line, place * count + line - first),
        };
        let converted = T::of(value);
        if !converted.is_finite() {
            let place = match shape.len() {
                2 => format!("{name}[{row}, {column}]"),
                _ => format!("{name}[{position}]"),
            };
            return Err(if value.is_finite() {
                let largest = T::max_value();
                Defect::new(
                    format!("{place} is {value:e}, which is not finite in {}", T::NAME),
                    format!("at most {largest:e} in magnitude"),
                )
            } else {
                Defect::new(format!("{place} is {value}"), "every entry to be finite")
            });
        }
        values[index] = converted;
        if place + 1 == length && line + 1 == first + count {
            let (row, column, width) = match order {
                Order::C => (first, 0, columns),
                Order::Fortran => (0, first, count),
            };
            put(Block {
                row,
                column,
                width,
                values: &values[..count * length],
            });
            first += count;
            count = band.min(lines - first);
        }
    }
    Ok(())
}

/// NumPy's own reader stops here too: the header of a plain array has some hundred bytes.
const LONGEST_HEADER: usize = 4096;

/// Reads the header of an `.npy` array; also returns its length in bytes.
///
/// npyz allocates what the header's length field says, and multiplies the dimensions unchecked;
/// hence the checks before it is called.
fn read_header(reader: &mut dyn Read, name: &str) -> Result<(NpyHeader, u64), Defect> {
    let unreadable = |source: io::Error| Defect::unreadable(name, &source);
    let mut bytes = vec![0; 10];
    reader.read_exact(&mut bytes).map_err(unreadable)?;
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(Defect::new(
            format!("{name} is not stored as an array"),
            ".npy data",
        ));
    }
    let mut length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    if bytes[6] > 1 {
        // From version 2 on the length has four bytes.
        let mut upper = [0; 2];
        reader.read_exact(&mut upper).map_err(unreadable)?;
        bytes.extend(upper);
        length += usize::from(u16::from_le_bytes(upper)) << 16;
    }
    if length > LONGEST_HEADER {
        let found = format!("{name} has a header of {length} bytes");
        return Err(Defect::new(
            found,
            format!("a plain array, at most {LONGEST_HEADER}"),
        ));
    }
    let start = bytes.len();
    bytes.resize(start + length, 0);
    reader.read_exact(&mut bytes[start..]).map_err(unreadable)?;
    let numbers = bytes[start..].split(|byte| !byte.is_ascii_digit());
    let size = numbers
        .filter(|digits| !digits.is_empty())
        .try_fold(1_u64, |product, digits| {
            let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
            product.checked_mul(number.max(1))
        });
    if size.is_none() {
        let found = format!("{name} claims to have more entries than there are numbers for");
        return Err(Defect::new(found, "a shape that fits the file"));
    }
    let header = NpyHeader::from_reader(&bytes[..]).map_err(unreadable)?;
    Ok((header, bytes.len() as u64))
}

/// Bytes of one number; `None` where the entries are not f32 or f64.
fn float_size(dtype: &DType) -> Option<u64> {
    match dtype {
        DType::Plain(plain) if plain.type_char() == TypeChar::Float => {
            Some(plain.size_field()).filter(|size| matches!(size, 4 | 8))
        }
        _ => None,
    }
}

/// A dtype as NumPy's users know it.
fn describe(dtype: &DType) -> String {
    let DType::Plain(plain) = dtype else {
        return "record".into();
    };
    let word = match plain.type_char() {
        TypeChar::Int => "int",
        TypeChar::Uint => "uint",
        TypeChar::Float => "float",
        TypeChar::Complex => "complex",
        TypeChar::Bool => return "bool".into(),
        TypeChar::Object => return "object".into(),
        _ => return plain.to_string(),
    };
    format!("{word}{}", plain.size_field().saturating_mul(8))
}

/// A shape as Python writes it.
fn show_shape(shape: &[u64]) -> String {
    match shape {
        [length] => format!("({length},)"),
        _ => {
            let lengths: Vec<_> = shape.iter().map(u64::to_string).collect();
            format!("({})", lengths.join(", "))
        }
    }
}
