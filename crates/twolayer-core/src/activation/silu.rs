//! SiLU (swish).

use super::{Activation, logistic, logistic_slope, logistic_tilt};
use crate::scalar::Scalar;

/// φ(h) = h σ(h), σ the logistic function: φ' = σ + hσ', φ'' = σ'(2 + h(1 − 2σ)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Silu;

impl<T: Scalar> Activation<T> for Silu {
    fn value(&self, h: T) -> T {
        h * logistic(h)
    }

    fn slope(&self, h: T) -> T {
        logistic(h) + h * logistic_slope(h)
    }

    fn bend(&self, h: T) -> T {
        logistic_slope(h) * (T::of(2.0) + h * logistic_tilt(h))
    }

    fn bends(&self) -> bool {
        true
    }
}
