//! One array, from its header to its last number.

use super::{Array, Defect, Expected};
use npyz::{DType, NpyFile, NpyHeader, Order, TypeChar};
use std::io::{self, Read};
use twolayer::{LinearBackend, Scalar};

/// A header that fits both what is expected and the length of the data.
pub(crate) struct Header {
    pub(crate) npy: NpyHeader,
    /// Bytes of one number.
    pub(crate) item_size: u64,
    /// Bytes before the data.
    pub(crate) start: u64,
}

/// Reads the header of an array that is stored in `size` bytes, header included.
pub(super) fn inspect(
    reader: &mut dyn Read,
    size: u64,
    expected: &Expected,
) -> Result<Header, Defect> {
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
pub(super) fn read_values<T: Scalar>(
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
pub(super) fn read_matrix<B: LinearBackend>(
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
