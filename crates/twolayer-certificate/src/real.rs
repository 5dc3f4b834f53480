//! The two number formats that the matrices of a certificate are computed in.

use crate::directed::UNIT;
use std::fmt::Debug;
use std::ops::{Add, Mul, Neg, Sub};

/// `f64` or [`DoubleDouble`]: a sum or product differs from the exact one by a relative error of
/// at most [`ROUNDOFF`](Real::ROUNDOFF), and by at most 2⁻¹⁰⁷⁰ more where it underflows.
pub(crate) trait Real:
    Copy + Debug + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    const NAME: &'static str;
    const ROUNDOFF: f64;
    const ZERO: Self;

    fn of(value: DoubleDouble) -> Self;
    fn from_f64(value: f64) -> Self;
    /// The nearest `f64`, up to its unit roundoff.
    fn to_f64(self) -> f64;
    /// The same number, exactly.
    fn widen(self) -> DoubleDouble;
}

impl Real for f64 {
    const NAME: &'static str = "f64";
    const ROUNDOFF: f64 = UNIT;
    const ZERO: Self = 0.0;

    fn of(value: DoubleDouble) -> Self {
        value.hi
    }

    fn from_f64(value: f64) -> Self {
        value
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn widen(self) -> DoubleDouble {
        self.into()
    }
}

/// hi + lo with |lo| ≤ u|hi|: about 106 bits.
///
/// The algorithms and their bounds, 3u² + O(u³) for a sum and 6u² for a product, are those of
/// Joldes, Muller, Popescu, "Tight and rigorous error bounds for basic building blocks of
/// double-word arithmetic", ACM TOMS 44 (2017), algorithms 6 and 11. They need only that `f64`
/// rounds to nearest and that `mul_add` rounds once, which Rust promises on every target.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct DoubleDouble {
    pub(crate) hi: f64,
    pub(crate) lo: f64,
}

impl Real for DoubleDouble {
    const NAME: &'static str = "double-double";
    // 2⁻¹⁰²: both bounds and to spare.
    const ROUNDOFF: f64 = 16.0 * UNIT * UNIT;
    const ZERO: Self = Self { hi: 0.0, lo: 0.0 };

    fn of(value: DoubleDouble) -> Self {
        value
    }

    fn from_f64(value: f64) -> Self {
        value.into()
    }

    fn to_f64(self) -> f64 {
        self.hi
    }

    fn widen(self) -> DoubleDouble {
        self
    }
}

impl DoubleDouble {
    /// The same number times 2ᵏ, given as 2ᵏ; exact unless it underflows.
    pub(crate) fn scaled(self, power_of_two: f64) -> Self {
        Self {
            hi: self.hi * power_of_two,
            lo: self.lo * power_of_two,
        }
    }
}

impl From<f64> for DoubleDouble {
    fn from(hi: f64) -> Self {
        Self { hi, lo: 0.0 }
    }
}

fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    let a_part = sum - b_part;
    (sum, (a - a_part) + (b - b_part))
}

/// Needs |a| ≥ |b|.
fn fast_two_sum(a: f64, b: f64) -> DoubleDouble {
    let hi = a + b;
    DoubleDouble {
        hi,
        lo: b - (hi - a),
    }
}

impl Add for DoubleDouble {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (high, high_error) = two_sum(self.hi, other.hi);
        let (low, low_error) = two_sum(self.lo, other.lo);
        let first = fast_two_sum(high, high_error + low);
        fast_two_sum(first.hi, low_error + first.lo)
    }
}

impl Neg for DoubleDouble {
    type Output = Self;

    fn neg(self) -> Self {
        self.scaled(-1.0)
    }
}

impl Sub for DoubleDouble {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for DoubleDouble {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let product = self.hi * other.hi;
        let error = self.hi.mul_add(other.hi, -product);
        let cross = self.lo.mul_add(other.hi, self.hi * other.lo);
        fast_two_sum(product, error + cross)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_sums_keep_the_second_word() {
        let third = DoubleDouble {
            hi: 1.0 / 3.0,
            lo: (-3.0_f64).mul_add(1.0 / 3.0, 1.0) / 3.0,
        };
        let one = third * DoubleDouble::from(3.0) - DoubleDouble::from(1.0);
        assert!(one.hi.abs() < 1e-31, "{one:?}");
        let small = DoubleDouble::from(1.0) + DoubleDouble::from(1e-25) - DoubleDouble::from(1.0);
        assert!((small.hi / 1e-25 - 1.0).abs() < 1e-6);
    }
}
