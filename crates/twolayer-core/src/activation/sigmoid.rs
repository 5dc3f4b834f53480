//! The logistic function.

use super::{Activation, logistic, logistic_slope, logistic_tilt};
use crate::scalar::Scalar;

/// φ(h) = 1/(1 + exp(−h)), φ' = φ(1 − φ), φ'' = φ'(1 − 2φ).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sigmoid;

impl<T: Scalar> Activation<T> for Sigmoid {
    fn value(&self, h: T) -> T {
        logistic(h)
    }

    fn slope(&self, h: T) -> T {
        logistic_slope(h)
    }

    fn bend(&self, h: T) -> T {
        logistic_slope(h) * logistic_tilt(h)
    }

    fn bends(&self) -> bool {
        true
    }
}
