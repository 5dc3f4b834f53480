//! How a file stores one number.

use half::{bf16, f16};
use npyz::{DType, Endianness, TypeChar};
use twolayer::NumberFormat;

/// A type of entries that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    format: Format,
    is_big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Float64,
    Float32,
    Float16,
    BFloat16,
    /// Of so many bytes.
    Signed(u64),
    Unsigned(u64),
}

/// Which types of entries are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Types {
    /// f32 and f64.
    Floats,
    /// Also narrower floating point numbers, and integers.
    Numbers,
}

impl Types {
    pub(crate) fn include(self, number: Number) -> bool {
        self == Self::Numbers || matches!(number.format, Format::Float32 | Format::Float64)
    }

    /// For messages.
    pub(crate) fn names(self) -> &'static str {
        match self {
            Self::Floats => "f32 or f64",
            Self::Numbers => "floating point numbers of 16, 32 or 64 bits, or integers",
        }
    }
}

impl Number {
    /// `None` where entries are no real numbers, or of a width that nothing here computes with.
    pub(crate) fn of(dtype: &DType) -> Option<Self> {
        let DType::Plain(plain) = dtype else {
            return None;
        };
        let format = match (plain.type_char(), plain.size_field()) {
            (TypeChar::Float, 8) => Format::Float64,
            (TypeChar::Float, 4) => Format::Float32,
            (TypeChar::Float, 2) => Format::Float16,
            // NumPy has no name for the type that others bring to it, and writes its width.
            (TypeChar::RawData, 2) => Format::BFloat16,
            (TypeChar::Int, size) => Format::Signed(size),
            (TypeChar::Uint, size) => Format::Unsigned(size),
            _ => return None,
        };
        Some(Self {
            format,
            is_big_endian: plain.endianness() == Endianness::Big,
        })
    }

    /// What a target that is stored so may have been rounded to.
    pub(crate) fn rounded_to(self) -> NumberFormat {
        match self.format {
            Format::Float16 => NumberFormat::Half,
            Format::BFloat16 => NumberFormat::BFloat16,
            // Single precision is told from double by the numbers.
            _ => NumberFormat::Single,
        }
    }

    /// In bytes, at most eight.
    pub(crate) fn size(self) -> usize {
        match self.format {
            Format::Float64 => 8,
            Format::Float32 => 4,
            Format::Float16 | Format::BFloat16 => 2,
            Format::Signed(size) | Format::Unsigned(size) => size as usize,
        }
    }

    /// The number in the first [`size`](Self::size) of eight bytes, the others 0; exact, unless an integer
    /// has more than 53 digits.
    pub(crate) fn read(self, mut bytes: [u8; 8]) -> f64 {
        let size = self.size();
        if self.is_big_endian {
            bytes[..size].reverse();
        }
        let bits = u64::from_le_bytes(bytes);
        match self.format {
            Format::Float64 => f64::from_bits(bits),
            Format::Float32 => f32::from_bits(bits as u32).into(),
            Format::Float16 => f16::from_bits(bits as u16).to_f64(),
            Format::BFloat16 => bf16::from_bits(bits as u16).to_f64(),
            Format::Unsigned(_) => bits as f64,
            Format::Signed(_) => {
                let unused = 64 - 8 * size as u32;
                ((bits << unused).cast_signed() >> unused) as f64
            }
        }
    }

    /// As NumPy's users know it.
    fn name(self) -> String {
        match self.format {
            Format::Float64 => "float64".into(),
            Format::Float32 => "float32".into(),
            Format::Float16 => "float16".into(),
            Format::BFloat16 => "bfloat16".into(),
            Format::Signed(size) => format!("int{}", 8 * size),
            Format::Unsigned(size) => format!("uint{}", 8 * size),
        }
    }

    /// What is told of a type that is read on request only.
    pub(crate) fn story(self) -> String {
        match self.format {
            Format::BFloat16 => "two bytes each, taken for bfloat16".into(),
            _ => self.name(),
        }
    }
}

/// A dtype as NumPy's users know it.
pub(crate) fn describe(dtype: &DType) -> String {
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
        TypeChar::ByteStr | TypeChar::UnicodeStr => return "string".into(),
        _ => return plain.to_string(),
    };
    format!("{word}{}", plain.size_field().saturating_mul(8))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's way to fail")]
    use super::*;

    fn read(dtype: &str, bytes: &[u8]) -> f64 {
        let number = Number::of(&DType::Plain(dtype.parse().unwrap())).unwrap();
        assert_eq!(number.size(), bytes.len());
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        number.read(eight)
    }

    #[test]
    fn numbers_are_what_they_were() {
        for (little, big, bytes, value) in [
            ("<f8", ">f8", &(-0.1_f64).to_le_bytes()[..], -0.1),
            ("<f4", ">f4", &0.5_f32.to_le_bytes(), 0.5),
            (
                "<f4",
                ">f4",
                &f32::MIN_POSITIVE.to_le_bytes(),
                2.0_f64.powi(-126),
            ),
            // Sign, five bits of exponent with bias 15, ten bits: 1 + 1/1024, and the least of all.
            ("<f2", ">f2", &0x3c01_u16.to_le_bytes(), 1.0 + 1.0 / 1024.0),
            (
                "<f2",
                ">f2",
                &0x8001_u16.to_le_bytes(),
                -(2.0_f64.powi(-24)),
            ),
            // The upper half of a float32.
            ("<V2", ">V2", &0xc0a0_u16.to_le_bytes(), -5.0),
            ("|i1", "|i1", &[0xfe], -2.0),
            ("|u1", "|u1", &[0xfe], 254.0),
            ("<i2", ">i2", &(-300_i16).to_le_bytes(), -300.0),
            ("<u4", ">u4", &u32::MAX.to_le_bytes(), 4_294_967_295.0),
            ("<i8", ">i8", &i64::MIN.to_le_bytes(), -(2.0_f64.powi(63))),
            (
                "<i8",
                ">i8",
                &((1_i64 << 53) - 1).to_le_bytes(),
                9_007_199_254_740_991.0,
            ),
            ("<u8", ">u8", &(1_u64 << 63).to_le_bytes(), 2.0_f64.powi(63)),
        ] {
            assert_eq!(read(little, bytes), value, "{little}");
            let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
            assert_eq!(read(big, &reversed), value, "{big}");
        }
        assert!(read("<f2", &0x7e00_u16.to_le_bytes()).is_nan());
        assert_eq!(read("<f2", &0xfc00_u16.to_le_bytes()), f64::NEG_INFINITY);
    }

    #[test]
    fn what_is_no_number_is_told_by_its_name() {
        for (dtype, name) in [
            ("|b1", "bool"),
            ("|O", "object"),
            ("<c16", "complex128"),
            ("<f16", "float128"),
            ("|S8", "string"),
            ("<U8", "string"),
            ("|V1", "|V1"),
            ("<M8[ns]", "<M8[ns]"),
        ] {
            let dtype = DType::Plain(dtype.parse().unwrap());
            assert_eq!(Number::of(&dtype), None);
            assert_eq!(describe(&dtype), name);
        }
    }
}
