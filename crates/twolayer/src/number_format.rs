//! Formats with fewer digits than are computed with, in which targets are stored and networks are run.

/// A floating-point format of IEEE 754, or of the hardware that networks are run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NumberFormat {
    /// Single precision, float32: 24 significant bits.
    Single,
    /// Half precision, float16: 11 significant bits.
    Half,
    /// bfloat16: 8 significant bits.
    BFloat16,
}

impl NumberFormat {
    /// As NumPy's users know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "float32",
            Self::Half => "float16",
            Self::BFloat16 => "bfloat16",
        }
    }

    /// Of a number that is not subnormal.
    pub fn significant_bits(self) -> u32 {
        match self {
            Self::Single => 24,
            Self::Half => 11,
            Self::BFloat16 => 8,
        }
    }

    /// u: a number is off by no more than u of itself where it is rounded.
    pub fn unit_roundoff(self) -> f64 {
        power_of_two(-(self.significant_bits() as i32))
    }

    /// The least positive number, a subnormal: below the normal numbers a number is off by half of it.
    pub fn least(self) -> f64 {
        power_of_two(match self {
            Self::Single => -149,
            Self::Half => -24,
            Self::BFloat16 => -133,
        })
    }

    /// Whether a number is one of the format, as far as its digits and the least number go.
    pub(crate) fn has(self, value: f64) -> bool {
        let multiple = value / self.least();
        significant_bits(value) <= self.significant_bits() && multiple.fract() == 0.0
    }
}

/// How many bits a number takes from its first 1 to its last; none for 0.
pub(crate) fn significant_bits(value: f64) -> u32 {
    /// Without the first, which is not stored.
    const STORED: u32 = f64::MANTISSA_DIGITS - 1;
    match value == 0.0 {
        true => 0,
        false => 1 + STORED - value.to_bits().trailing_zeros().min(STORED),
    }
}

fn power_of_two(exponent: i32) -> f64 {
    2.0_f64.powi(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_precision_is_that_of_f32() {
        let single = NumberFormat::Single;
        assert_eq!(single.unit_roundoff(), f64::from(f32::EPSILON) / 2.0);
        assert_eq!(single.least(), f64::from(f32::from_bits(1)));
        for value in [1.0 / 3.0, 1e-40, 1e-30, 0.7, 2.0_f64.powi(-149), 0.0] {
            let rounded = f64::from(value as f32);
            assert!(single.has(rounded), "{value:e}");
            assert_eq!(single.has(value), value == rounded, "{value:e}");
        }
        assert!(!single.has(2.0_f64.powi(-150)));
    }

    #[test]
    fn the_shorter_formats_have_fewer_numbers() {
        // 1 + 2u is the number after 1.
        for (format, bits) in [(NumberFormat::Half, 11), (NumberFormat::BFloat16, 8)] {
            let u = format.unit_roundoff();
            assert_eq!(u, 2.0_f64.powi(-bits));
            assert!(format.has(1.0 + 2.0 * u) && !format.has(1.0 + u));
            assert!(format.has(3.0 * format.least()) && !format.has(1.5 * format.least()));
        }
        // What float16 has below its normal numbers, 2^-14, and bfloat16 has not.
        assert_eq!(NumberFormat::Half.least(), 2.0_f64.powi(-14 - 10));
        assert_eq!(NumberFormat::BFloat16.least(), 2.0_f64.powi(-126 - 7));
    }
}
