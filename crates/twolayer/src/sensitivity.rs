//! Derivatives of an answer in what the problem was made of.
//!
//! docs/derivatives.md has the equations.

mod answer;
mod change;
mod constraints;
mod gradients;
mod jvp;
mod no_derivative;
mod problem;
mod reduced_hessian;
mod vjp;

pub use answer::Sensitivity;
pub use change::Change;
pub use gradients::{Gradients, LayerGradient};
pub use no_derivative::{Held, NoDerivative};
pub use problem::InversionRef;

#[cfg(test)]
mod tests;
