//! ReLU.

use super::{Activation, Kink, Softplus};
use crate::scalar::Scalar;
use std::sync::Arc;

/// φ(h) = max(h, 0), with the slope 1\[h > 0\].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relu;

impl<T: Scalar> Activation<T> for Relu {
    fn value(&self, h: T) -> T {
        if h > T::zero() { h } else { T::zero() }
    }

    fn slope(&self, h: T) -> T {
        if h > T::zero() { T::one() } else { T::zero() }
    }

    fn kinks(&self) -> Vec<Kink<T>> {
        let (at, jump) = (T::zero(), T::one());
        vec![Kink { at, jump }]
    }

    fn smoothed(&self, width: T) -> Option<Arc<dyn Activation<T>>> {
        Some(Arc::new(Softplus { width }))
    }
}
