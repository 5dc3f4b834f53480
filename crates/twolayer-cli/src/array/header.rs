//! What an array says of itself before its numbers.

use super::number::{Number, Types, describe};
use super::{Defect, Expected};
use npyz::{NpyHeader, Order};
use std::io::{self, Read};

/// A header that fits the length of the data.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) number: Number,
    pub(crate) shape: Vec<u64>,
    pub(crate) order: Order,
    /// Bytes before the data.
    pub(crate) start: u64,
}

/// As what an array is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    AsStored,
    Transposed,
    /// A row or a column as a vector.
    Flat,
}

impl Header {
    /// The header of what the array is read as: a matrix in one order is its transpose in the other.
    pub(crate) fn seen(mut self, view: View) -> Self {
        match view {
            View::AsStored => {}
            View::Transposed => {
                self.shape.reverse();
                self.order = match self.order {
                    Order::C => Order::Fortran,
                    Order::Fortran => Order::C,
                };
            }
            View::Flat => self.shape = vec![self.shape.iter().product()],
        }
        self
    }

    /// Checks the number of dimensions, and that none is empty that must not be.
    pub(crate) fn check_shape(&self, name: &str, expected: &Expected) -> Result<(), Defect> {
        let found = || format!("{name} has shape {}", show_shape(&self.shape));
        if !expected.dimensions.contains(&self.shape.len()) {
            return Err(Defect::new(found(), expected.shape));
        }
        let mut lengths = self.shape.iter();
        if expected.may_be_none && self.shape.len() == 2 {
            lengths.next();
        }
        if lengths.any(|&length| length == 0) {
            return Err(Defect::new(found(), "at least 1 in every dimension"));
        }
        Ok(())
    }
}

/// Reads the header of an array that is stored in `size` bytes, header included.
pub(super) fn inspect(
    reader: &mut dyn Read,
    size: u64,
    name: &str,
    types: Types,
) -> Result<Header, Defect> {
    let (header, start) = read_header(reader, name)?;
    let dtype = header.dtype();
    let number = Number::of(&dtype);
    let Some(number) = number.filter(|&number| types.include(number)) else {
        let hint = match number {
            Some(_) => " (--names auto reads others)",
            None => "",
        };
        let found = format!("{name} has dtype {}", describe(&dtype));
        return Err(Defect::new(found, format!("{}{hint}", types.names())));
    };
    let needed = header.len().saturating_mul(number.size() as u64);
    let stored = size.saturating_sub(start);
    if needed != stored {
        let shape = show_shape(header.shape());
        let found = format!("{name} has shape {shape}, but {stored} bytes of data");
        return Err(Defect::new(found, format!("{needed} bytes")));
    }
    Ok(Header {
        number,
        shape: header.shape().to_vec(),
        order: header.order(),
        start,
    })
}

/// NumPy's own reader stops here too: the header of a plain array has some hundred bytes.
const LONGEST_HEADER: usize = 4096;

/// Reads the header of an `.npy` array; also returns its length in bytes.
///
/// npyz allocates what the header's length field says, and multiplies the dimensions unchecked;
/// hence the checks before it is called.
pub(super) fn read_header(reader: &mut dyn Read, name: &str) -> Result<(NpyHeader, u64), Defect> {
    let unreadable = |source: io::Error| Defect::unreadable(name, &source);
    let mut bytes = vec![0; 10];
    reader.read_exact(&mut bytes).map_err(unreadable)?;
    if !bytes.starts_with(MAGIC) {
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
    name_bfloat16(&mut bytes[start..]);
    let header = NpyHeader::from_reader(&bytes[..]).map_err(unreadable)?;
    Ok((header, bytes.len() as u64))
}

/// How an `.npy` array begins.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Some writers give bfloat16 its name, which NumPy's format does not have; NumPy writes `<V2`.
fn name_bfloat16(header: &mut [u8]) {
    const NAMED: &[u8; 10] = b"'bfloat16'";
    let place = header.windows(NAMED.len()).position(|part| part == NAMED);
    if let Some(place) = place {
        header[place..][..NAMED.len()].copy_from_slice(b"'<V2'     ");
    }
}

/// A shape as Python writes it.
pub(crate) fn show_shape(shape: &[u64]) -> String {
    match shape {
        [length] => format!("({length},)"),
        _ => {
            let lengths: Vec<_> = shape.iter().map(u64::to_string).collect();
            format!("({})", lengths.join(", "))
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
