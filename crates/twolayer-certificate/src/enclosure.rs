//! Intervals: a midpoint in double-double, and a radius that is never rounded down.

use crate::directed as up;
use crate::real::{DoubleDouble, Real};
use std::ops::{Add, Mul, Neg, Sub};

/// All numbers within `radius` of `middle`. Every operation encloses the result for every choice
/// of its arguments; one that is not finite encloses everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Enclosure {
    pub(crate) middle: DoubleDouble,
    pub(crate) radius: f64,
}

/// The error of one double-double operation with this result.
fn rounding(result: DoubleDouble) -> f64 {
    up::add(2.0 * DoubleDouble::ROUNDOFF * result.hi.abs(), up::TINY)
}

/// log 2 to 2⁻¹⁰⁸: the two words are its leading 107 bits, the third is 5.7e-34.
const LN_2: Enclosure = Enclosure {
    middle: DoubleDouble {
        hi: std::f64::consts::LN_2,
        lo: 2.319_046_813_846_299_6e-17,
    },
    radius: 1e-33,
};

impl Enclosure {
    pub(crate) const ZERO: Self = Self {
        middle: DoubleDouble::ZERO,
        radius: 0.0,
    };

    const EVERYTHING: Self = Self {
        middle: DoubleDouble::ZERO,
        radius: f64::INFINITY,
    };

    /// An upper bound of |·|.
    pub(crate) fn magnitude(self) -> f64 {
        up::add(self.middle.hi.abs().next_up(), self.radius)
    }

    /// A lower bound of |·|, which may be negative.
    pub(crate) fn mignitude(self) -> f64 {
        up::sub_down(self.middle.hi.abs().next_down(), self.radius)
    }

    pub(crate) fn upper(self) -> f64 {
        up::add(self.middle.hi.next_up(), self.radius)
    }

    pub(crate) fn lower(self) -> f64 {
        up::sub_down(self.middle.hi.next_down(), self.radius)
    }

    /// Times a power of two.
    pub(crate) fn scaled(self, power_of_two: f64) -> Self {
        Self {
            middle: self.middle.scaled(power_of_two),
            radius: up::add(up::mul(self.radius, power_of_two.abs()), up::TINY),
        }
    }

    /// Widened by an error.
    pub(crate) fn widened(self, error: f64) -> Self {
        Self {
            middle: self.middle,
            radius: up::add(self.radius, error),
        }
    }

    /// self/divisor. The error of the quotient q is bounded afterwards, by self − q·divisor.
    pub(crate) fn over(self, divisor: Self) -> Self {
        let least = divisor.mignitude();
        if !(least > 0.0) {
            return Self::EVERYTHING;
        }
        let first = self.middle.hi / divisor.middle.hi;
        let rest = self.middle - divisor.middle * first.into();
        let quotient = DoubleDouble::from(first) + (rest.hi / divisor.middle.hi).into();
        let residual = self - divisor * quotient.into();
        Self {
            middle: quotient,
            radius: up::add(up::div(residual.magnitude(), least), up::TINY),
        }
    }

    /// eˣ for x ≤ 40: x = k log 2 + 8 s, a Taylor polynomial in s, three squarings. No function of
    /// a mathematical library is used.
    pub(crate) fn exp(self) -> Self {
        if self.upper() <= -600.0 {
            // e⁻⁶⁰⁰ < 1e-260.
            return Self::ZERO.widened(1e-260);
        }
        if !(self.upper() <= 40.0 && self.lower() >= -700.0) {
            return Self::EVERYTHING;
        }
        let k = (self.middle.hi / std::f64::consts::LN_2).round();
        let s = (self - LN_2 * k.into()).scaled(0.125);
        if !(s.magnitude() <= 0.05) {
            return Self::EVERYTHING;
        }
        let one = Self::from(1.0);
        let mut power = one;
        for j in (1..=20).rev() {
            power = one + (s * power).over(f64::from(j).into());
        }
        // The rest of the series: less than 0.05²¹/21!/(1 − 0.05) < 1e-46.
        power = power.widened(1e-40);
        for _ in 0..3 {
            power = power * power;
        }
        // −1010 ≤ k ≤ 58: 2ᵏ is a normal number.
        power.scaled(f64::from_bits(((1023.0 + k) as u64) << 52))
    }

    /// log x for x ≥ 0.5: a rough logarithm l, corrected by log(x e⁻ˡ) = s − s²/2 + O(s³).
    pub(crate) fn ln(self) -> Self {
        let rough = Self::from(self.middle.hi.ln());
        let s = self * (-rough).exp() - 1.0.into();
        let size = s.magnitude();
        if !(size <= 0.25) {
            return Self::EVERYTHING;
        }
        // |log(1 + s) − s + s²/2| ≤ |s|³/3/(1 − |s|) ≤ |s|³.
        (rough + s - (s * s).scaled(0.5)).widened(up::mul(size, up::mul(size, size)))
    }

    /// log of any positive number.
    pub(crate) fn ln_of(value: f64) -> Self {
        // value = mantissa·2^exponent with a whole mantissa.
        let (mantissa, exponent, _) = num_traits::Float::integer_decode(value);
        Self::from(mantissa as f64).ln() + LN_2 * f64::from(exponent).into()
    }

    /// Σ coefficientsᵢ·valuesᵢ.
    pub(crate) fn dot(coefficients: &[f64], values: &[Self]) -> Self {
        let mut sums = Sums::default();
        for (&a, value) in coefficients.iter().zip(values) {
            sums.add(a, value);
        }
        sums.enclosure(coefficients.len())
    }

    /// Aᵀ·values for a matrix A given row after row, one row for each value.
    pub(crate) fn transposed_product(a: &[f64], columns: usize, values: &[Self]) -> Vec<Self> {
        let mut sums = vec![Sums::default(); columns];
        for (row, value) in a.chunks(columns).zip(values) {
            for (sum, &a) in sums.iter_mut().zip(row) {
                sum.add(a, value);
            }
        }
        sums.iter().map(|s| s.enclosure(values.len())).collect()
    }

    /// Σ valuesᵢ.
    pub(crate) fn sum(values: impl Iterator<Item = Self>) -> Self {
        values.fold(Self::ZERO, |sum, value| sum + value)
    }
}

/// An inner product in the making.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    middle: DoubleDouble,
    absolute: f64,
    radius: f64,
}

impl Sums {
    fn add(&mut self, a: f64, value: &Enclosure) {
        self.middle = self.middle + DoubleDouble::from(a) * value.middle;
        self.absolute += a.abs() * value.middle.hi.abs();
        self.radius += a.abs() * value.radius;
    }

    /// The sum of n products: γₙ₊₁ times the sum of the absolute products, and the radii.
    fn enclosure(&self, terms: usize) -> Enclosure {
        let gamma = up::gamma(terms + 2, DoubleDouble::ROUNDOFF);
        let rounding = up::mul(gamma, up::inflate(self.absolute, terms));
        let radius = up::inflate(self.radius, terms);
        Enclosure {
            middle: self.middle,
            radius: up::add(up::add(rounding, radius), up::TINY),
        }
    }
}

impl From<f64> for Enclosure {
    fn from(value: f64) -> Self {
        DoubleDouble::from(value).into()
    }
}

impl From<DoubleDouble> for Enclosure {
    fn from(middle: DoubleDouble) -> Self {
        Self {
            middle,
            radius: 0.0,
        }
    }
}

impl Add for Enclosure {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let middle = self.middle + other.middle;
        Self {
            middle,
            radius: up::add(up::add(self.radius, other.radius), rounding(middle)),
        }
    }
}

impl Neg for Enclosure {
    type Output = Self;

    fn neg(self) -> Self {
        Self {
            middle: -self.middle,
            radius: self.radius,
        }
    }
}

impl Sub for Enclosure {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Enclosure {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let middle = self.middle * other.middle;
        // |ab − āb̄| ≤ |a|·rad b + |b̄|·rad a.
        let spread = up::add(
            up::mul(self.magnitude(), other.radius),
            up::mul(other.middle.hi.abs().next_up(), self.radius),
        );
        Self {
            middle,
            radius: up::add(spread, rounding(middle)),
        }
    }
}

#[cfg(test)]
mod tests;
