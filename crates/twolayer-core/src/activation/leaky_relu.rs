//! Leaky ReLU.

use super::{Activation, Kink, Softplus};
use crate::scalar::Scalar;
use std::sync::Arc;

/// φ(h) = h where h > 0 and s·h elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeakyRelu<T> {
    /// s.
    pub slope: T,
}

impl<T: Scalar> Activation<T> for LeakyRelu<T> {
    fn value(&self, h: T) -> T {
        if h > T::zero() { h } else { self.slope * h }
    }

    fn slope(&self, h: T) -> T {
        if h > T::zero() { T::one() } else { self.slope }
    }

    fn kinks(&self) -> Vec<Kink<T>> {
        let (at, jump) = (T::zero(), T::one() - self.slope);
        vec![Kink { at, jump }]
    }

    fn smoothed(&self, width: T) -> Option<Arc<dyn Activation<T>>> {
        Some(Arc::new(SoftLeakyRelu {
            slope: self.slope,
            softplus: Softplus { width },
        }))
    }
}

/// s·h + (1 − s) softplus(h).
#[derive(Debug, Clone, Copy)]
struct SoftLeakyRelu<T> {
    slope: T,
    softplus: Softplus<T>,
}

impl<T: Scalar> Activation<T> for SoftLeakyRelu<T> {
    fn value(&self, h: T) -> T {
        self.slope * h + (T::one() - self.slope) * self.softplus.value(h)
    }

    fn slope(&self, h: T) -> T {
        self.slope + (T::one() - self.slope) * self.softplus.slope(h)
    }

    fn bend(&self, h: T) -> T {
        (T::one() - self.slope) * self.softplus.bend(h)
    }

    fn bends(&self) -> bool {
        true
    }
}
