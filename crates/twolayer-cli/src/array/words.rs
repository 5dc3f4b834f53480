//! Short strings in an `.npy` array.

use super::Defect;
use super::header::{read_header, show_shape};
use super::number::describe;
use npyz::{DType, Endianness, TypeChar};
use std::io::Read;

/// A list of words is a few hundred bytes.
const MOST_BYTES: u64 = 1 << 16;

/// Reads an array of strings (`U` or `S`) that is stored in `size` bytes, header included: one word for an array of
/// no dimension.
pub(super) fn read_words(
    reader: &mut dyn Read,
    size: u64,
    name: &str,
) -> Result<Vec<String>, Defect> {
    let (header, start) = read_header(reader, name)?;
    let dtype = header.dtype();
    let expected = "strings";
    let wrong = || Defect::new(format!("{name} has dtype {}", describe(&dtype)), expected);
    let DType::Plain(kind) = &dtype else {
        return Err(wrong());
    };
    let is_wide = match kind.type_char() {
        TypeChar::UnicodeStr => true,
        TypeChar::ByteStr => false,
        _ => return Err(wrong()),
    };
    if header.shape().len() > 1 {
        let shape = show_shape(header.shape());
        return Err(Defect::new(
            format!("{name} has shape {shape}"),
            "one string or a list",
        ));
    }
    let width = kind
        .size_field()
        .saturating_mul(if is_wide { 4 } else { 1 });
    let count = header.shape().iter().product::<u64>();
    let needed = width.saturating_mul(count);
    if needed > MOST_BYTES || needed != size.saturating_sub(start) {
        let found = format!("{name} has {count} strings of {width} bytes");
        return Err(Defect::new(
            found,
            "as many bytes of data, and no more than 64 kB",
        ));
    }
    let mut bytes = vec![0; needed as usize];
    reader
        .read_exact(&mut bytes)
        .map_err(|source| Defect::unreadable(name, &source))?;
    if width == 0 {
        return Ok(vec![String::new(); count as usize]);
    }
    let word = |entry: &[u8]| -> Option<String> {
        let letters: Option<String> = match is_wide {
            true => entry
                .chunks_exact(4)
                .map(|letter| {
                    let letter: [u8; 4] = letter.try_into().ok()?;
                    char::from_u32(match kind.endianness() {
                        Endianness::Big => u32::from_be_bytes(letter),
                        _ => u32::from_le_bytes(letter),
                    })
                })
                .collect(),
            false => String::from_utf8(entry.to_vec()).ok(),
        };
        Some(letters?.trim_end_matches('\0').to_owned())
    };
    let words = bytes.chunks_exact(width as usize).map(word);
    words
        .collect::<Option<_>>()
        .ok_or_else(|| Defect::new(format!("{name} holds no text"), expected))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's way to fail")]
    use super::*;

    /// As NumPy 2 writes it.
    fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        let padded = format!("{header:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((padded.len() as u16).to_le_bytes());
        bytes.extend(padded.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Vec<String>, Defect> {
        read_words(&mut &bytes[..], bytes.len() as u64, "activation")
    }

    fn wide(text: &str, big: bool) -> Vec<u8> {
        let letters = text.chars().map(u32::from);
        letters
            .flat_map(|letter| {
                if big {
                    letter.to_be_bytes()
                } else {
                    letter.to_le_bytes()
                }
            })
            .collect()
    }

    #[test]
    fn strings_are_read_as_numpy_stores_them() {
        assert_eq!(
            read(&npy("<U4", "()", &wide("relu", false))).unwrap(),
            ["relu"]
        );
        let two = [wide("tanh", true), wide("relu", true)].concat();
        assert_eq!(read(&npy(">U4", "(2,)", &two)).unwrap(), ["tanh", "relu"]);
        assert_eq!(
            read(&npy("|S5", "(2,)", b"gelu\0silu\0")).unwrap(),
            ["gelu", "silu"]
        );
        assert_eq!(
            read(&npy("<U4", "(0,)", b"")).unwrap(),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let said = |bytes: &[u8]| format!("{:?}", read(bytes).unwrap_err());
        assert!(said(&npy("<f8", "()", &[0; 8])).contains("activation has dtype"));
        assert!(said(&npy("|S2", "(1, 1)", b"ab")).contains("shape (1, 1)"));
        assert!(said(&npy("|S2", "(2,)", b"ab")).contains("2 strings of 2 bytes"));
        assert!(said(&npy("|S2", "(99999,)", b"ab")).contains("99999 strings"));
        assert!(said(&npy("<U1", "()", &[0xff; 4])).contains("no text"));
    }
}
