//! tanh.

use super::Activation;
use crate::scalar::Scalar;

/// φ(h) = tanh h, φ' = 1 − φ², φ'' = −2φφ'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tanh;

impl<T: Scalar> Activation<T> for Tanh {
    fn value(&self, h: T) -> T {
        h.tanh()
    }

    /// 4e/(1 + e)², e = exp(−2|h|): no cancellation far out.
    fn slope(&self, h: T) -> T {
        T::of(4.0) * super::logistic_slope(h + h)
    }

    fn bend(&self, h: T) -> T {
        -T::of(2.0) * h.tanh() * self.slope(h)
    }

    fn bends(&self) -> bool {
        true
    }
}
