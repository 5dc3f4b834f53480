//! GELU, by the normal distribution and by its approximation with a tanh.

use super::{Activation, Sigmoid};
use crate::scalar::Scalar;

/// φ(h) = h Φ(h), Φ the distribution function of the standard normal, φ' = Φ + hΦ', φ'' = (2 − h²)Φ'
/// (D. Hendrycks and K. Gimpel, arXiv 1606.08415).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gelu;

/// Φ(h), to a few roundoffs of it also far on the left.
fn distribution(h: f64) -> f64 {
    0.5 * libm::erfc(-h * std::f64::consts::FRAC_1_SQRT_2)
}

/// Φ'(h).
fn density(h: f64) -> f64 {
    const ONE_OVER_SQRT_TWO_PI: f64 = 0.398_942_280_401_432_7;
    ONE_OVER_SQRT_TWO_PI * (-0.5 * h * h).exp()
}

impl<T: Scalar> Activation<T> for Gelu {
    fn value(&self, h: T) -> T {
        let h = h.to_f64();
        T::of(if h == f64::NEG_INFINITY {
            0.0
        } else {
            h * distribution(h)
        })
    }

    fn slope(&self, h: T) -> T {
        let h = h.to_f64();
        T::of(distribution(h) + h * density(h))
    }

    fn bend(&self, h: T) -> T {
        let h = h.to_f64();
        T::of((2.0 - h * h) * density(h))
    }

    fn bends(&self) -> bool {
        true
    }
}

/// φ(h) = ½h(1 + tanh t) = h σ(2t) with t = √(2/π)(h + 0.044715 h³): PyTorch's `gelu(approximate="tanh")`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GeluTanh;

/// 2t and its first two derivatives.
fn twice_argument<T: Scalar>(h: T) -> [T; 3] {
    const CUBIC: f64 = 0.044715;
    let scale = T::of(2.0 * (2.0 / std::f64::consts::PI).sqrt());
    let square = h * h;
    [
        scale * h * (T::one() + T::of(CUBIC) * square),
        scale * (T::one() + T::of(3.0 * CUBIC) * square),
        scale * T::of(6.0 * CUBIC) * h,
    ]
}

impl<T: Scalar> Activation<T> for GeluTanh {
    fn value(&self, h: T) -> T {
        let [t, ..] = twice_argument(h);
        h * Sigmoid.value(t)
    }

    fn slope(&self, h: T) -> T {
        let [t, rate, _] = twice_argument(h);
        let steepness = Sigmoid.slope(t);
        // Far out the polynomials overflow.
        match steepness == T::zero() {
            true => Sigmoid.value(t),
            false => Sigmoid.value(t) + h * steepness * rate,
        }
    }

    fn bend(&self, h: T) -> T {
        let [t, rate, bend] = twice_argument(h);
        let steepness = Sigmoid.slope(t);
        match steepness == T::zero() {
            true => T::zero(),
            false => steepness * (rate + rate + h * bend) + h * Sigmoid.bend(t) * rate * rate,
        }
    }

    fn bends(&self) -> bool {
        true
    }
}
