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
    use crate::exact::{Big, Draws, absolute, big, wide};

    /// Pairs of all sizes, some of which cancel to their second words.
    fn pairs() -> impl Iterator<Item = (DoubleDouble, DoubleDouble)> {
        let mut draws = Draws::new(1);
        (0..4000).map(move |case| {
            let a = draws.double_double([2.0, 60.0, 120.0][case % 3]);
            let mut b = draws.double_double(2.0 + (case % 50) as f64);
            if case % 4 == 0 {
                let lo = 2.0_f64.powi(-(case as i32 % 40)) * a.lo;
                b = DoubleDouble { hi: -a.hi, lo };
            }
            (a, b)
        })
    }

    /// Within `most` times u² of the exact result, and normalised.
    #[track_caller]
    fn close(result: DoubleDouble, exact: &Big, most: f64) {
        let error = absolute(&(wide(result) - exact));
        // Terms in u³.
        let most = 1.0001 * most * UNIT * UNIT;
        assert!(error <= absolute(exact) * big(most), "{result:?} {exact}");
        assert_eq!(result.hi + result.lo, result.hi);
    }

    #[test]
    fn sums_and_products_keep_to_the_bounds_of_the_paper() {
        for (a, b) in pairs() {
            let (x, y) = (wide(a), wide(b));
            close(a + b, &(&x + &y), 3.0);
            close(a - b, &(&x - &y), 3.0);
            close(a * b, &(&x * &y), 6.0);
            assert_eq!(wide(-a), -&x);
            assert_eq!(wide(a.scaled(0.125)) * big(8.0), x);
        }
    }

    #[test]
    fn roundoffs_are_above_the_bounds() {
        assert_eq!(<f64 as Real>::ROUNDOFF, 2.0_f64.powi(-53));
        assert_eq!(<DoubleDouble as Real>::ROUNDOFF, 2.0_f64.powi(-102));
        let (one, third) = (
            DoubleDouble::from(1.0),
            DoubleDouble {
                hi: 1.0,
                lo: UNIT / 3.0,
            },
        );
        assert_eq!(third * one - third, DoubleDouble::ZERO);
    }

    #[test]
    fn both_formats_carry_what_they_can() {
        let number = DoubleDouble {
            hi: 0.75,
            lo: 1e-20,
        };
        assert_eq!(<f64 as Real>::of(number), 0.75);
        assert_eq!(<f64 as Real>::widen(0.75), DoubleDouble::from(0.75));
        assert_eq!(
            (<f64 as Real>::from_f64(0.3), <f64 as Real>::to_f64(0.3)),
            (0.3, 0.3)
        );
        assert_eq!(<DoubleDouble as Real>::of(number), number);
        assert_eq!(number.widen(), number);
        assert_eq!(
            <DoubleDouble as Real>::from_f64(0.3),
            DoubleDouble { hi: 0.3, lo: 0.0 }
        );
        assert_eq!(number.to_f64(), 0.75);
    }
}
