//! Hard tanh.

use super::{Activation, Kink, Softplus};
use crate::scalar::Scalar;
use std::sync::Arc;

/// φ(h) = min(max(h, −1), 1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HardTanh;

impl<T: Scalar> Activation<T> for HardTanh {
    fn value(&self, h: T) -> T {
        // NaN stays: `max` would hide it.
        if h < -T::one() {
            -T::one()
        } else if h > T::one() {
            T::one()
        } else {
            h
        }
    }

    fn slope(&self, h: T) -> T {
        if h > -T::one() && h <= T::one() {
            T::one()
        } else {
            T::zero()
        }
    }

    fn kinks(&self) -> Vec<Kink<T>> {
        let one = T::one();
        let kink = |at, jump| Kink { at, jump };
        vec![kink(-one, one), kink(one, -one)]
    }

    fn smoothed(&self, width: T) -> Option<Arc<dyn Activation<T>>> {
        Some(Arc::new(SoftHardTanh(Softplus { width })))
    }
}

/// softplus(h + 1) − softplus(h − 1) − 1.
#[derive(Debug, Clone, Copy)]
struct SoftHardTanh<T>(Softplus<T>);

impl<T: Scalar> SoftHardTanh<T> {
    fn difference(&self, h: T, of: impl Fn(&Softplus<T>, T) -> T) -> T {
        of(&self.0, h + T::one()) - of(&self.0, h - T::one())
    }
}

impl<T: Scalar> Activation<T> for SoftHardTanh<T> {
    fn value(&self, h: T) -> T {
        self.difference(h, |softplus, h| softplus.value(h)) - T::one()
    }

    fn slope(&self, h: T) -> T {
        self.difference(h, |softplus, h| softplus.slope(h))
    }

    fn bend(&self, h: T) -> T {
        self.difference(h, |softplus, h| softplus.bend(h))
    }

    fn bends(&self) -> bool {
        true
    }
}
