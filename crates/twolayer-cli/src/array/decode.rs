//! The numbers of an array.

use super::header::{Header, View, inspect};
use super::number::{Number, Types};
use super::{Array, Defect, Expected};
use npyz::Order;
use std::io::{self, Read};
use twolayer::{LinearBackend, Scalar};

/// How an array is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// The array's name in its file.
    pub(crate) name: &'a str,
    pub(crate) expected: &'a Expected,
    pub(crate) types: Types,
    pub(crate) view: View,
}

/// Reads an array that is stored in `size` bytes, header included.
pub(super) fn read_values<T: Scalar>(
    reader: &mut dyn Read,
    size: u64,
    reading: Reading<'_>,
) -> Result<Array<T>, Defect> {
    let zeros = |shape: &[usize]| Array {
        shape: shape.to_vec(),
        values: vec![T::zero(); shape.iter().product()],
    };
    decode(reader, size, reading, zeros, |array, block| {
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
    reading: Reading<'_>,
) -> Result<B::Matrix, Defect> {
    let zeros = |shape: &[usize]| backend.zeros(shape[0], shape[1]);
    decode(reader, size, reading, zeros, |matrix, block| {
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
    reader: &mut dyn Read,
    size: u64,
    reading: Reading<'_>,
    zeros: impl FnOnce(&[usize]) -> D,
    put: impl Fn(&mut D, Block<'_, T>),
) -> Result<D, Defect> {
    let name = reading.name;
    let header = inspect(reader, size, name, reading.types)?.seen(reading.view);
    header.check_shape(name, reading.expected)?;
    // Nothing is allocated yet, so a dimension need not be one of this machine.
    let length = header.shape.iter().try_fold(1, |product: usize, &length| {
        product.checked_mul(usize::try_from(length).ok()?)
    });
    let has_room = length.is_some_and(|n| Vec::<T>::new().try_reserve_exact(n).is_ok());
    if !has_room {
        return Err(Defect::new(
            format!("{name} does not fit into memory"),
            "a smaller array",
        ));
    }
    let shape: Vec<usize> = header.shape.iter().map(|&length| length as usize).collect();
    let mut decoded = zeros(&shape);
    collect(reader, &header, reading, &shape, |block| {
        put(&mut decoded, block);
    })?;
    // The checksum of an archive's member is verified where its data end.
    match reader.read(&mut [0]) {
        Ok(0) => Ok(decoded),
        Ok(_) => Err(Defect::new(
            format!("{name} goes on after its data"),
            "no more",
        )),
        Err(source) => Err(Defect::unreadable(name, &source)),
    }
}

/// Gives the numbers of a file to `put` by blocks, in the chosen precision.
fn collect<T: Scalar>(
    reader: &mut dyn Read,
    header: &Header,
    reading: Reading<'_>,
    shape: &[usize],
    mut put: impl FnMut(Block<'_, T>),
) -> Result<(), Defect> {
    if shape.contains(&0) {
        return Ok(());
    }
    let Reading { name, expected, .. } = reading;
    let (rows, columns) = (shape[0], shape.get(1).copied().unwrap_or(1));
    // Rows of the file, or its columns.
    let (lines, length) = match header.order {
        Order::C => (rows, columns),
        Order::Fortran => (columns, rows),
    };
    let band = (BLOCK / length).clamp(1, lines);
    let mut values = vec![T::zero(); band * length];
    let (mut first, mut count) = (0, band);
    for position in 0..rows * columns {
        let value = read_number(reader, header.number);
        let value = value.map_err(|source| Defect::unreadable(name, &source))?;
        let (line, place) = (position / length, position % length);
        let (row, column, index) = match header.order {
            Order::C => (line, place, (line - first) * length + place),
            Order::Fortran => (place, line, place * count + line - first),
        };
        let converted = T::of(value);
        let is_mask = expected.may_be_minus_infinity && converted == T::neg_infinity();
        if !converted.is_finite() && !is_mask && !expected.is_checked_later {
            let place = match shape.len() {
                2 => format!("{name}[{row}, {column}]"),
                _ => format!("{name}[{position}]"),
            };
            return Err(not_finite::<T>(&place, value));
        }
        values[index] = converted;
        if place + 1 == length && line + 1 == first + count {
            let (row, column, width) = match header.order {
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

fn read_number(reader: &mut dyn Read, number: Number) -> io::Result<f64> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes[..number.size()])?;
    Ok(number.read(bytes))
}

/// An entry that is no number, or none in the precision T.
fn not_finite<T: Scalar>(place: &str, value: f64) -> Defect {
    if !value.is_finite() {
        return Defect::new(format!("{place} is {value}"), "every entry to be finite");
    }
    let largest = T::max_value();
    Defect::new(
        format!("{place} is {value:e}, which is not finite in {}", T::NAME),
        format!("at most {largest:e} in magnitude"),
    )
}

#[cfg(test)]
mod tests;
