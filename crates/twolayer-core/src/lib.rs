//! Traits, network, losses and curvature for inverting a trained two-layer network
//! softmax(A2 φ(A1 x + c1) + c2), independent of any linear algebra library.
//!
//! A user meets [`TwoLayer`], [`Target`], [`Regularizer`] and [`Inversion`], which check what they
//! are given; a backend crate implements [`LinearBackend`]; a solver sees an [`Objective`] with its
//! [`Kinked`] and [`RowStructured`] sides, and a [`HessianApprox`].
//!
//! # Notation
//!
//! | symbol | here | shape | meaning |
//! |---|---|---|---|
//! | A1, A2 | `a1`, `a2` | n×d, m×n | the layers |
//! | c1, c2 | `bias1`, `bias2` | n, m | the biases |
//! | x | `x`, `point` | d | the unknown |
//! | h, s | `hidden`, `pattern` | n | A1 x + c1, and 1\[h > 0\] |
//! | z, f | `logits`, `probabilities` | m | A2 φ(h) + c2, softmax(z) |
//! | b | `target` | m | the distribution to reach |
//! | C | `jacobian` | m×d | A2 diag(s) A1 = ∂z/∂x inside a cell of constant s |
//! | β | `row_weights` | m | curvature of the loss, row by row |
//! | ω = w² | `uncentered_weights` | m | curvature of the regulariser |
//!
//! # The centred form
//!
//! A softmax ignores a shift of all logits, so the Hessian of every loss of it has the form
//! C̄ᵀ diag(β) C̄ with C̄ = C − 1 (cᵀC), Σc = 1. For ‖f − b‖² it has c = f and
//! β = 2 f∘(2f − b − fᵀ(f − b)), which is the paper's diagonal plus rank two, rearranged. A model
//! that is positive semi-definite is then had row by row: max(β, 0), or 2 f∘f. See [`Loss`] and
//! [`Curvature`].

mod activation;
mod backend;
mod chained_starts;
pub mod columns;
mod continuation;
mod determining;
mod error;
mod few;
mod hessian;
mod inversion;
mod lift;
mod loss;
mod network;
mod objective;
mod problems;
mod projection;
pub mod reduce;
mod regularizer;
mod scalar;
mod splitting;
mod subspace;
mod target;

pub use activation::{Activation, Relu, Softmax, Softplus};
pub use backend::{LinearBackend, NotPositiveDefinite};
pub use error::Error;
pub use hessian::HessianApprox;
pub use inversion::{Inversion, InversionPoint};
pub use loss::{ClosedForm, KullbackLeibler, LogRatio, Loss, RowWeights, SquaredError};
pub use network::{ForwardPass, HiddenScratch, TwoLayer};
pub use objective::{
    Crossing, Curvature, Evaluation, Kinked, Objective, ProductScratch, RayMinimum, Restarts,
    RowStructured, Starts, WarmStart,
};
pub use problems::Problems;
pub use regularizer::Regularizer;
pub use scalar::Scalar;
pub use splitting::{FIRST_BURST, TOGETHER};
pub use subspace::Subspace;
pub use target::{SIMPLEX_TOLERANCE, Target};
