//! Softplus.

use super::{Activation, logistic, logistic_slope};
use crate::scalar::Scalar;

/// φ(h) = w log(1 + exp(h/w)), a ReLU without a kink; w > 0 is the `width` of what is smoothed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Softplus<T> {
    /// w.
    pub width: T,
}

impl<T: Scalar> Activation<T> for Softplus<T> {
    fn value(&self, h: T) -> T {
        // The exponential of what is negative does not overflow.
        let tail = (-h.abs() / self.width).exp().ln_1p();
        h.max(T::zero()) + self.width * tail
    }

    fn slope(&self, h: T) -> T {
        logistic(h / self.width)
    }

    fn bend(&self, h: T) -> T {
        logistic_slope(h / self.width) / self.width
    }

    fn bends(&self) -> bool {
        true
    }
}
