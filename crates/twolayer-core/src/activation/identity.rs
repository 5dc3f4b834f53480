//! No nonlinearity.

use super::Activation;
use crate::scalar::Scalar;

/// φ(h) = h.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Identity;

impl<T: Scalar> Activation<T> for Identity {
    fn value(&self, h: T) -> T {
        h
    }

    fn slope(&self, _: T) -> T {
        T::one()
    }
}
