//! The nonlinearities of hidden units, one a file.

mod gelu;
mod hard_tanh;
mod identity;
mod leaky_relu;
mod named;
mod relu;
mod sigmoid;
mod silu;
mod softplus;
mod tanh;

pub use gelu::{Gelu, GeluTanh};
pub use hard_tanh::HardTanh;
pub use identity::Identity;
pub use leaky_relu::LeakyRelu;
pub use named::{ActivationName, UnknownActivation};
pub use relu::Relu;
pub use sigmoid::Sigmoid;
pub use silu::Silu;
pub use softplus::Softplus;
pub use tanh::Tanh;

use crate::scalar::Scalar;
use std::fmt::Debug;
use std::sync::Arc;

/// A function φ: R → R that is applied to each hidden unit: smooth but for kinks.
///
/// A new one says its value, its slope and, where it bends, its second derivative; where it has kinks, where
/// they are and what they add to the slope. Nothing else has to know it.
pub trait Activation<T: Scalar>: Debug + Send + Sync {
    /// φ(h).
    fn value(&self, h: T) -> T;

    /// φ'(h); on a kink, that of its negative side.
    fn slope(&self, h: T) -> T;

    /// φ''(h), off the kinks. Zero by default.
    fn bend(&self, _h: T) -> T {
        T::zero()
    }

    /// Whether φ'' is other than zero somewhere.
    fn bends(&self) -> bool {
        false
    }

    /// The kinks, from left to right; none by default.
    fn kinks(&self) -> Vec<Kink<T>> {
        Vec::new()
    }

    /// A function without kinks that differs from φ within about a `width` of them only, if φ has kinks.
    fn smoothed(&self, _width: T) -> Option<Arc<dyn Activation<T>>> {
        None
    }
}

/// A kink of an activation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kink<T> {
    /// The h that it is at.
    pub at: T,
    /// φ' behind it less φ' before it.
    pub jump: T,
}

/// 1/(1 + exp(−h)), without overflow.
fn logistic<T: Scalar>(h: T) -> T {
    let tail = (-h.abs()).exp();
    let small = tail / (T::one() + tail);
    if h > T::zero() {
        T::one() / (T::one() + tail)
    } else {
        small
    }
}

/// The derivative of [`logistic`], without cancellation.
fn logistic_slope<T: Scalar>(h: T) -> T {
    let tail = (-h.abs()).exp();
    tail / ((T::one() + tail) * (T::one() + tail))
}

/// 1 − 2/(1 + exp(−h)) = −tanh(h/2).
fn logistic_tilt<T: Scalar>(h: T) -> T {
    -(T::of(0.5) * h).tanh()
}

#[cfg(test)]
mod tests;
